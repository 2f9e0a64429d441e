// Package probe answers questions by looking at the network: it reports what it
// saw and judges nothing. Package dial guards every connection, package resolver
// asks the DNS, package dnssec validates, packages web and tls look at servers.
package probe

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"assay/evidence"
	"assay/internal/contain"
	"assay/probe/dial"
	"assay/probe/resolver"
)

// Config says where a prober looks from.
type Config struct {
	// Perspective is the id of the place, "P0" for the primary; Region the RIR
	// region of its network, where it is known.
	Perspective, Region string
	// Location is where its network is; nil where that is not known.
	Location *evidence.Location
	// Own are the public addresses of this machine.
	Own []string
	// DNS holds how to resolve: the dialer (which HTTP and TLS use too), root servers,
	// trust anchors, the resolver that decides if one does, time-outs, the clock.
	DNS resolver.Config
	// Public are resolvers that are asked only to explain.
	Public []string
	// Network holds the settings that are not the public internet's; it is
	// stamped on every observation. Nil on the internet. What can be seen of the
	// dialer (map, ports, exemptions) and of the resolver is added.
	Network *evidence.NetworkOptions
}

// A Prober looks from one place. It is safe for concurrent use.
type Prober struct {
	about    evidence.Perspective
	dialer   *dial.Dialer
	network  *evidence.NetworkOptions
	now      func() time.Time
	resolver *resolver.Resolver
	onDefect func(*contain.Panic)
	tops     tops

	mu      sync.Mutex
	missing []evidence.Missing
}

// New returns a prober. It asks nothing yet.
func New(c Config) (*Prober, error) {
	if c.Perspective == "" {
		return nil, errors.New("probe: a perspective needs an id")
	}
	c.DNS.Trusted = slices.Concat(c.DNS.Trusted, c.Public)
	r, err := resolver.New(c.DNS)
	if err != nil {
		return nil, err
	}
	p := &Prober{dialer: c.DNS.Dialer, network: stamp(c), now: c.DNS.Now, resolver: r}
	if p.now == nil {
		p.now = time.Now
	}
	p.about = evidence.Perspective{ID: c.Perspective, Region: c.Region, Location: c.Location, Own: c.Own, Resolver: c.DNS.Resolver, Public: c.Public, Network: p.network}
	return p, nil
}

// OnDefect has f told of panics of this package, of which answers say only that
// they are unknown. It is set before the first look.
func (p *Prober) OnDefect(f func(*contain.Panic)) { p.onDefect = f }

// About says what the place is, with what its self-test found missing.
func (p *Prober) About() evidence.Perspective {
	p.mu.Lock()
	defer p.mu.Unlock()
	about := p.about
	about.Missing = p.missing
	return about
}

// SelfTest finds out what does not work here, in three seconds at most. Questions
// about the things missing are then unknown, not findings about a target.
func (p *Prober) SelfTest(ctx context.Context) []evidence.Missing {
	missing := p.resolver.SelfTest(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing = missing
	return missing
}

// DNS answers one DNS question in a look of its own.
func (p *Prober) DNS(ctx context.Context, q evidence.DNSQuestion) evidence.Observation {
	l := p.Begin()
	defer l.Close()
	return l.dns(ctx, q, &hosts{look: l})
}

// observation starts the answer to a question.
func (p *Prober) observation(q evidence.Question, began time.Time) evidence.Observation {
	return evidence.Observation{
		Question: q, At: began.UTC(), Millis: float64(p.now().Sub(began).Microseconds()) / 1000, Network: p.network,
	}
}
