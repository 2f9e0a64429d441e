package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"

	"assay/internal/store/migrations"
)

var (
	// ErrNewer: the database was made by a newer program. This one must not write
	// to it: run the newer program, or restore a backup from before it. It is
	// wrapped by a [*VersionError].
	ErrNewer = errors.New("the database is newer than this program")
	// ErrOlder: the tables must be brought up to date first.
	ErrOlder = errors.New("the database is older than this program")
	// ErrLoses: the way down would lose what was written since, or leave what a program of
	// that version cannot read. Only a backup from before leads back. It is wrapped by a [*VersionError].
	ErrLoses = errors.New("a step back would lose what was written, or leave what cannot be read there")
	// ErrNoVersion: this program knows no such version.
	ErrNoVersion = errors.New("there is no such version")
)

// A VersionError says which versions of the tables do not fit.
type VersionError struct {
	Err error
	// Has is the version of the tables, Knows the newest one of this program or,
	// for ErrLoses and ErrNoVersion, the one that was asked for.
	Has, Knows int64
}

func (e *VersionError) Error() string {
	if errors.Is(e.Err, ErrLoses) || errors.Is(e.Err, ErrNoVersion) {
		return fmt.Sprintf("%v: its tables are of version %d, asked for is %d", e.Err, e.Has, e.Knows)
	}
	return fmt.Sprintf("%v: its tables are of version %d, the program knows %d", e.Err, e.Has, e.Knows)
}

// Unwrap gives Err.
func (e *VersionError) Unwrap() error { return e.Err }

// provider runs the steps as texts of our own: goose's parser of files takes 4 MB of
// memory for each of them.
func provider(engine string, db *sql.DB) (*goose.Provider, error) {
	steps, err := migrations.Steps(engine)
	if err != nil {
		return nil, err
	}
	var all []*goose.Migration
	for _, s := range steps {
		all = append(all, goose.NewGoMigration(s.Version, runs(s.Up), runs(s.Down)))
	}
	dialect := goose.DialectSQLite3
	if engine == "postgres" {
		dialect = goose.DialectPostgres
	}
	return goose.NewProvider(dialect, db, nil, goose.WithGoMigrations(all...), goose.WithDisableGlobalRegistry(true))
}

// runs runs a text that holds many statements; both drivers take it as one.
func runs(text func() (string, error)) *goose.GoFunc {
	return &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		query, err := text()
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, query)
		return err
	}}
}

// Migrate brings the tables up to date. One process at a time does it.
func Migrate(ctx context.Context, engine string, db *sql.DB) error {
	_, _, err := MigrateTo(ctx, engine, db, 0)
	return err
}

// MigrateTo brings the tables to a version, up or down; 0 is the newest that the
// program knows. Where a way down would lose something it is not begun
// ([ErrLoses]); the first version, whose tables hold the orders, is never taken
// back.
func MigrateTo(ctx context.Context, engine string, db *sql.DB, version int64) (from, to int64, err error) {
	p, err := provider(engine, db)
	if err != nil {
		return 0, 0, err
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return 0, 0, err
	}
	if version == 0 {
		version = knows
	}
	switch {
	case has > knows:
		return has, has, &VersionError{ErrNewer, has, knows}
	case version < 0 || version > knows:
		return has, has, &VersionError{ErrNoVersion, has, version}
	case version == has:
		return has, has, nil
	case version > has:
		_, err = p.UpTo(ctx, version)
	default:
		if ok, err := keepsRows(ctx, engine, db, has, version); err != nil || !ok {
			return has, has, errors.Join(&VersionError{ErrLoses, has, version}, err)
		}
		_, err = p.DownTo(ctx, version)
	}
	to, e := p.GetDBVersion(context.WithoutCancel(ctx))
	return has, to, errors.Join(err, e)
}

// keepsRows reports whether the way down from a version to another loses nothing:
// the tables that it takes away have no rows, and there are none that a program of that
// version cannot read.
func keepsRows(ctx context.Context, engine string, db *sql.DB, from, to int64) (bool, error) {
	all, err := migrations.Steps(engine)
	if err != nil {
		return false, err
	}
	for _, step := range all {
		if step.Version <= to || step.Version > from {
			continue
		}
		ok, but, err := step.KeepsRows()
		if err != nil || !ok {
			return false, err
		}
		for _, rows := range but {
			var one int
			err := db.QueryRowContext(ctx, "SELECT 1 FROM "+rows+" LIMIT 1").Scan(&one)
			if !errors.Is(err, sql.ErrNoRows) {
				return false, err
			}
		}
	}
	return true, nil
}
