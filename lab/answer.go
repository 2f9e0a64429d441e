package lab

import (
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxChain is how many CNAME and DNAME steps an authority follows in its own
// zones, as BIND does (max-restarts).
const maxChain = 11

// An answering is the work on one answer. It follows RFC 1034 4.3.2 with the
// additions for wildcards (RFC 4592), DNAME (RFC 6672), NSEC (RFC 4035 3.1) and
// NSEC3 (RFC 5155 7.2).
type answering struct {
	zones  map[string]*zone // by origin: all that the server has
	qtype  uint16
	dnssec bool
	m      *dns.Msg
	denied []*link // in the authority section already
}

// answer fills in the sections, the AA bit and the response code of m.
func answer(zones map[string]*zone, m *dns.Msg, name string, qtype uint16, dnssec bool) {
	a := &answering{zones: zones, qtype: qtype, dnssec: dnssec, m: m}
	seen := []string{}
	for step := 0; ; step++ {
		z := a.zoneOf(name)
		switch {
		case z == nil && step == 0:
			m.Rcode = dns.RcodeRefused
			return
		case z == nil:
			return
		case z.soa == nil:
			m.Rcode, m.Authoritative = dns.RcodeServerFailure, false
			return
		}
		seen = append(seen, name)
		name = a.within(z, name, step)
		if name == "" || step >= maxChain || slices.Contains(seen, name) {
			return
		}
	}
}

// zoneOf returns the deepest zone that holds the name; for DS the one above a
// zone cut, where the server has it (RFC 4035 3.1.4.1).
func (a *answering) zoneOf(name string) *zone {
	at := name
	if a.qtype == dns.TypeDS && name != "." {
		if z := zoneAbove(a.zones, parent(name)); z != nil {
			return z
		}
	}
	return zoneAbove(a.zones, at)
}

// zoneAbove returns the deepest zone at or above a name.
func zoneAbove(zones map[string]*zone, name string) *zone {
	for at := name; ; at = parent(at) {
		if z, ok := zones[at]; ok {
			return z
		}
		if at == "." {
			return nil
		}
	}
}

// within answers from one zone. It returns the name to go on with, "" at the end.
func (a *answering) within(z *zone, name string, step int) string {
	// Walk down from the apex as far as names exist.
	encloser := z.origin
	for _, at := range below(z.origin, name) {
		n := z.nodes[encloser]
		if n.has(dns.TypeDNAME) {
			return a.dname(z, encloser, name)
		}
		if z.nodes[at] == nil {
			break
		}
		encloser = at
		if z.nodes[at].has(dns.TypeNS) && (at != name || a.qtype != dns.TypeDS) {
			a.referral(z, at, step)
			return ""
		}
	}
	a.m.Authoritative = a.m.Authoritative || step == 0
	if encloser == name {
		return a.node(z, z.nodes[name], name, name, "")
	}
	if n := z.nodes[wildcard(encloser)]; n != nil {
		return a.node(z, n, wildcard(encloser), name, encloser)
	}
	a.m.Rcode = dns.RcodeNameError
	a.negative(z)
	if a.signed(z) {
		a.deny(z, z.chain().nameError(name, encloser))
	}
	return ""
}

// below lists the names from one label below origin down to name.
func below(origin, name string) []string {
	var list []string
	for at := name; at != origin; at = parent(at) {
		list = append(list, at)
	}
	slices.Reverse(list)
	return list
}

// node answers from the records of a name, or of a wildcard that stands in for
// it; encloser is set for a wildcard.
func (a *answering) node(z *zone, n *node, owner, name, encloser string) string {
	if encloser != "" && a.signed(z) {
		defer func() {
			if a.m.Rcode == dns.RcodeSuccess && len(a.m.Answer) > 0 && !a.noData(n) {
				a.deny(z, z.chain().expanded(name, encloser))
			}
		}()
	}
	switch {
	case a.qtype == dns.TypeANY:
		for _, t := range types(n) {
			a.give(z, n.sets[t], name)
		}
		if len(n.sets) > 0 {
			return ""
		}
	case a.qtype == dns.TypeRRSIG && z.keys != nil && len(n.sets) > 0:
		for _, t := range types(n) {
			a.m.Answer = append(a.m.Answer, renamed(z.signatures(n.sets[t]), name)...)
		}
		return ""
	case a.qtype == dns.TypeNSEC && a.signed(z) && z.keys.signing.NSEC3 == nil:
		if l := z.chain().match(owner); l != nil {
			a.give(z, l.set, name)
			return ""
		}
	case n.has(a.qtype):
		a.give(z, n.sets[a.qtype], name)
		return ""
	case n.has(dns.TypeCNAME):
		a.give(z, n.sets[dns.TypeCNAME], name)
		return strings.ToLower(n.sets[dns.TypeCNAME].rrs[0].(*dns.CNAME).Target)
	}
	a.negative(z)
	if a.signed(z) {
		if encloser != "" {
			a.deny(z, z.chain().expandedNoData(name, encloser))
		} else {
			a.deny(z, z.chain().noData(name))
		}
	}
	return ""
}

// noData reports whether a node has neither the type asked nor a CNAME.
func (a *answering) noData(n *node) bool {
	return !n.has(a.qtype) && !n.has(dns.TypeCNAME) && (a.qtype != dns.TypeANY || len(n.sets) == 0)
}

func types(n *node) []uint16 {
	list := make([]uint16, 0, len(n.sets))
	for t := range n.sets {
		list = append(list, t)
	}
	slices.Sort(list)
	return list
}

func (a *answering) signed(z *zone) bool { return a.dnssec && z.keys != nil }

// give puts a set into the answer section, under the name asked.
func (a *answering) give(z *zone, s *set, name string) {
	a.m.Answer = append(a.m.Answer, renamed(s.rrs, name)...)
	if a.dnssec {
		a.m.Answer = append(a.m.Answer, renamed(z.signatures(s), name)...)
	}
}

// renamed returns records under another owner where it differs (a wildcard).
func renamed(rrs []dns.RR, name string) []dns.RR {
	if len(rrs) == 0 || rrs[0].Header().Name == name {
		return rrs
	}
	list := make([]dns.RR, len(rrs))
	for i, rr := range rrs {
		list[i] = dns.Copy(rr)
		list[i].Header().Name = name
	}
	return list
}

// dname answers with a DNAME and the CNAME that follows from it.
func (a *answering) dname(z *zone, owner, name string) string {
	s := z.nodes[owner].sets[dns.TypeDNAME]
	d := s.rrs[0].(*dns.DNAME)
	a.m.Authoritative = a.m.Authoritative || len(a.m.Answer) == 0
	a.give(z, s, owner)
	target := strings.TrimSuffix(name, owner) + strings.TrimPrefix(strings.ToLower(d.Target), ".")
	if _, ok := dns.IsDomainName(target); !ok {
		a.m.Rcode = dns.RcodeYXDomain
		return ""
	}
	a.m.Answer = append(a.m.Answer, &dns.CNAME{
		Hdr:    dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: d.Hdr.Ttl},
		Target: target,
	})
	if a.qtype == dns.TypeCNAME {
		return ""
	}
	return target
}

// referral gives the servers of a zone below, what is known of its DS, and glue.
func (a *answering) referral(z *zone, cut string, step int) {
	n := z.nodes[cut]
	ns := n.sets[dns.TypeNS]
	a.m.Ns = append(a.m.Ns, ns.rrs...)
	if step == 0 {
		a.m.Authoritative = false
	}
	if a.signed(z) {
		if s := n.sets[dns.TypeDS]; s != nil {
			a.m.Ns = append(append(a.m.Ns, s.rrs...), z.signatures(s)...)
		} else {
			a.deny(z, z.chain().noData(cut))
		}
	}
	for _, rr := range ns.rrs {
		host := z.nodes[strings.ToLower(rr.(*dns.NS).Ns)]
		for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
			if host.has(t) {
				a.m.Extra = append(a.m.Extra, host.sets[t].rrs...)
			}
		}
	}
}

// negative puts the SOA record into the authority section, with the TTL that
// the denial has (RFC 2308 3).
func (a *answering) negative(z *zone) {
	s := z.nodes[z.origin].sets[dns.TypeSOA]
	soa := dns.Copy(z.soa)
	soa.Header().Ttl = min(z.soa.Hdr.Ttl, z.soa.Minttl)
	a.m.Ns = append(a.m.Ns, soa)
	if a.dnssec {
		for _, sig := range z.signatures(s) {
			sig = dns.Copy(sig)
			sig.Header().Ttl = soa.Header().Ttl
			a.m.Ns = append(a.m.Ns, sig)
		}
	}
}

// deny adds links of the chain to the authority section, each once.
func (a *answering) deny(z *zone, links []*link) {
	if z.keys.signing.NoDenial {
		return
	}
	for _, l := range links {
		if l == nil || slices.Contains(a.denied, l) {
			continue
		}
		a.denied = append(a.denied, l)
		a.m.Ns = append(append(a.m.Ns, l.set.rrs...), z.signatures(l.set)...)
	}
}
