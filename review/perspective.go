package review

import (
	"net/netip"
	"slices"

	"assay/cause"
	"assay/evidence"
)

// perspectiveRules are about the primary place itself. How many of the others
// must agree is in quorum.go.
var perspectiveRules = []rule{
	{causes: []cause.ID{cause.PerspectiveUnavailable}, needs: needNames, run: cannotLook},
	{causes: []cause.ID{cause.PerspectiveInsideTarget}, needs: needLook | needNames, run: eachTarget(insideTarget)},
}

// unavailable is the finding that the primary place could not look: one,
// however much it could not look at.
func (f *facts) unavailable(s *sink, problem, detail string) *draft {
	place := f.primary().ID
	for _, d := range s.drafts {
		if d.Cause != cause.PerspectiveUnavailable || d.Subject != place {
			continue
		}
		if d.Parameters["problem"] == "self-test-failed" && problem == "resolver-failed" {
			d.with("problem", problem).with("error", shorten(detail)) // the rest follows from it
		}
		return d
	}
	return s.add(cause.PerspectiveUnavailable, place).
		with("perspective", place).with("problem", problem).with("error", shorten(detail))
}

// cannotLook: what decides could not be asked for a reason that lies with us.
// That is unknown, never a finding about the target.
func cannotLook(f *facts, s *sink) {
	if f.scope != ScopeNetwork {
		return
	}
	if len(f.places) == 0 {
		s.add(cause.PerspectiveUnavailable, "P0").with("perspective", "P0").with("problem", "no-reply")
		return
	}
	for _, t := range f.targets() {
		f.blindTo(s, t.subject, f.here(t))
		if t.address {
			f.blindTo(s, t.subject, f.ipv6(t))
		}
		f.blindToServers(s, t)
		f.deafResolver(s, t)
	}
	f.blindToHandshakes(s)
	for i := range f.names {
		n := &f.names[i]
		if n.same != i || !f.lookable(n) {
			continue
		}
		for _, step := range f.caaOf(n).steps {
			f.blindTo(s, n.subject(), step)
		}
	}
}

// blindTo reports one look that decides and could not be had.
func (f *facts) blindTo(s *sink, subject string, z *sight) {
	switch z.state {
	case blind:
	case unseen:
		if f.wanted != nil {
			return
		}
		z.why = "not asked"
	default:
		return
	}
	place := f.primary()
	problem, detail := "self-test-failed", z.why
	if place.Lacks("resolver") {
		problem = "resolver-failed"
	}
	for _, m := range place.Missing {
		detail += "; " + m.What
		if m.Detail != "" {
			detail += " (" + m.Detail + ")"
		}
	}
	f.unavailable(s, problem, detail).with("name", subject).seenBy(z)
}

// blindToServers: servers of the zone at none of whose addresses could be asked
// from here. Where every server must have the record, that is unknown.
func (f *facts) blindToServers(s *sink, t *target) {
	z := f.here(t)
	if t.value == "" || t.address || z.state != answered {
		return
	}
	if !z.direct() {
		if f.profile.DNS.EveryServer {
			f.unavailable(s, "self-test-failed", "port 53: the name servers cannot be asked one by one").
				with("name", t.subject).seenBy(z)
		}
		return
	}
	l := z.last()
	asked, gap := map[string]bool{}, map[string]string{}
	for i := range l.Copies {
		if c := &l.Copies[i]; c.Unknown == "" {
			asked[c.Server] = true
		} else {
			gap[c.Server] = c.Unknown
		}
	}
	for _, server := range serverNames(l) {
		if gap[server] != "" && !asked[server] && f.profile.DNS.EveryServer {
			f.unavailable(s, "self-test-failed", gap[server]+": "+server).with("name", t.subject).seenBy(z)
		}
	}
}

// deafResolver: the servers have the record, and the resolver that decides here
// does not answer.
func (f *facts) deafResolver(s *sink, t *target) {
	r := f.remembered(t)
	if r == nil || r.state == unseen || f.stands(t, r) != blocked {
		return
	}
	detail := f.primary().Resolver
	if r.a != nil {
		detail += ": " + r.a.Status
	}
	f.unavailable(s, "resolver-failed", detail).with("name", t.subject).seenBy(r)
}

// insideTarget: the name points to this machine itself, or the resolver of this
// place gives another address than the domain's own servers, and one that is not
// public (split DNS).
func insideTarget(f *facts, s *sink, t *target) {
	place := f.primary()
	if !t.address {
		return
	}
	if own, sights := f.ownAddresses(t); len(own) > 0 {
		s.addTarget(cause.PerspectiveInsideTarget, t).with("perspective", place.ID).with("problem", "own-address").
			with("addresses", own).seenBy(sights...).reproduce(digOne(sights[0].first(), t.owner, sights[0].typ))
		return
	}
	if place.Resolver == "" {
		return
	}
	r, z := f.here(t), f.probe(evidence.DNSQuestion{Name: t.owner, Type: "A"})
	inside, outside := valuesOf(r.records()), valuesOf(z.records())
	if z.state != answered || r.state != answered || equalSets(inside, outside) || !z.direct() {
		return
	}
	if _, reserved, _ := f.sortAddresses(r.records()); len(reserved) > 0 {
		s.addTarget(cause.PerspectiveInsideTarget, t).with("perspective", place.ID).with("problem", "split-dns").
			with("seen", inside).with("answers", outside).seenBy(z, r).
			reproduce(digResolver(place.Resolver, t.owner, "A"), digOne(z.first(), t.owner, "A"))
	}
}

// ownAddresses are the addresses of a name that belong to the machine that
// looks, and the looks that gave them.
func (f *facts) ownAddresses(t *target) (own []string, sights []*sight) {
	if len(f.primary().Own) == 0 {
		return nil, nil
	}
	for _, z := range []*sight{f.ipv6(t), f.here(t)} {
		for _, address := range valuesOf(z.records()) {
			if a, err := netip.ParseAddr(address); err == nil && slices.Contains(f.primary().Own, a.String()) {
				own = append(own, a.String())
				sights = append(sights, z)
			}
		}
	}
	return own, sights
}

// inside reports whether the place that is looked from belongs to a name, so
// that it cannot tell how the internet sees it.
func (f *facts) inside(subject string) (*sight, bool) {
	for _, t := range f.targets() {
		if t.address && t.subject == subject {
			if own, sights := f.ownAddresses(t); len(own) > 0 {
				return sights[0], true
			}
		}
	}
	return nil, false
}
