package review

import (
	"slices"

	"assay/cause"
	"assay/evidence"
	"assay/profile"
)

// quorumRules compare what the places see: the primary one has to see what is
// asked for, and enough of the others the same (BR 3.2.2.9). They come after the
// rules whose findings they count or replace.
var quorumRules = []rule{
	{
		causes: []cause.ID{
			cause.PerspectiveQuorumNotMet, cause.PerspectivePrimaryFailed, cause.PerspectiveResultsDiffer,
			cause.PerspectiveUnavailable,
		},
		needs: needLook | needNames, run: quorum,
	},
}

// What is compared, as the parameter "check" says it.
const (
	checkValidation = "validation" // the proofs of a name
	checkCAA        = "caa"        // the CAA records that apply to it
)

// A comparison is one check of a subject as every place sees it. The check
// "caa" needs the same conclusion, not the same records.
type comparison struct {
	check, subject string
	here           vote
	// agree are the remote places that see what is asked for, differ those that
	// looked and do not, away those that could not look. All but the first are
	// misses, and only differ may be laid on the applicant.
	agree, differ, away []vote
}

// A vote is what one place says.
type vote struct {
	place *evidence.Perspective
	says  standing
	// partly is set where that depends on which of several servers answered.
	partly bool
	seen   []*evidence.Observation
	// problem and detail say why a place could not look.
	problem, detail string
}

// comparisons are those of all proofs and all CAA checks; none where there is no
// other place.
func (f *facts) comparisons() []*comparison {
	if f.comparedSet || f.scope != ScopeNetwork || len(f.places) < 2 {
		return f.compared
	}
	f.comparedSet = true
	f.compareProofs()
	f.compareCAA()
	return f.compared
}

func (f *facts) compareProofs() {
	proofs := f.proofs()
	for i := range proofs {
		c := &comparison{check: checkValidation, subject: proofs[i].subject, here: f.voteOf(&proofs[i], f.primary())}
		for j := range f.places[1:] {
			place := &f.places[j+1]
			if there := f.from(place).proofs(); i < len(there) {
				c.count(f.voteOf(&there[i], place))
			}
		}
		f.addComparison(c)
	}
}

// voteOf is what a place says of a proof.
func (f *facts) voteOf(p *proof, place *evidence.Perspective) vote {
	v := vote{place: place, says: p.standing(), seen: p.seen()}
	v.partly = p.partly != nil && p.partly()
	if place.ID != f.primary().ID {
		if z, inside := f.from(place).inside(p.subject); inside {
			v.says, v.problem, v.detail, v.seen = blocked, "inside-target", "", []*evidence.Observation{z.o}
			return v
		}
	}
	return f.believe(v)
}

// believe says why a place could not look, where it could not. One whose own
// resolver invents answers is not believed.
func (f *facts) believe(v vote) vote {
	if v.place.ID != f.primary().ID && v.place.Resolver != "" && len(f.targets()) > 0 {
		if made, _, invents := f.invents(f.targets()[0], v.place, v.place.Resolver); invents {
			v.says, v.problem, v.detail, v.seen = blocked, "resolver-failed", v.place.Resolver, []*evidence.Observation{made.o}
			return v
		}
	}
	if v.problem == "" && (v.says == blocked || v.says == pending) {
		v.problem, v.detail = faultOf(v.place, v.seen)
	}
	return v
}

// faultOf says why a place could not look: a word of the texts, and what it said.
func faultOf(place *evidence.Perspective, seen []*evidence.Observation) (problem, detail string) {
	if len(seen) == 0 {
		return "no-reply", "not asked"
	}
	for _, o := range seen {
		switch o.PerspectiveFault() {
		case "":
		case evidence.UnknownIdentity:
			return "wrong-identity", o.Unknown
		case evidence.UnknownInvalid:
			if o.Unknown == evidence.UnknownInvalid+": its self-test fails" {
				return "self-test-failed", o.Unknown
			}
			return "wrong-echo", o.Unknown
		default:
			return "no-reply", o.Unknown
		}
		if q := o.Question.DNS; q != nil && q.Resolver != "" && q.Resolver == place.Resolver {
			detail = o.Unknown
			if o.DNS != nil {
				detail = o.DNS.Status
			}
			return "resolver-failed", place.Resolver + ": " + detail
		}
		if detail == "" {
			detail = o.Unknown
		}
	}
	if place.Lacks("resolver") {
		return "resolver-failed", detail
	}
	return "self-test-failed", detail
}

func (f *facts) compareCAA() {
	if len(f.profile.CAA.Issuers) == 0 || !f.level(cause.CAAForbids).Blocks() {
		return // CAA records decide nothing here
	}
	for i := range f.names {
		n := &f.names[i]
		if n.same != i || !f.lookable(n) {
			continue
		}
		c := &comparison{check: checkCAA, subject: n.subject(), here: f.believe(f.caaVote(n))}
		for j := range f.places[1:] {
			c.count(f.believe(f.from(&f.places[j+1]).caaVote(n)))
		}
		f.addComparison(c)
	}
	f.comparePartnersCAA()
}

// comparePartnersCAA: the records of a name that comes with another have to permit,
// too.
func (f *facts) comparePartnersCAA() {
	for i, v := range f.visits() {
		g := f.partner(v)
		if g == nil || !g.lookable(&g.names[0]) {
			continue
		}
		c := &comparison{check: checkCAA, subject: g.names[0].subject(), here: f.believe(g.caaVote(&g.names[0]))}
		for j := range f.places[1:] {
			there := f.from(&f.places[j+1])
			if visits := there.visits(); i < len(visits) {
				if h := there.partner(visits[i]); h != nil {
					c.count(f.believe(h.caaVote(&h.names[0])))
				}
			}
		}
		f.addComparison(c)
	}
}

// caaVote is what the place that is looked from says of CAA: permission, or not.
func (f *facts) caaVote(n *nameFact) vote {
	c := f.caaOf(n)
	v := vote{place: f.primary(), says: unproven}
	for _, step := range c.steps {
		if step.o != nil {
			v.seen = append(v.seen, step.o)
		}
		if step == c.found || step == c.failed {
			break
		}
	}
	switch {
	case !c.settled:
		v.says, v.seen = blocked, nil
		for _, step := range c.steps {
			if step.state == unseen {
				v.says = pending
			} else if step.state == blind {
				v.seen = append(v.seen, step.o)
			}
		}
		if f.wanted == nil {
			v.says = blocked
		}
	case c.failed != nil:
		if id, _ := f.caaFailure(c.failed); !f.level(id).Blocks() {
			v.says = proven
		}
	case !slices.ContainsFunc(c.records, f.unknownCritical) && f.permission(c.records, n.Wildcard, f.methodFor(n)).permitted:
		v.says = proven
	}
	if c.settled && c.failed == nil {
		_, _, _, v.partly = f.caaFork(n, c)
	}
	return v
}

// count adds what a remote place says.
func (c *comparison) count(v vote) {
	switch v.says {
	case proven:
		c.agree = append(c.agree, v)
	case unproven:
		c.differ = append(c.differ, v)
	default:
		c.away = append(c.away, v)
	}
}

// addComparison adds one, together with another about the same check and
// subject: a place agrees where it agrees in both.
func (f *facts) addComparison(c *comparison) {
	for _, o := range f.compared {
		if o.check != c.check || o.subject != c.subject {
			continue
		}
		o.here = worse(o.here, c.here)
		votes := slices.Concat(o.agree, o.differ, o.away)
		o.agree, o.differ, o.away = nil, nil, nil
		for _, v := range slices.Concat(c.agree, c.differ, c.away) {
			for _, other := range votes {
				if other.place.ID == v.place.ID {
					v = worse(other, v)
				}
			}
			o.count(v)
		}
		for _, list := range [][]vote{o.agree, o.differ, o.away} {
			slices.SortStableFunc(list, func(a, b vote) int { return f.placeIndex(a.place) - f.placeIndex(b.place) })
		}
		return
	}
	f.compared = append(f.compared, c)
}

func (f *facts) placeIndex(place *evidence.Perspective) int {
	return slices.IndexFunc(f.places, func(p evidence.Perspective) bool { return p.ID == place.ID })
}

// worse joins what a place says of two proofs of one subject.
func worse(a, b vote) vote {
	rank := func(v vote) int { return slices.Index([]standing{proven, blocked, pending, unproven}, v.says) }
	if rank(b) > rank(a) {
		a, b = b, a
	}
	if a.says == b.says {
		a.partly = a.partly && b.partly
	}
	a.seen = append(slices.Clone(a.seen), b.seen...)
	return a
}

// pending reports whether what decides was not looked at yet everywhere.
func (c *comparison) pending() bool {
	waits := func(v vote) bool { return v.says == pending }
	return waits(c.here) || slices.ContainsFunc(c.away, waits)
}

// total is the number of remote places.
func (c *comparison) total() int { return len(c.agree) + len(c.differ) + len(c.away) }

// A tally is what the remote places come to.
type tally int

const (
	met    tally = iota
	missed       // whatever those that could not look would have seen
	open         // it depends on those that could not look
)

// tally counts the remote places.
func (f *facts) tally(c *comparison) tally {
	switch {
	case f.enough(c, c.agree):
		return met
	case f.enough(c, slices.Concat(c.agree, c.away)):
		return open
	}
	return missed
}

// enough reports whether these places would do: no more misses than are allowed,
// and regions enough. Regions that the set does not have at all are its own
// defect, no difference between places: see setNotConformant.
func (f *facts) enough(c *comparison, agree []vote) bool {
	all := slices.Concat(c.agree, c.differ, c.away)
	return len(all)-len(agree) <= missesAllowed(len(all)) && len(regionsOf(agree)) >= min(f.regionsMin(), len(regionsOf(all)))
}

func (f *facts) regionsMin() int {
	n, _, _ := f.on(profile.RegionsMin)
	return n
}

// regionsOf are the RIR regions of places, sorted.
func regionsOf(votes []vote) []string {
	var list []string
	for _, v := range votes {
		if v.place.Region != "" && !slices.Contains(list, v.place.Region) {
			list = append(list, v.place.Region)
		}
	}
	slices.Sort(list)
	return list
}

// quorumBlocks reports whether a missed quorum stops issuance by now.
func (f *facts) quorumBlocks() bool { return f.profile.Holds(profile.QuorumBlocks, f.at, f.Order.Plan) }

// missesAllowed is how many of n remote places may not see the same (BR
// 3.2.2.9): with one or none, no miss is allowed.
func missesAllowed(n int) int {
	switch {
	case n >= 6:
		return 2
	case n >= 2:
		return 1
	}
	return 0
}

// shared reports whether all differences come from servers that disagree with
// one another at the primary place too: then that is the finding.
func (c *comparison) shared() bool {
	return c.here.partly && !slices.ContainsFunc(c.differ, func(v vote) bool { return !v.partly })
}

// outvoted reports whether the primary place met a server that has what is asked
// for, and more of the others one that has not than a quorum allows.
func (f *facts) outvoted(check, subject string) bool {
	return f.quorumBlocks() && slices.ContainsFunc(f.comparisons(), func(c *comparison) bool {
		return c.check == check && c.subject == subject && c.here.says == proven && c.shared() && f.tally(c) == missed
	})
}

// unjudged reports whether a quorum that decides could not be judged.
func (f *facts) unjudged() bool {
	return f.quorumBlocks() && f.level(cause.PerspectiveQuorumNotMet).Blocks() && slices.ContainsFunc(f.comparisons(), func(c *comparison) bool {
		return f.tally(c) == open
	})
}
