package service

import (
	"context"
	"slices"
	"testing"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/perspective"
	"assay/review"
)

// earnest is a place of the laboratory that passes for one of the internet.
type earnest struct{ perspective.Place }

func (e earnest) About() evidence.Perspective {
	about := e.Place.About()
	about.Network = nil
	return about
}

func (e earnest) Begin() perspective.Look { return earnestLook{e.Place.Begin()} }

type earnestLook struct{ perspective.Look }

func (l earnestLook) Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation {
	list := l.Look.Answer(ctx, questions)
	for i := range list {
		list[i].Network = nil
		list[i] = list[i].Identify()
	}
	return list
}

// places are those of a world in which a value is published, or nothing is.
func (h *house) places(t *testing.T, value string, isLab bool, ids ...string) {
	t.Helper()
	change := lab.Change{}
	if value == "" {
		change = bare()
	}
	change.Places = ids
	w, err := lab.New(change, lab.Options{Clock: h.clock, Value: value})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	if h.Places, err = trial.Places(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	for i, p := range h.Places {
		if !isLab {
			h.Places[i] = earnest{p}
		}
	}
}

func isSetFinding(f review.Finding) bool { return f.Cause == cause.PerspectiveSetNotConformant }

// TestReuseByPlaces: what places saw that are too few for a CA counts for the
// order they looked for, and for no later one; of a laboratory it counts in one.
func TestReuseByPlaces(t *testing.T) {
	t.Parallel()
	few, enough := []string{"P0"}, []string{"P0", "P1", "P2", "P3", "P4", "P5"}
	for name, c := range map[string]struct {
		first, later []string
		// lab and laterLab are whether it was looked in a laboratory.
		lab, laterLab bool
		mpic          string
		reused        bool
	}{
		"one place":                        {few, enough, false, false, "lab (0 of 4)", false},
		"as the rules demand":              {enough, enough, false, false, "conformant", true},
		"as they demand, then one place":   {enough, few, false, false, "conformant", true},
		"in a laboratory":                  {few, few, true, true, "lab (0 of 4)", true},
		"in a laboratory, then in earnest": {enough, enough, true, false, "conformant", false},
		"in earnest, then in a laboratory": {enough, enough, false, true, "conformant", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			who := h.who[RoleApplicant]
			first := h.apply(t, who, dv(t, "orchard.net"))
			h.places(t, first.Challenges[0].Value, c.lab, c.first...)
			v := h.run(t, first.ID)
			if v.State != order.StateReady || v.MPIC != c.mpic || v.Lab != c.lab {
				t.Fatalf("%s %q %t %+v", v.State, v.MPIC, v.Lab, v.Findings)
			}
			events, err := h.Events(context.Background(), who, v.ID, 0, 0)
			if err != nil || events[len(events)-1].Data["mpic"] != c.mpic {
				t.Errorf("%+v, %v", events, err)
			}
			if warned := slices.ContainsFunc(v.Findings, isSetFinding); warned != (c.mpic != "conformant") {
				t.Errorf("%+v", v.Findings)
			}
			h.pass(time.Hour)
			second := h.apply(t, who, dv(t, "orchard.net"))
			h.places(t, "", c.laterLab, c.later...)
			if v = h.run(t, second.ID); (v.State == order.StateReady) != c.reused || !c.reused && !slices.Contains(causesIn(v), cause.DNSRecordMissing) {
				t.Errorf("a later order: %s %v", v.State, causesIn(v))
			}
		})
	}
}

// TestOwnValidation: a validation by few places goes on counting for its own order
// while a person decides.
func TestOwnValidation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "mytests.orchard.net", "orchard.net"))
	h.places(t, v.Challenges[0].Value, false, "P0")
	if v = h.run(t, v.ID); v.Phase != order.PhaseReview {
		t.Fatalf("%s %v", v.Phase, causesIn(v))
	}
	h.pass(time.Hour)
	h.places(t, "", false, "P0")
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Phase != order.PhaseReview || slices.Contains(causesIn(v), cause.DNSRecordMissing) {
		t.Errorf("%s %s %v", v.State, v.Phase, causesIn(v))
	}
}
