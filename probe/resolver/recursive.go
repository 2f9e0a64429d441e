package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/probe/dnssec"
)

// recursive puts a question to a recursive resolver with CD=1 and validates what
// it says with keys that the same resolver gives, from the anchor down. Its AD
// bit counts for nothing.
func (l *Look) recursive(ctx context.Context, a *asked) (*evidence.DNSAnswer, string) {
	name := a.name
	if a.apex {
		name = l.apexVia(ctx, a.resolver, name)
		a.asked = plain(name)
	}
	q := query{name: name, qtype: a.qtype, recurse: true, plain: a.plain, tcp: a.tcp, subnet: a.subnet}
	got := l.recurse(ctx, a.resolver, q)
	if got.unknown != "" {
		return nil, got.unknown
	}
	answer := got.answer()
	if got.failed() {
		return answer, ""
	}
	links, status := l.chainVia(ctx, a.resolver, got, name, a.qtype)
	if status != "" {
		answer.Status = status
	}
	if len(l.r.anchors) > 0 {
		answer.Answer = nil // only what was validated
		for _, k := range links {
			answer.Answer = append(answer.Answer, k.records(got.msg)...)
		}
		sortRecords(answer.Answer)
	}
	for _, k := range links {
		e := k.evidence(l)
		answer.Security = weakest(answer.Security, e.Security)
		answer.Links = append(answer.Links, e)
	}
	if answer.Status == "bogus" {
		answer.Answer, answer.Authority = nil, nil
		answer.Links[len(links)-1].Copies = copies([]*reply{got}, "")
	}
	return answer, ""
}

// chainVia validates a response link by link. The status is empty where the
// response code counts.
func (l *Look) chainVia(ctx context.Context, resolver string, got *reply, name string, qtype uint16) (links []*link, status string) {
	m := *got.msg
	m.Authoritative = true // for reading: a resolver speaks for all zones
	seen, via := map[string]bool{}, ""
	for {
		at := name
		if qtype == dns.TypeDS && name != "." {
			at = above(name)
		}
		k := &link{owner: name, via: via, qtype: qtype, zone: l.zoneVia(ctx, resolver, at), reading: read(&m, ".", name, qtype)}
		links = append(links, k)
		seen[name] = true
		k.trust = l.trustOf(ctx, k.zone)
		result, nothing := l.validate(ctx, k.zone, &m, name, qtype)
		if k.result = result; !nothing && result.State != dnssec.Secure && result.State != dnssec.Insecure {
			return links, "bogus"
		}
		if k.reading = k.reading.proven(result); k.reading.via == "" {
			return links, ""
		}
		name, via = k.reading.target, k.reading.via
		switch {
		case name == "":
			return links, "YXDOMAIN"
		case seen[name]:
			return links, "chain-loop"
		case len(links) > maxChain:
			return links, "chain-too-long"
		}
	}
}

// recurse puts a question to a resolver.
func (l *Look) recurse(ctx context.Context, resolver string, q query) *reply {
	if resolver == l.r.c.Resolver && l.r.lacks.Load().has("resolver") {
		return &reply{received: received{status: "not-asked"}, unknown: "no-resolver"}
	}
	if strings.HasPrefix(resolver, "https://") {
		return l.overHTTPS(ctx, resolver, q)
	}
	to, err := netip.ParseAddrPort(resolver)
	if err != nil {
		return &reply{unknown: fmt.Sprintf("resolver %q is neither an address with port nor an https URL", resolver)}
	}
	return l.put(ctx, &asking{
		reply: reply{address: to.Addr()}, q: q, pays: payer{domain: l.target(q.name)}, to: to, dialer: l.r.reaching(resolver),
	})
}

// apexVia finds the apex of the zone that a name is in: whose SOA record a
// resolver gives for it.
func (l *Look) apexVia(ctx context.Context, resolver, name string) string {
	got := l.recurse(ctx, resolver, query{name: name, qtype: dns.TypeSOA, recurse: true})
	if got.msg != nil {
		for _, section := range [][]dns.RR{got.msg.Answer, got.msg.Ns} {
			for _, rr := range section {
				if h := rr.Header(); h.Rrtype == dns.TypeSOA && within(h.Name, name) {
					return h.Name
				}
			}
		}
	}
	return name
}

// viaKey is a question to a resolver that look keeps while it lasts: for the
// keys and DS records of zones, never for an answer.
type viaKey struct {
	resolver, name string
	qtype          uint16
}

// maxVia is how many labels of a name are looked at for zone cuts.
const maxVia = 16

// zoneVia returns the deepest zone above a name that the chain of trust tells
// of, by the DS records that a resolver gives for each ancestor. All are asked
// for at once, and the keys of those that have some.
func (l *Look) zoneVia(ctx context.Context, resolver, name string) *zone {
	z := l.viaZone(resolver, nil, ".")
	if len(l.r.anchors) == 0 {
		return z
	}
	var names []string
	for ; name != "."; name = above(name) {
		names = append(names, name)
	}
	names = names[max(0, len(names)-maxVia):]
	for _, n := range append([]string{"."}, names...) {
		l.running.Go(func() { l.prefetch(ctx, resolver, n) })
	}
	for i := len(names) - 1; i >= 0; i-- {
		t := l.trustOf(ctx, z)
		child := l.viaZone(resolver, z, names[i])
		if t.state != signed {
			if t.state == "" && len(l.r.anchors[names[i]]) > 0 {
				z = child
				continue
			}
			if t.state == "" {
				continue
			}
			return z
		}
		got := l.delegationOf(ctx, child, z, t)
		if got.result.State == dnssec.Secure && len(got.ds) == 0 {
			if got.result.Found == dnssec.NXDomain {
				return z
			}
			continue // no zone of its own
		}
		z = child
	}
	return z
}

// prefetch asks for what validating a zone will need.
func (l *Look) prefetch(ctx context.Context, resolver, name string) {
	if name == "." {
		l.ask1(ctx, resolver, name, dns.TypeDNSKEY)
		return
	}
	if got := l.ask1(ctx, resolver, name, dns.TypeDS); got != nil && got.msg != nil {
		for _, rr := range got.msg.Answer {
			if h := rr.Header(); h.Rrtype == dns.TypeDS && h.Name == name {
				l.ask1(ctx, resolver, name, dns.TypeDNSKEY)
				return
			}
		}
	}
}

// ask1 asks a resolver for a zone's DS or DNSKEY, once in a look.
func (l *Look) ask1(ctx context.Context, resolver, name string, qtype uint16) *reply {
	key := viaKey{resolver, name, qtype}
	l.mu.Lock()
	o := l.said[key]
	if o == nil {
		o = new(once[*reply])
		l.said[key] = o
	}
	l.mu.Unlock()
	got, _ := o.get(ctx, &l.waits, func(ctx context.Context) *reply {
		got := l.recurse(ctx, resolver, query{name: name, qtype: qtype, recurse: true})
		if got.msg != nil {
			got.msg.Authoritative = true // for reading, not for evidence
		}
		return got
	})
	return got
}

// viaZone is a zone as a resolver tells of it.
func (l *Look) viaZone(resolver string, parent *zone, name string) *zone {
	key := viaKey{resolver: resolver, name: name}
	l.mu.Lock()
	defer l.mu.Unlock()
	z := l.via[key]
	if z == nil {
		z = &zone{name: name, parent: parent, resolver: resolver, registry: true}
		l.via[key] = z
	}
	return z
}

// delegationOf is delegation, once for a zone.
func (l *Look) delegationOf(ctx context.Context, z, above *zone, parent *trust) delegated {
	got, err := z.ds.get(ctx, &l.waits, func(ctx context.Context) (d delegated) {
		d.ds, d.ttl, d.result = l.delegation(ctx, z, above, parent)
		return d
	})
	if err != nil {
		got.result = missing(z).result
	}
	return got
}
