package service

import (
	"context"
	"testing"

	"assay/internal/store"
)

// TestPublisherDied: a process that died while it published keeps the lists of the
// next one waiting no longer than its lease.
func TestPublisherDied(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	h.do(t, func(tx store.Tx) error {
		_, err := tx.TakeLease("publisher", "a process that died", h.clock(), h.clock().Add(crlLease))
		return err
	})
	number := func() int64 {
		c, err := h.Store.CRL(context.Background(), "root-1", 0)
		if err != nil {
			t.Fatal(err)
		}
		return c.Number
	}
	if wait, err := h.publish(context.Background()); err != nil || wait > pollShared || number() != 0 {
		t.Fatalf("it is looked at again in %s, number %d, %v", wait, number(), err)
	}
	h.pass(crlLease)
	if _, err := h.publish(context.Background()); err != nil || number() == 0 {
		t.Errorf("number %d, %v", number(), err)
	}
}
