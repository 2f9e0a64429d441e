package dnssec

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// ask answers a question as an authoritative server with DO=1 would.
func (z *testZone) ask(t testing.TB, qname string, qtype uint16) *dns.Msg {
	t.Helper()
	n, ok := parseName(qname)
	if !ok {
		t.Fatalf("%q", qname)
	}
	m := new(dns.Msg)
	m.SetQuestion(n.String(), qtype)
	m.Response, m.Authoritative = true, true
	if cut, ok := z.cut(n); ok && (n.wire != cut.wire || qtype != dns.TypeDS) {
		m.Authoritative = false
		m.Ns = slices.Clone(z.sets[cut.wire][dns.TypeNS])
		if z.sets[cut.wire][dns.TypeDS] != nil {
			m.Ns = append(m.Ns, z.with(cut, dns.TypeDS)...)
		} else {
			z.denyExact(m, cut)
		}
		return m
	}
	for i := len(z.name.labels); i < len(n.labels); i++ { // a DNAME above
		if d := z.sets[n.last(i).wire][dns.TypeDNAME]; d != nil {
			m.Answer = z.with(n.last(i), dns.TypeDNAME)
			target, _ := parseName(d[0].(*dns.DNAME).Target)
			m.Answer = append(m.Answer, &dns.CNAME{
				Hdr:    dns.RR_Header{Name: n.String(), Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: d[0].Header().Ttl},
				Target: wireName(n.wire[:len(n.wire)-len(n.last(i).wire)] + target.wire).String(),
			})
			return m
		}
	}
	source := n
	if !z.exists(n) {
		source = z.encloser(n).wildcard()
		if !z.exists(source) {
			m.Rcode = dns.RcodeNameError
			z.soa(m)
			z.denyName(m, n)
			z.denyName(m, source)
			return m
		}
	}
	for _, typ := range []uint16{qtype, dns.TypeCNAME} {
		if z.sets[source.wire][typ] == nil {
			continue
		}
		for _, rr := range z.with(source, typ) {
			rr = dns.Copy(rr)
			rr.Header().Name = n.String()
			m.Answer = append(m.Answer, rr)
		}
		if source.wire != n.wire {
			z.denyName(m, n)
		}
		return m
	}
	z.soa(m)
	if source.wire != n.wire {
		z.denyName(m, n)
	}
	z.denyExact(m, source)
	return m
}

func (z *testZone) soa(m *dns.Msg) { m.Ns = append(m.Ns, z.with(z.name, dns.TypeSOA)...) }

// put adds a set to the authority section once.
func (z *testZone) put(m *dns.Msg, set []dns.RR) {
	if len(set) > 0 && !slices.Contains(m.Ns, set[0]) {
		m.Ns = append(m.Ns, set...)
	}
}

// denyExact adds the record of a name that exists.
func (z *testZone) denyExact(m *dns.Msg, n name) {
	if z.nsec3 != nil {
		h := z.hashOwner(n)
		if set := z.with(h, dns.TypeNSEC3); len(set) > 0 {
			z.put(m, set)
			return
		}
		z.denyName(m, n) // in an opt-out span
		return
	}
	if z.sets[n.wire][dns.TypeNSEC] != nil {
		z.put(m, z.with(n, dns.TypeNSEC))
		return
	}
	z.denyName(m, n) // an empty non-terminal
}

// denyName adds what covers a name; with NSEC3 the closest encloser proof.
func (z *testZone) denyName(m *dns.Msg, n name) {
	if z.nsec3 == nil {
		cover := z.chain[len(z.chain)-1]
		for _, o := range z.chain {
			if o.compare(n) < 0 {
				cover = o
			}
		}
		z.put(m, z.with(cover, dns.TypeNSEC))
		return
	}
	for i := 1; i <= len(n.labels)-len(z.name.labels); i++ {
		h := z.hashOwner(n.up(i))
		if z.sets[h.wire] != nil {
			z.put(m, z.with(h, dns.TypeNSEC3))
			z.put(m, z.cover3(n.up(i-1)))
			return
		}
	}
}

func (z *testZone) hashOwner(n name) name {
	h, _ := parseName(strings.ToLower(dns.HashName(n.String(), dns.SHA1, z.nsec3.iterations, z.nsec3.salt)) + "." + strings.TrimPrefix(z.name.String(), "."))
	return h
}

func (z *testZone) cover3(n name) []dns.RR {
	h := z.hashOwner(n)
	var first, cover name
	for owner, types := range z.sets {
		if types[dns.TypeNSEC3] == nil {
			continue
		}
		o := wireName(owner)
		if first.wire == "" || o.compare(first) > 0 {
			first = o // the last one covers what is before all others
		}
		if o.compare(h) < 0 && (cover.wire == "" || o.compare(cover) > 0) {
			cover = o
		}
	}
	if cover.wire == "" {
		cover = first
	}
	return z.with(cover, dns.TypeNSEC3)
}
