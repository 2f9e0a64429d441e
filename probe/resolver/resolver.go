// Package resolver asks DNS questions as a CA must: from the root down, every
// server itself, validating as it goes, keeping nothing of the target's zone.
//
// A [Resolver] keeps the delegations and keys of the root and of top-level
// zones, once they are validated, for their TTL. All else lives in a [Look], the
// questions of one review, and is forgotten with it: delegations and keys are
// shared among its questions, answers are not.
//
// With the top-level zone known, a review of a name costs one round trip for the
// delegation and one for all its questions: every server of the zone is asked at
// the same time, the zone's keys with them; the DS records come with the
// referral. Servers are never asked one after the other: where one answer is
// enough two are asked at once, and more as time passes. While much is under way
// it is one at first: who asks everybody twice to be quick is not quick then.
package resolver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/probe/dial"
	"assay/probe/dnssec"
)

// Config says from where and within which bounds to ask.
type Config struct {
	// Dialer reaches servers, behind the guard; its Data is also where the public
	// suffixes are from. Required.
	Dialer *dial.Dialer
	// Roots are the root servers. Required, unless every question goes to a resolver.
	Roots []Root
	// Anchors are trust anchors: DS or DNSKEY records of the root, or of any zone
	// that is trusted whatever its parents say. Without any nothing is validated,
	// and Trust and Security of answers stay empty.
	Anchors []dns.RR
	// Now is the clock of signatures and TTLs; default time.Now. Time-outs run on
	// the real clock.
	Now func() time.Time
	// Resolver, if set, is asked instead of the servers from the root down: an
	// address with port or a DNS-over-HTTPS URL. What it says is validated here.
	// Questions to each server go to the servers all the same, where they can be
	// reached.
	Resolver string
	// Trusted are resolvers (as Resolver) that may have addresses which the guard
	// refuses. Only an operator may name them. Resolver is one of them.
	Trusted []string
	// HTTP is the client for DNS over HTTPS, for its TLS settings; the connection
	// itself is always made by Dialer. Nil: system roots.
	HTTP *http.Transport

	// Try bounds one try at one address, 2 s by default (twice that over TCP),
	// and Tries how many there are, 3 by default.
	Try   time.Duration
	Tries int
	// Question bounds one question with all that it needs, 10 s by default.
	Question time.Duration
	// Hedge is how long to wait for an answer before two more servers are asked,
	// where one answer is enough; default 200 ms.
	Hedge time.Duration
	// Packets bounds what one look sends. 0: 300, or twelve for each of its
	// questions where that is more.
	Packets int
	// PerServer bounds the packets a second to one address over all looks, and
	// PerTarget those on behalf of one registrable domain, ten times as many those to
	// one registry's servers, so that nobody can aim us at somebody. Both let ten seconds' worth go at once. Defaults 1,000 and
	// 200; negative: no bound.
	PerServer, PerTarget int

	// Random is where message ids and the case of names come from; default
	// crypto/rand.
	Random io.Reader
	// Trace, if set, is told of each exchange, from many goroutines at once.
	Trace func(Step)
}

// A Root is a root server.
type Root struct {
	Name      string // with or without final dot
	Addresses []netip.Addr
}

// A Resolver asks from one place. It is safe for concurrent use.
type Resolver struct {
	c       Config
	root    *zone
	anchors map[string][]*dns.DS
	buffers sync.Pool
	sockets dial.Sockets
	budget  *budget
	lacks   atomic.Pointer[lacking]
	asking  atomic.Int32 // questions that wait for a server now
	trusted *dial.Dialer // reaches Config.Trusted
	https   *http.Client

	mu   sync.Mutex
	tops map[string]*once[*zone] // top-level zones, by name
}

// New returns a resolver. It does not ask anything yet.
func New(c Config) (*Resolver, error) {
	if c.Dialer == nil || c.Dialer.Data == nil {
		return nil, errors.New("resolver: no dialer, or one without data")
	}
	if len(c.Roots) == 0 && c.Resolver == "" {
		return nil, errors.New("resolver: neither root servers nor a resolver to ask")
	}
	c.defaults()
	r := &Resolver{c: c, anchors: map[string][]*dns.DS{}, tops: map[string]*once[*zone]{}}
	r.buffers.New = func() any { return new(buffer) }
	r.budget = newBudget(c.PerServer, c.PerTarget)
	r.lacks.Store(&lacking{})
	for _, rr := range c.Anchors {
		owner := canonical(rr.Header().Name)
		ds := dnssec.Anchors([]dns.RR{rr})
		if len(ds) == 0 {
			return nil, fmt.Errorf("resolver: trust anchor of %q is neither a DS nor a DNSKEY record: %s", owner, dns.Type(rr.Header().Rrtype))
		}
		r.anchors[owner] = append(r.anchors[owner], ds...)
	}
	var err error
	if r.trusted, err = c.trust(); err != nil {
		return nil, fmt.Errorf("resolver: %w", err)
	}
	r.https = r.client()
	r.root = &zone{name: ".", registry: true, kept: true}
	for _, root := range c.Roots {
		s := &server{name: canonical(root.Name), glue: bounded(append([]netip.Addr(nil), root.Addresses...))}
		s.rtt = make([]atomic.Int64, len(s.glue))
		r.root.servers = append(r.root.servers, s)
	}
	return r, nil
}

func (c *Config) defaults() {
	c.Now = or(c.Now == nil, time.Now, c.Now)
	c.Random = or(c.Random == nil, rand.Reader, c.Random)
	c.Try = or(c.Try <= 0, 2*time.Second, c.Try)
	c.Tries = or(c.Tries <= 0, 3, c.Tries)
	c.Question = or(c.Question <= 0, 10*time.Second, c.Question)
	c.Hedge = or(c.Hedge <= 0, 200*time.Millisecond, c.Hedge)
	c.Packets = max(c.Packets, 0)
	c.PerServer = or(c.PerServer == 0, 1000, c.PerServer)
	c.PerTarget = or(c.PerTarget == 0, 200, c.PerTarget)
}

// or returns def where the value is absent.
func or[T any](absent bool, def, value T) T {
	if absent {
		return def
	}
	return value
}

// Close ends connections to resolvers that are kept open.
func (r *Resolver) Close() { r.https.CloseIdleConnections() }

// Begin starts the questions of one review.
func (r *Resolver) Begin() *Look {
	return &Look{
		r: r, zones: map[string]*zone{}, cuts: map[cut]*once[descent]{},
		hosts: map[string]*once[addresses]{}, peers: map[netip.Addr]*peer{},
		via: map[viaKey]*zone{}, said: map[viaKey]*once[*reply]{},
	}
}

// Missing sets what a self-test found missing: addresses of that family, and
// that transport, are not asked.
func (r *Resolver) Missing(list []evidence.Missing) {
	l := &lacking{}
	for _, m := range list {
		(*l) = append(*l, m.What)
	}
	r.lacks.Store(l)
}

// lacking lists what this place cannot do, in the words of evidence.Missing.
type lacking []string

func (l *lacking) has(what string) bool {
	for _, w := range *l {
		if w == what {
			return true
		}
	}
	return false
}
