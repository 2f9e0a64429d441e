package cause

import (
	"strings"
	"testing"
	"time"
)

// TestTextsFill fills every text with a value for each declared parameter and,
// one after the other, with every word of its phrases: nothing may be left of
// the template, and what is optional must leave no gap where it is left out.
func TestTextsFill(t *testing.T) {
	t.Parallel()
	samples := map[string]any{
		"string": "s", "int": 2, "bool": true, "list": []string{"a", "b"},
		"time": time.Unix(1795000000, 0), "duration": 90 * time.Minute,
	}
	for _, e := range All() {
		for _, lang := range Languages() {
			x := texts[lang].get(e.ID)
			if x == nil {
				continue // TestTexts says it
			}
			full := Parameters{}
			for key, kind := range e.Parameters {
				full[key] = samples[kind]
			}
			check := func(p Parameters) {
				for _, text := range append([]string{x.Found}, x.Handling...) {
					if got := x.Fill(text, p, lang); got == "" || strings.ContainsAny(got, "{}‹›") || strings.Contains(got, "[[") || strings.Contains(got, "]]") {
						t.Errorf("%s: %s: %q is filled to %q", e.ID, lang, text, got)
					}
				}
			}
			check(full)
			for key, table := range x.Phrases {
				for word := range table {
					p := Parameters{}
					for k, v := range full {
						p[k] = v
					}
					p[key] = word
					if e.Parameters[key] == "list" {
						p[key] = []string{word}
					}
					check(p)
				}
			}
			if got := x.Fill(x.Found, nil, lang); got != strings.TrimSpace(got) || strings.Contains(got, "  ") {
				t.Errorf("%s: %s: without optional values it reads %q", e.ID, lang, got)
			}
		}
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	x := &Texts{Phrases: map[string]map[string]string{
		"problem": {"slow": "no answer[[ within {limit}]]", "bad": "it says {seen}", "plain": "closed"},
	}}
	limit := 10 * time.Second
	for _, c := range []struct {
		name, text string
		p          Parameters
		want       string
	}{
		{"a value", "at {address}", Parameters{"address": "192.0.2.1"}, "at 192.0.2.1"},
		{"no value", "at {address}", nil, "at ‹address›"},
		{"an optional part with its value", "x[[ at {address}]].", Parameters{"address": "192.0.2.1"}, "x at 192.0.2.1."},
		{"an optional part without", "x[[ at {address}]].", nil, "x."},
		{"an optional part in a phrase with its value", "{problem}.", Parameters{"problem": "slow", "limit": limit}, "no answer within 10 s."},
		{"an optional part in a phrase without", "{problem}.", Parameters{"problem": "slow"}, "no answer."},
		{"a complete phrase in an optional part", "x[[: {problem}]].", Parameters{"problem": "slow"}, "x: no answer."},
		{"an incomplete phrase in an optional part", "x[[: {problem}]].", Parameters{"problem": "bad"}, "x."},
		{"a word without a phrase", "{problem}.", Parameters{"problem": "other"}, "other."},
		{"a list of phrases", "{problem}.", Parameters{"problem": []string{"plain", "slow"}}, "closed, no answer."},
		{"a value that looks like a template", "{problem}.", Parameters{"problem": "bad", "seen": "{limit} [[x]]", "limit": limit}, "it says {limit} [[x]]."},
		{"brackets left open", "x [[ y", nil, "x [[ y"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := x.Fill(c.text, c.p, English); got != c.want {
				t.Errorf("%q is filled to %q, want %q", c.text, got, c.want)
			}
		})
	}
}

// TestCatalogueEntries: what the catalogue shows of a cause has no empty step, no
// brackets, and says what ‹rule› stands for.
func TestCatalogueEntries(t *testing.T) {
	t.Parallel()
	for _, e := range All() {
		for _, lang := range Languages() {
			texts := TextsOf(e.ID, lang)
			variants := texts.Variants(lang)
			shown := append([]string{texts.Entry(texts.Found, lang)}, variants...)
			for _, step := range texts.Handling {
				shown = append(shown, texts.Entry(step, lang))
			}
			for _, text := range shown {
				if strings.TrimSpace(text) == "" || strings.Contains(text, "[[") || strings.Contains(text, "]]") {
					t.Errorf("%s %s shows %q", e.ID, lang, text)
				}
			}
			if strings.Trim(shown[0], ".。") == "‹rule›" && len(variants) == 0 {
				t.Errorf("%s %s: nothing says what ‹rule› is", e.ID, lang)
			}
		}
	}
}
