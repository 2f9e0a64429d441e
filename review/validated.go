package review

import (
	"slices"

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
