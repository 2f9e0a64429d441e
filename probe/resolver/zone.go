package resolver

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
)

const (
	maxServers   = 13 // name servers of a zone that are asked
	maxAddresses = 2  // addresses of one server and family that are asked
)

// A zone is a zone as its parent delegates it. Those of a look live in the look;
// the root and top-level ones in the resolver.
type zone struct {
	name   string
	parent *zone // nil: the root
	// registry is set for the root, top-level zones and public suffixes, whose
	// servers are not all asked.
	registry bool
	servers  []*server
	ttl      int // of the delegation at the parent
	// referral is the message that delegated the zone, with DS or the proof that
	// there is none; nil where parent and child are on the same servers.
	referral *dns.Msg
	trust    once[*trust]
	ds       once[delegated]
	resolver string    // where a recursive resolver is asked about the zone
	kept     bool      // in the resolver's cache
	until    time.Time // when it leaves the cache
}

// A server is a name server of a delegation.
type server struct {
	name string
	glue []netip.Addr
	// rtt is the smoothed round-trip time of each glue address in microseconds,
	// 0 while unknown. It is kept for root and top-level servers only.
	rtt []atomic.Int64
}

// newZone makes a zone of an NS set. Addresses are taken from glue records that
// the zone which was asked may speak of; they are dialled, and answer nothing.
func newZone(name string, parent *zone, ns, extra []dns.RR) *zone {
	z := &zone{name: name, parent: parent, ttl: -1}
	for _, rr := range ns {
		r, ok := rr.(*dns.NS)
		if !ok || r.Hdr.Name != name {
			continue
		}
		if z.ttl < 0 || int(r.Hdr.Ttl) < z.ttl {
			z.ttl = int(r.Hdr.Ttl)
		}
		host := strings.ToLower(r.Ns)
		if len(z.servers) == maxServers || slices.ContainsFunc(z.servers, func(s *server) bool { return s.name == host }) {
			continue
		}
		z.servers = append(z.servers, &server{name: host})
	}
	for _, s := range z.servers {
		if parent == nil || within(parent.name, s.name) {
			s.glue = glue(extra, s.name)
		}
		s.rtt = make([]atomic.Int64, len(s.glue))
	}
	slices.SortFunc(z.servers, func(a, b *server) int { return cmp.Compare(a.name, b.name) })
	return z
}

// glue collects the addresses of a host, at most maxAddresses of each family.
func glue(extra []dns.RR, host string) []netip.Addr {
	var list []netip.Addr
	for _, rr := range extra {
		if rr.Header().Name != host {
			continue
		}
		if a, ok := address(rr); ok {
			list = append(list, a)
		}
	}
	return bounded(list)
}

// address is the address that an A or AAAA record holds.
func address(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		a, ok := netip.AddrFromSlice(rr.A)
		return a.Unmap(), ok
	case *dns.AAAA:
		return netip.AddrFromSlice(rr.AAAA)
	}
	return netip.Addr{}, false
}

// bounded sorts addresses, drops repeated ones and keeps maxAddresses of each family.
func bounded(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	count := [2]int{}
	return slices.DeleteFunc(slices.Compact(list), func(a netip.Addr) bool {
		family := 0
		if a.Is6() {
			family = 1
		}
		count[family]++
		return count[family] > maxAddresses
	})
}

// heard remembers how long an address took, where the zone is kept; silence
// counts as a whole try.
func (z *zone) heard(got *reply, try time.Duration) {
	if !z.kept || got.stopped {
		return
	}
	address, rtt := got.address, got.rtt
	if got.msg == nil {
		rtt = try
	}
	for _, s := range z.servers {
		for i, a := range s.glue {
			if a == address {
				old, now := s.rtt[i].Load(), max(rtt.Microseconds(), 1)
				if old != 0 {
					now = (3*old + now) / 4
				}
				s.rtt[i].Store(now)
			}
		}
	}
}

// evidence lists the servers of the delegation.
func (z *zone) evidence(l *Look) []evidence.DNSServer {
	list := make([]evidence.DNSServer, len(z.servers))
	for i, s := range z.servers {
		list[i].Name = plain(s.name)
		found := addresses{list: s.glue}
		if len(s.glue) == 0 {
			found, _ = l.host(s.name).peek()
		}
		list[i].Problem = found.problem
		for _, a := range found.list {
			list[i].Addresses = append(list[i].Addresses, a.String())
		}
	}
	return list
}

// addresses are those of a host, or why it has none.
type addresses struct {
	list    []netip.Addr
	problem string
}
