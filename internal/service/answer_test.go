package service

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"assay/cause"
	"assay/order"
	"assay/review"
)

// TestAnswersKept: a use case that finds nothing to write keeps its answer under
// the key of its request as well.
func TestAnswersKept(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, admin := context.Background(), h.who[RoleAdministrator]
	v := h.apply(t, admin, dv(t, "orchard.net"))
	if _, err := h.Verify(ctx, admin, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func(context.Context) (any, error){
		"verify too often": func(ctx context.Context) (any, error) {
			v, err := h.Verify(ctx, admin, v.ID, 0)
			if err == nil && !slices.ContainsFunc(v.Findings, func(f review.Finding) bool { return f.Cause == cause.LimitCheckedTooOften }) {
				t.Errorf("%v", causesIn(v))
			}
			return v, err
		},
		"audit verify": func(ctx context.Context) (any, error) { return h.AuditVerify(ctx, admin) },
	} {
		var kept any
		keyed := WithRequest(ctx, RequestKey{Token: "t", Key: name, Digest: []byte("d"), Answer: func(result any) (int, json.RawMessage, []byte, error) {
			kept = result
			return 200, []byte("{}"), []byte(name), nil
		}})
		result, err := do(keyed)
		if err != nil || kept != result {
			t.Errorf("%s: %v, kept %v", name, err, kept)
		}
		if r, err := h.Store.Request(ctx, "t", name); err != nil || string(r.Body) != name {
			t.Errorf("%s: %+v %v", name, r, err)
		}
		if _, err := do(keyed); !errors.Is(err, ErrAnswered) {
			t.Errorf("%s again: %v", name, err)
		}
	}
}

// TestCancelVersions: each version that cancelling makes is an event of its own,
// whichever state it begins in.
func TestCancelVersions(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	admin := b.who[RoleAdministrator]
	for _, draft := range []bool{true, false} {
		in := dv(t, "shop.orchard.net")
		in.Draft = draft
		v, err := b.Apply(ctx, admin, in)
		if err != nil {
			t.Fatal(err)
		}
		v, err = b.Cancel(ctx, admin, v.ID, 0)
		if err != nil || v.State != order.StateCancelled {
			t.Fatal(v, err)
		}
		events, err := b.Events(ctx, admin, v.ID, 0, 0)
		if err != nil || int64(len(events)) != v.Version {
			t.Errorf("%d events for version %d, %v", len(events), v.Version, err)
		}
		for i, e := range events {
			if e.Version != int64(i+1) {
				t.Errorf("event %d is of version %d", i, e.Version)
			}
		}
		if last := events[len(events)-1]; last.Action != "order.cancel" || last.Data["state"] != "cancelled" {
			t.Errorf("%+v", last)
		}
	}
}

// TestSealWhilePreparing: the audit log is sealed while it is found out what
// works here; nothing is looked at before that is over.
func TestSealWhilePreparing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.work.after = func(time.Duration) <-chan time.Time { return nil } // no time passes
	h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	began, over := make(chan struct{}), make(chan struct{})
	h.Prepare = func(context.Context) {
		close(began)
		<-over
	}
	h.counts.checked = make(chan struct{}, 8)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		h.Run(ctx)
		close(done)
	}()
	<-began
	for waiting := true; waiting; { // ends only where something seals
		var err error
		if waiting, err = h.Store.HasUnsealed(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if h.window.questions() != 0 {
		t.Error("looked before it was known what works")
	}
	close(over)
	<-h.counts.checked
	stop()
	<-done
}
