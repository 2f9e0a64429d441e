package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"assay/bench/measure"
	"assay/internal/store"
	"assay/internal/store/sqlstore"
	"assay/order"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// parallel calls f from n places for as long as each and returns calls a second.
func parallel(n int, each time.Duration, f func(client int) error) (float64, error) {
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	began := time.Now()
	for c := range n {
		all.Go(func() {
			for time.Since(began) < each && failed.Load() == nil {
				if err := f(c); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(done.Load()) / time.Since(began).Seconds(), nil
}

// bare opens the engine without the store, as durable as that.
func bare(p *place, at string) (*sql.DB, error) {
	if p.pg != nil {
		return sql.Open("pgx", at)
	}
	db, err := sql.Open("sqlite", "file:"+at+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// rates prints commits of one row, alone and in company, beside units of an
// order with all that belongs to it.
func rates(ctx context.Context, p *place, each time.Duration) error {
	at, err := p.make(ctx)
	if err != nil {
		return err
	}
	raw, err := bare(p, at)
	if err != nil {
		return err
	}
	if _, err := raw.ExecContext(ctx, "CREATE TABLE bare (id BIGINT PRIMARY KEY, body TEXT NOT NULL)"); err != nil {
		return err
	}
	var n atomic.Int64
	insert, err := raw.PrepareContext(ctx, "INSERT INTO bare (id, body) VALUES ($1, $2)")
	if err != nil {
		return err
	}
	single := map[int]float64{}
	for _, clients := range []int{1, 8, 32} {
		raw.SetMaxIdleConns(32)
		rate, err := parallel(clients, each, func(int) error {
			_, err := insert.ExecContext(ctx, n.Add(1), "one row of about forty bytes for a commit")
			return err
		})
		if err != nil {
			return err
		}
		single[clients] = rate
	}
	if err := raw.Close(); err != nil {
		return err
	}
	db, err := peopled(ctx, p)
	if err != nil {
		return err
	}
	defer db.Close()
	fmt.Printf("  %-8s %18s %18s %8s %14s\n", "clients", "bare commits/s", "orders/s", "ratio", "CPU an order")
	for _, clients := range []int{1, 8, 32} {
		before, first := measure.CPUTime(), n.Load()
		rate, err := parallel(clients, each, func(int) error { return apply(ctx, db, int(n.Add(1))) })
		if err != nil {
			return err
		}
		cpu := (measure.CPUTime() - before) / time.Duration(n.Load()-first) // of this process
		fmt.Printf("  %-8d %18.0f %18.0f %7.2f× %14v\n", clients, single[clients], rate, rate/single[clients], cpu.Round(time.Microsecond))
	}
	return nil
}

// peopled makes a database with an account, and nothing else.
func peopled(ctx context.Context, p *place) (*sqlstore.DB, error) {
	at, err := p.make(ctx)
	if err != nil {
		return nil, err
	}
	db, err := p.open(ctx, at)
	if err != nil {
		return nil, err
	}
	if err := people(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func people(ctx context.Context, db *sqlstore.DB) error {
	return db.Write(ctx, func(tx store.Tx) error {
		if err := tx.PutTenant(store.Tenant{ID: "root", Name: "root", Created: noon}); err != nil {
			return err
		}
		return tx.PutAccount(store.Account{Tenant: "root", ID: "a", Created: noon})
	})
}

// apply writes what an application does: the order with two names, keys, a
// value and what is due, the audit entry, the answer kept for a repetition.
func apply(ctx context.Context, db *sqlstore.DB, n int) error {
	id := fmt.Sprintf("o%07d", n)
	name := fmt.Sprintf("n%d.net", n)
	at := noon.Add(time.Duration(n) * time.Millisecond)
	o := &store.Order{
		OrderRow: store.OrderRow{
			ID: id, Tenant: "root", Account: "a", State: order.StatePending, Phase: order.PhaseValidation, Product: order.DV, Kind: order.New,
			Profile: "cloud", Method: order.MethodDNS, Name: name, Names: 2, Created: at, Submitted: at, Deadline: at.Add(72 * time.Hour), Changed: at,
		},
		Order: &order.Order{ID: id, Product: order.DV, Names: []string{name, "www." + name}, CSR: csr, Method: order.MethodDNS, SubmittedAt: at},
	}
	extra := store.NewOrder{
		Names: []store.OrderName{{Name: name, Domain: name}, {Name: "www." + name, Domain: name}},
		Keys:  []store.OrderKey{{Kind: "csr", Digest: "c" + id}, {Kind: "key", Digest: "k" + id}},
		Challenges: []order.Challenge{{
			Name: name, Method: order.MethodDNS, Type: "TXT", Owner: "_dnsauth." + name, Value: "v" + id, Origin: "own",
			Created: at, Expires: at.Add(72 * time.Hour),
		}},
		Due: []store.Due{{Kind: store.DueCheck, At: at}, {Kind: store.DueDeadline, At: o.Deadline}, {Kind: store.DueReminder, At: at.Add(36 * time.Hour)}},
	}
	return db.Write(ctx, func(tx store.Tx) error {
		if err := tx.InsertOrder(o, extra); err != nil {
			return err
		}
		if err := tx.Append(store.Entry{
			ID: "e" + id, At: at, Tenant: "root", Actor: "t1", Role: "applicant", Action: "order.submit", Subject: "order:" + id,
			Order: id, OrderVersion: 1, Data: json.RawMessage(`{"state":"pending","names":2}`), Private: []byte(id),
		}); err != nil {
			return err
		}
		return tx.PutRequest(store.Request{
			Token: "t1", Key: id, Digest: []byte(id), Status: 201, Headers: json.RawMessage(`{}`), Body: make([]byte, 1500), Created: at,
		})
	})
}

// csr has the length of one.
var csr = "-----BEGIN CERTIFICATE REQUEST-----\n" + fmt.Sprintf("%0900d", 0) + "\n-----END CERTIFICATE REQUEST-----\n"
