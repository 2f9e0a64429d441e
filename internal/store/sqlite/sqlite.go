// Package sqlite opens the store in a file: WAL, synchronous=FULL, one writer.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/pressly/goose/v3"
	moderncsqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"assay/internal/store"
	"assay/internal/store/migrations"
	"assay/internal/store/sqlstore"
)

// Open opens or makes the database in a file and brings its tables up to date.
// The file can be read by its owner only.
func Open(ctx context.Context, path string) (*sqlstore.DB, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", dsn(path, "immediate"))
	if err != nil {
		return nil, err
	}
	write.SetMaxOpenConns(1)
	if err := migrate(ctx, write); err != nil {
		return nil, errors.Join(fmt.Errorf("the tables of %s: %w", path, err), write.Close())
	}
	read, err := sql.Open("sqlite", dsn(path, "deferred")+"&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(8)
	return sqlstore.New(dialect(), write, read), nil
}

func dsn(path, lock string) string {
	v := url.Values{}
	for _, p := range []string{"journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "busy_timeout(5000)", "cache_size(-8000)", "temp_store(MEMORY)"} {
		v.Add("_pragma", p)
	}
	v.Set("_txlock", lock)
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + v.Encode()
}

func migrate(ctx context.Context, db *sql.DB) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations.Files)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

func dialect() sqlstore.Dialect {
	return sqlstore.Dialect{Name: "sqlite", Begin: "BEGIN IMMEDIATE", Lanes: 1, Translate: translate, Retry: func(error) bool { return false }}
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
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return nil
}
