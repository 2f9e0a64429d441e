package store

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"assay/evidence"
)

func seenAt(day int) evidence.Observation {
	return evidence.Observation{At: time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC), Unknown: "no answer on day " + strconv.Itoa(day)}.Identify()
}

// TestPackReview: only what the order does not have yet is packed, once.
func TestPackReview(t *testing.T) {
	a, b, c := seenAt(1), seenAt(2), seenAt(3)
	for name, x := range map[string]struct {
		had  []string
		seen []evidence.Observation
		want []evidence.Observation
	}{
		"first":       {nil, []evidence.Observation{a, b}, []evidence.Observation{a, b}},
		"one new":     {[]string{a.ID, b.ID}, []evidence.Observation{a, c}, []evidence.Observation{c}},
		"twice":       {nil, []evidence.Observation{a, a}, []evidence.Observation{a}},
		"nothing new": {[]string{b.ID, a.ID}, []evidence.Observation{a, b}, nil},
	} {
		packed, err := PackReview(&Review{}, x.seen, x.had)
		if err != nil {
			t.Fatal(name, err)
		}
		if x.want == nil {
			if packed.Fresh != nil {
				t.Errorf("%s: %q", name, packed.Fresh)
			}
			continue
		}
		got, err := UnpackObservations(packed.Fresh)
		if diff := cmp.Diff(x.want, got); diff != "" || err != nil {
			t.Error(name, diff, err)
		}
	}
}

// TestUnpackObservations: what earlier versions kept is read too, what is none is not.
func TestUnpackObservations(t *testing.T) {
	one := seenAt(1)
	raw, err := json.Marshal(&one)
	if err != nil {
		t.Fatal(err)
	}
	got, err := UnpackObservations(Pack(raw))
	if diff := cmp.Diff([]evidence.Observation{one}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, damaged := range []string{"", "x", "[", "{", `"a"`, "3"} {
		if got, err := UnpackObservations(Pack([]byte(damaged))); err == nil {
			t.Errorf("%q: %v", damaged, got)
		}
	}
}
