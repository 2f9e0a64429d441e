package review

import "assay/evidence"

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
	return append(list, f.fileProofs()...)
}

// recordProof is a record with the value.
func (f *facts) recordProof(t *target) proof {
	return proof{
		subject: t.subject,
		standing: func() standing {
			switch z := f.here(t); {
			case z.state == unseen:
				return pending
			case z.state == blind:
				return blocked
			case f.matched(t, z):
				return proven
			}
			return unproven
		},
		seen: func() []*evidence.Observation {
			if z := f.here(t); z.o != nil {
				return []*evidence.Observation{z.o}
			}
			return nil
		},
	}
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
