package service

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"assay/internal/store"
	"assay/review"
)

// A Meter counts what the service does in the background. It is called by many
// goroutines at once and must not block.
type Meter interface {
	// Checked: an order was looked at, with this verdict ("unknown" also where
	// the check itself failed), in this time, so long after it was due.
	Checked(verdict review.Verdict, took, late time.Duration)
	// Counted: something happened n times; see the constants of that name.
	Counted(what string, n int)
}

// What a [Meter] counts.
const (
	CountReminders = "reminders"   // sent
	CountRetries   = "retries"     // of work that failed for a reason that lies with us
	CountPanics    = "panics"      // in a rule or a probe
	CountLost      = "leases-lost" // work given up because another process has it
	CountSealed    = "sealed"      // audit entries
	CountPruned    = "pruned"      // rows that retention let go
	CountNotices   = "notices"     // delivered
	// CountFailedNotices are attempts that failed and are made again;
	// CountDeadNotices are notices that could not be delivered.
	CountFailedNotices = "notices-failed"
	CountDeadNotices   = "notices-dead"
)

const (
	// pollShared is how often work of other processes is looked for on a shared
	// database; pollAlone is how long a single process sleeps at most, so that it
	// notices when somebody sets the clock.
	pollShared = time.Second
	pollAlone  = time.Minute
	// farewell is the time for giving work back when the service stops.
	farewell = 5 * time.Second
)

// A worker is the state of the background work of one process.
type worker struct {
	// after is time.After, or a test's.
	after func(time.Duration) <-chan time.Time

	lock sync.Mutex
	// busy are the orders under way here, with what else is due for them: of one
	// order one thing is done at a time.
	busy map[string][]store.Due
}

// wait is time.After, unless a test keeps the time.
func (w *worker) wait(d time.Duration) <-chan time.Time {
	if w.after != nil {
		return w.after(d)
	}
	return time.After(d)
}

// Run does what is due until ctx ends: checks, deadlines, reminders, notices,
// sealing the audit log, housekeeping. Any number of processes may run on one database; each
// piece of work is done by the one that holds its lease. When ctx ends, nothing
// new is begun, what is under way is given back for others to take, and Run
// returns.
func (s *Service) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { s.sealing(ctx) })
	running.Go(func() { s.keepHouse(ctx) })
	running.Go(func() { s.scrubbing(ctx) })
	running.Go(func() { s.noticing(ctx) })
	running.Go(func() { s.reminding(ctx) })
	running.Go(func() { s.certifying(ctx) })
	running.Go(func() { s.publishing(ctx) })
	if s.Prepare != nil {
		s.Prepare(ctx)
	}
	s.adoptReady(ctx)
	s.loop(ctx)
	running.Wait()
}

// loop takes what is due as long as there are workers for it, and sleeps until
// there is more.
func (s *Service) loop(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	idle := make(chan struct{}, s.Workers)
	for range s.Workers {
		idle <- struct{}{}
	}
	failures := 0
	for ctx.Err() == nil {
		select { // at least one worker, before anything is taken
		case <-idle:
		case <-ctx.Done():
			return
		}
		free := 1 + drain(idle)
		due, wait, err := s.lease(ctx, free)
		for i := range free {
			if i >= len(due) {
				idle <- struct{}{}
				continue
			}
			running.Go(func() {
				s.serve(ctx, due[i])
				idle <- struct{}{}
			})
		}
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			wait = min(time.Second<<min(failures-1, 5), pollAlone/2)
			s.Log.Error("taking what is due failed; it is tried again", "error", err, "in", wait)
		case len(due) == free:
			continue // there may be more
		default:
			failures = 0
		}
		select {
		case <-s.woken:
		case <-s.work.wait(wait):
		case <-ctx.Done():
		}
	}
}

// drain takes what a channel has at once.
func drain(c <-chan struct{}) (n int) {
	for {
		select {
		case <-c:
			n++
		default:
			return n
		}
	}
}

// lease leases up to limit rows that are due. Where there are none, wait is how
// long there will be none, as far as is known here. Nothing is written while
// nothing is due: an idle service lets the disk rest.
func (s *Service) lease(ctx context.Context, limit int) (due []store.Due, wait time.Duration, err error) {
	now := s.now()
	next, err := s.Store.NextDue(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("looking for what is due: %w", err)
	}
	wait = pollAlone
	if s.Store.Engine() != "sqlite" {
		wait = pollShared
	}
	if next.IsZero() || next.After(now) {
		if !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
		return nil, wait, nil
	}
	err = s.Store.Write(ctx, func(tx store.Tx) (err error) {
		due, err = tx.TakeDue(now, s.Owner, now.Add(s.Lease), limit)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("leasing what is due: %w", err)
	}
	return due, 0, nil
}

// runDue does everything that is due now and returns how much that was; for
// callers that keep the time themselves.
func (s *Service) runDue(ctx context.Context) (int, error) {
	n := 0
	for {
		due, _, err := s.lease(ctx, s.Workers)
		if err != nil || len(due) == 0 {
			return n, err
		}
		var running sync.WaitGroup
		for _, d := range due {
			running.Go(func() { s.serve(ctx, d) })
		}
		running.Wait()
		n += len(due)
	}
}

// serve does one piece of work, and then what else came up for the same order.
func (s *Service) serve(ctx context.Context, d store.Due) {
	w := &s.work
	w.lock.Lock()
	if more, busy := w.busy[d.Order]; busy {
		w.busy[d.Order] = append(more, d)
		w.lock.Unlock()
		return
	}
	if w.busy == nil {
		w.busy = map[string][]store.Due{}
	}
	w.busy[d.Order] = nil
	w.lock.Unlock()
	for {
		s.crowd.pass(ctx, s.work.wait)
		s.attend(ctx, d)
		s.wake() // something may be due sooner than the loop thinks
		w.lock.Lock()
		more := w.busy[d.Order]
		if len(more) == 0 {
			delete(w.busy, d.Order)
			w.lock.Unlock()
			return
		}
		d, w.busy[d.Order] = more[0], more[1:]
		w.lock.Unlock()
	}
}

// attend does one piece of work and sees to it that it is done again where it
// failed. Nothing that fails here counts against the order.
func (s *Service) attend(ctx context.Context, d store.Due) {
	err := s.guarded(ctx, d)
	log := s.Log.With("order", d.Order, "due", string(d.Kind))
	switch {
	case err == nil:
	case errors.Is(err, store.ErrLeaseLost):
		s.count(CountLost, 1)
		log.Info("this is no longer ours to do; what was done here is dropped")
	case ctx.Err() != nil:
		s.giveBack(ctx, d, d.At, d.Attempt-1)
	default:
		wait := backoff(d.Attempt)
		s.count(CountRetries, 1)
		log.Error("failed; it is tried again", "error", err, "attempt", d.Attempt, "in", wait)
		s.giveBack(ctx, d, s.now().Add(wait), d.Attempt)
	}
}

// guarded turns a panic, of a rule or a probe, into an error.
func (s *Service) guarded(ctx context.Context, d store.Due) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.count(CountPanics, 1)
			s.Log.Error("panic", "order", d.Order, "due", string(d.Kind), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	// What is left of the lease is for writing down what was seen.
	ctx, cancel := context.WithTimeout(ctx, s.Lease-s.Lease/4)
	defer cancel()
	if d.Kind == store.DueReminder {
		return s.remind(ctx, d)
	}
	return s.check(ctx, d)
}

// giveBack ends a lease and says when the work is due again. Where that fails
// too, the lease ends by itself.
func (s *Service) giveBack(ctx context.Context, d store.Due, at time.Time, attempt int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishDue(d, s.Owner); err != nil {
			return err
		}
		return tx.SetDue(store.Due{Order: d.Order, Kind: d.Kind, At: at, Attempt: max(attempt, 0)})
	})
	if err != nil && !errors.Is(err, store.ErrLeaseLost) {
		s.Log.Error("work could not be given back; it is done when its lease ends", "order", d.Order, "due", string(d.Kind), "error", err)
	}
}

// backoff is how long what failed for a reason that lies with us rests before
// the attempt after the nth: 30 seconds, doubled each time, up to 10 minutes.
func backoff(n int) time.Duration {
	const first, longest = 30 * time.Second, 10 * time.Minute
	if n > 5 {
		return longest
	}
	return min(first<<max(n-1, 0), longest)
}

func (s *Service) count(what string, n int) {
	if m := s.Meter; m != nil && n > 0 {
		m.Counted(what, n)
	}
}
