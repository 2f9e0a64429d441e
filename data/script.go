package data

import (
	"slices"
	"sync"
	"unicode"
)

// scriptOrder lists the scripts to try, the usual ones of names first.
var scriptOrder = sync.OnceValue(func() []string {
	first := []string{"Latin", "Han", "Cyrillic", "Greek", "Hiragana", "Katakana", "Hangul", "Arabic", "Devanagari", "Thai", "Hebrew"}
	var rest []string
	for name := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && !slices.Contains(first, name) {
			rest = append(rest, name)
		}
	}
	slices.Sort(rest)
	return append(first, rest...)
})

// together are the mixtures that "Highly Restrictive" allows besides a single
// script (UTS 39 5.2).
var together = [][]string{
	{"Latin", "Han", "Hiragana", "Katakana"},
	{"Latin", "Han", "Bopomofo"},
	{"Latin", "Han", "Hangul"},
}

// MixedScripts returns the scripts of a label in U-label form, sorted, where it
// mixes more than UTS 39 "Highly Restrictive" allows; nil for a label within it.
//
// Characters common to scripts do not count, and neither do digits and
// combining marks: the few of them that belong to one script in Unicode's
// Script property are shared by several in Script_Extensions.
func (s *Set) MixedScripts(label string) []string {
	if isASCII(label) {
		return nil
	}
	var room [4]string
	found := room[:0]
	for _, r := range label {
		if r < 0x80 && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') ||
			unicode.In(r, unicode.Common, unicode.Inherited, unicode.Nd, unicode.Mn) {
			continue
		}
		if script := scriptOf(r, found); script != "" && !slices.Contains(found, script) {
			found = append(found, script)
		}
	}
	if len(found) < 2 {
		return nil
	}
	for _, set := range together {
		if !slices.ContainsFunc(found, func(s string) bool { return !slices.Contains(set, s) }) {
			return nil
		}
	}
	slices.Sort(found)
	return slices.Clone(found)
}

func scriptOf(r rune, first []string) string {
	for _, name := range first {
		if unicode.Is(unicode.Scripts[name], r) {
			return name
		}
	}
	for _, name := range scriptOrder() {
		if unicode.Is(unicode.Scripts[name], r) {
			return name
		}
	}
	return ""
}
