package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"assay/evidence"
	"assay/internal/store"
	"assay/order"
)

func observation(i int) evidence.Observation {
	return evidence.Observation{
		Question: evidence.Question{Kind: evidence.KindLookup, Lookup: &evidence.LookupQuestion{Topic: evidence.TopicOrders}},
		At:       noon, Unknown: fmt.Sprint("because of ", i),
	}.Identify()
}

// review is the nth review of an order, which saw observations n and n+1.
func review(o string, n int) (*store.Review, []evidence.Observation) {
	seen := []evidence.Observation{observation(n), observation(n + 1)}
	return &store.Review{
		ReviewRow: store.ReviewRow{
			ID: fmt.Sprintf("%s-r%d", o, n), Order: o, Number: n, Mode: "attempt", Trigger: "schedule", Verdict: "wait",
			Causes: []string{"dns.record-missing", "dns.servers-disagree"}, Profile: "cloud 1 abc", First: noon, Last: noon, Checks: 1,
		},
		Tenant: "root", Report: json.RawMessage(`{"findings":["` + strings.Repeat("x", 5000) + `"]}`), Seen: []string{seen[0].ID, seen[1].ID},
	}, seen
}

func insertReview(tx store.Tx, r *store.Review, seen []evidence.Observation) error {
	var had []string // what the review before saw
	if r.Number > 1 && len(seen) > 0 {
		had = []string{seen[0].ID}
	}
	packed, err := store.PackReview(r, seen, had)
	if err != nil {
		return err
	}
	return tx.InsertReview(packed)
}

func (w *world) review(o string, n int) *store.Review {
	w.t.Helper()
	r, seen := review(o, n)
	w.do(func(tx store.Tx) error { return insertReview(tx, r, seen) })
	return r
}

func testReviews(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	var all []*store.Review
	for n := 1; n <= 5; n++ {
		all = append(all, w.review("A1", n))
	}
	w.do(func(tx store.Tx) error { return tx.RepeatReview("A1-r5", noon.Add(time.Hour)) })
	all[4].Last, all[4].Checks = noon.Add(time.Hour), 2
	for n, want := range map[int]*store.Review{0: all[4], 5: all[4], 2: all[1]} {
		got, err := w.Review(ctx, "A1", n)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Error(n, diff, err)
		}
	}
	if _, err := w.Review(ctx, "A1", 6); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	w.standing("A1")
	page, err := w.Reviews(ctx, "A1", 0, 2)
	if err != nil || len(page) != 2 || page[0].Number != 5 || page[1].Number != 4 {
		t.Errorf("%+v, %v", page, err)
	}
	page, err = w.Reviews(ctx, "A1", 4, 9)
	if diff := cmp.Diff([]store.ReviewRow{all[2].ReviewRow, all[1].ReviewRow, all[0].ReviewRow}, page); err != nil || diff != "" {
		t.Error(diff, err)
	}
	seen, err := w.Observations(ctx, "A1", all[1].Seen)
	if diff := cmp.Diff([]evidence.Observation{observation(2), observation(3)}, seen); err != nil || diff != "" {
		t.Error(diff, err)
	}
	every, err := w.Observations(ctx, "A1", nil)
	if err != nil || len(every) != 6 {
		t.Errorf("%d observations of 6 different, %v", len(every), err)
	}
	r, _ := review("A1", 5)
	r.ID = "another"
	if err := w.Write(ctx, func(tx store.Tx) error { return insertReview(tx, r, nil) }); !errors.Is(err, store.ErrConflict) {
		t.Error("one number twice:", err)
	}
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.RepeatReview("none", noon) }); !errors.Is(err, store.ErrNotFound) {
		t.Error("a review that is not there repeated:", err)
	}
}

func testEachReview(t *testing.T, w *world) {
	var newest, all, own, open []string
	for i := range 45 {
		o := fresh([]string{"root", "root", "other"}[i%3], w.id(), noon)
		if i%9 == 0 {
			o.Account = "else"
		}
		if i%2 == 0 {
			o.State = order.StateDraft
		}
		w.put(o)
		for n := 1; n <= i%3+1; n++ {
			id := w.review(o.ID, n).ID
			if o.Tenant != "root" {
				continue
			}
			all = append(all, id)
			if n < i%3+1 {
				continue
			}
			newest = append(newest, id)
			if o.Account == "else" {
				own = append(own, id)
				if i%2 == 1 {
					open = append(open, id)
				}
			}
		}
	}
	for _, c := range []struct {
		f    store.ReviewFilter
		want []string
	}{
		{store.ReviewFilter{Tenant: "root", Newest: true}, newest},
		{store.ReviewFilter{Tenant: "root", Seen: true}, all},
		{store.ReviewFilter{Tenant: "root", Newest: true, Account: "else"}, own},
		{store.ReviewFilter{Tenant: "root", Newest: true, Account: "else", Open: true, Seen: true}, open},
	} {
		var got []string
		err := w.EachReview(ctx, c.f, func(r *store.OrderReview) error {
			got = append(got, r.Review.ID)
			if r.Review.Tenant != "root" || len(r.Review.Report) < 5000 || r.Order.ID != r.Review.Order || c.f.Account != "" && r.Order.Account != c.f.Account {
				t.Errorf("%+v of %+v", r.Review.ReviewRow, r.Order)
			}
			want, err := w.Observations(ctx, r.Order.ID, r.Review.Seen)
			if diff := cmp.Diff(want, r.Seen); c.f.Seen && (diff != "" || r.Lost) || err != nil || !c.f.Seen && r.Seen != nil {
				t.Errorf("lost %t, %v, %s", r.Lost, err, diff)
			}
			return nil
		})
		slices.Sort(got)
		slices.Sort(c.want)
		if err != nil || !slices.Equal(got, c.want) || len(got) == 0 {
			t.Errorf("%+v: %v\n got %v\nwant %v", c.f, err, got, c.want)
		}
	}
	n, stop := 0, errors.New("stop")
	if err := w.EachReview(ctx, store.ReviewFilter{Newest: true}, func(*store.OrderReview) error { n++; return nil }); err != nil || n != 45 {
		t.Errorf("of every tenant: %d, %v", n, err)
	}
	if err := w.EachReview(ctx, store.ReviewFilter{Newest: true}, func(*store.OrderReview) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

// testIssuedReviews: of issued orders those are left whose certificate is to be renewed.
func testIssuedReviews(t *testing.T, w *world) {
	ended := fresh("root", "ended", noon)
	ended.State, ended.Ended = order.StateFailed, noon
	for _, o := range []*store.Order{fresh("root", "open", noon), ended} {
		w.put(o)
		w.review(o.ID, 1)
	}
	for id, change := range map[string]func(c *store.Certificate){
		"valid":    func(*store.Certificate) {},
		"again":    func(c *store.Certificate) { c.Renews = "ended" },
		"renewing": func(c *store.Certificate) { c.Renews = "open" },
		"revoked":  func(c *store.Certificate) { c.State = order.CertificateRevoked },
		"replaced": func(c *store.Certificate) { c.ReplacedBy = "valid" },
		"deleted":  func(c *store.Certificate) { c.Deleted = noon },
	} {
		o := fresh("root", id, noon)
		o.State, o.Ended = order.StateIssued, noon
		w.put(o)
		w.review(id, 1)
		c := certificate(id, id, noon)
		change(c)
		w.certify(c)
	}
	for _, open := range []bool{false, true} {
		want := []string{"again", "valid"}
		if open {
			want = []string{"again", "open", "valid"}
		}
		var got []string
		err := w.EachReview(ctx, store.ReviewFilter{Tenant: "root", Open: open, Issued: true, Newest: true}, func(r *store.OrderReview) error {
			got = append(got, r.Order.ID)
			return nil
		})
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("open %t: %v, want %v; %v", open, got, want, err)
		}
	}
}

func testValidations(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	v := store.Validation{Tenant: "root", Account: "a", Domain: "a.net", Method: order.MethodDNS, Profile: "cloud", Wildcard: true, Order: "A1", Review: "r1", At: noon}
	put := func(v store.Validation) { w.do(func(tx store.Tx) error { return tx.PutValidation(v) }) }
	put(v)
	older := v
	older.At = noon.Add(-time.Hour)
	put(older) // does not replace what is newer
	other := v
	other.Domain, other.Method, other.Wildcard = "b.net", order.MethodFile, false
	put(other)
	profile := v
	profile.Profile = "letsencrypt"
	put(profile)
	got, err := w.Validations(ctx, "root", "a", []string{"cloud"}, []string{"a.net", "c.net"})
	if diff := cmp.Diff([]store.Validation{v}, got); err != nil || diff != "" {
		t.Error(diff, err)
	}
	if got, err := w.Validations(ctx, "root", "a", []string{"cloud"}, nil); err != nil || len(got) != 0 {
		t.Error("of no names:", got, err)
	}
	if got, err := w.Validations(ctx, "root", "a", []string{"cloud"}, []string{"a.net", "b.net"}); err != nil || len(got) != 2 {
		t.Error(got, err)
	}
}

func testPeople(t *testing.T, w *world) {
	token := store.Token{
		ID: "t1", Tenant: "root", Account: "a", Role: "applicant", Scopes: []string{"orders:read", "orders:write"}, Name: "laptop",
		Hash: []byte{1, 2}, Created: noon, Expires: noon.Add(time.Hour),
	}
	account := store.Account{Tenant: "root", ID: "a", Verified: true, Agreement: "v1", Created: noon}
	w.do(func(tx store.Tx) error {
		for _, id := range []string{"t1", "t2", "t3"} {
			k := token
			k.ID = id
			if err := tx.PutToken(k); err != nil {
				return err
			}
		}
		return tx.PutAccount(account)
	})
	token.Revoked = noon.Add(time.Minute)
	account.Deactivated = noon
	w.do(func(tx store.Tx) error {
		if err := tx.EnsureAccount(store.Account{Tenant: "root", ID: "a", Agreement: "v2", Created: noon}); err != nil {
			return err
		}
		return tx.EnsureAccount(store.Account{Tenant: "root", ID: "b", Created: noon})
	})
	if who, err := w.Account(ctx, "root", "a"); err != nil || who.Agreement != "v1" {
		t.Errorf("an account that was there: %+v, %v", who, err)
	}
	if _, err := w.Account(ctx, "root", "b"); err != nil {
		t.Error("an account that was not there:", err)
	}
	w.do(func(tx store.Tx) error { return errors.Join(tx.PutToken(token), tx.PutAccount(account)) })
	got, err := w.Token(ctx, "t1")
	if diff := cmp.Diff(&token, got); err != nil || diff != "" {
		t.Error(diff, err)
	}
	for _, revoked := range []time.Time{{}, noon.Add(time.Hour)} {
		again := token
		again.Revoked = revoked
		w.do(func(tx store.Tx) error { return tx.PutToken(again) })
		if got, err := w.Token(ctx, "t1"); err != nil || !got.Revoked.Equal(token.Revoked) {
			t.Errorf("a token that was revoked, written with %v: %+v, %v", revoked, got, err)
		}
	}
	list, err := w.Tokens(ctx, "root", "t1", 1)
	if err != nil || len(list) != 1 || list[0].ID != "t2" {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := w.Tokens(ctx, "other", "", 9); err != nil || len(list) != 0 {
		t.Errorf("of another tenant: %+v, %v", list, err)
	}
	who, err := w.Account(ctx, "root", "a")
	if diff := cmp.Diff(&account, who); err != nil || diff != "" {
		t.Error(diff, err)
	}
	if _, err := w.Account(ctx, "other", "a"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	tenants, err := w.Tenants(ctx, "", 9)
	if err != nil || len(tenants) != 2 || tenants[0].ID != "other" || !tenants[0].Created.Equal(noon) {
		t.Errorf("%+v, %v", tenants, err)
	}
	w.do(func(tx store.Tx) error {
		return tx.PutTenant(store.Tenant{ID: "other", Name: "Other", Created: noon, Closed: noon})
	})
	if v, err := w.Tenant(ctx, "other"); err != nil || v.Name != "Other" || !v.Closed.Equal(noon) {
		t.Errorf("%+v, %v", v, err)
	}
	err = w.Write(ctx, func(tx store.Tx) error {
		return tx.InsertTenant(store.Tenant{ID: "other", Name: "Another", Created: noon})
	})
	if v, e := w.Tenant(ctx, "other"); !errors.Is(err, store.ErrConflict) || e != nil || v.Name != "Other" {
		t.Errorf("a tenant twice: %v, %+v, %v", err, v, e)
	}
	w.do(func(tx store.Tx) error {
		return tx.InsertTenant(store.Tenant{ID: "third", Name: "Third", Created: noon})
	})
	if v, err := w.Tenant(ctx, "third"); err != nil || v.Name != "Third" || !v.Closed.IsZero() {
		t.Errorf("%+v, %v", v, err)
	}
	for _, err := range []error{third(w.Token(ctx, "none")), third(w.Tenant(ctx, "none"))} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Error(err)
		}
	}
	bad := token
	bad.ID, bad.Role = "t9", "king"
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.PutToken(bad) }); err == nil {
		t.Error("a role that is none was written")
	}
}

func third[T any](_ T, err error) error { return err }

func testRequests(t *testing.T, w *world) {
	r := store.Request{
		Token: "t1", Key: "k1", Digest: []byte{1}, Status: 201, Headers: json.RawMessage(`{"Location":["/x"]}`),
		Body: []byte("made"), Created: noon,
	}
	w.do(func(tx store.Tx) error { return tx.PutRequest(r) })
	got, err := w.Request(ctx, "t1", "k1")
	if diff := cmp.Diff(&r, got); err != nil || diff != "" {
		t.Error(diff, err)
	}
	err = w.Write(ctx, func(tx store.Tx) error {
		err := tx.PutRequest(r)
		if !errors.Is(err, store.ErrAnswered) {
			t.Error("PutRequest itself tells that the key is there:", err)
		}
		return err
	})
	if !errors.Is(err, store.ErrAnswered) {
		t.Error(err)
	}
	if _, err := w.Request(ctx, "t2", "k1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("of another token:", err)
	}
	r.Key, r.Headers, r.Body = "empty", nil, nil
	w.do(func(tx store.Tx) error { return tx.PutRequest(r) })
}

func testSecrets(t *testing.T, w *world) {
	for _, v := range []string{"one", "two"} {
		w.do(func(tx store.Tx) error { return tx.PutSecret("s", []byte(v), noon) })
		got, err := w.Secret(ctx, "s")
		if err != nil || string(got) != v {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := w.Secret(ctx, "none"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func testPrune(t *testing.T, w *world) {
	for i := range 9 {
		w.do(func(tx store.Tx) error {
			return tx.PutRequest(store.Request{Token: "t", Key: fmt.Sprint(i), Created: noon.Add(time.Duration(i) * time.Hour)})
		})
	}
	for _, id := range []string{"ended", "open"} {
		o := fresh("root", id, noon)
		if id == "ended" {
			o.State, o.Ended = order.StateFailed, noon.Add(time.Hour)
		}
		w.put(o)
		for n := 1; n <= 5; n++ {
			w.review(id, n)
		}
	}
	prune := func(p store.Prune, limit int) (n int) {
		w.do(func(tx store.Tx) (err error) {
			n, err = tx.Prune(p, limit)
			return err
		})
		return n
	}
	if n := prune(store.Prune{}, 100); n != 0 {
		t.Error("nothing is old enough and", n, "went")
	}
	if n := prune(store.Prune{Requests: noon.Add(5 * time.Hour)}, 3); n != 3 {
		t.Error("a part of the requests:", n)
	}
	if n := prune(store.Prune{Requests: noon.Add(5 * time.Hour)}, 100); n != 2 {
		t.Error("the rest of the requests:", n)
	}
	if _, err := w.Request(ctx, "t", "5"); err != nil {
		t.Error("a request that is not old:", err)
	}
	if n := prune(store.Prune{Reviews: noon.Add(time.Hour)}, 100); n != 0 {
		t.Error("the order did not end before:", n)
	}
	for prune(store.Prune{Reviews: noon.Add(2 * time.Hour)}, 1) != 0 {
	}
	for id, want := range map[string][]int{"ended": {5, 1}, "open": {5, 4, 3, 2, 1}} {
		list, err := w.Reviews(ctx, id, 0, 100)
		var got []int
		for _, r := range list {
			got = append(got, r.Number)
			full, err := w.Review(ctx, id, r.Number)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Observations(ctx, id, full.Seen); err != nil {
				t.Errorf("%s, review %d: %v", id, r.Number, err)
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: reviews %v, %v", id, got, err)
		}
	}
	if seen, err := w.Observations(ctx, "ended", nil); err != nil || len(seen) != 4 {
		t.Errorf("%d observations of two reviews of two each, %v", len(seen), err)
	}
	// A later change makes the order one to look at again.
	w.review("ended", 6)
	w.do(func(tx store.Tx) error {
		o, err := tx.Order("root", "ended")
		if err != nil {
			return err
		}
		return tx.UpdateOrder(o)
	})
	for prune(store.Prune{Reviews: noon.Add(2 * time.Hour)}, 50) != 0 {
	}
	if list, err := w.Reviews(ctx, "ended", 0, 9); err != nil || len(list) != 2 || list[0].Number != 6 {
		t.Errorf("%+v, %v", list, err)
	}
}

func testErase(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	w.put(fresh("root", "B1", noon))
	w.review("A1", 1)
	w.review("B1", 1)
	w.do(func(tx store.Tx) error { return tx.Append(entry(0)) })
	for _, id := range []string{"A1", "B1"} {
		w.do(func(tx store.Tx) error {
			return tx.PutRequest(store.Request{Token: "t", Key: id, Digest: []byte{1}, Status: 201, Headers: json.RawMessage(`{}`), Body: []byte("whose it is"), Order: id, Created: noon})
		})
	}
	w.do(func(tx store.Tx) error { return tx.Erase("A1", noon) })
	for id, want := range map[string]int{"A1": 410, "B1": 201} {
		if kept, err := w.Request(ctx, "t", id); err != nil || kept.Status != want || (len(kept.Body) == 0) != (want == 410) {
			t.Errorf("the answer that shows %s: %+v, %v", id, kept, err)
		}
	}
	r, err := w.Review(ctx, "A1", 1)
	if err != nil || strings.Contains(string(r.Report), "x") || len(r.Seen) != 0 || r.Verdict != "wait" {
		t.Errorf("%+v, %v", r, err)
	}
	if seen, err := w.Observations(ctx, "A1", nil); err != nil || len(seen) != 0 {
		t.Errorf("%d observations, %v", len(seen), err)
	}
	if seen, err := w.Observations(ctx, "B1", nil); err != nil || len(seen) != 2 {
		t.Errorf("another order's: %d, %v", len(seen), err)
	}
	if e, err := w.Entries(ctx, store.EntryFilter{Tenant: "root", Limit: 9}); err != nil || len(e) != 1 {
		t.Errorf("the audit: %d, %v", len(e), err)
	}
}

func testStats(t *testing.T, w *world) {
	for i, s := range order.States() {
		o := fresh("root", string(s), noon.Add(time.Duration(i)*time.Second))
		o.State = s
		w.put(o)
	}
	w.append(3)
	w.take(noon.Add(2*time.Second), "x", noon.Add(time.Hour), 2)
	got, err := w.Stats(ctx, noon.Add(time.Minute))
	want := store.Stats{Open: 4, Due: 6, Leased: 2, OldestDue: noon.Add(2 * time.Second), Unsealed: 3, OldestUnsealed: noon}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(diff, err)
	}
}

// testSeenAgain: of what was seen, gone and seen again the first counts for every review,
// whatever is pruned.
func testSeenAgain(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	first, other := observation(1), observation(2)
	again := first
	again.At = noon.Add(time.Hour)
	for n, seen := range map[int]evidence.Observation{1: first, 2: other, 3: again} {
		r, _ := review("A1", n)
		r.Seen, r.First = []string{seen.ID}, noon.Add(time.Duration(n)*time.Minute)
		packed, err := store.PackReview(r, []evidence.Observation{seen}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.do(func(tx store.Tx) error { return tx.InsertReview(packed) })
	}
	if again.ID != first.ID {
		t.Fatal("not the same observation")
	}
	for range 2 {
		for _, ids := range [][]string{{first.ID}, nil} {
			got, err := w.Observations(ctx, "A1", ids)
			if err != nil || !slices.ContainsFunc(got, func(o evidence.Observation) bool { return o.ID == first.ID && o.At.Equal(first.At) }) {
				t.Errorf("%+v, %v", got, err)
			}
		}
		w.do(func(tx store.Tx) error {
			o, err := tx.Order("root", "A1")
			if err != nil {
				return err
			}
			o.State, o.Ended = order.StateFailed, noon
			if err := tx.UpdateOrder(o); err != nil {
				return err
			}
			_, err = tx.Prune(store.Prune{Reviews: noon.Add(24 * time.Hour)}, 50)
			return err
		})
	}
}
