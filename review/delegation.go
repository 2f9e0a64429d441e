package review

import (
	"slices"

	"assay/cause"
	"assay/evidence"
)

// delegationRules are about the way from the registry to the servers of the
// zone: is the domain registered, do its servers answer, do the registry and
// the zone agree which they are.
var delegationRules = []rule{
	{
		causes: []cause.ID{cause.DNSDomainNotRegistered, cause.DNSDelegationBroken, cause.DNSServerError},
		needs:  needLook | needNames, run: eachTarget(zoneSilent),
	},
	{causes: []cause.ID{cause.DNSDelegationInconsistent}, needs: needLook | needNames, run: eachZone(delegationInconsistent)},
	{causes: []cause.ID{cause.DNSDelegationInconsistent}, needs: needLook | needNames, run: eachTarget(cutInconsistent)},
}

// apexQuestion asks every server of the zone of a domain for the NS set that the
// zone itself has.
func apexQuestion(domain string) evidence.DNSQuestion {
	return evidence.DNSQuestion{Name: domain, Type: "NS", Apex: true, Each: true}
}

// apex is the NS or SOA record at the apex of the zone that a link is in, from
// every server. The NS sets of the order's domains are asked for from the
// beginning.
func (f *facts) apex(l *evidence.DNSLink, typ string) *sight {
	if l == nil {
		return &sight{}
	}
	q := apexQuestion(f.domainOf(l.Owner))
	if seen := f.dns[dnsKey{f.primary().ID, q}]; seen != nil && seen.o.DNS != nil && seen.o.DNS.Asked == l.Zone {
		q.Type = typ
		return f.resolve(f.primary(), q)
	}
	return f.probe(evidence.DNSQuestion{Name: l.Owner, Type: typ, Apex: true, Each: true})
}

// zoneSilent: no server gives a usable answer to the deciding question, or the
// registry knows no such domain.
func zoneSilent(f *facts, s *sink, t *target) {
	z := f.here(t)
	switch z.state {
	case answered:
		notRegistered(f, s, t, z)
	case unanswered:
		l := z.last()
		if f.answeredElsewhere(t) || protocolFault(l) != "" {
			return // dns.blocked-by-region, dns.protocol-defect
		}
		apex := f.apex(l, "NS")
		switch {
		case apex.state == unseen:
		case apex.state == answered && slices.ContainsFunc(copiesOf(apex), func(c evidence.DNSCopy) bool { return usable(&c) }):
			serverError(f, s, t, z, l)
		default:
			delegationBroken(s, t, z, apex, l)
		}
	}
}

func copiesOf(z *sight) []evidence.DNSCopy {
	if l := z.last(); l != nil {
		return l.Copies
	}
	return nil
}

// notRegistered: the servers of a zone above the registrable domain deny it.
func notRegistered(f *facts, s *sink, t *target, z *sight) {
	l := z.first()
	if l == nil || z.a.Status != "NXDOMAIN" || len(z.chain()) > 1 || l.Zone == t.domain || !below(t.domain, l.Zone) {
		return
	}
	domain := f.probe(evidence.DNSQuestion{Name: t.domain, Type: "SOA"})
	if domain.state != answered || domain.a.Status != "NXDOMAIN" || domain.zone() != l.Zone || !s.once(cause.DNSDomainNotRegistered, t.subject) {
		return
	}
	s.addTarget(cause.DNSDomainNotRegistered, t).with("domain", t.domain).with("parent", l.Zone).
		with("rcode", "NXDOMAIN").seenBy(z, domain).reproduce(digOne(l, t.domain, "NS"))
}

// registered reports whether nothing says that the registry knows no such
// domain: then a missing record is one of the domain's own.
func (f *facts) registered(t *target, z *sight) bool {
	l := z.first()
	return l == nil || l.Zone == t.domain || !below(t.domain, l.Zone)
}

func delegationBroken(s *sink, t *target, z, apex *sight, l *evidence.DNSLink) {
	if !s.once(cause.DNSDelegationBroken, t.subject, l.Zone) {
		return
	}
	s.addTarget(cause.DNSDelegationBroken, t).with("zone", l.Zone).with("servers", serverNames(l)).
		with("problem", brokenHow(l)).with("results", resultsOf(l)).
		seenBy(z, apex).reproduce(digAll(l, l.Zone, "SOA")...)
}

// brokenHow names what the servers have in common, a word of the texts' phrases.
func brokenHow(l *evidence.DNSLink) string {
	if !slices.ContainsFunc(l.Servers, func(s evidence.DNSServer) bool { return len(s.Addresses) > 0 }) && len(l.Copies) == 0 {
		return "no-address"
	}
	how := ""
	for i := range l.Copies {
		word := ""
		switch c := &l.Copies[i]; statusOf(c) {
		case "guard":
			word = "reserved-address"
		case "timeout", "unreachable", "refused-connection", "reset":
			word = "timeout"
		case "REFUSED":
			word = "refused"
		case "AA=0":
			word = "not-authoritative"
		case "SERVFAIL":
			word = "server-failure"
		default:
			if c.Unknown != "" {
				continue
			}
			word = "mixed"
		}
		if how != "" && how != word {
			return "mixed"
		}
		how = word
	}
	if how == "" {
		return "mixed"
	}
	return how
}

// resultsOf is a line for each server and address: what it did.
func resultsOf(l *evidence.DNSLink) []string {
	var rows []string
	for i := range l.Copies {
		c := &l.Copies[i]
		status := statusOf(c)
		if c.Unknown != "" {
			status = c.Unknown
		}
		rows = append(rows, at(c)+": "+status)
	}
	for i := range l.Servers {
		if sv := &l.Servers[i]; len(sv.Addresses) == 0 && sv.Problem != "" {
			rows = append(rows, sv.Name+": "+sv.Problem)
		}
	}
	return rows
}

// eachZone runs a rule for the zone of each registrable domain of the order, for
// the first of its names.
func eachZone(rule func(f *facts, s *sink, t *target, apex *sight)) func(*facts, *sink) {
	return func(f *facts, s *sink) {
		done := map[string]bool{}
		for _, t := range f.targets() {
			if done[t.domain] {
				continue
			}
			done[t.domain] = true
			apex := f.probe(apexQuestion(t.domain))
			if l := apex.last(); l != nil && below(l.Zone, t.domain) {
				rule(f, s, t, apex)
			}
		}
	}
}

// delegationInconsistent: the registry and the zone name different servers, or
// some of them give no usable answer while others do.
func delegationInconsistent(f *facts, s *sink, t *target, apex *sight) {
	if apex.state != answered {
		return
	}
	l := apex.last()
	parent, own := serverNames(l), valuesOf(recordsAt(apex.a.Answer, apex.asked(), "NS"))
	slices.Sort(own)
	own = slices.Compact(own)
	rows := f.deadRows(l)
	differ := len(l.Servers) > 0 && len(own) > 0 && !slices.Equal(parent, own)
	if !differ && len(rows) == 0 {
		return
	}
	d := s.addTarget(cause.DNSDelegationInconsistent, t).with("zone", l.Zone).with("results", rows).seenBy(apex)
	if differ {
		d.with("parent_servers", parent).with("zone_servers", own)
	}
	d.reproduce(digAll(l, l.Zone, "NS")...)
}

// cutInconsistent: some servers of a zone that the domain delegates further, and
// the record is in, give no usable answer. The domain's own zone is looked at
// as a whole.
func cutInconsistent(f *facts, s *sink, t *target) {
	z := f.here(t)
	if z.state != answered && z.state != endless {
		return
	}
	l := z.first()
	apex := f.probe(apexQuestion(t.domain)).last()
	if l == nil || apex == nil || l.Zone == apex.Zone || !below(l.Zone, t.domain) || !s.once(cause.DNSDelegationInconsistent, l.Zone) {
		return
	}
	if rows := f.deadRows(l); len(rows) > 0 {
		s.addTarget(cause.DNSDelegationInconsistent, t).with("zone", l.Zone).with("results", rows).
			seenBy(z).reproduce(digAll(l, l.Zone, "NS")...)
	}
}

// deadRows are the servers of a zone that gave no usable answer, to the question
// for its name servers or to one that decides, though others did.
func (f *facts) deadRows(l *evidence.DNSLink) []string {
	var rows []string
	dead := map[string]bool{}
	collect := func(l *evidence.DNSLink) {
		copies := l.Copies
		if !slices.ContainsFunc(copies, func(c evidence.DNSCopy) bool { return usable(&c) }) {
			return
		}
		for i := range copies {
			if c := &copies[i]; failed(c) && !refersDown(c, l) && !dead[c.Address] {
				dead[c.Address] = true
				rows = append(rows, at(c)+": "+statusOf(c))
			}
		}
	}
	collect(l)
	for _, z := range f.deciding() {
		if z.a == nil {
			continue
		}
		for i := range z.a.Links {
			if z.a.Links[i].Zone == l.Zone {
				collect(&z.a.Links[i])
			}
		}
	}
	for i := range l.Servers {
		if sv := &l.Servers[i]; len(sv.Addresses) == 0 {
			rows = append(rows, sv.Name+": "+orWord(sv.Problem, "no address"))
		}
	}
	return rows
}

// deciding are all looks of the primary place that decide.
func (f *facts) deciding() []*sight {
	var list []*sight
	for _, t := range f.targets() {
		list = append(list, f.here(t))
	}
	for i := range f.names {
		if n := &f.names[i]; n.same == i && f.lookable(n) {
			list = append(list, f.caaOf(n).steps...)
		}
	}
	return list
}

func orWord(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
