package service

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/perspective"
	"assay/review"
)

// TestCheckDNS: an order waits for its record, says so, and is ready once it is
// there.
func TestCheckDNS(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.world(t, v, bare())
	v = h.run(t, v.ID)
	if v.State != order.StatePending || v.Phase != order.PhaseValidation || v.Verdict != review.VerdictWait || !slices.Contains(causesIn(v), cause.DNSRecordMissing) {
		t.Fatalf("%s %s %s %v", v.State, v.Phase, v.Verdict, causesIn(v))
	}
	if v.NextCheck == nil || v.NextCheck.Sub(h.clock()) != 30*time.Second {
		t.Errorf("next check at %v, now %v", v.NextCheck, h.clock())
	}
	h.pass(30 * time.Second)
	v = h.run(t, v.ID)
	if v.Review != 2 || v.Checks != 2 || v.Version != 2 {
		t.Errorf("the same seen twice: review %d, %d checks, version %d", v.Review, v.Checks, v.Version)
	}
	h.world(t, v, lab.Change{})
	h.pass(30 * time.Second)
	v = h.run(t, v.ID)
	if v.State != order.StateReady || v.Phase != order.PhaseIssue || v.Verdict != review.VerdictPass || v.NextCheck != nil {
		t.Fatalf("%s %s %s %+v", v.State, v.Phase, v.Verdict, v.Findings)
	}
	if due := h.due(t, v.ID); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
	if got := h.actions(t, v.ID); !slices.Equal(got, []string{"order.submit", "order.check", "order.pass"}) {
		t.Errorf("%v", got)
	}
	found, err := h.Store.Validations(context.Background(), RootTenant, "shop", ValidationKeys("cloud", v.ID), []string{"orchard.net"})
	if err != nil || len(found) != 1 || found[0].Method != order.MethodDNS || !found[0].Wildcard || found[0].Order != v.ID || !found[0].At.Equal(h.clock()) {
		t.Errorf("%+v, %v", found, err)
	}
	last, err := h.Store.Review(context.Background(), v.ID, 0)
	if err != nil || last.Mode != string(review.Attempt) || last.Trigger != "schedule" {
		t.Errorf("%+v, %v", last, err)
	}
	if !slices.Equal(h.counts.verdicts, []review.Verdict{"wait", "wait", "pass"}) {
		t.Errorf("%v", h.counts.verdicts)
	}
}

// TestCheckFile: the same by file.
func TestCheckFile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := dv(t, "orchard.net")
	a.Order.Method = order.MethodFile
	v := h.apply(t, h.who[RoleApplicant], a)
	h.world(t, v, lab.Change{Sites: map[string]lab.SiteChange{"w1": {HTTP: map[string]string{}, HTTPS: map[string]string{}}}})
	if v = h.run(t, v.ID); v.State != order.StatePending || !slices.Contains(causesIn(v), cause.FileMissing) {
		t.Fatalf("%s %v", v.State, causesIn(v))
	}
	h.world(t, v, lab.Change{})
	h.pass(30 * time.Second)
	if v = h.run(t, v.ID); v.State != order.StateReady {
		t.Fatalf("%s %s %+v", v.State, v.Verdict, v.Findings)
	}
	found, err := h.Store.Validations(context.Background(), RootTenant, "shop", ValidationKeys("cloud", v.ID), []string{"orchard.net"})
	if err != nil || len(found) != 1 || found[0].Wildcard {
		t.Errorf("a file validates no names below: %+v, %v", found, err)
	}
}

// TestRefuse: what nobody but the applicant can change by another order ends it.
func TestRefuse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.world(t, v, bare())
	h.run(t, v.ID)
	admin := h.who[RoleAdministrator]
	if _, err := h.PutAccount(context.Background(), admin, AccountView{ID: "shop", Verified: false}); err != nil {
		t.Fatal(err)
	}
	h.pass(30 * time.Second)
	if v = h.run(t, v.ID); v.State != order.StateFailed || v.Reason != order.FailRefused || v.EndedAt == nil {
		t.Fatalf("%s %s %v", v.State, v.Reason, causesIn(v))
	}
	if due := h.due(t, v.ID); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
}

// TestOurFault: a place that does not work says unknown and is tried again, ever
// more seldom; nothing of it counts against the order.
func TestOurFault(t *testing.T) {
	t.Parallel()
	for name, places := range map[string][]perspective.Place{"a deaf place": {deaf{}}, "no place": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.Places, h.Identical = places, 2
			v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			for i, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute} {
				if v = h.run(t, v.ID); v.State != order.StatePending || v.Verdict != review.VerdictUnknown || v.Paused != "" {
					t.Fatalf("%s %s %q", v.State, v.Verdict, v.Paused)
				}
				if v.NextCheck == nil || v.NextCheck.Sub(h.clock()) != want {
					t.Fatalf("check %d: next at %v, now %v, want %s", i, v.NextCheck, h.clock(), want)
				}
				h.pass(want)
			}
			h.Places = []perspective.Place{h.window}
			h.world(t, v, lab.Change{})
			if v = h.run(t, v.ID); v.State != order.StateReady {
				t.Errorf("%s %+v", v.State, v.Findings)
			}
		})
	}
}

// TestPanic: a review or a place that panics is asked again later; the service
// lives.
func TestPanic(t *testing.T) {
	t.Parallel()
	for name, during := range map[string]func(w *window){
		"the review": func(w *window) { w.before = func() { panic("as a rule may") } },
		"a place":    func(w *window) { w.into(broken{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			during(h.window)
			if v = h.run(t, v.ID); v.State != order.StatePending || v.Version != 1 {
				t.Fatalf("%s version %d", v.State, v.Version)
			}
			if at := h.due(t, v.ID)[store.DueCheck]; at.Sub(h.clock()) != 30*time.Second {
				t.Errorf("again at %v, now %v", at, h.clock())
			}
			if h.counts.what[CountPanics] != 1 || h.counts.what[CountRetries] != 1 || !slices.Equal(h.counts.verdicts, []review.Verdict{review.VerdictUnknown}) {
				t.Errorf("%v %v", h.counts.what, h.counts.verdicts)
			}
			h.window.before = nil
			h.world(t, v, lab.Change{})
			h.pass(30 * time.Second)
			if v = h.run(t, v.ID); v.State != order.StateReady {
				t.Errorf("%s %+v", v.State, v.Findings)
			}
		})
	}
}

// TestChangedMeanwhile: what was seen while the order changed is of another
// order: a cancelled one stays cancelled.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.world(t, v, lab.Change{})
	h.window.before = func() {
		if _, err := h.Cancel(context.Background(), h.who[RoleApplicant], v.ID, 0); err != nil {
			t.Error(err)
		}
	}
	if v = h.run(t, v.ID); v.State != order.StateCancelled {
		t.Errorf("%s", v.State)
	}
	if found, err := h.Store.Validations(context.Background(), RootTenant, "shop", ValidationKeys("cloud", v.ID), []string{"orchard.net"}); err != nil || len(found) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
	if due := h.due(t, v.ID); len(due) != 0 || h.counts.what[CountLost] != 1 {
		t.Errorf("%v %v", due, h.counts.what)
	}
}

var errCrash = errors.New("the process died")

// dying is a store whose process dies at the first unit after it was armed.
type dying struct {
	store.Store
	armed bool
}

func (d *dying) Write(ctx context.Context, fn func(store.Tx) error) error {
	if d.armed {
		return errCrash
	}
	return d.Store.Write(ctx, fn)
}

// TestCrash: a process that dies between observing and settling leaves a lease.
// When it ends, another makes the check again; it has one effect, also where the
// first comes back to life.
func TestCrash(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := context.Background()
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.world(t, v, lab.Change{})
	first := h.twin(t)
	d := &dying{Store: h.Store}
	first.Store = d
	due, _, err := first.lease(ctx, 10)
	if err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	d.armed = true
	first.serve(ctx, due[0])
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Review != 1 {
		t.Fatalf("the lease was not held: %s, review %d", v.State, v.Review)
	}
	h.pass(first.Lease)
	if v = h.run(t, v.ID); v.State != order.StateReady || v.Review != 2 || v.Version != 2 {
		t.Fatalf("%s, review %d, version %d", v.State, v.Review, v.Version)
	}
	d.armed = false
	first.serve(ctx, due[0])
	if again := h.read(t, v.ID); again.Version != v.Version || again.Review != v.Review {
		t.Errorf("a check had two effects: version %d, review %d", again.Version, again.Review)
	}
}

// TestTwoProcesses: of two processes that take what is due one makes the check.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := context.Background()
	first := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.world(t, first, lab.Change{})
	ids := []string{first.ID}
	for range 5 {
		ids = append(ids, h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net")).ID)
	}
	other := h.twin(t)
	var running sync.WaitGroup
	for _, s := range []*Service{h.Service, other} {
		running.Go(func() {
			if _, err := s.runDue(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	for _, id := range ids {
		v := h.read(t, id)
		if v.Review != 2 || v.Checks != 1 || v.Version != 2 {
			t.Errorf("order %s: review %d, %d checks, version %d", id, v.Review, v.Checks, v.Version)
		}
	}
	if len(h.counts.verdicts) != len(ids) {
		t.Errorf("%d checks of %d orders", len(h.counts.verdicts), len(ids))
	}
}
