// Package client talks to an order service over its REST interface. What the
// command line does with orders it does through here.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"assay/order"
	"assay/review"
)

const (
	// maxAnswer bounds an answer: the largest is a whole review.
	maxAnswer = 64 << 20
	// attempts is how often a request is made where the server cannot be reached
	// or is busy. Repeating is safe: every POST has an idempotency key.
	attempts = 3
)

// Config says where the service is and who asks.
type Config struct {
	// URL is the service's address, "https://assay.orchard.net"; a path is kept.
	URL string
	// Token lets in: "assay_…".
	Token string
	// Fingerprint is the SHA-256 of a self-signed certificate of the server, in
	// hexadecimal; "": the system's authorities decide.
	Fingerprint string
	// Lang is the language of findings: "en" or "zh".
	Lang string
	// Version is the program's, for the server's log.
	Version string
	// Transport replaces the network, in tests.
	Transport http.RoundTripper
	// Pause is called between attempts; nil: half a second and more.
	Pause func(ctx context.Context, attempt int) error
}

// A Client makes requests. It is safe for concurrent use.
type Client struct {
	config Config
	base   *url.URL
	http   *http.Client
}

var (
	// ErrAddress: that is no address of a service.
	ErrAddress = errors.New("want an address such as https://assay.orchard.net")
	// ErrPlain: whoever is on the way could read the token.
	ErrPlain = errors.New("a token is sent over https only, except to this machine")
)

// New makes a client. The error is about the address: [ErrAddress], [ErrPlain].
func New(c Config) (*Client, error) {
	base, err := url.Parse(strings.TrimRight(c.URL, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, ErrAddress
	}
	if base.Scheme == "http" && !loopback(base.Hostname()) {
		return nil, ErrPlain
	}
	if c.Pause == nil {
		c.Pause = pause
	}
	transport := c.Transport
	if transport == nil {
		t := &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 90 * time.Second,
			ForceAttemptHTTP2:     true,
			TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		}
		if c.Fingerprint != "" {
			pin(t.TLSClientConfig, c.Fingerprint)
		}
		transport = t
	}
	return &Client{config: c, base: base, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a token goes nowhere else
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ErrFingerprint: the server's certificate is not the one that was pinned.
var ErrFingerprint = errors.New("the server shows another certificate than the one whose fingerprint was given")

// pin accepts exactly one certificate, whoever signed it and whatever it names.
func pin(c *tls.Config, fingerprint string) {
	c.InsecureSkipVerify = true // the fingerprint says more than any authority
	want := strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) > 0 && Fingerprint(s.PeerCertificates[0]) == want {
			return nil
		}
		return ErrFingerprint
	}
}

// Fingerprint is the SHA-256 of a certificate in hexadecimal.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

func pause(ctx context.Context, attempt int) error {
	t := time.NewTimer(time.Duration(attempt) * 500 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A Problem is what the service says when it does not do something (RFC 9457).
type Problem struct {
	Title    string           `json:"title"`
	Status   int              `json:"status"`
	Detail   string           `json:"detail"`
	Instance string           `json:"instance"`
	Kind     string           `json:"kind"`
	Findings []review.Finding `json:"findings"`
	Allowed  []order.Action   `json:"allowed"`
	Instead  string           `json:"instead"`
	RetryAt  *time.Time       `json:"retry_at"`
}

// Error is the detail, or else the title.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}

// A Call is one request.
type Call struct {
	Method, Path string
	Query        url.Values
	// Body is sent as JSON, or as it is where it is a []byte.
	Body any
	// Kind is the content type of a []byte; "": TOML.
	Kind string
	// Version is the version that the change is based on; 0: any.
	Version int64
	// Key is the idempotency key; "": one is made for a POST.
	Key string
}

// Do makes a request and reads its answer into into, where that is not nil. The
// error is a *Problem where the service gave one.
func (c *Client) Do(ctx context.Context, call Call, into any) error {
	body, kind, err := encode(call.Body)
	if err != nil {
		return err
	}
	if call.Kind != "" {
		kind = call.Kind
	}
	if call.Method == http.MethodPost && call.Key == "" {
		call.Key = rand.Text()
	}
	for attempt := 1; ; attempt++ {
		again, err := c.once(ctx, call, body, kind, into)
		if err == nil || !again || attempt == attempts || ctx.Err() != nil {
			return err
		}
		if err := c.config.Pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func encode(body any) (raw []byte, kind string, err error) {
	switch body := body.(type) {
	case nil:
		return nil, "", nil
	case []byte:
		return body, "application/toml", nil
	}
	raw, err = json.Marshal(body)
	return raw, "application/json", err
}

// request makes the HTTP request of a call.
func (c *Client) request(ctx context.Context, call Call, body []byte, kind string) (*http.Request, error) {
	u := *c.base
	u.Path += "/api/v1" + call.Path
	u.RawQuery = call.Query.Encode()
	r, err := http.NewRequestWithContext(ctx, call.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json, application/problem+json")
	r.Header.Set("Accept-Language", c.config.Lang)
	r.Header.Set("User-Agent", "assay/"+c.config.Version)
	if c.config.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.config.Token)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if call.Key != "" {
		r.Header.Set("Idempotency-Key", call.Key)
	}
	if call.Version > 0 {
		r.Header.Set("If-Match", fmt.Sprintf("%q", fmt.Sprint(call.Version)))
	}
	return r, nil
}

// once makes a request once; again says that repeating it can help.
func (c *Client) once(ctx context.Context, call Call, body []byte, kind string, into any) (again bool, err error) {
	r, err := c.request(ctx, call, body, kind)
	if err != nil {
		return false, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		safe := call.Method == http.MethodGet || call.Key != ""
		return safe && !errors.Is(err, ErrFingerprint), err
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		p := problem(answer)
		return p.Status == http.StatusServiceUnavailable || p.Status == http.StatusBadGateway, p
	}
	if f, ok := into.(*File); ok {
		return false, f.read(answer)
	}
	if w, ok := into.(io.Writer); ok {
		_, err := io.Copy(w, answer.Body)
		return false, err
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return call.Method == http.MethodGet || call.Key != "", err
	case len(raw) > maxAnswer:
		return false, errors.New("the answer is too large")
	case into == nil || len(raw) == 0:
		return false, nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("the answer cannot be read (is this an Assay server?): %w", err)
	}
	return false, nil
}

// problem reads a problem document, or makes one of what came instead.
func problem(answer *http.Response) *Problem {
	p := &Problem{}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 4<<20))
	if err != nil || json.Unmarshal(raw, p) != nil || p.Title == "" {
		p = &Problem{Title: answer.Status}
	}
	p.Status = answer.StatusCode
	return p
}
