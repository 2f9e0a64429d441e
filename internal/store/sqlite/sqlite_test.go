package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"assay/internal/store"
	"assay/internal/store/sqlite"
	"assay/order"
)

// TestOrder: an order is written with what belongs to it, changed under its
// version, and there again after the file was closed and opened.
func TestOrder(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "assay.db")
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	o := &store.Order{OrderRow: store.OrderRow{
		ID: "A1", Tenant: "root", Account: "a", State: order.StatePending, Product: order.DV, Kind: order.New,
		Profile: "cloud", Method: order.MethodDNS, Name: "orchard.net", Names: 1, Created: at, Submitted: at, Changed: at,
	}, Order: &order.Order{Names: []string{"orchard.net"}}}
	err = db.Write(ctx, func(tx store.Tx) error {
		if err := tx.PutTenant(store.Tenant{ID: "root", Name: "root", Created: at}); err != nil {
			return err
		}
		return tx.InsertOrder(o, store.NewOrder{
			Names: []store.OrderName{{Name: "orchard.net", Domain: "orchard.net"}}, Keys: []store.OrderKey{{Kind: "key", Digest: "ab"}},
			Challenges: []order.Challenge{{Name: "orchard.net", Method: order.MethodDNS, Value: "v", Origin: "own", Created: at, Expires: at}},
			Due:        []store.Due{{Kind: store.DueCheck, At: at}},
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var won, lost int
	var mu sync.Mutex
	for range 8 {
		group.Go(func() {
			err := db.Write(ctx, func(tx store.Tx) error {
				copied := *o
				copied.State = order.StateReady
				return tx.UpdateOrder(&copied)
			})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, store.ErrConflict):
				lost++
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won != 1 || lost != 7 {
		t.Errorf("%d changes of one version succeeded, %d did not", won, lost)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, err = sqlite.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := db.Order(ctx, "root", "A1")
	if err != nil || got.State != order.StateReady || got.Version != 2 || got.Order.Names[0] != "orchard.net" {
		t.Errorf("%+v, %v", got, err)
	}
	past, err := db.PastOrders(ctx, store.PastQuery{Key: "ab"})
	if err != nil || len(past) != 1 || past[0].Values[0] != "v" {
		t.Errorf("%+v, %v", past, err)
	}
	if _, err := db.Order(ctx, "other", "A1"); !errors.Is(err, store.ErrNotFound) {
		t.Error("another tenant reads it:", err)
	}
}
