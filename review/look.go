package review

import (
	"slices"
	"strings"

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

// observed is the index of what was seen on the network, by place and question.
type observed struct {
	dns  map[dnsKey]*seenDNS
	http map[httpKey]*evidence.Observation
	tls  map[tlsKey]*evidence.Observation
	// wanted collects the questions without an answer while asking; nil while
	// judging.
	wanted *wanted
}

type dnsKey struct {
	place string
	q     evidence.DNSQuestion
}

type httpKey struct {
	place string
	q     evidence.HTTPQuestion
}

// tlsKey is a TLS question in a form that can be compared.
type tlsKey struct {
	place, name, address, protocols string
	each                            bool
	port                            int
}

func keyOf(place string, q *evidence.TLSQuestion) tlsKey {
	return tlsKey{place, q.Name, q.Address, strings.Join(q.ALPN, " "), q.Each, q.Port}
}

// seenDNS is an observation, and what was read from it once it was.
type seenDNS struct {
	o     *evidence.Observation
	sight *sight
}

// wanted are questions to ask, each once.
type wanted struct {
	questions []evidence.Question
	have      map[any]bool // by key
}

// want notes a question, while asking.
func (o *observed) want(key any, q evidence.Question) {
	if w := o.wanted; w != nil && !w.have[key] {
		w.have[key] = true
		w.questions = append(w.questions, q)
	}
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
	list := make([]seenDNS, 0, n)
	for i := range seen {
		o := &seen[i]
		switch q, place := &o.Question, o.Question.Perspective; {
		case q.DNS != nil:
			if f.dns == nil {
				f.dns = make(map[dnsKey]*seenDNS, n)
			}
			list = append(list, seenDNS{o: o})
			f.dns[dnsKey{place, *q.DNS}] = &list[len(list)-1]
		case q.HTTP != nil:
			if f.http == nil {
				f.http = map[httpKey]*evidence.Observation{}
			}
			f.http[httpKey{place, *q.HTTP}] = o
		case q.TLS != nil:
			if f.tls == nil {
				f.tls = map[tlsKey]*evidence.Observation{}
			}
			f.tls[keyOf(place, q.TLS)] = o
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
	if f.wanted != nil {
		f.want(key, evidence.Question{Kind: evidence.KindDNS, Perspective: place.ID, DNS: &key.q})
	}
	return nil
}

// fetch is look for a URL.
func (f *facts) fetch(place *evidence.Perspective, q evidence.HTTPQuestion) *evidence.Observation {
	key := httpKey{place.ID, q}
	if seen := f.http[key]; seen != nil {
		return seen
	}
	if f.wanted != nil {
		f.want(key, evidence.Question{Kind: evidence.KindHTTP, Perspective: place.ID, HTTP: &key.q})
	}
	return nil
}

// shake is look for a TLS handshake.
func (f *facts) shake(place *evidence.Perspective, q evidence.TLSQuestion) *evidence.Observation {
	key := keyOf(place.ID, &q)
	if seen := f.tls[key]; seen != nil {
		return seen
	}
	if f.wanted != nil {
		f.want(key, evidence.Question{Kind: evidence.KindTLS, Perspective: place.ID, TLS: &q})
	}
	return nil
}

// probes are the questions about the network that rules want answered, under
// this profile and the others whose verdict is asked for.
func (f *facts) probes(also []*profile.Profile) []evidence.Question {
	if f.scope != ScopeNetwork || len(f.places) == 0 {
		return nil
	}
	w := &wanted{have: map[any]bool{}}
	f.wantAll(w)
	for _, p := range also {
		other := *f
		other.profile, other.raise, other.liveFacts = p, f.raisableRules(p), liveFacts{}
		other.wantAll(w)
	}
	return w.questions
}

// wantAll runs the rules that look at the network for the questions they ask.
func (f *facts) wantAll(w *wanted) {
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
