package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"assay/internal/store"
	"assay/internal/store/sqlstore"
	"assay/order"
)

// fillOrders generates orders in the database itself. Bodies are short: lists do not read them.
const fillOrders = `INSERT INTO orders (id, tenant, account, state, product, kind, profile, method, name, names, body, created_at, submitted_at, deadline, changed_at, ended_at, version)
	SELECT 'o' || substr(CAST(10000000 + i AS TEXT), 2), 'root', 'a' || CAST(i %% 50 AS TEXT), CASE WHEN i %% 10 = 0 THEN 'pending' ELSE 'failed' END,
	'dv', 'new', 'cloud', 'dns', 'n' || CAST(i AS TEXT) || '.net', 1, %s, 1700000000000000 + i * 1000, 1700000000000000 + i * 1000,
	1700300000000000 + i * 1000, 1700000000000000 + i * 1000, CASE WHEN i %% 10 = 0 THEN 0 ELSE 1700300000000000 + i * 1000 END, 1 FROM %s`

const fillNames = `INSERT INTO order_names (order_id, tenant, name, domain, lead, created_at)
	SELECT id, tenant, name, name, 1, created_at FROM orders`

// series is the rows i = 1 to n of an engine, blob an order's body.
func series(p *place, n int) (rows, blob string) {
	if p.pg != nil {
		return fmt.Sprintf("generate_series(1, %d) AS s(i)", n), `'{"names":["x.net"]}'::bytea`
	}
	return fmt.Sprintf("(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s)", n), `CAST('{"names":["x.net"]}' AS BLOB)`
}

// fill makes a database of n orders and closes it.
func fill(ctx context.Context, p *place, n int, more ...string) (at string, err error) {
	if at, err = p.make(ctx); err != nil {
		return "", err
	}
	db, err := p.open(ctx, at)
	if err != nil {
		return "", err
	}
	if err := errors.Join(people(ctx, db), db.Close()); err != nil {
		return "", err
	}
	raw, err := bare(p, at)
	if err != nil {
		return "", err
	}
	rows, blob := series(p, n)
	insert := fmt.Sprintf(fillOrders, blob, rows)
	if p.pg != nil {
		more = append(more, "ANALYZE")
	}
	for _, query := range append([]string{insert, fillNames}, more...) {
		if _, err := raw.ExecContext(ctx, query); err != nil {
			return "", errors.Join(fmt.Errorf("%s: %w", query, err), raw.Close())
		}
	}
	return at, raw.Close()
}

// lists prints how long pages take, and the start.
func lists(ctx context.Context, p *place, n int) error {
	at, err := fill(ctx, p, n)
	if err != nil {
		return err
	}
	runtime.GC()
	began := time.Now()
	db, err := p.open(ctx, at)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Ping(ctx); err != nil {
		return err
	}
	if _, err := db.NextDue(ctx); err != nil {
		return err
	}
	fmt.Printf("  open and ready with %d orders: %v\n", n, time.Since(began).Round(100*time.Microsecond))
	fmt.Printf("  %-44s %10s %10s\n", "lists among "+fmt.Sprint(n)+" orders", "p50", "p99")
	middle := store.OrderKeyset{Created: time.UnixMicro(1700000000000000 + int64(n/2)*1000), ID: fmt.Sprintf("o%07d", n/2)}
	name := fmt.Sprintf("n%d.net", n/2)
	for _, c := range []struct {
		name string
		f    store.OrderFilter
		want int
	}{
		{"newest 50", store.OrderFilter{Tenant: "root"}, 50},
		{"50 from the middle", store.OrderFilter{Tenant: "root", Before: middle}, 50},
		{"newest 50 of an account", store.OrderFilter{Tenant: "root", Account: "a7"}, 50},
		{"newest 50 that are pending", store.OrderFilter{Tenant: "root", State: order.StatePending}, 50},
		{"by name", store.OrderFilter{Tenant: "root", Name: name}, 1},
		{"by domain", store.OrderFilter{Tenant: "root", Domain: name}, 1},
	} {
		c.f.Limit = 50
		p50, p99, err := timed(500, func() error { return page(ctx, db, c.f, c.want) })
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Printf("  %-44s %10v %10v\n", c.name, p50, p99)
	}
	if err := queues(ctx, p, db, at); err != nil {
		return err
	}
	p50, p99, err := timed(20, func() error { _, err := db.Stats(ctx, noon); return err })
	fmt.Printf("  %-44s %10v %10v\n", "counts for metrics", p50, p99)
	return err
}

func page(ctx context.Context, db *sqlstore.DB, f store.OrderFilter, want int) error {
	list, err := db.Orders(ctx, f)
	if err == nil && len(list) != want {
		err = fmt.Errorf("%d rows instead of %d", len(list), want)
	}
	return err
}

// timed calls f n times.
func timed(n int, f func() error) (p50, p99 time.Duration, err error) {
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		if err := f(); err != nil {
			return 0, 0, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[n/2].Round(time.Microsecond), took[n*99/100].Round(time.Microsecond), nil
}
