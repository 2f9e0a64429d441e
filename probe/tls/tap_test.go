package tls

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"assay/evidence"
)

// FuzzServerMessages: whatever a server sends in the clear, reading it ends.
func FuzzServerMessages(f *testing.F) {
	f.Add([]byte("\x16\x03\x03\x00\x0a\x0b\x00\x00\x06\x00\x00\x03\x00\x00\x00"))
	f.Add([]byte("\x16\x03\x03\x00\x31\x02\x00\x00\x2d\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x00\x00\x00\x00\x00\x05\x00\x10\x00\x01\x00"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		m := readServerMessages(stream)
		if len(m.leaf) > len(stream) || len(m.alpn) > 255 {
			t.Errorf("%+v", m)
		}
	})
}

// TestFailure: how errors of crypto/tls become words.
func TestFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		seen string
		want string
	}{
		{"deadline", os.ErrDeadlineExceeded, "", evidence.ErrorTimeout},
		{"reset", &net.OpError{Op: "read", Err: syscall.ECONNRESET}, "", evidence.ErrorReset},
		{"end", io.EOF, "", evidence.ErrorIncomplete},
		{"end within a record", io.ErrUnexpectedEOF, "\x16\x03\x03", evidence.ErrorIncomplete},
		{"HTTP", tls.RecordHeaderError{Msg: "x"}, "HTTP/1.1 400 Bad Request", evidence.ErrorPlainHTTP},
		{"HTTP/0.9", tls.RecordHeaderError{Msg: "x"}, "<html>", evidence.ErrorPlainHTTP},
		{"SSL 3.0", errors.New("tls: server selected unsupported protocol version 300"), "\x16\x03\x00\x00\x31\x02\x00\x00\x2d\x03\x00aaaa", evidence.ErrorVersion},
		{"anything else", errors.New("tls: what"), "", evidence.ErrorHandshake},
		{"a certificate that cannot be read", errors.New("tls: failed to parse certificate from server: x"), "", evidence.ErrorCertificate},
	} {
		if f := failure(context.Background(), c.err, []byte(c.seen)); f.Error != c.want || f.Phase != "tls" {
			t.Errorf("%s: %+v, want %q", c.name, f, c.want)
		}
	}
	ended, cancel := context.WithTimeout(context.Background(), -time.Second)
	defer cancel()
	if f := failure(ended, errors.New("x"), nil); f.Error != evidence.ErrorTimeout {
		t.Errorf("after the deadline: %+v", f)
	}
	if alertName(112) != "unrecognized_name" || alertName(250) != "alert 250" {
		t.Error("names of alerts")
	}
}
