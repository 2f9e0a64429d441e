package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pressly/goose/v3"

	"assay/internal/store/migrations"
)

// ErrNewer: the database was made by a newer program. This one must not write to
// it: run the newer program, or let that take its last step back first.
var ErrNewer = errors.New("the database is newer than this program")

func provider(engine string, db *sql.DB) (*goose.Provider, error) {
	files, err := migrations.For(engine)
	if err != nil {
		return nil, err
	}
	dialect := goose.DialectSQLite3
	if engine == "postgres" {
		dialect = goose.DialectPostgres
	}
	return goose.NewProvider(dialect, db, files)
}

// Migrate brings the tables up to date. One process at a time does it.
func Migrate(ctx context.Context, engine string, db *sql.DB) error {
	p, err := provider(engine, db)
	if err != nil {
		return err
	}
	has, knows, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if has > knows {
		return fmt.Errorf("%w: its tables are of version %d, the program knows %d", ErrNewer, has, knows)
	}
	if has == knows {
		return nil
	}
	_, err = p.Up(ctx)
	return err
}

// StepDown takes the newest version of the tables back, so that the program
// before can be run again. The first version is never taken back: its tables
// hold the orders.
func StepDown(ctx context.Context, engine string, db *sql.DB) (from, to int64, err error) {
	p, err := provider(engine, db)
	if err != nil {
		return 0, 0, err
	}
	has, knows, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return 0, 0, err
	case has > knows:
		return has, has, fmt.Errorf("%w: its tables are of version %d, the program knows %d", ErrNewer, has, knows)
	case has <= 1:
		return has, has, errors.New("the tables are of the first version: a step back would remove every order")
	}
	if _, err = p.Down(ctx); err != nil {
		return has, has, err
	}
	to, err = p.GetDBVersion(ctx)
	return has, to, err
}
