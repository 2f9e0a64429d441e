package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"assay/internal/store/migrations"
)

// A Raw is a database whose tables are of any version, for copies of the whole.
// It is no store: it takes part in nothing.
type Raw struct {
	engine string
	db     *sql.DB
}

// NewRaw is one on an open database.
func NewRaw(engine string, db *sql.DB) *Raw { return &Raw{engine, db} }

// Engine names the engine.
func (r *Raw) Engine() string { return r.engine }

// Reading is the pool of connections.
func (r *Raw) Reading() *sql.DB { return r.db }

// Close closes the database.
func (r *Raw) Close() error { return r.db.Close() }

// Version is that of the tables, 0 where there are none yet.
func (r *Raw) Version(ctx context.Context) (int64, error) {
	return VersionOf(ctx, r.engine, r.db)
}

// A Querier is a database or one connection of it.
type Querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// VersionOf reads the version of the tables without making any. 0: there are none.
func VersionOf(ctx context.Context, engine string, q Querier) (version int64, err error) {
	look := "SELECT count(*) FROM sqlite_master WHERE name = 'goose_db_version'"
	if engine == "postgres" {
		look = "SELECT count(*) WHERE to_regclass('goose_db_version') IS NOT NULL"
	}
	var there int
	if err := q.QueryRowContext(ctx, look).Scan(&there); err != nil || there == 0 {
		return 0, err
	}
	// Goose adds a row a step, and removes it for a step down.
	err = q.QueryRowContext(ctx, "SELECT version_id FROM goose_db_version ORDER BY id DESC LIMIT 1").Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return version, err
}

// Fits says whether the tables are those that this program works on: nil,
// [ErrNewer] or [ErrOlder].
func Fits(engine string, version int64) error {
	knows, err := migrations.Newest(engine)
	switch {
	case err != nil:
		return fmt.Errorf("the versions of the tables: %w", err)
	case version > knows:
		return &VersionError{ErrNewer, version, knows}
	case version < knows:
		return &VersionError{ErrOlder, version, knows}
	}
	return nil
}
