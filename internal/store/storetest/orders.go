package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"assay/internal/store"
	"assay/order"
)

var ctx = context.Background()

func testOrder(t *testing.T, w *world) {
	o := fresh("root", "A1", noon.Add(123456*time.Microsecond))
	o.Reason, o.Verdict, o.Review, o.Paused, o.Identical = order.FailRefused, "wait", "r1", "by-hand", 3
	o.ManualAt, o.ReadyAt, o.Ended = noon.Add(1), noon.Add(time.Minute), noon.Add(time.Hour)
	o.ManualAt = noon.Add(time.Microsecond)
	o.Order.Organization = &order.Organization{Name: "果园 Ltd"}
	extra := with(o, "a1.net", "www.a1.net")
	w.do(func(tx store.Tx) error { return tx.InsertOrder(o, extra) })
	got, err := w.Order(ctx, "root", "A1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(o, got); diff != "" {
		t.Error(diff)
	}
	if got.Version != 1 {
		t.Error("version", got.Version)
	}
	w.standing("A1")
	if _, err := w.Standing(ctx, "B1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("what an order that is not there begins with:", err)
	}
	values, err := w.Challenges(ctx, "A1")
	if diff := cmp.Diff(extra.Challenges, values); err != nil || diff != "" {
		t.Error(diff, err)
	}
	if _, err := w.Order(ctx, "root", "B1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("an order that is not there:", err)
	}
	err = w.Write(ctx, func(tx store.Tx) error {
		return tx.InsertOrder(fresh("root", "A1", noon), store.NewOrder{})
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Error("one id twice:", err)
	}
}

func testVersion(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	stale, err := w.Order(ctx, "root", "A1")
	if err != nil {
		t.Fatal(err)
	}
	w.do(func(tx store.Tx) error {
		o, err := tx.Order("root", "A1")
		if err != nil {
			return err
		}
		o.State, o.Verdict, o.Changed = order.StateReady, "pass", noon.Add(time.Minute)
		o.Order.Plan = "free"
		err = tx.UpdateOrder(o)
		if o.Version != 2 {
			t.Error("the version in the caller's row is", o.Version)
		}
		return err
	})
	got, err := w.Order(ctx, "root", "A1")
	if err != nil || got.State != order.StateReady || got.Version != 2 || got.Verdict != "pass" || got.Order.Plan != "free" {
		t.Errorf("%+v, %v", got, err)
	}
	err = w.Write(ctx, func(tx store.Tx) error {
		stale.State = order.StateFailed
		return tx.UpdateOrder(stale)
	})
	if !errors.Is(err, store.ErrConflict) || stale.Version != 1 {
		t.Errorf("a change of version 1 at version 2: %v, version %d", err, stale.Version)
	}
	// A unit that fails after the change takes the version in the row back.
	boom := errors.New("boom")
	err = w.Write(ctx, func(tx store.Tx) error { return errors.Join(tx.UpdateOrder(got), boom) })
	if !errors.Is(err, boom) || got.Version != 2 {
		t.Errorf("%v, version %d", err, got.Version)
	}
	// Of many who change one version one succeeds.
	var all sync.WaitGroup
	results := make(chan error, 16)
	for range cap(results) {
		mine := *got
		all.Go(func() {
			results <- w.Write(ctx, func(tx store.Tx) error { return tx.UpdateOrder(&mine) })
		})
	}
	all.Wait()
	close(results)
	won := 0
	for err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, store.ErrConflict):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of 16 changes of one version succeeded", won)
	}
}

// testSteps tries every pair of states: the database lets through what the
// table has, and nothing else.
func testSteps(t *testing.T, w *world) {
	steps := map[[2]order.State]bool{}
	for _, s := range order.Transitions() {
		steps[[2]order.State{s.From, s.To}] = true
	}
	for _, from := range order.States() {
		for _, to := range order.States() {
			o := fresh("root", string(from)+">"+string(to), noon)
			o.State = from
			w.put(o)
			o.State = to
			err := w.Write(ctx, func(tx store.Tx) error { return tx.UpdateOrder(o) })
			switch allowed := from == to || steps[[2]order.State{from, to}]; {
			case allowed && err != nil:
				t.Errorf("%s to %s: %v", from, to, err)
			case !allowed && !errors.Is(err, store.ErrStep):
				t.Errorf("%s to %s: %v, want %v", from, to, err, store.ErrStep)
			}
		}
	}
	o := fresh("root", "X", noon)
	o.State = "nowhere"
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.InsertOrder(o, store.NewOrder{}) }); err == nil {
		t.Error("a state that is none was written")
	}
}

// A number that is taken is told from all else that conflicts, and leaves both orders as
// they are.
func testTaken(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	twin := fresh("root", "A1", noon.Add(time.Hour))
	twin.Name = "twin.net"
	extra := with(twin)
	extra.Challenges[0].Value = "v-twin"
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.InsertOrder(twin, extra) }); !errors.Is(err, store.ErrTaken) || !errors.Is(err, store.ErrConflict) {
		t.Error("a number that is taken:", err)
	}
	there, err := w.Order(ctx, "root", "A1")
	if err != nil || there.Name == twin.Name {
		t.Errorf("the order that had it: %+v, %v", there, err)
	}
	w.do(func(tx store.Tx) error { // nothing was left of the other
		again := fresh("root", "A2", noon)
		x := with(again)
		x.Challenges[0].Value = "v-twin"
		return tx.InsertOrder(again, x)
	})
}

func testValues(t *testing.T, w *world) {
	a := w.put(fresh("root", "A1", noon))
	b := fresh("root", "B1", noon)
	extra := with(b)
	extra.Challenges[0].Value = "v-A1"
	err := w.Write(ctx, func(tx store.Tx) error { return tx.InsertOrder(b, extra) })
	if !errors.Is(err, store.ErrConflict) {
		t.Error("a value of another order:", err)
	}
	if _, err := w.Order(ctx, "root", "B1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("its order was written without it:", err)
	}
	// One order may show its value for several names.
	c := fresh("root", "C1", noon)
	extra = with(c, "c1.net", "c2.net")
	second := extra.Challenges[0]
	second.Name = "c2.net"
	extra.Challenges = append(extra.Challenges, second)
	w.do(func(tx store.Tx) error { return tx.InsertOrder(c, extra) })
	// A value that was replaced is still its order's.
	w.do(func(tx store.Tx) error {
		x := with(a)
		x.Challenges[0].Value = "v-A2"
		return tx.ReplaceOrder(a, x)
	})
	extra = with(b)
	extra.Challenges[0].Value = "v-A1"
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.InsertOrder(b, extra) }); !errors.Is(err, store.ErrConflict) {
		t.Error("a former value of another order:", err)
	}
}

func testReplace(t *testing.T, w *world) {
	o := w.put(fresh("root", "A1", noon), "one.net", "two.net")
	w.do(func(tx store.Tx) error {
		o.Name, o.Names = "three.net", 1
		x := with(o, "three.net")
		x.Challenges[0].Value = "v-new"
		return tx.ReplaceOrder(o, x)
	})
	for name, want := range map[string]int{"one.net": 0, "two.net": 0, "three.net": 1} {
		list, err := w.Orders(ctx, store.OrderFilter{Tenant: "root", Name: name, Limit: 10})
		if err != nil || len(list) != want {
			t.Errorf("%s: %d orders, %v", name, len(list), err)
		}
	}
	values, err := w.Challenges(ctx, "A1")
	if err != nil || len(values) != 1 || values[0].Value != "v-new" {
		t.Errorf("%+v, %v", values, err)
	}
	if o.Version != 2 {
		t.Error("version", o.Version)
	}
	testKeysStay(t, w, o)
	stale := *o
	stale.Version = 1
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.ReplaceOrder(&stale, with(&stale)) }); !errors.Is(err, store.ErrConflict) {
		t.Error("replaced under an old version:", err)
	}
}

// testKeysStay: an order that was submitted keeps the keys it had, a draft has none.
func testKeysStay(t *testing.T, w *world, submitted *store.Order) {
	draft := fresh("root", "D1", noon)
	draft.State, draft.Submitted = order.StateDraft, time.Time{}
	w.put(draft)
	for _, o := range []*store.Order{submitted, draft} {
		w.do(func(tx store.Tx) error {
			x := with(o)
			x.Challenges = nil
			x.Keys = []store.OrderKey{{Kind: "csr", Digest: "c-new-" + o.ID}, {Kind: "key", Digest: "k-" + o.ID}}
			return tx.ReplaceOrder(o, x)
		})
	}
	for digest, want := range map[string]int{"c-A1": 1, "c-new-A1": 1, "c-D1": 0, "c-new-D1": 0} {
		w.do(func(tx store.Tx) error {
			ids, err := tx.LockKeys("root", store.OrderKey{Kind: "csr", Digest: digest})
			if len(ids) != want {
				t.Errorf("%s is kept of %v", digest, ids)
			}
			return err
		})
	}
	for _, digest := range []string{"c-A1", "c-new-A1"} {
		past, err := w.PastOrders(ctx, store.PastQuery{Except: "E1", Tenant: "root", CSR: digest})
		if err != nil || len(past) != 1 || past[0].CSR != digest || past[0].Key != "k-A1" {
			t.Errorf("asked for %s: %+v, %v", digest, past, err)
		}
	}
}

func testTenants(t *testing.T, w *world) {
	mine, theirs := w.put(fresh("root", "A1", noon)), fresh("other", "B1", noon)
	theirs.Name = "a1.net"
	w.put(theirs, "a1.net")
	if _, err := w.Order(ctx, "other", "A1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("another tenant reads the order:", err)
	}
	if o, err := w.Order(ctx, "", "A1"); err != nil || o.Tenant != "root" {
		t.Error("any tenant:", err)
	}
	err := w.Write(ctx, func(tx store.Tx) error {
		_, err := tx.Order("other", "A1")
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Error("another tenant reads it to change it:", err)
	}
	for _, f := range []store.OrderFilter{{}, {Account: "a"}, {State: order.StatePending}, {Name: "a1.net"}, {Domain: "a1.net"}} {
		f.Tenant, f.Limit = "other", 10
		list, err := w.Orders(ctx, f)
		if err != nil || len(list) != 1 || list[0].ID != "B1" {
			t.Errorf("%+v: %+v, %v", f, list, err)
		}
	}
	w.do(func(tx store.Tx) error {
		return tx.PutValidation(store.Validation{Tenant: "root", Account: "a", Domain: "a1.net", Method: "dns", Profile: "cloud", Order: mine.ID, At: noon})
	})
	if v, err := w.Validations(ctx, "other", "a", []string{"cloud"}, []string{"a1.net"}); err != nil || len(v) != 0 {
		t.Errorf("another tenant's validation: %+v, %v", v, err)
	}
	w.do(func(tx store.Tx) error {
		return tx.Append(store.Entry{ID: "e1", At: noon, Tenant: "root", Actor: "t", Action: "x", Subject: "order:A1"})
	})
	if e, err := w.Entries(ctx, store.EntryFilter{Tenant: "other", Limit: 10}); err != nil || len(e) != 0 {
		t.Errorf("another tenant's audit: %+v, %v", e, err)
	}
}

// standing compares what a check of an order begins with to what is read one by one.
func (w *world) standing(id string) {
	w.t.Helper()
	want := &store.Standing{}
	var errs [4]error
	want.Order, errs[0] = w.Order(ctx, "", id)
	if want.Review, errs[1] = w.Review(ctx, id, 0); errors.Is(errs[1], store.ErrNotFound) {
		errs[1] = nil
	}
	want.Attempts, errs[2] = w.Attempts(ctx, id)
	want.Challenges, errs[3] = w.Challenges(ctx, id)
	got, err := w.Standing(ctx, id)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); errors.Join(append(errs[:], err)...) != nil || diff != "" {
		w.t.Error(errs, err, diff)
	}
}

// testNow: what a judgement rests on is read as single reads do, and only what is
// asked for.
func testNow(t *testing.T, w *world) {
	o := fresh("root", "A1", noon)
	key := store.OrderKey{Kind: "key", Digest: "k"}
	for _, id := range []string{"A1", "A2"} {
		w.do(func(tx store.Tx) error {
			return tx.InsertOrder(fresh("root", id, noon), store.NewOrder{Keys: []store.OrderKey{key}})
		})
	}
	w.do(func(tx store.Tx) error {
		return errors.Join(tx.PutAccount(store.Account{Tenant: "root", ID: "a", Verified: true, Created: noon}), tx.BlockKey("k", "", noon))
	})
	get := func(q store.NowQuery) (now *store.Now) {
		t.Helper()
		w.do(func(tx store.Tx) (err error) {
			now, err = tx.Now(q)
			return err
		})
		slices.Sort(now.Sharing)
		return now
	}
	if now := get(store.NowQuery{Order: "A1", Tenant: "root"}); now.Order.ID != o.ID || now.Sharing != nil || now.Account != nil || !now.Blocked.IsZero() {
		t.Errorf("%+v", now)
	}
	now := get(store.NowQuery{Order: "A1", Tenant: "root", Keys: []store.OrderKey{key}, Account: "a", Keyprint: "k"})
	if !slices.Equal(now.Sharing, []string{"A1", "A2"}) || now.Account == nil || !now.Account.Verified || !now.Blocked.Equal(noon) {
		t.Errorf("%+v", now)
	}
	now = get(store.NowQuery{Order: "A1", Tenant: "root", Keys: []store.OrderKey{{Kind: "key", Digest: "l"}}, Account: "b", Keyprint: "l"})
	if now.Sharing != nil || now.Account != nil || !now.Blocked.IsZero() {
		t.Errorf("%+v", now)
	}
	err := w.Write(ctx, func(tx store.Tx) error {
		_, err := tx.Now(store.NowQuery{Order: "B1", Tenant: "root", Keys: []store.OrderKey{key}})
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Error("an order that is not there:", err)
	}
}
