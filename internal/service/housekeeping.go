package service

import (
	"context"
	"time"

	"assay/internal/store"
)

const (
	houseEvery = time.Hour
	// keepRequests is how long a repeated request gets its answer again.
	keepRequests = 24 * time.Hour
	houseLease   = 10 * time.Minute
	// keepNotices is how long notices that are settled are shown.
	keepNotices = 90 * 24 * time.Hour
	// pruneBatch is how many rows one unit removes: few enough that requests do
	// not wait for it.
	pruneBatch = 500
)

// keepHouse removes what retention lets go, once an hour, in one of the processes.
func (s *Service) keepHouse(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.prune(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("housekeeping failed; it is tried again in an hour", "error", err)
		}
		select {
		case <-s.work.wait(houseEvery):
		case <-ctx.Done():
		}
	}
}

// scrubAgain is when the database is asked again to let go of what was erased.
const scrubAgain = time.Minute

// scrub has the database let go of what was erased, now or a little later: somebody
// may be reading.
func (s *Service) scrub(ctx context.Context) {
	if err := s.Store.Scrub(ctx); err == nil {
		return
	}
	select {
	case s.unclean <- struct{}{}:
	default: // it is known already
	}
}

// scrubbing tries again what could not be done at once, or not before the process of
// before ended.
func (s *Service) scrubbing(ctx context.Context) {
	for {
		s.scrub(ctx)
		select {
		case <-s.unclean:
		case <-ctx.Done():
			return
		}
		select {
		case <-s.work.wait(scrubAgain):
		case <-ctx.Done():
			return
		}
	}
}

// prune removes what retention lets go, batch by batch.
func (s *Service) prune(ctx context.Context) error {
	for {
		now, n, mine := s.now(), 0, false
		p := store.Prune{Requests: now.Add(-keepRequests), Notices: now.Add(-keepNotices)}
		if s.KeepReviews > 0 {
			p.Reviews = now.Add(-s.KeepReviews)
		}
		err := s.Store.Write(ctx, func(tx store.Tx) (err error) {
			if mine, err = tx.TakeLease("housekeeping", s.Owner, now, now.Add(houseLease)); err != nil || !mine {
				return err
			}
			n, err = tx.Prune(p, pruneBatch)
			return err
		})
		if err != nil {
			return err
		}
		s.count(CountPruned, n)
		if !mine || n < pruneBatch {
			return nil
		}
	}
}
