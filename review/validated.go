package review

import (
	"slices"

	"assay/cause"
	"assay/name"
	"assay/order"
)

// validated reports whether the records say that a name was validated, and that
// this still counts (BR 4.2.1): its value is then not looked for again. CAA
// records and all else are.
func (f *facts) validated(n *nameFact) bool {
	list := f.checks().Validated
	return slices.Contains(list, n.Clean) || slices.Contains(list, n.Text)
}

// Proven are the challenges of which a report, judged from the same input, shows
// that they validate names of the order. ok is false where a name is not
// validated: something that decides was left open, or what was seen on the
// network is in the way. That a person has to decide does not count. Challenges
// whose names were validated before are not listed: their value was not looked
// for.
func (c *Case) Proven(in Input, r *Report) (list []order.Challenge, ok bool) {
	f := c.facts(in)
	if in.Scope != ScopeNetwork || len(in.Perspectives) == 0 || f.undecided() {
		return nil, false
	}
	for i := range r.Findings {
		fd := &r.Findings[i]
		if fd.Level == cause.Refuse || fd.Level.Blocks() && (slices.Contains(networkStages, fd.Stage) || fd.Stage == "limit") {
			return nil, false
		}
	}
	for i := range c.Order.Challenges {
		ch := &c.Order.Challenges[i]
		covers := slices.ContainsFunc(f.names, func(n nameFact) bool { return f.covers(ch, &n) })
		if ch.Value != "" && covers && !f.settled(ch) {
			list = append(list, *ch)
		}
	}
	return list, true
}

// settled reports whether every name that a challenge is for was validated.
func (f *facts) settled(c *order.Challenge) bool {
	if len(f.checks().Validated) == 0 {
		return false
	}
	settled := false
	for i := range f.names {
		if n := &f.names[i]; f.covers(c, n) {
			if !f.validated(n) {
				return false
			}
			settled = true
		}
	}
	return settled
}

// covers reports whether a challenge validates a name: it is for that name, or
// for one above it by a method that covers what lies below.
func (f *facts) covers(c *order.Challenge, n *nameFact) bool {
	parsed := name.Parse(c.Name)
	terms := methodOf(f.profile, f.challengeMethod(c))
	if parsed.Base == n.Base && (!n.Wildcard || terms == nil || terms.Wildcard) {
		return true
	}
	return parsed.Base != "" && n.Below(parsed.Base) && terms != nil && terms.Parent && f.withinDomain(parsed.Base, n)
}
