package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/profile"
)

// soon is an order under a profile whose certificate may be renewed at once.
func soon(t *testing.T, profile string) Application {
	t.Helper()
	a := dv(t, "orchard.net")
	a.Profile, a.Order.Validity = profile, &order.Validity{Days: 20}
	return a
}

// TestOneRenewal: while an order is under way that is to replace a certificate, no other
// one is taken, whatever the profile says and however it is ordered; the problem names the
// one that is. One that was cancelled stands in nobody's way, and is not submitted again
// beside the one that came after it.
func TestOneRenewal(t *testing.T) {
	t.Parallel()
	for _, prof := range []string{"cloud", "private"} {
		t.Run(prof, func(t *testing.T) {
			t.Parallel()
			h, ctx := newCAHouse(t), context.Background()
			owner := h.who[RoleApplicant]
			v := h.issuedFor(t, soon(t, prof))
			// Eight at once: each is judged before another one is kept.
			var running sync.WaitGroup
			var mu sync.Mutex
			var taken []*View
			var others []error
			for range 8 {
				in := RenewalRequest{CSR: request(t, "orchard.net")}
				running.Go(func() {
					n, err := h.Renew(ctx, owner, v.ID, in)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						taken = append(taken, n)
					} else {
						others = append(others, err)
					}
				})
			}
			running.Wait()
			if len(taken) != 1 {
				t.Fatalf("%d renewals are under way", len(taken))
			}
			first := taken[0]
			refused := func(what, by string, err error) {
				t.Helper()
				var p *Problem
				if !errors.As(err, &p) || p.Kind != WrongState || p.Message != "certificate.under-way" || !slices.Contains(p.Pairs, any(by)) {
					t.Errorf("%s: %v %v", what, err, findings(err))
				}
			}
			for _, err := range others {
				refused("at once", first.ID, err)
			}
			named := func(kind order.Kind) error {
				a := soon(t, prof)
				a.Order.Kind, a.Order.Replaces = kind, v.ID
				_, err := h.Apply(ctx, owner, a)
				return err
			}
			_, err := h.Renew(ctx, owner, v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
			refused("one more", first.ID, err)
			_, err = h.Renew(ctx, owner, v.ID, RenewalRequest{}) // whose key may not be used again
			refused("one more with the same key", first.ID, err)
			_, err = h.Reissue(ctx, owner, v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
			refused("a reissue beside it", first.ID, err)
			refused("ordered as a renewal", first.ID, named(order.Renewal))
			refused("ordered as a new one", first.ID, named(order.New))
			if err := named(order.Reissue); prof == "cloud" {
				if !slices.Contains(refusedFor(err), cause.LimitReissueOrRenewalClosed) {
					t.Errorf("ordered as a reissue: %v", err)
				}
			} else {
				refused("ordered as a reissue", first.ID, err)
			}
			if _, err := h.Cancel(ctx, owner, first.ID, 0); err != nil {
				t.Fatal(err)
			}
			second, err := h.Renew(ctx, owner, v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
			if err != nil {
				t.Fatalf("once it is cancelled: %v %v", err, findings(err))
			}
			h.pass(time.Hour)
			_, err = h.Resubmit(ctx, owner, first.ID, 0, nil)
			refused("submitted again", second.ID, err)
			if _, err := h.Cancel(ctx, owner, second.ID, 0); err != nil {
				t.Fatal(err)
			}
			if _, err = h.Resubmit(ctx, owner, second.ID, 0, nil); err != nil {
				t.Errorf("the one that is known, submitted again: %v %v", err, findings(err))
			}
		})
	}
}

// TestTooLate: an order whose certificate may not take the place of another one any more,
// as that was replaced or revoked meanwhile, fails and says why, whatever its profile says
// of that: before anything is signed, as long as nothing is; else the serial number is
// revoked. The line does not fork.
func TestTooLate(t *testing.T) {
	t.Parallel()
	for _, prof := range []string{"cloud", "private"} {
		for _, why := range []string{"replaced", "not-issued"} {
			for _, when := range []string{"before it is signed", "as it passes", "as it is prepared", "as it is signed"} {
				t.Run(prof+": "+why+" "+when, func(t *testing.T) {
					t.Parallel()
					tooLate(t, prof, why, when)
				})
			}
		}
	}
}

func tooLate(t *testing.T, prof, why, when string) {
	h, ctx := newCAHouse(t), context.Background()
	if when == "as it passes" { // by a look of its own: what was validated before is judged at the gate
		h.Profiles = func(string) (*profile.Profile, error) {
			return profile.Parse(fmt.Appendf(nil, "name = %q\nversion = \"1\"\ninherits = %[1]q\npublic = false\n[[dated]]\nfrom = 2026-11-01T00:00:00Z\nsource = \"test\"\nset = { dcv_reuse_days = 0 }\n", prof))
		}
	}
	v := h.issuedFor(t, soon(t, prof))
	next, err := h.Renew(ctx, h.who[RoleApplicant], v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
	if err != nil {
		t.Fatal(err, findings(err))
	}
	h.world(t, next, lab.Change{})
	done := false
	happens := func() error {
		if done {
			return nil
		}
		done = true
		if why == "not-issued" {
			_, err := h.Revoke(ctx, h.who[RoleAdministrator], v.ID, 0, RevocationRequest{Reason: "privilege-withdrawn"})
			return err
		}
		h.copied(t, v.ID, "6f76", func(*store.Certificate) {})
		h.do(t, func(tx store.Tx) error {
			c, err := tx.CertificateNow("", v.ID)
			if err != nil {
				return err
			}
			c.Renews, c.ReplacedBy = "6f76", "6f76"
			return tx.UpdateCertificate(c)
		})
		return nil
	}
	signed := 1
	if when == "as it passes" {
		h.ca.set(happens, nil)
		h.once(t)
	} else {
		h.ca.set(func() error { return &issuer.Unavailable{Problem: "busy", Err: errors.New("503")} }, nil)
		h.once(t)
		h.once(t)
		if n := h.read(t, next.ID); n.State != order.StateReady {
			t.Fatalf("%s %v", n.State, causesIn(n))
		}
		h.pass(time.Hour)
		switch when {
		case "before it is signed":
			h.ca.set(nil, nil)
			if err := happens(); err != nil {
				t.Fatal(err)
			}
		case "as it is prepared":
			h.ca.set(happens, nil)
		case "as it is signed":
			signed = 2
			h.ca.set(nil, happens)
		}
	}
	for range 4 {
		h.once(t)
		h.pass(time.Minute)
	}
	if next = h.read(t, next.ID); next.State != order.StateFailed || next.Reason != order.FailIssuance ||
		!slices.Contains(causesIn(next), cause.LimitReissueOrRenewalClosed) || next.Certificate != nil {
		t.Errorf("%s %s %v", next.State, next.Reason, causesIn(next))
	}
	for _, f := range next.Findings {
		if f.Cause == cause.LimitReissueOrRenewalClosed && f.Parameters["reason"] != why {
			t.Errorf("%v", f.Parameters)
		}
	}
	if due := h.due(t, next.ID); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
	if len(h.ca.made) != signed {
		t.Fatalf("%d are signed", len(h.ca.made))
	}
	if signed == 2 {
		states, serials := h.attempts(t, next.ID)
		if !slices.Equal(states, []order.AttemptState{order.AttemptAbandoned, order.AttemptFailed}) {
			t.Fatalf("%v", states)
		}
		if is, err := h.Store.Serial(ctx, stored(t, h, v.ID).Issuer, serials[0]); err != nil || is.Revoked.IsZero() {
			t.Errorf("%+v %v", is, err)
		}
	}
}

// TestRenewalNames: a renewal has the names of what it renews, however they are written
// and in whatever order; only a reissue has others.
func TestRenewalNames(t *testing.T) {
	t.Parallel()
	for _, prof := range []string{"cloud", "private"} {
		t.Run(prof, func(t *testing.T) {
			t.Parallel()
			h, ctx := newCAHouse(t), context.Background()
			owner := h.who[RoleApplicant]
			a := dv(t, "orchard.net", "www.orchard.net")
			a.Profile, a.Order.Validity = prof, &order.Validity{Days: 20}
			v := h.issuedFor(t, a)
			of := func(names ...string) Application {
				b := dv(t, "orchard.net", "www.orchard.net")
				b.Profile, b.Order.Names, b.Order.Kind, b.Order.Replaces = prof, names, order.Renewal, v.ID
				return b
			}
			for _, names := range [][]string{{"orchard.net"}, {"orchard.net", "pear.orchard.net"}, {"orchard.net", "www.orchard.net", "pear.orchard.net"}} {
				b := of(names...)
				b.Order.CSR = request(t, names...)
				_, err := h.Apply(ctx, owner, b)
				var p *Problem
				if !errors.As(err, &p) || p.Kind != Invalid || p.Message != "certificate.renew-names" {
					t.Errorf("for %v: %v %v", names, err, findings(err))
				}
			}
			if n, err := h.Apply(ctx, owner, of("WWW.orchard.net.", "orchard.net")); err != nil {
				t.Errorf("the same names: %v %v", err, findings(err))
			} else if _, err := h.Cancel(ctx, owner, n.ID, 0); err != nil {
				t.Error(err)
			}
			if prof == "cloud" {
				return // where it is too late for a reissue
			}
			b := of("orchard.net", "pear.orchard.net")
			b.Order.Kind, b.Order.CSR = order.Reissue, request(t, "orchard.net", "pear.orchard.net")
			if _, err := h.Apply(ctx, owner, b); err != nil {
				t.Errorf("a reissue: %v %v", err, findings(err))
			}
		})
	}
}

// TestRevokedRenewal: a certificate that was revoked, whatever for, is renewed by no order;
// a new one may say that it takes its place.
func TestRevokedRenewal(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	owner := h.who[RoleApplicant]
	v := h.issuedFor(t, soon(t, "private"))
	if _, err := h.Revoke(ctx, owner, v.ID, 0, RevocationRequest{Reason: "superseded"}); err != nil {
		t.Fatal(err)
	}
	for kind, wrong := range map[order.Kind]bool{order.Renewal: true, order.Reissue: true, order.New: false} {
		a := soon(t, "private")
		a.Order.Kind, a.Order.Replaces = kind, v.ID
		_, err := h.Apply(ctx, owner, a)
		var p *Problem
		if errors.As(err, &p) != wrong || wrong && (p.Kind != WrongState || p.Message != "certificate.renew-state") {
			t.Errorf("%s: %v %v", kind, err, findings(err))
		}
	}
}
