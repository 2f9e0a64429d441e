package review

import (
	"slices"

	"assay/cause"
	"assay/evidence"
	"assay/profile"
)

// Looking at the network works by demand: a rule says what it wants to see with
// [facts.look], and goes on without it where that was not looked at yet. Asking
// runs the rules and keeps the questions they could not get an answer to;
// judging runs the same rules with the answers. So nothing is asked that no
// rule reads, what explains a failure is asked only after the failure was seen,
// and no two lists of questions can drift apart.

// A dnsKey is a DNS question from a place.
type dnsKey struct {
	place string
	q     evidence.DNSQuestion
}

// observed is the index of what was seen on the network.
type observed struct {
	dns map[dnsKey]*seenDNS
	// wanted collects the questions without an answer while asking; nil while
	// judging.
	wanted *wanted
}

// seenDNS is an observation, and what was read from it once it was.
type seenDNS struct {
	o     *evidence.Observation
	sight *sight
}

// wanted are questions to ask, each once.
type wanted struct {
	questions []evidence.Question
	have      map[dnsKey]bool
}

// index makes the observations of the network findable. Of several answers to
// one question the last counts.
func (f *facts) index(seen []evidence.Observation) {
	n := 0
	for i := range seen {
		if seen[i].Question.DNS != nil {
			n++
		}
	}
	if n == 0 {
		return
	}
	f.dns = make(map[dnsKey]*seenDNS, n)
	list := make([]seenDNS, 0, n)
	for i := range seen {
		if q := seen[i].Question.DNS; q != nil {
			list = append(list, seenDNS{o: &seen[i]})
			f.dns[dnsKey{seen[i].Question.Perspective, *q}] = &list[len(list)-1]
		}
	}
}

// look returns what a place saw for a question, nil where it was not asked yet.
// While asking, the question is noted.
func (f *facts) look(place *evidence.Perspective, q evidence.DNSQuestion) *evidence.Observation {
	if seen := f.find(place, q); seen != nil {
		return seen.o
	}
	return nil
}

func (f *facts) find(place *evidence.Perspective, q evidence.DNSQuestion) *seenDNS {
	key := dnsKey{place.ID, q}
	if seen := f.dns[key]; seen != nil {
		return seen
	}
	if w := f.wanted; w != nil && !w.have[key] {
		w.have[key] = true
		w.questions = append(w.questions, evidence.Question{Kind: evidence.KindDNS, Perspective: place.ID, DNS: &key.q})
	}
	return nil
}

// probes are the questions about the network that rules want answered, under
// this profile and the others whose verdict is asked for.
func (f *facts) probes(also []*profile.Profile) []evidence.Question {
	if f.scope != ScopeNetwork || len(f.places) == 0 {
		return nil
	}
	w := &wanted{have: map[dnsKey]bool{}}
	f.want(w)
	for _, p := range also {
		other := *f
		other.profile, other.raise, other.liveFacts = p, f.raisableRules(p), liveFacts{}
		other.want(w)
	}
	return w.questions
}

// want runs the rules that look at the network for the questions they ask.
func (f *facts) want(w *wanted) {
	f.wanted = w
	defer func() { f.wanted = nil }()
	s := &sink{facts: f}
	for i := range rules {
		r := &rules[i]
		if r.needs&needLook == 0 || !f.raisable(r) {
			continue
		}
		if what, applies := f.unmet(r); applies && (what == "" || f.mode == Attempt) {
			r.run(f, s)
		}
	}
}

// primary is the place whose view decides, P0.
func (f *facts) primary() *evidence.Perspective { return &f.places[0] }

// networkStage reports whether causes of a stage are seen on the network.
func networkStage(stage cause.Stage) bool { return slices.Contains(networkStages, stage) }
