package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
)

// cancelling cancels an order that an upstream CA may be issuing for.
func (h *farHouse) cancelling(t *testing.T, v *View) *View {
	t.Helper()
	got, err := h.Cancel(context.Background(), h.who[RoleApplicant], v.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got.State != order.StateCancelling || len(got.Allowed) != 0 || got.NextCheck == nil || got.EndedAt != nil {
		t.Fatalf("%s, allowed %v, next check %v", got.State, got.Allowed, got.NextCheck)
	}
	return got
}

// cancelledFor good: nothing is due for it, and the audit log has both steps, by whom.
func (h *farHouse) cancelledFor(t *testing.T, v *View, attempts ...order.AttemptState) {
	t.Helper()
	ctx := context.Background()
	if v = h.read(t, v.ID); v.State != order.StateCancelled || v.EndedAt == nil {
		t.Fatalf("%s, attempts %v", v.State, h.attempts(t, v))
	}
	if got := h.attempts(t, v); !slices.Equal(got, attempts) {
		t.Errorf("attempts %v, want %v", got, attempts)
	}
	if due := h.due(t, v.ID); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
	for action, actor := range map[string]string{"order.cancelling": h.who[RoleApplicant].Token, "order.cancel": serviceActor} {
		entries, _, err := h.AuditEntries(ctx, h.who[RoleAuditor], AuditQuery{Order: v.ID, Action: action})
		if err != nil || len(entries) != 1 || entries[0].Actor != actor {
			t.Errorf("%s: %+v, %v", action, entries, err)
		}
	}
	if _, err := h.Store.Certificate(ctx, v.Tenant, v.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it has a certificate: %v", err)
	}
	if _, err := h.Resubmit(ctx, h.who[RoleApplicant], v.ID, 0, nil); err != nil {
		t.Errorf("submitted again: %v", err)
	}
}

// TestCancelWhileAway: an order is cancelled while the CA that may have issued for it is
// away, and in whichever state its attempt left it. When the CA answers, what it issued
// is revoked there, and what it has not got it does not get.
func TestCancelWhileAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sent, back bool }{
		"before the CA had it":                        {false, false},
		"after it issued":                             {true, false},
		"before the CA had it, and the order is back": {false, true},
		"after it issued, and the order is back":      {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			v := h.dies(t, c.sent)
			if c.back {
				if err := h.reopen(context.Background(), RootTenant, "shop", "orchard.net"); err != nil {
					t.Fatal(err)
				}
			}
			h.ca.sent = away
			h.cancelling(t, v)
			if _, err := h.Cancel(context.Background(), h.who[RoleApplicant], v.ID, 0); !problemIs(err, WrongState) {
				t.Errorf("cancelled twice: %v", err)
			}
			if again := h.passes(t, v, 12*time.Hour); again.State != order.StateCancelling || again.NextCheck == nil {
				t.Fatalf("while the CA is away: %s", again.State)
			}
			h.ca.sent = nil
			if c.sent { // away once more: nobody has the certificate, and it is not revoked
				failures := 0
				h.ca.revoke = func() error {
					if failures++; failures == 1 {
						return away()
					}
					return nil
				}
			}
			h.passes(t, v, 12*time.Hour)
			h.cancelledFor(t, v, order.AttemptAbandoned)
			var revoked []string
			for _, c := range h.ca.issued {
				revoked = append(revoked, fingerprintOf(c.Raw))
			}
			if len(revoked) != btoi(c.sent) || !slices.Equal(h.ca.revoked, revoked) {
				t.Errorf("%d issued, revoked %v", len(h.ca.issued), h.ca.revoked)
			}
		})
	}
}

// TestCancelWhileIssuing: an order is cancelled while the CA is issuing for whoever
// holds its lease, who then revokes the certificate.
func TestCancelWhileIssuing(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	h.ca.after = func() error {
		h.ca.after = nil
		h.cancelling(t, v)
		return nil
	}
	h.goes(t, v, 4*time.Second)
	h.cancelledFor(t, v, order.AttemptAbandoned)
	if len(h.ca.issued) != 1 || !slices.Equal(h.ca.revoked, []string{fingerprintOf(h.ca.issued[0].Raw)}) {
		t.Errorf("%d issued, revoked %v", len(h.ca.issued), h.ca.revoked)
	}
}

// TestCancelRefused: a CA that says for good that nothing comes of it keeps no order, and
// of what had been sent that is written down; one that refuses to tell now is asked again.
func TestCancelRefused(t *testing.T) {
	t.Parallel()
	busy := &issuer.Refusal{Problems: []issuer.Problem{{Cause: cause.IssuanceCAUnavailable, Subject: "order"}}, Err: errors.New("too many requests")}
	for name, x := range map[string]struct {
		sent, complete error
		lost, waits    bool
	}{
		"it is over, says the download":     {complete: foreign(errors.New("it is over")), lost: true},
		"it was begun elsewhere":            {sent: fmt.Errorf("finding it: %w", issuer.ErrElsewhere), lost: true},
		"too many requests":                 {sent: busy, waits: true},
		"too many requests at the download": {complete: busy, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			v := h.dies(t, true)
			h.cancelling(t, v)
			if x.sent != nil {
				h.ca.sent = func() error { return x.sent }
			}
			h.ca.complete = func(*farOrder) error { return x.complete }
			if again := h.passes(t, v, 12*time.Hour); x.waits != (again.State == order.StateCancelling) {
				t.Fatalf("it is %s", again.State)
			}
			h.ca.sent, h.ca.complete = nil, nil
			h.passes(t, v, 12*time.Hour)
			h.cancelledFor(t, v, order.AttemptAbandoned)
			list, err := h.Attempts(context.Background(), h.who[RoleApplicant], v.ID)
			if err != nil || len(list) != 1 || list[0].Lost != x.lost {
				t.Errorf("%+v, %v", list, err)
			}
			if x.waits != (len(h.ca.revoked) == 1) {
				t.Errorf("revoked %v", h.ca.revoked)
			}
		})
	}
}

// TestCancelWithoutProfile: an order whose profile was removed can be read and cancelled,
// and what came of its attempt is settled.
func TestCancelWithoutProfile(t *testing.T) {
	t.Parallel()
	for _, sent := range []bool{false, true} {
		t.Run(fmt.Sprintf("sent %v", sent), func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			v := h.dies(t, sent)
			h.ca.sent, h.ca.complete = away, func(*farOrder) error { return away() }
			v = h.passes(t, v, time.Hour)
			h.Profiles = func(name string) (*profile.Profile, error) { return nil, fmt.Errorf("there is no profile %q", name) }
			h.cancelling(t, v)
			if v = h.passes(t, v, time.Hour); v.State != order.StateCancelling || !slices.Contains(causesIn(v), cause.IssuanceCAUnavailable) {
				t.Fatalf("while the CA is away: %s %v", v.State, causesIn(v))
			}
			h.ca.sent, h.ca.complete = nil, nil
			if v = h.passes(t, v, time.Hour); v.State != order.StateCancelled || len(h.ca.revoked) != btoi(sent) {
				t.Errorf("%s, revoked %v", v.State, h.ca.revoked)
			}
		})
	}
}

// TestCancelWithoutCA: where the CA is used no more nobody learns what came of it; the
// order is cancelled, and its attempt says so.
func TestCancelWithoutCA(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	v := h.dies(t, true)
	h.ca.sent, h.ca.complete = away, func(*farOrder) error { return away() }
	h.cancelling(t, v)
	h.Issuer = func(string) issuer.Issuer { return nil }
	h.passes(t, v, time.Hour)
	list, err := h.Attempts(context.Background(), h.who[RoleApplicant], v.ID)
	if err != nil || len(list) != 1 || !list[0].Lost {
		t.Errorf("%+v, %v", list, err)
	}
	h.cancelledFor(t, v, order.AttemptAbandoned)
}

// TestCancelWhileAsked: an order is cancelled while its CA is asked what it has of an
// attempt that was left, and has nothing. Whatever that answer leads to for an order that
// passed, or went back, this one is cancelled.
func TestCancelWhileAsked(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, h *farHouse){
		"its issuance is paused": func(_ *testing.T, h *farHouse) { h.Profiles = profile.Named }, // a public one, in the laboratory
		"it went back": func(t *testing.T, h *farHouse) {
			if err := h.reopen(context.Background(), RootTenant, "shop", "orchard.net"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			v := h.dies(t, false)
			prepare(t, h)
			h.ca.sent = func() error {
				h.ca.sent = nil
				h.cancelling(t, v)
				return nil
			}
			h.passes(t, v, day)
			h.cancelledFor(t, v, order.AttemptAbandoned)
		})
	}
}

// TestCancelSigning: at a CA of our own a signature ends in a moment, and is waited for.
func TestCancelSigning(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	v := h.ready(t, dv(t, "orchard.net"))
	h.do(t, func(tx store.Tx) error {
		return tx.InsertAttempt(&store.Attempt{Order: v.ID, Seq: 9, Issuer: "issuing-1", State: order.AttemptPrepared, Serial: "0a", TBS: []byte{0}, Created: h.clock()})
	})
	if _, err := h.Cancel(context.Background(), h.who[RoleApplicant], v.ID, 0); !problemIs(err, WrongState) {
		t.Errorf("%v", err)
	}
	if v = h.read(t, v.ID); v.State != order.StateReady {
		t.Error(v.State)
	}
}
