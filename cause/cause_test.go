package cause

import (
	"slices"
	"testing"
)

// TestTexts: every cause has every text in every language; titles and reasons
// hold no placeholders; every placeholder is a declared parameter; both
// languages have the same number of steps and the same phrases.
func TestTexts(t *testing.T) {
	for _, e := range All() {
		byLang := map[Language]*Texts{}
		for _, lang := range Languages() {
			x := texts[lang]()[e.ID]
			if x == nil {
				t.Errorf("%s: no texts in %s", e.ID, lang)
				continue
			}
			byLang[lang] = x
			if x.Title == "" || x.Found == "" || x.Why == "" || len(x.Handling) == 0 {
				t.Errorf("%s: %s: title, found, why and handling are all needed", e.ID, lang)
			}
			if len(Placeholders(x.Title)) > 0 || len(Placeholders(x.Why)) > 0 {
				t.Errorf("%s: %s: title and why hold no placeholders", e.ID, lang)
			}
			all := append([]string{x.Found}, x.Handling...)
			for _, table := range x.Phrases {
				for _, phrase := range table {
					all = append(all, phrase)
				}
			}
			for _, text := range all {
				for _, key := range Placeholders(text) {
					if _, ok := e.Parameters[key]; !ok {
						t.Errorf("%s: %s: placeholder {%s} is not a parameter of the catalogue entry", e.ID, lang, key)
					}
				}
			}
		}
		en, zh := byLang[English], byLang[Chinese]
		if en == nil || zh == nil {
			continue
		}
		if len(en.Handling) != len(zh.Handling) {
			t.Errorf("%s: %d steps in English, %d in Chinese", e.ID, len(en.Handling), len(zh.Handling))
		}
		for key, table := range en.Phrases {
			for value := range table {
				if zh.Phrases[key][value] == "" {
					t.Errorf("%s: phrase %s.%s lacks Chinese", e.ID, key, value)
				}
			}
		}
	}
	for lang, load := range texts {
		for id := range load() {
			if Lookup(id) == nil {
				t.Errorf("%s: texts of %q, which the catalogue does not have", lang, id)
			}
		}
	}
}

// TestEntries: relations name known causes, every entry says who acts, and
// parameter types are known.
func TestEntries(t *testing.T) {
	kinds := []string{"string", "int", "bool", "list", "time", "duration"}
	if len(All()) != 170 {
		t.Errorf("%d entries, want 170", len(All()))
	}
	for _, e := range All() {
		if !slices.Contains([]Who{Applicant, DNSProvider, Hosting, Operator, CA}, e.Who) {
			t.Errorf("%s: who = %q", e.ID, e.Who)
		}
		for _, id := range append(slices.Clone(e.Replaces), e.LeadsTo...) {
			if Lookup(id) == nil {
				t.Errorf("%s: refers to %q, which the catalogue does not have", e.ID, id)
			}
		}
		for name, kind := range e.Parameters {
			if !slices.Contains(kinds, kind) {
				t.Errorf("%s: parameter %s has type %q", e.ID, name, kind)
			}
		}
	}
}
