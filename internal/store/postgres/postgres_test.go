package postgres_test

import (
	"context"
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
