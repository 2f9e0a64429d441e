package service

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"assay/internal/audit"
	"assay/internal/store"
)

// chain verifies everything sealed, with the heads there are.
func (h *house) chain(t *testing.T, key ed25519.PublicKey) audit.Summary {
	t.Helper()
	ctx := context.Background()
	heads, err := h.Store.Heads(ctx)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]audit.Head, len(heads))
	for i := range heads {
		list[i] = audit.Head(heads[i])
	}
	summary, err := audit.Verify(func(yield func(*audit.Entry, error) bool) {
		err := h.Store.Sealed(ctx, 1, func(e *store.Entry) error {
			entry := audit.Entry(*e)
			yield(&entry, nil)
			return nil
		})
		if err != nil {
			yield(nil, err)
		}
	}, list, key)
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

// TestSeal: several sealers at once make one chain, whose end is signed once an
// hour.
func TestSeal(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := context.Background()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	h.AuditKey = private
	other := h.twin(t)
	for range 3 {
		h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
		var sealers sync.WaitGroup
		for _, s := range []*Service{h.Service, other} {
			sealers.Go(func() {
				if err := s.seal(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		sealers.Wait()
		if waiting, err := h.Store.HasUnsealed(ctx); err != nil || waiting {
			t.Fatalf("entries wait: %v %v", waiting, err)
		}
		h.pass(sealLease) // so that the other can take it
	}
	for range 2 {
		if err := h.signHead(ctx); err != nil {
			t.Fatal(err)
		}
	}
	heads, err := h.Store.Heads(ctx)
	if err != nil || len(heads) != 1 || !audit.Head(heads[0]).Valid(public) {
		t.Fatalf("%+v, %v", heads, err)
	}
	h.pass(time.Hour)
	if err := h.signHead(ctx); err != nil { // nothing new to sign
		t.Fatal(err)
	}
	h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	if err := h.seal(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.signHead(ctx); err != nil {
		t.Fatal(err)
	}
	if heads, err = h.Store.Heads(ctx); err != nil || len(heads) != 2 {
		t.Fatalf("%+v, %v", heads, err)
	}
	h.chain(t, public)
}

// TestSealerClock: the lease of a process that died under a clock that ran ahead
// does not keep the next from sealing.
func TestSealerClock(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := context.Background()
	h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.pass(365 * 24 * time.Hour)
	if err := h.twin(t).seal(ctx); err != nil {
		t.Fatal(err)
	}
	h.pass(-365 * 24 * time.Hour)
	h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	if err := h.seal(ctx); err != nil {
		t.Fatal(err)
	}
	if waiting, err := h.Store.HasUnsealed(ctx); err != nil || waiting {
		t.Errorf("entries wait: %v %v", waiting, err)
	}
}

// TestPrune: housekeeping lets answered requests go after a day, one process at
// a time.
func TestPrune(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := context.Background()
	err := h.Store.Write(ctx, func(tx store.Tx) error {
		for _, key := range []string{"a", "b"} {
			r := store.Request{Token: "t", Key: key, Digest: []byte{1}, Status: 200, Headers: []byte("{}"), Body: []byte("{}"), Created: h.clock()}
			if key == "b" {
				r.Created = r.Created.Add(2 * time.Hour)
			}
			if err := tx.PutRequest(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.pass(keepRequests + time.Hour)
	if err := h.prune(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Store.Request(ctx, "t", "a"); err == nil {
		t.Error("a request of 25 hours ago is still there")
	}
	if _, err := h.Store.Request(ctx, "t", "b"); err != nil {
		t.Errorf("a request of 23 hours ago: %v", err)
	}
	h.pass(2 * time.Hour)
	if err := h.twin(t).prune(ctx); err != nil || h.counts.what[CountPruned] != 2 {
		t.Errorf("%v, %v", h.counts.what, err)
	}
}
