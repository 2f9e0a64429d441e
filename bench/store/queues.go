package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/internal/store"
	"assay/internal/store/sqlstore"
	"assay/order"
)

// fillQueue lets every pending order wait for a reviewer; a tenth is claimed.
const fillQueue = `INSERT INTO desk (order_id, tenant, account, product, name, names, review, causes, state, opened_at, due_at, claimed_by, claimed_until, version)
	SELECT id, tenant, account, CASE WHEN created_at %% 20000 = 0 THEN 'ov' ELSE 'dv' END, name, 1, 'r', 'policy.sensitive-word', 'open', created_at,
	created_at + 86400000000, CASE WHEN created_at %% 100000 = 0 THEN 'rita' ELSE '' END, 0, 1 FROM orders WHERE state = 'pending' ORDER BY id LIMIT %d`

// queues prints how long pages of the review queue take, and one decision's reads.
func queues(ctx context.Context, p *place, db *sqlstore.DB, at string) error {
	const waiting = 100_000
	raw, err := bare(p, at)
	if err != nil {
		return err
	}
	queries := []string{fmt.Sprintf(fillQueue, waiting)}
	if p.pg != nil {
		queries = append(queries, "ANALYZE desk")
	}
	for _, query := range queries {
		if _, err := raw.ExecContext(ctx, query); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", query, err), raw.Close())
		}
	}
	var n int
	if err := errors.Join(raw.QueryRowContext(ctx, "SELECT count(*) FROM desk").Scan(&n), raw.Close()); err != nil {
		return err
	}
	fmt.Printf("  %-44s %10s %10s\n", "review queue, "+fmt.Sprint(n)+" orders wait", "p50", "p99")
	first, err := db.Desk(ctx, store.DeskFilter{Tenant: "root", State: store.DeskOpen, Limit: 200})
	if err != nil {
		return err
	}
	middle := store.DeskKeyset{Due: first[0].Due.Add(time.Duration(n/2) * 10 * time.Millisecond), Order: first[0].Order}
	for _, c := range []struct {
		name string
		f    store.DeskFilter
	}{
		{"the 50 that are due first", store.DeskFilter{}},
		{"50 from the middle", store.DeskFilter{After: middle}},
		{"50 of a product", store.DeskFilter{Product: order.OV}},
		{"50 of an account", store.DeskFilter{Account: "a0"}},
		{"50 that a reviewer claimed", store.DeskFilter{ClaimedBy: "rita"}},
	} {
		c.f.Tenant, c.f.State, c.f.Limit = "root", store.DeskOpen, 50
		p50, p99, err := timed(500, func() error {
			list, err := db.Desk(ctx, c.f)
			if err == nil && len(list) != min(50, n) {
				err = fmt.Errorf("%s: %d rows instead of 50", c.name, len(list))
			}
			return err
		})
		if err != nil {
			return err
		}
		fmt.Printf("  %-44s %10v %10v\n", c.name, p50, p99)
	}
	return nil
}
