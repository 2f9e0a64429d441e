package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// maxUnsealed is how long an audit entry may wait for its place in the chain
// before the sealer counts as dead: entries are sealed within a second, however
// many there are, and a process that took over a lease has it within ten.
const maxUnsealed = 30 * time.Second

// Readiness is what /readyz answers.
type Readiness struct {
	Ready bool `json:"ready"`
	// Database is whether it answers; its tables are current, or the server
	// would not have started.
	Database bool `json:"database"`
	// Sealer is whether audit entries get their place in the chain in time;
	// SealerLagSeconds how long the oldest has waited.
	Sealer           bool    `json:"sealer"`
	SealerLagSeconds float64 `json:"sealer_lag_seconds"`
	// Due is whether checks are made when they are due; DueLagSeconds how late
	// the oldest is.
	Due           bool    `json:"due"`
	DueLagSeconds float64 `json:"due_lag_seconds"`
}

// readyFor is how long an answer of /readyz stands: whoever asks it all the time
// costs the database one look a second.
const readyFor = time.Second

// readiness is the last answer of /readyz.
type readiness struct {
	mu   sync.Mutex
	last Readiness
	at   time.Time
}

// readyNow is what ready said within the last second, or says now. Who asks
// meanwhile waits for the same answer.
func (s *Server) readyNow(ctx context.Context) Readiness {
	r := &s.readiness
	r.mu.Lock()
	defer r.mu.Unlock()
	now := s.Now()
	// A clock that was set back must not make an answer last.
	if age := now.Sub(r.at); r.at.IsZero() || age < 0 || age >= readyFor {
		r.last, r.at = s.ready(context.WithoutCancel(ctx)), now
	}
	return r.last
}

func (s *Server) ready(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var v Readiness
	if err := s.Records.Ping(ctx); err != nil {
		s.Log.Warn("the database does not answer", "error", err.Error())
		return v
	}
	stats, err := s.Records.Stats(ctx, s.Now())
	if err != nil {
		s.Log.Warn("the database does not answer", "error", err.Error())
		return v
	}
	v.Database = true
	now := s.Now()
	unsealed, lag := since(stats.OldestUnsealed, now), since(stats.OldestDue, now)
	v.Sealer, v.SealerLagSeconds = unsealed <= maxUnsealed, unsealed.Seconds()
	v.Due, v.DueLagSeconds = lag <= s.DueLag, lag.Seconds()
	v.Ready = v.Sealer && v.Due
	return v
}

// since is how long ago a time was; 0 for one that is never or still to come.
func since(t, now time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(0, now.Sub(t))
}

// plainRoutes are the routes outside the API.
func (s *Server) plainRoutes() {
	s.mux.HandleFunc("GET /healthz", s.plain("healthz", func(w http.ResponseWriter, _ *http.Request) {
		s.text(w, "text/plain; charset=utf-8", []byte("ok\n"))
	}))
	s.mux.HandleFunc("GET /readyz", s.plain("readyz", func(w http.ResponseWriter, r *http.Request) {
		v := s.readyNow(r.Context())
		raw, err := json.Marshal(v)
		if err != nil {
			raw = []byte("{}")
		}
		w.Header().Set("Content-Type", "application/json")
		if !v.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = w.Write(append(raw, '\n'))
	}))
	s.mux.HandleFunc("GET /metrics", s.plain("metrics", s.serveMetrics))
	s.mux.HandleFunc("GET /openapi.json", s.plain("openapi", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=300")
		s.text(w, "application/vnd.oai.openapi+json;version=3.1", document)
	}))
	s.mux.HandleFunc("GET /docs", s.plain("docs", s.serveDocs))
	s.mux.HandleFunc("GET /{$}", s.plain("root", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/docs", http.StatusFound)
	}))
}

func (s *Server) plain(name string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		requestOf(r.Context()).route = name
		h(w, r)
	}
}

func (s *Server) text(w http.ResponseWriter, kind string, raw []byte) {
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(raw)
}

// mayReadMetrics: this machine, and the networks that were named. They show how
// much goes on here. What a proxy hands on that was not named comes from anywhere.
func (s *Server) mayReadMetrics(r *http.Request, client string) bool {
	if (r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "") && !within(peer(r.RemoteAddr), s.TrustedProxies) {
		return false
	}
	ip, err := netip.ParseAddr(client)
	return err == nil && (ip.IsLoopback() || within(ip, s.MetricsFrom))
}
