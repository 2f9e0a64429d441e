package service

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// again has an order issued that is to replace a certificate.
func (h *caHouse) again(t *testing.T, next *View, err error) *View {
	t.Helper()
	if err != nil {
		t.Fatal(err, findings(err))
	}
	h.world(t, next, lab.Change{})
	for range 3 {
		h.once(t)
		h.pass(time.Minute)
	}
	if next = h.read(t, next.ID); next.State != order.StateIssued {
		t.Fatalf("%s %s %v", next.State, next.Reason, causesIn(next))
	}
	return next
}

// renewing is a certificate that is renewed by itself.
func (h *caHouse) renewing(t *testing.T, a Application) *View {
	t.Helper()
	v := h.issuedFor(t, a)
	h.switchOn(t, v.ID)
	return v
}

func (h *caHouse) switchOn(t *testing.T, id string) {
	t.Helper()
	on := true
	if _, err := h.ChangeCertificate(context.Background(), h.who[RoleApplicant], id, 0, CertificateChange{AutoRenew: &on}); err != nil {
		t.Fatal(err)
	}
}

func (h *caHouse) revokes(t *testing.T, id string) {
	t.Helper()
	if _, err := h.Revoke(context.Background(), h.who[RoleApplicant], id, 0, RevocationRequest{Reason: "superseded"}); err != nil {
		t.Fatal(err)
	}
}

// TestGivenBack: a certificate goes on once what came in its place is revoked, or ends
// before it: nothing says any more that it was replaced, it is renewed, and its end is
// told. As long as another one is in force in its place it does not.
func TestGivenBack(t *testing.T) {
	t.Parallel()
	type line struct{ a, b, c string }
	for name, c := range map[string]struct {
		happens func(t *testing.T, h *caHouse, l line)
		back    bool
	}{
		"all in force": {func(*testing.T, *caHouse, line) {}, false},
		"the one between is revoked": {func(t *testing.T, h *caHouse, l line) {
			h.revokes(t, l.b)
		}, false},
		"one after the other is revoked": {func(t *testing.T, h *caHouse, l line) {
			h.revokes(t, l.b)
			h.revokes(t, l.c)
		}, true},
		"the newest first": {func(t *testing.T, h *caHouse, l line) {
			h.revokes(t, l.c)
			if b := stored(t, h, l.b); b.ReplacedBy != "" || b.Renews != "" {
				t.Errorf("the one before it: %+v", b.CertificateRow)
			}
			if a := stored(t, h, l.a); a.ReplacedBy != l.b {
				t.Errorf("the first: %+v", a.CertificateRow)
			}
			h.revokes(t, l.b)
		}, true},
		"the newest ends": {func(t *testing.T, h *caHouse, l line) {
			h.revokes(t, l.b)
			h.pass(stored(t, h, l.c).NotAfter.Sub(h.clock()) + time.Minute)
			h.seen(t)
		}, true},
		"the newest is deleted before its end was noted": {func(t *testing.T, h *caHouse, l line) {
			h.revokes(t, l.b)
			h.pass(stored(t, h, l.c).NotAfter.Sub(h.clock()) + time.Second/2)
			if _, err := h.DeleteCertificate(context.Background(), h.who[RoleApplicant], l.c, 0); err != nil {
				t.Fatal(err)
			}
		}, true},
		"their profile is gone": {func(t *testing.T, h *caHouse, l line) {
			h.revokes(t, l.b)
			h.Profiles = func(string) (*profile.Profile, error) { return nil, errors.New("none of that name") }
			h.revokes(t, l.c)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, ctx := newCAHouse(t), context.Background()
			owner := h.who[RoleApplicant]
			first := soon(t, "private")
			first.Order.Validity.Days = 60
			l := line{a: h.renewing(t, first).ID}
			v, err := h.Reissue(ctx, owner, l.a, RenewalRequest{CSR: request(t, "orchard.net")})
			l.b = h.again(t, v, err).ID
			short := soon(t, "private")
			short.Order.Validity.Days, short.Order.Replaces = 5, l.b
			v, err = h.Apply(ctx, owner, short)
			l.c = h.again(t, v, err).ID
			c.happens(t, h, l)
			a, err := h.Certificate(ctx, owner, l.a)
			if err != nil {
				t.Fatal(err)
			}
			told := h.told(t, "certificate:"+l.a)
			if back := a.ReplacedBy == "" && a.Renewal == "" && a.RenewAt != nil && slices.Contains(told, "certificate.reinstate"); back != c.back || back == (a.ReplacedBy != "") {
				t.Fatalf("replaced by %q, renewal %q at %v, told %v", a.ReplacedBy, a.Renewal, a.RenewAt, told)
			}
			if !c.back {
				return
			}
			for h.clock().Before(a.NotAfter.Add(-2 * day)) {
				h.pass(12 * time.Hour)
				h.seen(t)
			}
			told = h.told(t, "certificate:"+l.a)
			renews := stored(t, h, l.a).Renews != l.b
			if name == "their profile is gone" {
				renews = slices.Contains(told, "certificate.renew-failed")
			}
			if !renews || !slices.Contains(told, "certificate.ending") {
				t.Errorf("told %v, renewed %v", told, renews)
			}
		})
	}
}

// TestAfterLetter: while a revocation waits for its letter, and once that was rejected or did
// not come, the certificate is looked at where it is used, and renewed when it is time.
func TestAfterLetter(t *testing.T) {
	t.Parallel()
	for _, rejected := range []bool{true, false} {
		h, ctx := newCAHouse(t), context.Background()
		looked := 0
		h.Watch = func(context.Context, *store.Certificate, string) ([]review.Finding, error) {
			looked++
			return nil, nil
		}
		v := h.issuedFor(t, dv(t, "orchard.net"))
		h.copied(t, v.ID, "6f76", func(c *store.Certificate) { c.Product = order.OV })
		h.switchOn(t, "6f76")
		if _, err := h.Download(ctx, h.who[RoleApplicant], "6f76", DownloadRequest{Format: "pem"}); err != nil {
			t.Fatal(err)
		}
		h.pass(h.certificateDue(t, "6f76", store.DueRenew).Sub(h.clock()) - day)
		h.seen(t)
		h.revokes(t, "6f76")
		if state, _ := h.stateOf(t, "6f76"); state != order.CertificateRevocationLetter {
			t.Fatal(state)
		}
		before := looked
		for range 5 { // the time to renew it comes
			h.pass(12 * time.Hour)
			h.seen(t)
		}
		if looked == before {
			t.Error("it is in use, and not looked at")
		}
		if c := stored(t, h, "6f76"); c.Renews != "" {
			t.Error("it is renewed while it may be revoked")
		}
		if rejected {
			desk := h.who[RoleReviewer]
			desk.Account = "desk"
			if _, err := h.ConfirmRevocation(ctx, desk, "6f76", 0, false); err != nil {
				t.Fatal(err)
			}
		}
		before = looked
		for range 4 {
			h.pass(12 * time.Hour)
			h.seen(t)
		}
		if state, _ := h.stateOf(t, "6f76"); state != order.CertificateValid {
			t.Fatal(state)
		}
		told := h.told(t, "certificate:6f76")
		if looked == before || !slices.Contains(told, "certificate.renew-failed") && stored(t, h, "6f76").Renews == "" {
			t.Errorf("rejected %v: looked at %d times, told %v", rejected, looked-before, told)
		}
	}
}

// TestSeriesEnds: the last certificate of a series is renewed like any other where its owner
// goes on, by one that has its full time; and nothing switches renewal on again that its
// owner switched off.
func TestSeriesEnds(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	series := func(t *testing.T, h *caHouse, days int) *View {
		a := dv(t, "orchard.net")
		a.Profile, a.Order.ServiceUntil = "private", h.clock().Add(time.Duration(days)*day)
		return h.issuedFor(t, a)
	}
	t.Run("gone on with", func(t *testing.T) {
		t.Parallel()
		h := newCAHouse(t)
		v := series(t, h, 40)
		if v.Certificate.AutoRenew {
			t.Fatal("there is no time for another one")
		}
		h.switchOn(t, v.ID)
		h.pass(h.certificateDue(t, v.ID, store.DueRenew).Sub(h.clock()))
		h.seen(t)
		next := h.again(t, h.read(t, stored(t, h, v.ID).Renews), nil)
		if c := next.Certificate; !c.NotAfter.After(v.Certificate.NotAfter.Add(day)) || !c.AutoRenew || !next.Order.ServiceUntil.IsZero() {
			t.Errorf("ends %s after %s, renewed %v", c.NotAfter, v.Certificate.NotAfter, c.AutoRenew)
		}
	})
	t.Run("by hand", func(t *testing.T) {
		t.Parallel()
		h := newCAHouse(t)
		v := series(t, h, 40)
		next, err := h.Renew(ctx, h.who[RoleApplicant], v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
		if c := h.again(t, next, err).Certificate; !c.NotAfter.After(v.Certificate.NotAfter.Add(day)) || c.AutoRenew {
			t.Errorf("ends %s after %s, renewed %v", c.NotAfter, v.Certificate.NotAfter, c.AutoRenew)
		}
	})
	for _, kind := range []order.Kind{order.Reissue, order.Renewal} {
		for _, off := range []bool{true, false} {
			t.Run(string(kind), func(t *testing.T) {
				t.Parallel()
				h := newCAHouse(t)
				owner, on := h.who[RoleApplicant], false
				v := series(t, h, 5*366)
				if !v.Certificate.AutoRenew {
					t.Fatal("none follows it")
				}
				if off {
					if _, err := h.ChangeCertificate(ctx, owner, v.ID, 0, CertificateChange{AutoRenew: &on}); err != nil {
						t.Fatal(err)
					}
				}
				order := map[order.Kind]func(context.Context, Principal, string, RenewalRequest) (*View, error){order.Reissue: h.Reissue, order.Renewal: h.Renew}[kind]
				next, err := order(ctx, owner, v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
				next = h.again(t, next, err)
				if next.Certificate.AutoRenew == off || next.Order.ServiceUntil.IsZero() {
					t.Errorf("switched off %v, and the next is renewed: %v", off, next.Certificate.AutoRenew)
				}
			})
		}
	}
	t.Run("the last, reissued", func(t *testing.T) {
		t.Parallel()
		h := newCAHouse(t)
		v := series(t, h, 40)
		h.switchOn(t, v.ID)
		next, err := h.Reissue(ctx, h.who[RoleApplicant], v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
		if !h.again(t, next, err).Certificate.AutoRenew {
			t.Error("its owner's choice is forgotten")
		}
	})
}

// TestNotSwitchedOn: what nothing renews any more cannot be switched to it, and the problem
// says what is.
func TestNotSwitchedOn(t *testing.T) {
	t.Parallel()
	on := true
	for name, c := range map[string]struct {
		happens func(t *testing.T, h *caHouse, v *View)
		want    string
	}{
		"revoked": {func(t *testing.T, h *caHouse, v *View) { h.revokes(t, v.ID) }, "certificate.auto-renew-ended"},
		"expired": {func(t *testing.T, h *caHouse, v *View) {
			h.pass(v.Certificate.NotAfter.Sub(h.clock()) + time.Minute)
			h.seen(t)
		}, "certificate.auto-renew-ended"},
		"over, and not noted yet": {func(_ *testing.T, h *caHouse, v *View) {
			h.pass(v.Certificate.NotAfter.Sub(h.clock()) + time.Minute)
		}, "certificate.auto-renew-ended"},
		"of a profile that was removed": {func(_ *testing.T, h *caHouse, _ *View) {
			h.Profiles = func(string) (*profile.Profile, error) { return nil, errors.New("none of that name") }
		}, "certificate.no-profile"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, ctx := newCAHouse(t), context.Background()
			v := h.issuedFor(t, dv(t, "orchard.net"))
			c.happens(t, h, v)
			_, err := h.ChangeCertificate(ctx, h.who[RoleApplicant], v.ID, 0, CertificateChange{AutoRenew: &on})
			var p *Problem
			if !errors.As(err, &p) || p.Kind != WrongState || p.Message != c.want {
				t.Errorf("%v", err)
			}
			off := false
			if _, err := h.ChangeCertificate(ctx, h.who[RoleApplicant], v.ID, 0, CertificateChange{AutoRenew: &off}); err != nil {
				t.Errorf("switched off: %v", err)
			}
		})
	}
}

// TestWatchReplaced: who looks at where a certificate is used knows which one took its place.
func TestWatchReplaced(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	owner := h.who[RoleApplicant]
	newer := "none looked"
	h.Watch = func(_ context.Context, _ *store.Certificate, is string) ([]review.Finding, error) {
		newer = is
		return nil, nil
	}
	v := h.issuedFor(t, soon(t, "private"))
	if _, err := h.Download(ctx, owner, v.ID, DownloadRequest{Format: "pem"}); err != nil {
		t.Fatal(err)
	}
	looks := func(want string) {
		t.Helper()
		newer = "none looked"
		h.pass(day)
		h.seen(t)
		if newer != want {
			t.Errorf("in its place %q, want %q", newer, want)
		}
	}
	looks("")
	next, err := h.Reissue(ctx, owner, v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
	next = h.again(t, next, err)
	looks(next.Certificate.Fingerprint)
	h.revokes(t, next.ID)
	looks("")
}

// faraway is a CA that has to be told of a revocation.
type faraway struct{ *hand }

func (faraway) ID() string     { return "far" }
func (faraway) Upstream() bool { return true }

// TestGivenBackAtOnce: a certificate whose CA is still to be told that it is revoked is out
// of force: what it replaced goes on.
func TestGivenBackAtOnce(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	v := h.issuedFor(t, soon(t, "private"))
	next, err := h.Renew(ctx, h.who[RoleApplicant], v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
	if err != nil {
		t.Fatal(err, findings(err))
	}
	h.copied(t, v.ID, next.ID, func(c *store.Certificate) { c.Issuer = "far" })
	h.do(t, func(tx store.Tx) error {
		c, err := tx.CertificateNow("", v.ID)
		if err != nil {
			return err
		}
		c.ReplacedBy = next.ID
		return tx.UpdateCertificate(c)
	})
	h.Issuer = func(string) issuer.Issuer { return faraway{h.ca} }
	h.revokes(t, next.ID)
	if state, _ := h.stateOf(t, next.ID); state != order.CertificateRevoking {
		t.Fatal(state)
	}
	if c := stored(t, h, v.ID); c.ReplacedBy != "" || h.certificateDue(t, v.ID, store.DueRenew).IsZero() {
		t.Errorf("%+v", c.CertificateRow)
	}
}
