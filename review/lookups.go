package review

import (
	"math/bits"
	"slices"
	"time"

	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// lookups lists the records not seen yet that rules can use for this order under this
// profile or one of the others whose verdict is asked for: one question a
// topic, and none whose answer could raise nothing (no account is looked up for
// an order without one). The inputs are always listed: a report says which data
// it was made with.
func (f *facts) lookups(also []*profile.Profile) []evidence.LookupQuestion {
	wanted := maskOf(evidence.TopicInputs) | f.readTopics()
	for _, p := range also {
		other := *f
		other.profile, other.raise = p, f.raisableRules(p)
		wanted |= other.readTopics()
	}
	for i, t := range topics {
		if f.seen[t] != nil {
			wanted &^= 1 << i
		}
	}
	questions := make([]evidence.LookupQuestion, 0, bits.OnesCount(wanted))
	for i, t := range topics {
		if wanted&(1<<i) != 0 {
			questions = append(questions, f.question(t))
		}
	}
	return questions
}

// readTopics is the set of topics that the rules read which will run for this
// order and can raise something.
func (f *facts) readTopics() uint {
	var set uint
	if f.reviewable() {
		set = maskOf(evidence.TopicApprovals)
	}
	for _, r := range recordRules {
		if r.topics&^set == 0 || !f.raisable(r.rule) {
			continue
		}
		if what, applies := f.unmet(r.rule); applies && what == "" {
			set |= r.topics
		}
	}
	return set
}

// A recordRule is a rule that reads records, with the set of their topics.
type recordRule struct {
	*rule
	topics uint
}

var recordRules = func() []recordRule {
	var read []recordRule
	for i := range rules {
		if set := maskOf(rules[i].topic) | maskOf(rules[i].also...); set != 0 {
			read = append(read, recordRule{&rules[i], set})
		}
	}
	return read
}()

// maskOf is a set of topics, a bit for each by its place in [topics].
func maskOf(list ...evidence.Topic) uint {
	var set uint
	for _, t := range list {
		if i := slices.Index(topics, t); i >= 0 {
			set |= 1 << i
		}
	}
	return set
}

// topics are all topics, in the order in which they are asked.
var topics = []evidence.Topic{
	evidence.TopicInputs, evidence.TopicKeys, evidence.TopicNames, evidence.TopicParties, evidence.TopicOrders,
	evidence.TopicAccount, evidence.TopicCertificate, evidence.TopicClaims, evidence.TopicCalls,
	evidence.TopicLetters, evidence.TopicPeople, evidence.TopicApprovals, evidence.TopicChecks,
}

// question is the question on a topic. It depends on the order alone, so that
// one answer serves every profile the order is judged by.
func (f *facts) question(t evidence.Topic) evidence.LookupQuestion {
	q, o := evidence.LookupQuestion{Topic: t}, f.Order
	switch t {
	case evidence.TopicInputs:
		return q
	case evidence.TopicNames:
		q.Names = f.cleanNames()
		return q
	case evidence.TopicKeys:
		f.askKey(&q)
	case evidence.TopicOrders:
		q.Names = f.cleanNames()
		if f.csr != nil {
			q.CSRSHA256, q.Keyprint = f.csr.SHA256, f.keyprint()
		}
	case evidence.TopicParties, evidence.TopicApprovals:
		q.Names = f.cleanNames()
		if f.csr != nil {
			q.Keyprint = f.keyprint()
		}
		fallthrough
	case evidence.TopicClaims, evidence.TopicCalls, evidence.TopicLetters, evidence.TopicPeople:
		if org := o.Organization; org != nil {
			q.Organization, q.Country = org.Name, org.Country
		}
	case evidence.TopicCertificate:
		q.Order, q.Account = o.Replaces, o.Account
		return q
	}
	q.Order, q.Account = o.ID, o.Account
	return q
}

// cleanNames are the distinct names of the order as records keep them.
func (f *facts) cleanNames() []string {
	names := make([]string, 0, len(f.names))
	for i := range f.names {
		if f.names[i].same == i && f.names[i].Clean != "" {
			names = append(names, f.names[i].Clean)
		}
	}
	return names
}

// replacing reports whether the order starts from an earlier certificate.
func (f *facts) replacing() bool {
	return f.Order.Kind == order.Reissue || f.Order.Kind == order.Renewal || f.Order.Replaces != ""
}

// deadline is when the order must have passed: fixed at submission by the
// profile's [profile.Deadline], unless another one is known of it, and shown in
// every report. It is nil for a draft, and where the profile sets none.
func (f *facts) deadline() *time.Time {
	if known := f.checks().Deadline; !known.IsZero() {
		return &known
	}
	end, ok := f.profile.Deadline.Of(f.Order.SubmittedAt)
	if !ok {
		return nil
	}
	return &end
}
