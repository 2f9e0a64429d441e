package storetest

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"assay/internal/store"
)

func entry(i int) store.Entry {
	return store.Entry{
		ID: fmt.Sprintf("e%04d", i), At: noon.Add(time.Duration(i/3) * time.Second), Tenant: []string{"root", "other"}[i%2],
		Actor: fmt.Sprint("t", i%3), Role: "applicant", Action: []string{"submit", "cancel"}[i%2], Subject: "order:A1",
		Order: []string{"A1", "", "B1"}[i%3], OrderVersion: int64(i), Data: json.RawMessage(`{"n":1}`), Private: []byte{1, 2},
	}
}

func (w *world) append(n int) {
	w.do(func(tx store.Tx) error {
		for i := range n {
			if err := tx.Append(entry(i)); err != nil {
				return err
			}
		}
		return nil
	})
}

func chain(last []byte, id string) []byte {
	sum := sha256.Sum256(append(slices.Clone(last), id...))
	return sum[:]
}

// seal is what a sealer does: the oldest that wait, behind the end of the chain.
func seal(tx store.Tx) (int, error) {
	last, err := tx.LastSealed()
	if err != nil {
		return 0, err
	}
	entries, err := tx.Unsealed(5)
	if err != nil {
		return 0, err
	}
	for i := range entries {
		entries[i].Seq, entries[i].Hash = last.Seq+1, chain(last.Hash, entries[i].ID)
		last.Seq, last.Hash = entries[i].Seq, entries[i].Hash
	}
	return len(entries), tx.Seal(entries)
}

func testSealers(t *testing.T, w *world) {
	const rows = 100
	waits := func(want bool) {
		t.Helper()
		if got, err := w.HasUnsealed(ctx); err != nil || got != want {
			t.Errorf("entries wait: %t, %v", got, err)
		}
	}
	waits(false)
	w.append(rows)
	waits(true)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for {
				n := 0
				err := w.Write(ctx, func(tx store.Tx) (err error) {
					n, err = seal(tx)
					return err
				})
				if err != nil && !errors.Is(err, store.ErrConflict) {
					t.Error(err)
					return
				}
				if err == nil && n == 0 {
					return
				}
			}
		})
	}
	all.Wait()
	var last store.Head
	err := w.Sealed(ctx, 1, func(e *store.Entry) error {
		if e.Seq != last.Seq+1 || !slices.Equal(e.Hash, chain(last.Hash, e.ID)) {
			t.Errorf("%s at %d does not follow %d", e.ID, e.Seq, last.Seq)
		}
		last = store.Head{Seq: e.Seq, Hash: e.Hash}
		return nil
	})
	if err != nil || last.Seq != rows {
		t.Errorf("the chain ends at %d, %v", last.Seq, err)
	}
	waits(false)
	// A place cannot be given twice, nor an entry two places.
	w.do(func(tx store.Tx) error { return tx.Append(entry(rows)) })
	twice, moved := entry(rows), entry(0)
	twice.Seq, moved.Seq = rows, rows+7
	for _, e := range []store.Entry{twice, moved} {
		if err := w.Write(ctx, func(tx store.Tx) error { return tx.Seal([]store.Entry{e}) }); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s at %d: %v", e.ID, e.Seq, err)
		}
	}
	stop := errors.New("stop")
	n := 0
	if err := w.Sealed(ctx, 40, func(e *store.Entry) error {
		if n++; n == 3 && e.Seq == 42 {
			return stop
		}
		return nil
	}); !errors.Is(err, stop) {
		t.Error("from the middle until told to stop:", err)
	}
}

func testEntries(t *testing.T, w *world) {
	const rows = 40
	w.append(rows)
	for _, c := range []struct {
		name string
		f    store.EntryFilter
		want func(e store.Entry) bool
	}{
		{"other tenant", store.EntryFilter{Tenant: "other"}, func(e store.Entry) bool { return e.Tenant == "other" }},
		{"tenant", store.EntryFilter{Tenant: "root"}, func(e store.Entry) bool { return e.Tenant == "root" }},
		{"order", store.EntryFilter{Tenant: "root", Order: "A1"}, func(e store.Entry) bool { return e.Tenant == "root" && e.Order == "A1" }},
		{"actor", store.EntryFilter{Tenant: "root", Actor: "t1"}, func(e store.Entry) bool { return e.Tenant == "root" && e.Actor == "t1" }},
		{"action", store.EntryFilter{Tenant: "other", Action: "cancel"}, func(e store.Entry) bool { return e.Tenant == "other" }},
		{"both", store.EntryFilter{Tenant: "root", Actor: "t2", Action: "submit"}, func(e store.Entry) bool { return e.Tenant == "root" && e.Actor == "t2" }},
		{"time", store.EntryFilter{Tenant: "root", Since: noon.Add(3 * time.Second), Until: noon.Add(7 * time.Second)}, func(e store.Entry) bool {
			return e.Tenant == "root" && !e.At.Before(noon.Add(3*time.Second)) && e.At.Before(noon.Add(7*time.Second))
		}},
	} {
		var want, got []string
		for i := range rows {
			if e := entry(rows - 1 - i); c.want(e) {
				want = append(want, e.ID)
			}
		}
		c.f.Limit = 4
		for {
			list, err := w.Entries(ctx, c.f)
			if err != nil {
				t.Fatal(c.name, err)
			}
			for _, e := range list {
				got = append(got, e.ID)
				c.f.BeforeAt, c.f.BeforeID = e.At, e.ID
			}
			if len(list) < c.f.Limit {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", c.name, got, want)
		}
	}
	list, err := w.Entries(ctx, store.EntryFilter{Tenant: "root", Limit: 1})
	if diff := cmp.Diff([]store.Entry{entry(38)}, list); err != nil || diff != "" {
		t.Error(diff, err)
	}
	follow, err := w.OrderEntries(ctx, "A1", 3, 3)
	if err != nil || len(follow) != 3 || follow[0].OrderVersion != 6 || follow[2].OrderVersion != 12 {
		t.Errorf("%+v, %v", follow, err)
	}
}

func testHeads(t *testing.T, w *world) {
	h := store.Head{Seq: 7, Hash: []byte{1}, At: noon, Signature: []byte{2}}
	w.do(func(tx store.Tx) error { return tx.PutHead(h) })
	w.do(func(tx store.Tx) error { return tx.PutHead(h) })
	heads, err := w.Heads(ctx)
	if diff := cmp.Diff([]store.Head{h}, heads); err != nil || diff != "" {
		t.Error(diff, err)
	}
	w.do(func(tx store.Tx) error {
		last, err := tx.LastSealed()
		if last.Seq != 0 || last.Hash != nil {
			t.Errorf("an empty chain ends at %+v", last)
		}
		return err
	})
}
