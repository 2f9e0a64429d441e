package service

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// TestProblemAllows: what a problem says may be done is what the order says may be
// done now, not all that its state has a step for: a reviewer is not urged on the day
// of the submission.
func TestProblemAllows(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	who := b.who[RoleApplicant]
	v, err := b.Apply(ctx, who, dv(t, "shop.orchard.net"))
	if err != nil {
		t.Fatal(err)
	}
	draft := dv(t, "www.orchard.net")
	draft.Draft = true
	d, err := b.Apply(ctx, who, draft)
	if err != nil {
		t.Fatal(err)
	}
	of := func(_ *View, err error) error { return err }
	for _, c := range []struct {
		name string
		v    *View
		err  error
	}{
		{"nothing asked", v, of(b.Answer(ctx, who, v.ID, 0, "as you say"))},
		{"nobody to urge", v, of(b.Urge(ctx, who, v.ID, 0))},
		{"not paused", v, of(b.Resume(ctx, who, v.ID, 0))},
		{"open", v, of(b.Erase(ctx, b.who[RoleAdministrator], v.ID, 0))},
		{"a draft", d, of(b.Verify(ctx, who, d.ID, 0))},
	} {
		var p *Problem
		if !errors.As(c.err, &p) || p.Kind != WrongState || !slices.Equal(p.Allowed, c.v.Allowed) {
			t.Errorf("%s: %v; allowed %v, want %v", c.name, c.err, p, c.v.Allowed)
		}
	}
}
