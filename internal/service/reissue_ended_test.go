package service

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/lab"
	"assay/order"
	"assay/profile"
)

// anyTime is the cloud's profile without its rule about the time of a reissue.
func anyTime(string) (*profile.Profile, error) {
	return profile.Parse([]byte("name = \"cloud\"\nversion = \"1\"\ninherits = \"cloud\"\npublic = false\n[levels]\n\"limit.reissue-or-renewal-closed\" = \"pass\"\n"))
}

// TestReissueEnded: a reissue ends with the certificate that it replaces. One that
// has ended is not reissued, which is told when it is asked for; one that ends
// meanwhile fails, and says why, instead of being tried for ever.
func TestReissueEnded(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	h.Profiles = anyTime
	short := dv(t, "orchard.net")
	short.Order.Validity = &order.Validity{Days: 2}
	v := h.issuedFor(t, short)
	h.pass(v.Certificate.NotAfter.Sub(h.clock()) - time.Hour)
	next, err := h.Reissue(ctx, h.who[RoleApplicant], v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
	if err != nil {
		t.Fatal(err, findings(err))
	}
	h.world(t, next, lab.Change{})
	h.ca.set(func() error { return &issuer.Unavailable{Problem: "busy", Err: errors.New("503")} }, nil)
	h.once(t)
	h.once(t)
	if next = h.read(t, next.ID); next.State != order.StateReady {
		t.Fatalf("%s %v", next.State, causesIn(next))
	}
	h.ca.set(nil, nil)
	h.pass(2 * time.Hour)
	h.once(t)
	next = h.read(t, next.ID)
	if next.State != order.StateFailed || next.Reason != order.FailIssuance || !slices.Contains(causesIn(next), cause.RequestValidityTooLong) {
		t.Errorf("%s %s %v", next.State, next.Reason, causesIn(next))
	}
	if due := h.due(t, next.ID); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
	ended := func(what string, err error) {
		t.Helper()
		var p *Problem
		if !errors.As(err, &p) || p.Kind != WrongState || p.Message != "service.reissue-ended" {
			t.Errorf("%s: %v %v", what, err, findings(err))
		}
	}
	_, err = h.Reissue(ctx, h.who[RoleApplicant], v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
	ended("a reissue", err)
	_, err = h.Resubmit(ctx, h.who[RoleApplicant], next.ID, 0, nil)
	ended("submitted again", err)
	// A renewal has a time of its own.
	if _, err := h.Renew(ctx, h.who[RoleApplicant], v.ID, RenewalRequest{CSR: request(t, "orchard.net")}); err != nil {
		t.Errorf("a renewal: %v %v", err, findings(err))
	}
}

// TestReplaced: a certificate in whose place a newer one is in force is neither reissued
// nor renewed, by an order that names it neither; the problem names the newest that is in
// force. Where one is revoked the one before may be, and one that was deleted is gone past.
func TestReplaced(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	h.Profiles = anyTime
	owner := h.who[RoleApplicant]
	again := func(id string) *View {
		t.Helper()
		v, err := h.Reissue(ctx, owner, id, RenewalRequest{CSR: request(t, "orchard.net")})
		if err != nil {
			t.Fatal(err, findings(err))
		}
		h.world(t, v, lab.Change{})
		h.once(t)
		h.once(t)
		if v = h.read(t, v.ID); v.State != order.StateIssued {
			t.Fatalf("%s %v", v.State, causesIn(v))
		}
		return v
	}
	refused := func(what, id, newest string) {
		t.Helper()
		in := RenewalRequest{CSR: request(t, "orchard.net")}
		named := func(kind order.Kind) error {
			a := dv(t, "orchard.net")
			a.Order.Kind, a.Order.Replaces = kind, id
			_, err := h.Apply(ctx, owner, a)
			return err
		}
		_, reissued := h.Reissue(ctx, owner, id, in)
		_, renewed := h.Renew(ctx, owner, id, in)
		for way, x := range map[string]struct {
			err  error
			text string
		}{
			"a reissue": {reissued, "certificate.replaced"}, "ordered as a reissue": {named(order.Reissue), "certificate.replaced"},
			"a renewal": {renewed, "certificate.replaced-renew"}, "ordered as a renewal": {named(order.Renewal), "certificate.replaced-renew"},
			"ordered as a new one": {named(order.New), "certificate.replaced-renew"},
		} {
			var p *Problem
			if !errors.As(x.err, &p) || p.Kind != WrongState || p.Message != x.text || p.Instead != newest {
				t.Errorf("%s, %s: %+v %v", what, way, x.err, findings(x.err))
			}
		}
	}
	first := h.issuedFor(t, dv(t, "orchard.net"))
	second := again(first.ID)
	refused("once replaced", first.ID, second.ID)
	third := again(second.ID)
	for _, id := range []string{first.ID, second.ID} {
		refused("twice replaced", id, third.ID)
	}
	if _, err := h.Revoke(ctx, owner, third.ID, 0, RevocationRequest{Reason: "superseded"}); err != nil {
		t.Fatal(err)
	}
	// The newest is in nobody's way, and what it replaced is in force.
	refused("the newest is revoked", first.ID, second.ID)
	fourth := again(second.ID)
	if _, err := h.Revoke(ctx, owner, second.ID, 0, RevocationRequest{Reason: "superseded"}); err != nil {
		t.Fatal(err)
	}
	h.seen(t)
	if _, err := h.DeleteCertificate(ctx, owner, second.ID, 0); err != nil {
		t.Fatal(err)
	}
	refused("one between was deleted", first.ID, fourth.ID)
	if _, err := h.Renew(ctx, owner, fourth.ID, RenewalRequest{CSR: request(t, "orchard.net")}); err != nil {
		t.Errorf("the newest is renewed: %v %v", err, findings(err))
	}
}
