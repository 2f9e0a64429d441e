package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"assay/internal/store"
	"assay/order"
)

// pages reads a whole list page by page; between is called after each.
func (w *world) pages(f store.OrderFilter, between func()) (ids []string) {
	w.t.Helper()
	for {
		list, err := w.Orders(ctx, f)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, o := range list {
			ids = append(ids, o.ID)
		}
		if len(list) < f.Limit {
			return ids
		}
		last := list[len(list)-1]
		f.Before = store.OrderKeyset{Created: last.Created, ID: last.ID}
		if between != nil {
			between()
		}
	}
}

func testLists(t *testing.T, w *world) {
	all := map[string]*store.Order{}
	for i := range 23 {
		// Three at a time: the id decides between them.
		o := fresh("root", w.id(), noon.Add(time.Duration(i/3)*time.Second))
		o.Account = []string{"a", "b"}[i%2]
		o.State = []order.State{order.StatePending, order.StateFailed, order.StateIssued}[i%3]
		if i == 11 {
			o.Deleted = noon
		}
		w.put(o, fmt.Sprintf("x%d.net", i%4), fmt.Sprintf("www.x%d.net", i%4))
		if i != 11 {
			all[o.ID] = o
		}
	}
	for _, c := range []struct {
		f    store.OrderFilter
		want func(i int, o *store.Order) bool
	}{
		{store.OrderFilter{}, func(int, *store.Order) bool { return true }},
		{store.OrderFilter{Account: "a"}, func(_ int, o *store.Order) bool { return o.Account == "a" }},
		{store.OrderFilter{State: order.StateFailed}, func(_ int, o *store.Order) bool { return o.State == order.StateFailed }},
		{store.OrderFilter{Account: "b", State: order.StateFailed}, func(_ int, o *store.Order) bool { return o.Account == "b" && o.State == order.StateFailed }},
		{store.OrderFilter{Name: "www.x1.net"}, func(i int, _ *store.Order) bool { return i%4 == 1 }},
		{store.OrderFilter{Domain: "x2.net"}, func(i int, _ *store.Order) bool { return i%4 == 2 }},
		{store.OrderFilter{Domain: "x2.net", Name: "www.x2.net", Account: "a"}, func(i int, o *store.Order) bool { return i%4 == 2 && o.Account == "a" }},
		{store.OrderFilter{Name: "www.x1.net", Domain: "x2.net"}, func(int, *store.Order) bool { return false }},
		{store.OrderFilter{Name: "x1"}, func(int, *store.Order) bool { return false }},
	} {
		var want []string
		for i := range 23 {
			if o := all[fmt.Sprintf("o%04d", i+1)]; o != nil && c.want(i, o) {
				want = append(want, o.ID)
			}
		}
		slices.SortFunc(want, func(a, b string) int {
			if n := all[b].Created.Compare(all[a].Created); n != 0 {
				return n
			}
			if a > b {
				return -1
			}
			return 1
		})
		for _, limit := range []int{1, 4, 200} {
			c.f.Tenant, c.f.Limit = "root", limit
			if got := w.pages(c.f, nil); !slices.Equal(got, want) {
				t.Errorf("%+v:\n got %v\nwant %v", c.f, got, want)
			}
		}
	}
}

func testStablePages(t *testing.T, w *world) {
	var want []string
	for i := range 12 {
		o := w.put(fresh("root", w.id(), noon.Add(time.Duration(i)*time.Second)))
		want = append(want, o.ID)
	}
	slices.Reverse(want)
	got := w.pages(store.OrderFilter{Tenant: "root", Limit: 5}, func() { w.put(fresh("root", w.id(), noon.Add(time.Hour))) })
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func testDomainOnce(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon), "a.orchard.net", "b.orchard.net", "orchard.net", "pear.net")
	w.put(fresh("root", "B1", noon.Add(1e6)), "b.orchard.net")
	if got := w.pages(store.OrderFilter{Tenant: "root", Domain: "orchard.net", Limit: 1}, nil); !slices.Equal(got, []string{"B1", "A1"}) {
		t.Error(got)
	}
}

func testPast(t *testing.T, w *world) {
	put := func(tenant, id, account string, at time.Time, names ...string) {
		o := fresh(tenant, id, at)
		o.Account = account
		w.put(o, names...)
	}
	put("root", "me", "a", noon, "orchard.net")
	put("root", "account", "a", noon.Add(-time.Hour), "pear.net")
	domain := fresh("other", "domain", noon.Add(-2*time.Hour))
	domain.Account, domain.Validated = "z", noon
	w.put(domain, "a.orchard.net", "b.orchard.net")
	put("other", "unproven", "z", noon.Add(-time.Minute), "a.orchard.net")
	put("root", "stranger", "b", noon, "plum.net")
	put("root", "old", "a", noon.Add(-1000*time.Hour), "orchard.net")
	deleted := fresh("root", "deleted", noon.Add(-30*time.Minute))
	deleted.Deleted = noon
	w.put(deleted, "deleted.net")
	same := []store.OrderKey{{Kind: "csr", Digest: "c-me"}, {Kind: "key", Digest: "k-me"}}
	for i, id := range []string{"twin", "leaked"} {
		twin := fresh("other", id, noon.Add(time.Duration(i-3)*time.Hour))
		twin.Account = "z"
		w.do(func(tx store.Tx) error {
			x := with(twin, "else.net")
			x.Keys = same
			return tx.InsertOrder(twin, x)
		})
	}
	w.do(func(tx store.Tx) error { return tx.ValidateKeys("twin", noon, same...) })
	// Drafts hide nothing, however many they are.
	for i := range 12 {
		draft := fresh("root", fmt.Sprint("draft", i), noon.Add(time.Second))
		draft.State, draft.Submitted, draft.Account = order.StateDraft, time.Time{}, "a"
		w.do(func(tx store.Tx) error {
			x := with(draft, "orchard.net")
			x.Keys = same
			return tx.InsertOrder(draft, x)
		})
	}
	w.do(func(tx store.Tx) error {
		ids, err := tx.LockKeys("root", same...)
		slices.Sort(ids)
		if want := []string{"me", "me", "twin", "twin"}; !slices.Equal(ids, want) {
			t.Errorf("locked %v, want %v", ids, want)
		}
		return err
	})
	q := store.PastQuery{
		Except: "me", Tenant: "root", Account: "a", CSR: "c-me", Key: "k-me", Domains: []string{"orchard.net"},
		Since: noon.Add(-500 * time.Hour), Limit: 10,
	}
	got, err := w.PastOrders(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(got))
	for i, p := range got {
		ids[i] = p.ID
	}
	if want := []string{"deleted", "account", "domain", "twin"}; !slices.Equal(ids, want) {
		t.Fatalf("got %v, want %v", ids, want)
	}
	if d := got[2]; !d.Validated || !slices.Equal(d.AllNames, []string{"a.orchard.net", "b.orchard.net"}) || d.CSR != "c-domain" || !slices.Equal(d.Values, []string{"v-domain"}) {
		t.Errorf("%+v", d)
	}
	if got[3].CSR != "c-me" || got[3].Key != "k-me" || !got[3].Validated || got[1].Validated {
		t.Errorf("%+v", got[3])
	}
	if got[0].Shares || !got[3].Shares {
		t.Errorf("shares: %+v", got)
	}
	w.do(func(tx store.Tx) error {
		if err := tx.PutAccount(store.Account{Tenant: "root", ID: "a", Verified: true, Created: noon}); err != nil {
			return err
		}
		return tx.PutValidation(store.Validation{Tenant: "root", Account: "a", Domain: "d2.net", Profile: "p", Order: "twin", At: noon})
	})
	domains := make([]string, 1200)
	for i := range domains {
		domains[i] = fmt.Sprint("d", i, ".net")
	}
	around, err := w.Around(ctx, store.AroundQuery{Tenant: "root", Account: "a", Past: q, Profiles: []string{"p"}, Domains: domains})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, around.Past); diff != "" || around.Account.ID != "a" || !around.Account.Verified || len(around.Validations) != 1 || around.Validations[0].Domain != "d2.net" {
		t.Errorf("%+v %+v %s", around.Account, around.Validations, diff)
	}
	if _, err := w.Around(ctx, store.AroundQuery{Tenant: "root", Account: "nobody", Past: q}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("around nobody: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := w.Around(ended, store.AroundQuery{Tenant: "root", Account: "a", Past: q, Profiles: []string{"p"}, Domains: domains}); !errors.Is(err, context.Canceled) {
		t.Errorf("of one who left: %v", err)
	}
	q.Limit, q.KeyLimit = 2, 5 // those with a digest beside the others
	if got, err = w.PastOrders(ctx, q); err != nil || len(got) != 3 || got[0].ID != "deleted" || got[2].ID != "twin" {
		t.Errorf("%d rows, %v", len(got), err)
	}
	// As many domains as an order may have names.
	for i := range 999 {
		q.Domains = append(q.Domains, fmt.Sprint("d", i, ".net"))
	}
	if got, err = w.PastOrders(ctx, q); err != nil || len(got) != 3 {
		t.Errorf("%d rows, %v", len(got), err)
	}
	if got, err = w.PastOrders(ctx, store.PastQuery{}); err != nil || len(got) != 0 {
		t.Errorf("asked for nothing: %d, %v", len(got), err)
	}
}
