package review

import (
	"slices"

	"assay/cause"
	"assay/evidence"
)

// wildcardAnswers: a name that nobody created, beside V, is answered as V is.
// Then no record stands at V, and a wildcard or the provider answers for it
// (RFC 4592).
func wildcardAnswers(f *facts, s *sink, t *target, z *sight) {
	parent := parentOf(t.owner)
	random := f.probe(evidence.DNSQuestion{Name: parent, Type: t.typ, Random: true})
	if random.state != answered && random.state != endless {
		return
	}
	seen, typ := valuesOf(z.records()), t.typ
	same := len(seen) > 0 && equalSets(seen, valuesOf(random.records()))
	if chain, other := z.chain(), random.chain(); len(chain) > 1 || len(other) > 1 {
		same = len(chain) > 1 && len(other) > 1 && chain[1] == other[1]
		if same {
			seen, typ = chain[1:2], "CNAME"
		}
	}
	if !same {
		return
	}
	d := s.addTarget(cause.DNSWildcardAnswers, t).record(t, z.zone()).form(z.first()).
		with("seen", shown(seen)).with("seen_type", typ).with("probe", random.asked()).
		seenBy(z, random).
		reproduce(digOne(z.first(), t.owner, t.typ), digOne(z.first(), random.asked(), t.typ))
	wildcard := "*." + parent
	if star := f.probe(evidence.DNSQuestion{Name: wildcard, Type: typ}); len(star.records()) > 0 &&
		equalSets(valuesOf(star.records()), seen) {
		d.with("wildcard", wildcard).seenBy(star)
	}
}

// equalSets reports whether two lists hold the same texts in any order.
func equalSets(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
