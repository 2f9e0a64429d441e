package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"assay/bench/fill"
	"assay/internal/store"
	"assay/internal/store/sqlstore"
	"assay/order"
)

// first is when the orders begin.
var first = time.UnixMicro(1700000000000000)

// filled makes a database of n orders and closes it.
func filled(ctx context.Context, p *place, n int, more ...string) (at string, err error) {
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
	return at, fill.Bulk(ctx, p.name, at, append(fill.Orders(p.name, n, first), more...)...)
}

// lists prints how long pages take, and the start.
func lists(ctx context.Context, p *place, n int) error {
	at, err := filled(ctx, p, n)
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
	middle := store.OrderKeyset{Created: first.Add(time.Duration(n/2) * time.Millisecond), ID: fmt.Sprintf("o%07d", n/2)}
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
