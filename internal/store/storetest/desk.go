package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"assay/internal/store"
	"assay/order"
)

// waiting is an order in the queue.
func waiting(o *store.Order, due time.Time) store.DeskItem {
	return store.DeskItem{
		Order: o.ID, Tenant: o.Tenant, Account: o.Account, Product: o.Product, Name: o.Name, Names: o.Names, Review: o.ID + "-r1",
		Causes: []string{"policy.lookalike", "policy.sensitive-word"}, State: store.DeskOpen, Opened: noon, Due: due, Remind: due, Version: 1,
	}
}

func (w *world) item(id string) store.DeskItem {
	w.t.Helper()
	i, err := w.DeskItem(ctx, "", id)
	if err != nil {
		w.t.Fatal(err)
	}
	return *i
}

func testDesk(t *testing.T, w *world) {
	o := w.put(fresh("root", "A1", noon))
	want := waiting(o, noon.Add(time.Hour))
	w.do(func(tx store.Tx) error { return tx.OpenDesk(want) })
	if diff := cmp.Diff(want, w.item("A1")); diff != "" {
		t.Fatal(diff)
	}
	if _, err := w.DeskItem(ctx, "other", "A1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another tenant's: %v", err)
	}
	if _, err := w.DeskItem(ctx, "root", "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("none: %v", err)
	}
	// Claimed, asked and urged; a later review changes only what is to be decided.
	want.State, want.ClaimedBy, want.ClaimedUntil, want.Asked, want.Urged = store.DeskAsked, "eve", noon.Add(time.Minute), noon, noon
	w.do(func(tx store.Tx) error { return tx.UpdateDesk(want) })
	again := waiting(o, noon.Add(9*time.Hour))
	again.Opened, again.Review, again.Causes = noon.Add(time.Hour), "A1-r2", []string{"policy.lookalike"}
	w.do(func(tx store.Tx) error { return tx.OpenDesk(again) })
	want.Review, want.Causes, want.Version = "A1-r2", again.Causes, 3
	if diff := cmp.Diff(want, w.item("A1")); diff != "" {
		t.Error(diff)
	}
	stale := want
	stale.Version = 2
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.UpdateDesk(stale) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an old version: %v", err)
	}
	w.do(func(tx store.Tx) error {
		return errors.Join(tx.CloseDesk("A1", noon.Add(time.Minute)), tx.CloseDesk("A1", noon.Add(time.Hour)), tx.CloseDesk("none", noon))
	})
	if i := w.item("A1"); i.State != store.DeskClosed || !i.Closed.Equal(noon.Add(time.Minute)) || i.ClaimedBy != "" || !i.Remind.IsZero() || i.Version != 4 {
		t.Errorf("%+v", i)
	}
	// Once more in the queue it begins anew.
	w.do(func(tx store.Tx) error { return tx.OpenDesk(again) })
	again.Version = 5
	if diff := cmp.Diff(again, w.item("A1")); diff != "" {
		t.Error(diff)
	}
}

// testClaims: of two who take an item at once, one does.
func testClaims(t *testing.T, w *world) {
	o := w.put(fresh("root", "A1", noon))
	w.do(func(tx store.Tx) error { return tx.OpenDesk(waiting(o, noon)) })
	taken := errors.New("taken")
	var wg sync.WaitGroup
	won := make([]error, 8)
	for n := range won {
		wg.Go(func() {
			won[n] = w.Write(ctx, func(tx store.Tx) error {
				i, err := tx.DeskItem("root", "A1")
				if err != nil {
					return err
				}
				if i.ClaimedBy != "" {
					return taken
				}
				i.ClaimedBy, i.ClaimedUntil = fmt.Sprint("r", n), noon.Add(time.Hour)
				return tx.UpdateDesk(*i)
			})
		})
	}
	wg.Wait()
	winner := slices.Index(won, nil)
	for n, err := range won {
		if n != winner && !errors.Is(err, taken) {
			t.Errorf("%d: %v", n, err)
		}
	}
	if winner < 0 || w.item("A1").ClaimedBy != fmt.Sprint("r", winner) {
		t.Errorf("%d won, the item says %q", winner, w.item("A1").ClaimedBy)
	}
}

// queued reads a whole queue page by page.
func (w *world) queued(f store.DeskFilter) (ids []string) {
	w.t.Helper()
	for {
		list, err := w.Desk(ctx, f)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, i := range list {
			ids = append(ids, i.Order)
		}
		if len(list) < f.Limit {
			return ids
		}
		f.After = store.DeskKeyset{Due: list[len(list)-1].Due, Order: list[len(list)-1].Order}
	}
}

func testQueue(t *testing.T, w *world) {
	var all []store.DeskItem
	for n := range 20 {
		tenant := []string{"root", "root", "root", "other"}[n%4]
		o := fresh(tenant, w.id(), noon)
		o.Account, o.Product = []string{"a", "b"}[n%2], []order.Product{order.DV, order.OV, order.EV}[n%3]
		w.put(o)
		i := waiting(o, noon.Add(time.Duration((n*7)%5)*time.Hour)) // several at a time: the number decides
		w.do(func(tx store.Tx) error { return tx.OpenDesk(i) })
		if n%5 == 0 {
			i.ClaimedBy, i.ClaimedUntil = "eve", noon.Add(time.Hour)
		}
		if n%7 == 3 {
			i.State = store.DeskAsked
		}
		w.do(func(tx store.Tx) error { return tx.UpdateDesk(i) })
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b store.DeskItem) int {
		if c := a.Due.Compare(b.Due); c != 0 {
			return c
		}
		if a.Order < b.Order {
			return -1
		}
		return 1
	})
	for _, f := range []store.DeskFilter{
		{State: store.DeskOpen},
		{State: store.DeskAsked},
		{State: store.DeskClosed},
		{State: store.DeskOpen, Product: order.EV},
		{State: store.DeskOpen, Account: "b"},
		{State: store.DeskOpen, ClaimedBy: "eve"},
		{State: store.DeskOpen, Product: order.OV, Account: "a", ClaimedBy: "eve"},
	} {
		f.Tenant = "root"
		var want []string
		for _, i := range all {
			if i.Tenant == "root" && i.State == f.State && (f.Product == "" || i.Product == f.Product) && (f.Account == "" || i.Account == f.Account) &&
				(f.ClaimedBy == "" || i.ClaimedBy == f.ClaimedBy) {
				want = append(want, i.Order)
			}
		}
		for _, limit := range []int{1, 3, 200} {
			f.Limit = limit
			if got := w.queued(f); !slices.Equal(got, want) {
				t.Errorf("%+v:\n got %v\nwant %v", f, got, want)
			}
		}
	}
	w.do(func(tx store.Tx) error {
		late, err := tx.LateDesk(noon.Add(time.Hour), 100)
		if err != nil {
			return err
		}
		for _, i := range late {
			if i.State != store.DeskOpen || i.Remind.After(noon.Add(time.Hour)) {
				t.Errorf("not late: %+v", i)
			}
		}
		if len(late) == 0 || !slices.IsSortedFunc(late, func(a, b store.DeskItem) int { return a.Remind.Compare(b.Remind) }) {
			t.Errorf("%d late", len(late))
		}
		return nil
	})
}

func testDecisions(t *testing.T, w *world) {
	for _, id := range []string{"A1", "B1", "C1"} {
		w.put(fresh("root", id, noon))
	}
	w.put(fresh("other", "X1", noon))
	decide := func(id, o, kind string, change func(d *store.Decision)) store.Decision {
		d := store.Decision{
			ID: id, Order: o, Tenant: "root", Account: "a", Kind: kind, Cause: "policy.sensitive-word", Subject: "pay." + o, Scope: "orchard.net", Facts: "f",
			Review: "r", By: "eve", Token: "t", AgreedBy: "adam", Agreed: noon, Note: "seen", At: noon, Until: noon.Add(time.Hour),
		}
		if o == "X1" {
			d.Tenant = "other"
		}
		if change != nil {
			change(&d)
		}
		w.do(func(tx store.Tx) error {
			if err := tx.AddDecision(d); err != nil {
				return err
			}
			own, err := tx.Decisions(o)
			if err == nil && (len(own) == 0 || own[0].ID != d.ID) {
				t.Errorf("a unit does not see its own decision: %+v", own)
			}
			return err
		})
		return d
	}
	first := decide("1", "A1", store.DecisionApprove, nil)
	decide("2", "A1", store.DecisionAgree, nil)
	decide("3", "A1", store.DecisionApprove, func(d *store.Decision) { d.Scope = store.ScopeOrder })
	decide("4", "B1", store.DecisionApprove, func(d *store.Decision) { d.Account = "b" })
	decide("5", "B1", store.DecisionApprove, func(d *store.Decision) { d.Until = noon })
	decide("6", "B1", store.DecisionApprove, func(d *store.Decision) { d.Scope = "pear.net" })
	decide("7", "X1", store.DecisionApprove, nil)
	gone := decide("8", "C1", store.DecisionApprove, nil)
	last := decide("9", "C1", store.DecisionApprove, func(d *store.Decision) { d.Until = time.Time{} })
	decide("9w", "C1", store.DecisionWithdraw, func(d *store.Decision) { d.Refers = gone.ID })
	got, err := w.Approvals(ctx, "root", "a", []string{"orchard.net", "orchard.net", "", "nothing.net", store.ScopeOrder}, noon)
	if diff := cmp.Diff([]store.Decision{last, first}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	w.do(func(tx store.Tx) error {
		return tx.EnsureAccount(store.Account{Tenant: "root", ID: "a", Created: noon})
	})
	around, err := w.Around(ctx, store.AroundQuery{
		Tenant: "root", Account: "a", Past: store.PastQuery{Tenant: "root"}, Scopes: []string{"orchard.net", "nothing.net"}, At: noon, Decided: "A1", Decisions: 2,
	})
	if err != nil || cmp.Diff(got, around.Approvals) != "" || len(around.Decisions) != 2 || around.Decisions[0].ID != "3" {
		t.Errorf("beside an order: %+v, %v", around, err)
	}
	list, err := w.Decisions(ctx, "A1", 2)
	if err != nil || len(list) != 2 || list[0].ID != "3" || list[1].ID != "2" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.AddDecision(first) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a decision twice: %v", err)
	}
	w.do(func(tx store.Tx) error { return tx.Erase("A1", noon) })
	if list, err = w.Decisions(ctx, "A1", 9); err != nil || len(list) != 3 || list[0].Note != "" || list[0].By != "eve" {
		t.Errorf("after erasing: %+v, %v", list, err)
	}
}

// testPeopleInUnit: a unit reads who asks as of now.
func testPeopleInUnit(t *testing.T, w *world) {
	k := store.Token{ID: "t1", Tenant: "root", Account: "a", Role: "reviewer", Hash: []byte{1}, Created: noon}
	w.do(func(tx store.Tx) error {
		return errors.Join(tx.PutToken(k), tx.PutAccount(store.Account{Tenant: "root", ID: "a", Created: noon}))
	})
	k.Revoked = noon.Add(time.Hour)
	w.do(func(tx store.Tx) error {
		if err := tx.PutToken(k); err != nil {
			return err
		}
		got, err := tx.Token("t1")
		if err != nil || !got.Revoked.Equal(k.Revoked) {
			t.Errorf("%+v, %v", got, err)
		}
		a, err := tx.Account("root", "a")
		if err != nil || a.ID != "a" {
			t.Errorf("%+v, %v", a, err)
		}
		if _, err := tx.Token("none"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("none: %v", err)
		}
		if _, err := tx.Account("other", "a"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another tenant's: %v", err)
		}
		return nil
	})
}
