package service

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/profile"
)

// TestUpstreamAgain: a process died while an upstream CA issued, and meanwhile the
// order passes no more. What that CA has not got yet it does not get; what it issued
// is stored and revoked. Without a change the attempt goes on: the near misses.
func TestUpstreamAgain(t *testing.T) {
	t.Parallel()
	forbids := lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: lab.ZoneCopy{Add: lab.Strings{`@ 300 CAA 0 issue "other-ca.net"`}}}}}
	for name, c := range map[string]struct {
		change func(t *testing.T, h *farHouse, v *View)
		passes bool
		state  order.State // where the CA did not have it
	}{
		"nothing": {func(*testing.T, *farHouse, *View) {}, true, order.StateIssued},
		"another key was blocked": {func(t *testing.T, h *farHouse, _ *View) {
			h.writes(t, func(tx store.Tx) error { return tx.BlockKey(strings.Repeat("0", 64), "x", h.clock()) })
		}, true, order.StateIssued},
		"the key was blocked": {func(t *testing.T, h *farHouse, v *View) {
			h.writes(t, func(tx store.Tx) error { return tx.BlockKey(keyOf(v.Order), "x", h.clock()) })
		}, false, order.StatePending},
		"the account was ended": {func(t *testing.T, h *farHouse, _ *View) {
			h.writes(t, func(tx store.Tx) error {
				return tx.PutAccount(store.Account{Tenant: RootTenant, ID: "shop", Verified: true, Created: h.clock(), Deactivated: h.clock()})
			})
		}, false, order.StatePending},
		"CAA forbids, and the answer is too old": {func(t *testing.T, h *farHouse, v *View) {
			h.pass(caaReuse + time.Second)
			h.world(t, v, forbids)
		}, false, order.StatePending},
		"CAA forbids, and the answer counts still": {func(t *testing.T, h *farHouse, v *View) {
			h.world(t, v, forbids)
		}, true, order.StateIssued},
		"the validation is another's": {func(t *testing.T, h *farHouse, v *View) {
			h.writes(t, func(tx store.Tx) error {
				o, err := tx.Order("", v.ID)
				if err != nil {
					return err
				}
				o.Validated = time.Time{}
				return tx.UpdateOrder(o)
			})
		}, false, order.StatePending},
		"what it renews was revoked": {func(t *testing.T, h *farHouse, v *View) {
			leaf, _, _ := h.elsewhere(t, "orchard.net")
			block, _ := pem.Decode([]byte(leaf))
			h.writes(t, func(tx store.Tx) error {
				o, err := tx.Order("", v.ID)
				if err != nil {
					return err
				}
				o.Kind, o.Order.Kind, o.Order.Replaces = order.Renewal, order.Renewal, "old"
				if err := tx.ReplaceOrder(o, store.NewOrder{Names: h.orderNames(o.Order), Keys: orderKeys(o.Order), Challenges: v.Challenges}); err != nil {
					return err
				}
				old := &store.Certificate{CertificateRow: store.CertificateRow{
					ID: "old", Tenant: o.Tenant, Account: o.Account, Source: store.SourceUploaded, Issuer: "far", Serial: "77", State: order.CertificateRevoked,
					Fingerprint: "77", Keyprint: "77", NotBefore: h.clock(), NotAfter: h.clock().Add(20 * day), Created: h.clock(),
				}, DER: block.Bytes}
				return tx.InsertCertificate(old, nil)
			})
		}, false, order.StateReady},
		"its profile is of the public internet": {func(_ *testing.T, h *farHouse, _ *View) { h.Profiles = profile.Named }, false, order.StateReady},
	} {
		for _, sent := range []bool{false, true} {
			title := name + ", before the CA had it"
			if sent {
				title = name + ", after the CA had it"
			}
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				h := newFarHouse(t)
				v := h.dies(t, sent)
				c.change(t, h, v)
				h.pass(20 * time.Minute)
				h.once(t)
				if passing := strings.HasPrefix(name, "CAA forbids, and the answer is too old") || strings.HasPrefix(name, "its profile is"); passing && sent {
					// What may go away costs no certificate, for a day.
					if state := h.read(t, v.ID).State; state != order.StateReady || len(h.ca.revoked) > 0 {
						t.Fatalf("%s, revoked there %v", state, h.ca.revoked)
					}
					h.pass(grace)
					h.once(t)
				}
				h.seen(t)
				v = h.read(t, v.ID)
				states := h.attempts(t, v)
				switch {
				case c.passes || sent:
					if v.State != order.StateIssued || !slices.Equal(states, []order.AttemptState{order.AttemptIssued}) || len(h.ca.issued) != 1 {
						t.Fatalf("%s, attempts %v, %d certificates", v.State, states, len(h.ca.issued))
					}
					cert := h.keyed(t, v)
					if revoked := cert.State == order.CertificateRevoked; revoked == c.passes || slices.Contains(h.ca.revoked, cert.Fingerprint) == c.passes {
						t.Errorf("the certificate is %s, revoked there %v", cert.State, h.ca.revoked)
					}
				default:
					if v.State != c.state || !slices.Equal(states, []order.AttemptState{order.AttemptAbandoned}) || len(h.ca.issued) != 0 {
						t.Errorf("%s, attempts %v, %d certificates", v.State, states, len(h.ca.issued))
					}
					if _, err := h.Cancel(context.Background(), h.who[RoleAdministrator], v.ID, 0); err != nil {
						t.Errorf("it cannot be cancelled: %v", err)
					}
				}
			})
		}
	}
}

// dies is an order whose process ended in its attempt, before or after the CA had the
// CSR.
func (h *farHouse) dies(t *testing.T, sent bool) *View {
	t.Helper()
	died := func() error { return errors.New("died") }
	h.ca.complete = func(*farOrder) error { return died() }
	if sent {
		h.ca.complete, h.ca.after = nil, died
	}
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	v = h.goes(t, v, 4*time.Second)
	h.ca.complete, h.ca.after = nil, nil
	if got := h.attempts(t, v); v.State != order.StateReady || !slices.Equal(got, []order.AttemptState{order.AttemptPrepared}) || len(h.ca.issued) != btoi(sent) {
		t.Fatalf("%s, attempts %v, %d certificates", v.State, got, len(h.ca.issued))
	}
	return v
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestUpstreamUnwanted: the order went back while the CA issued, or before the process
// that had it issue came to store it. The certificate is revoked there, also where that
// CA is away at first, it is written down, and the order gets another one.
func TestUpstreamUnwanted(t *testing.T) {
	t.Parallel()
	back := func(h *farHouse) error { return h.reopen(context.Background(), RootTenant, "shop", "orchard.net") }
	for name, begins := range map[string]func(t *testing.T, h *farHouse) *View{
		"while it was issued": func(t *testing.T, h *farHouse) *View {
			v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			h.once(t)
			h.ca.after = func() error { h.ca.after = nil; return back(h) }
			return h.goes(t, v, 4*time.Second)
		},
		"after the process died": func(t *testing.T, h *farHouse) *View {
			v := h.dies(t, true)
			if err := back(h); err != nil {
				t.Fatal(err)
			}
			h.once(t)
			return h.read(t, v.ID)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			failures := 0
			h.ca.revoke = func() error {
				if failures++; failures == 1 {
					return away()
				}
				return nil
			}
			v := begins(t, h)
			for range 5 {
				h.once(t)
			}
			if failures != 1 {
				t.Errorf("it was asked %d times in one moment", failures)
			}
			for range 6 {
				v = h.goes(t, v, time.Hour)
			}
			if v.State != order.StateIssued || len(h.ca.issued) != 2 {
				t.Fatalf("%s, %d certificates", v.State, len(h.ca.issued))
			}
			first, cert := fingerprintOf(h.ca.issued[0].Raw), h.keyed(t, v)
			if cert.Fingerprint == first || !slices.Equal(h.ca.revoked, []string{first}) || failures != 2 {
				t.Errorf("revoked %v after %d failures", h.ca.revoked, failures-1)
			}
			list, err := h.Store.Attempts(context.Background(), v.ID)
			if err != nil || len(list) != 2 || list[0].State != order.AttemptAbandoned || !strings.Contains(list[0].Detail, first) {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
}

// TestUpstreamLeft: an order that went back before the CA had its CSR ends its attempt,
// and does not keep it: it can be cancelled, and nothing is issued.
func TestUpstreamLeft(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	v := h.dies(t, false)
	if err := h.reopen(context.Background(), RootTenant, "shop", "orchard.net"); err != nil {
		t.Fatal(err)
	}
	h.world(t, v, bare())
	h.writes(t, func(tx store.Tx) error {
		return tx.PutAccount(store.Account{Tenant: RootTenant, ID: "shop", Verified: true, Created: h.clock(), Deactivated: h.clock()})
	})
	h.once(t)
	v = h.read(t, v.ID)
	if got := h.attempts(t, v); !slices.Equal(got, []order.AttemptState{order.AttemptAbandoned}) || len(h.ca.issued) != 0 {
		t.Errorf("%s, attempts %v, %d certificates", v.State, got, len(h.ca.issued))
	}
}

// TestLeftElsewhere: an attempt at a CA that is not configured any more is given up, and
// the operator told where to look; the order goes on with the CA that there is.
func TestLeftElsewhere(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	var log bytes.Buffer
	h.Log = slog.New(slog.NewTextHandler(&log, nil))
	v := h.passes(t, dv(t, "orchard.net"))
	h.do(t, func(tx store.Tx) error {
		return tx.InsertAttempt(&store.Attempt{Order: v.ID, Seq: 1, Issuer: "far", State: order.AttemptPrepared, Review: "r", Created: h.clock()})
	})
	h.once(t)
	if states, _ := h.attempts(t, v.ID); !slices.Equal(states, []order.AttemptState{order.AttemptAbandoned}) {
		t.Fatalf("attempts %v", states)
	}
	if said := log.String(); !strings.Contains(said, "look there for a certificate") || !strings.Contains(said, "order="+v.ID+" attempt=1 ca=far") {
		t.Errorf("the log says %q", said)
	}
	h.pass(time.Minute)
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateIssued {
		t.Errorf("%s %v", v.State, causesIn(v))
	}
	if states, _ := h.attempts(t, v.ID); !slices.Equal(states, []order.AttemptState{order.AttemptAbandoned, order.AttemptIssued}) {
		t.Errorf("attempts %v", states)
	}
}

func (h *house) writes(t *testing.T, fn func(tx store.Tx) error) {
	t.Helper()
	if err := h.Store.Write(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}
