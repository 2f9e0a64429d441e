// Package sqlstore is the store over database/sql, one text of SQL for SQLite
// and PostgreSQL. Packages sqlite and postgres open it.
package sqlstore

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"assay/internal/store"
)

// A Dialect is what differs between the engines.
type Dialect struct {
	// Name is store.Store's Engine.
	Name string
	// Begin starts a transaction that writes.
	Begin string
	// SkipLocked ends a SELECT of rows that other processes may hold.
	SkipLocked string
	// ForUpdate ends a SELECT of a row that the transaction will change.
	ForUpdate string
	// Lock takes a lock on a text until the transaction ends; "" where there is
	// one writer at a time anyway.
	Lock string
	// Lanes is how many transactions may be open at once.
	Lanes int
	// Translate turns an error of the driver into one of package store, nil
	// where it is none of those.
	Translate func(error) error
	// Retry reports an error after which the unit can simply run again: it met
	// a lock of another transaction.
	Retry func(error) bool
	// Unsure reports an error of COMMIT that leaves open whether it was done.
	Unsure func(error) bool
	// Pipe nil: statements are run one by one.
	Pipe Pipe
	// Deadline is how long a transaction may take. It is no caller's context: who
	// leaves must not break the commit of others.
	Deadline func() (context.Context, context.CancelFunc)

	// Scrub empties the engine's log; nil: that is not ours to do.
	Scrub func(ctx context.Context, read *sql.DB) error

	// watch sees every statement that looks for rows; for tests of their plans.
	watch func(query string, args []any)
}

// A DB is an open store.
type DB struct {
	reader
	dialect Dialect
	write   *sql.DB
	read    *sql.DB
	units   chan *unit
	stop    chan struct{} // closed: no more units are taken
	ended   chan struct{} // closed: every unit that was taken is answered
	once    sync.Once
	lanes   sync.WaitGroup
	closers []func() error
}

// New starts a store on open databases: write is used by dialect.Lanes
// connections at once, read by any number. Both may be the same. The closers
// are called by Close, in order.
func New(d Dialect, write, read *sql.DB, closers ...func() error) *DB {
	db := &DB{
		dialect: d, write: write, read: read,
		units: make(chan *unit, 4*maxBatch), stop: make(chan struct{}), ended: make(chan struct{}), closers: closers,
	}
	db.reader = reader{q: newPool(read, d.Pipe), dialect: &db.dialect}
	for range max(1, d.Lanes) {
		db.lanes.Add(1)
		go db.lane()
	}
	return db
}

// Engine names the engine.
func (db *DB) Engine() string { return db.dialect.Name }

// Scrub has what was erased leave the engine's log.
func (db *DB) Scrub(ctx context.Context) error {
	if db.dialect.Scrub == nil {
		return nil
	}
	return db.wrap(db.dialect.Scrub(ctx, db.read))
}

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	return db.wrap(db.read.QueryRowContext(ctx, "SELECT 1").Scan(&one))
}

// Close ends all units that were begun and closes the databases.
func (db *DB) Close() error {
	var err error
	db.once.Do(func() { err = db.shut() })
	return err
}

func (db *DB) shut() error {
	close(db.stop)
	db.lanes.Wait()
	close(db.ended)
	err := db.write.Close()
	if db.read != db.write {
		if e := db.read.Close(); err == nil {
			err = e
		}
	}
	for _, c := range db.closers {
		if e := c(); err == nil {
			err = e
		}
	}
	return err
}

// Reading is the pool of connections that read, for copies of the whole.
func (db *DB) Reading() *sql.DB { return db.read }

func (db *DB) wrap(err error) error { return wrap(&db.dialect, err) }

func wrap(d *Dialect, err error) error {
	if err == nil {
		return nil
	}
	if t := d.Translate(err); t != nil {
		return t
	}
	return err
}

// micros is how times are kept: 0 is never.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

var _ store.Store = (*DB)(nil)
