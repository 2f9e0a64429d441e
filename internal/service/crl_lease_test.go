package service

import (
	"context"
	"slices"
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

// TestPublisherEnds: a process that ends well gives the lists to the next one at once,
// and takes them from none that has them.
func TestPublisherEnds(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	take := func(owner string) (mine bool) {
		h.do(t, func(tx store.Tx) (err error) {
			mine, err = tx.TakeLease("publisher", owner, h.clock(), h.clock().Add(crlLease))
			return err
		})
		return mine
	}
	if _, err := h.publish(ctx); err != nil || take("the next one") {
		t.Fatalf("it does not hold the lists: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	h.publishing(ended)
	if !take("the next one") {
		t.Fatal("the next one has to wait")
	}
	h.pass(crlLease)
	if !take("another one") {
		t.Fatal("of the test")
	}
	h.publishing(ended)
	if take("the third") {
		t.Error("it gave away what another one holds")
	}
}

// TestIdleBeforeLists: that a CA was retired by another process is known before the
// lists that are due are signed, however many those are.
func TestIdleBeforeLists(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	id := h.ca.ID()
	h.do(t, func(tx store.Tx) error {
		all, err := h.Store.Authorities(ctx)
		if err != nil {
			return err
		}
		a := all[slices.IndexFunc(all, func(a store.Authority) bool { return a.ID == id })]
		a.State = store.AuthorityRetired
		return tx.UpdateAuthority(&a)
	})
	if h.idle(id) {
		t.Fatal("it is known before it was looked for")
	}
	var lists []bool // whether it was known with each list
	h.OnList = func(string, int64) {
		lists = append(lists, h.idle(id))
		cancel()
	}
	h.publishing(ctx)
	if len(lists) == 0 || slices.Contains(lists, false) {
		t.Errorf("known with the lists: %v", lists)
	}
}
