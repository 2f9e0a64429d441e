package service

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/csr"
	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/profile"
)

// A caHouse is a house with a CA of its own.
type caHouse struct {
	*house
	ca *hand
}

// A hand is between the service and its CA: a test holds it, or breaks it.
type hand struct {
	issuer.Issuer
	mu       sync.Mutex
	prepare  func() error
	complete func() error
	made     []*issuer.Issued
}

func (h *hand) Prepare(ctx context.Context, r *issuer.Request) (*issuer.Prepared, error) {
	h.mu.Lock()
	f := h.prepare
	h.mu.Unlock()
	if f != nil {
		if err := f(); err != nil {
			return nil, err
		}
	}
	return h.Issuer.Prepare(ctx, r)
}

func (h *hand) Complete(ctx context.Context, p *issuer.Prepared) (*issuer.Issued, error) {
	h.mu.Lock()
	f := h.complete
	h.mu.Unlock()
	if f != nil {
		if err := f(); err != nil {
			return nil, err
		}
	}
	c, err := h.Issuer.Complete(ctx, p)
	if err == nil {
		h.mu.Lock()
		h.made = append(h.made, c)
		h.mu.Unlock()
	}
	return c, err
}

func (h *hand) set(prepare, complete func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.prepare, h.complete = prepare, complete
}

// likeCloud is the cloud's profile where it may be signed from a laboratory.
func likeCloud(name string) (*profile.Profile, error) {
	if name != "cloud" {
		return profile.Named(name)
	}
	return profile.Parse([]byte("name = \"cloud\"\nversion = \"1\"\ninherits = \"cloud\"\npublic = false\n"))
}

func newCAHouse(t *testing.T) *caHouse {
	t.Helper()
	h := &caHouse{house: newHouse(t)}
	h.Secrets, h.Profiles = plain{}, likeCloud
	ca, err := h.OpenAuthorities(context.Background(), AuthoritySettings{
		Name: private.Name{CommonName: "Orchard", Organization: "Orchard", Country: "CN"}, URL: "http://ca.orchard.net",
	})
	if err != nil {
		t.Fatal(err)
	}
	h.ca = &hand{Issuer: ca}
	h.Issuer = func(string) issuer.Issuer { return h.ca }
	return h
}

// ready is an order that passed, whose certificate is due: the CA was away.
func (h *caHouse) ready(t *testing.T, a Application) *View {
	t.Helper()
	v := h.passes(t, a)
	h.ca.set(func() error { return &issuer.Unavailable{Problem: "busy", Err: errors.New("503")} }, nil)
	h.once(t)
	h.ca.set(nil, nil)
	if v = h.read(t, v.ID); v.State != order.StateReady {
		t.Fatalf("%s %s %v", v.State, v.Reason, causesIn(v))
	}
	return v
}

// passes is an order that will pass when it is looked at.
func (h *caHouse) passes(t *testing.T, a Application) *View {
	t.Helper()
	v := h.apply(t, h.who[RoleApplicant], a)
	h.world(t, v, lab.Change{})
	return v
}

// once does what is due now, and not what that makes due.
func (h *house) once(t *testing.T) {
	t.Helper()
	due, _, err := h.lease(context.Background(), h.Workers)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range due {
		h.serve(context.Background(), d)
	}
}

func (h *caHouse) attempts(t *testing.T, id string) (states []order.AttemptState, serials []string) {
	t.Helper()
	list, err := h.Store.Attempts(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		states, serials = append(states, a.State), append(serials, a.Serial)
	}
	return states, serials
}

// certified is the certificate of an order, with proof that it is right: it
// leads to the root, has the order's names and key, and is the only one made.
func (h *caHouse) certified(t *testing.T, v *View) *store.Certificate {
	t.Helper()
	c, err := h.Store.Certificate(context.Background(), v.Tenant, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(c.DER)
	if err != nil {
		t.Fatal(err)
	}
	roots, above := x509.NewCertPool(), x509.NewCertPool()
	for _, r := range h.own.roots {
		roots.AddCert(r)
	}
	chain, err := x509.ParseCertificates(c.Chain)
	if err != nil || len(chain) == 0 {
		t.Fatal(len(chain), err)
	}
	for _, a := range chain {
		above.AddCert(a)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: above, CurrentTime: h.clock()}); err != nil {
		t.Error(err)
	}
	if !slices.Equal(leaf.DNSNames, v.Order.Names) {
		t.Errorf("names %v, ordered %v", leaf.DNSNames, v.Order.Names)
	}
	r, _ := csr.Read(v.Order.CSR)
	if string(r.Key.SPKI) != string(leaf.RawSubjectPublicKeyInfo) {
		t.Error("another key")
	}
	return c
}

// TestIssue: an order that passed gets one certificate, stored with its attempt,
// its audit entry and what is due next.
func TestIssue(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	v := h.ready(t, dv(t, "orchard.net"))
	if due := h.due(t, v.ID); !due[store.DueCheck].Equal(h.clock()) {
		t.Fatalf("its certificate is not due: %v", due)
	}
	v = h.run(t, v.ID)
	if v.State != order.StateIssued || v.EndedAt == nil || v.CloudStatus != 1 {
		t.Fatalf("%s %s %v", v.State, v.Paused, causesIn(v))
	}
	c := h.certified(t, v)
	if states, serials := h.attempts(t, v.ID); !slices.Equal(states, []order.AttemptState{order.AttemptIssued}) || serials[0] != c.Serial {
		t.Errorf("%v %v, %s", states, serials, c.Serial)
	}
	if due := h.due(t, v.ID); len(due) != 0 {
		t.Errorf("still due: %v", due)
	}
	if got := h.actions(t, v.ID); got[len(got)-1] != "order.issue" {
		t.Errorf("%v", got)
	}
	view, err := h.Certificate(context.Background(), h.who[RoleApplicant], v.ID)
	if err != nil || view.State != order.CertificateValid || view.Serial != c.Serial || view.Name != "orchard.net" {
		t.Errorf("%+v, %v", view, err)
	}
	list, _, err := h.Certificates(context.Background(), h.who[RoleAuditor], CertificateQuery{Domain: "orchard.net"})
	if err != nil || len(list) != 1 || list[0].ID != v.ID {
		t.Errorf("%v, %v", list, err)
	}
	s, err := h.Store.Serial(context.Background(), c.Issuer, c.Serial)
	if err != nil || !s.Known || !s.Revoked.IsZero() {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestGate: between the review and the signature something changed. Nothing is
// signed, and the order says what is in the way. Without the change it is signed:
// the near misses.
func TestGate(t *testing.T) {
	t.Parallel()
	forbids := lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: lab.ZoneCopy{Add: lab.Strings{`@ 300 CAA 0 issue "other-ca.net"`}}}}}
	for name, c := range map[string]struct {
		change func(t *testing.T, h *caHouse, v *View)
		state  order.State
		cause  cause.ID
		issued bool
	}{
		"nothing": {change: func(*testing.T, *caHouse, *View) {}, state: order.StateIssued, issued: true},
		"the key was blocked meanwhile": {
			change: func(t *testing.T, h *caHouse, v *View) {
				h.do(t, func(tx store.Tx) error { return tx.BlockKey(keyOf(v.Order), "x", h.clock()) })
			}, state: order.StatePending, cause: cause.KeyKnownCompromised,
		},
		"another key was blocked": {
			change: func(t *testing.T, h *caHouse, v *View) {
				h.do(t, func(tx store.Tx) error { return tx.BlockKey(strings.Repeat("0", 64), "x", h.clock()) })
			}, state: order.StateIssued, issued: true,
		},
		"CAA forbids, and the answer is too old": {
			change: func(t *testing.T, h *caHouse, v *View) {
				h.pass(caaReuse + time.Second)
				h.world(t, v, forbids)
			}, state: order.StatePending, cause: cause.CAAForbids,
		},
		"CAA forbids, and the answer counts still": {
			change: func(t *testing.T, h *caHouse, v *View) {
				h.pass(caaReuse - time.Minute)
				h.world(t, v, forbids)
			}, state: order.StateIssued, issued: true,
		},
		"the validation is too old": {
			change: func(t *testing.T, h *caHouse, v *View) {
				h.pass(399 * day)
				h.world(t, v, bare())
			}, state: order.StatePending,
		},
		"the account was ended": {
			change: func(t *testing.T, h *caHouse, v *View) {
				h.do(t, func(tx store.Tx) error {
					return tx.PutAccount(store.Account{Tenant: RootTenant, ID: "shop", Verified: true, Created: h.clock(), Deactivated: h.clock()})
				})
			}, state: order.StatePending, cause: cause.LimitAccountNotReady,
		},
		"the review is another than the one that passed": {
			change: func(t *testing.T, h *caHouse, v *View) {
				h.do(t, func(tx store.Tx) error {
					o, err := tx.Order("", v.ID)
					if err != nil {
						return err
					}
					o.Validated = time.Time{}
					return tx.UpdateOrder(o)
				})
			}, state: order.StatePending,
		},
		"its profile is of the public internet": {
			change: func(_ *testing.T, h *caHouse, _ *View) { h.Profiles = profile.Named }, state: order.StateReady,
		},
		"it was cancelled": {
			change: func(t *testing.T, h *caHouse, v *View) {
				if _, err := h.Cancel(context.Background(), h.who[RoleApplicant], v.ID, 0); err != nil {
					t.Fatal(err)
				}
			}, state: order.StateCancelled,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newCAHouse(t)
			v := h.ready(t, dv(t, "orchard.net"))
			c.change(t, h, v)
			h.once(t)
			v = h.read(t, v.ID)
			if v.State != c.state || (len(h.ca.made) > 0) != c.issued {
				t.Fatalf("%s with %d signatures, %v", v.State, len(h.ca.made), causesIn(v))
			}
			if c.cause != "" && !slices.Contains(causesIn(v), c.cause) {
				t.Errorf("%v without %s", causesIn(v), c.cause)
			}
			if states, _ := h.attempts(t, v.ID); !c.issued && len(states) > 0 {
				t.Errorf("attempts %v", states)
			}
			if name == "its profile is of the public internet" && (v.Paused != PausedLab || len(h.due(t, v.ID)) != 0) {
				t.Errorf("paused %q, due %v", v.Paused, h.due(t, v.ID))
			}
		})
	}
}

func (h *caHouse) do(t *testing.T, fn func(tx store.Tx) error) {
	t.Helper()
	if err := h.Store.Write(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

// TestSigningCrash: a process dies, or the order changes, while a certificate is being
// signed. There is one certificate at most, and a serial number that may have been
// signed is revoked and never used again.
func TestSigningCrash(t *testing.T) {
	t.Parallel()
	died := errors.New("died")
	for name, c := range map[string]struct {
		complete func(h *caHouse, v *View) error
		states   []order.AttemptState
		state    order.State
	}{
		"before it was signed": {
			complete: func(*caHouse, *View) error { return died },
			states:   []order.AttemptState{order.AttemptAbandoned, order.AttemptIssued}, state: order.StateIssued,
		},
		"a panic": {
			complete: func(*caHouse, *View) error { panic("as a driver may") },
			states:   []order.AttemptState{order.AttemptAbandoned, order.AttemptIssued}, state: order.StateIssued,
		},
		"the issuer is away": {
			complete: func(*caHouse, *View) error { return &issuer.Unavailable{Problem: "key-offline", Err: died} },
			states:   []order.AttemptState{order.AttemptAbandoned, order.AttemptIssued}, state: order.StateIssued,
		},
		"another process gave it up meanwhile": {
			complete: func(h *caHouse, v *View) error {
				return h.Store.Write(context.Background(), func(tx store.Tx) error {
					all, err := tx.AttemptsNow(v.ID)
					if err != nil {
						return err
					}
					a := all[0]
					a.State = order.AttemptAbandoned
					return errors.Join(tx.EndAttempt(&a), tx.Revoke(store.Revocation{Issuer: a.Issuer, Serial: a.Serial, At: h.clock(), NotAfter: h.clock().AddDate(1, 0, 0)}))
				})
			},
			states: []order.AttemptState{order.AttemptAbandoned, order.AttemptIssued}, state: order.StateIssued,
		},
		"the order went back": {
			complete: func(h *caHouse, v *View) error {
				return h.reopen(context.Background(), RootTenant, "shop", "orchard.net")
			},
			states: []order.AttemptState{order.AttemptAbandoned, order.AttemptIssued}, state: order.StateIssued,
		},
	} {
		for way, begin := range map[string]func(h *caHouse) *View{
			"through the gate": func(h *caHouse) *View { return h.ready(t, dv(t, "orchard.net")) },
			"at once":          func(h *caHouse) *View { return h.passes(t, dv(t, "orchard.net")) },
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				h := newCAHouse(t)
				v := begin(h)
				first := true
				h.ca.set(nil, func() error {
					if !first {
						return nil
					}
					first = false
					return c.complete(h, v)
				})
				for range 6 {
					h.once(t)
					h.pass(20 * time.Minute)
				}
				v = h.read(t, v.ID)
				states, serials := h.attempts(t, v.ID)
				if v.State != c.state || !slices.Equal(states, c.states) {
					t.Fatalf("%s, attempts %v", v.State, states)
				}
				cert := h.certified(t, v)
				if cert.Serial != serials[1] || serials[0] == serials[1] {
					t.Errorf("%s of %v", cert.Serial, serials)
				}
				if s, err := h.Store.Serial(context.Background(), cert.Issuer, serials[0]); err != nil || s.Revoked.IsZero() {
					t.Errorf("the serial number that was given up: %+v, %v", s, err)
				}
				list, _, err := h.Certificates(context.Background(), h.who[RoleAuditor], CertificateQuery{})
				if err != nil || len(list) != 1 {
					t.Errorf("%d certificates, %v", len(list), err)
				}
			})
		}
	}
}

// TestLeftWithoutIssuer: a process died in its attempt, and the next one has no CA. The
// attempt is given up, so that it keeps nobody from cancelling the order, and the order
// gets its certificate when there is a CA again.
func TestLeftWithoutIssuer(t *testing.T) {
	t.Parallel()
	for _, cancels := range []bool{false, true} {
		t.Run(fmt.Sprintf("cancelled %v", cancels), func(t *testing.T) {
			t.Parallel()
			h := newCAHouse(t)
			v := h.ready(t, dv(t, "orchard.net"))
			h.do(t, func(tx store.Tx) error {
				return tx.InsertAttempt(&store.Attempt{Order: v.ID, Seq: 1, Issuer: h.ca.ID(), State: order.AttemptPrepared, Serial: "0a", TBS: []byte{0}, Created: h.clock()})
			})
			had := h.Issuer
			h.Issuer = nil
			for range 3 {
				h.pass(time.Hour)
				h.once(t)
			}
			if states, _ := h.attempts(t, v.ID); !slices.Equal(states, []order.AttemptState{order.AttemptAbandoned}) || len(h.due(t, v.ID)) != 0 {
				t.Fatalf("attempts %v, due %v", states, h.due(t, v.ID))
			}
			if s, err := h.Store.Serial(context.Background(), h.ca.ID(), "0a"); err != nil || s.Revoked.IsZero() {
				t.Errorf("the serial number that was given up: %+v, %v", s, err)
			}
			if cancels {
				if v, err := h.Cancel(context.Background(), h.who[RoleApplicant], v.ID, 0); err != nil || v.State != order.StateCancelled {
					t.Errorf("%+v, %v", v, err)
				}
				return
			}
			h.Issuer = had
			h.adoptReady(context.Background())
			h.once(t)
			if v = h.read(t, v.ID); v.State != order.StateIssued {
				t.Errorf("%s %v", v.State, causesIn(v))
			}
		})
	}
}

// TestAtOnce: an order is certified by the check that passes it. What changes between
// the look and the unit in which it passes keeps its signature back; without the
// change it is signed: the near miss.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *testing.T, h *caHouse, v *View)
		state  order.State // after what is due then
	}{
		"nothing": {func(*testing.T, *caHouse, *View) {}, order.StateIssued},
		"the key was blocked": {func(t *testing.T, h *caHouse, v *View) {
			h.do(t, func(tx store.Tx) error { return tx.BlockKey(keyOf(v.Order), "x", h.clock()) })
		}, order.StateFailed},
		"the account was ended": {func(t *testing.T, h *caHouse, _ *View) {
			h.do(t, func(tx store.Tx) error {
				return tx.PutAccount(store.Account{Tenant: RootTenant, ID: "shop", Verified: true, Created: h.clock(), Deactivated: h.clock()})
			})
		}, order.StateFailed},
		"the account is verified no more": {func(t *testing.T, h *caHouse, _ *View) {
			h.do(t, func(tx store.Tx) error {
				return tx.PutAccount(store.Account{Tenant: RootTenant, ID: "shop", Created: h.clock()})
			})
		}, order.StateFailed},
		"it was cancelled": {func(t *testing.T, h *caHouse, v *View) {
			if _, err := h.Cancel(context.Background(), h.who[RoleApplicant], v.ID, 0); err != nil {
				t.Error(err)
			}
		}, order.StateCancelled},
		"it took too long": {func(_ *testing.T, h *caHouse, _ *View) { h.pass(2 * freshLook) }, order.StateIssued},
		"its lease is another's": {func(t *testing.T, h *caHouse, v *View) {
			h.do(t, func(tx store.Tx) error {
				return tx.SetDue(store.Due{Order: v.ID, Kind: store.DueCheck, At: h.clock().Add(time.Minute)})
			})
		}, order.StateIssued},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newCAHouse(t)
			v := h.passes(t, dv(t, "orchard.net"))
			first := true
			h.ca.set(func() error {
				if first {
					first = false
					c.change(t, h, v)
				}
				return nil
			}, nil)
			h.once(t)
			if signed := len(h.ca.made) > 0; signed != (name == "nothing") {
				t.Fatalf("%s with %d signatures", h.read(t, v.ID).State, len(h.ca.made))
			}
			if states, _ := h.attempts(t, v.ID); name != "nothing" && len(states) > 0 {
				t.Errorf("attempts %v", states)
			}
			for range 3 {
				h.pass(time.Minute)
				h.once(t)
			}
			if v = h.read(t, v.ID); v.State != c.state || len(h.ca.made) > 0 != (c.state == order.StateIssued) {
				t.Errorf("%s with %d signatures, %v", v.State, len(h.ca.made), causesIn(v))
			}
		})
	}
}

// TestKeyAway: while the key does not sign, an order waits longer and longer: each
// attempt costs a serial number.
func TestKeyAway(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	v := h.ready(t, dv(t, "orchard.net"))
	h.ca.set(nil, func() error { return &issuer.Unavailable{Problem: "key-offline", Err: errors.New("no token")} })
	for n := 1; n <= 3; n++ {
		h.once(t)
		h.once(t)
		h.pass(time.Second)
		h.once(t)
		if states, _ := h.attempts(t, v.ID); len(states) != n {
			t.Fatalf("%d attempts, want %d", len(states), n)
		}
		if v = h.read(t, v.ID); !slices.Contains(causesIn(v), cause.IssuanceCAUnavailable) {
			t.Errorf("%s, %v", v.State, causesIn(v))
		}
		h.pass(backoff(n))
	}
	h.ca.set(nil, nil)
	h.once(t)
	h.certified(t, h.read(t, v.ID))
}

// TestIssuerRefuses: what the issuer refuses is told by its causes; a fault of
// ours, and an issuer that is away, cost the order nothing.
func TestIssuerRefuses(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	v := h.ready(t, dv(t, "orchard.net"))
	h.ca.set(func() error { return &issuer.Unavailable{Problem: "busy", Err: errors.New("503")} }, nil)
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateReady || v.NextCheck == nil || !v.NextCheck.After(h.clock()) {
		t.Fatalf("%s, next %v", v.State, v.NextCheck)
	}
	problem := issuer.Problem{Cause: cause.IssuanceLintError, Condition: "profile", Subject: "orchard.net", Parameters: map[string]any{"problem": "error", "lint": "e_x"}}
	h.ca.set(func() error { return &issuer.Refusal{Problems: []issuer.Problem{problem}} }, nil)
	h.pass(time.Hour)
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateReady || !slices.Contains(causesIn(v), cause.IssuanceLintError) {
		t.Fatalf("%s, %v", v.State, causesIn(v))
	}
	h.ca.set(nil, nil)
	h.pass(time.Hour)
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateIssued || len(causesIn(v)) != 0 {
		t.Fatalf("%s, %v", v.State, causesIn(v))
	}
	other := h.ready(t, dv(t, "orchard.net"))
	problem.Condition = ""
	h.ca.set(func() error { return &issuer.Refusal{Problems: []issuer.Problem{problem}} }, nil)
	h.once(t)
	if other = h.read(t, other.ID); other.State != order.StateFailed || other.Reason != order.FailIssuance || !slices.Contains(causesIn(other), cause.IssuanceLintError) {
		t.Fatalf("%s %s, %v", other.State, other.Reason, causesIn(other))
	}
}

// TestTwoWorkers: many at once give one certificate.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	v := h.ready(t, dv(t, "orchard.net"))
	o, err := h.Store.Order(context.Background(), "", v.ID)
	if err != nil {
		t.Fatal(err)
	}
	due, _, err := h.lease(context.Background(), 9)
	if err != nil || len(due) != 1 {
		t.Fatal(due, err)
	}
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() { _ = h.issue(context.Background(), due[0], o) }) // all but one fail
	}
	running.Wait()
	for range 4 {
		h.pass(20 * time.Minute)
		h.once(t)
	}
	v = h.read(t, v.ID)
	if v.State != order.StateIssued {
		t.Fatal(v.State)
	}
	h.certified(t, v)
	states, _ := h.attempts(t, v.ID)
	issued := 0
	for _, s := range states {
		if s == order.AttemptIssued {
			issued++
		} else if s != order.AttemptAbandoned {
			t.Errorf("an attempt is %s", s)
		}
	}
	if issued != 1 {
		t.Errorf("%v", states)
	}
}
