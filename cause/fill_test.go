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
			x := texts[lang]()[e.ID]
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
