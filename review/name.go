package review

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"assay/cause"
	"assay/data"
	"assay/name"
	"assay/profile"
)

var nameRules = []rule{
	{causes: []cause.ID{cause.NameInvalidCharacter}, needs: needNames, run: eachText(invalidCharacter)},
	{causes: []cause.ID{cause.NameNotASCII}, needs: needNames, run: eachText(notASCII)},
	{causes: []cause.ID{cause.NameMalformed}, needs: needNames, run: eachText(malformed)},
	{causes: []cause.ID{cause.NameIDNInvalid}, needs: needNames, run: eachText(idnInvalid)},
	{causes: []cause.ID{cause.NameWildcardMalformed}, needs: needNames, run: eachText(wildcardMalformed)},
	{causes: []cause.ID{cause.NameIPMalformed}, needs: needNames, run: eachText(ipMalformed)},
	{causes: []cause.ID{cause.NameTooLong}, needs: needNames, run: eachName(tooLong)},
	{causes: []cause.ID{cause.NameTooManyLabels}, needs: needNames, run: eachName(tooManyLabels)},
	{causes: []cause.ID{cause.NameBareHost}, needs: needNames, run: eachName(bareHost)},
	{causes: []cause.ID{cause.NameInternal}, needs: needNames, run: eachName(internalName)},
	{causes: []cause.ID{cause.NamePublicSuffix}, needs: needNames, run: eachName(publicSuffix)},
	{causes: []cause.ID{cause.NameIPReserved, cause.NameIPPublic}, needs: needNames, run: eachName(ipAddress)},
}

// eachName runs a rule about the name meant, once for each distinct one.
func eachName(rule func(*facts, *sink, *nameFact)) func(*facts, *sink) {
	return func(f *facts, s *sink) {
		for i := range f.names {
			if f.names[i].same == i {
				rule(f, s, &f.names[i])
			}
		}
	}
}

// eachText runs a rule about the spelling, once for each spelling that has a
// problem.
func eachText(rule func(*facts, *sink, *nameFact)) func(*facts, *sink) {
	return func(f *facts, s *sink) {
		for i := range f.names {
			n := &f.names[i]
			if len(n.Problems) == 0 && !n.TrailingDot || n.same != i && f.names[n.same].Text == n.Text {
				continue
			}
			rule(f, s, n)
		}
	}
}

// subject of findings about the name; an empty text is shown as the field.
func (n *nameFact) subject() string {
	if strings.TrimSpace(n.Text) == "" {
		return "names"
	}
	return n.Text
}

// addName starts a finding about a name.
func (s *sink) addName(id cause.ID, n *nameFact, conditions ...string) *draft {
	return s.add(id, n.subject(), conditions...).with("name", n.Text)
}

// aboutLabel is what a finding about one label concerns.
func (n *nameFact) aboutLabel(p *name.Problem) string {
	return n.subject() + "#" + strconv.Itoa(p.Label)
}

// invalidCharacter is one finding for all characters of a name. The switch
// "underscore" of a private CA lets names pass that have underscores and no
// other such character.
func invalidCharacter(f *facts, s *sink, n *nameFact) {
	var all []string
	var first *name.Problem
	underscores := true
	for i := range n.Problems {
		p := &n.Problems[i]
		if p.Kind != name.Character {
			continue
		}
		if first == nil {
			first = p
		}
		underscores = underscores && p.Rule == "underscore"
		all = append(all, codePoint(p.Rune)+"@"+strconv.Itoa(p.Offset))
	}
	if first == nil {
		return
	}
	var conditions []string
	if underscores && f.profile.Switch("underscore") {
		conditions = append(conditions, "underscore")
	}
	level := f.profile.Stated(cause.NameInvalidCharacter, f.Order.Product, conditions...)
	if level == cause.Pass {
		return
	}
	s.addAt(level, cause.NameInvalidCharacter, n.subject()).with("name", n.Text).
		with("rule", first.Rule).with("offset", first.Offset).
		with("code_point", codePoint(first.Rune)).with("suggestion", first.Suggestion).
		with("characters", all)
}

func codePoint(r rune) string { return fmt.Sprintf("U+%04X", r) }

func notASCII(_ *facts, s *sink, n *nameFact) {
	for i := range n.Problems {
		if p := &n.Problems[i]; p.Kind == name.NotASCII {
			s.addName(cause.NameNotASCII, n).
				with("unicode", shownWildcard(n)+p.Detail).with("ascii", n.Clean).with("offset", p.Offset)
		}
	}
}

func shownWildcard(n *nameFact) string {
	if n.Wildcard {
		return "*."
	}
	return ""
}

// malformed is a finding for each rule of DNS syntax that is broken.
func malformed(f *facts, s *sink, n *nameFact) {
	for i := range n.Problems {
		p := &n.Problems[i]
		var length, limit int
		switch p.Kind {
		case name.Empty, name.EmptyLabel, name.Hyphen, name.ReservedHyphens:
		case name.LabelTooLong:
			length, limit = labelLength(n, p), name.MaxLabel
		case name.NameTooLong:
			length, limit = max(len(n.Clean), len(n.Text)), name.MaxName
		default:
			continue
		}
		d := s.addName(cause.NameMalformed, n).
			with("rule", p.Rule).with("label", p.Detail).with("suggestion", p.Suggestion)
		if p.Label >= 0 {
			d.with("index", p.Label+1).concerning(n.aboutLabel(p))
		}
		if limit > 0 {
			d.with("length", length).with("limit", limit)
		}
	}
	if n.TrailingDot && f.profile.Names.TrailingDot && !n.isIP() {
		s.addName(cause.NameMalformed, n).
			with("rule", "trailing-dot").with("suggestion", n.Clean)
	}
}

// labelLength is the length of the label in A-label form where it has one.
func labelLength(n *nameFact, p *name.Problem) int {
	l := n.labelOf(p)
	if len(l) > name.MaxLabel {
		return len(l)
	}
	return len([]rune(p.Detail))
}

// labelOf is the label of a problem as it stands in Clean.
func (n *nameFact) labelOf(p *name.Problem) string {
	i := p.Label
	if n.Wildcard {
		i--
	}
	if i < 0 || i >= len(n.Labels) {
		return p.Detail
	}
	return n.Labels[i]
}

// idnInvalid tells what is no Punycode (forbidden everywhere) from what only
// IDNA2008 forbids (condition idna): one finding a label.
func idnInvalid(_ *facts, s *sink, n *nameFact) {
	for i := range n.Problems {
		p := &n.Problems[i]
		var conditions []string
		switch p.Kind {
		case name.Punycode:
		case name.IDNA:
			if slices.ContainsFunc(n.Problems[:i], func(q name.Problem) bool { return q.Kind == name.IDNA && q.Label == p.Label }) {
				continue
			}
			conditions = []string{"idna"}
		default:
			continue
		}
		d := s.addName(cause.NameIDNInvalid, n, conditions...)
		if d == nil {
			continue
		}
		var broken []string
		for _, q := range n.Problems {
			if q.Kind == p.Kind && q.Label == p.Label && !slices.Contains(broken, q.Rule) {
				broken = append(broken, q.Rule)
			}
		}
		d.with("label", n.labelOf(p)).with("rule", broken).concerning(n.aboutLabel(p))
		if p.Rule != "decode" {
			d.with("decoded", p.Detail)
		}
		if p.Rune != 0 {
			d.with("code_point", codePoint(p.Rune))
		}
	}
}

func wildcardMalformed(_ *facts, s *sink, n *nameFact) {
	for i := range n.Problems {
		if p := &n.Problems[i]; p.Kind == name.Wildcard {
			s.addName(cause.NameWildcardMalformed, n).
				with("rule", p.Rule).with("offset", p.Offset).with("suggestion", p.Suggestion)
			return
		}
	}
}

func ipMalformed(_ *facts, s *sink, n *nameFact) {
	for i := range n.Problems {
		if p := &n.Problems[i]; p.Kind == name.IPNotation {
			s.addName(cause.NameIPMalformed, n).
				with("text", p.Detail).with("rule", p.Rule).with("canonical", n.Canonical).with("suggestion", p.Suggestion)
		}
	}
}

// tooLong is the profile's own bound. A name that DNS itself has no room for is
// name.malformed.
func tooLong(f *facts, s *sink, n *nameFact) {
	length, limit := len(n.Clean), f.profile.Names.MaxLength
	if limit == 0 || length <= limit || n.Has(name.NameTooLong) {
		return
	}
	s.addName(cause.NameTooLong, n).with("length", length).with("limit", limit).with("excess", length-limit)
}

// tooManyLabels also finds the names that servers asking for certificates on
// demand make without end: www.www.www.…
func tooManyLabels(f *facts, s *sink, n *nameFact) {
	limit := f.profile.Names.MaxLabels
	if limit > 0 && len(n.Labels) > limit {
		s.addName(cause.NameTooManyLabels, n).
			with("rule", "count").with("count", len(n.Labels)).with("limit", limit)
	}
	if repeated := repeatedLabels(n.Labels, f.profile.Names.RepeatedLabels); repeated != nil {
		s.addName(cause.NameTooManyLabels, n).
			with("rule", "repeated").with("count", len(n.Labels)).with("labels", repeated)
	}
}

// repeatedLabels returns two equal neighbours in a name of four labels or more,
// or three listed labels in a row.
func repeatedLabels(labels, listed []string) []string {
	for i := range labels {
		if !slices.Contains(listed, labels[i]) {
			continue
		}
		if len(labels) >= 4 && i+1 < len(labels) && labels[i+1] == labels[i] {
			return labels[i : i+2]
		}
		if i+2 < len(labels) && slices.Contains(listed, labels[i+1]) && slices.Contains(listed, labels[i+2]) {
			return labels[i : i+3]
		}
	}
	return nil
}

// hasHost reports whether the text left a host name to judge: where "*", dots
// or foreign characters are all there is, the spelling is what is wrong.
func (n *nameFact) hasHost() bool {
	if tld := n.TLD(); tld == "" || strings.Contains(tld, "*") {
		return false
	}
	return !slices.ContainsFunc(n.Problems, func(p name.Problem) bool {
		return p.Kind == name.Character && p.Rule != "underscore" && p.Suggestion == ""
	})
}

func bareHost(_ *facts, s *sink, n *nameFact) {
	if len(n.Labels) == 1 && n.hasHost() {
		s.addName(cause.NameBareHost, n).with("host", n.Unicode)
	}
}

// internalName: a name no public CA can validate. A bare host is one too, and
// is reported as such only where the profile has nothing against bare hosts.
func internalName(f *facts, s *sink, n *nameFact) {
	if n.isIP() || !n.hasHost() || len(n.Labels) == 1 && f.level(cause.NameBareHost) != cause.Pass {
		return
	}
	rule := ""
	d := (*draft)(nil)
	switch {
	case n.TLD() == "onion":
		if rule = f.onionRule(n); rule != "" {
			d = s.addName(cause.NameInternal, n)
		}
	case f.profile.Names.RequireSuffix && n.icann().Rule == "":
		rule = "suffix"
		d = s.addName(cause.NameInternal, n).with("snapshot", f.snapshot(data.PublicSuffixes))
	case !n.inRootZone():
		rule = "tld"
		d = s.addName(cause.NameInternal, n).with("snapshot", f.snapshot(data.RootZone))
	case n.Below("in-addr.arpa") || n.Below("ip6.arpa"):
		forbidden, row, _ := f.on(profile.ReverseForbidden)
		if forbidden == 0 {
			return
		}
		rule = "reverse"
		d = s.addName(cause.NameInternal, n).with("since", row.From).with("source", row.Source)
	}
	d.with("rule", rule).with("label", n.TLD())
}

// onionRule says what is wrong with an onion name (BR appendix B), "" nothing.
func (f *facts) onionRule(n *nameFact) string {
	switch {
	case !f.profile.Names.Onion:
		return "onion"
	case !n.OnionV3():
		return "onion-version"
	}
	return ""
}

// snapshot is the day that a part of the data describes, "" where unknown.
func (f *facts) snapshot(part string) string {
	if s, ok := f.Data.Snapshot(part); ok && !s.Date.IsZero() {
		return s.Date.UTC().Format("2006-01-02")
	}
	return ""
}

// publicSuffix: a name that is a public suffix (ICANN section), or a wildcard
// over one. "*.kawasaki.jp" is one too: every name it covers is a suffix.
func publicSuffix(f *facts, s *sink, n *nameFact) {
	if n.isIP() || len(n.Labels) == 0 {
		return
	}
	suffix := n.icann()
	equal := suffix.Rule != "" && suffix.Suffix == n.Base
	if !equal && n.Wildcard && suffix.Rule != "" {
		below := n.set.Suffix("a."+n.Base, true)
		if below.Rule == "*."+n.Base {
			suffix, equal = below, true
		}
	}
	if !equal {
		return
	}
	var conditions []string
	rule := "wildcard"
	if !n.Wildcard {
		conditions, rule = []string{"plain"}, "plain"
	}
	if d := s.addName(cause.NamePublicSuffix, n, conditions...); d != nil {
		d.with("suffix", n.Base).with("entry", suffix.Rule).with("rule", rule).with("snapshot", f.snapshot(data.PublicSuffixes))
	}
}

// ipAddress tells reserved addresses from public ones. Where a resolver and a
// person read two different addresses, only name.ip-malformed speaks.
func ipAddress(f *facts, s *sink, n *nameFact) {
	if !n.isIP() || slices.ContainsFunc(n.Problems, func(p name.Problem) bool {
		return p.Kind == name.IPNotation && p.Suggestion == ""
	}) {
		return
	}
	if block, reserved := n.reservedBlock(); reserved {
		s.addName(cause.NameIPReserved, n).
			with("address", n.Canonical).with("block", block.Prefix.String()).with("use", block.Name).with("rfc", block.RFC)
		return
	}
	var conditions []string
	if plans := f.profile.Names.IPPlans; len(plans) == 0 || slices.Contains(plans, f.Order.Plan) {
		conditions = []string{"shortlived"}
	}
	s.addName(cause.NameIPPublic, n, conditions...).
		with("address", n.Canonical).with("plans", f.profile.Names.IPPlans)
}
