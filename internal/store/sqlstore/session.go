package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
)

// maxStatements is how many prepared statements are kept.
const maxStatements = 200

// mostArgs is how many arguments a query has at most whose statement readers keep.
const mostArgs = 16

// A Statement is one that waits to be sent.
type Statement struct {
	SQL  string
	Args []any
	// Met is told how many rows the statement met, and says whether that will do;
	// nil: any number does.
	Met func(rows int64) error
	// Row takes what the statement finds; nil: it looks for nothing.
	Row Row
}

// A Pipe sends statements in one round trip, gives each what it found and met, and
// returns how many rows the last one met.
type Pipe func(ctx context.Context, c *sql.Conn, list []Statement) (int64, error)

// A Row takes what a query found, row by row; scan reads the columns.
type Row func(scan func(...any) error) error

// A session is one connection that writes, with its prepared statements. With
// a pipe it queues what needs no answer and sends it with what does, in one
// round trip.
type session struct {
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	pipe   Pipe
	queued []Statement
	user   int // how many of the queued are of a unit: have arguments
	sends  int
	from   int  // where the queue of the unit that runs begins
	wrote  bool // something that it writes was sent
	failed bool // a statement did since the mark: SQLite may have rolled all back, for a read too
}

func (db *DB) session(ctx context.Context) (*session, error) {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, stmts: map[string]*sql.Stmt{}, pipe: db.dialect.Pipe}, nil
}

// discard ends the connection itself: in the pool it could stay in the middle of
// a transaction.
func (s *session) discard() {
	for _, st := range s.stmts {
		_ = st.Close()
	}
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	_ = s.conn.Close()
}

// queue runs a statement: at once, or with a pipe at the next flush.
func (s *session) queue(ctx context.Context, st Statement) error {
	switch {
	case s.pipe != nil:
		s.queued = append(s.queued, st)
		if len(st.Args) > 0 {
			s.user++
		}
		return nil
	case st.Row != nil:
		return s.look(ctx, st)
	}
	n, err := s.now(ctx, st.SQL, st.Args...)
	if err == nil && st.Met != nil {
		err = st.Met(n)
	}
	return err
}

// exec runs a statement and says how many rows it met.
func (s *session) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if s.pipe == nil {
		return s.now(ctx, query, args...)
	}
	s.queued = append(s.queued, Statement{SQL: query, Args: args})
	return s.flush(ctx)
}

// flush sends what is queued; the number is of the last statement.
func (s *session) flush(ctx context.Context) (int64, error) {
	if len(s.queued) == 0 {
		return 0, nil
	}
	send := s.queued
	for _, st := range send[s.from:] {
		s.wrote = s.wrote || st.writes()
	}
	s.forget()
	s.sends++
	n, err := s.pipe(ctx, s.conn, send)
	s.failed = s.failed || err != nil
	return n, err
}

// writes: it is of a unit, and looks for nothing.
func (st *Statement) writes() bool { return st.Row == nil && len(st.Args) > 0 }

// forget drops what is queued.
func (s *session) forget() { s.queued, s.user, s.from = nil, 0, 0 }

// waiting reports whether statements of a unit are queued.
func (s *session) waiting() bool { return s.user > 0 }

// A mark is a place in what is sent and queued.
type mark struct{ sends, queued, user int }

// mark begins with a unit.
func (s *session) mark() mark {
	s.from, s.wrote, s.failed = len(s.queued), false, false
	return mark{s.sends, len(s.queued), s.user}
}

// back drops what the unit queued since the mark. It is false where something was sent
// since that only the database can undo: what it wrote, and a savepoint.
func (s *session) back(m mark, savepoint bool) bool {
	switch {
	case s.wrote, savepoint && s.sends != m.sends:
		return false
	case s.sends != m.sends: // what was queued at the mark is gone
		s.forget()
	default:
		s.queued, s.user = s.queued[:m.queued], m.user
	}
	return true
}

// commit ends the transaction, with what is queued.
func (s *session) commit(ctx context.Context) error {
	if err := s.queue(ctx, Statement{SQL: "COMMIT"}); err != nil {
		return err
	}
	_, err := s.flush(ctx)
	return err
}

// plain runs a statement of no arguments outside the queue.
func (s *session) plain(ctx context.Context, query string) error {
	_, err := s.conn.ExecContext(ctx, query)
	return err
}

func (s *session) now(ctx context.Context, query string, args ...any) (_ int64, err error) {
	s.sends++
	defer func() { s.failed = s.failed || err != nil }()
	s.wrote = s.wrote || len(args) > 0
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

// prepared keeps the statements of a connection: their texts are few, but for
// lists of any length.
func (s *session) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if st := s.stmts[query]; st != nil {
		return st, nil
	}
	if len(s.stmts) >= maxStatements {
		for text, st := range s.stmts {
			_ = st.Close()
			delete(s.stmts, text)
		}
	}
	st, err := s.conn.PrepareContext(ctx, query)
	if err == nil {
		s.stmts[query] = st
	}
	return st, err
}

// each runs a query after what is queued; querier is what readers read through.
func (s *session) each(ctx context.Context, row Row, query string, args ...any) error {
	err := s.queue(ctx, Statement{SQL: query, Args: args, Row: row})
	if err == nil {
		_, err = s.flush(ctx)
	}
	return err
}

// look runs a query now.
func (s *session) look(ctx context.Context, st Statement) (err error) {
	s.sends++
	defer func() { s.failed = s.failed || err != nil }()
	p, err := s.prepared(ctx, st.SQL)
	if err != nil {
		return err
	}
	rows, err := p.QueryContext(ctx, st.Args...)
	return scanned(rows, err, st.Row)
}

// all runs several queries after what is queued.
func (s *session) all(ctx context.Context, list []Statement) error {
	for _, st := range list {
		if err := s.queue(ctx, st); err != nil {
			return err
		}
	}
	_, err := s.flush(ctx)
	return err
}

type querier interface {
	each(ctx context.Context, row Row, query string, args ...any) error
	all(ctx context.Context, list []Statement) error
}

// scanned reads rows to their end.
func scanned(rows *sql.Rows, err error, row Row) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// A pool is the connections that read. Where the driver does not keep statements
// itself the pool does.
type pool struct {
	db    *sql.DB
	pipe  Pipe
	mu    sync.Mutex
	stmts map[string]*sql.Stmt // nil: the driver keeps them
}

func newPool(db *sql.DB, pipe Pipe) *pool {
	if pipe != nil {
		return &pool{db: db, pipe: pipe}
	}
	return &pool{db: db, stmts: map[string]*sql.Stmt{}}
}

func (p *pool) all(ctx context.Context, list []Statement) (err error) {
	if p.pipe == nil || len(list) < 2 {
		for _, st := range list {
			if err := p.each(ctx, st.Row, st.SQL, st.Args...); err != nil {
				return err
			}
		}
		return nil
	}
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	_, err = p.pipe(ctx, conn, list)
	return err
}

func (p *pool) each(ctx context.Context, row Row, query string, args ...any) error {
	if st := p.prepared(ctx, query, args); st != nil {
		rows, err := st.QueryContext(ctx, args...)
		return scanned(rows, err, row)
	}
	rows, err := p.db.QueryContext(ctx, query, args...)
	return scanned(rows, err, row)
}

// prepared is the statement of a query, nil where there is none: it has a long
// list, of a length that may not come again, too many are kept already, or the query
// itself will tell what is wrong.
func (p *pool) prepared(ctx context.Context, query string, args []any) *sql.Stmt {
	if p.stmts == nil || len(args) > mostArgs {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	st := p.stmts[query]
	if st != nil || len(p.stmts) >= maxStatements {
		return st
	}
	st, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil
	}
	p.stmts[query] = st
	return st
}
