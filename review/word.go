package review

import (
	"slices"

	"assay/cause"
	"assay/data"
)

// wordRules look for words and top-level domains that call for a second look
// (catalogue, section D).
var wordRules = []rule{
	{
		causes: []cause.ID{cause.PolicySensitiveWord, cause.PolicySensitiveWordInside},
		needs:  needNames, run: eachName(sensitiveWord),
	},
	{causes: []cause.ID{cause.PolicyRareRootDomain}, needs: needNames, run: eachName(rareRootDomain)},
}

// insideModes are the ways of finding a word only inside a longer one.
var insideModes = []string{"substring", "cross-label"}

// sensitiveWord searches a name in the form people read: never in Punycode,
// which holds accidental words, and never in the top-level domain (catalogue
// B2). A word that stands alone hides the ones that only occur inside others.
func sensitiveWord(f *facts, s *sink, n *nameFact) {
	list := f.profile.Words.List
	if list == "" || n.isIP() || f.wordsAllowed(n) {
		return
	}
	hits := f.Data.FindWords(list, n.Unicode, f.profile.Switch("search-tld"))
	if len(hits) == 0 {
		return
	}
	var alone, inside []data.WordHit
	for _, h := range hits {
		if slices.Contains(insideModes, h.Mode) {
			inside = append(inside, h)
		} else {
			alone = append(alone, h)
		}
	}
	// A hit that passes or that a reviewer approved hides nothing.
	if d := s.addWords(cause.PolicySensitiveWord, n, alone); d == nil || d.Level == cause.Info || f.approval(d) != nil {
		s.addWords(cause.PolicySensitiveWordInside, n, inside)
	}
}

// addWords is one finding for all hits of one cause in a name, where there are any.
func (s *sink) addWords(id cause.ID, n *nameFact, hits []data.WordHit) *draft {
	if len(hits) == 0 {
		return nil
	}
	d := s.add(id, n.subject()).with("name", n.Text)
	if d == nil {
		return nil
	}
	list := s.facts.profile.Words.List
	version, _ := s.facts.Data.WordList(list)
	var words []string
	for _, h := range hits {
		if !slices.Contains(words, h.Word) {
			words = append(words, h.Word)
		}
	}
	first := hits[0]
	return d.with("words", words).with("word", first.Word).with("label", labelAt(n.Unicode, first.Label)).
		with("mode", first.Mode).with("start", first.Start).with("end", first.End).
		with("list", list).with("version", version)
}

// wordsAllowed reports whether the profile exempts the name: named itself, or
// its registrable domain.
func (f *facts) wordsAllowed(n *nameFact) bool {
	allow := f.profile.Words.Allow
	return len(allow) > 0 && (slices.Contains(allow, n.Base) || slices.Contains(allow, n.registrable()))
}

// labelAt returns a label of a dotted name, "" where there is no such one.
func labelAt(name string, index int) string {
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '.' {
			continue
		}
		if index == 0 {
			return name[start:i]
		}
		index--
		start = i + 1
	}
	return ""
}

// rareRootDomain is about the top-level domain alone; words in the labels left
// of it are another rule (catalogue B1).
func rareRootDomain(f *facts, s *sink, n *nameFact) {
	if n.isIP() || len(n.Labels) < 2 || !slices.Contains(f.profile.Words.RareDomains, n.TLD()) {
		return
	}
	s.add(cause.PolicyRareRootDomain, n.subject()).with("name", n.Text).with("tld", n.TLD()).
		with("list", f.profile.Name).with("version", f.profile.Version)
}
