package service

import (
	"context"
	"fmt"
	"testing"
	"time"

	"assay/internal/store"
	"assay/perspective"
)

// BenchmarkDueCheck is one check of a due order, without the network, among so
// many open orders that are not due: its cost is the same.
func BenchmarkDueCheck(b *testing.B) {
	for _, open := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("open=%d", open), func(b *testing.B) {
			h := &house{bed: newBed(b), counts: &counts{}}
			h.Places = []perspective.Place{deaf{}}
			v, err := h.Apply(context.Background(), h.who[RoleApplicant], dv(b, "orchard.net"))
			if err != nil {
				b.Fatal(err)
			}
			h.fill(b, v.ID, open)
			ctx := context.Background()
			for b.Loop() {
				h.pass(time.Hour / 1000)
				err := h.Store.Write(ctx, func(tx store.Tx) error {
					return tx.SetDue(store.Due{Order: v.ID, Kind: store.DueCheck, At: h.clock()})
				})
				if err != nil {
					b.Fatal(err)
				}
				if n, err := h.runDue(ctx); err != nil || n != 1 {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// fill adds open orders like one that is there, due in a year.
func (h *house) fill(tb testing.TB, like string, n int) {
	tb.Helper()
	ctx := context.Background()
	o, err := h.Store.Order(ctx, "", like)
	if err != nil {
		tb.Fatal(err)
	}
	for i := 0; i < n; i += 1000 {
		err := h.Store.Write(ctx, func(tx store.Tx) error {
			for j := range min(1000, n-i) {
				c := *o
				c.ID, c.Account = fmt.Sprintf("F%07d", i+j), fmt.Sprintf("a%d", i+j)
				later := h.clock().AddDate(1, 0, 0)
				name := fmt.Sprintf("a%d.net", i+j)
				err := tx.InsertOrder(&c, store.NewOrder{
					Names: []store.OrderName{{Name: name, Domain: name}},
					Due:   []store.Due{{Kind: store.DueCheck, At: later}, {Kind: store.DueDeadline, At: later}, {Kind: store.DueReminder, At: later}},
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}
