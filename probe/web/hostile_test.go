package web

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"assay/evidence"
)

// flood writes until the client goes away, but never for ever.
func flood(c net.Conn, head, each string) {
	_, _ = c.Write([]byte(head))
	for range 1 << 20 {
		if _, err := c.Write([]byte(each)); err != nil {
			return
		}
	}
}

// trickle writes a byte at a time until the client goes away.
func trickle(c net.Conn, text string) {
	for i := 0; ; i = (i + 1) % len(text) {
		if _, err := c.Write([]byte{text[i]}); err != nil {
			return
		}
		time.Sleep(5 * time.Millisecond) // a slow server is what this is about
	}
}

func hang(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }

func reset(c net.Conn) {
	time.Sleep(20 * time.Millisecond) // a reset drops what was not read yet
	_ = c.(*net.TCPConn).SetLinger(0)
}

const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"

// TestHostile: whatever a server does, the fetch ends within its bounds of
// bytes and time, with the word for it.
func TestHostile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		url          string // http unless given
		server       func(net.Conn)
		status       int
		err, phase   string
		bytes        int // of the body; -1: none
		cut          bool
		seen, detail string
	}{
		{name: "well behaved", server: ok("202611"), status: 200, bytes: 6},
		{name: "closes after the request", server: func(c net.Conn) { readRequest(c) }, err: "incomplete", phase: "header", bytes: -1},
		{name: "reset at once", server: reset, err: "reset", phase: "header", bytes: -1},
		{name: "reset after the request", server: func(c net.Conn) { readRequest(c); reset(c) }, err: "reset", phase: "header", bytes: -1},
		{name: "reset within the headers", server: func(c net.Conn) { answer(head)(c); reset(c) }, err: "reset", phase: "header", bytes: -1},
		{name: "reset within the body", server: func(c net.Conn) { ok("half")(c); reset(c) }, status: 200, err: "reset", phase: "body", bytes: 4},
		{name: "never answers", server: func(c net.Conn) { readRequest(c); hang(c) }, err: "timeout", phase: "header", bytes: -1},
		{name: "half a header, then silence", server: func(c net.Conn) { answer("HTTP/1.1 200 OK\r\nContent-")(c); hang(c) }, err: "timeout", phase: "header", bytes: -1},
		{name: "slow headers", server: func(c net.Conn) { answer(head)(c); trickle(c, "X-Slow: 1\r\n") }, err: "timeout", phase: "header", bytes: -1},
		{name: "slow body", server: func(c net.Conn) { ok("")(c); trickle(c, "drip") }, status: 200, err: "timeout", phase: "body", bytes: -2},
		{name: "body stalls", server: func(c net.Conn) { answer(head + "Content-Length: 10\r\n\r\nhalf")(c); hang(c) }, status: 200, err: "timeout", phase: "body", bytes: 4},
		{name: "body shorter than said", server: answer(head + "Content-Length: 10\r\n\r\nhalf"), status: 200, err: "incomplete", phase: "body", bytes: 4},
		{name: "body longer than said", server: answer(head + "Content-Length: 4\r\n\r\nhalf and more"), status: 200, bytes: 4},
		{name: "absurd Content-Length", server: answer(head + "Content-Length: 999999999999999999999\r\n\r\nx"), err: "not-http", phase: "header", bytes: -1, detail: "Content-Length"},
		{name: "two lengths", server: answer(head + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nhello"), err: "not-http", phase: "header", bytes: -1, detail: "Content-Length"},
		{name: "endless body", server: func(c net.Conn) { readRequest(c); flood(c, head+"\r\n", strings.Repeat("x", 4096)) }, status: 200, bytes: maxBody, cut: true},
		{name: "endless chunks of one byte", server: func(c net.Conn) {
			readRequest(c)
			flood(c, head+"Transfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 700))
		}, status: 200, bytes: -2, cut: true},
		{name: "huge chunk extension", server: func(c net.Conn) {
			readRequest(c)
			flood(c, head+"Transfer-Encoding: chunked\r\n\r\n4;a=", strings.Repeat("x", 4096))
		}, status: 200, err: "not-http", phase: "body", bytes: 0, detail: "line too long"},
		{name: "many chunk extensions", server: func(c net.Conn) {
			readRequest(c)
			flood(c, head+"Transfer-Encoding: chunked\r\n\r\n", "1;"+strings.Repeat("x", 2000)+"\r\nx\r\n")
		}, status: 200, err: "not-http", phase: "body", bytes: -2, detail: "chunk"},
		{name: "broken chunk size", server: answer(head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n"), status: 200, err: "not-http", phase: "body", bytes: 0, detail: "chunk"},
		{name: "chunks without end", server: answer(head + "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"), status: 200, err: "incomplete", phase: "body", bytes: 4},
		{name: "endless trailers", server: func(c net.Conn) {
			readRequest(c)
			flood(c, head+"Transfer-Encoding: chunked\r\n\r\n0\r\n", "X-Trailer: "+strings.Repeat("t", 100)+"\r\n")
		}, status: 200, err: "not-http", phase: "body", bytes: 0, detail: "trailer"},
		{name: "unknown transfer coding", server: answer(head + "Transfer-Encoding: gzip\r\n\r\nx"), err: "not-http", phase: "header", bytes: -1, detail: "transfer encoding"},
		{name: "header flood", server: func(c net.Conn) { readRequest(c); flood(c, head, "X-Flood: "+strings.Repeat("y", 100)+"\r\n") }, err: "too-large", phase: "header", bytes: -1},
		{name: "one endless header line", server: func(c net.Conn) { readRequest(c); flood(c, head+"X-Long: ", strings.Repeat("y", 4096)) }, err: "too-large", phase: "header", bytes: -1},
		{name: "endless status line", server: func(c net.Conn) { readRequest(c); flood(c, "HTTP/1.1 200 ", strings.Repeat("y", 4096)) }, err: "too-large", phase: "header", bytes: -1},
		{name: "endless 1xx", server: func(c net.Conn) {
			readRequest(c)
			flood(c, "", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", 50))
		}, err: "too-large", phase: "header", bytes: -1},
		{name: "a few 1xx, then the answer", server: answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" + head + "\r\n202611"), status: 200, bytes: 6},
		{name: "1xx, then silence", server: func(c net.Conn) { answer("HTTP/1.1 100 Continue\r\n\r\n")(c); hang(c) }, err: "timeout", phase: "header", bytes: -1},
		{name: "switches protocols unasked", server: answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), status: 101, bytes: 0},
		{name: "TLS alert on port 80", server: answer("\x15\x03\x01\x00\x02\x02\x28"), err: "tls", phase: "header", bytes: -1, seen: "\x15\x03"},
		{name: "TLS handshake on port 80", server: answer("\x16\x03\x03\x00\x31\x02\x00\x00\x2d\x03\x03" + strings.Repeat("a", 42)), err: "tls", phase: "header", bytes: -1, seen: "\x16\x03"},
		{name: "HTTP/2 on port 80", server: answer("\x00\x00\x12\x04\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 18)), err: "http2", phase: "header", bytes: -1, seen: "\x00\x00\x12\x04"},
		{name: "another protocol", server: func(c net.Conn) { _, _ = c.Write([]byte("SSH-2.0-OpenSSH_9.9\r\n")); hang(c) }, err: "not-http", phase: "header", bytes: -1, seen: "SSH-2.0"},
		{name: "HTTP/0.9", server: answer("<html>hello</html>"), err: "not-http", phase: "header", bytes: -1, seen: "<html>"},
		{name: "HTTP/3.0 in text", server: answer("HTTP/3.0 200 OK\r\n\r\nx"), err: "not-http", phase: "header", bytes: -1, seen: "HTTP/3.0"},
		{name: "status of two digits", server: answer("HTTP/1.1 20 OK\r\n\r\nx"), err: "not-http", phase: "header", bytes: -1, seen: "HTTP/1.1 20"},
		{name: "negative status", server: answer("HTTP/1.1 -20 OK\r\n\r\nx"), err: "not-http", phase: "header", bytes: -1},
		{name: "status 999", server: answer("HTTP/1.1 999 Denied\r\n\r\nx"), status: 999, bytes: 1},
		{name: "header without colon", server: answer(head + "nonsense\r\n\r\nx"), err: "not-http", phase: "header", bytes: -1, seen: "HTTP/1.1 200"},
		{name: "compressed unasked", server: answer(head + "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00bomb"), status: 200, bytes: 8},
		{name: "204 with a body", server: answer("HTTP/1.1 204 No Content\r\n\r\nsurprise"), status: 204, bytes: 0},
		{name: "plain HTTP on 443", url: "https://orchard.net/f", server: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			hang(c)
		}, err: "plain-http", phase: "tls", bytes: -1, seen: "HTTP/1.1 400"},
		{name: "443 never answers", url: "https://orchard.net/f", server: hang2, err: "timeout", phase: "tls", bytes: -1},
		{name: "443 resets", url: "https://orchard.net/f", server: func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); reset(c) }, err: "reset", phase: "tls", bytes: -1},
		{name: "443 closes", url: "https://orchard.net/f", server: func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }, err: "incomplete", phase: "tls", bytes: -1},
		{name: "443 sends garbage", url: "https://orchard.net/f", server: func(c net.Conn) {
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(bytes.Repeat([]byte{0xaa}, 64))
			hang(c)
		}, err: "handshake", phase: "tls", bytes: -1, seen: "\xaa\xaa"},
		{name: "closes after the handshake", url: "https://orchard.net/f", server: secure(t, func(net.Conn) {}), err: "incomplete", phase: "header", bytes: -1},
		{name: "stalls after the handshake", url: "https://orchard.net/f", server: secure(t, func(c net.Conn) { readRequest(c); hang(c) }), err: "timeout", phase: "header", bytes: -1},
		{name: "endless body over TLS", url: "https://orchard.net/f", server: secure(t, func(c net.Conn) { readRequest(c); flood(c, head+"\r\n", strings.Repeat("x", 4096)) }), status: 200, bytes: maxBody, cut: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.limits(2*time.Second, time.Second, 1500*time.Millisecond)
			w.serve("45.155.10.21:80", c.server)
			w.serve("45.155.10.21:443", c.server)
			if c.url == "" {
				c.url = "http://orchard.net/f"
			}
			began := time.Now()
			x := w.look(evidence.HTTPQuestion{URL: c.url, Address: "45.155.10.21"})
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			hop := x.Fetches[0].Hops[0]
			if hop.Status != c.status || hop.Error != c.err || hop.Phase != c.phase {
				t.Errorf("status %d, error %q in phase %q (%s, seen %q), want %d, %q in %q", hop.Status, hop.Error, hop.Phase, hop.Detail, hop.Seen, c.status, c.err, c.phase)
			}
			if got := size(hop.Body); got != c.bytes && (c.bytes != -2 || got <= 0) || hop.Body != nil && hop.Body.Cut != c.cut {
				t.Errorf("body of %d bytes (%+v), want %d, cut %v", got, hop.Body, c.bytes, c.cut)
			}
			if !strings.HasPrefix(string(hop.Seen), c.seen) || !strings.Contains(strings.ToLower(hop.Detail), strings.ToLower(c.detail)) {
				t.Errorf("seen %q, detail %q, want %q, %q", hop.Seen, hop.Detail, c.seen, c.detail)
			}
		})
	}
}

func hang2(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); hang(c) }

func size(b *evidence.Body) int {
	if b == nil {
		return -1
	}
	return b.Bytes
}

// TestHeadersKept: of the headers only what is read, bounded, cookies by name.
func TestHeadersKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var text strings.Builder
	text.WriteString("HTTP/1.1 200 OK\r\nSet-Cookie: session=secret; Path=/\r\nX-Nobody-Reads: this\r\nserver: nginx\r\n")
	for i := range 20 {
		fmt.Fprintf(&text, "Via: 1.1 proxy%02d%s\r\n", i, strings.Repeat("v", 1000))
	}
	text.WriteString("X-Cache: HIT\xff" + strings.Repeat("x", 3000) + "\r\n\r\nbody")
	w.serve("45.155.10.21:80", answer(text.String()))
	hop := w.look(evidence.HTTPQuestion{URL: "http://orchard.net/", Address: "45.155.10.21"}).Fetches[0].Hops[0]
	if hop.Error != "" {
		t.Fatalf("%+v", hop)
	}
	count := map[string]int{}
	for _, h := range hop.Header {
		count[h.Name]++
		if len(h.Value) > maxValue+2 {
			t.Errorf("%s has %d bytes", h.Name, len(h.Value))
		}
		if h.Name == "Set-Cookie" && h.Value != "session" {
			t.Errorf("cookie kept as %q", h.Value)
		}
	}
	if count["Via"] != maxValues || count["Server"] != 1 || count["X-Nobody-Reads"] != 0 || count["X-Cache"] != 1 || count["Set-Cookie"] != 1 {
		t.Errorf("headers: %v", count)
	}
}

// TestCancelled: a review that ends makes the answer unknown, at once.
func TestCancelled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arrived := make(chan struct{}, 1)
	w.serve("45.155.10.21:80", func(c net.Conn) { readRequest(c); arrived <- struct{}{}; hang(c) })
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-arrived; cancel() }()
	began := time.Now()
	if x, err := Look(ctx, w.place, evidence.HTTPQuestion{URL: "http://orchard.net/", Address: "45.155.10.21"}); err == nil {
		t.Errorf("answered %+v", x)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}
