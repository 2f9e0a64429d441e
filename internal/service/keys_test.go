package service

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"assay/internal/store"
	"assay/lab"
	"assay/order"
)

// neighbour makes another tenant with an account that orders.
func (h *house) neighbour(t *testing.T) Principal {
	t.Helper()
	err := h.Store.Write(context.Background(), func(tx store.Tx) error {
		if err := tx.PutTenant(store.Tenant{ID: "acme", Name: "acme", Created: h.clock()}); err != nil {
			return err
		}
		return tx.PutAccount(store.Account{Tenant: "acme", ID: "shop", Verified: true, Created: h.clock()})
	})
	if err != nil {
		t.Fatal(err)
	}
	return Principal{Tenant: "acme", Account: "shop", Token: "t3", Role: RoleApplicant}
}

func reused(err error) bool {
	return problemIs(err, Refused) && strings.Contains(fmt.Sprint(findings(err)), "csr.reused")
}

// TestKeysOfStrangers: a CSR counts for other tenants from when the names of its
// order are validated, however that came about, and for ever.
func TestKeysOfStrangers(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, who, stranger := context.Background(), h.who[RoleApplicant], h.neighbour(t)
	proven, covered, again := dv(t, "orchard.net"), dv(t, "orchard.net"), dv(t, "orchard.net")
	first := h.apply(t, who, proven)
	// Of a leaked CSR the owner must not be kept from using it.
	leaked := h.apply(t, stranger, proven)
	if _, err := h.Cancel(ctx, stranger, leaked.ID, 0); err != nil {
		t.Fatal(err)
	}
	h.world(t, first, lab.Change{})
	if v := h.run(t, first.ID); v.State != order.StateReady {
		t.Fatalf("%s %+v", v.State, v.Findings)
	}
	// These need no proof of their own; the last one takes over the row of the
	// first one's.
	for _, a := range []Application{covered, again} {
		v := h.apply(t, who, a)
		if v = h.run(t, v.ID); v.State != order.StateReady {
			t.Fatalf("%s %+v", v.State, v.Findings)
		}
	}
	err := h.Store.Write(ctx, func(tx store.Tx) error {
		return tx.PutValidation(store.Validation{Tenant: RootTenant, Account: "shop", Domain: "orchard.net", Method: "dns", Profile: validationKey("cloud", forLab), Order: leaked.ID, At: h.clock()})
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range map[string]Application{"proven": proven, "covered by another": covered, "covered again": again} {
		if _, err := h.Apply(ctx, stranger, a); !reused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestKeysAtOnce: of two tenants whose orders with one CSR pass at the same moment
// one passes.
func TestKeysAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, who, stranger := context.Background(), h.who[RoleApplicant], h.neighbour(t)
	a := dv(t, "orchard.net")
	one := h.apply(t, who, a)
	two := h.apply(t, stranger, a)
	zone := lab.ZoneChange{}
	zone.Add = append(zone.Add, `_dnsauth TXT "`+two.Challenges[0].Value+`"`)
	h.world(t, one, lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": zone}})
	met := make(chan struct{})
	looks := 0
	h.window.mu.Lock()
	h.window.before = func() { // both look before either has written
		h.window.mu.Lock()
		looks++
		if looks == 2 {
			close(met)
		}
		h.window.mu.Unlock()
		<-met
	}
	h.window.mu.Unlock()
	if _, err := h.runDue(ctx); err != nil {
		t.Fatal(err)
	}
	states := map[order.State]int{}
	for _, id := range []string{one.ID, two.ID} {
		o, err := h.Store.Order(ctx, "", id)
		if err != nil {
			t.Fatal(err)
		}
		states[o.State]++
	}
	if states[order.StateReady] != 1 || states[order.StateFailed] != 1 {
		t.Errorf("%v", states)
	}
}

// TestOriginalOfWhat: who keeps the request of the order that is replaced says
// which one, and it is an own one that came through.
func TestOriginalOfWhat(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, who := context.Background(), h.who[RoleApplicant]
	again := func(a Application, of string) Application {
		a.Order.Kind, a.Order.CSROrigin, a.Order.Replaces = order.Reissue, "original", of
		return a
	}
	a := dv(t, "orchard.net")
	first := h.apply(t, who, a)
	foreign, err := h.Apply(ctx, h.neighbour(t), dv(t, "elsewhere.orchard.net"))
	if err != nil {
		t.Fatal(err, findings(err))
	}
	other := h.who[RoleAdministrator]
	others, err := h.Apply(ctx, other, dv(t, "other.orchard.net"))
	if err != nil {
		t.Fatal(err, findings(err))
	}
	draft := dv(t, "orchard.net")
	draft.Draft = true
	for name, of := range map[string]string{
		"nobody's": "Anowhere", "another tenant's": foreign.ID, "another account's": others.ID, "a draft": h.apply(t, who, draft).ID,
		"too long to be one": strings.Repeat("A", 1000),
	} {
		if _, err := h.Apply(ctx, who, again(a, of)); !problemIs(err, Invalid) || !strings.Contains(err.Error(), "service.replaces") {
			t.Errorf("%s: %v %v", name, err, findings(err))
		}
	}
	if _, err := h.Apply(ctx, who, again(a, "")); !reused(err) {
		t.Errorf("of none: %v", err)
	}
	if _, err := h.Apply(ctx, who, again(a, first.ID)); !reused(err) {
		t.Errorf("of one under way: %v", err)
	}
	h.world(t, first, lab.Change{})
	if v := h.run(t, first.ID); v.State != order.StateReady {
		t.Fatalf("%s %+v", v.State, v.Findings)
	}
	if _, err := h.Apply(ctx, who, again(a, first.ID)); err != nil {
		t.Errorf("of one that came through: %v %v", err, findings(err))
	}
}
