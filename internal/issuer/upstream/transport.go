package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what is read from the CA.
const (
	// maxAnswer is the largest answer, in bytes: an order of 100 names has 20 KiB.
	maxAnswer = 1 << 20
	// maxHeader bounds the header of an answer.
	maxHeader = 64 << 10
	// maxFailures is how many requests of a conversation may go unanswered.
	maxFailures = 2
	// maxRedirects is how often a GET is redirected.
	maxRedirects = 3
)

var (
	errScheme    = errors.New("the CA gave an address that is not https")
	errAnswer    = fmt.Errorf("the CA's answer is larger than %d bytes", maxAnswer)
	errRequests  = errors.New("the CA's answers lead to ever more requests")
	errRedirects = fmt.Errorf("the CA redirects more than %d times", maxRedirects)
)

// A conversation is what one operation says to the CA. It travels with the
// context, since the client library shows neither headers nor counts.
type conversation struct {
	mu sync.Mutex
	// left is how many more requests it may make.
	left int
	// status and retry are those of the last answer: its status code, and when
	// Retry-After says to come back; zero where it did not.
	status int
	retry  time.Time
	// failures counts requests without an answer; broken is the last of them.
	failures int
	broken   error
	// quiet is the start of addresses that are not asked, see [transport.quiet].
	quiet string
}

type conversationKey struct{}

// talk begins a conversation of at most so many requests.
func talk(ctx context.Context, requests int) (context.Context, *conversation) {
	c := &conversation{left: requests}
	return context.WithValue(ctx, conversationKey{}, c), c
}

func conversationOf(ctx context.Context) *conversation {
	if c, ok := ctx.Value(conversationKey{}).(*conversation); ok {
		return c
	}
	return &conversation{}
}

// take counts a request. An address that is not to be asked is quiet.
func (c *conversation) take(url string) (quiet bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet != "" && strings.HasPrefix(url, c.quiet) {
		return true, nil
	}
	switch {
	case c.failures >= maxFailures:
		return false, c.broken
	case c.left <= 0:
		return false, errRequests
	}
	c.left--
	c.status, c.retry = 0, time.Time{}
	return false, nil
}

func (c *conversation) note(status int, retry time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status, c.retry = status, retry
}

// fail notes a request without an answer. A few of them end the conversation: the
// library sends a request again with the same nonce, which the CA may have seen,
// then with another, and so on for minutes.
func (c *conversation) fail(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures++
	c.broken = err
	return err
}

// silence is why the conversation ended; nil where it did not.
func (c *conversation) silence() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failures >= maxFailures {
		return c.broken
	}
	return nil
}

// last is the status and Retry-After of the last answer; 0 where there was none.
func (c *conversation) last() (status int, retry time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status, c.retry
}

// allow begins a further part of a conversation: it sets how many more requests may
// be made, and which are not.
func (c *conversation) allow(requests int, quiet string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.quiet, c.failures = requests, quiet, 0
}

// A transport bounds what is asked and what is read.
type transport struct {
	base    http.RoundTripper
	timeout time.Duration
	now     func() time.Time
}

// RoundTrip reads the whole answer, so that a CA that sends it slowly is met by
// the same bound as one that does not answer.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.URL.Host == "" {
		return nil, errScheme
	}
	c := conversationOf(r.Context())
	quiet, err := c.take(r.URL.String())
	switch {
	case err != nil:
		return nil, err
	case quiet:
		return t.quiet(r), nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), t.timeout)
	defer cancel()
	answer, err := t.base.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, c.fail(err)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	_ = answer.Body.Close()
	switch {
	case err != nil:
		return nil, c.fail(fmt.Errorf("reading the CA's answer: %w", err))
	case len(body) > maxAnswer:
		return nil, c.fail(errAnswer)
	}
	c.note(answer.StatusCode, retryTime(answer.Header.Get("Retry-After"), t.now()))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}

// quiet answers in the place of the CA. With each certificate the library asks
// for renewal information, and where that fails it waits for seconds and asks
// again: a certificate that was issued must not wait for what is asked later
// anyway, see [CA.RenewalInfo].
func (t *transport) quiet(r *http.Request) *http.Response {
	const never = `{"suggestedWindow":{"start":"9999-01-01T00:00:00Z","end":"9999-01-02T00:00:00Z"}}`
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(never)), Request: r,
	}
}

// redirect follows redirects of GET and HEAD only, and to https only: a signed
// request holds the address it is for (RFC 8555 6.4), so elsewhere it is worthless.
func redirect(r *http.Request, via []*http.Request) error {
	switch first := via[0].Method; {
	case first != http.MethodGet && first != http.MethodHead:
		return http.ErrUseLastResponse
	case len(via) > maxRedirects:
		return errRedirects
	case r.URL.Scheme != "https":
		return errScheme
	}
	return nil
}

// maxRetry is the furthest that Retry-After is believed.
const maxRetry = 30 * 24 * time.Hour

// retryTime reads Retry-After: seconds, or a date (RFC 9110 10.2.3). The zero
// time is for none, and for what is neither.
func retryTime(header string, now time.Time) time.Time {
	header = strings.TrimSpace(header)
	if header == "" || len(header) > 64 {
		return time.Time{}
	}
	at := time.Time{}
	if seconds, err := strconv.ParseUint(header, 10, 32); err == nil {
		at = now.Add(time.Duration(seconds) * time.Second)
	} else if at, err = http.ParseTime(header); err != nil {
		return time.Time{}
	}
	if latest := now.Add(maxRetry); at.After(latest) {
		return latest
	}
	return at
}
