package review

import (
	"slices"

	"assay/evidence"
)

// A proof is what a place has to see for a name to be validated: a record with
// the value, a file, a challenge certificate. Each method adds its own; whether
// places agree, and whether an order is decided, is asked of all alike.
type proof struct {
	// subject is the name as the order writes it.
	subject string
	// standing says whether the place that is looked from sees it. It is asked
	// for positively: that no rule finds anything proves nothing.
	standing func() standing
	// seen are the observations that say so.
	seen func() []*evidence.Observation
	// partly, where there is one, says whether the standing depends on which of
	// several servers answered, or on what a resolver remembers: then it is no
	// matter of the place.
	partly func() bool
}

// standing is what became of a proof at a place.
type standing int

const (
	pending  standing = iota // not looked at yet
	blocked                  // could not be looked at for a reason that lies with us
	proven                   // seen, as it has to be
	unproven                 // looked at, and it is not so
)

// proofs are those of the order, one for each value asked of the applicant. Their
// order depends on the order alone, so that those of two places can be compared
// one by one.
func (f *facts) proofs() []proof {
	var list []proof
	for _, t := range f.targets() {
		if t.value != "" && !t.address {
			list = append(list, f.recordProof(t))
		}
	}
	return slices.Concat(list, f.fileProofs(), f.impliedProofs(), f.handshakeProofs())
}

// recordProof is a record with the value.
func (f *facts) recordProof(t *target) proof {
	return proof{
		subject: t.subject,
		standing: func() standing {
			standing := f.stands(t, f.here(t))
			if r := f.remembered(t); r != nil && standing == proven {
				return f.stands(t, r)
			}
			return standing
		},
		seen: func() []*evidence.Observation {
			var seen []*evidence.Observation
			if r := f.remembered(t); r != nil && r.o != nil {
				seen = append(seen, r.o)
			}
			if z := f.here(t); z.o != nil {
				seen = append(seen, z.o)
			}
			return seen
		},
		partly: func() bool {
			z := f.here(t)
			sp := f.split(t, z)
			return len(sp.with) > 0 && (len(sp.without) > 0 || f.remembered(t) != nil && f.stands(t, f.remembered(t)) != proven)
		},
	}
}

// stands is what a sight says of a record.
func (f *facts) stands(t *target, z *sight) standing {
	resolver := z.o != nil && z.o.Question.DNS.Resolver != ""
	switch {
	case z.state == unseen:
		return pending
	case z.state == blind, resolver && z.state != answered:
		return blocked
	case f.matched(t, z):
		return proven
	}
	return unproven
}

// remembered is what the resolver that decides at a place says of a record that
// every server has; nil where none decides. It is not asked before: that would
// plant the wrong answer (catalogue B33).
func (f *facts) remembered(t *target) *sight {
	place := f.primary()
	if place.Resolver == "" || !f.everywhere(t, f.here(t)) {
		return nil
	}
	return f.resolve(place, evidence.DNSQuestion{Name: t.owner, Type: t.typ, Resolver: place.Resolver})
}

// from are the same facts as another place sees them: it takes the part of the
// primary one, and no other place is there. What it finds are rows of that place;
// how they count for the order is the stage perspective's.
func (f *facts) from(place *evidence.Perspective) *facts {
	if g := f.elsewhere[place.ID]; g != nil {
		g.wanted = f.wanted
		return g
	}
	g := *f
	g.places, g.liveFacts = []evidence.Perspective{*place}, liveFacts{}
	if f.elsewhere == nil {
		f.elsewhere = map[string]*facts{}
	}
	f.elsewhere[place.ID] = &g
	return &g
}
