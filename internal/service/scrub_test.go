package service

import (
	"context"
	"testing"
	"time"

	"assay/internal/store"
)

// stained is a store that cannot let go of what was erased so many times.
type stained struct {
	store.Store
	busy   int
	asked  int
	during func(asked int) // called each time
}

func (s *stained) Scrub(ctx context.Context) error {
	s.asked++
	defer s.during(s.asked)
	if s.asked <= s.busy {
		return store.ErrUnavailable
	}
	return s.Store.Scrub(ctx)
}

// TestScrub: after an erasure the database lets go of what was erased, and where it
// cannot at once, it is asked again until it did.
func TestScrub(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	admin := b.who[RoleAdministrator]
	v, err := b.Apply(ctx, admin, dv(t, "shop.orchard.net"))
	if err != nil {
		t.Fatal(err, findings(err))
	}
	if _, err := b.Cancel(ctx, admin, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	// At the start, and then because of the erasure, that it does not manage at first.
	running, stop := context.WithCancel(ctx)
	defer stop()
	const once = 1 + 3 // the start, the erasure and two attempts after it
	kept := &stained{Store: b.Store, busy: 3, during: func(asked int) {
		if asked == once {
			stop()
		}
	}}
	b.Store = kept
	if _, err := b.Erase(ctx, admin, v.ID, 0); err != nil || kept.asked != 1 {
		t.Fatalf("%v, asked %d times", err, kept.asked)
	}
	b.work.after = func(d time.Duration) <-chan time.Time {
		c := make(chan time.Time, 1)
		if c <- b.clock(); d != scrubAgain {
			t.Errorf("again in %s", d)
		}
		return c
	}
	b.scrubbing(running)
	if kept.asked != once {
		t.Errorf("asked %d times", kept.asked)
	}
}
