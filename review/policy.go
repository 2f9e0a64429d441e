package review

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"assay/cause"
	"assay/data"
	"assay/evidence"
)

// policyRules are about high risk and about the operator's own lists.
var policyRules = []rule{
	{causes: []cause.ID{cause.PolicyLookalike}, needs: needNames, run: eachName(lookalike)},
	{causes: []cause.ID{cause.PolicyBlockedName}, needs: needNames, topic: evidence.TopicNames, run: listedNames(cause.PolicyBlockedName, "blocked")},
	{causes: []cause.ID{cause.PolicyUnsafeListed}, needs: needNames, topic: evidence.TopicNames, run: listedNames(cause.PolicyUnsafeListed, "unsafe")},
	{causes: []cause.ID{cause.PolicyListedParty}, topic: evidence.TopicParties, run: listedParty},
	{causes: []cause.ID{cause.PolicyInputUnavailable}, run: snapshotUnavailable},
	{causes: []cause.ID{cause.PolicyInputUnavailable}, topic: evidence.TopicInputs, run: inputUnavailable},
}

// lookalike compares how a name looks (UTS 39) with the brands listed, and
// finds labels that mix scripts. Edit distance is not used: apply, ample and
// goggle are words.
func lookalike(f *facts, s *sink, n *nameFact) {
	if n.isIP() || f.wordsAllowed(n) {
		return
	}
	var imitating []string
	if brands := f.profile.Words.Brands; brands != "" {
		for _, hit := range f.Data.FindBrands(brands, n.Unicode, n.registrable()) {
			imitating = append(imitating, hit.Label)
			s.add(cause.PolicyLookalike, n.subject()).with("name", n.Text).with("kind", "brand").with("brand", hit.Brand).
				with("label", hit.Label).with("skeleton", hit.Skeleton).with("owner", hit.Domains)
		}
	}
	if n.Unicode == n.Base {
		return // all ASCII: one script
	}
	for label := range strings.SplitSeq(n.Unicode, ".") {
		if slices.Contains(imitating, label) {
			continue // said already, and more precisely
		}
		if scripts := f.Data.MixedScripts(label); len(scripts) > 0 {
			s.add(cause.PolicyLookalike, n.subject()).with("name", n.Text).with("kind", "scripts").with("label", label).with("scripts", scripts)
		}
	}
}

// listedNames reports the entries of one kind that the order's names matched.
func listedNames(id cause.ID, kind string) func(*facts, *sink) {
	return func(f *facts, s *sink) {
		records, _ := f.records(evidence.TopicNames)
		for _, hit := range records.Hits {
			if hit.Kind != kind {
				continue
			}
			subject := f.asWritten(hit.Subject)
			s.add(id, subject).with("name", subject).with("entry", hit.Entry).with("match", cmp.Or(hit.Match, "exact")).
				with("list", hit.List).with("reason", hit.Reason).with("date", dated(hit.Date)).from(f, evidence.TopicNames)
		}
	}
}

// asWritten returns the name of the order that records know by its clean form.
func (f *facts) asWritten(clean string) string {
	for i := range f.names {
		if f.names[i].Clean == clean || f.names[i].Base == clean {
			return f.names[i].subject()
		}
	}
	return clean
}

// dated is a date as a parameter; none where there is no date.
func dated(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// listedParty reports the applicant, a name or a key that was rejected or
// revoked for abuse before, or stands on a denied list.
func listedParty(f *facts, s *sink) {
	records, _ := f.records(evidence.TopicParties)
	for _, hit := range records.Hits {
		s.add(cause.PolicyListedParty, f.party(hit.Subject)).with("kind", hit.Kind).with("party", cmp.Or(hit.Subject, "order")).
			with("entry", hit.Entry).with("list", hit.List).with("reason", hit.Reason).
			with("date", dated(hit.Date)).from(f, evidence.TopicParties)
	}
}

// party is the part of the order that records on parties call by its text: the
// organization, the key, a name; the order where it is none of them (an account).
func (f *facts) party(text string) string {
	if org := f.Order.Organization; org != nil && text != "" && text == org.Name {
		return "organization.name"
	}
	if f.keyReadable() && text == f.keyprint() {
		return "key"
	}
	for i := range f.names {
		n := &f.names[i]
		if text != "" && (n.Clean == text || n.Base == text || n.registrable() == text) {
			return n.subject()
		}
	}
	return "order"
}

// inputChecks are the causes that need an input, by its name. An input counts
// under a profile only where one of its causes can be raised there.
var inputChecks = []struct {
	input  string
	causes []cause.ID
}{
	{data.PublicSuffixes, []cause.ID{cause.NamePublicSuffix, cause.NameInternal}},
	{data.RootZone, []cause.ID{cause.NameInternal}},
	{data.AddressBlocks, []cause.ID{cause.NameIPReserved, cause.NameIPPublic}},
	{data.Confusables, []cause.ID{cause.PolicyLookalike}},
	{data.Words, []cause.ID{cause.PolicySensitiveWord, cause.PolicySensitiveWordInside}},
	{data.Brands, []cause.ID{cause.PolicyLookalike}},
	{"keys.compromised", []cause.ID{cause.KeyKnownCompromised}},
	{"keys.debian", []cause.ID{cause.KeyDebianWeak}},
	{"names.blocked", []cause.ID{cause.PolicyBlockedName}},
	{"names.unsafe", []cause.ID{cause.PolicyUnsafeListed}},
	{"parties.denied", []cause.ID{cause.PolicyListedParty}},
	{"clock", nil},
}

// snapshotUnavailable judges the snapshots that the review reads ([Case.Data]),
// whatever records are kept: one that could not be read or is too old, and a
// list that the profile names and the data does not have, in which a search
// would find nothing for ever.
func snapshotUnavailable(f *facts, s *sink) {
	snapshots := f.Data.Inputs()
	for i := range snapshots {
		f.input(s, &snapshots[i])
	}
	words := &f.profile.Words
	f.hasList(s, data.Words, words.List, f.Data.WordList)
	f.hasList(s, data.Brands, words.Brands, f.Data.BrandList)
}

func (f *facts) hasList(s *sink, input, list string, version func(list string) (string, bool)) {
	if list == "" {
		return
	}
	checks := f.checksOf(input)
	if checks == nil {
		return
	}
	if _, ok := version(list); !ok {
		s.add(cause.PolicyInputUnavailable, input).with("input", input).with("checks", checks).
			with("state", "no-list").with("list", list)
	}
}

// inputUnavailable says which lists, and whether the clock, could not be used,
// as the operator's side reports them. A list that nobody set up is no fault:
// it is said once, in one finding. A list that was set up and cannot be read,
// or is older than the profile allows, is unknown, each by itself.
func inputUnavailable(f *facts, s *sink) {
	records, _ := f.records(evidence.TopicInputs)
	snapshots := f.Data.Inputs()
	var absent, accepted []string
	for i := range records.Inputs {
		in := &records.Inputs[i]
		switch {
		case slices.ContainsFunc(snapshots, func(have evidence.Input) bool { return have.Name == in.Name }):
		case in.Configured:
			f.input(s, in)
		case f.checksOf(in.Name) == nil:
		case slices.Contains(f.profile.AcceptAbsent, in.Name):
			accepted = append(accepted, in.Name)
		default:
			absent = append(absent, in.Name)
		}
	}
	s.notConfigured(absent, "unconfigured")
	s.notConfigured(accepted, "accepted")
}

// input reports an input that is set up and cannot be used, or is too old.
func (f *facts) input(s *sink, in *evidence.Input) {
	age, limit := f.ageOf(in)
	if in.Error == "" && age <= limit {
		return
	}
	checks := f.checksOf(in.Name)
	if checks == nil {
		return
	}
	d := s.add(cause.PolicyInputUnavailable, in.Name).with("input", in.Name).with("checks", checks).from(f, evidence.TopicInputs)
	if in.Error != "" {
		d.with("state", "unreadable").with("reason", in.Error)
		return
	}
	d.with("state", "stale").with("date", in.Date).with("age", age.Truncate(24*time.Hour)).with("limit", limit)
}

// ageOf is how old an input is and may be; both are 0 where no age is too high.
func (f *facts) ageOf(in *evidence.Input) (age, limit time.Duration) {
	days := f.profile.MaxAge[in.Name]
	if days == 0 || in.Date.IsZero() {
		return 0, 0
	}
	return f.at.Sub(in.Date), time.Duration(days) * 24 * time.Hour
}

// checksOf returns the causes that an input serves for this order under the
// profile: nil where there are none, so that the input does not matter; empty
// for the clock, on which everything depends.
func (f *facts) checksOf(input string) []string {
	if strings.HasPrefix(input, "keys.") && !f.keyReadable() {
		return nil
	}
	for _, c := range inputChecks {
		if c.input != input {
			continue
		}
		if len(c.causes) == 0 {
			return []string{}
		}
		var checks []string
		for _, id := range c.causes {
			if f.profile.CanRaise(id, f.Order.Product) {
				checks = append(checks, string(id))
			}
		}
		return checks
	}
	return nil
}

// notConfigured is one finding for all lists that are not set up. Where the
// profile accepts the absence of one by name, the condition "accepted" holds too.
func (s *sink) notConfigured(inputs []string, condition string) {
	if len(inputs) == 0 {
		return
	}
	slices.Sort(inputs)
	var checks []string
	for _, in := range inputs {
		checks = append(checks, s.facts.checksOf(in)...)
	}
	s.add(cause.PolicyInputUnavailable, "lists", "unconfigured", condition).with("state", condition).
		with("inputs", inputs).with("checks", checks).from(s.facts, evidence.TopicInputs)
}
