package review

import (
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
)

// regionRules compare places: they name the reason why one place sees what
// another does not. How many places must agree is the stage perspective's.
var regionRules = []rule{
	{causes: []cause.ID{cause.DNSBlockedByRegion}, needs: needLook | needNames, run: eachTarget(blockedByRegion)},
	{causes: []cause.ID{cause.DNSDiffersByRegion}, needs: needLook | needNames, run: eachTarget(differsByRegion)},
}

// answeredElsewhere reports whether another place gets an answer.
func (f *facts) answeredElsewhere(t *target) bool {
	found := false
	for i := range f.places[1:] {
		if s := f.sightOf(t, &f.places[i+1]).state; s == answered || s == bogus || s == endless {
			found = true
		}
	}
	return found
}

// blockedByRegion: the servers answer some places and not others.
func blockedByRegion(f *facts, s *sink, t *target) {
	var shut, open, away []string
	var results []string
	var sights []*sight
	var l *evidence.DNSLink
	for i := range f.places {
		place := &f.places[i]
		z := f.sightOf(t, place)
		switch z.state {
		case answered, bogus, endless:
			open = append(open, place.ID)
		case unanswered:
			l = z.last()
			shut = append(shut, place.ID)
			sights = append(sights, z)
			for _, row := range resultsOf(l) {
				results = append(results, place.ID+": "+row)
			}
		default:
			away = append(away, place.ID)
		}
	}
	if len(shut) == 0 || len(open) == 0 || !s.once(cause.DNSBlockedByRegion, t.subject, l.Zone) {
		return
	}
	if len(results) > 2*maxShown {
		results = results[:2*maxShown]
	}
	s.addTarget(cause.DNSBlockedByRegion, t, f.allowance(open, away...)...).
		with("owner", l.Owner).with("zone", l.Zone).with("type", t.typ).with("servers", serverNames(l)).
		with("perspectives", shut).with("passing", open).with("results", results).
		seenBy(sights...).reproduce(digAll(l, l.Owner, t.typ)...)
}

// differsByRegion: one and the same server gives the record to some places only.
func differsByRegion(f *facts, s *sink, t *target) {
	if t.value == "" || t.address {
		return
	}
	z := f.here(t)
	if z.state == unseen && f.asksSubnets() {
		// What they get is asked at the same time as what is seen from here.
		f.askedSubnets(func(subnet string) bool { f.ofSubnet(t, subnet); return false })
	}
	if z.state != answered {
		return
	}
	var with, without, away []string
	sights := map[string]*sight{}
	for i := range f.places {
		place := &f.places[i]
		seen := f.sightOf(t, place)
		switch {
		case seen.state == blind, seen.state == unseen:
			away = append(away, place.ID)
			continue
		case seen.state != answered && seen.state != endless:
			continue
		case f.matched(t, seen):
			with = append(with, place.ID)
		case len(f.split(t, seen).with) == 0:
			without = append(without, place.ID)
		}
		sights[place.ID] = seen
	}
	by := "source"
	if f.asksSubnets() {
		by = "subnet"
		with, without = f.subnetsDiffer(t, z, sights)
	} else if len(without) > 0 && len(with) == 0 {
		with = f.subnets(t, z)
		by = "subnet"
	} else if !f.sameServerDiffers(t, sights, with, without) {
		return
	}
	if len(with) == 0 || len(without) == 0 {
		return
	}
	conditions := f.allowance(with, away...)
	if f.asksSubnets() && with[0] == f.primary().ID {
		conditions = []string{"allowed"} // networks are no perspectives: nobody's quorum misses them
	}
	d := s.addTarget(cause.DNSDiffersByRegion, t, conditions...).record(t, z.zone()).
		with("perspectives", without).with("passing", with).with("by", by)
	if f.asksSubnets() {
		for _, id := range with {
			d.seenBy(sights[id])
		}
	}
	var answers []string
	for _, id := range without {
		d.seenBy(sights[id])
		if l := sights[id].last(); l != nil && len(l.Copies) > 0 {
			answers = append(answers, id+": "+answerOf(&l.Copies[0], l.Owner, t.typ))
		}
	}
	d.with("answers", answers)
	for _, name := range slices.Concat(with, without) {
		if by == "subnet" && strings.Contains(name, "/") {
			d.reproduce(dig(firstServer(z.first()), t.owner, t.typ, "+norec", "+subnet="+name))
			break
		}
	}
	d.reproduce(digAll(z.first(), t.owner, t.typ)...)
}

// sameServerDiffers reports whether one address gives the record at a place
// that has it and not at one that has not. Otherwise servers disagree, and
// places happen to be answered by different ones.
func (f *facts) sameServerDiffers(t *target, sights map[string]*sight, with, without []string) bool {
	gives := map[string]bool{}
	for _, id := range with {
		for _, c := range f.split(t, sights[id]).with {
			gives[c.Address] = true
		}
	}
	for _, id := range without {
		for _, c := range f.split(t, sights[id]).without {
			if gives[c.Address] {
				return true
			}
		}
		if sights[id].state == endless || !sights[id].direct() {
			return len(gives) > 0
		}
	}
	return false
}

// subnetsDiffer compares what the only place gets with what the same servers give
// it on behalf of clients elsewhere (RFC 7871). What they get is added to sights.
func (f *facts) subnetsDiffer(t *target, z *sight, sights map[string]*sight) (with, without []string) {
	has := f.matched(t, z)
	here := map[string]bool{}
	sp := f.split(t, z)
	for _, c := range sp.with {
		here[c.Address] = true
	}
	for _, c := range sp.without {
		here[c.Address] = false
	}
	look := func(subnet string) (x *sight, there, differs bool) {
		x = f.ofSubnet(t, subnet)
		l := x.first()
		if x.state != answered || l == nil {
			return x, false, false
		}
		gives, asked := here[l.Decided]
		there = f.acceptsAny(t, x.records())
		return x, there, asked && there != gives
	}
	for _, subnet := range f.askedSubnets(func(subnet string) bool { _, _, differs := look(subnet); return differs }) {
		switch x, there, differs := look(subnet); {
		case !differs:
		case there:
			with, sights[subnet] = append(with, subnet), x
		default:
			without, sights[subnet] = append(without, subnet), x
		}
	}
	switch {
	case has && len(without) > 0:
		with = []string{f.primary().ID}
	case !has && len(with) > 0:
		without = []string{f.primary().ID}
	default:
		return nil, nil
	}
	return with, without
}

// ofSubnet is what the only place gets on behalf of clients of a network.
func (f *facts) ofSubnet(t *target, subnet string) *sight {
	return f.resolve(f.primary(), evidence.DNSQuestion{Name: t.owner, Type: t.typ, Subnet: subnet})
}

// askedSubnets are the networks on whose behalf servers are asked: the first one
// and the one in the middle, and the others as soon as one of the two gets
// something else than is seen from here. A name that is the same everywhere is
// so asked about twice, not for each network that the profile lists.
func (f *facts) askedSubnets(differs func(subnet string) bool) []string {
	all := f.profile.DNS.Subnets
	if len(all) <= 2 {
		return all
	}
	samples := []string{all[0], all[len(all)/2]}
	other := false
	for _, s := range samples { // both are asked at once
		other = differs(s) || other
	}
	if other {
		return all
	}
	return samples
}

// subnets asks a server for the record on behalf of clients elsewhere (RFC
// 7871): those that get it are returned. It explains why P0 lacks the record,
// where no other place has it.
func (f *facts) subnets(t *target, z *sight) (with []string) {
	l := z.first()
	if l == nil || z.state != answered {
		return nil
	}
	i := slices.IndexFunc(l.Copies, func(c evidence.DNSCopy) bool { return usable(&c) })
	if i < 0 {
		return nil
	}
	for _, subnet := range f.profile.DNS.Subnets {
		o := f.look(f.primary(), evidence.DNSQuestion{Name: t.owner, Type: t.typ, Address: l.Copies[i].Address, Subnet: subnet})
		if o != nil && o.DNS != nil && o.DNS.Authoritative && f.acceptsAny(t, recordsAt(o.DNS.Answer, t.owner, t.typ)) {
			with = append(with, subnet)
		}
	}
	return with
}

// allowance is the condition "allowed" where the places that pass are enough:
// the primary one and a quorum of the others (BR 3.2.2.9), or where a missed
// quorum stops nothing yet. Places that could not look are not held against it:
// what comes of them is the stage perspective's.
func (f *facts) allowance(passing []string, away ...string) []string {
	if !slices.Contains(passing, f.primary().ID) || len(f.places) < 2 {
		return nil
	}
	c := &comparison{}
	for i := range f.places[1:] {
		v := vote{place: &f.places[i+1], says: unproven}
		switch {
		case slices.Contains(passing, v.place.ID):
			v.says = proven
		case slices.Contains(away, v.place.ID):
			v.says = blocked
		}
		c.count(v)
	}
	if f.quorumBlocks() && f.tally(c) == missed {
		return nil
	}
	return []string{"allowed"}
}
