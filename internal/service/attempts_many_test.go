package service

import (
	"context"
	"testing"

	"assay/internal/store"
	"assay/order"
)

// TestManyAttempts: an order of more than a thousand attempts goes on from the newest.
func TestManyAttempts(t *testing.T) {
	t.Parallel()
	const before = 1005
	for name, begins := range map[string]func(h *caHouse, failed func(*View)) *View{
		"at once": func(h *caHouse, failed func(*View)) *View {
			v := h.passes(t, dv(t, "orchard.net"))
			failed(v)
			return v
		},
		"through the gate": func(h *caHouse, failed func(*View)) *View { v := h.ready(t, dv(t, "orchard.net")); failed(v); return v },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newCAHouse(t)
			v := begins(h, func(v *View) {
				h.do(t, func(tx store.Tx) error {
					for n := range before {
						a := store.Attempt{Order: v.ID, Seq: n + 10, Issuer: "issuing-1", State: order.AttemptFailed, Created: h.clock(), Ended: h.clock()}
						if err := tx.InsertAttempt(&a); err != nil {
							return err
						}
					}
					return nil
				})
			})
			h.pass(day / 24)
			h.once(t)
			if v = h.read(t, v.ID); v.State != order.StateIssued {
				t.Fatalf("%s %v", v.State, causesIn(v))
			}
			h.certified(t, v)
			list, err := h.Store.Attempts(context.Background(), v.ID)
			if err != nil || len(list) != 1000 || list[999].Seq != before+10 || list[999].State != order.AttemptIssued {
				t.Errorf("%d attempts, %v", len(list), err)
			}
		})
	}
}
