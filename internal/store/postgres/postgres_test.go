package postgres_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"assay/internal/store"
	"assay/internal/store/pgtest"
	"assay/internal/store/postgres"
	"assay/internal/store/storetest"
)

var server *pgtest.Server

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &server)) }

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{New: func(t testing.TB) func() (store.Store, error) {
		url := server.Database(t)
		return func() (store.Store, error) { return opened(postgres.Open(context.Background(), url)) }
	}})
}

// opened keeps a nil pointer from becoming an interface that is not nil.
func opened[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// TestAlter: it is refused while a store is open, and while it lasts others wait.
func TestAlter(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), server.Database(t)
	db, err := postgres.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	if _, _, err := postgres.Alter(ctx, url); !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("beside an open store: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// PostgreSQL ends the sessions of a store that was closed in its own time.
	raw, release, err := postgres.Alter(ctx, url)
	for errors.Is(err, postgres.ErrInUse) {
		raw, release, err = postgres.Alter(ctx, url)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := postgres.Alter(ctx, url); !errors.Is(err, postgres.ErrInUse) {
		t.Errorf("beside another: %v", err)
	}
	opened := make(chan error)
	go func() {
		db, err := postgres.Open(ctx, url)
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}()
	for waiting := 0; waiting == 0; {
		if err := raw.Reading().QueryRowContext(ctx, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-opened:
			t.Fatalf("a store was opened meanwhile: %v", err)
		default:
		}
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}
