package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"assay/internal/store"
	"assay/internal/store/sqlite"
	"assay/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Engine{New: func(t testing.TB) func() (store.Store, error) {
		path := filepath.Join(t.TempDir(), "assay.db")
		return func() (store.Store, error) { return opened(sqlite.Open(context.Background(), path)) }
	}})
}

// opened keeps a nil pointer from becoming an interface that is not nil.
func opened[S store.Store](s S, err error) (store.Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}
