package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"assay/internal/store"
)

func (w *world) take(now time.Time, owner string, until time.Time, limit int) (due []store.Due) {
	w.t.Helper()
	w.do(func(tx store.Tx) (err error) {
		due, err = tx.TakeDue(now, owner, until, limit)
		return err
	})
	return due
}

func testTakers(t *testing.T, w *world) {
	const rows = 200
	w.do(func(tx store.Tx) error {
		for i := range rows {
			o := fresh("root", fmt.Sprintf("o%04d", i), noon)
			x := with(o)
			x.Due = []store.Due{{Kind: store.DueCheck, At: noon.Add(time.Duration(i) * time.Millisecond)}}
			if err := tx.InsertOrder(o, x); err != nil {
				return err
			}
		}
		return nil
	})
	var all sync.WaitGroup
	var mu sync.Mutex
	taken := map[string]string{}
	for i := range 8 {
		owner := fmt.Sprint("taker", i)
		all.Go(func() {
			for {
				var got []store.Due
				err := w.Write(ctx, func(tx store.Tx) (err error) {
					got, err = tx.TakeDue(noon.Add(time.Minute), owner, noon.Add(time.Hour), 7)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				if len(got) == 0 {
					return
				}
				mu.Lock()
				for _, d := range got {
					if before := taken[d.Order]; before != "" {
						t.Errorf("%s was taken by %s and by %s", d.Order, before, owner)
					}
					taken[d.Order] = owner
				}
				mu.Unlock()
				for _, d := range got {
					if err := w.Write(ctx, func(tx store.Tx) error { return tx.FinishDue(d, owner) }); err != nil {
						t.Errorf("%s of %s: %v", d.Order, owner, err)
					}
				}
			}
		})
	}
	all.Wait()
	if len(taken) != rows {
		t.Errorf("%d of %d rows were taken", len(taken), rows)
	}
	if rest := w.take(noon.Add(1000*time.Hour), "last", noon.Add(2000*time.Hour), 10); len(rest) != 0 {
		t.Errorf("finished and still due: %+v", rest)
	}
}

func testTakenOver(t *testing.T, w *world) {
	o := w.put(fresh("root", "A1", noon))
	first := w.take(noon, "one", noon.Add(time.Minute), 10)
	if len(first) != 1 || first[0].Order != o.ID || first[0].Kind != store.DueCheck || !first[0].At.Equal(noon) || first[0].Attempt != 1 {
		t.Fatalf("%+v", first)
	}
	if got := w.take(noon.Add(59*time.Second), "two", noon.Add(time.Hour), 10); len(got) != 0 {
		t.Errorf("taken while it is leased: %+v", got)
	}
	second := w.take(noon.Add(time.Minute), "two", noon.Add(time.Hour), 10)
	if len(second) != 1 || second[0].Attempt != 2 {
		t.Fatalf("%+v", second)
	}
	finish := func(d store.Due, owner string) error {
		return w.Write(ctx, func(tx store.Tx) error {
			if err := secret(tx, "work of "+owner); err != nil {
				return err
			}
			return tx.FinishDue(d, owner)
		})
	}
	keep := func(d store.Due, owner string) error {
		return w.Write(ctx, func(tx store.Tx) error { return tx.KeepDue(d, owner) })
	}
	if err := keep(first[0], "one"); !errors.Is(err, store.ErrLeaseLost) {
		t.Error("kept after the lease was lost:", err)
	}
	if err := keep(second[0], "two"); err != nil {
		t.Error("a lease that is held cannot be kept:", err)
	}
	if got := w.take(noon.Add(2*time.Minute), "one", noon.Add(time.Hour), 10); len(got) != 0 {
		t.Errorf("taken while it is kept: %+v", got)
	}
	if err := finish(first[0], "one"); !errors.Is(err, store.ErrLeaseLost) {
		t.Error("finished after the lease was lost:", err)
	}
	if w.has("work of one") {
		t.Error("the work of who lost the lease was kept")
	}
	if err := finish(second[0], "two"); err != nil {
		t.Error(err)
	}
	if err := finish(second[0], "two"); !errors.Is(err, store.ErrLeaseLost) {
		t.Error("finished twice:", err)
	}
	// One owner that takes a row twice, its first lease over, holds the second only.
	w.do(func(tx store.Tx) error { return tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: noon}) })
	a := w.take(noon, "one", noon.Add(1e9), 1)
	b := w.take(noon.Add(2e9), "one", noon.Add(time.Hour), 1)
	if err := finish(a[0], "one"); !errors.Is(err, store.ErrLeaseLost) {
		t.Error("the first of two leases of one owner:", err)
	}
	if err := finish(b[0], "one"); err != nil {
		t.Error(err)
	}
}

func testDue(t *testing.T, w *world) {
	o := w.put(fresh("root", "A1", noon))
	w.put(fresh("root", "A2", noon.Add(-time.Hour)))
	// Oldest first, up to the limit, and nothing that is not due yet.
	if got := w.take(noon.Add(-time.Second), "x", noon, 10); len(got) != 1 || got[0].Order != "A2" {
		t.Errorf("%+v", got)
	}
	w.take(noon, "x", noon.Add(time.Minute), 10)
	// Setting what is due ends a lease.
	w.do(func(tx store.Tx) error {
		return tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: noon.Add(10 * time.Second), Attempt: 4})
	})
	if got := w.take(noon.Add(9*time.Second), "y", noon.Add(time.Hour), 10); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	got := w.take(noon.Add(10*time.Second), "y", noon.Add(time.Hour), 10)
	if len(got) != 1 || got[0].Order != o.ID || got[0].Attempt != 5 {
		t.Fatalf("%+v", got)
	}
	err := w.Write(ctx, func(tx store.Tx) error {
		if err := tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: noon}); err != nil {
			return err
		}
		return tx.FinishDue(got[0], "y")
	})
	if !errors.Is(err, store.ErrLeaseLost) {
		t.Error("a lease that SetDue ended:", err)
	}
	w.do(func(tx store.Tx) error { return tx.ClearDue(o.ID, store.DueCheck, store.DueReminder) })
	if got := w.take(o.Deadline, "z", o.Deadline.Add(1), 10); len(got) != 2 { // A2's check and deadline are left, and A1's deadline
		if len(got) != 3 {
			t.Errorf("%+v", got)
		}
	}
	w.do(func(tx store.Tx) error { return errors.Join(tx.ClearDue(o.ID), tx.ClearDue("A2")) })
	if got := w.take(o.Deadline.Add(time.Hour), "z", o.Deadline.Add(2*time.Hour), 10); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func testNext(t *testing.T, w *world) {
	next := func(want time.Time) {
		t.Helper()
		got, err := w.NextDue(ctx)
		if err != nil || !got.Equal(want) {
			t.Errorf("next due %v, %v; want %v", got, err, want)
		}
	}
	next(time.Time{})
	o := w.put(fresh("root", "A1", noon))
	next(noon)
	w.take(noon, "x", noon.Add(time.Minute), 1)
	next(noon.Add(time.Minute)) // the end of the lease
	due, err := w.DueOf(ctx, "A1")
	if err != nil || len(due) != 2 || due[0].Kind != store.DueCheck || due[0].Attempt != 1 || !due[1].At.Equal(o.Deadline) {
		t.Errorf("%+v, %v", due, err)
	}
	w.do(func(tx store.Tx) error { return tx.ClearDue("A1") })
	next(time.Time{})
	if due, err := w.DueOf(ctx, "A1"); err != nil || len(due) != 0 {
		t.Errorf("%+v, %v", due, err)
	}
}

// testLockKeys: of many who bring one key at once each sees all who came before.
func testLockKeys(t *testing.T, w *world) {
	const n = 12
	var all sync.WaitGroup
	seen := make([]int, n)
	for i := range n {
		all.Go(func() {
			err := w.Write(ctx, func(tx store.Tx) error {
				ids, err := tx.LockKeys("root", store.OrderKey{Kind: "key", Digest: "one"})
				if err != nil {
					return err
				}
				seen[i] = len(ids)
				o := fresh("root", fmt.Sprint("o", i), noon)
				x := with(o)
				x.Keys = []store.OrderKey{{Kind: "key", Digest: "one"}}
				return tx.InsertOrder(o, x)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	slices.Sort(seen)
	for i, got := range seen {
		if got != i {
			t.Fatalf("they saw %v", seen)
		}
	}
}

func testLease(t *testing.T, w *world) {
	lease := func(owner string, now, until time.Time) (got bool) {
		w.do(func(tx store.Tx) (err error) {
			got, err = tx.TakeLease("sealer", owner, now, until)
			return err
		})
		return got
	}
	minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	for i, c := range []struct {
		owner      string
		now, until int
		want       bool
	}{
		{"one", 0, 1, true},
		{"two", 0, 1, false},
		{"one", 0, 2, true}, // renewed
		{"two", 1, 3, false},
		{"two", 2, 3, true}, // it ended
		{"one", 2, 9, false},
	} {
		if got := lease(c.owner, minute(c.now), minute(c.until)); got != c.want {
			t.Errorf("step %d: %t", i, got)
		}
	}
	// Of many at once one gets it.
	var all sync.WaitGroup
	won := make(chan string, 8)
	for i := range cap(won) {
		all.Go(func() {
			var got bool
			err := w.Write(ctx, func(tx store.Tx) (err error) {
				got, err = tx.TakeLease("new", fmt.Sprint(i), noon, minute(1))
				return err
			})
			if err != nil {
				t.Error(err)
			}
			if got {
				won <- fmt.Sprint(i)
			}
		})
	}
	all.Wait()
	if len(won) != 1 {
		t.Errorf("%d of 8 have the lease", len(won))
	}
}
