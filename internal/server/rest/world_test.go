package rest

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/internal/service"
	"assay/internal/store/sqlite"
)

// A world is a server over a real service and store, with a log that can be read.
type world struct {
	testing.TB
	server  *Server
	service *service.Service
	http    *httptest.Server
	root    string // the administrator's token of the first start
	log     *lines
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newWorld starts one. wrap puts something between the API and the service.
func newWorld(t testing.TB, c Config, wrap func(*service.Service) Service) *world {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "assay.db"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: &lines{}}
	w.service, err = service.New(service.Config{Store: db, Drafts: 10_000, Secrets: sealer{}, Hooks: nowhere(), AuditKey: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))})
	if err != nil {
		t.Fatal(err)
	}
	if w.root, _, err = w.service.Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Service, c.Records = wrap(w.service), db
	c.Log = slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if w.server, err = New(c); err != nil {
		t.Fatal(err)
	}
	w.http = httptest.NewServer(w.server)
	t.Cleanup(func() {
		w.server.Stop()
		w.http.Close()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// A reply is an answer, read.
type reply struct {
	*http.Response
	body []byte
}

func (r *reply) problem(t *testing.T) Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal(r.body, &p); err != nil || r.Header.Get("Content-Type") != "application/problem+json" || p.Status != r.StatusCode {
		t.Fatalf("no problem document: %d %s %s", r.StatusCode, r.Header.Get("Content-Type"), r.body)
	}
	return p
}

// ask sends a request; headers are pairs.
func (w *world) ask(method, path, token, body string, headers ...string) *reply {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 30 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return &reply{resp, raw}
}

// token makes a token.
func (w *world) token(role service.Role, tenant, account string, scopes ...string) string {
	w.Helper()
	p, err := w.service.Authenticate(w.Context(), w.root)
	if err != nil {
		w.Fatal(err)
	}
	v, err := w.service.NewToken(w.Context(), p, service.TokenRequest{Role: role, Tenant: tenant, Account: account, Scopes: scopes})
	if err != nil {
		w.Fatal(err)
	}
	return v.Secret
}

// fake is the real service, but for what a test says of applying.
type fake struct {
	Service
	apply func(ctx context.Context, p service.Principal, a service.Application) (*service.View, error)
}

func (f *fake) Apply(ctx context.Context, p service.Principal, a service.Application) (*service.View, error) {
	return f.apply(ctx, p, a)
}

func plainFake(s *service.Service) Service { return &fake{Service: s} }
