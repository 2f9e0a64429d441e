package rest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"assay/internal/service"
)

// Config is what the API depends on. Service and Records are needed.
type Config struct {
	Service Service
	Records Records
	// Now is the clock; nil: the system's.
	Now func() time.Time
	// Log is for the operator; nil: nothing is logged. No token, value or body
	// is ever logged.
	Log *slog.Logger
	// PublicURL is how clients reach the server: "https://assay.orchard.net".
	// Addresses in answers begin with it; nil: they are paths.
	PublicURL *url.URL
	// TrustedProxies are the networks of reverse proxies whose X-Forwarded-For is
	// believed; nil: nobody's is.
	TrustedProxies []netip.Prefix
	// MetricsFrom are the networks that may read /metrics beside this machine.
	MetricsFrom []netip.Prefix
	// TokenRate and AddressRate are how many requests a second one token and one
	// address may make in the long run, and four times that at once; 0: 100 and
	// 200, negative: no limit.
	TokenRate, AddressRate float64
	// DueLag is how late the oldest check may be before /readyz says so; 0: 5 min.
	DueLag time.Duration
	// Meter counts what the service does in the background; nil: nobody does.
	Meter *Meter
	// Heartbeat is how often a stream without events shows that it is alive; 0: 15 s.
	Heartbeat time.Duration
}

// A Server answers the API's requests. Make it with [New]; stop its streams with
// [Server.Stop] before shutting the HTTP server down.
type Server struct {
	Config
	mux       *http.ServeMux
	registry  huma.Registry
	tokens    *limiter
	addresses *limiter
	metrics   *metrics
	heartbeat time.Duration
	printers  printers
	waiting   atomic.Int64
	stopping  chan struct{}
	readiness readiness
	stop      sync.Once
}

// New makes a server.
func New(c Config) (*Server, error) {
	if c.Service == nil || c.Records == nil {
		return nil, errors.New("rest: there is no service")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.DueLag == 0 {
		c.DueLag = 5 * time.Minute
	}
	s := &Server{
		Config: c, mux: http.NewServeMux(), stopping: make(chan struct{}), heartbeat: c.Heartbeat, printers: newPrinters(),
		tokens: newLimiter("token", orRate(c.TokenRate, 100)), addresses: newLimiter("address", orRate(c.AddressRate, 200)),
		registry: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
	}
	if s.heartbeat == 0 {
		s.heartbeat = heartbeat
	}
	s.metrics = newMetrics(s)
	adapter := humago.NewAdapter(s.mux, Base)
	for _, op := range Operations() {
		for _, p := range op.Parameters {
			p.Schema.PrecomputeMessages()
		}
		adapter.Handle(&op.Operation, func(hc huma.Context) {
			r, w := humago.Unwrap(hc)
			s.operate(op, w, r)
		})
	}
	s.plainRoutes()
	return s, nil
}

func orRate(rate, otherwise float64) float64 {
	if rate == 0 {
		return otherwise
	}
	return rate
}

// Stop ends streams and polls, so that the HTTP server can shut down.
func (s *Server) Stop() { s.stop.Do(func() { close(s.stopping) }) }

// untilStopped is a context that ends when the server stops, too.
func (s *Server) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// url is a path as clients reach it.
func (s *Server) url(path string) string {
	if s.PublicURL == nil {
		return path
	}
	return strings.TrimSuffix(s.PublicURL.String(), "/") + path
}

// ServeHTTP gives a request its number, finds out whose it is, keeps within the
// limits, answers it, and writes it down. A defect ends as an error of its own.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := &request{id: newID(), began: time.Now(), client: s.client(r).String(), words: s.printers[languageOf(r.Header.Get("Accept-Language"))], route: "none"}
	rec := &recorder{ResponseWriter: w}
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, req))
	h := rec.Header()
	h.Set("X-Request-Id", req.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Language, Authorization")
	if r.TLS != nil {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
	defer s.written(rec, r, req)
	defer s.recovered(rec, r, req)
	s.serve(rec, r, req)
}

// recovered turns a panic into a problem, where nothing was answered yet.
func (s *Server) recovered(rec *recorder, r *http.Request, req *request) {
	what := recover()
	if what == nil {
		return
	}
	if what == http.ErrAbortHandler { //nolint:errorlint // it is that value
		panic(what)
	}
	s.Log.Error("panic", "request", req.id, "route", req.route, "where", stack())
	s.metrics.panics.Inc()
	if rec.status == 0 {
		s.fail(rec, r, req, errors.New("panic"))
		return
	}
	panic(http.ErrAbortHandler) // half an answer: the connection is cut
}

func (s *Server) serve(w *recorder, r *http.Request, req *request) {
	if err := s.addresses.take(w.Header(), addressKey(req.client), s.Now()); err != nil && !probed(r.URL.Path) {
		s.metrics.limited.WithLabelValues("address").Inc()
		s.fail(w, r, req, err)
		return
	}
	handler, pattern := s.mux.Handler(r)
	if pattern == "" {
		s.nowhere(w, r, req, handler)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// probed are the paths that whoever watches the server asks for all the time.
func probed(path string) bool { return path == "/healthz" || path == "/readyz" || path == "/metrics" }

// nowhere answers a request that no route takes: 404, or 405 with what is allowed.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request, req *request, mux http.Handler) {
	asked := &recorder{ResponseWriter: discard{http.Header{}}}
	mux.ServeHTTP(asked, r)
	if asked.status == http.StatusMethodNotAllowed {
		allow := asked.Header().Get("Allow")
		w.Header().Set("Allow", allow)
		s.fail(w, r, req, &service.Problem{Kind: kindMethod, Message: "rest.method", Pairs: []any{"Allowed", allow}})
		return
	}
	s.fail(w, r, req, &service.Problem{Kind: service.NotFound, Message: "rest.no-route"})
}

// operate runs one operation.
func (s *Server) operate(op *Operation, w http.ResponseWriter, r *http.Request) {
	req := requestOf(r.Context())
	req.route = op.OperationID
	c := &call{request: req, s: s, op: op, w: w, r: r}
	if err := s.run(c); err != nil {
		s.fail(w, r, req, err)
	}
}

func (s *Server) run(c *call) error {
	var err error
	if c.p, err = s.Service.Authenticate(c.ctx(), bearer(c.r)); err != nil {
		return err
	}
	c.who = c.p
	if err := s.tokens.take(c.w.Header(), c.p.Token, s.Now()); err != nil {
		s.metrics.limited.WithLabelValues("token").Inc()
		return err
	}
	if err := c.check(s.registry); err != nil {
		return err
	}
	if err := c.readBody(); err != nil {
		return err
	}
	a, err := c.op.run(c)
	if err != nil || a == nil {
		return err
	}
	return c.send(a)
}

// bearer is the token of a request.
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// newID is the number of a request. It is no secret.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
