package resolver

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"assay/internal/contain"
)

// A Look asks the questions of one review. It is safe for concurrent use until
// it is closed.
type Look struct {
	r       *Resolver
	waits   waits
	running contain.Group
	spent   atomic.Int32
	asked   atomic.Int32 // questions

	mu    sync.Mutex
	zones map[string]*zone
	cuts  map[cut]*once[descent]
	hosts map[string]*once[addresses]
	peers map[netip.Addr]*peer
	via   map[viaKey]*zone
	said  map[viaKey]*once[*reply]
}

// A cut is a place in the tree where a delegation is looked for: from a zone
// towards a name below it.
type cut struct{ parent, name string }

// A descent is what was found there.
type descent struct {
	child   *zone    // nil: none
	replies []*reply // where nobody could say
}

// Close waits until nothing of the look is under way any more. What it learnt
// goes with it.
func (l *Look) Close() { l.running.Settle() }

// Panic is what something panicked with that was done beside the questions; what
// they found may lack it. nil: nothing did.
func (l *Look) Panic() *contain.Panic { return l.running.Panic() }

func (l *Look) peer(address netip.Addr) *peer {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.peers[address]
	if p == nil {
		p = &peer{}
		l.peers[address] = p
	}
	return p
}

// A look may send perLook packets, or perQuestion for each of its questions where
// that is more: a review of a hundred names has hundreds of questions.
const (
	perLook     = 300
	perQuestion = 12
)

// spend takes one packet off the budgets: the look's, the payer's, and the
// server's unless that is a recursive resolver, which serves all targets.
func (l *Look) spend(address netip.Addr, p payer, recursive bool) bool {
	bound := l.r.c.Packets
	if bound == 0 {
		bound = max(perLook, perQuestion*int(l.asked.Load()))
	}
	if int(l.spent.Add(1)) > bound {
		return false
	}
	return l.r.budget.spend(address, p, recursive)
}

func (l *Look) lacksTCP() bool { return l.r.lacks.Load().has("tcp") }

// target is the registrable domain that a zone is in: whose budget its packets are.
func (l *Look) target(name string) string {
	if s := l.r.c.Dialer.Data.Suffix(plain(name), true); s.Registrable != "" {
		return s.Registrable
	}
	return plain(name)
}

// payer is whose budget the packets for a question to a zone are.
func (l *Look) payer(z *zone, question string) payer {
	if z.registry {
		return payer{domain: l.target(question), registry: z.name}
	}
	return payer{domain: l.target(z.name)}
}

// locate returns the deepest zone that delegations show to hold the name. Below
// registries it stops: the question itself finds out what is further down. If a
// registry's servers cannot say, they are returned with what they gave.
func (l *Look) locate(ctx context.Context, name string) (*zone, []*reply) {
	z := l.deepest(name)
	if z == nil {
		z = l.r.root
		if name != "." {
			top, replies := l.top(ctx, topLabel(name))
			if top == nil {
				return z, replies
			}
			z = top
		}
	}
	for z.registry && z.name != name {
		goal := name
		if s := l.r.c.Dialer.Data.Suffix(plain(name), true); s.Registrable != "" && below(z.name, canonical(s.Registrable)) {
			goal = canonical(s.Registrable)
		}
		d := l.descend(ctx, z, goal)
		if d.child == nil {
			return z, d.replies
		}
		z = d.child
	}
	return z, nil
}

// topLabel is the top-level domain of a name.
func topLabel(name string) string {
	i, _ := dns.PrevLabel(name, 1)
	return name[i:]
}

// deepest returns the deepest zone that this look knows above a name.
func (l *Look) deepest(name string) *zone {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; name != "."; name = above(name) {
		if z := l.zones[name]; z != nil {
			return z
		}
	}
	return nil
}

// adopt remembers a zone for this look. The first delegation seen counts.
func (l *Look) adopt(z *zone) *zone {
	if z.parent != nil && z.parent.registry && !z.registry { // a top-level zone is one, and others may have it already
		s := l.r.c.Dialer.Data.Suffix(plain(z.name), true)
		z.registry = s.Registrable == "" && s.ICANN
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.zones[z.name]; known != nil {
		return known
	}
	l.zones[z.name] = z
	return z
}

// top returns a top-level zone, from the resolver's cache or from the root.
func (l *Look) top(ctx context.Context, name string) (*zone, []*reply) {
	for {
		o := l.r.topEntry(name)
		var replies []*reply
		z, err := o.get(ctx, &l.waits, func(ctx context.Context) *zone {
			d := l.look(ctx, l.r.root, name)
			replies = d.replies
			if d.child == nil {
				return nil
			}
			return l.keep(ctx, d.child)
		})
		if err != nil || z == nil || !z.kept {
			l.r.forget(name, o)
			if z != nil { // not validated: for this look only
				z = l.adopt(z)
			}
			return z, replies
		}
		if l.r.c.Now().Before(z.until) {
			return z, nil
		}
		l.r.forget(name, o)
	}
}

// keep validates a top-level zone and makes it one that is kept.
func (l *Look) keep(ctx context.Context, z *zone) *zone {
	z.registry = true
	t := l.trustOf(ctx, z)
	if t.state == bogus || t.state == indeterminate || ctx.Err() != nil {
		return z
	}
	z.kept = true
	z.until = l.r.c.Now().Add(kept(min(z.ttl, t.ttl)))
	z.referral = nil
	return z
}

// kept is how long something with a TTL is kept: a second at least, so that it
// serves those who wait for it.
func kept(ttl int) time.Duration { return time.Duration(min(max(ttl, 1), maxKept)) * time.Second }

// maxKept is the longest time in seconds that anything is kept.
const maxKept = 86400

// maxTops is how many top-level zones are kept; there are about 1,500.
const maxTops = 4096

func (r *Resolver) topEntry(name string) *once[*zone] {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.tops[name]
	if o == nil {
		o = new(once[*zone])
		if len(r.tops) < maxTops {
			r.tops[name] = o
		}
	}
	return o
}

func (r *Resolver) forget(name string, o *once[*zone]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tops[name] == o {
		delete(r.tops, name)
	}
}

// descend looks for a zone cut between a zone and a name below it.
func (l *Look) descend(ctx context.Context, z *zone, name string) descent {
	l.mu.Lock()
	o := l.cuts[cut{z.name, name}]
	if o == nil {
		o = new(once[descent])
		l.cuts[cut{z.name, name}] = o
	}
	l.mu.Unlock()
	d, _ := o.get(ctx, &l.waits, func(ctx context.Context) descent {
		d := l.look(ctx, z, name)
		if d.child != nil {
			d.child = l.adopt(d.child)
		}
		return d
	})
	return d
}

// look asks a zone's servers for the NS set at a name and, at the same time, at
// each name between. The highest cut is the next zone down.
func (l *Look) look(ctx context.Context, z *zone, name string) descent {
	names := []string{name}
	if z.registry {
		for up := above(name); below(z.name, up); up = above(up) {
			names = append(names, up)
		}
	}
	found := make([]descent, len(names))
	var all contain.Group
	for i, n := range names[1:] {
		all.Go(func() { found[i+1] = l.lookAt(ctx, z, n) })
	}
	found[0] = l.lookAt(ctx, z, name)
	all.Wait()
	for i := len(found) - 1; i > 0; i-- {
		if found[i].child != nil {
			return found[i]
		}
	}
	return found[0]
}

func (l *Look) lookAt(ctx context.Context, z *zone, name string) descent {
	q := query{name: name, qtype: dns.TypeNS}
	won, all := l.some(ctx, z, q, func(a *reply) bool { return read(a.msg, z.name, name, dns.TypeNS).kind != useless })
	if won == nil {
		return descent{replies: all}
	}
	switch found := read(won.msg, z.name, name, dns.TypeNS); found.kind {
	case referred:
		child := newZone(found.cut, z, won.msg.Ns, won.msg.Extra)
		child.referral = won.msg
		return descent{child: child}
	case answered:
		if child := newZone(name, z, won.msg.Answer, won.msg.Extra); len(child.servers) > 0 {
			return descent{child: child}
		}
	case deeper:
		if found.cut != name {
			return l.lookAt(ctx, z, found.cut)
		}
		// A zone whose own NS set its servers do not give: they serve it themselves.
		return descent{child: &zone{name: name, parent: z, servers: z.servers}}
	}
	return descent{}
}
