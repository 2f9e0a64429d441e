package review

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"assay/cause"
	"assay/evidence"
)

// sink collects what the rules find.
type sink struct {
	facts    *facts
	drafts   []*draft
	notAsked []NotAsked
	missing  map[evidence.Topic]bool
	begun    map[string]bool // see once
}

// A draft is a finding being written. All its methods may be called on nil,
// which is what [sink.add] returns where the cause passes under the profile.
type draft struct {
	Finding
	about string
	gone  bool
}

// add starts a finding of a cause about a subject: a name as it was written,
// "csr", "key", "order", "perspectives", or the path of a field ("organization.phone").
// conditions are the words of the catalogue that hold for it.
func (s *sink) add(id cause.ID, subject string, conditions ...string) *draft {
	level := s.facts.level(id, conditions...)
	if level == cause.Pass {
		return nil
	}
	return s.addAt(level, id, subject)
}

// addAt starts a finding at a level that the rule itself knows.
func (s *sink) addAt(level cause.Level, id cause.ID, subject string) *draft {
	d := &draft{Finding: Finding{
		Cause: id, Level: level, Stage: id.Stage(), Subject: subject, Who: cause.Lookup(id).Who,
	}, about: subject}
	s.drafts = append(s.drafts, d)
	return d
}

// with sets a parameter: a string, int, bool, []string, time.Time or
// time.Duration. Empty strings and lists are left out.
func (d *draft) with(key string, value any) *draft {
	if d == nil || value == nil || value == "" {
		return d
	}
	if list, ok := value.([]string); ok && len(list) == 0 {
		return d
	}
	if d.Parameters == nil {
		d.Parameters = cause.Parameters{}
	}
	d.Parameters[key] = value
	return d
}

// concerning names the observation that the finding explains where it is not
// simply its subject; a narrower finding replaces a wider one with the same.
func (d *draft) concerning(about string) *draft {
	if d != nil {
		d.about = about
	}
	return d
}

// from adds the records on a topic as evidence.
func (d *draft) from(f *facts, t evidence.Topic) *draft {
	if d != nil {
		if o := f.seen[t]; o != nil {
			d.Evidence = append(d.Evidence, f.seenID(t, o))
		}
	}
	return d
}

// seenID is the id of what was seen on a topic.
func (f *facts) seenID(t evidence.Topic, o *evidence.Observation) string {
	if o.ID != "" {
		return o.ID
	}
	id := f.seenIDs[t]
	if id == "" {
		id = o.Identify().ID
		if f.seenIDs == nil {
			f.seenIDs = map[evidence.Topic]string{}
		}
		f.seenIDs[t] = id
	}
	return id
}

// retry sets the earliest time a new check can succeed.
func (d *draft) retry(at time.Time) *draft {
	if d != nil && !at.IsZero() {
		at = at.UTC()
		d.RetryAt = &at
	}
	return d
}

// without takes a parameter away again.
func (d *draft) without(key string) *draft {
	if d != nil {
		delete(d.Parameters, key)
	}
	return d
}

// reproduce adds commands that a person can paste. An empty one is one that
// could not be written safely.
func (d *draft) reproduce(commands ...string) *draft {
	if d == nil {
		return nil
	}
	for _, c := range commands {
		if c != "" && !slices.Contains(d.Reproduce, c) {
			d.Reproduce = append(d.Reproduce, c)
		}
	}
	return d
}

// skip records input that was not there to be asked about.
func (s *sink) skip(what, why string, ids []cause.ID) {
	for i := range s.notAsked {
		if s.notAsked[i].What == what && s.notAsked[i].Why == why {
			s.notAsked[i].Causes = append(s.notAsked[i].Causes, ids...)
			return
		}
	}
	s.notAsked = append(s.notAsked, NotAsked{What: what, Why: why, Causes: slices.Clip(ids)})
}

// missingRecords says that the records a rule reads are not there: before
// submission that is not asked, at an attempt it is unknown, never a pass.
// Lists that nobody has set up are not asked in either case: inputUnavailable
// says so at the level the profile has for that.
func (s *sink) missingRecords(r *rule) {
	o := s.facts.seen[r.topic]
	absent := o != nil && o.Unknown == ""
	if s.facts.mode == Precheck && (o == nil || absent) || absent && s.facts.neverSetUp(r.topic) {
		s.skip("records."+string(r.topic), "not-kept", r.causes)
		return
	}
	if s.missing[r.topic] {
		return
	}
	if s.missing == nil {
		s.missing = map[evidence.Topic]bool{}
	}
	s.missing[r.topic] = true
	reason := ""
	if o != nil {
		reason = o.Unknown
	}
	s.add(cause.PolicyInputUnavailable, "records."+string(r.topic)).
		with("state", "missing").with("input", "records."+string(r.topic)).with("reason", reason).
		from(s.facts, r.topic)
}

// neverSetUp reports whether the records on a topic are lists and the inputs
// say that none of them is set up.
func (f *facts) neverSetUp(t evidence.Topic) bool {
	records, ok := f.records(evidence.TopicInputs)
	if !ok {
		return false
	}
	lists := 0
	for i := range records.Inputs {
		if strings.HasPrefix(records.Inputs[i].Name, string(t)+".") {
			if records.Inputs[i].Configured {
				return false
			}
			lists++
		}
	}
	return lists > 0
}

// finish applies precedence and folding and returns the findings sorted.
func (s *sink) finish() []Finding {
	if len(s.drafts) == 0 {
		return []Finding{}
	}
	s.approve()
	s.replace()
	left := slices.DeleteFunc(slices.Clone(s.drafts), func(d *draft) bool { return d.gone })
	texts := map[*draft]string{} // dear: made once, and only for those that are alike
	slices.SortStableFunc(left, func(a, b *draft) int { return compare(a, b, texts) })
	findings := make([]Finding, len(left))
	for i, d := range left {
		findings[i] = d.Finding
	}
	number(findings)
	fold(findings)
	return findings
}

// replace drops wider findings where a narrower one explains the same thing. One
// that was approved says nothing against the wider.
func (s *sink) replace() {
	for _, narrow := range s.drafts {
		if narrow.Approval != nil {
			continue
		}
		for _, id := range cause.Lookup(narrow.Cause).Replaces {
			for _, wide := range s.drafts {
				if wide.Cause == id && wide.about == narrow.about {
					wide.gone = true
				}
			}
		}
	}
}

func compare(a, b *draft, texts map[*draft]string) int {
	c := cmp.Or(
		cmp.Compare(a.Level.Rank(), b.Level.Rank()),
		cmp.Compare(stageRank[a.Stage], stageRank[b.Stage]),
		strings.Compare(string(a.Cause), string(b.Cause)),
		strings.Compare(a.Subject, b.Subject),
	)
	if c != 0 {
		return c
	}
	for _, d := range []*draft{a, b} {
		if _, ok := texts[d]; !ok {
			texts[d] = d.Parameters.Canonical()
		}
	}
	return strings.Compare(texts[a], texts[b])
}

var stageRank = func() map[cause.Stage]int {
	m := map[cause.Stage]int{}
	for i, s := range cause.Stages() {
		m[s] = i
	}
	return m
}()

// number gives each finding its id: cause@subject, with a counter where a
// cause meets a subject more than once.
func number(findings []Finding) {
	count := make(map[string]int, len(findings))
	for i := range findings {
		id := string(findings[i].Cause) + "@" + findings[i].Subject
		count[id]++
		if n := count[id]; n > 1 {
			id += "#" + strconv.Itoa(n)
		}
		findings[i].ID = id
	}
}

// fold points a consequence at the finding that leads to it.
func fold(findings []Finding) {
	for i := range findings {
		for _, id := range cause.Lookup(findings[i].Cause).LeadsTo {
			for j := range findings {
				if i != j && findings[j].Cause == id && findings[j].ExplainedBy == "" && related(&findings[i], &findings[j]) {
					findings[j].ExplainedBy = findings[i].ID
				}
			}
		}
	}
}

// related reports whether b may be a consequence of a: they have the same
// subject, one names the other's subject in its parameter "name", or a is about
// the whole order.
func related(a, b *Finding) bool {
	if b.Stage == "perspective" && !samePlaces(a, b) {
		return false
	}
	return a.Subject == b.Subject || a.Subject == "order" || b.Parameters["name"] == a.Subject || a.Parameters["name"] == b.Subject
}

// samePlaces reports whether a finding about places may be a consequence of
// another: that one names all of them as well. What keeps a record from a place
// says nothing of the CAA records there; servers that do not answer it do.
func samePlaces(a, b *Finding) bool {
	theirs, ok := a.Parameters["perspectives"].([]string)
	if !ok {
		if theirs, ok = a.Parameters["bad"].([]string); !ok { // of files
			return true
		}
	}
	places, ok := b.Parameters["perspectives"].([]string)
	if !ok {
		places = []string{b.Subject}
	}
	if b.Parameters["check"] == checkCAA && a.Cause != cause.DNSBlockedByRegion {
		return false
	}
	return !slices.ContainsFunc(places, func(p string) bool { return !slices.Contains(theirs, p) })
}
