package review

import (
	"slices"
	"sync"

	"assay/cause"
	"assay/evidence"
	"assay/profile"
)

// A rule is a pure function from facts to findings. It may raise only the
// causes it declares, and it is run only where what it needs is there.
type rule struct {
	// causes the rule can raise.
	causes []cause.ID
	// needs what must be given; where something is missing the rule is not run
	// and the report lists it under not_asked.
	needs need
	// topic of the kept records the rule reads, where it reads any.
	topic evidence.Topic
	// also are further topics it looks at where they are kept; it runs without.
	also []evidence.Topic
	run  func(f *facts, s *sink)
	// caa is set where it is about the CAA records of a name.
	caa bool
	// scope is set where it is about no order: see [Judgement].
	scope Scope
	// index is the rule's place in [rules], set there.
	index int
}

// need is a set of inputs.
type need uint

const (
	needNames        need = 1 << iota // at least one name
	needCSR                           // a CSR was given (readable or not)
	needParsedCSR                     // a CSR that could be read
	needKey                           // a CSR whose public key could be read
	needIdentity                      // an OV or EV order; otherwise the rule does not apply
	needOrganization                  // organization data
	needMethod                        // a validation method
	needChallenge                     // at least one value asked of the applicant
	needSubmission                    // a submission time
	needAccount                       // the account that orders
	needReplaced                      // a reissue or renewal; otherwise the rule does not apply
	needLook                          // scope network and a place to look from; otherwise the rule does not apply
)

// unmet returns the word for the first input that is missing, "" where all are
// there. applies is false where the rule has nothing to say about this order.
func (f *facts) unmet(r *rule) (what string, applies bool) {
	if r.needs&needIdentity != 0 && !f.identity() {
		return "", false
	}
	if r.needs&needReplaced != 0 && !f.replacing() {
		return "", false
	}
	if r.needs&needLook != 0 && (f.scope != ScopeNetwork || len(f.places) == 0) {
		return "", false
	}
	if r.needs&(needParsedCSR|needKey) != 0 && f.mode == Attempt && f.csr == nil {
		return "", false // csr.unreadable says that none was given
	}
	switch {
	case r.needs&needNames != 0 && len(f.Order.Names) == 0:
		return "names", true
	case r.needs&(needCSR|needParsedCSR|needKey) != 0 && f.Order.CSR == "":
		return "csr", true
	case r.needs&needParsedCSR != 0 && !f.csrReadable(), r.needs&needKey != 0 && !f.keyReadable():
		return "", false // csr.unreadable says it
	case r.needs&needOrganization != 0 && f.Order.Organization == nil:
		return "organization", true
	case r.needs&needMethod != 0 && f.Order.Method == "" && len(f.Order.Challenges) == 0:
		return "method", true
	case r.needs&needChallenge != 0 && len(f.Order.Challenges) == 0:
		return "challenge", true
	case r.needs&needSubmission != 0 && f.Order.SubmittedAt.IsZero():
		return "submission", true
	case r.needs&needAccount != 0 && f.Order.Account == "":
		return "account", true
	}
	return "", true
}

// Implemented returns the causes for which a rule exists, sorted.
func Implemented() []cause.ID { return slices.Clone(implemented) }

var implemented = func() []cause.ID {
	var ids []cause.ID
	for _, r := range slices.Concat(rules, besideRules) {
		ids = append(ids, r.causes...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}()

// run applies every rule.
func (f *facts) run() *sink {
	s := &sink{facts: f, notAsked: make([]NotAsked, 0, 16)}
	for i := range rules {
		r := &rules[i]
		what, applies := f.unmet(r)
		if !applies || !f.raisable(r) {
			continue
		}
		if what != "" && f.mode == Precheck {
			s.skip(what, "not-given", r.causes)
			continue
		}
		if r.topic != "" {
			if _, ok := f.records(r.topic); !ok {
				s.missingRecords(r)
				continue
			}
		}
		r.run(f, s)
	}
	for _, stage := range networkStages {
		if f.scope == ScopeOrder {
			s.skip(string(stage), "offline", nil)
		} else if u := unruled()[stage]; u.whole {
			s.skip(string(stage), "no-rule", nil)
		} else if len(u.causes) > 0 {
			s.skip(string(stage), "no-rule", u.causes)
		}
	}
	f.skipServers(s)
	return s
}

// unruled is, for each network stage, the causes that no rule looks for. Only a
// review that looks computes it.
var unruled = sync.OnceValue(func() map[cause.Stage]lookless {
	m := map[cause.Stage]lookless{}
	for _, stage := range networkStages {
		u := lookless{whole: true}
		for _, id := range cause.IDs() {
			switch {
			case id.Stage() != stage:
			case slices.Contains(implemented, id):
				u.whole = false
			default:
				u.causes = append(u.causes, id)
			}
		}
		m[stage] = u
	}
	return m
})

// lookless are the causes of a stage without a rule; whole is set where that is
// every one.
type lookless struct {
	causes []cause.ID
	whole  bool
}

// skipServers says which causes cannot be seen from a place that reaches no
// name server itself and has only a resolver.
func (f *facts) skipServers(s *sink) {
	if f.scope != ScopeNetwork || len(f.places) == 0 {
		return
	}
	for _, t := range f.targets() {
		if z := f.here(t); z.a != nil && !z.direct() && len(z.a.Links)+len(z.a.Answer) > 0 {
			s.skip("servers", "no-port-53", serverCauses)
			return
		}
	}
}

// serverCauses are decided by asking each server of a zone.
var serverCauses = []cause.ID{
	cause.DNSDomainNotRegistered, cause.DNSDelegationBroken, cause.DNSDelegationInconsistent, cause.DNSDelegationCached,
	cause.DNSServerError, cause.DNSEmptyNonterminalDenied, cause.DNSProtocolDefect, cause.DNSServersDisagree, cause.DNSWrongProvider,
	cause.DNSStaleCache, cause.DNSNegativeCache, cause.DNSResolverRewrites,
}

// raisable is false where every cause of the rule passes under the profile
// whatever its conditions: then nothing is computed for it.
func (f *facts) raisable(r *rule) bool { return f.raise[r.index] }

// raisableRules says of each rule, by index, whether it can raise anything
// under a profile for the order's product.
func (c *Case) raisableRules(p *profile.Profile) []bool {
	return p.Derive("review.raisable."+string(c.Order.Product), func() any {
		raise := make([]bool, len(rules))
		for i := range rules {
			raise[i] = slices.ContainsFunc(rules[i].causes, func(id cause.ID) bool { return p.CanRaise(id, c.Order.Product) })
		}
		return raise
	}).([]bool)
}

var networkStages = []cause.Stage{"dns", "file", "tls", "caa", "perspective"}
