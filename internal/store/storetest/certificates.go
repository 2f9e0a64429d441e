package storetest

import (
	"bytes"
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

// certificate is one that is not written yet.
func certificate(id, serial string, at time.Time) *store.Certificate {
	return &store.Certificate{
		CertificateRow: store.CertificateRow{
			ID: id, Tenant: "root", Account: "a", Source: store.SourceIssued, Issuer: "own", Serial: serial, State: order.CertificateValid, Product: order.DV,
			Profile: "private", Name: id + ".net", Names: 1, Fingerprint: "f" + id, Keyprint: "k" + id, NotBefore: at, NotAfter: at.Add(90 * 24 * time.Hour), Created: at,
		},
		DER: []byte{0x30, 0, 255}, Chain: []byte("chain"),
	}
}

func (w *world) certify(c *store.Certificate, names ...string) *store.Certificate {
	w.t.Helper()
	list := []store.OrderName{{Name: c.Name, Domain: c.Name}}
	for _, n := range names {
		list = append(list, store.OrderName{Name: n, Domain: c.Name})
	}
	w.do(func(tx store.Tx) error { return tx.InsertCertificate(c, list) })
	c.Version = 1
	return c
}

func testAttempts(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	w.put(fresh("root", "A2", noon))
	first := &store.Attempt{
		Order: "A1", Seq: 1, Issuer: "own", State: order.AttemptPrepared, Serial: "0a", TBS: []byte{1, 0}, Data: []byte("{}"), Shard: 3, Review: "r", Lints: "l", Created: noon,
	}
	w.do(func(tx store.Tx) error { return tx.InsertAttempt(first) })
	got, err := w.Attempts(ctx, "A1")
	if diff := cmp.Diff([]store.Attempt{*first}, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	w.standing("A1")
	refused := func(what string, a store.Attempt) {
		t.Helper()
		if err := w.Write(ctx, func(tx store.Tx) error { return tx.InsertAttempt(&a) }); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s: %v", what, err)
		}
	}
	second := *first
	second.Seq, second.Serial = 2, "0b"
	refused("a second one while the first may yet give a certificate", second)
	other := *first
	other.Order = "A2"
	refused("a serial twice", other)
	first.State, first.TBS, first.Ended, first.Detail = order.AttemptAbandoned, nil, noon.Add(time.Minute), "died"
	w.do(func(tx store.Tx) error { return tx.EndAttempt(first) })
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.EndAttempt(first) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("ended twice: %v", err)
	}
	w.do(func(tx store.Tx) error { return tx.InsertAttempt(&second) })
	second.State = order.AttemptPrepared
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.EndAttempt(&second) }); !errors.Is(err, store.ErrStep) {
		t.Errorf("ended as prepared: %v", err)
	}
	second.State, second.Ended = order.AttemptIssued, noon.Add(time.Hour)
	w.do(func(tx store.Tx) error { return tx.EndAttempt(&second) })
	third := *first
	third.Seq, third.Serial, third.State = 3, "0c", order.AttemptPrepared
	refused("one more after a certificate", third)
	if got, err = w.Attempts(ctx, "A1"); err != nil || len(got) != 2 || got[0].State != order.AttemptAbandoned || len(got[0].TBS) != 0 || got[1].State != order.AttemptIssued {
		t.Errorf("%v, %+v", err, got)
	}
	u := &store.UpstreamOrder{Order: "A2", Issuer: "acme", Reference: "r", Tenant: "root", Account: "a", Data: []byte("x"), Deadline: noon, Changed: noon}
	w.do(func(tx store.Tx) error { return tx.PutUpstreamOrder(u) })
	u.Data = []byte("y")
	w.do(func(tx store.Tx) error { return tx.PutUpstreamOrder(u) })
	if got, err := w.UpstreamOrder(ctx, "A2"); err != nil || cmp.Diff(u, got) != "" {
		t.Error(err, cmp.Diff(u, got))
	}
	if got, err := w.UpstreamOrderBy(ctx, "acme", "r"); err != nil || cmp.Diff(u, got) != "" {
		t.Error(err, cmp.Diff(u, got))
	}
	for _, is := range [][2]string{{"acme", "s"}, {"other", "r"}, {"acme", ""}} {
		if got, err := w.UpstreamOrderBy(ctx, is[0], is[1]); !errors.Is(err, store.ErrNotFound) {
			t.Error(is, err, got)
		}
	}
	waits := &store.UpstreamOrder{Order: "A1", Issuer: "acme", Tenant: "root", Account: "a", WaitsFor: "A2", Passed: noon, Deadline: noon, Changed: noon}
	w.do(func(tx store.Tx) error { return tx.PutUpstreamOrder(waits) })
	if got, err := w.UpstreamOrder(ctx, "A1"); err != nil || cmp.Diff(waits, got) != "" {
		t.Error(err, cmp.Diff(waits, got))
	}
	twice := *waits
	twice.Reference = "r"
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.PutUpstreamOrder(&twice) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("two orders with one reference: %v", err)
	}
	twice.Issuer = "other"
	w.do(func(tx store.Tx) error { return tx.PutUpstreamOrder(&twice) })
}

func testValueOrders(t *testing.T, w *world) {
	for id, value := range map[string]string{"A1": "v1", "A2": "v2"} {
		extra := store.NewOrder{Challenges: []order.Challenge{{Name: "a.net", Method: order.MethodDNS, Value: value}}}
		w.do(func(tx store.Tx) error { return tx.InsertOrder(fresh("root", id, noon), extra) })
	}
	many := []string{"v1", "v2", "v3"}
	for i := range 2000 {
		many = append(many, fmt.Sprint("w", i))
	}
	want := map[string]string{"v1": "A1", "v2": "A2"}
	if got, err := w.ValueOrders(ctx, many); err != nil || cmp.Diff(want, got) != "" {
		t.Error(err, cmp.Diff(want, got))
	}
	if got, err := w.ValueOrders(ctx, nil); err != nil || len(got) != 0 {
		t.Error(err, got)
	}
}

func testPrepareRace(t *testing.T, w *world) {
	w.put(fresh("root", "A1", noon))
	var running sync.WaitGroup
	var lock sync.Mutex
	made := 0
	for i := range 8 {
		running.Go(func() {
			err := w.Write(ctx, func(tx store.Tx) error {
				return tx.InsertAttempt(&store.Attempt{Order: "A1", Seq: i + 1, Issuer: "own", State: order.AttemptPrepared, Serial: fmt.Sprintf("%02x", i), Review: "r", Created: noon})
			})
			lock.Lock()
			defer lock.Unlock()
			if err == nil {
				made++
			} else if !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if made != 1 {
		t.Errorf("%d of 8 attempts were made at once", made)
	}
}

func testCertificates(t *testing.T, w *world) {
	c := w.certify(certificate("C1", "01", noon), "www.C1.net")
	got, err := w.Certificate(ctx, "root", "C1")
	if diff := cmp.Diff(c, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	if _, err := w.Certificate(ctx, "other", "C1"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another tenant reads it: %v", err)
	}
	for what, twice := range map[string]*store.Certificate{"its id": certificate("C1", "02", noon), "its serial": certificate("C2", "01", noon)} {
		if err := w.Write(ctx, func(tx store.Tx) error { return tx.InsertCertificate(twice, nil) }); !errors.Is(err, store.ErrConflict) {
			t.Errorf("%s twice: %v", what, err)
		}
	}
	for _, account := range []string{"", "a"} {
		if row, err := w.CertificateBy(ctx, "root", account, "fC1"); err != nil || row.ID != "C1" {
			t.Errorf("by fingerprint: %v, %+v", err, row)
		}
	}
	for _, other := range [][2]string{{"other", ""}, {"root", "b"}} {
		if _, err := w.CertificateBy(ctx, other[0], other[1], "fC1"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%q finds it: %v", other, err)
		}
	}
	if list, err := w.ChainsOf(ctx, "root"); err != nil || len(list) != 1 || !bytes.Equal(list[0], c.Chain) {
		t.Errorf("chains: %v, %x", err, list)
	}
	if list, err := w.ChainsOf(ctx, "other"); err != nil || len(list) != 0 {
		t.Errorf("chains of another tenant: %v, %x", err, list)
	}
	if list, err := w.CertificatesByKey(ctx, "kC1", "", 9); err != nil || len(list) != 1 {
		t.Errorf("by key: %v, %v", err, list)
	}
	c.State, c.Reason, c.Alias, c.Tags, c.AutoRenew, c.Muted, c.Renews, c.ReplacedBy = order.CertificateRevoking, 4, "果园", "a=b", true, true, "o", "p"
	c.Asked, c.LookedAt, c.Sealed, c.Findings = noon, noon, []byte("s"), []byte("[]")
	w.do(func(tx store.Tx) error { return tx.UpdateCertificate(c) })
	if got, err = w.Certificate(ctx, "", "C1"); err != nil || cmp.Diff(c, got) != "" || c.Version != 2 {
		t.Error(err, cmp.Diff(c, got))
	}
	old := *c
	old.Version = 1
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.UpdateCertificate(&old) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("from an old version: %v", err)
	}
	c.State, c.Revoked = order.CertificateRevoked, noon
	w.do(func(tx store.Tx) error { return tx.UpdateCertificate(c) })
	for _, s := range order.CertificateStates() {
		if s == order.CertificateRevoked {
			continue
		}
		back := *c
		back.State = s
		if err := w.Write(ctx, func(tx store.Tx) error { return tx.UpdateCertificate(&back) }); !errors.Is(err, store.ErrStep) {
			t.Errorf("from revoked to %s: %v", s, err)
		}
	}
}

func testCertificateAfter(t *testing.T, w *world) {
	day := 24 * time.Hour
	line := func(tenant, prefix string, n int, change func(i int, c *store.Certificate)) {
		w.do(func(tx store.Tx) error {
			for i := range n {
				c := certificate(fmt.Sprint(prefix, i), fmt.Sprintf("%s%04x", prefix, i), noon.Add(time.Duration(i)*time.Minute))
				c.Tenant, c.NotAfter = tenant, noon.Add(9*day)
				if i < n-1 {
					c.ReplacedBy = fmt.Sprint(prefix, i+1)
				}
				if change != nil {
					change(i, c)
				}
				if err := tx.InsertCertificate(c, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	line("root", "a", 4, nil)
	line("root", "b", 5, func(i int, c *store.Certificate) {
		switch i {
		case 1:
			c.Deleted = noon
		case 2:
			c.State = order.CertificateRevoked
		case 4:
			c.State = order.CertificateRevoking
		}
	})
	line("root", "c", 3, func(i int, c *store.Certificate) {
		switch i {
		case 1:
			c.Deleted = noon
		case 2:
			c.NotAfter = noon
		}
	})
	line("root", "d", 3, func(i int, c *store.Certificate) {
		if i == 2 {
			c.ReplacedBy = "d1" // no line of ours is a ring; it would end
		}
	})
	line("root", "e", 1100, nil)
	for _, c := range []struct {
		tenant, id, want string
	}{
		{"root", "a0", "a3"},
		{"root", "a2", "a3"},
		{"root", "a3", ""},
		{"root", "a9", ""},
		{"other", "a0", ""},
		{"root", "b0", "b3"}, // past what is deleted and revoked; the last is not in force
		{"root", "b3", ""},
		{"root", "c0", ""},
		{"root", "d0", "d2"},
		{"root", "e0", "e1000"},
		{"root", "e500", "e1099"},
	} {
		is := func(got *store.CertificateRow, err error) {
			t.Helper()
			switch {
			case c.want == "" && !errors.Is(err, store.ErrNotFound):
				t.Errorf("%+v: %+v, %v", c, got, err)
			case c.want != "" && (err != nil || got.ID != c.want):
				t.Errorf("%+v: %+v, %v", c, got, err)
			}
		}
		is(w.CertificateAfter(ctx, c.tenant, c.id, noon))
		w.do(func(tx store.Tx) error {
			is(tx.AfterNow(c.tenant, c.id, noon))
			return nil
		})
	}
}

func testCertificateLists(t *testing.T, w *world) {
	states := []order.CertificateState{order.CertificateValid, order.CertificateExpired, order.CertificateRevoked}
	var all []store.CertificateRow
	for i := range 30 {
		c := certificate(fmt.Sprintf("C%02d", i), fmt.Sprintf("%02x", i), noon.Add(time.Duration(i/4)*time.Second))
		c.State, c.Account, c.Name = states[i%3], []string{"a", "b"}[i/2%2], []string{"x.net", "y.net", "z.net"}[i%3]
		if i%5 == 1 {
			c.Source, c.Issuer = store.SourceUploaded, ""
		}
		if i%11 == 3 {
			c.Deleted = noon
		}
		w.certify(c, "www."+c.Name)
		if c.Deleted.IsZero() {
			all = append(all, c.CertificateRow)
		}
	}
	slices.Reverse(all)
	slices.SortStableFunc(all, func(a, b store.CertificateRow) int { return b.Created.Compare(a.Created) })
	for _, f := range []store.CertificateFilter{
		{},
		{Account: "a"},
		{State: order.CertificateValid},
		{Account: "b", State: order.CertificateExpired},
		{Source: store.SourceUploaded},
		{Name: "www.x.net"},
		{Name: "www.x.net", Account: "a", Source: store.SourceIssued},
		{Domain: "y.net"},
		{Domain: "y.net", State: order.CertificateExpired},
		{Name: "nothing"},
		{EndsBefore: noon.Add(90*24*time.Hour + 4*time.Second)},
		{EndsBefore: noon.Add(90*24*time.Hour + 6*time.Second), EndsAfter: noon.Add(90*24*time.Hour + 2*time.Second), State: order.CertificateValid, Account: "a"},
		{Name: "x.net", EndsBefore: noon.Add(90*24*time.Hour + 4*time.Second)},
		{EndsBefore: noon.Add(90*24*time.Hour + 4*time.Second), NotRevoked: true},
		{Domain: "y.net", EndsBefore: noon.Add(90*24*time.Hour + 4*time.Second), NotRevoked: true},
	} {
		var want []store.CertificateRow
		for _, c := range all {
			named := f.Name == "" || f.Name == c.Name || f.Name == "www."+c.Name
			if f.NotRevoked && c.State == order.CertificateRevoked {
				continue
			}
			if named && (f.Account == "" || f.Account == c.Account) && (f.State == "" || f.State == c.State) && (f.Source == "" || f.Source == c.Source) &&
				(f.Domain == "" || f.Domain == c.Name) && (f.EndsBefore.IsZero() || c.NotAfter.Before(f.EndsBefore) && !c.NotAfter.Before(f.EndsAfter)) {
				want = append(want, c)
			}
		}
		byEnd := !f.EndsBefore.IsZero() && f.Name == "" && f.Domain == ""
		if byEnd {
			slices.SortFunc(want, func(a, b store.CertificateRow) int {
				if d := a.NotAfter.Compare(b.NotAfter); d != 0 {
					return d
				}
				return map[bool]int{true: -1, false: 1}[a.ID < b.ID]
			})
		}
		var got []store.CertificateRow
		for f.Tenant, f.Limit = "root", 4; ; {
			page, err := w.Certificates(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page...)
			if len(page) < f.Limit {
				break
			}
			last := page[len(page)-1]
			f.Before = store.OrderKeyset{Created: last.Created, ID: last.ID}
			if byEnd {
				f.Before.Created = last.NotAfter
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%+v: %s", f, diff)
		}
	}
	if list, err := w.Certificates(ctx, store.CertificateFilter{Tenant: "other", Limit: 9}); err != nil || len(list) != 0 {
		t.Errorf("another tenant sees %d: %v", len(list), err)
	}
}

func testCertificateDue(t *testing.T, w *world) {
	w.certify(certificate("C1", "01", noon))
	d := store.CertificateDue{Certificate: "C1", Kind: store.DueEnd, At: noon}
	w.do(func(tx store.Tx) error {
		return tx.SetCertificateDue(d, store.CertificateDue{Certificate: "C1", Kind: store.DueRenew, At: noon.Add(time.Hour)})
	})
	if at, err := w.NextCertificateDue(ctx); err != nil || !at.Equal(noon) {
		t.Errorf("next %v, %v", at, err)
	}
	take := func(at time.Time) (list []store.CertificateDue) {
		w.do(func(tx store.Tx) (err error) {
			list, err = tx.TakeCertificateDue(at, "me", at.Add(time.Minute), 9)
			return err
		})
		return list
	}
	if got := take(noon.Add(-time.Second)); len(got) != 0 {
		t.Errorf("too early: %v", got)
	}
	got := take(noon)
	if len(got) != 1 || got[0].Attempt != 1 || got[0].Kind != store.DueEnd {
		t.Fatalf("%v", got)
	}
	if again := take(noon); len(again) != 0 {
		t.Errorf("leased twice: %v", again)
	}
	late := take(noon.Add(2 * time.Minute))
	if len(late) != 1 || late[0].Attempt != 2 {
		t.Errorf("after the lease: %v", late)
	}
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.FinishCertificateDue(got[0], "me") }); !errors.Is(err, store.ErrLeaseLost) {
		t.Errorf("finished by who lost it: %v", err)
	}
	w.do(func(tx store.Tx) error { return tx.FinishCertificateDue(late[0], "me") })
	if list, err := w.CertificateDueOf(ctx, "C1"); err != nil || len(list) != 1 || list[0].Kind != store.DueRenew {
		t.Errorf("%v, %v", list, err)
	}
	w.do(func(tx store.Tx) error { return tx.ClearCertificateDue("C1", store.DueRenew) })
	if at, err := w.NextCertificateDue(ctx); err != nil || !at.IsZero() {
		t.Errorf("next %v, %v", at, err)
	}
}

func testRevocations(t *testing.T, w *world) {
	w.certify(certificate("C1", "01", noon))
	status := func(serial string) store.SerialStatus {
		t.Helper()
		s, err := w.Serial(ctx, "own", serial)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := status("01"); !s.Known || !s.Revoked.IsZero() {
		t.Errorf("%+v", s)
	}
	if s := status("02"); s.Known {
		t.Errorf("a serial that nobody had: %+v", s)
	}
	w.do(func(tx store.Tx) error { return tx.EnsureCRL("own", 0, noon) })
	r := store.Revocation{Issuer: "own", Serial: "01", Shard: 0, Reason: 1, NotAfter: noon.Add(time.Hour), At: noon.Add(time.Second)}
	w.do(func(tx store.Tx) error { return tx.Revoke(r) })
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.Revoke(r) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("revoked twice: %v", err)
	}
	if s := status("01"); !s.Known || !s.Revoked.Equal(r.At) || s.Reason != 1 {
		t.Errorf("%+v", s)
	}
	due, err := w.CRLsDue(ctx, noon.Add(time.Minute), 9)
	if err != nil || len(due) != 1 || due[0].Changes != 1 || due[0].Published != 0 || due[0].Number != 0 {
		t.Fatalf("%v, %+v", err, due)
	}
	list := due[0]
	list.Number, list.Published, list.ThisUpdate, list.NextUpdate, list.Due, list.DER = 1, 1, noon, noon.Add(48*time.Hour), noon.Add(24*time.Hour), []byte{5}
	// Something comes while it is signed: the list is written and stays due.
	r2 := store.Revocation{Issuer: "own", Serial: "02", Shard: 0, NotAfter: noon.Add(time.Hour), At: noon.Add(time.Minute)}
	w.do(func(tx store.Tx) error { return tx.Revoke(r2) })
	w.do(func(tx store.Tx) error { return tx.PutCRL(&list, 0) })
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.PutCRL(&list, 0) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("written over another: %v", err)
	}
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.PutCRL(&list, 1) }); !errors.Is(err, store.ErrStep) {
		t.Errorf("a number that does not grow: %v", err)
	}
	if due, err = w.CRLsDue(ctx, noon.Add(time.Minute), 9); err != nil || len(due) != 1 || due[0].Changes != 2 || due[0].Number != 1 {
		t.Fatalf("what came meanwhile is not due: %v, %+v", err, due)
	}
	list.Number, list.Published = 2, 2
	w.do(func(tx store.Tx) error { return tx.PutCRL(&list, 1) })
	if due, err = w.CRLsDue(ctx, noon.Add(time.Minute), 9); err != nil || len(due) != 0 {
		t.Fatalf("%v, %+v", err, due)
	}
	if at, err := w.NextCRL(ctx); err != nil || !at.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("next %v, %v", at, err)
	}
	list.Changes = 2
	if got, err := w.CRL(ctx, "own", 0); err != nil || cmp.Diff(&list, got) != "" {
		t.Error(err, cmp.Diff(&list, got))
	}
	if all, err := w.Revocations(ctx, "own", 0, noon); err != nil || cmp.Diff([]store.Revocation{r, r2}, all) != "" {
		t.Error(err, all)
	}
	if all, err := w.Revocations(ctx, "own", 0, noon.Add(time.Hour)); err != nil || len(all) != 0 {
		t.Error("expired ones stay:", err, all)
	}
	if all, err := w.RevokedSince(ctx, noon.Add(2*time.Second), 9); err != nil || cmp.Diff([]store.Revocation{r2}, all) != "" {
		t.Error(err, all)
	}
	w.do(func(tx store.Tx) error { return tx.BlockKey("k", "C1", noon) })
	w.do(func(tx store.Tx) error { return tx.BlockKey("k", "C2", noon.Add(time.Hour)) })
	for _, x := range []struct {
		key  string
		want int
	}{{"l", 0}, {"k", 1}} {
		d := store.CertificateDue{Certificate: "C1", Kind: store.DueRevoke, At: noon.Add(time.Hour)}
		w.do(func(tx store.Tx) error { return tx.DueIfBlocked(x.key, d) })
		if due, err := w.CertificateDueOf(ctx, "C1"); err != nil || len(due) != x.want || x.want > 0 && cmp.Diff(d, due[0]) != "" {
			t.Errorf("key %s: due %+v, %v", x.key, due, err)
		}
	}
	if at, err := w.Blocked(ctx, "k"); err != nil || !at.Equal(noon) {
		t.Errorf("blocked %v, %v", at, err)
	}
	if at, err := w.Blocked(ctx, "l"); err != nil || !at.IsZero() {
		t.Errorf("blocked %v, %v", at, err)
	}
}

func testAuthorities(t *testing.T, w *world) {
	a := &store.Authority{
		ID: "own", Kind: store.AuthorityIssuing, State: store.AuthorityActive, Subject: "CN=x", DER: []byte{1}, KeyPlace: store.KeySealed, Sealed: []byte{2},
		NotAfter: noon.Add(time.Hour), Created: noon, Version: 1,
	}
	w.do(func(tx store.Tx) error { return tx.InsertAuthority(a) })
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.InsertAuthority(a) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("twice: %v", err)
	}
	seen := map[int64]bool{}
	var lock sync.Mutex
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() {
			var n int64
			err := w.Write(ctx, func(tx store.Tx) (err error) {
				n, err = tx.NextBlock("own")
				return err
			})
			lock.Lock()
			defer lock.Unlock()
			if err != nil || seen[n] {
				t.Errorf("block %d: %v", n, err)
			}
			seen[n] = true
		})
	}
	running.Wait()
	a.Blocks = 8
	all, err := w.Authorities(ctx)
	if diff := cmp.Diff([]store.Authority{*a}, all); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	a.State, a.KeyPlace, a.Sealed, a.URL = store.AuthorityRetired, store.KeyAway, nil, "http://ca.example.net"
	w.do(func(tx store.Tx) error { return tx.UpdateAuthority(a) })
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.UpdateAuthority(a) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("from an old version: %v", err)
	}
	if all, err = w.Authorities(ctx); err != nil || all[0].KeyPlace != store.KeyAway || len(all[0].Sealed) != 0 || all[0].URL != a.URL {
		t.Error(err, all)
	}
	a.State, a.Version = store.AuthorityRevoked, all[0].Version
	w.do(func(tx store.Tx) error { return tx.UpdateAuthority(a) })
	if all, err = w.Authorities(ctx); err != nil || all[0].State != store.AuthorityRevoked {
		t.Error(err, all)
	}
	a.State, a.Version = "lost", all[0].Version
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.UpdateAuthority(a) }); err == nil {
		t.Error("a state that there is not is written")
	}
}

func testCSRs(t *testing.T, w *world) {
	for i := range 5 {
		c := &store.CSR{ID: fmt.Sprint("q", i), Tenant: "root", Account: []string{"a", "b"}[i%2], Name: "x.net", Names: 2, KeyType: "P-256", DER: []byte{1}, Digest: "d", Sealed: []byte{}, Created: noon.Add(time.Duration(i) * time.Second), Version: 1}
		w.do(func(tx store.Tx) error { return tx.InsertCSR(c) })
		if err := w.Write(ctx, func(tx store.Tx) error { return tx.InsertCSR(c) }); !errors.Is(err, store.ErrConflict) {
			t.Errorf("twice: %v", err)
		}
	}
	c, err := w.CSR(ctx, "root", "q2")
	if err != nil || c.Account != "a" {
		t.Fatal(err, c)
	}
	if _, err := w.CSR(ctx, "other", "q2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("another tenant reads it: %v", err)
	}
	c.Note, c.Sealed, c.Taken, c.Deleted = "note", []byte("s"), noon, noon
	w.do(func(tx store.Tx) error { return tx.UpdateCSR(c) })
	if err := w.Write(ctx, func(tx store.Tx) error { return tx.UpdateCSR(c) }); !errors.Is(err, store.ErrConflict) {
		t.Errorf("from an old version: %v", err)
	}
	list, err := w.CSRs(ctx, store.CSRFilter{Tenant: "root", Limit: 2})
	if err != nil || len(list) != 2 || list[0].ID != "q4" || list[1].ID != "q3" {
		t.Errorf("%v, %v", err, list)
	}
	last := list[1]
	if list, err = w.CSRs(ctx, store.CSRFilter{Tenant: "root", Account: "a", Before: store.OrderKeyset{Created: last.Created, ID: last.ID}, Limit: 9}); err != nil || len(list) != 1 || list[0].ID != "q0" {
		t.Errorf("%v, %v", err, list)
	}
}

// testKeyElsewhere: only what the key had to sign counts, and only another's.
func testKeyElsewhere(t *testing.T, w *world) {
	elsewhere := func(what, key, tenant, account string, want bool) {
		t.Helper()
		w.do(func(tx store.Tx) error {
			got, err := tx.KeyElsewhere(key, tenant, account)
			if got != want {
				t.Errorf("%s: elsewhere %v", what, got)
			}
			return err
		})
	}
	w.certify(certificate("C1", "01", noon))
	elsewhere("its own", "kC1", "root", "a", false)
	elsewhere("another account's", "kC1", "root", "b", true)
	elsewhere("another tenant's", "kC1", "other", "a", true)
	up := certificate("C2", "02", noon)
	up.Source, up.Issuer = store.SourceUploaded, ""
	w.certify(up)
	elsewhere("uploaded", "kC2", "root", "b", false)
	up.Deleted = noon
	w.do(func(tx store.Tx) error { return tx.UpdateCertificate(up) })
	elsewhere("uploaded and deleted", "kC2", "root", "b", false)
	q := &store.CSR{ID: "q", Tenant: "root", Account: "a", KeyType: "P-256", DER: []byte{1}, Digest: "d", Keyprint: "kq", Sealed: []byte{}, Created: noon, Version: 1}
	w.do(func(tx store.Tx) error { return tx.InsertCSR(q) })
	elsewhere("the own request", "kq", "root", "a", false)
	elsewhere("another's request", "kq", "root", "b", true)
	q.Deleted = noon
	w.do(func(tx store.Tx) error { return tx.UpdateCSR(q) })
	elsewhere("a request that is kept no more", "kq", "root", "b", false)
}

func testReadyOrders(t *testing.T, w *world) {
	for i, s := range []order.State{order.StateReady, order.StatePending, order.StateReady} {
		o := fresh("root", fmt.Sprint("A", i), noon)
		o.State = s
		x := with(o)
		if i == 0 {
			x.Due = nil
		}
		w.do(func(tx store.Tx) error { return tx.InsertOrder(o, x) })
	}
	w.do(func(tx store.Tx) error { return tx.SetDue(store.Due{Order: "A2", Kind: store.DueCheck, At: noon}) })
	if list, err := w.OrdersReady(ctx, "", 9); err != nil || !slices.Equal(list, []string{"A0"}) {
		t.Errorf("%v, %v", list, err)
	}
}
