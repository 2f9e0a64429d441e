package service

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/order"
)

// elsewhere is an upstream CA that answers what a test says.
type elsewhere struct {
	issuer.Issuer
	opened func(r *issuer.Request) (*issuer.Opened, error)
}

func (*elsewhere) ID() string     { return "elsewhere" }
func (*elsewhere) Upstream() bool { return true }

func (e *elsewhere) Open(_ context.Context, r *issuer.Request) (*issuer.Opened, error) {
	return e.opened(r)
}

// asks is an answer with a value for each name.
func asks(reference string, deadline time.Time, values map[string]string) *issuer.Opened {
	o := &issuer.Opened{Reference: reference, State: []byte(`{}`), Deadline: deadline}
	for n, v := range values {
		o.Challenges = append(o.Challenges, order.Challenge{Name: n, Method: order.MethodDNS01, Type: "TXT", Owner: "_acme-challenge." + n, Value: v, Origin: "upstream"})
	}
	return o
}

// TestUpstreamValues: an order shows the values of the upstream CA that it is
// completed by, and ends when those do. A value that another account was given
// too, or a name that the CA asks nothing for, proves nothing: then it is a value
// of our own.
func TestUpstreamValues(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ca := &elsewhere{}
	h.Issuer = func(string) issuer.Issuer { return ca }
	soon := h.clock().Add(time.Hour)
	values := func(v *View) (origins []string) {
		for _, c := range v.Challenges {
			origins = append(origins, c.Origin)
		}
		slices.Sort(origins)
		return slices.Compact(origins)
	}
	ca.opened = func(*issuer.Request) (*issuer.Opened, error) {
		return asks("r1", soon, map[string]string{"orchard.net": "theirs-1"}), nil
	}
	first := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	v := h.read(t, first.ID)
	if !slices.Equal(values(v), []string{"upstream"}) || v.Challenges[0].Value != "theirs-1" || !v.Deadline.Equal(soon) {
		t.Fatalf("%+v, deadline %v", v.Challenges, v.Deadline)
	}
	if due := h.due(t, v.ID); !due[store.DueDeadline].Equal(soon) {
		t.Errorf("due %v", due)
	}
	opened := 0
	ca.opened = func(*issuer.Request) (*issuer.Opened, error) {
		opened++
		return asks("r1", soon, map[string]string{"orchard.net": "theirs-1"}), nil
	}
	h.once(t)
	if opened != 0 {
		t.Error("opened again")
	}
	// The same order there, for somebody else.
	other := h.who[RoleApplicant]
	other.Account = "another"
	if _, err := h.PutAccount(context.Background(), h.who[RoleAdministrator], AccountView{ID: "another", Verified: true}); err != nil {
		t.Fatal(err)
	}
	second := h.apply(t, other, dv(t, "orchard.net"))
	h.once(t)
	if v = h.read(t, second.ID); !slices.Equal(values(v), []string{"own"}) {
		t.Errorf("a value that another account was given: %+v", v.Challenges)
	}
	// The same order there, for another order of the same account.
	third := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	if v = h.read(t, third.ID); !slices.Equal(values(v), []string{"own"}) {
		t.Errorf("a value of another order: %+v", v.Challenges)
	}
	// Of two names the CA asks for one.
	ca.opened = func(*issuer.Request) (*issuer.Opened, error) {
		return asks("r2", soon, map[string]string{"orchard.net": "theirs-2"}), nil
	}
	fourth := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net", "www.orchard.net"))
	h.once(t)
	if v = h.read(t, fourth.ID); !slices.Equal(values(v), []string{"own", "upstream"}) {
		t.Errorf("a name that is asked nothing for: %+v", v.Challenges)
	}
}

// TestUpstreamRefuses: what the CA refuses is told by its causes; a CA that is
// away costs the order nothing.
func TestUpstreamRefuses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ca := &elsewhere{}
	h.Issuer = func(string) issuer.Issuer { return ca }
	ca.opened = func(*issuer.Request) (*issuer.Opened, error) {
		return nil, &issuer.Unavailable{Problem: "network", Err: errors.New("no route")}
	}
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StatePending || v.NextCheck == nil || !v.NextCheck.After(h.clock()) {
		t.Fatalf("%s, next %v", v.State, v.NextCheck)
	}
	ca.opened = func(*issuer.Request) (*issuer.Opened, error) {
		return nil, &issuer.Refusal{Problems: []issuer.Problem{{Cause: cause.PolicyBlockedName, Subject: "orchard.net", Parameters: map[string]any{"entry": "orchard.net"}}}}
	}
	h.pass(time.Hour)
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateFailed || !slices.Contains(causesIn(v), cause.PolicyBlockedName) {
		t.Fatalf("%s %s %v", v.State, v.Reason, causesIn(v))
	}
}
