// Package sqlite opens the store in a file: WAL, synchronous=FULL, one writer.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	moderncsqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"assay/internal/store"
	"assay/internal/store/sqlstore"
)

// ErrInUse: another process has the database open.
var ErrInUse = errors.New("another process uses the database")

const (
	// readers is how many connections read at most.
	readers = 8
	// idle is how long one of them is kept that nobody uses.
	idle = 5 * time.Minute
)

// Open opens or makes the database in a file and brings its tables up to date.
// The file can be read by its owner only, and by one process at a time
// ([ErrInUse]); that holds the lock on a second file, PATH.lock.
func Open(ctx context.Context, path string) (*sqlstore.DB, error) {
	return open(ctx, path, dsn(path))
}

// open is Open with a data source of its own, for tests of faults.
func open(ctx context.Context, path, source string) (db *sqlstore.DB, err error) {
	release, err := Claim(path)
	if err != nil {
		return nil, err
	}
	undo := []func() error{release}
	defer func() {
		if err != nil {
			for _, f := range slices.Backward(undo) {
				err = errors.Join(err, f())
			}
		}
	}()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", source+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	undo = append(undo, write.Close)
	write.SetMaxOpenConns(1)
	if err := sqlstore.Migrate(ctx, "sqlite", write); err != nil {
		if t := translate(err); t != nil {
			err = t
		}
		return nil, fmt.Errorf("the tables of %s: %w", path, err)
	}
	read, err := sql.Open("sqlite", source+"&_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	read.SetConnMaxIdleTime(idle) // each has up to 8 MB of pages
	return sqlstore.New(dialect(), write, read, release), nil
}

// Migrate brings the tables of a database that is there to a version, 0 for the
// newest; see [sqlstore.MigrateTo].
func Migrate(ctx context.Context, path string, version int64) (from, to int64, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, 0, fmt.Errorf("the database: %w", err)
	}
	release, err := Claim(path)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, release()) }()
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	from, to, err = sqlstore.MigrateTo(ctx, "sqlite", db, version)
	if err != nil {
		if t := translate(err); t != nil {
			err = t
		}
		return from, to, fmt.Errorf("the tables of %s: %w", path, err)
	}
	return from, to, nil
}

// Look opens a database that is there for reading only, whatever the version of
// its tables is and also while another process writes to it: SQLite's WAL gives
// each transaction that reads the state of one moment, across processes. While
// one is open the file PATH-wal grows with what others write.
func Look(path string) (*sqlstore.Raw, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("the database: %w", err)
	}
	v := url.Values{"mode": {"ro"}}
	for _, p := range []string{"query_only(1)", "busy_timeout(5000)", "cache_size(-8000)", "temp_store(MEMORY)"} {
		v.Add("_pragma", p)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+v.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	return sqlstore.NewRaw("sqlite", db), nil
}

// Alter opens a database that is there for writing and keeps others from opening it
// as a store until release is called, which also closes it.
func Alter(path string) (raw *sqlstore.Raw, release func() error, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, nil, fmt.Errorf("the database: %w", err)
	}
	unclaim, err := Claim(path)
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.Open("sqlite", dsn(path)+"&_txlock=immediate")
	if err != nil {
		return nil, nil, errors.Join(err, unclaim())
	}
	db.SetMaxOpenConns(1)
	return sqlstore.NewRaw("sqlite", db), func() error { return errors.Join(db.Close(), unclaim()) }, nil
}

// Make makes a database of a version in a file that is not there yet, to be
// filled by a copy. Nobody else may know of the file.
func Make(ctx context.Context, path string, version int64) (*sqlstore.Raw, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path)+"&_pragma=cache_size(-64000)") // indexes are filled at random places
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, _, err := sqlstore.MigrateTo(ctx, "sqlite", db, version); err != nil {
		return nil, errors.Join(fmt.Errorf("the tables of %s: %w", path, err), db.Close())
	}
	return sqlstore.NewRaw("sqlite", db), nil
}

// Check has SQLite look through a whole file: pages, indexes, rows that refer to
// others.
func Check(ctx context.Context, path string) error {
	s, err := Look(path)
	if err != nil {
		return err
	}
	defer s.Close()
	var word string
	if err := s.Reading().QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&word); err != nil {
		return fmt.Errorf("checking %s: %w", path, err)
	} else if word != "ok" {
		return fmt.Errorf("checking %s: %s", path, word)
	}
	var table, parent string
	err = s.Reading().QueryRowContext(ctx, `SELECT "table", parent FROM pragma_foreign_key_check LIMIT 1`).Scan(&table, &parent)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("checking %s: %w", path, err)
	}
	return fmt.Errorf("checking %s: a row of %s refers to none of %s", path, table, parent)
}

// Snapshot writes a consistent copy of an open database to a file that is not
// there yet, while it is being used.
func Snapshot(ctx context.Context, db *sqlstore.DB, to string) error {
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is there already", to)
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // VACUUM takes an empty file
	if err != nil {
		return err
	}
	if err = errors.Join(vacuum(ctx, db, to), f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("a snapshot of the database in %s: %w", to, err), os.Remove(to))
	}
	return nil
}

// vacuum reads from a connection that must not write, but for this file.
func vacuum(ctx context.Context, db *sqlstore.DB, to string) error {
	conn, err := db.Reading().Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "PRAGMA query_only = 0"); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "VACUUM INTO $1", to)
	_, back := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only = 1")
	return errors.Join(err, back)
}

func dsn(path string) string {
	v := url.Values{}
	for _, p := range []string{
		"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", fmt.Sprintf("busy_timeout(%d)", busyTimeout), "cache_size(-8000)", "temp_store(MEMORY)",
		"secure_delete(1)",         // what is erased does not stay in what is free
		"wal_autocheckpoint(4000)", // 16 MB: a page that many commits change is copied back once
	} {
		v.Add("_pragma", p)
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

func dialect() sqlstore.Dialect {
	return sqlstore.Dialect{
		Name: "sqlite", Begin: "BEGIN IMMEDIATE", Lanes: 1,
		Translate: translate, Retry: func(error) bool { return false }, Unsure: unsure,
		Scrub: scrub,
		// No end to it: a statement that is interrupted takes the transaction with it.
		Deadline: func() (context.Context, context.CancelFunc) { return context.Background(), func() {} },
	}
}

// scrubWait is how long the log waits for those who use it, in milliseconds: who
// writes waits for as long.
const scrubWait = 100

// scrub writes the log back into the file and empties it: the pages of before an
// erasure are in it. A connection that must not write can do so
// (https://www.sqlite.org/pragma.html#pragma_query_only).
func scrub(ctx context.Context, read *sql.DB) error {
	conn, err := read.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", scrubWait)); err != nil {
		return err
	}
	var busy, frames, done int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &done)
	_, back := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeout))
	if err := errors.Join(err, back); err != nil {
		return err
	}
	if busy != 0 {
		return fmt.Errorf("%w: others use its log", store.ErrUnavailable)
	}
	return nil
}

// busyTimeout is how long a connection waits for another one, in milliseconds.
const busyTimeout = 5000

// unsure: what was written may be read again when the file is opened next,
// although the disk did not say that it has it.
func unsure(err error) bool {
	var e *moderncsqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_IOERR
}

// Damaged reports whether an error says that a file is a damaged database, or none.
func Damaged(err error) bool {
	var e *moderncsqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CORRUPT || e.Code()&0xff == sqlite3.SQLITE_NOTADB)
}

// translate knows SQLite's result codes (https://www.sqlite.org/rescode.html).
func translate(err error) error {
	var e *moderncsqlite.Error
	if !errors.As(err, &e) {
		if errors.Is(err, sql.ErrConnDone) || strings.Contains(err.Error(), "database is closed") {
			return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		return nil
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	}
	if e.Code() == sqlite3.SQLITE_CONSTRAINT_TRIGGER && strings.Contains(e.Error(), store.ErrStep.Error()) {
		return fmt.Errorf("%w: %w", store.ErrStep, err)
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return nil
}
