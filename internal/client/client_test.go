package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"assay/internal/service"
)

func dial(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(Config{URL: s.URL, Token: "assay_x", Lang: "zh", Pause: func(context.Context, int) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRepeat: a request that fails on the way is repeated under one key.
func TestRepeat(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	keys := make(chan string, 10)
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		keys <- r.Header.Get("Idempotency-Key")
		if n.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"id":"A1"}`)
	})
	var v service.View
	if err := c.Do(context.Background(), Call{Method: "POST", Path: "/orders", Body: map[string]string{}}, &v); err != nil || v.ID != "A1" {
		t.Fatalf("%+v, %v", v, err)
	}
	first := <-keys
	if second, third := <-keys, <-keys; first == "" || second != first || third != first {
		t.Errorf("keys %q %q %q", first, second, third)
	}
}

// TestProblem: a problem document is an error with its parts; anything else that
// is no success is one too, and is not repeated for ever.
func TestProblem(t *testing.T) {
	t.Parallel()
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/plain" {
			http.Error(w, strings.Repeat("x", 10), http.StatusTeapot)
			return
		}
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"title":"refused","detail":"why","kind":"refused","findings":[{"cause":"csr.reused"}]}`)
	})
	var p *Problem
	if err := c.Do(context.Background(), Call{Method: "GET", Path: "/orders"}, nil); !errors.As(err, &p) || p.Detail != "why" || p.Findings[0].Cause != "csr.reused" || p.Status != 422 {
		t.Errorf("%+v, %v", p, err)
	}
	if err := c.Do(context.Background(), Call{Method: "GET", Path: "/plain"}, nil); !errors.As(err, &p) || p.Status != http.StatusTeapot {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestFollow: a stream that breaks goes on after the last event, and no event
// comes twice.
func TestFollow(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			fmt.Fprint(w, ": alive\n\nid: 1\ndata: {\"version\":1,\"action\":\"a\"}\n\nid: 2\ndata: {\"version\":2,\"action\":\"b\"}\n\ndata: {\"vers")
		default:
			if r.URL.Query().Get("after") != "2" {
				t.Errorf("after %s", r.URL.RawQuery)
			}
			fmt.Fprint(w, "data: {\"version\":2,\"action\":\"b\"}\n\ndata: {\"version\":3,\"action\":\"c\"}\n\n")
		}
	})
	done := errors.New("done")
	var got []string
	err := c.Follow(context.Background(), "A1", 0, func(e service.Event) error {
		got = append(got, e.Action)
		if e.Action == "c" {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) || strings.Join(got, "") != "abc" {
		t.Errorf("%v, %v", got, err)
	}
}

// TestAddress: a token is sent in the clear to this machine only.
func TestAddress(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{
		"https://assay.orchard.net": true, "http://127.0.0.1:8080": true, "http://localhost": true, "http://[::1]:1": true,
		"http://assay.orchard.net": false, "assay.orchard.net": false, "": false, "ftp://x": false, "http://127.0.0.1.evil.net": false,
	} {
		if _, err := New(Config{URL: address}); (err == nil) != good {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestPin: one certificate is accepted, no other.
func TestPin(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	t.Cleanup(s.Close)
	good := Fingerprint(s.Certificate())
	for fingerprint, want := range map[string]bool{good: true, strings.Repeat("00", 32): false} {
		c, err := New(Config{URL: s.URL, Fingerprint: fingerprint, Pause: func(context.Context, int) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Do(context.Background(), Call{Method: "GET", Path: "/whoami"}, nil); (err == nil) != want {
			t.Errorf("%v: %v", want, err)
		}
	}
}

// full is a disk that is full after some bytes.
type full struct{ left int }

var errFull = errors.New("no space left")

func (f *full) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// TestExport: an answer that is written down passes through, however long it is;
// one that breaks off is an error, and what was written is not written again.
func TestExport(t *testing.T) {
	t.Parallel()
	c := dial(t, func(w http.ResponseWriter, r *http.Request) {
		line := make([]byte, 64<<10)
		for n := 0; r.URL.Path == "/api/v1/endless" || n < 10; n++ {
			if _, err := w.Write(line); err != nil {
				return
			}
		}
		panic(http.ErrAbortHandler)
	})
	if err := c.Do(context.Background(), Call{Method: "GET", Path: "/endless"}, &full{left: 8 << 20}); !errors.Is(err, errFull) {
		t.Errorf("endless: %v", err)
	}
	broken := &full{left: 1 << 30}
	if err := c.Do(context.Background(), Call{Method: "GET", Path: "/broken"}, broken); err == nil || 1<<30-broken.left > 10*64<<10 {
		t.Errorf("broken off: %v after %d bytes", err, 1<<30-broken.left)
	}
}
