package cause

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRestore: the parameters of every cause come back from JSON as they were,
// and the texts in every language are the same.
func TestRestore(t *testing.T) {
	t.Parallel()
	samples := map[string]any{
		"string": "2026-01-01T00:00:00Z", "int": -2, "bool": true, "list": []string{"a", "b"},
		"time": time.Date(2026, 11, 26, 8, 0, 0, 123000, time.UTC), "duration": 90*time.Minute + time.Millisecond,
	}
	for _, e := range All() {
		full := Parameters{}
		for key, kind := range e.Parameters {
			full[key] = samples[kind]
		}
		again := full.throughJSON(t).Restore(e.ID)
		if diff := cmp.Diff(full, again); len(full) > 0 && diff != "" {
			t.Errorf("%s: (-before +after)\n%s", e.ID, diff)
		}
		for _, lang := range Languages() {
			x := TextsOf(e.ID, lang)
			for _, text := range append([]string{x.Found}, x.Handling...) {
				if before, after := x.Fill(text, full, lang), x.Fill(text, again, lang); before != after {
					t.Errorf("%s: %s: %q, was %q", e.ID, lang, after, before)
				}
			}
		}
	}
}

func (p Parameters) throughJSON(t *testing.T) Parameters {
	t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var again Parameters
	if err := json.Unmarshal(raw, &again); err != nil {
		t.Fatal(err)
	}
	return again
}

// TestRestoreMisfit: what does not fit its type, or has none, stays as it is.
func TestRestoreMisfit(t *testing.T) {
	t.Parallel()
	for value, kind := range map[any]string{
		"soon": "time", "long": "duration", "7": "int", 7.5: "int", 1e300: "int", true: "list", "a": "list", 7.0: "", "2026-01-01T00:00:00Z": "string",
	} {
		if got := restore(value, kind); got != value {
			t.Errorf("%v as %s: %v", value, kind, got)
		}
	}
	mixed := []any{"a", 1.0}
	if diff := cmp.Diff(any(mixed), restore(mixed, "list")); diff != "" {
		t.Error(diff)
	}
	if got := (Parameters{"x": 1.0}).Restore("no.such"); got["x"] != 1.0 {
		t.Errorf("%v", got)
	}
	if got := Parameters(nil).Restore(DNSRecordMissing); got != nil {
		t.Errorf("%v", got)
	}
}
