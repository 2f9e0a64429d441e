package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/csr"
	"assay/internal/store"
	"assay/internal/store/sqlite"
	"assay/key"
	"assay/order"
	"assay/review"
)

// testing service: on SQLite, with a clock that the test sets.
type bed struct {
	*Service
	mu  sync.Mutex
	at  time.Time
	who map[Role]Principal
	// spare is an order that TestAccess acts on.
	spare string
}

func newBed(t testing.TB) *bed {
	t.Helper()
	db, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "assay.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	b := &bed{at: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), who: map[Role]Principal{}}
	if b.Service, err = New(Config{Store: db, Now: b.clock}); err != nil {
		t.Fatal(err)
	}
	token, created, err := b.Bootstrap(context.Background())
	if err != nil || !created {
		t.Fatal(created, err)
	}
	admin, err := b.Authenticate(context.Background(), token)
	if err != nil {
		t.Fatal(err)
	}
	b.who[RoleAdministrator] = admin
	for _, role := range Roles() {
		if role != RoleAdministrator {
			b.who[role] = Principal{Tenant: RootTenant, Account: "shop", Token: string(role), Role: role}
		}
	}
	if _, err := b.PutAccount(context.Background(), admin, AccountView{ID: "shop", Verified: true}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bed) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

func (b *bed) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = b.at.Add(d)
}

func request(t testing.TB, names ...string) string {
	t.Helper()
	k, err := key.New(key.Kinds()[0], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := csr.New(names, csr.Subject{}, k, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func dv(t testing.TB, names ...string) Application {
	t.Helper()
	return Application{Order: order.Order{Product: order.DV, Names: names, Method: order.MethodDNS, CSR: request(t, names...)}}
}

// TestApply: an order that can pass is kept, has one value, a deadline of three
// days, and is due at once.
func TestApply(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	v, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "shop.orchard.net"))
	if err != nil {
		t.Fatal(err, findings(err))
	}
	if v.State != order.StatePending || len(v.Challenges) != 1 || len(v.Challenges[0].Value) < 26 || v.Deadline.Sub(*v.SubmittedAt) != 72*time.Hour {
		t.Errorf("%+v", v)
	}
	if v.NextCheck == nil || !v.NextCheck.Equal(*v.SubmittedAt) {
		t.Errorf("next check %v", v.NextCheck)
	}
	again, err := b.Order(ctx, b.who[RoleApplicant], v.ID)
	if err != nil || again.Challenges[0].Value != v.Challenges[0].Value {
		t.Errorf("%+v, %v", again, err)
	}
	events, err := b.Events(ctx, b.who[RoleAuditor], v.ID, 0, 0)
	if err != nil || len(events) != 1 || events[0].Action != "order.submit" {
		t.Errorf("%+v, %v", events, err)
	}
}

func findings(err error) any {
	var p *Problem
	if errors.As(err, &p) && p.Report != nil {
		return p.Report.Findings
	}
	return nil
}

// TestRefused: what the review refuses is not kept, and the problem holds why.
func TestRefused(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	in := dv(t, "shop.orchard.net")
	in.Order.Names = []string{"shop..orchard.net"}
	_, err := b.Apply(ctx, b.who[RoleApplicant], in)
	var p *Problem
	if !errors.As(err, &p) || p.Kind != Refused || len(p.Report.Findings) == 0 {
		t.Fatalf("%v", err)
	}
	items, _, err := b.Orders(ctx, b.who[RoleApplicant], ListQuery{})
	if err != nil || len(items) != 0 {
		t.Errorf("%v, %v", items, err)
	}
	in.Draft = true
	v, err := b.Apply(ctx, b.who[RoleApplicant], in)
	if err != nil || v.State != order.StateDraft || len(v.Findings) == 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := b.Submit(ctx, b.who[RoleApplicant], v.ID, 0); !problemIs(err, Refused) {
		t.Errorf("a draft that is refused was submitted: %v", err)
	}
	in = dv(t, "shop.orchard.net")
	if v, err = b.Change(ctx, b.who[RoleApplicant], v.ID, v.Version, in); err != nil {
		t.Fatal(err)
	}
	if v, err = b.Submit(ctx, b.who[RoleApplicant], v.ID, v.Version); err != nil || v.State != order.StatePending {
		t.Errorf("%+v, %v", v, err)
	}
}

// same is random but for the first numbers of orders that are drawn from it.
type same struct {
	mu   sync.Mutex
	left int
}

func (s *same) Read(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(b) == 8 && s.left > 0 {
		s.left--
		clear(b)
		return len(b), nil
	}
	return rand.Read(b)
}

// TestNumberTaken: an order whose number is another's of the same moment gets the next;
// the other stays as it is.
func TestNumberTaken(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	b.Rand = &same{left: 3}
	var ids []string
	for _, name := range []string{"shop.orchard.net", "mail.orchard.net"} {
		v, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, name))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, v.ID)
	}
	if b.Rand.(*same).left != 0 {
		t.Fatal("the numbers were not drawn as this test takes it")
	}
	for i, name := range []string{"shop.orchard.net", "mail.orchard.net"} {
		if v, err := b.Order(ctx, b.who[RoleApplicant], ids[i]); err != nil || v.Order.Names[0] != name || v.Challenges[0].Name != name {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

// TestSameKeyAtOnce: of many orders with one CSR that come at once, one is taken.
func TestSameKeyAtOnce(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	in := dv(t, "shop.orchard.net")
	var group sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		group.Go(func() { _, errs[i] = b.Apply(ctx, b.who[RoleApplicant], in) })
	}
	group.Wait()
	taken := 0
	for _, err := range errs {
		switch {
		case err == nil:
			taken++
		case !problemIs(err, Refused):
			t.Error(err)
		}
	}
	if taken != 1 {
		t.Errorf("%d orders with one CSR were taken", taken)
	}
}

// TestFormerCSR: a CSR that an order was submitted with stays used when the
// order is submitted again with another.
func TestFormerCSR(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	p := b.who[RoleApplicant]
	first, second := dv(t, "shop.orchard.net"), dv(t, "shop.orchard.net")
	v, err := b.Apply(ctx, p, first)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = b.Cancel(ctx, p, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err = b.Resubmit(ctx, p, v.ID, 0, &second); err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]Application{"former": first, "present": second} {
		if _, err := b.Apply(ctx, p, in); !problemIs(err, Refused) || !strings.Contains(fmt.Sprint(findings(err)), "csr.reused") {
			t.Errorf("the %s CSR again: %v", name, err)
		}
	}
}

// TestProfilesOffered: an applicant names no profile that the operator does not
// offer, when applying and later; an administrator may.
func TestProfilesOffered(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	b.Offered = []string{"cloud", "baseline"}
	p, admin := b.who[RoleApplicant], b.who[RoleAdministrator]
	by := func(profile string, draft bool) Application {
		a := dv(t, "shop.orchard.net")
		a.Profile, a.Draft = profile, draft
		return a
	}
	for _, name := range []string{"", "cloud", "baseline"} {
		if _, err := b.Apply(ctx, p, by(name, false)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"private", "nosuch"} {
		if _, err := b.Apply(ctx, p, by(name, true)); !problemIs(err, Forbidden) {
			t.Errorf("%q: %v", name, err)
		}
	}
	draft, err := b.Apply(ctx, p, by("cloud", true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Change(ctx, p, draft.ID, 0, by("private", true)); !problemIs(err, Forbidden) {
		t.Errorf("changed to private: %v", err)
	}
	if draft, err = b.Change(ctx, admin, draft.ID, 0, by("private", true)); err != nil {
		t.Fatal(err)
	}
	if _, err = b.Change(ctx, p, draft.ID, 0, by("private", true)); err != nil {
		t.Errorf("one that an administrator chose stays: %v", err)
	}
}

// TestLife: cancel, resubmit with the same value, verify too often, delete.
func TestLife(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	p := b.who[RoleApplicant]
	v, err := b.Apply(ctx, p, dv(t, "shop.orchard.net"))
	if err != nil {
		t.Fatal(err)
	}
	value := v.Challenges[0].Value
	if _, err = b.Delete(ctx, p, v.ID, 0); !problemIs(err, WrongState) {
		t.Errorf("a pending order was deleted: %v", err)
	}
	if v, err = b.Cancel(ctx, p, v.ID, v.Version); err != nil || v.State != order.StateCancelled || v.NextCheck != nil {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err = b.Cancel(ctx, p, v.ID, v.Version-1); !problemIs(err, Conflict) {
		t.Errorf("an old version was changed: %v", err)
	}
	b.pass(time.Hour)
	if v, err = b.Resubmit(ctx, p, v.ID, v.Version, nil); err != nil || v.State != order.StatePending || v.Challenges[0].Value != value {
		t.Fatalf("%+v, %v %v", v, err, findings(err))
	}
	if v, err = b.Verify(ctx, p, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	version := v.Version
	b.pass(time.Minute)
	v, err = b.Verify(ctx, p, v.ID, 0)
	if err != nil || v.Version != version || len(v.Findings) == 0 || v.Findings[len(v.Findings)-1].Cause != "limit.checked-too-often" {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err = b.Cancel(ctx, p, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err = b.Delete(ctx, p, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err = b.Order(ctx, p, v.ID); !problemIs(err, NotFound) {
		t.Errorf("a deleted order is shown: %v", err)
	}
}

// TestOthers: what belongs to another account or tenant is not there.
func TestOthers(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	v, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "shop.orchard.net"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.NewTenant(ctx, b.who[RoleAdministrator], "other", "Other"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []Principal{
		{Tenant: "other", Account: "shop", Role: RoleApplicant, Token: "x"},
		{Tenant: "other", Account: "shop", Role: RoleAdministrator, Token: "x"},
		{Tenant: RootTenant, Account: "else", Role: RoleApplicant, Token: "x"},
	} {
		if _, err := b.Order(ctx, p, v.ID); !problemIs(err, NotFound) {
			t.Errorf("%+v reads the order: %v", p, err)
		}
		if _, err := b.Cancel(ctx, p, v.ID, 0); !problemIs(err, NotFound) {
			t.Errorf("%+v cancels the order: %v", p, err)
		}
		if items, _, err := b.Orders(ctx, p, ListQuery{}); err != nil || len(items) != 0 {
			t.Errorf("%+v lists %v, %v", p, items, err)
		}
	}
	for _, role := range []Role{RoleReviewer, RoleAuditor} {
		if _, err := b.Cancel(ctx, b.who[role], v.ID, 0); !problemIs(err, Forbidden) {
			t.Errorf("%s cancels: %v", role, err)
		}
	}
}

// TestRequestKey: a repeated request has one effect.
func TestRequestKey(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	ctx := WithRequest(context.Background(), RequestKey{
		Token: "t", Key: "k", Digest: []byte("d"),
		Answer: func(any) (int, json.RawMessage, []byte, error) { return 201, []byte("{}"), []byte("body"), nil },
	})
	if _, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "shop.orchard.net")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "store.orchard.net")); !errors.Is(err, ErrAnswered) {
		t.Errorf("got %v", err)
	}
	items, _, err := b.Orders(context.Background(), b.who[RoleApplicant], ListQuery{})
	if err != nil || len(items) != 1 {
		t.Errorf("%v, %v", items, err)
	}
	kept, err := b.Store.Request(context.Background(), "t", "k")
	if err != nil || string(kept.Body) != "body" {
		t.Errorf("%+v, %v", kept, err)
	}
}

// TestRequestKeys: every use case that changes an order keeps its view under
// the key of its request, as the caller gets it.
func TestRequestKeys(t *testing.T) {
	t.Parallel()
	b, plain := newBed(t), context.Background()
	admin := b.who[RoleAdministrator]
	var kept any
	keyed := func(key string) context.Context {
		kept = nil
		return WithRequest(plain, RequestKey{Token: "t", Key: key, Digest: []byte(key), Answer: func(result any) (int, json.RawMessage, []byte, error) {
			kept = result
			return 200, []byte("{}"), []byte(key), nil
		}})
	}
	in := dv(t, "shop.orchard.net")
	in.Draft = true
	v, err := b.Apply(plain, admin, in)
	if err != nil {
		t.Fatal(err)
	}
	id := v.ID
	for _, step := range []struct {
		name string
		do   func(context.Context) (*View, error)
	}{
		{"change", func(ctx context.Context) (*View, error) { return b.Change(ctx, admin, id, 0, in) }},
		{"submit", func(ctx context.Context) (*View, error) { return b.Submit(ctx, admin, id, 0) }},
		{"verify", func(ctx context.Context) (*View, error) { return b.Verify(ctx, admin, id, 0) }},
		{"cancel", func(ctx context.Context) (*View, error) { return b.Cancel(ctx, admin, id, 0) }},
		{"resubmit", func(ctx context.Context) (*View, error) { return b.Resubmit(ctx, admin, id, 0, nil) }},
		{"cancel again", func(ctx context.Context) (*View, error) { return b.Cancel(ctx, admin, id, 0) }},
		{"delete", func(ctx context.Context) (*View, error) { return b.Delete(ctx, admin, id, 0) }},
		{"erase", func(ctx context.Context) (*View, error) { return b.Erase(ctx, admin, id, 0) }},
	} {
		v, err := step.do(keyed(step.name))
		if err != nil || kept != any(v) {
			t.Errorf("%s: kept %v, returned %v, %v", step.name, kept, v, err)
		}
		if r, err := b.Store.Request(plain, "t", step.name); err != nil || string(r.Body) != step.name {
			t.Errorf("%s: %+v, %v", step.name, r, err)
		}
	}
	o, err := b.Store.Order(plain, RootTenant, id)
	if err != nil || o.Order.CSR != "" || o.Deleted.IsZero() {
		t.Errorf("after erasing: %+v, %v", o, err)
	}
}

// TestOldKey: a CSR that was submitted long ago is refused, not raced for.
func TestOldKey(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	in := dv(t, "shop.orchard.net")
	v, err := b.Apply(ctx, b.who[RoleApplicant], in)
	if err != nil {
		t.Fatal(err)
	}
	if v, err = b.Cancel(ctx, b.who[RoleApplicant], v.ID, v.Version); err != nil {
		t.Fatal(err)
	}
	if _, err = b.Delete(ctx, b.who[RoleApplicant], v.ID, v.Version); err != nil {
		t.Fatal(err)
	}
	b.pass(2 * 365 * 24 * time.Hour)
	_, err = b.Apply(ctx, b.who[RoleApplicant], in)
	var p *Problem
	if !errors.As(err, &p) || p.Kind != Refused {
		t.Fatalf("got %v", err)
	}
	if !slices.ContainsFunc(p.Report.Findings, func(f review.Finding) bool { return f.Cause == cause.CSRReused }) {
		t.Errorf("%+v", p.Report.Findings)
	}
}

// full is a store on a disk that is full.
type full struct{ store.Store }

func (full) Write(context.Context, func(store.Tx) error) error {
	return fmt.Errorf("%w: as the engine says", store.ErrFull)
}

// TestFull: where there is no room the problem says that, and that nothing was
// changed; with room again the same request is done.
func TestFull(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	with := h.Store
	h.Store = full{with}
	application := dv(t, "orchard.net")
	_, err := h.Apply(t.Context(), h.who[RoleApplicant], application)
	var p *Problem
	if !errors.As(err, &p) || p.Kind != Unavailable || p.Message != "service.full" {
		t.Fatalf("%v", err)
	}
	h.Store = with
	if v, err := h.Apply(t.Context(), h.who[RoleApplicant], application); err != nil || v.State != order.StatePending {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestDraftWithoutRequest: a draft without a request is shown without one, and judged
// as without one; sent back as it was shown it is the same.
func TestDraftWithoutRequest(t *testing.T) {
	t.Parallel()
	b, ctx, a := newBed(t), context.Background(), Application{Order: order.Order{Names: []string{"shop.orchard.net"}, Method: order.MethodDNS}, Draft: true}
	v, err := b.Apply(ctx, b.who[RoleApplicant], a)
	if err != nil || v.Order.CSR != "" || !slices.Contains(causesIn(v), cause.CSRUnreadable) {
		t.Fatalf("%q, %v, %v", v.Order.CSR, causesIn(v), err)
	}
	again, err := b.Change(ctx, b.who[RoleApplicant], v.ID, 0, Application{Order: order.Order{Names: v.Order.Names, Method: v.Order.Method, CSR: v.Order.CSR}, Draft: true})
	if err != nil || again.Order.CSR != "" || !slices.Contains(causesIn(again), cause.CSRUnreadable) {
		t.Errorf("%q, %v, %v", again.Order.CSR, causesIn(again), err)
	}
	pasted := a
	pasted.Order.CSR = "no request at all"
	if v, err := b.Apply(ctx, b.who[RoleApplicant], pasted); err != nil || !strings.Contains(v.Order.CSR, "UNREADABLE") {
		t.Errorf("what was pasted: %q, %v", v.Order.CSR, err)
	}
}

// TestDrafts: an account has no more drafts than the operator lets it have.
func TestDrafts(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	b.Drafts = 2
	draft := func(p Principal) (*View, error) {
		a := dv(t, "shop.orchard.net")
		a.Draft = true
		return b.Apply(ctx, p, a)
	}
	p := b.who[RoleApplicant]
	first, err := draft(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := draft(p); err != nil {
		t.Fatal(err)
	}
	if _, err := draft(p); !problemIs(err, Forbidden) || !strings.Contains(err.Error(), "service.drafts") {
		t.Errorf("a third draft: %v", err)
	}
	if _, err := draft(b.who[RoleAdministrator]); err != nil {
		t.Errorf("another account: %v", err)
	}
	if _, err := b.Apply(ctx, p, dv(t, "shop.orchard.net")); err != nil {
		t.Errorf("an order that is no draft: %v", err)
	}
	if _, err := b.Delete(ctx, p, first.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := draft(p); err != nil {
		t.Errorf("after one was deleted: %v", err)
	}
}
