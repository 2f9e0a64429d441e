// Package postgres opens the store in a PostgreSQL database, which any number of
// processes may share. Units of one process go over several connections, so that
// the commits overlap; what a unit queues travels in one pipeline.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"assay/internal/store/sqlstore"
)

const (
	// lanes is how many transactions of this process may be open at once.
	lanes = 4
	// readers is how many connections read at most.
	readers = 16
	// longest is how long a transaction of several units may take.
	longest = 30 * time.Second
	// lockWait is how long a statement waits for rows that another transaction
	// changed. Transactions of several units may wait for each other: the first
	// to give up commits what it has and begins anew with what had to wait.
	lockWait = "100ms"
	// migrateLock is the number of the advisory lock under which one process
	// at a time brings the tables up to date: "assay" in ASCII.
	migrateLock = 0x6173736179
	// nameOpen is what connections of an open store are called in the database,
	// nameOther what all others are: see [InUse].
	nameOpen, nameOther = "assay", "assay db"
)

// Open connects to a database ("postgres://user@host/name") and brings its
// tables up to date. The database itself must exist.
func Open(ctx context.Context, url string) (*sqlstore.DB, error) {
	write, err := connect(url, nameOpen, lanes, lockWait)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, url, func(db *sql.DB) error { return sqlstore.Migrate(ctx, "postgres", db) }); err != nil {
		return nil, errors.Join(fmt.Errorf("the tables of the PostgreSQL database: %w", translated(err)), write.Close())
	}
	read, err := connect(url, nameOpen, readers, "0")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return sqlstore.New(dialect(), write, read), nil
}

// Migrate brings the tables to a version, 0 for the newest; see
// [sqlstore.MigrateTo]. For a way down no other program may be running on the
// database: see [InUse].
func Migrate(ctx context.Context, url string, version int64) (from, to int64, err error) {
	err = migrate(ctx, url, func(db *sql.DB) (err error) {
		from, to, err = sqlstore.MigrateTo(ctx, "postgres", db, version)
		return err
	})
	if err != nil {
		return from, to, fmt.Errorf("the tables of the PostgreSQL database: %w", translated(err))
	}
	return from, to, nil
}

// Look opens a database for reading only, whatever the version of its tables is.
func Look(url string) (*sqlstore.Raw, error) {
	db, err := connect(url, nameOther, 2, "0")
	if err != nil {
		return nil, err
	}
	return sqlstore.NewRaw("postgres", db), nil
}

// ErrInUse: a program has the database open as a store, or changes it.
var ErrInUse = errors.New("another program uses the PostgreSQL database")

// Alter opens a database for writing and keeps others from opening it as a store
// until release is called, which also closes it: they wait. The error is [ErrInUse]
// where one has it open.
// A store that was opened just before may not have shown itself yet: look again with
// [InUse] once what it reads at first is changed.
func Alter(ctx context.Context, url string) (raw *sqlstore.Raw, release func() error, err error) {
	db, err := connect(url, nameOther, 3, "0")
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	lock, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, translated(err)
	}
	var mine bool
	if err := lock.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(migrateLock)).Scan(&mine); err != nil {
		return nil, nil, errors.Join(translated(err), lock.Close())
	}
	raw = sqlstore.NewRaw("postgres", db)
	used := !mine
	if mine {
		used, err = InUse(ctx, raw)
	}
	if err == nil && used {
		err = ErrInUse
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close())
	}
	// The end of the session ends the lock.
	return raw, func() error { return errors.Join(lock.Close(), db.Close()) }, nil
}

// InUse reports whether a program has the database of a [Look] open as a store.
// PostgreSQL shows the names of all connections to every role.
func InUse(ctx context.Context, s *sqlstore.Raw) (bool, error) {
	var n int
	err := s.Reading().QueryRowContext(ctx,
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1", nameOpen).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("looking who uses the PostgreSQL database: %w", translated(err))
	}
	return n > 0, nil
}

func connect(url, name string, most int, lockWait string) (*sql.DB, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 5 * time.Second
	}
	config.RuntimeParams["application_name"] = name
	config.RuntimeParams["lock_timeout"] = lockWait
	// Compiling a plan takes longer than any statement here: a tenth of a second of the
	// start alone, since what has no index counts as dear without sequential scans.
	config.RuntimeParams["jit"] = "off"
	if name == nameOpen {
		// Every statement has an index. A plan that was made while a table was empty, and
		// is kept, would read all of it for each row ever after.
		config.RuntimeParams["enable_seqscan"] = "off"
	}
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(durable))
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return db, nil
}

// durable takes back a setting under which commits are confirmed before they
// are on disk. Stronger settings (of a replicated database) stay.
func durable(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

// migrate runs f while no other process does.
func migrate(ctx context.Context, url string, f func(*sql.DB) error) (err error) {
	db, err := connect(url, nameOther, 3, "0")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	lock, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer lock.Close() // the end of the session ends the lock
	if _, err := lock.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(migrateLock)); err != nil {
		return err
	}
	return f(db)
}

func dialect() sqlstore.Dialect {
	return sqlstore.Dialect{
		Name: "postgres", Begin: "BEGIN ISOLATION LEVEL READ COMMITTED", Lanes: lanes,
		SkipLocked: " FOR UPDATE SKIP LOCKED", ForUpdate: " FOR UPDATE",
		Lock:      "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
		Translate: translate, Retry: retry, Unsure: unsure, Pipe: pipe,
		Deadline: func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), longest)
		},
	}
}

var errRolledBack = errors.New("PostgreSQL rolled the transaction back at its commit")

// pipe sends statements as one pipeline.
func pipe(ctx context.Context, conn *sql.Conn, list []sqlstore.Statement) (n int64, err error) {
	queued := &pgx.Batch{}
	for _, s := range list {
		queued.Queue(s.SQL, s.Args...)
	}
	committed := false
	err = conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("not a connection of pgx: %T", driver)
		}
		results := c.Conn().SendBatch(ctx, queued)
		for _, s := range list {
			tag, err := answer(results, s)
			if err == nil && s.SQL == "COMMIT" {
				if committed = tag.String() == "COMMIT"; !committed {
					err = errRolledBack
				}
			}
			if err != nil {
				_ = results.Close() // says the same
				return err
			}
			n = tag.RowsAffected()
		}
		return results.Close()
	})
	if committed {
		err = nil // a commit that was confirmed stays so, whatever becomes of the connection
	}
	return n, err
}

// answer reads the answer to the next statement of a pipeline.
func answer(results pgx.BatchResults, s sqlstore.Statement) (tag pgconn.CommandTag, err error) {
	if s.Row == nil {
		if tag, err = results.Exec(); err == nil && s.Met != nil {
			err = s.Met(tag.RowsAffected())
		}
		return tag, err
	}
	rows, err := results.Query()
	if err != nil {
		return tag, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := s.Row(rows.Scan); err != nil {
			return tag, err
		}
	}
	rows.Close()
	return rows.CommandTag(), rows.Err()
}
