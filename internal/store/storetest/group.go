package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"assay/internal/store"
)

// secret is the simplest row there is.
func secret(tx store.Tx, id string) error { return tx.PutSecret(id, []byte("s-"+id), noon) }

func (w *world) has(id string) bool {
	w.t.Helper()
	_, err := w.Secret(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	return err == nil
}

// testGroup holds one unit open until many wait behind it, so that they share a
// transaction: every third fails, in one of several ways.
func testGroup(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	var all sync.WaitGroup
	var begun atomic.Int64
	boom := errors.New("boom")
	results := make([]error, 60)
	for i := range results {
		all.Go(func() {
			results[i] = w.Write(ctx, func(tx store.Tx) error {
				begun.Add(1)
				if err := secret(tx, fmt.Sprint(i)); err != nil {
					return err
				}
				switch i % 6 {
				case 0:
					return boom
				case 3: // the database refuses
					return tx.InsertOrder(fresh("root", "A1", noon), store.NewOrder{})
				}
				return nil
			})
		})
	}
	all.Wait()
	for i, err := range results {
		switch i % 6 {
		case 0:
			if !errors.Is(err, boom) {
				t.Errorf("unit %d: %v", i, err)
			}
		case 3:
			if !errors.Is(err, store.ErrConflict) {
				t.Errorf("unit %d: %v", i, err)
			}
		default:
			if err != nil {
				t.Errorf("unit %d: %v", i, err)
			}
		}
		if has, want := w.has(fmt.Sprint(i)), i%3 != 0; has != want {
			t.Errorf("unit %d is there: %t", i, has)
		}
	}
}

// testRunsOnce: after units that the database refused, some of them beside others that were
// kept, no unit runs twice.
func testRunsOnce(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	for round := range 3 {
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				err := w.Write(ctx, func(tx store.Tx) error {
					if err := secret(tx, fmt.Sprint(round, "-", i)); err != nil || i%6 > 0 {
						return err
					}
					return tx.InsertOrder(fresh("root", "A1", noon), store.NewOrder{})
				})
				if i%6 == 0 && !errors.Is(err, store.ErrConflict) || i%6 > 0 && err != nil {
					t.Errorf("unit %d: %v", i, err)
				}
			})
		}
		all.Wait()
	}
	for i := range 200 { // each connection comes to run without savepoints again
		runs := 0
		w.do(func(tx store.Tx) error {
			runs++
			return secret(tx, fmt.Sprint(i))
		})
		if runs != 1 {
			t.Errorf("unit %d ran %d times", i, runs)
		}
	}
}

func testWhole(t *testing.T, w *world) {
	boom := errors.New("boom")
	err := w.Write(ctx, func(tx store.Tx) error {
		o := fresh("root", "A1", noon)
		if err := tx.InsertOrder(o, with(o)); err != nil {
			return err
		}
		if err := tx.Append(store.Entry{ID: "e1", At: noon, Tenant: "root", Action: "submit", Subject: "order:A1", Order: "A1", OrderVersion: 1}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	if _, err := w.Order(ctx, "", "A1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("the order:", err)
	}
	if list, err := w.Orders(ctx, store.OrderFilter{Tenant: "root", Name: "A1.net", Limit: 1}); err != nil || len(list) > 0 {
		t.Error("its name:", list, err)
	}
	if e, err := w.OrderEntries(ctx, "A1", 0, 10); err != nil || len(e) > 0 {
		t.Error("its entry:", e, err)
	}
	o := fresh("root", "A1", noon)
	w.put(o) // and nothing of it is in the way
}

// testDoomed: a unit that goes on after an error of a write is lost all the same.
func testDoomed(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	err := w.Write(ctx, func(tx store.Tx) error {
		_ = tx.InsertOrder(fresh("root", "A1", noon), store.NewOrder{})
		_ = secret(tx, "after")
		if _, err := tx.Order("root", "A1"); !errors.Is(err, store.ErrConflict) {
			t.Error("a read after an error:", err)
		}
		return nil
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Error("Write:", err)
	}
	if w.has("after") {
		t.Error("half a unit is there")
	}
	// Not finding a row is no error of a write.
	w.do(func(tx store.Tx) error {
		if _, err := tx.Order("root", "none"); !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
		return secret(tx, "found nothing")
	})
	// The error may come with the last of what was queued.
	err = w.Write(ctx, func(tx store.Tx) error { return tx.SetDue(store.Due{Order: "none", Kind: store.DueCheck, At: noon}) })
	if err == nil {
		t.Error("something is due for an order that is not there")
	}
	var kept store.Tx
	w.do(func(tx store.Tx) error { kept = tx; return nil })
	if err := secret(kept, "late"); err == nil || w.has("late") {
		t.Error("a unit can be used when it is over")
	}
}

func testPanic(t *testing.T, w *world) {
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			defer func() {
				if p := recover(); (p != nil) != (i%4 == 0) || p != nil && p != "mine" {
					t.Errorf("unit %d: panic %v", i, p)
				}
			}()
			err := w.Write(ctx, func(tx store.Tx) error {
				if err := secret(tx, fmt.Sprint(i)); err != nil {
					return err
				}
				if i%4 == 0 {
					panic("mine")
				}
				return nil
			})
			if err != nil {
				t.Errorf("unit %d: %v", i, err)
			}
		})
	}
	all.Wait()
	for i := range 20 {
		if has := w.has(fmt.Sprint(i)); has != (i%4 != 0) {
			t.Errorf("unit %d is there: %t", i, has)
		}
	}
}

func testLeave(t *testing.T, w *world) {
	gone, leave := context.WithCancel(ctx)
	leave()
	if err := w.Write(gone, func(tx store.Tx) error { return secret(tx, "gone") }); !errors.Is(err, context.Canceled) {
		t.Error("a context that has ended:", err)
	}
	// Units that hold every lane, and one behind them whose caller leaves.
	hold, holding := make(chan struct{}), make(chan struct{}, 64)
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			if err := w.Write(ctx, func(tx store.Tx) error {
				holding <- struct{}{}
				<-hold
				return secret(tx, fmt.Sprint("held", i))
			}); err != nil {
				t.Error(err)
			}
		})
	}
	<-holding
	waiting, leave := context.WithCancel(ctx)
	left := make(chan error)
	go func() {
		left <- w.Write(waiting, func(tx store.Tx) error {
			// A lane was free: it began, and is waited for.
			<-waiting.Done()
			return secret(tx, "left")
		})
	}()
	leave()
	close(hold)
	err := <-left
	all.Wait()
	if !errors.Is(err, context.Canceled) || w.has("left") {
		t.Errorf("a unit whose caller left: %v, it is there: %t", err, w.has("left"))
	}
	w.do(func(tx store.Tx) error { return secret(tx, "after") })
}

func testClosed(t *testing.T, w *world) {
	s, err := w.open()
	if w.Engine() == "sqlite" {
		// One process, one store a file: see the engine's own tests.
		if err == nil {
			t.Error("the file was opened twice")
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = w.open()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(ctx); err != nil {
		t.Error(err)
	}
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			err := s.Write(ctx, func(tx store.Tx) error { return secret(tx, fmt.Sprint(i)) })
			if err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Error(err)
			}
		})
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	all.Wait()
	for range 100 {
		if err := s.Write(ctx, func(tx store.Tx) error { return nil }); !errors.Is(err, store.ErrUnavailable) {
			t.Fatal("written to a closed store:", err)
		}
	}
	if err := s.Ping(ctx); !errors.Is(err, store.ErrUnavailable) {
		t.Error("a closed store answers:", err)
	}
	if err := s.Close(); err != nil {
		t.Error("closed twice:", err)
	}
}

func testOwnWrites(t *testing.T, w *world) {
	w.do(func(tx store.Tx) error {
		o := fresh("root", "A1", noon)
		if err := tx.InsertOrder(o, with(o)); err != nil {
			return err
		}
		got, err := tx.Order("root", "A1")
		if err != nil || got.Version != 1 {
			t.Errorf("the order: %+v, %v", got, err)
		}
		if err := tx.SetDue(store.Due{Order: "A1", Kind: store.DueReminder, At: noon.Add(-1e9)}); err != nil {
			return err
		}
		due, err := tx.TakeDue(noon, "me", noon.Add(1e9), 1)
		if err != nil || len(due) != 1 || due[0].Kind != store.DueReminder {
			t.Errorf("due: %+v, %v", due, err)
		}
		if err := tx.Append(store.Entry{ID: "e1", At: noon, Tenant: "root", Action: "x", Subject: "y"}); err != nil {
			return err
		}
		entries, err := tx.Unsealed(10)
		if err != nil || len(entries) != 1 {
			t.Errorf("unsealed: %+v, %v", entries, err)
		}
		return err
	})
}

func testReopen(t *testing.T, w *world) {
	o := w.put(fresh("root", "A1", noon))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := w.open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Order(ctx, "root", "A1")
	if err != nil || got.Version != o.Version {
		t.Errorf("%+v, %v", got, err)
	}
}

// testUnmet: a unit of which a statement met nothing is lost, whatever it makes of the
// error with which it hears of that.
func testUnmet(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	stale := fresh("root", "A1", noon)
	stale.Version = 7
	for name, next := range map[string]func(store.Tx) error{
		"a read that finds nothing": func(tx store.Tx) error {
			if _, err := tx.DeskItem("root", "A1"); err == nil || errors.Is(err, store.ErrConflict) {
				return err
			}
			return nil
		},
		"an order that is not there": func(tx store.Tx) error {
			_, _ = tx.Order("root", "B1")
			return nil
		},
		"an answer to keep": func(tx store.Tx) error {
			err := tx.PutRequest(store.Request{Token: "t", Key: "k", Created: noon})
			if errors.Is(err, store.ErrAnswered) {
				t.Error("nobody was answered:", err)
			}
			return nil
		},
		"nothing": func(store.Tx) error { return nil },
	} {
		err := w.Write(ctx, func(tx store.Tx) error {
			_ = secret(tx, "before")
			o := *stale
			_ = tx.UpdateOrder(&o)
			_ = next(tx)
			_ = secret(tx, "after")
			return nil
		})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
		if w.has("before") || w.has("after") {
			t.Errorf("%s: half a unit is there", name)
		}
	}
	// A lease that is not ours, found out by a read that finds nothing.
	err := w.Write(ctx, func(tx store.Tx) error {
		_ = tx.RepeatReview("none", noon) // says not found
		_, _ = tx.DeskItem("root", "A1")
		return nil
	})
	if !errors.Is(err, store.ErrNotFound) {
		t.Error("a review that is not there:", err)
	}
}

// testUnmetBeside: a unit of which a statement met nothing is the only one that fails, and
// those beside it run once more at most, whatever they look for.
func testUnmetBeside(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	unmetBeside(t, w, "a", store.ErrConflict, func(tx store.Tx) error {
		o := *fresh("root", "A1", noon)
		o.Version = 7
		return tx.UpdateOrder(&o)
	})
	// Not found, as what those beside it look for.
	unmetBeside(t, w, "b", store.ErrNotFound, func(tx store.Tx) error { return tx.RepeatReview("none", noon) })
}

func unmetBeside(t *testing.T, w *world, mark string, want error, unmet func(store.Tx) error) {
	t.Helper()
	const good, bad = 40, 10
	var ran atomic.Int64
	var all, come sync.WaitGroup
	// Nobody commits before the others wait, so that they share commits: each lane is held,
	// one after the other.
	come.Add(good + bad)
	lanes := 1
	if w.Engine() == "postgres" {
		lanes = 4
	}
	for range lanes {
		held := make(chan struct{}, 2)
		all.Go(func() { w.do(func(store.Tx) error { held <- struct{}{}; come.Wait(); return nil }) })
		<-held
	}
	for i := range good + bad {
		all.Go(func() {
			come.Done()
			err := w.Write(ctx, func(tx store.Tx) error {
				if i%5 == 0 {
					return unmet(tx)
				}
				ran.Add(1)
				if err := secret(tx, fmt.Sprint(mark, i)); err != nil {
					return err
				}
				if _, err := tx.Order("root", "none"); i%2 == 0 && !errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("looking for what is not there: %w", err)
				}
				return nil
			})
			if i%5 == 0 && !errors.Is(err, want) || i%5 != 0 && err != nil {
				t.Errorf("unit %d: %v", i, err)
			}
		})
	}
	all.Wait()
	if n := ran.Load(); n > 2*good {
		t.Errorf("%d units ran %d times", good, n)
	}
	for i := range good + bad {
		if there := w.has(fmt.Sprint(mark, i)); there != (i%5 != 0) {
			t.Errorf("what unit %d wrote is there: %t", i, there)
		}
	}
}
