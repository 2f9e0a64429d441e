package perspective

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"assay/evidence"
	"assay/perspective/identity"
	"assay/perspective/wire"
)

// A link keeps one HTTP/2 connection to an agent warm. A ping finds out when it
// died without a word, so that no look waits longer than that for nothing.
type link struct {
	*http.Transport
	last atomic.Pointer[tls.Conn] // the connection that was made last
}

// A cable is the connection below TLS; closed tells that it was closed here.
type cable struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *cable) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.closed) })
	return err
}

// newLink is a link whose connections dial makes.
func newLink(dial func(ctx context.Context, address string) (net.Conn, error)) *link {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	l := &link{Transport: &http.Transport{
		Proxy:                  nil, // proxy variables are not read
		Protocols:              protocols,
		DisableCompression:     true, // bounded by ourselves
		MaxResponseHeaderBytes: 8 << 10,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second},
	}}
	l.DialTLSContext = func(ctx context.Context, _, address string) (net.Conn, error) {
		conn, err := dial(ctx, address)
		if c, ok := conn.(*tls.Conn); ok && err == nil {
			l.last.Store(c)
		}
		return conn, err
	}
	return l
}

// dialing connects with a TLS configuration.
func dialing(config *tls.Config) func(ctx context.Context, address string) (net.Conn, error) {
	dialer := &net.Dialer{KeepAlive: 15 * time.Second}
	return func(ctx context.Context, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		raw, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(&cable{Conn: raw, closed: make(chan struct{})}, config)
		if err := conn.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		return conn, nil
	}
}

// turnedAway reports whether the agent ended the last connection with a TLS
// alert. With TLS 1.3 it judges our key after our side of the handshake is done,
// and HTTP/2 does not always say why a connection ended.
func (l *link) turnedAway() bool {
	c := l.last.Load()
	if c == nil {
		return false
	}
	select {
	case <-c.NetConn().(*cable).closed: // reading from it now disturbs nobody
	case <-time.After(100 * time.Millisecond):
		return false
	}
	_, err := c.Read(make([]byte, 1))
	return err != nil && strings.Contains(err.Error(), "remote error: tls")
}

// margin is what is left of a look's time for the way back.
const margin = 2 * time.Second

// ask puts questions in one request and checks all of the answer. A connection
// that broke is tried once more: it may have been idle since the agent started
// again, and looking twice does no harm.
func (r *Remote) ask(ctx context.Context, questions []evidence.Question) (*evidence.Perspective, []evidence.Observation, *Fault) {
	about, seen, err := r.askOnce(ctx, questions)
	var f *Fault
	if errors.As(err, &f) && f.Word == evidence.UnknownUnreachable && ctx.Err() == nil {
		about, seen, err = r.askOnce(ctx, questions)
	}
	if err != nil {
		return nil, nil, errFault(err)
	}
	return about, seen, nil
}

// askOnce fails with a [*Fault].
func (r *Remote) askOnce(ctx context.Context, questions []evidence.Question) (*evidence.Perspective, []evidence.Observation, error) {
	sent := r.options.Now()
	request := r.request(ctx, sent, questions)
	body, err := wire.SignRequest(request, r.id.Private)
	if err != nil {
		return nil, nil, &Fault{evidence.UnknownInvalid, "the questions cannot be written"}
	}
	raw, err := r.post(ctx, wire.PathLook, body)
	if err != nil {
		return nil, nil, err
	}
	about, seen, err := wire.OpenAnswer(raw, request, sent, r.options.Now())
	if err != nil {
		return nil, nil, &Fault{evidence.UnknownInvalid, strings.TrimPrefix(err.Error(), wire.ErrInvalid.Error()+": ")}
	}
	if about.ID != r.entry.ID || about.Region != r.entry.Region {
		return nil, nil, &Fault{evidence.UnknownIdentity, "it calls itself " + clip(about.ID+" "+about.Region)}
	}
	known := r.configured()
	about.Remote, about.Key, about.Location = true, known.Key, known.Location
	return &about, seen, nil
}

func (r *Remote) request(ctx context.Context, at time.Time, questions []evidence.Question) *wire.Request {
	var random [16]byte
	rand.Read(random[:]) //nolint:errcheck // crypto/rand never fails
	request := &wire.Request{
		Version: wire.Version, Coordinator: r.id.Public, Agent: r.entry.Key, Nonce: wire.NewNonce(random), At: at.UTC(),
		Order: orderOf(ctx), Questions: questions,
	}
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		request.LimitMillis = max(1, (left - min(margin, left/4)).Milliseconds())
	}
	return request
}

// post sends a message to the agent and returns what it answers, bounded and
// uncompressed. It fails with a [*Fault].
func (r *Remote) post(ctx context.Context, path string, body []byte) ([]byte, error) {
	if len(body) > wire.MaxRequestBytes {
		return nil, &Fault{evidence.UnknownTooLarge, "the questions"}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+r.entry.Address+path, bytes.NewReader(body))
	if err != nil {
		return nil, &Fault{evidence.UnknownUnreachable, "its address"}
	}
	request.GetBody = nil // never sent twice: a nonce is for one request
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := r.link.RoundTrip(request)
	if err != nil {
		return nil, r.link.fault(ctx, err)
	}
	defer response.Body.Close()
	raw, err := bounded(response)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, &Fault{evidence.UnknownInvalid, "more than an agent answers"}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return nil, &Fault{evidence.UnknownInvalid, "it cannot be read"}
	case err != nil:
		return nil, r.link.fault(ctx, err)
	case response.StatusCode != http.StatusOK:
		return nil, &Fault{evidence.UnknownRefused, refusals[wire.OpenRefusal(raw).Word]}
	}
	return raw, nil
}

// refusals say in our own words why an agent refuses.
var refusals = map[string]string{
	wire.RefusedUnknown:   "it does not know this coordinator",
	wire.RefusedAddressee: "it is another perspective",
	wire.RefusedSignature: "it does not accept our signature",
	wire.RefusedVersion:   "it speaks another version",
	wire.RefusedMalformed: "it does not understand the request",
	wire.RefusedTooLarge:  "the request is too large",
	wire.RefusedClock:     "its clock and ours differ by more than a minute",
	wire.RefusedReplayed:  "it has seen this request before",
	wire.RefusedTooMany:   "too many requests at once",
	wire.RefusedCode:      "the join code is wrong, used or expired",
	wire.RefusedInternal:  "it has an internal error",
}

var errTooLarge = errors.New("too large")

// bounded reads a body that was announced by whoever answered: never more than
// an answer can hold, compressed or not.
func bounded(response *http.Response) ([]byte, error) {
	limit := int64(wire.MaxAnswerBytes)
	if response.StatusCode != http.StatusOK {
		limit = wire.MaxJoinBytes
	}
	var body io.Reader = io.LimitReader(response.Body, limit+1)
	if response.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		z.Multistream(false)
		body = io.LimitReader(z, limit+1)
	}
	raw, err := io.ReadAll(body)
	if int64(len(raw)) > limit {
		return nil, errTooLarge
	}
	return raw, err
}

// fault says what went wrong with a request.
func (l *link) fault(ctx context.Context, err error) *Fault {
	f := connectionFault(ctx, err)
	if f.Word == evidence.UnknownUnreachable && l.turnedAway() {
		return &Fault{evidence.UnknownRefused, refusals[wire.RefusedUnknown]}
	}
	return f
}

// connectionFault says what went wrong with a connection, in words that are the
// same each time.
func connectionFault(ctx context.Context, err error) *Fault {
	var timeout net.Error
	var noHost *net.DNSError
	switch {
	case errors.Is(err, identity.ErrPeer):
		return &Fault{evidence.UnknownIdentity, "it shows another key"}
	case errors.Is(ctx.Err(), context.Canceled):
		return &Fault{evidence.UnknownTimeout, "the review was ended"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), ctx.Err() != nil,
		errors.As(err, &timeout) && timeout.Timeout():
		return &Fault{evidence.UnknownTimeout, ""}
	case strings.Contains(err.Error(), "remote error: tls"):
		return &Fault{evidence.UnknownRefused, refusals[wire.RefusedUnknown]}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Fault{evidence.UnknownUnreachable, "connection refused"}
	case errors.As(err, &noHost):
		return &Fault{evidence.UnknownUnreachable, "its host name has no address"}
	}
	return &Fault{evidence.UnknownUnreachable, "the connection broke"}
}
