package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// A recursor resolves from the root of its world, without the network between:
// it calls the servers. It caches by the world's clock and validates nothing.
type recursor struct {
	world    *World
	as       int // the perspective it asks as, -1: none
	rewrites []string

	mu    sync.Mutex
	cache map[dns.Question]*cached
}

// maxRecursion bounds the questions that one answer may cost.
const maxRecursion = 60

type cached struct {
	rcode             int
	answer, authority []dns.RR
	since, until      time.Time
}

func newRecursor(w *World, r Resolver) (*recursor, error) {
	rec := &recursor{world: w, as: -1, rewrites: r.Rewrites, cache: map[dns.Question]*cached{}}
	if r.As != "" {
		i, err := placeIndex(r.As)
		if err != nil {
			return nil, fmt.Errorf("as: %w", err)
		}
		rec.as = i
	}
	if _, err := parse(orchard, r.Rewrites, w.options.Value); err != nil {
		return nil, fmt.Errorf("rewrites: %w", err)
	}
	for i, entry := range r.Primed {
		if err := rec.prime(entry); err != nil {
			return nil, fmt.Errorf("primed[%d]: %w", i, err)
		}
	}
	return rec, nil
}

func (r *recursor) prime(e Cached) error {
	s, err := parseSelector(".", e.Question)
	if err != nil || s.rrtype == 0 {
		return fmt.Errorf("question %q must be \"name type\"", e.Question)
	}
	c := &cached{}
	switch e.Status {
	case "", "NOERROR":
	case "NXDOMAIN":
		c.rcode = dns.RcodeNameError
	default:
		return fmt.Errorf("status: %q must be NOERROR or NXDOMAIN", e.Status)
	}
	if c.answer, err = parse(s.owner, e.Answer, r.world.options.Value); err != nil {
		return err
	}
	if c.authority, err = parse(s.owner, e.Authority, r.world.options.Value); err != nil {
		return err
	}
	r.put(dns.Question{Name: s.owner, Qtype: s.rrtype}, c, r.world.now().Add(-e.Age))
	return nil
}

// put keeps an answer until its smallest TTL ends.
func (r *recursor) put(q dns.Question, c *cached, since time.Time) {
	ttl := uint32(1 << 31)
	for _, rr := range slices.Concat(c.answer, c.authority) {
		ttl = min(ttl, rr.Header().Ttl)
	}
	if ttl == 1<<31 {
		ttl = 0
	}
	c.since, c.until = since, since.Add(time.Duration(ttl)*time.Second)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cache) >= maxCached {
		clear(r.cache)
	}
	r.cache[q] = c
}

// get returns what the cache holds, its TTLs counted down.
func (r *recursor) get(q dns.Question) *cached {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.cache[q]
	now := r.world.now()
	if c == nil || !now.Before(c.until) {
		return nil
	}
	age := uint32(now.Sub(c.since) / time.Second)
	aged := func(rrs []dns.RR) []dns.RR {
		list := make([]dns.RR, len(rrs))
		for i, rr := range rrs {
			list[i] = dns.Copy(rr)
			list[i].Header().Ttl -= age
		}
		return list
	}
	return &cached{rcode: c.rcode, answer: aged(c.answer), authority: aged(c.authority)}
}

// answer answers a question of a client.
func (r *recursor) answer(m *dns.Msg, name string, qtype uint16, dnssec bool) {
	budget := maxRecursion
	c := r.resolve(name, qtype, &budget)
	m.RecursionAvailable = true
	m.Rcode, m.Answer, m.Ns = c.rcode, c.answer, c.authority
	if !dnssec {
		m.Answer, m.Ns = plain(m.Answer, qtype), plain(m.Ns, qtype)
	}
	r.rewrite(m, name, qtype)
}

// plain leaves DNSSEC records out that were not asked for.
func plain(rrs []dns.RR, qtype uint16) []dns.RR {
	return slices.DeleteFunc(slices.Clone(rrs), func(rr dns.RR) bool {
		t := rr.Header().Rrtype
		return t != qtype && (t == dns.TypeRRSIG || t == dns.TypeNSEC || t == dns.TypeNSEC3)
	})
}

// rewrite replaces denials, as resolvers of some networks do.
func (r *recursor) rewrite(m *dns.Msg, name string, qtype uint16) {
	if len(m.Answer) > 0 || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return
	}
	rrs, err := parse(name, r.rewrites, r.world.options.Value)
	if err != nil {
		return // a name that no zone file can say
	}
	for _, rr := range rrs {
		if rr.Header().Rrtype == qtype {
			m.Answer = append(m.Answer, rr)
		}
	}
	if len(m.Answer) > 0 {
		m.Rcode, m.Ns = dns.RcodeSuccess, nil
	}
}

// resolve answers from the cache or from the root, and follows CNAMEs.
func (r *recursor) resolve(name string, qtype uint16, budget *int) *cached {
	total := &cached{}
	seen := []string{}
	for !slices.Contains(seen, name) && len(seen) <= maxChain {
		seen = append(seen, name)
		q := dns.Question{Name: name, Qtype: qtype}
		c := r.get(q)
		if c == nil {
			c = r.iterate(name, qtype, budget)
			if c.rcode == dns.RcodeSuccess || c.rcode == dns.RcodeNameError {
				r.put(q, c, r.world.now())
			}
		}
		total.rcode, total.authority = c.rcode, c.authority
		total.answer = append(total.answer, c.answer...)
		target := aliasOf(c.answer, name, qtype)
		if target == "" {
			return total
		}
		name = target
	}
	return &cached{rcode: dns.RcodeServerFailure}
}

// aliasOf returns where the answer's chain from name leads without records of
// the type at its end; "" where it has them or there is no chain.
func aliasOf(rrs []dns.RR, name string, qtype uint16) string {
	at, moved := name, false
	for range rrs {
		next := ""
		for _, rr := range rrs {
			if strings.ToLower(rr.Header().Name) != at {
				continue
			}
			if rr.Header().Rrtype == qtype {
				return ""
			}
			if c, ok := rr.(*dns.CNAME); ok {
				next = strings.ToLower(c.Target)
			}
		}
		if next == "" {
			break
		}
		at, moved = next, true
	}
	if !moved {
		return ""
	}
	return at // name again, if the chain is a loop
}

// iterate asks from the deepest delegation in the cache, or from the root, down.
func (r *recursor) iterate(name string, qtype uint16, budget *int) *cached {
	failed := &cached{rcode: dns.RcodeServerFailure}
	if *budget--; *budget < 0 {
		return failed
	}
	zone, servers := r.start(name, qtype, budget)
	for range 30 {
		m := r.ask(servers, name, qtype, budget)
		if m == nil {
			return failed
		}
		cut, ns := referralIn(m, zone, name)
		if cut == "" {
			answer := slices.DeleteFunc(m.Answer, func(rr dns.RR) bool { return !dns.IsSubDomain(zone, rr.Header().Name) })
			return &cached{rcode: m.Rcode, answer: answer, authority: m.Ns}
		}
		zone, servers = cut, r.addresses(cut, ns, m.Extra, budget)
	}
	return failed
}

// start returns where to begin: the deepest zone above name whose servers are in
// the cache (above it for DS), or the root.
func (r *recursor) start(name string, qtype uint16, budget *int) (string, []netip.Addr) {
	at := name
	if qtype == dns.TypeDS && at != "." {
		at = parent(at)
	}
	for ; at != "."; at = parent(at) {
		c := r.get(dns.Question{Name: at, Qtype: dns.TypeNS})
		if c == nil {
			continue
		}
		if servers := r.addresses(at, c.answer, nil, budget); len(servers) > 0 {
			return at, servers
		}
	}
	return ".", r.world.rootAddresses()
}

// ask asks servers in turn until one gives a usable answer.
func (r *recursor) ask(servers []netip.Addr, name string, qtype uint16, budget *int) *dns.Msg {
	for _, a := range servers {
		if *budget--; *budget < 0 {
			return nil
		}
		if m := r.world.call(a, r.as, name, qtype); m != nil && (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError) {
			return m
		}
	}
	return nil
}

// referralIn returns the zone cut that a response refers to, "" for an answer.
func referralIn(m *dns.Msg, zone, name string) (string, []dns.RR) {
	if m.Authoritative || len(m.Answer) > 0 || m.Rcode != dns.RcodeSuccess {
		return "", nil
	}
	var ns []dns.RR
	cut := ""
	for _, rr := range m.Ns {
		owner := strings.ToLower(rr.Header().Name)
		if rr.Header().Rrtype == dns.TypeNS && owner != zone && dns.IsSubDomain(zone, owner) && dns.IsSubDomain(owner, name) {
			cut, ns = owner, append(ns, rr)
		}
	}
	return cut, ns
}

// addresses returns the addresses of a zone's servers: from glue, from the
// cache, or resolved, unless the way there leads through these very servers.
func (r *recursor) addresses(zone string, ns, glue []dns.RR, budget *int) []netip.Addr {
	var list []netip.Addr
	for _, rr := range ns {
		server, ok := rr.(*dns.NS)
		if !ok {
			continue
		}
		host := strings.ToLower(server.Ns)
		found := addressesIn(glue, host)
		if len(found) == 0 && !dns.IsSubDomain(zone, host) {
			found = addressesIn(r.resolve(host, dns.TypeA, budget).answer, "")
		} else if c := r.get(dns.Question{Name: host, Qtype: dns.TypeA}); len(found) == 0 && c != nil {
			found = addressesIn(c.answer, host)
		}
		list = append(list, found...)
	}
	return list
}

func addressesIn(rrs []dns.RR, host string) []netip.Addr {
	var list []netip.Addr
	for _, rr := range rrs {
		if a, ok := rr.(*dns.A); ok && (host == "" || strings.EqualFold(a.Hdr.Name, host)) {
			if ip, ok := netip.AddrFromSlice(a.A.To4()); ok {
				list = append(list, ip)
			}
		}
	}
	return list
}
