package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"assay/data"
	"assay/probe/dial"
)

func hook(allow ...string) *Webhook {
	d := &dial.Dialer{Data: data.Embedded()}
	for _, a := range allow {
		d.Allow = append(d.Allow, netip.MustParsePrefix(a))
	}
	return &Webhook{Dialer: d}
}

var key = bytes.Repeat([]byte{7}, KeyBytes)

func payloadNote() *Message {
	return &Message{ID: "e1.c1", Event: OrderReady, Payload: []byte(`{"type":"order.ready"}`)}
}

// TestWebhook: a real server takes a notice, and the library of the standard
// verifies its signature.
func TestWebhook(t *testing.T) {
	t.Parallel()
	verifier, err := standard.NewWebhook(KeyText(key))
	if err != nil {
		t.Fatal(err)
	}
	verified := make(chan error, 1)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("webhook-id") != "e1.c1" {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		verified <- verifier.Verify(body, r.Header)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer s.Close()
	h := hook("127.0.0.0/8")
	h.Roots = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	detail, err := h.Send(t.Context(), s.URL+"/assay?team=1", key, payloadNote())
	if err != nil || detail != "204 No Content" {
		t.Fatal(detail, err)
	}
	if err := <-verified; err != nil {
		t.Error(err)
	}
	h.Roots = nil
	if _, err := h.Send(t.Context(), s.URL, key, payloadNote()); err == nil || IsFinal(err) {
		t.Errorf("a certificate of nobody: %v", err)
	}
}

// TestWebhookGuard: an address that is not public is not dialled, however it is
// written or looked up, and http is spoken only where the operator says so.
func TestWebhookGuard(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	h := hook()
	found := map[string]string{
		"inside.orchard.net": "10.0.0.5", "loop.orchard.net": "127.0.0.1", "meta.orchard.net": "169.254.169.254", "six.orchard.net": "::1", "mapped.orchard.net": "::ffff:127.0.0.1",
		"public.orchard.net": "45.155.10.66",
	}
	h.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr(found[host])}, nil
	}
	for _, host := range []string{
		"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.1.2.3", "169.254.169.254", "192.168.0.1", "[fd00::1]", "inside.orchard.net", "loop.orchard.net",
		"meta.orchard.net", "six.orchard.net", "mapped.orchard.net",
	} {
		for _, scheme := range []string{"http", "https"} {
			_, err := h.Send(t.Context(), scheme+"://"+host+":"+port+"/", key, payloadNote())
			if !errors.Is(err, dial.ErrGuard) || !IsFinal(err) {
				t.Errorf("%s://%s: %v", scheme, host, err)
			}
		}
	}
	if _, err := h.Send(t.Context(), "http://public.orchard.net/", key, payloadNote()); !errors.Is(err, errPlain) || !IsFinal(err) {
		t.Errorf("http to the internet: %v", err)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	h.Dialer.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if _, err := h.Send(t.Context(), s.URL, key, payloadNote()); err != nil || asked.Load() != 1 {
		t.Errorf("the operator's own network: %v", err)
	}
}

// TestWebhookHostile: redirects lead nowhere, an endless answer is not read, a
// server that stalls costs its time limit.
func TestWebhookHostile(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer other.Close()
	over := make(chan struct{})
	mux := http.NewServeMux()
	for _, code := range []int{301, 302, 307, 308} {
		mux.HandleFunc(fmt.Sprintf("/%d", code), func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, code) })
	}
	mux.HandleFunc("/gone", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	mux.HandleFunc("/broken", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	mux.HandleFunc("/stall", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-over:
		}
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) })
	s := httptest.NewServer(mux)
	defer s.Close()
	defer close(over)
	h := hook("127.0.0.0/8")
	for path, want := range map[string]struct{ good, final bool }{
		"/301": {}, "/302": {}, "/307": {}, "/308": {}, "/gone": {final: true}, "/broken": {}, "/stall": {},
		"/headers": {}, "/endless": {good: true},
	} {
		one := *h
		one.Timeout = 2 * time.Second
		if path == "/stall" {
			one.Timeout = 200 * time.Millisecond
		}
		_, err := one.Send(t.Context(), s.URL+path, key, payloadNote())
		if (err == nil) != want.good || IsFinal(err) != want.final || err != nil && strings.Contains(err.Error(), s.URL) {
			t.Errorf("%s: final %t, %v", path, IsFinal(err), err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func FuzzTargets(f *testing.F) {
	for _, s := range []string{"https://hooks.orchard.net/assay", "http://u:p@h/", "https://h#f", "web@orchard.net", "a@b\r\nc", "smtp://u@h:1", "\x00", "https://[::1%25eth0]/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if u, err := CheckURL(text); err == nil && (u.Hostname() == "" || u.User != nil || len(text) > MaxURL) {
			t.Errorf("%q", text)
		}
		if a, err := CheckAddress(text); err == nil && (a != text || strings.ContainsAny(a, "\r\n \"<>,")) {
			t.Errorf("%q", text)
		}
		if err := new(Mailer).ParseServer(text); err == nil && strings.ContainsAny(text, "\r\n") {
			t.Errorf("%q", text)
		}
		if c := Clip(text, 40); len(c) > 40 || strings.ContainsAny(c, "\r\n\x00\u2028") {
			t.Errorf("%q becomes %q", text, c)
		}
	})
}
