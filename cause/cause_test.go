package cause

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"
)

// TestTexts: every cause has every text in every language; titles and reasons
// hold no placeholders; every placeholder is a declared parameter; both
// languages have the same number of steps and the same phrases.
func TestTexts(t *testing.T) {
	for _, e := range All() {
		byLang := map[Language]*Texts{}
		for _, lang := range Languages() {
			x := texts[lang].get(e.ID)
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
	for lang, shelf := range texts {
		for _, stage := range Stages() {
			for _, id := range shelf.stage(stage).ids {
				if !Known(id) {
					t.Errorf("%s: texts of %q, which the catalogue does not have", lang, id)
				}
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

// TestShelf: a cause's table read alone is that of the whole file, and the file
// has no others.
func TestShelf(t *testing.T) {
	t.Parallel()
	testShelf(t, &catalogue)
	for _, s := range texts {
		testShelf(t, s)
	}
	if Lookup("csr.nothing") != nil || Lookup("nothing") != nil || Known("") || TextsOf("x.y", Chinese) != nil {
		t.Error("an unknown cause was found")
	}
}

func testShelf[T any](t *testing.T, s *shelf[T]) {
	t.Helper()
	for _, stage := range Stages() {
		raw, err := s.files.ReadFile(s.dir + "/" + string(stage) + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		var all map[ID]*T
		if err := toml.Unmarshal(raw, &all); err != nil {
			t.Fatalf("%s: %s: %v", s.dir, stage, err)
		}
		if ids := s.stage(stage).ids; len(ids) != len(all) {
			t.Errorf("%s: %s: split into %d causes, the file has %d", s.dir, stage, len(ids), len(all))
		}
		for id, want := range all {
			if e, ok := any(want).(*Entry); ok {
				e.ID = id
			}
			if diff := cmp.Diff(want, s.get(id)); diff != "" {
				t.Errorf("%s: %s: (-file +alone)\n%s", s.dir, id, diff)
			}
			if id.Stage() != stage {
				t.Errorf("%s: %s stands in the file of the stage %s", s.dir, id, stage)
			}
		}
	}
}
