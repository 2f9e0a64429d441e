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
)

// dossier is one that is not written yet.
func dossier(id string, kind store.DossierKind, at time.Time) *store.Dossier {
	return &store.Dossier{
		ID: id, Tenant: "root", Account: "a", Kind: kind, State: store.DossierSubmitted, Body: []byte("sealed " + id), SubmittedBy: "a",
		Created: at, Submitted: at, Version: 1,
	}
}

// file writes an organization with all that can belong to it, for an order.
func (w *world) file(id, order string) *store.Dossier {
	w.t.Helper()
	d := dossier(id, store.DossierOrganization, noon)
	w.do(func(tx store.Tx) error {
		return errors.Join(
			tx.InsertDossier(d),
			tx.InsertClaim(&store.Claim{ID: id + "-c", Tenant: "root", Dossier: id, Item: "name", Class: "QGIS", Body: []byte("c"), Snapshot: "5a", By: "r", Obtained: noon.Add(-time.Hour), Created: noon}),
			tx.InsertClaim(&store.Claim{ID: id + "-o", Tenant: "root", Order: order, Item: "phone", Class: "QIIS", Body: []byte("o"), By: "r", Obtained: noon, Created: noon}),
			tx.InsertCall(&store.Call{ID: id + "-t", Tenant: "root", Dossier: id, Order: order, Result: "busy", Body: []byte("t"), By: "r", At: noon.Add(-time.Minute), Created: noon}),
			tx.InsertLetter(&store.Letter{ID: id + "-l", Tenant: "root", Dossier: id, Order: order, State: "pending", Type: "pdf", Bytes: 7, SHA256: "ab", By: "a", Created: noon},
				[][]byte{[]byte("one"), []byte("two")}),
		)
	})
	return d
}

func testDossiers(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	d := w.file("org", "A1")
	got, err := w.Dossier(ctx, "root", "org")
	if diff := cmp.Diff(d, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	if _, err := w.Dossier(ctx, "other", "org"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another tenant reads it: %v", err)
	}
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.InsertDossier(d) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("twice: %v", err)
	}
	d.State, d.FirstBy, d.Decided, d.Expires = store.DossierOK, "r", noon.Add(time.Millisecond), noon.Add(time.Hour)
	w.do(func(tx store.Tx) error { return tx.UpdateDossier(d) })
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.UpdateDossier(d) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("from an old version: %v", err)
	}
	d.Version = 2
	if got, err = w.Dossier(ctx, "root", "org"); err != nil || cmp.Diff(d, got) != "" {
		t.Error(err, cmp.Diff(d, got))
	}
	w.do(func(tx store.Tx) error {
		now, err := tx.DossierNow("root", "org")
		if err != nil || cmp.Diff(d, now) != "" {
			t.Error(err, cmp.Diff(d, now))
		}
		if _, err := tx.DossierNow("other", "org"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another tenant changes it: %v", err)
		}
		return nil
	})
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.DeleteDossier("org") }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("deleted though a call belongs to it: %v", err)
	}
	w.do(func(tx store.Tx) error { return tx.InsertDossier(dossier("plain", store.DossierContact, noon)) })
	w.do(func(tx store.Tx) error {
		return errors.Join(tx.InsertClaim(&store.Claim{ID: "x", Tenant: "root", Dossier: "plain", Created: noon}), tx.DeleteDossier("plain"))
	})
	if _, err := w.Dossier(ctx, "root", "plain"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
}

func testDossierLists(t *testing.T, w *world) {
	kinds := []store.DossierKind{store.DossierOrganization, store.DossierContact}
	states := []store.DossierState{store.DossierDraft, store.DossierOK, store.DossierInvalid}
	var all []*store.Dossier
	for i := range 24 {
		d := dossier(fmt.Sprintf("d%02d", i), kinds[i%2], noon.Add(time.Duration(i/4)*time.Second))
		d.State, d.Account = states[i%3], []string{"a", "b"}[i/2%2]
		if i%5 == 1 {
			d.Parent = "p"
		}
		w.do(func(tx store.Tx) error { return tx.InsertDossier(d) })
		all = append(all, d)
	}
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b *store.Dossier) int { return b.Created.Compare(a.Created) })
	for _, f := range []store.DossierFilter{
		{Kind: "organization"},
		{Kind: "contact", State: store.DossierOK},
		{Kind: "contact", Account: "b"},
		{Kind: "contact", Account: "a", State: store.DossierDraft},
		{Kind: "contact", Parent: "p"},
		{Kind: "contact", Parent: "p", Account: "a", State: store.DossierInvalid},
		{Kind: "domain"},
	} {
		var want []string
		for _, d := range all {
			if d.Kind == f.Kind && (f.State == "" || d.State == f.State) && (f.Account == "" || d.Account == f.Account) && (f.Parent == "" || d.Parent == f.Parent) {
				want = append(want, d.ID)
			}
		}
		for _, limit := range []int{1, 3, 200} {
			f.Tenant, f.Limit, f.Before = "root", limit, store.OrderKeyset{}
			var got []string
			for {
				page, err := w.Dossiers(ctx, f)
				if err != nil {
					t.Fatal(err)
				}
				for i := range page {
					got = append(got, page[i].ID)
				}
				if len(page) < limit {
					break
				}
				f.Before = store.OrderKeyset{Created: page[limit-1].Created, ID: page[limit-1].ID}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%+v:\n got %v\nwant %v", f, got, want)
			}
		}
		if f.Tenant = "other"; true {
			if list, err := w.Dossiers(ctx, f); err != nil || len(list) > 0 {
				t.Errorf("another tenant: %v %v", list, err)
			}
		}
	}
	named := dossier("n", store.DossierDomain, noon)
	named.Domain = "orchard.net"
	w.do(func(tx store.Tx) error { return tx.InsertDossier(named) })
	for account, want := range map[string]int{"a": 1, "b": 0} {
		if list, err := w.DomainDossiers(ctx, "root", account, []string{"pear.net", "orchard.net"}); err != nil || len(list) != want {
			t.Errorf("%s: %v %v", account, list, err)
		}
	}
}

// testDossierCount: of units that count at once none sees too few.
func testDossierCount(t *testing.T, w *world) {
	const most = 3
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			err := w.Write(ctx, func(tx store.Tx) error {
				n, err := tx.CountDossiers("root", "a", store.DossierOrganization, most)
				if err != nil || n == most {
					return err
				}
				return tx.InsertDossier(dossier(fmt.Sprint("d", i), store.DossierOrganization, noon))
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if list, err := w.Dossiers(ctx, store.DossierFilter{Tenant: "root", Kind: store.DossierOrganization, Limit: 9}); err != nil || len(list) != most {
		t.Errorf("%d, want %d; %v", len(list), most, err)
	}
}

func testFiles(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	w.put(fresh("root", "B1", noon))
	w.file("org", "A1")
	w.file("two", "B1")
	for name, f := range map[string]store.FileFilter{
		"org-c": {Dossiers: []string{"org"}}, "org-o": {Order: "A1"}, "two-c,org-c": {Dossiers: []string{"org", "two"}}, "": {},
	} {
		f.Limit = 9
		claims, err := w.Claims(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for i := range claims {
			if i > 0 {
				got += ","
			}
			got += claims[i].ID
		}
		if got != name {
			t.Errorf("%+v: %q, want %q", f, got, name)
		}
	}
	claims, err := w.Claims(ctx, store.FileFilter{Dossiers: []string{"org"}, Limit: 1})
	want := store.Claim{ID: "org-c", Tenant: "root", Dossier: "org", Item: "name", Class: "QGIS", Body: []byte("c"), Snapshot: "5a", By: "r", Obtained: noon.Add(-time.Hour), Created: noon}
	if err != nil || len(claims) != 1 || cmp.Diff(want, claims[0]) != "" {
		t.Errorf("%v %+v", err, claims)
	}
	if claims, err = w.Claims(ctx, store.FileFilter{Order: "A1", Limit: 9, Before: store.OrderKeyset{Created: noon, ID: "org-o"}}); err != nil || len(claims) != 0 {
		t.Errorf("behind the last: %v %v", claims, err)
	}
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.WithdrawClaim("other", "org-c", noon) }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another tenant withdraws: %v", err)
	}
	w.do(func(tx store.Tx) error { return tx.WithdrawClaim("root", "org-c", noon.Add(time.Hour)) })
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.WithdrawClaim("root", "org-c", noon) }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("withdrawn twice: %v", err)
	}
	calls, err := w.Calls(ctx, store.FileFilter{Dossiers: []string{"org"}, Limit: 9})
	call := store.Call{ID: "org-t", Tenant: "root", Dossier: "org", Order: "A1", Result: "busy", Body: []byte("t"), By: "r", At: noon.Add(-time.Minute), Created: noon}
	if err != nil || len(calls) != 1 || cmp.Diff(call, calls[0]) != "" {
		t.Errorf("%v %+v", err, calls)
	}
}

func testLetters(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	w.file("org", "A1")
	l := &store.Letter{ID: "org-l", Tenant: "root", Dossier: "org", Order: "A1", State: "pending", Type: "pdf", Bytes: 7, SHA256: "ab", By: "a", Created: noon}
	if got, err := w.Letter(ctx, "root", "org-l"); err != nil || cmp.Diff(l, got) != "" {
		t.Error(err, cmp.Diff(l, got))
	}
	if _, err := w.Letter(ctx, "other", "org-l"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another tenant: %v", err)
	}
	if parts, err := w.LetterParts(ctx, "org-l"); err != nil || len(parts) != 2 || string(parts[0])+string(parts[1]) != "onetwo" {
		t.Errorf("%q %v", parts, err)
	}
	l.State, l.Reason, l.Note, l.DecidedBy, l.Decided = "rejected", "no-seal", []byte("n"), "r", noon.Add(time.Hour)
	w.do(func(tx store.Tx) error { return tx.DecideLetter(l) })
	l.State = "accepted"
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.DecideLetter(l) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("decided twice: %v", err)
	}
	l.State = "rejected"
	list, err := w.Letters(ctx, store.FileFilter{Order: "A1", Limit: 9})
	if err != nil || len(list) != 1 || cmp.Diff(*l, list[0]) != "" {
		t.Errorf("%v %+v", err, list)
	}
}

// testEraseFiles: what is sealed goes, that it was there stays.
func testEraseFiles(t *testing.T, w *world) {
	for i, erase := range []func(store.Tx) error{
		func(tx store.Tx) error { return tx.EraseDossier("d0", noon) },
		func(tx store.Tx) error { return tx.Erase("A1", noon) },
	} {
		id, order := fmt.Sprint("d", i), fmt.Sprint("A", i)
		w.put(fresh("root", order, noon))
		w.file(id, order)
		w.do(erase)
		parts, err := w.LetterParts(ctx, id+"-l")
		if err != nil || len(parts) > 0 {
			t.Errorf("%s: the letter is still there: %v", id, err)
		}
		calls, err := w.Calls(ctx, store.FileFilter{Order: order, Limit: 9})
		if err != nil || len(calls) != 1 || len(calls[0].Body) > 0 {
			t.Errorf("%s: %v %+v", id, err, calls)
		}
		l, err := w.Letter(ctx, "root", id+"-l")
		if err != nil || l.Erased.IsZero() {
			t.Errorf("%s: %v %+v", id, err, l)
		}
		own, other := store.FileFilter{Dossiers: []string{id}, Limit: 9}, store.FileFilter{Order: order, Limit: 9}
		if i == 1 {
			own, other = other, own
		}
		if c, err := w.Claims(ctx, own); err != nil || len(c) != 1 || len(c[0].Body) > 0 {
			t.Errorf("%s: %v %+v", id, err, c)
		}
		if c, err := w.Claims(ctx, other); err != nil || len(c) != 1 || len(c[0].Body) == 0 {
			t.Errorf("%s: what is not its own went too: %v %+v", id, err, c)
		}
	}
	d, err := w.Dossier(ctx, "root", "d0")
	if err != nil || len(d.Body) > 0 || d.Erased.IsZero() || d.Version != 2 {
		t.Errorf("%v %+v", err, d)
	}
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.UpdateDossier(d) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("written after it was erased: %v", err)
	}
}
