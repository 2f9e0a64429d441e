package status

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"assay/internal/issuer/private"
)

// A ledger is a source in memory, with a clock of its own.
type ledger struct {
	issuing *x509.Certificate
	key     crypto.Signer
	root    *x509.Certificate

	mu       sync.Mutex
	serials  map[string]Known
	lists    map[int64]*List
	fails    error
	unsigned error // what Respond fails with
	now      time.Time
	hold     chan struct{} // where set, Status waits for it after it has read

	reads, signatures atomic.Int64
	entered           chan struct{}
}

func newLedger(t testing.TB) *ledger {
	t.Helper()
	l := &ledger{serials: map[string]Known{}, lists: map[int64]*List{}, now: time.Now().Truncate(time.Second), entered: make(chan struct{}, 1000)}
	rootKey, err := private.GenerateKey(elliptic.P384())
	if err != nil {
		t.Fatal(err)
	}
	if l.key, err = private.GenerateKey(elliptic.P256()); err != nil {
		t.Fatal(err)
	}
	begin := l.now.Add(-time.Hour)
	if l.root, err = private.CreateRoot(private.Name{CommonName: "Root", Organization: "Orchard", Country: "DE"}, rootKey, begin); err != nil {
		t.Fatal(err)
	}
	l.issuing, err = private.CreateIssuing(private.Name{CommonName: "Issuing", Organization: "Orchard", Country: "DE"}, l.key.Public(), private.Constraints{}, l.root, rootKey, private.URLs{}, begin)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *ledger) Status(ctx context.Context, issuer, serial string) (Known, error) {
	l.reads.Add(1)
	l.mu.Lock()
	known, given := l.serials[serial]
	err, hold := l.fails, l.hold
	l.mu.Unlock()
	select {
	case l.entered <- struct{}{}:
	default: // nobody listens
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return Known{}, ctx.Err()
		}
	}
	switch {
	case err != nil:
		return Known{}, err
	case !given || issuer != "main":
		return Known{}, ErrUnknown
	}
	return known, nil
}

func (l *ledger) Respond(_ context.Context, _ string, s private.Status) ([]byte, error) {
	l.mu.Lock()
	err := l.unsigned
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	l.signatures.Add(1)
	return private.SignOCSP(l.issuing, l.key, s)
}

func (l *ledger) List(_ context.Context, _ string, shard int64) (*List, error) {
	l.reads.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails != nil {
		return nil, l.fails
	}
	if list := l.lists[shard]; list != nil {
		return list, nil
	}
	return nil, ErrUnknown
}

func (l *ledger) set(serial string, k Known) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serials[serial] = k
}

func (l *ledger) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails = err
}

func (l *ledger) pass(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = l.now.Add(d)
}

func (l *ledger) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

func (l *ledger) handler(t testing.TB, change func(*Config)) *Handler {
	t.Helper()
	c := Config{Source: l, Now: l.clock}
	if change != nil {
		change(&c)
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.SetIssuers(map[string]*x509.Certificate{"main": l.issuing, "root": l.root}); err != nil {
		t.Fatal(err)
	}
	return h
}

// request asks for a serial number.
func (l *ledger) request(t testing.TB, serial string, hash crypto.Hash) []byte {
	t.Helper()
	c := &x509.Certificate{}
	c.SerialNumber = number(serial)
	der, err := ocsp.CreateRequest(c, l.issuing, &ocsp.RequestOptions{Hash: hash})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func ask(h http.Handler, method, path string, body string, head ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i+1 < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// post asks for a serial number and says what the answer is.
func (l *ledger) post(t testing.TB, h http.Handler, serial string) string {
	t.Helper()
	return l.postBy(t, h, serial, crypto.SHA1)
}

// postBy is post with another hash of the issuer.
func (l *ledger) postBy(t testing.TB, h http.Handler, serial string, hash crypto.Hash) string {
	t.Helper()
	w := ask(h, http.MethodPost, "/ocsp", string(l.request(t, serial, hash)))
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/ocsp-response" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Content-Type"))
	}
	r, err := ocsp.ParseResponse(w.Body.Bytes(), l.issuing)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d", r.Status)
}
