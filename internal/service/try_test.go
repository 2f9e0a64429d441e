package service

import (
	"context"
	"slices"
	"testing"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// TestForecast: an order that is fine today and not under the rules of a later
// date is named with the cause; one that is fine under both is not.
func TestForecast(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	long := dv(t, "shop.orchard.net")
	long.Order.Validity = &order.Validity{Days: 150}
	v, err := b.Apply(ctx, b.who[RoleApplicant], long)
	if err != nil {
		t.Fatal(err, findings(err))
	}
	short := dv(t, "store.orchard.net")
	short.Order.Validity = &order.Validity{Days: 90}
	if _, err := b.Apply(ctx, b.who[RoleApplicant], short); err != nil {
		t.Fatal(err)
	}
	trial, err := b.Forecast(ctx, b.who[RoleAuditor], time.Date(2027, 3, 16, 0, 0, 0, 0, time.UTC), "en")
	if err != nil || trial.Judged != 2 || len(trial.Changed) != 1 {
		t.Fatalf("%+v, %v", trial, err)
	}
	c := trial.Changed[0]
	if c.Order != v.ID || c.Would != review.VerdictRefuse || len(c.Added) != 1 || c.Added[0].Title == "" {
		t.Errorf("%+v", c)
	}
	for _, at := range []time.Time{b.at, b.at.AddDate(farthestForecast, 0, 1), time.Date(2319, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if _, err := b.Forecast(ctx, b.who[RoleAuditor], at, "en"); !problemIs(err, Invalid) {
			t.Errorf("a forecast of %s: %v", at, err)
		}
	}
}

// TestTryProfile: a profile that forbids a name names the orders that it would
// refuse, of this tenant only.
func TestTryProfile(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	v, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "a-name-of-more-than-thirty-letters.orchard.net"))
	if err != nil {
		t.Fatal(err, findings(err))
	}
	if _, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "shop.orchard.net")); err != nil {
		t.Fatal(err)
	}
	toml := []byte("name = \"strict\"\ntitle = \"Strict\"\nversion = \"1\"\ninherits = \"cloud\"\n[names]\nmax_length = 30\n")
	trial, err := b.TryProfile(ctx, b.who[RoleAuditor], toml, "zh")
	if err != nil || trial.Judged != 2 || len(trial.Changed) != 1 || trial.Changed[0].Order != v.ID {
		t.Fatalf("%+v, %v", trial, err)
	}
	other := Principal{Tenant: "other", Account: "x", Role: RoleAuditor}
	if trial, err = b.TryProfile(ctx, other, toml, "en"); err != nil || trial.Judged != 0 {
		t.Errorf("%+v, %v", trial, err)
	}
	if _, err := b.TryProfile(ctx, b.who[RoleAuditor], []byte("name = 1"), "en"); !problemIs(err, Invalid) {
		t.Errorf("a broken profile: %v", err)
	}
	if _, err := b.TryProfile(ctx, b.who[RoleApplicant], toml, "en"); !problemIs(err, Forbidden) {
		t.Errorf("an applicant tries a profile: %v", err)
	}
}

// counting is a store that counts what is read of it one by one.
type counting struct {
	store.Store
	single int
	walked []store.ReviewFilter
	// during is called at each review of a walk.
	during func()
}

func (c *counting) Order(ctx context.Context, tenant, id string) (*store.Order, error) {
	c.single++
	return c.Store.Order(ctx, tenant, id)
}

func (c *counting) Observations(ctx context.Context, id string, ids []string) ([]evidence.Observation, error) {
	c.single++
	return c.Store.Observations(ctx, id, ids)
}

func (c *counting) EachReview(ctx context.Context, f store.ReviewFilter, fn func(*store.OrderReview) error) error {
	c.walked = append(c.walked, f)
	return c.Store.EachReview(ctx, f, func(r *store.OrderReview) error {
		if c.during != nil {
			c.during()
		}
		return fn(r)
	})
}

// TestForecastReads: a forecast reads the open orders of whoever asks, by the page.
func TestForecastReads(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	at := b.at.AddDate(0, 4, 0)
	for range 3 {
		if _, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "shop.orchard.net")); err != nil {
			t.Fatal(err, findings(err))
		}
	}
	if _, err := b.Apply(ctx, b.who[RoleAdministrator], dv(t, "other.orchard.net")); err != nil {
		t.Fatal(err, findings(err))
	}
	ended, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "store.orchard.net"))
	if err != nil {
		t.Fatal(err, findings(err))
	}
	if _, err := b.Cancel(ctx, b.who[RoleApplicant], ended.ID, 0); err != nil {
		t.Fatal(err)
	}
	c := &counting{Store: b.Store}
	b.Store = c
	for role, want := range map[Role]int{RoleApplicant: 3, RoleAuditor: 4} {
		if trial, err := b.Forecast(ctx, b.who[role], at, "en"); err != nil || trial.Judged != want {
			t.Errorf("%s: %+v, %v", role, trial, err)
		}
	}
	if c.single > 0 || len(c.walked) != 2 || !c.walked[0].Open || !c.walked[1].Open {
		t.Errorf("%d reads one by one, walks %+v", c.single, c.walked)
	}
}

// TestJobs: of what walks through a tenant one thing is done at a time, and none
// for ever.
func TestJobs(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	if _, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "shop.orchard.net")); err != nil {
		t.Fatal(err, findings(err))
	}
	auditor, at := b.who[RoleAuditor], b.at.AddDate(0, 4, 0)
	during := 0
	b.Store = &counting{Store: b.Store, during: func() {
		during++
		if _, err := b.Forecast(ctx, auditor, at, "en"); !problemIs(err, TooMany) {
			t.Errorf("a second forecast: %v", err)
		}
		if _, err := b.AuditVerify(ctx, auditor); !problemIs(err, TooMany) {
			t.Errorf("an audit meanwhile: %v", err)
		}
		if _, err := b.Forecast(ctx, Principal{Tenant: "other", Account: "x", Role: RoleAuditor}, at, "en"); err != nil {
			t.Errorf("another tenant: %v", err)
		}
	}}
	if trial, err := b.Forecast(ctx, auditor, at, "en"); err != nil || trial.Unfinished || during != 1 {
		t.Errorf("%+v, %v, %d", trial, err, during)
	}
	if _, err := b.AuditVerify(ctx, auditor); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	b.jobs.time = -1
	if trial, err := b.Forecast(ctx, auditor, at, "en"); err != nil || !trial.Unfinished || trial.Judged != 0 {
		t.Errorf("without time: %+v, %v", trial, err)
	}
	if _, err := b.AuditVerify(ctx, auditor); !problemIs(err, Unavailable) {
		t.Errorf("without time: %v", err)
	}
}

// TestWithoutAge: only that a list is too old at another time says nothing of the
// order. What is missing now is missing then.
func TestWithoutAge(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]review.Verdict{"stale": review.VerdictPass, "missing": review.VerdictUnknown, "unreadable": review.VerdictUnknown} {
		r := &review.Report{Verdict: review.VerdictUnknown, Findings: []review.Finding{
			{Cause: cause.PolicyInputUnavailable, Level: cause.Unknown, Parameters: cause.Parameters{"state": state}},
		}}
		if withoutAge(r); r.Verdict != want {
			t.Errorf("%s: %s", state, r.Verdict)
		}
	}
}

// TestTryLevel: where only the level of a finding changes, that is why.
func TestTryLevel(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	var last *View
	for range 2 { // one more order for a name is a warning
		v, err := b.Apply(ctx, b.who[RoleApplicant], dv(t, "shop.orchard.net"))
		if err != nil {
			t.Fatal(err, findings(err))
		}
		last = v
	}
	toml := []byte("name = \"strict\"\ntitle = \"Strict\"\nversion = \"1\"\ninherits = \"cloud\"\n[levels]\n\"request.open-order-exists\" = \"refuse\"\n")
	trial, err := b.TryProfile(ctx, b.who[RoleAuditor], toml, "en")
	if err != nil || len(trial.Changed) != 1 {
		t.Fatalf("%+v, %v", trial, err)
	}
	c := trial.Changed[0]
	if c.Order != last.ID || len(c.Added) != 1 || c.Added[0].Cause != cause.RequestOpenOrderExists || c.Added[0].Level != cause.Refuse || len(c.Gone) != 0 {
		t.Errorf("%+v", c)
	}
	strict, err := profile.Parse(toml)
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := b.Store.Review(ctx, last.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	old, err := b.report(ctx, kept)
	if err != nil {
		t.Fatal(err)
	}
	refused := b.again(old, strict, old.At)
	refused.Order, refused.Observations = old.Order, old.Observations
	back := b.judgedAgain(refused, &store.OrderRow{ID: last.ID}, cloud, old.At, "en")
	if back == nil || len(back.Added) != 0 || !slices.Equal(back.Gone, []cause.ID{cause.RequestOpenOrderExists}) {
		t.Errorf("and back: %+v", back)
	}
}

// TestForecastRenewals: a certificate in force that will be renewed under rules that
// its order would fail is named, as a renewal; one that was revoked or replaced, or
// whose renewal is an order on its way, is not.
func TestForecastRenewals(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	at := time.Date(2027, 3, 16, 0, 0, 0, 0, time.UTC)
	long := dv(t, "orchard.net")
	long.Order.Validity = &order.Validity{Days: 150}
	v := h.issuedFor(t, long)
	dated := dv(t, "orchard.net")
	dated.Order.Validity = &order.Validity{NotAfter: h.clock().AddDate(0, 0, 90)}
	h.issuedFor(t, dated)
	forecast := func(p Principal) *Trial {
		t.Helper()
		trial, err := h.Forecast(ctx, p, at, "en")
		if err != nil {
			t.Fatal(err)
		}
		return trial
	}
	trial := forecast(h.who[RoleApplicant])
	if trial.Judged != 2 || trial.Renewals != 2 || len(trial.Changed) != 1 {
		t.Fatalf("%+v", trial)
	}
	if c := trial.Changed[0]; c.Order != v.ID || !c.Renewal || c.State != order.StateIssued || c.Would != review.VerdictRefuse || len(c.Added) != 1 {
		t.Errorf("%+v", c)
	}
	if trial := forecast(Principal{Tenant: RootTenant, Account: "else", Role: RoleApplicant}); trial.Judged != 0 {
		t.Errorf("of others: %+v", trial)
	}
	kept := h.certified(t, v)
	kept.ReplacedBy = "another"
	h.do(t, func(tx store.Tx) error { return tx.UpdateCertificate(kept) })
	if trial := forecast(h.who[RoleApplicant]); trial.Renewals != 1 || len(trial.Changed) != 0 {
		t.Errorf("replaced: %+v", trial)
	}
}
