package service

import (
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/lab"
	"assay/order"
)

// TestUpstreamOwnValidation: that an account validated a name here does not stand in for
// a value that an upstream CA wants to see: it would look for it and not find it. A CA
// of our own asks for nothing: the near miss.
func TestUpstreamOwnValidation(t *testing.T) {
	t.Parallel()
	own := newCAHouse(t)
	own.issuedFor(t, dv(t, "orchard.net"))
	own.places(t, "", true, "P0")
	v := own.apply(t, own.who[RoleApplicant], dv(t, "orchard.net"))
	own.once(t)
	own.once(t)
	if v = own.read(t, v.ID); v.State != order.StateIssued {
		t.Fatalf("by our own CA: %s %v", v.State, causesIn(v))
	}
	h := newFarHouse(t)
	first := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	if first = h.goes(t, first, time.Minute); first.State != order.StateIssued {
		t.Fatalf("%s %v", first.State, causesIn(first))
	}
	v = h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	v = h.read(t, v.ID)
	h.world(t, v, bare())
	if v = h.passes(t, v, time.Minute); v.State != order.StatePending || origin(v) != "upstream" || len(h.ca.issued) != 1 {
		t.Fatalf("%s, values %s, %d certificates", v.State, origin(v), len(h.ca.issued))
	}
	h.world(t, v, lab.Change{})
	if v = h.passes(t, v, time.Hour); v.State != order.StateIssued {
		t.Errorf("%s %v", v.State, causesIn(v))
	}
}

// TestUpstreamAnew: an order whose order at the CA is over begins another one, with
// other values, and time to publish them; what was published for the first counts no
// more.
func TestUpstreamAnew(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	refuses := true
	h.ca.complete = func(o *farOrder) error {
		if !refuses {
			return nil
		}
		refuses, o.status = false, "invalid"
		return &issuer.Refusal{Problems: []issuer.Problem{{Cause: cause.DNSRecordMissing, Subject: "orchard.net", Parameters: map[string]any{"name": "orchard.net"}}}}
	}
	h.ca.lives = 2 * time.Hour // of the CA's order, and so of ours
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	v = h.read(t, v.ID)
	value := v.Challenges[0].Value
	h.pass(90 * time.Minute)
	h.ca.lives = 7 * day
	h.world(t, v, lab.Change{})
	v = h.passes(t, v, 20*time.Minute)
	if v.State != order.StatePending || v.Challenges[0].Value == value || origin(v) != "upstream" || v.Deadline.Before(h.clock().Add(time.Hour)) {
		t.Fatalf("%s %+v until %v, %v", v.State, v.Challenges, v.Deadline, causesIn(v))
	}
	if due := h.due(t, v.ID); !due["deadline"].Equal(*v.Deadline) {
		t.Errorf("due %v, until %v", due, v.Deadline)
	}
	if v = h.passes(t, v, 20*time.Minute); v.State != order.StatePending {
		t.Fatalf("by the first value: %s", v.State)
	}
	if v = h.goes(t, v, 40*time.Minute); v.State != order.StateIssued {
		t.Fatalf("%s %v", v.State, causesIn(v))
	}
	h.keyed(t, v)
}
