package service

import (
	"context"
	"slices"
	"testing"

	"assay/cause"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
)

// enoughPlaces are as many as the cloud's profile wants.
var enoughPlaces = []string{"P0", "P1", "P2", "P3", "P4", "P5"}

// TestLabOutside: what a laboratory showed counts in one only, also for the order that
// it was shown for.
func TestLabOutside(t *testing.T) {
	t.Parallel()
	for name, inside := range map[string]bool{"in a laboratory": true, "outside": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.Profiles = likeCloud
			v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			h.writes(t, func(tx store.Tx) error {
				return tx.PutValidation(store.Validation{
					Tenant: RootTenant, Account: "shop", Domain: "orchard.net", Method: order.MethodDNS, Profile: validationKey("cloud", forLab), Order: v.ID, At: h.clock(),
				})
			})
			h.places(t, "", inside, enoughPlaces...)
			h.once(t)
			v = h.read(t, v.ID)
			if missing := slices.Contains(causesIn(v), cause.DNSRecordMissing); missing == inside || (v.State == order.StateReady) != inside {
				t.Errorf("%s %v", v.State, causesIn(v))
			}
		})
	}
}

// TestLabTakenUp: an order that is paused because it was looked at in a laboratory is
// taken up when the service starts outside of one, and looked at anew: without its
// record it goes back. In the laboratory it stays.
func TestLabTakenUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		inside, published bool
		state             order.State
	}{
		"in a laboratory":             {true, true, order.StateReady},
		"outside":                     {false, true, order.StateIssued},
		"outside, without the record": {false, false, order.StatePending},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newCAHouse(t)
			h.Profiles = profile.Named
			v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			value := v.Challenges[0].Value
			h.places(t, value, true, enoughPlaces...)
			h.once(t)
			h.once(t)
			if v = h.read(t, v.ID); v.State != order.StateReady || v.Paused != PausedLab || len(h.due(t, v.ID)) != 0 {
				t.Fatalf("%s, paused %q, due %v, %v", v.State, v.Paused, h.due(t, v.ID), causesIn(v))
			}
			if !c.published {
				value = ""
			}
			h.places(t, value, c.inside, enoughPlaces...)
			if !c.inside {
				h.Profiles = likeCloud // our own CA is none of the public internet
			}
			h.adoptReady(context.Background())
			if due := h.due(t, v.ID); (len(due) == 0) != c.inside {
				t.Errorf("due %v", due)
			}
			h.once(t)
			h.once(t)
			if v = h.read(t, v.ID); v.State != c.state || (v.Paused == PausedLab) != c.inside || len(h.ca.made) != btoi(c.state == order.StateIssued) {
				t.Errorf("%s, paused %q, %d signatures, %v", v.State, v.Paused, len(h.ca.made), causesIn(v))
			}
		})
	}
}
