// Package fill makes many rows for the benchmarks: in the database itself, straight
// into its tables, which a store brought up to date before.
package fill

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite
)

// Postgres is an engine's name; every other is SQLite.
const Postgres = "postgres"

// Open opens an engine's database without the store.
func Open(engine, at string) (*sql.DB, error) {
	if engine == Postgres {
		return sql.Open("pgx", at)
	}
	return sql.Open("sqlite", "file:"+at)
}

// Series is what a SELECT is from that has the rows i = first … last.
func Series(engine string, first, last int) string {
	if engine == Postgres {
		return fmt.Sprintf("generate_series(%d, %d) AS s(i)", first, last)
	}
	return fmt.Sprintf("(WITH RECURSIVE s(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s)", first, last)
}

// Bulk runs queries in one transaction while the indexes are away, in a database
// that nobody else uses.
func Bulk(ctx context.Context, engine, at string, queries ...string) (err error) {
	db, err := Open(engine, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // the settings are of one connection
	before, after := []string{"SET maintenance_work_mem = '512MB'"}, []string{"VACUUM ANALYZE"}
	if engine != Postgres {
		// What a crash would leave is of no use: no journal, which would be as large again.
		before = []string{"PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", "PRAGMA cache_size = -1000000"}
		after = []string{"PRAGMA journal_mode = WAL"}
	}
	if err := all(ctx, db, before); err != nil {
		return err
	}
	if err := inserted(ctx, engine, db, queries); err != nil {
		return err
	}
	return all(ctx, db, after)
}

// inserted runs queries while the indexes are away, but for those of primary keys.
func inserted(ctx context.Context, engine string, db *sql.DB, queries []string) error {
	listing := `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL`
	if engine == Postgres {
		listing = `SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT IN (SELECT conname FROM pg_constraint)`
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(ctx, listing)
	if err != nil {
		return err
	}
	var drops, makes []string
	for rows.Next() {
		var name, query string
		if err := rows.Scan(&name, &query); err != nil {
			return err
		}
		drops, makes = append(drops, "DROP INDEX "+name), append(makes, query)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	if len(makes) == 0 {
		return errors.New("the tables have no indexes")
	}
	for _, list := range [][]string{drops, queries, makes} {
		if err := all(ctx, tx, list); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// A runner is a database or a transaction.
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// all runs one query after the other.
func all(ctx context.Context, db runner, queries []string) error {
	for _, q := range queries {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	return nil
}
