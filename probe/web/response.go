package web

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"

	"assay/evidence"
	"assay/internal/page"
	"assay/probe/dial"
)

const (
	maxHeader = 32 << 10 // bytes of status lines and headers, 1xx responses included
	maxBody   = 64 << 10 // bytes of a body
	maxWire   = 4 * maxBody
	keepWhole = 4096
	keepHead  = 1024
	maxSeen   = 64
)

// A reader reads one response from a server that may send anything, at any
// length. What it parses with is net/http, so that what is a response here is
// one for Boulder too; what it reads is counted.
type reader struct {
	source  io.Reader
	left    int
	over    bool  // more was sent than is read
	ended   error // what the connection ended with; a second read would say less
	seen    [maxSeen]byte
	n       int
	buffer  *bufio.Reader
	request http.Request
}

var (
	errTooMuch = errors.New("more than is read")
	errNotHTTP = errors.New("not the beginning of an HTTP/1 response")
)

// begin is how every response begins.
const begin = "HTTP/"

var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 4096) }}

func newReader(source io.Reader) *reader {
	r := &reader{source: source, left: maxHeader + 4096, request: http.Request{Method: http.MethodGet}}
	r.buffer = buffers.Get().(*bufio.Reader)
	r.buffer.Reset(r)
	return r
}

func (r *reader) free() {
	r.buffer.Reset(nil)
	buffers.Put(r.buffer)
}

// Read counts, and keeps the first bytes.
func (r *reader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		r.over = true
		return 0, errTooMuch
	}
	n, err := r.source.Read(p[:min(len(p), r.left)])
	if err != nil && r.ended == nil {
		r.ended = err
	}
	r.left -= n
	if r.n < maxSeen {
		r.n += copy(r.seen[r.n:], p[:n])
		if err == nil && !bytes.HasPrefix(r.first(), []byte(begin)[:min(r.n, len(begin))]) {
			err = errNotHTTP // no line may ever end: nothing is waited for
		}
	}
	return n, err
}

func (r *reader) first() []byte { return r.seen[:r.n] }

// response reads up to the end of the headers, past interim responses.
func (r *reader) response() (*http.Response, evidence.Failure) {
	for {
		response, err := http.ReadResponse(r.buffer, &r.request)
		switch {
		case err != nil:
			return nil, r.failed(err)
		case response.ProtoMajor != 1 || response.StatusCode < 100:
			return nil, evidence.Failure{Error: evidence.ErrorNotHTTP, Phase: "header", Seen: slices.Clone(r.first())}
		case response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols:
			continue
		}
		return response, evidence.Failure{}
	}
}

// failed names what ended the headers: what came first tells more than where
// the parser gave up.
func (r *reader) failed(err error) evidence.Failure {
	seen := slices.Clone(r.first())
	f := failure(err, "header", seen)
	if r.ended != nil {
		// A line that was cut off is malformed to the parser.
		f = failure(r.ended, "header", seen)
	}
	word := ""
	switch {
	case r.over:
		word = evidence.ErrorTooLarge
	case isTLS(seen):
		word = evidence.ErrorTLSOnHTTP
	case isHTTP2(seen):
		word = evidence.ErrorHTTP2
	case !bytes.HasPrefix(seen, []byte(begin)[:min(len(seen), len(begin))]):
		word = evidence.ErrorNotHTTP
	default:
		return f
	}
	f.Error = word
	if word != evidence.ErrorTooLarge {
		f.Seen = seen
	}
	return f
}

// failure names what ended an exchange. It is the one place where errors of
// reading a response are told apart; those of a connection are in package dial.
func failure(err error, phase string, seen []byte) evidence.Failure {
	f := evidence.Failure{Phase: phase}
	switch word := dial.Failure(err); {
	case errors.Is(err, errTooMuch):
		f.Error = evidence.ErrorTooLarge
	case word == "timeout", word == "reset":
		f.Error = word
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		f.Error = evidence.ErrorIncomplete
	default:
		f.Error, f.Seen = evidence.ErrorNotHTTP, seen
		f.Detail = string(bytes.ToValidUTF8([]byte(err.Error())[:min(len(err.Error()), 200)], nil))
	}
	return f
}

// isTLS reports whether bytes begin with a TLS record: an alert or a handshake.
func isTLS(b []byte) bool { return len(b) > 2 && (b[0] == 21 || b[0] == 22) && b[1] == 3 && b[2] <= 4 }

// isHTTP2 reports whether bytes begin with an HTTP/2 SETTINGS or GOAWAY frame on
// stream 0 (RFC 9113 4.1), which is what such a server says first.
func isHTTP2(b []byte) bool {
	return len(b) >= 9 && b[0] == 0 && b[1] == 0 && (b[3] == 4 || b[3] == 7) && bytes.Equal(b[5:9], make([]byte, 4)) ||
		bytes.HasPrefix(b, []byte("HTTP/2"))
}

// A gist says what to leave out of a body that is compared with others.
type gist struct{ random, url string }

// body reads a response's body up to the bound.
func (r *reader) body(response *http.Response, g gist) (*evidence.Body, evidence.Failure) {
	r.left = maxWire
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	b := &evidence.Body{}
	if len(raw) > maxBody {
		raw, b.Cut = raw[:maxBody], true
	}
	var f evidence.Failure
	switch {
	case r.over:
		b.Cut = true
	case err != nil && !b.Cut:
		f = failure(err, "body", nil)
	}
	if g.random != "" && bytes.Contains(raw, []byte(g.random)) {
		raw = bytes.ReplaceAll(raw, []byte(g.random), []byte("?"))
	}
	b.Bytes = len(raw)
	sum := sha256.Sum256(raw)
	b.SHA256 = hex.EncodeToString(sum[:])
	b.Head = raw
	if len(raw) > keepWhole {
		b.Head = slices.Clone(raw[:keepHead])
	}
	b.Gist = page.Gist(raw, g.url)
	return b, f
}
