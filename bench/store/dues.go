package main

import (
	"context"
	"fmt"
	"time"

	"assay/internal/store"
)

// dues prints what taking and finishing a due check costs among many and among
// few that are open.
func dues(ctx context.Context, p *place, many int) error {
	few := min(1000, many)
	cost := map[int]time.Duration{}
	for _, n := range []int{few, many} {
		at, err := filled(ctx, p, n, `INSERT INTO due (order_id, kind, due_at) SELECT id, 'check', created_at FROM orders`,
			`INSERT INTO due (order_id, kind, due_at) SELECT id, 'deadline', deadline + 400000000000000 FROM orders`)
		if err != nil {
			return err
		}
		db, err := p.open(ctx, at)
		if err != nil {
			return err
		}
		const batch, rounds = 20, 25
		began := time.Now()
		for range rounds {
			var taken []store.Due
			err := db.Write(ctx, func(tx store.Tx) (err error) {
				taken, err = tx.TakeDue(noon, "bench", noon.Add(time.Minute), batch)
				return err
			})
			if err != nil || len(taken) != batch {
				return fmt.Errorf("%d taken: %w", len(taken), err)
			}
			err = db.Write(ctx, func(tx store.Tx) error {
				for _, d := range taken {
					if err := tx.FinishDue(d, "bench"); err != nil {
						return err
					}
					// The check comes again, behind all others.
					if err := tx.SetDue(store.Due{Order: d.Order, Kind: d.Kind, At: noon.Add(-time.Second)}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		cost[n] = time.Since(began) / (batch * rounds)
		if err := db.Close(); err != nil {
			return err
		}
	}
	fmt.Printf("  a due check taken, finished and set again: %v among %d, %v among %d: %.2f×\n",
		cost[few].Round(time.Microsecond), few, cost[many].Round(time.Microsecond), many, float64(cost[many])/float64(cost[few]))
	return nil
}
