package notify

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"assay/internal/egress"
	"assay/probe/dial"
)

const (
	hookTimeout = 15 * time.Second
	// maxAnswer is how much of an answer is read, so that the connection ends well.
	maxAnswer = 4 << 10
	// MaxURL bounds the URL of a webhook, in bytes.
	MaxURL = 2000
	// KeyBytes is how long a key is; the form allows 24 to 64.
	KeyBytes = 32
	// keyPrefix is that of a key's text.
	keyPrefix = "whsec_"
)

// A Webhook posts messages to URLs that tenants choose, signed in the form of
// Standard Webhooks (https://www.standardwebhooks.com). Every address is judged
// before it is dialled and exactly that address is dialled, at any port; redirects
// are not followed; proxy variables are not read.
type Webhook struct {
	// Dialer judges addresses and dials. Those of its Allow are the operator's own:
	// only there http without TLS is spoken.
	Dialer *dial.Dialer
	// Lookup finds the addresses of a host; nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Roots verify certificates; nil: the system's.
	Roots *x509.CertPool
	// Timeout bounds a delivery as a whole; 0: 15 s.
	Timeout time.Duration
	// Now is the clock of signatures; nil: the system's.
	Now func() time.Time
	// Agent names the program.
	Agent string
}

// CheckURL reads the URL of a webhook. The error says what is wrong with it.
// Whether its host may be reached is judged when it is.
func CheckURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case len(text) > MaxURL:
		return nil, badTarget("long", fmt.Sprintf("it is longer than %d bytes", MaxURL))
	case err != nil, oneLine(text) != text, u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.Opaque != "":
		return nil, badTarget("url", "want a URL such as https://hooks.orchard.net/assay")
	case u.User != nil:
		return nil, badTarget("user", "a user and password in the URL are not sent; notices are signed instead")
	case u.Fragment != "":
		return nil, badTarget("fragment", "the part after # is never sent")
	}
	return u, nil
}

// Check is [CheckURL], and refuses addresses that are never dialled where the URL
// has one. What a name leads to is judged at each delivery.
func (w *Webhook) Check(text string) (*url.URL, error) {
	u, err := CheckURL(text)
	if err != nil {
		return nil, err
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil {
		switch err := w.judge(a, u.Scheme == "http"); {
		case errors.Is(err, errPlain):
			return nil, &TargetError{Reason: "plain", Err: err}
		case err != nil:
			return nil, &TargetError{Reason: "private", Err: err}
		}
	}
	return u, nil
}

// KeyText is a key as it is shown, once: "whsec_…".
func KeyText(key []byte) string { return keyPrefix + base64.StdEncoding.EncodeToString(key) }

// Sign is the webhook-signature of a body (HMAC-SHA256 over id, time and body).
func Sign(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, at.Unix())
	_, _ = mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// errPlain: http is spoken to the operator's own addresses only.
var errPlain = errors.New("http without TLS is for the operator's own networks: use https")

// Send posts a message. The error is a [*Failure]; detail is what the delivery log
// keeps of a success. Any answer from 200 to 299 is one.
func (w *Webhook) Send(ctx context.Context, target string, key []byte, m *Message) (detail string, err error) {
	u, err := CheckURL(target)
	if err != nil {
		return "", failed(err, true, err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(w.Timeout, hookTimeout))
	defer cancel()
	r, err := w.request(ctx, u, key, m)
	if err != nil {
		return "", failed(err, true, err.Error())
	}
	transport := &http.Transport{
		DialContext: w.dial(u.Scheme == "http"), DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10, DisableCompression: true,
		TLSClientConfig: &tls.Config{RootCAs: w.Roots, MinVersion: tls.VersionTLS12},
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return "", hookFailure(ctx, err)
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // what it says does not count
	status := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	switch {
	case answer.StatusCode >= 200 && answer.StatusCode < 300:
		return status, nil
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return "", failed(nil, false, status+": redirects are not followed; give the URL itself")
	}
	return "", failed(nil, answer.StatusCode == http.StatusGone, status)
}

func (w *Webhook) request(ctx context.Context, u *url.URL, key []byte, m *Message) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(m.Payload))
	if err != nil {
		return nil, err
	}
	now := time.Now
	if w.Now != nil {
		now = w.Now
	}
	at := now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", cmp.Or(w.Agent, "assay"))
	r.Header.Set("webhook-id", m.ID)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", Sign(key, m.ID, at, m.Payload))
	return r, nil
}

// hookFailure names what went wrong without showing the URL, which may hold a
// secret.
func hookFailure(ctx context.Context, err error) *Failure {
	var inner *url.Error
	if errors.As(err, &inner) {
		err = inner.Err
	}
	switch {
	case errors.Is(err, dial.ErrGuard), errors.Is(err, errPlain):
		return failed(err, true, err.Error())
	case ctx.Err() != nil:
		return failed(errors.Join(ctx.Err(), err), false, "no answer in time")
	}
	return failed(err, false, err.Error())
}

// dial looks a host up once, judges what it found, and dials exactly that.
func (w *Webhook) dial(plain bool) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := &egress.Dialer{Dialer: w.Dialer, Lookup: w.Lookup, Judge: func(a netip.Addr) error { return w.judge(a, plain) }}
	return d.DialContext
}

func (w *Webhook) judge(a netip.Addr, plain bool) error {
	if err := w.Dialer.Guard(a); err != nil {
		return err
	}
	if !plain {
		return nil
	}
	for _, p := range w.Dialer.Allow {
		if p.Contains(a.Unmap()) {
			return nil
		}
	}
	return errPlain
}
