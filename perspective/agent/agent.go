// Package agent is a remote perspective: a server that looks at the network for
// the coordinators that joined it, and for nobody else.
//
// It keeps nothing but its key, the keys of its coordinators, and the nonces of
// the last minutes. What it learns while it answers one request is forgotten with
// it, so an agent can be stopped, copied and started anywhere. Two processes with
// one key are one perspective, and each would accept a request that the other has
// seen: run one.
package agent

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"assay/evidence"
	"assay/perspective"
	"assay/perspective/identity"
	"assay/perspective/wire"
)

// Config says what an agent is.
type Config struct {
	// Place is where to look from. Its id and region are the agent's. One that can
	// test itself (SelfTest) is tested at the start and every 5 minutes.
	Place perspective.Place
	// Location is where the place is; nil where the operator does not say.
	Location *evidence.Location
	// Identity is the agent's key, Coordinators who may ask.
	Identity     *identity.Identity
	Coordinators *Coordinators
	// Rate is how many requests a second a coordinator may make, twice that at
	// once; default 200. Running is how many are answered at the same time for all
	// of them; default 512. What is more is refused at once.
	Rate, Running int
	// Now is the clock; default time.Now.
	Now func() time.Time
	// Log is told of joins and refusals; nil: nobody.
	Log *slog.Logger
}

// An Agent answers coordinators. It is safe for concurrent use.
type Agent struct {
	c       Config
	running chan struct{}
	joining joining

	mu      sync.Mutex
	callers map[string]*caller // by key
	lines   bucket             // bounds the log
}

// A caller is what is remembered of a coordinator.
type caller struct {
	mu     sync.Mutex
	bucket bucket
	nonces nonces
}

// New returns an agent.
func New(c Config) (*Agent, error) {
	if c.Place == nil || c.Identity == nil || c.Coordinators == nil {
		return nil, errors.New("agent: needs a place, an identity and a list of coordinators")
	}
	if c.Rate <= 0 {
		c.Rate = 200
	}
	if c.Running <= 0 {
		c.Running = 512
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := perspective.CheckID(c.Place.About().ID); err != nil {
		return nil, err
	}
	if err := perspective.CheckPlace(c.Place.About().Region, c.Location); err != nil {
		return nil, err
	}
	return &Agent{c: c, running: make(chan struct{}, c.Running), callers: map[string]*caller{}}, nil
}

// About is what the agent says of itself.
func (a *Agent) About() evidence.Perspective {
	p := a.c.Place.About()
	p.Remote, p.Key, p.Location = true, a.c.Identity.Public, a.c.Location
	return p
}

// Bounds of the server itself.
const (
	handshakeTimeout = 10 * time.Second // of TLS, of reading a request
	idleTimeout      = 10 * time.Minute // between requests of a coordinator
	shutdownTimeout  = 10 * time.Second // for looks that run
	selfTestEvery    = 5 * time.Minute
)

// Serve answers on a listener until ctx ends, then lets what runs finish, for ten
// seconds. It closes the listener.
func (a *Agent) Serve(ctx context.Context, l net.Listener) error {
	config, err := a.c.Identity.Server(a.allowed)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	looking, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	server := &http.Server{
		Handler: a, TLSConfig: config,
		ReadHeaderTimeout: handshakeTimeout, ReadTimeout: handshakeTimeout,
		WriteTimeout: wire.MaxLook + handshakeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 8 << 10,
		HTTP2:       &http.HTTP2Config{MaxConcurrentStreams: 256, SendPingTimeout: 30 * time.Second, PingTimeout: 10 * time.Second},
		BaseContext: func(net.Listener) context.Context { return looking },
		ConnState:   served,
		ErrorLog:    slog.NewLogLogger(a.c.Log.Handler(), slog.LevelDebug), // failed handshakes: anybody can cause those
	}
	var testing sync.WaitGroup
	testing.Go(func() { a.selfTests(ctx) })
	defer testing.Wait()
	ended := make(chan error, 1)
	go func() { ended <- server.ServeTLS(limit(l), "", "") }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		stop()
		err = server.Close()
		<-ended
		return err
	}
	<-ended
	return nil
}

// selfTests keeps what the place says of itself current.
func (a *Agent) selfTests(ctx context.Context) {
	place, ok := a.c.Place.(interface {
		SelfTest(context.Context) []evidence.Missing
	})
	if !ok {
		return
	}
	tick := time.NewTicker(selfTestEvery)
	defer tick.Stop()
	for {
		for _, m := range place.SelfTest(ctx) {
			if ctx.Err() == nil {
				a.c.Log.Warn("self-test", "missing", m.What, "detail", m.Detail)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// allowed decides about a key in the TLS handshake: strangers are let in only
// while somebody is expected to join.
func (a *Agent) allowed(key string) bool {
	return a.c.Coordinators.Has(key) || a.joining.open(a.c.Now())
}

// ServeHTTP answers one request.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key, err := identity.PeerKey(r.TLS)
	if err != nil || r.Method != http.MethodPost {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	switch r.URL.Path {
	case wire.PathLook:
		err = a.look(w, r, key)
	case wire.PathJoin:
		err = a.join(w, r, key)
	case wire.PathLeave:
		err = a.leave(w, r, key)
	default:
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	if err != nil {
		a.refused(w, r, key, err)
	}
}

// refused tells the caller why there is no answer, and the log, not too often.
func (a *Agent) refused(w http.ResponseWriter, r *http.Request, key string, err error) {
	var refusal *wire.Refusal
	if !errors.As(err, &refusal) {
		refusal = wire.Refuse(wire.RefusedInternal, "")
	}
	a.mu.Lock()
	say := a.lines.take(a.c.Now(), 1, 10)
	a.mu.Unlock()
	if say && r.Context().Err() == nil {
		a.c.Log.Warn("refused", "path", r.URL.Path, "coordinator", key, "from", r.RemoteAddr, "why", err.Error())
	}
	writeJSON(w, refusal.Status(), refusal)
}

// body reads a request, never more than limit.
func body(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, wire.Refuse(wire.RefusedTooLarge, "more than %d bytes", limit)
	}
	if err != nil {
		return nil, wire.Refuse(wire.RefusedMalformed, "%v", err)
	}
	return raw, nil
}

// known is a coordinator's key and what is remembered of it.
func (a *Agent) known(key string) (ed25519.PublicKey, *caller, error) {
	public, err := wire.ParseKey(key)
	if err != nil || !a.c.Coordinators.Has(key) {
		return nil, nil, wire.Refuse(wire.RefusedUnknown, "")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.callers[key]
	if c == nil {
		c = &caller{}
		a.callers[key] = c
	}
	return public, c, nil
}
