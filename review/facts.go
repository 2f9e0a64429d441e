package review

import (
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// facts are what a rule may look at: the prepared case, the profile, what was
// seen and the time. Rules read them and change nothing.
type facts struct {
	*Case
	profile *profile.Profile
	rules   []rule
	raise   []bool // which of them can raise something, by index
	at      time.Time
	mode    Mode
	scope   Scope
	seen    map[evidence.Topic]*evidence.Observation
	// seenIDs are the ids of those of them that came without one, once made: a
	// finding for each of many records does not digest all of them again.
	seenIDs map[evidence.Topic]string
	// places can be looked from, the primary first.
	places []evidence.Perspective

	// upload is what a judgement of the scope upload is about, else nil.
	upload *evidence.Upload
	// deployed is what a judgement of the scope deployment is about, else nil.
	deployed *deployed

	// isPartner is set where the order stands for a name that comes with another.
	isPartner bool

	observed
	liveFacts
}

func (c *Case) facts(in Input) *facts {
	f := &facts{Case: c, profile: in.Profile, rules: rules, raise: c.raisableRules(in.Profile), at: in.At, mode: in.Mode, scope: in.Scope, places: in.Perspectives}
	if len(in.Seen) > 0 {
		f.seen = make(map[evidence.Topic]*evidence.Observation, len(in.Seen))
		for i := range in.Seen {
			if q := in.Seen[i].Question.Lookup; q != nil {
				f.seen[q.Topic] = &in.Seen[i]
			}
		}
		f.index(in.Seen)
	}
	return f
}

// identity reports whether the order is one whose organization is verified.
func (f *facts) identity() bool {
	return f.Order.Product == order.OV || f.Order.Product == order.EV
}

// records returns the answer on a topic; ok is false where nothing was looked
// at (not asked, not kept here, or not readable).
func (f *facts) records(t evidence.Topic) (*evidence.LookupAnswer, bool) {
	o := f.seen[t]
	if o == nil || o.Lookup == nil || o.Lookup.Absent || o.Unknown != "" {
		return nil, false
	}
	return o.Lookup, true
}

// level of a cause for this order under the profile.
func (f *facts) level(id cause.ID, conditions ...string) cause.Level {
	level := f.profile.Level(id, f.Order.Product, conditions...)
	if level == cause.Refuse && f.mode == Precheck && f.profile.WaitsBefore(id) {
		return cause.Wait // that CA has not looked yet
	}
	return level
}

// on returns a dated value of the profile at the time of judging.
func (f *facts) on(v profile.Value) (int, profile.Dated, bool) {
	return f.profile.On(v, f.at, f.Order.Plan)
}
