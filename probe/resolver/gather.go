package resolver

import (
	"cmp"
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// An endpoint is one address of one server.
type endpoint struct {
	server  string
	address netip.Addr
	rtt     int64 // microseconds, 0: not known
}

// maxEndpoints is how many endpoints a zone can have.
const maxEndpoints = maxServers * 2 * maxAddresses

// each asks every server of a zone at each of its addresses, all at once. The
// channel is closed after the last reply.
func (l *Look) each(ctx context.Context, z *zone, q query) <-chan *reply {
	replies := make(chan *reply, maxEndpoints)
	pays := l.payer(z, q.name)
	var left atomic.Int32
	done := func() {
		if left.Add(-1) == 0 {
			close(replies)
		}
	}
	left.Add(1)
	ask := func(s *server, list []netip.Addr) {
		left.Add(int32(len(list)))
		for _, a := range list {
			l.running.Go(func() {
				defer done()
				replies <- l.ask(ctx, s.name, a, q, pays)
			})
		}
	}
	for _, s := range z.servers {
		if len(s.glue) > 0 {
			ask(s, s.glue)
			continue
		}
		left.Add(1)
		l.running.Go(func() {
			defer done()
			ask(s, l.addressesOf(ctx, s.name).list)
		})
	}
	done()
	return replies
}

// busy is how many questions wait for servers where it is no longer two that are
// asked at once: about what five reviews ask at the same time.
const busy = 64

// some asks servers of a zone until accept takes a reply: two at once (one, when
// busy), another for each that fails, and two more each Config.Hedge. It returns the reply
// taken, or nil, and all that came until then.
func (l *Look) some(ctx context.Context, z *zone, q query, accept func(*reply) bool) (won *reply, all []*reply) {
	if z.resolver != "" {
		if got := l.ask1(ctx, z.resolver, q.name, q.qtype); got != nil && accept(got) {
			return got, []*reply{got}
		}
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pays := l.payer(z, q.name)
	results := make(chan *reply, maxEndpoints)
	ready := l.ready(z)
	var late <-chan endpoint // addresses of servers without glue, as they are found
	running, allowed := 0, 2
	if q.qtype == dns.TypeDNSKEY || l.r.asking.Load() > busy {
		allowed = 1 // for keys: every server is asked the question itself meanwhile
	}
	if q.subnet.IsValid() {
		// It is compared with what the same server gives to others: always one and
		// the same, so that an unchanged world is one observation.
		allowed = 1
		slices.SortStableFunc(ready, func(a, b endpoint) int {
			return cmp.Or(int(a.address.BitLen()-b.address.BitLen()), strings.Compare(a.server, b.server), a.address.Compare(b.address))
		})
	}
	start := func(e endpoint) {
		running++
		allowed--
		l.running.Go(func() { results <- l.ask(ctx, e.server, e.address, q, pays) })
	}
	hedge := time.NewTimer(l.r.c.Hedge)
	defer hedge.Stop()
	for {
		for allowed > 0 && len(ready) > 0 && ctx.Err() == nil {
			start(ready[0])
			ready = ready[1:]
		}
		var more <-chan endpoint
		if allowed > 0 && len(ready) == 0 && ctx.Err() == nil {
			if late == nil {
				late = l.late(ctx, z)
			}
			more = late
		}
		if running == 0 && (more == nil || ctx.Err() != nil) {
			return nil, all
		}
		select {
		case a := <-results:
			running--
			allowed++
			all = append(all, a)
			z.heard(a, l.r.c.Try)
			if accept(a) {
				return a, all
			}
		case e, ok := <-more:
			if ok {
				start(e)
			} else if running == 0 {
				return nil, all
			} else {
				allowed = 0 // until a reply comes
			}
		case <-hedge.C:
			allowed += 2
			hedge.Reset(l.r.c.Hedge)
		}
	}
}

// ready lists the endpoints known without looking up, the best first: the
// fastest, then any other, so that the times of all stay known.
func (l *Look) ready(z *zone) []endpoint {
	list := make([]endpoint, 0, 2*len(z.servers))
	for _, s := range z.servers {
		for i, a := range s.glue {
			list = append(list, endpoint{s.name, a, s.rtt[i].Load()})
		}
	}
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	lacks := l.r.lacks.Load()
	noIPv6 := lacks.has("ipv6")
	slices.SortStableFunc(list, func(a, b endpoint) int {
		// A family that is missing here last, IPv4 first where nothing is known.
		return order(a, noIPv6) - order(b, noIPv6)
	})
	best := 0
	for i, e := range list {
		if e.rtt > 0 && (list[best].rtt == 0 || e.rtt < list[best].rtt) {
			best = i
		}
	}
	if len(list) > 0 {
		list[0], list[best] = list[best], list[0]
	}
	return list
}

func order(e endpoint, noIPv6 bool) int {
	if e.address.Is6() {
		if noIPv6 {
			return 2
		}
		return 1
	}
	return 0
}

// late looks up the addresses of servers without glue, all at once, and sends
// them as they are found. For servers of servers only a few are looked up, so
// that delegations cannot multiply questions (NXNSAttack).
func (l *Look) late(ctx context.Context, z *zone) <-chan endpoint {
	if z.kept || !slices.ContainsFunc(z.servers, func(s *server) bool { return len(s.glue) == 0 }) {
		none := make(chan endpoint)
		close(none)
		return none
	}
	found := make(chan endpoint, maxEndpoints)
	var left atomic.Int32
	left.Add(1)
	done := func() {
		if left.Add(-1) == 0 {
			close(found)
		}
	}
	bound := maxServers
	if _, nested := ctx.Value(flightKey{}).(*flight); nested {
		bound = 3
	}
	for _, s := range z.servers {
		if len(s.glue) > 0 || bound == 0 {
			continue
		}
		bound--
		left.Add(1)
		l.running.Go(func() {
			defer done()
			for _, a := range l.addressesOf(ctx, s.name).list {
				found <- endpoint{server: s.name, address: a}
			}
		})
	}
	done()
	return found
}

// addressesOf looks up the addresses of a name server.
func (l *Look) addressesOf(ctx context.Context, host string) addresses {
	found, err := l.host(host).get(ctx, &l.waits, func(ctx context.Context) addresses {
		types := [2]uint16{dns.TypeA, dns.TypeAAAA}
		var found [2]addresses
		done := make(chan struct{})
		l.running.Go(func() {
			defer close(done)
			found[1] = l.lookup(ctx, host, types[1])
		})
		found[0] = l.lookup(ctx, host, types[0])
		<-done
		list := bounded(append(found[0].list, found[1].list...))
		if len(list) > 0 {
			return addresses{list: list}
		}
		return found[0]
	})
	if err != nil && found.problem == "" {
		found.problem = "unanswered"
	}
	return found
}

func (l *Look) host(name string) *once[addresses] {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := l.hosts[name]
	if o == nil {
		o = new(once[addresses])
		l.hosts[name] = o
	}
	return o
}

// lookup finds the addresses of one family. They are dialled, and answer
// nothing, so they are not validated.
func (l *Look) lookup(ctx context.Context, host string, qtype uint16) addresses {
	links, status := l.follow(ctx, host, qtype, options{})
	last := links[len(links)-1]
	var found addresses
	if last.decided != nil {
		for _, rr := range last.decided.msg.Answer {
			if a, ok := address(rr); ok && rr.Header().Name == last.owner {
				found.list = append(found.list, a)
			}
		}
	}
	if len(found.list) == 0 {
		found.problem = status
	}
	return found
}
