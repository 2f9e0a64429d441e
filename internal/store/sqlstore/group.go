package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"assay/internal/store"
)

const (
	// maxBatch is how many units share a commit at most.
	maxBatch = 256
	// maxRuns is how often a unit runs again where the engine asks for it.
	maxRuns = 5
)

// A unit is one call of Write.
type unit struct {
	ctx  context.Context
	fn   func(store.Tx) error
	done chan error
	runs int
}

var errClosed = fmt.Errorf("%w: it is closed", store.ErrUnavailable)

// Write runs fn as a unit of its own in a commit that it may share.
func (db *DB) Write(ctx context.Context, fn func(store.Tx) error) error {
	u := &unit{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case <-db.stop:
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
	select {
	case err := <-u.done:
		return err
	case <-db.stop:
		// A lane that has taken the unit answers it; one that has not never will.
		db.lanes.Wait()
		select {
		case err := <-u.done:
			return err
		default:
			return errClosed
		}
	}
}

// lane takes what waits and commits it together.
func (db *DB) lane() {
	defer db.lanes.Done()
	var c *session
	defer func() { c.close() }()
	for {
		var batch []*unit
		select {
		case u := <-db.units:
			batch = append(batch, u)
		case <-db.stop:
			return
		}
	gather:
		for len(batch) < maxBatch {
			select {
			case u := <-db.units:
				batch = append(batch, u)
			default:
				break gather
			}
		}
		for len(batch) > 0 {
			batch = db.commit(&c, batch)
		}
	}
}

// commit runs a batch in one transaction and answers its units. It returns
// those that have to run again.
func (db *DB) commit(c **session, batch []*unit) (again []*unit) {
	ctx := context.Background() // a caller who leaves must not break the commit of others
	if *c == nil {
		s, err := db.session(ctx)
		if err != nil {
			return answer(batch, db.wrap(err))
		}
		*c = s
	}
	s := *c
	if err := s.exec(ctx, db.dialect.Begin); err != nil {
		s.close()
		*c = nil
		return db.again(batch, err)
	}
	kept := make([]*unit, 0, len(batch))
	for i, u := range batch {
		if err := u.ctx.Err(); err != nil {
			u.done <- err
			continue
		}
		err, broken := db.one(ctx, s, u)
		if broken != nil {
			// The transaction is lost, and with it every unit before this one.
			_ = s.exec(ctx, "ROLLBACK")
			s.close()
			*c = nil
			return db.again(append(kept, batch[i:]...), broken)
		}
		if err != nil {
			u.done <- err
			continue
		}
		kept = append(kept, u)
	}
	err := s.exec(ctx, "COMMIT")
	if err == nil {
		return answer(kept, nil)
	}
	if e := s.exec(ctx, "ROLLBACK"); e != nil {
		s.close()
		*c = nil
	}
	if db.dialect.Retry(err) {
		return db.again(kept, err)
	}
	wrapped := db.wrap(err)
	if errors.Is(wrapped, store.ErrUnavailable) {
		wrapped = fmt.Errorf("%w: %w", store.ErrUnsure, wrapped)
	}
	return answer(kept, wrapped)
}

// one runs a unit under a savepoint. broken is an error after which the whole
// transaction is of no use.
func (db *DB) one(ctx context.Context, s *session, u *unit) (err, broken error) {
	if err := s.exec(ctx, "SAVEPOINT u"); err != nil {
		return nil, err
	}
	t := &tx{reader: reader{q: s, dialect: &db.dialect}, s: s, ctx: ctx}
	err = guarded(u.fn, t)
	if t.fatal != nil && errors.Is(err, t.fatal) {
		return nil, t.fatal
	}
	if err != nil {
		if e := s.exec(ctx, "ROLLBACK TO SAVEPOINT u"); e != nil {
			return nil, e
		}
	}
	if e := s.exec(ctx, "RELEASE SAVEPOINT u"); e != nil {
		return nil, e
	}
	return err, nil
}

// guarded gives a panic of a unit back as an error: it is its caller's, not the
// other callers'.
func guarded(fn func(store.Tx) error, t store.Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a unit of writing: %v", p)
		}
	}()
	return fn(t)
}

// again answers units that cannot run again and returns the others.
func (db *DB) again(batch []*unit, cause error) []*unit {
	wrapped := db.wrap(cause)
	var left []*unit
	for _, u := range batch {
		u.runs++
		if u.runs >= maxRuns || errors.Is(wrapped, store.ErrFull) && len(batch) == 1 {
			u.done <- wrapped
			continue
		}
		left = append(left, u)
	}
	if errors.Is(wrapped, store.ErrFull) && len(left) > 1 {
		// One at a time: a small unit may still find room.
		return left
	}
	return left
}

func answer(units []*unit, err error) []*unit {
	for _, u := range units {
		u.done <- err
	}
	return nil
}

// A session is one connection with its prepared statements.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (db *DB) session(ctx context.Context) (*session, error) {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

func (s *session) close() {
	if s == nil {
		return
	}
	for _, st := range s.stmts {
		_ = st.Close()
	}
	_ = s.conn.Close()
}

func (s *session) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := s.stmts[query]; st != nil {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err == nil && len(s.stmts) < 200 {
		s.stmts[query] = st
	}
	return st, err
}

func (s *session) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.execN(ctx, query, args...)
	return err
}

func (s *session) execN(ctx context.Context, query string, args ...any) (int64, error) {
	if len(args) == 0 {
		_, err := s.conn.ExecContext(ctx, query)
		return 0, err
	}
	st, err := s.prepared(ctx, query)
	if err != nil {
		return 0, err
	}
	r, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// rows runs a query; querier is what readers read through.
func (s *session) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := s.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

type querier interface {
	rows(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type pool struct{ db *sql.DB }

func (p pool) rows(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return p.db.QueryContext(ctx, query, args...)
}
