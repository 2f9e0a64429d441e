package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"assay/internal/store"
)

const (
	// maxBatch is how many units share a commit at most. PostgreSQL keeps 64
	// subtransactions of a transaction at hand and looks on disk for more.
	maxBatch = 60
	// maxRuns is how often a unit runs again after a connection or a whole
	// transaction was lost; maxWaits how often after it met the lock of another.
	maxRuns, maxWaits = 3, 100
	// apart is how many batches run with savepoints after one that failed without.
	apart = 16
)

// A unit is one call of Write. Its function runs in the caller's goroutine when
// a lane gives it the turn: a panic goes to the caller, with the caller's stack,
// and a lane never dies of one.
type unit struct {
	ctx context.Context
	fn  func(store.Tx) error
	// taken decides between a lane that begins with the unit and a caller who leaves.
	taken       atomic.Bool
	claimed     bool       // by a lane; only lanes look
	turn        chan *tx   // the lane to the caller: run
	ran         chan error // the caller to the lane: what came of it
	done        chan error // the lane to the caller: what became of the commit
	runs, waits int
	refusal     error // what its function returned, until it may be told
}

var (
	errClosed = fmt.Errorf("%w: it is closed", store.ErrUnavailable)
	errPanic  = errors.New("the unit panicked")
	// errTogether: without savepoints a transaction is whole or nothing.
	errTogether = errors.New("a unit of the transaction failed")
)

// Write runs fn as a unit of its own in a commit that it may share.
func (db *DB) Write(ctx context.Context, fn func(store.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	u := &unit{ctx: ctx, fn: fn, turn: make(chan *tx), ran: make(chan error), done: make(chan error, 1)}
	select {
	case <-db.stop: // asked first: of several that are ready a select takes any
		return errClosed
	default:
	}
	select {
	case db.units <- u:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.stop:
		return errClosed
	}
	left, ended := ctx.Done(), (<-chan struct{})(db.ended)
	var last *tx
	for {
		select {
		case t := <-u.turn:
			last.undo()
			last = t
			u.run(t)
		case err := <-u.done:
			if err != nil {
				last.undo()
			}
			return err
		case <-left:
			if u.taken.CompareAndSwap(false, true) {
				return ctx.Err()
			}
			left = nil // it runs or ran: only the commit knows what became of it
		case <-ended:
			if u.taken.CompareAndSwap(false, true) {
				return errClosed
			}
			ended = nil // its answer is there
		}
	}
}

// run calls fn and tells the lane, also where fn does not come back.
func (u *unit) run(t *tx) {
	err := errPanic
	defer func() {
		t.over = true
		u.ran <- err
	}()
	err = u.fn(t)
}

// lane takes what waits and commits it together.
func (db *DB) lane() {
	defer db.lanes.Done()
	l := &lane{db: db}
	defer l.drop()
	for {
		var batch []*unit
		select {
		case <-db.stop:
			return
		default:
		}
		select {
		case u := <-db.units:
			batch = append(batch, u)
		case <-db.stop:
			return
		}
		batch = db.gather(batch)
		for len(batch) > 0 {
			batch = l.commit(batch)
		}
	}
}

// gather adds what waits already.
func (db *DB) gather(batch []*unit) []*unit {
	for len(batch) < maxBatch {
		select {
		case u := <-db.units:
			batch = append(batch, u)
		default:
			return batch
		}
	}
	return batch
}

// A lane is one connection that writes. Units hardly ever fail once they have written
// something: a batch runs without savepoints, and where one fails again with them, so
// that it can be taken back alone. So do some batches after it: what failed one may fail
// the next.
type lane struct {
	db    *DB
	s     *session
	apart int // how many batches more run with savepoints
}

// drop gives the connection up: nobody knows what state it is in.
func (l *lane) drop() {
	if l.s != nil {
		l.s.discard()
		l.s = nil
	}
}

// commit runs a batch in one transaction and answers its units. It returns
// those that have to run again.
func (l *lane) commit(batch []*unit) (again []*unit) {
	ctx, cancel := l.db.dialect.Deadline()
	defer cancel()
	if err := l.begin(ctx); err != nil {
		l.drop()
		return l.retry(batch, err)
	}
	kept := make([]*unit, 0, len(batch))
	// refused are units that failed on their own account, and may have done so for
	// what one before them wrote: that is no answer before it is on disk.
	var refused []*unit
	for i, u := range batch {
		if !u.begins() {
			continue
		}
		o := l.one(ctx, u)
		switch {
		case o.lost == errTogether:
			again = slices.Concat(kept, refused)
			if errors.Is(o.err, errPanic) { // whose caller is gone
				u.done <- o.err
			} else {
				again = append(again, u)
			}
			return l.separate(ctx, append(again, batch[i+1:]...))
		case o.lost != nil:
			// The transaction is gone, and with it every unit before this one.
			l.rollback(ctx)
			again = slices.Concat(kept, refused, batch[i+1:])
			if o.err != nil && !errors.Is(o.cause, store.ErrUnavailable) && !l.db.dialect.Retry(o.cause) {
				return l.first(u, o, len(kept) > 0, again) // the others are not to blame
			}
			return l.retry(append(again, u), o.lost)
		case o.err != nil && l.db.dialect.Retry(o.cause) && u.waits < maxWaits:
			// It waits for rows of a transaction that may wait for rows of this one:
			// commit what there is and begin with it.
			u.waits++
			again = append(again, u)
			again = append(again, l.finish(ctx, kept, refused)...)
			return append(again, batch[i+1:]...)
		case o.err != nil && len(kept) > 0 && !errors.Is(o.err, errPanic): // whose caller is gone
			u.refusal = o.err
			refused = append(refused, u)
		case o.err != nil:
			u.done <- o.err
		default:
			kept = append(kept, u)
		}
	}
	return l.finish(ctx, kept, refused)
}

// separate has units of a transaction that failed run again, each under a savepoint.
func (l *lane) separate(ctx context.Context, batch []*unit) []*unit {
	l.rollback(ctx)
	l.apart = apart
	return batch
}

// first answers a unit that failed on its own account while its transaction was
// lost. After others it may have failed for what they wrote, which is not there:
// then it runs once more, before them.
func (l *lane) first(u *unit, o outcome, after bool, others []*unit) (again []*unit) {
	if !after || errors.Is(o.err, errPanic) || errors.Is(o.cause, store.ErrFull) {
		u.done <- o.err
		return others
	}
	if u.runs++; u.runs >= maxRuns {
		u.done <- fmt.Errorf("%w: %w", store.ErrUnavailable, o.lost)
		return others
	}
	return append([]*unit{u}, others...)
}

// begins claims a unit from its caller; false where that has left.
func (u *unit) begins() bool {
	if !u.claimed && !u.taken.CompareAndSwap(false, true) {
		return false
	}
	u.claimed = true
	if err := u.ctx.Err(); err != nil {
		u.done <- err
		return false
	}
	return true
}

func (l *lane) begin(ctx context.Context) (err error) {
	if l.s == nil {
		if l.s, err = l.db.session(ctx); err != nil {
			return err
		}
	}
	return l.s.queue(ctx, Statement{SQL: l.db.dialect.Begin})
}

// rollback ends a transaction that is of no use.
func (l *lane) rollback(ctx context.Context) {
	if l.s == nil {
		return
	}
	l.s.forget()
	l.s.failed = false
	// Where the engine has rolled back by itself there is nothing to roll back,
	// and it says so: a new connection is the sure way out of either.
	if err := l.s.plain(ctx, "ROLLBACK"); err != nil {
		l.drop()
	}
}

// An outcome is what came of a unit: err is its caller's, cause what the
// database said, lost an error after which the whole transaction is of no use.
type outcome struct{ err, cause, lost error }

// one runs a unit, under a savepoint where units are kept apart.
func (l *lane) one(ctx context.Context, u *unit) outcome {
	before := l.s.mark()
	if l.apart > 0 {
		if err := l.s.queue(ctx, Statement{SQL: "SAVEPOINT u"}); err != nil {
			return outcome{lost: err}
		}
	}
	t := &tx{reader: reader{q: l.s, dialect: &l.db.dialect}, s: l.s, ctx: ctx, unit: u}
	u.turn <- t
	o := outcome{err: <-u.ran, cause: t.failed}
	if o.err == nil {
		o.err = t.failed
	}
	if o.err == nil && l.apart > 0 {
		o.err = l.db.wrap(l.release(ctx))
	}
	// What failed without savepoints may be a statement of a unit before this one, whatever
	// this one made of it.
	together := l.apart == 0 && l.s.failed
	if o.err == nil && !together {
		return o
	}
	if o.cause == nil {
		o.cause = o.err
	}
	if !together && l.s.back(before, l.apart > 0) {
		return o // nothing that the unit wrote was sent
	}
	l.s.forget()
	if l.apart == 0 {
		o.lost = errTogether
		return o
	}
	for _, undo := range []string{"ROLLBACK TO SAVEPOINT u", "RELEASE SAVEPOINT u"} {
		if o.lost = l.s.plain(ctx, undo); o.lost != nil {
			return o
		}
	}
	return o
}

// release ends a unit that succeeded. Statements that were queued and not answered yet
// are answered first: after its release a unit could not be taken back alone. The release
// goes with what comes next.
func (l *lane) release(ctx context.Context) error {
	if l.s.waiting() {
		if _, err := l.s.flush(ctx); err != nil {
			return err
		}
	}
	return l.s.queue(ctx, Statement{SQL: "RELEASE SAVEPOINT u"})
}

// finish commits and answers; it returns units to run again.
func (l *lane) finish(ctx context.Context, kept, refused []*unit) (again []*unit) {
	if len(kept) == 0 {
		l.rollback(ctx)
		return nil
	}
	if l.apart == 0 && l.s.waiting() { // a commit is sent when all is as it should be
		if _, err := l.s.flush(ctx); err != nil {
			return l.separate(ctx, append(kept, refused...))
		}
	}
	err := l.s.commit(ctx)
	if err == nil {
		l.apart = max(0, l.apart-1)
		answer(kept, nil)
		for _, u := range refused {
			u.done <- u.refusal
		}
		return nil
	}
	unsure := l.db.dialect.Unsure(err)
	l.rollback(ctx)
	if unsure {
		answer(kept, fmt.Errorf("%w (%w): %w", store.ErrUnsure, store.ErrUnavailable, err))
		return refused // did nothing, whatever became of the others
	}
	return l.retry(append(kept, refused...), err)
}

// retry returns the units that can run again after what was theirs is lost, and
// answers the others. Where the disk is full they run one by one: a small one
// may still find room.
func (l *lane) retry(batch []*unit, cause error) (again []*unit) {
	wrapped := l.db.wrap(cause)
	full := errors.Is(wrapped, store.ErrFull)
	for _, u := range batch {
		if u.runs++; u.runs >= maxRuns || full && len(batch) == 1 {
			u.done <- wrapped
			continue
		}
		again = append(again, u)
	}
	if !full || len(again) < 2 {
		return again
	}
	for _, u := range again {
		for alone := []*unit{u}; len(alone) > 0; {
			alone = l.commit(alone)
		}
	}
	return nil
}

func answer(units []*unit, err error) {
	for _, u := range units {
		u.done <- err
	}
}
