// Package copy moves the whole content of a store to another, of the same
// engine or the other one: from SQLite to PostgreSQL when one machine is not
// enough, and back.
package copy

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// tables are all there are, what others refer to first.
var tables = []string{
	"tenants", "accounts", "tokens", "orders", "order_names", "order_keys", "challenges", "challenge_values", "due",
	"reviews", "observations", "validations", "desk", "decisions", "audit", "audit_heads", "requests", "secrets", "leases",
	"dossiers", "claims", "calls", "letters", "letter_parts",
	"authorities", "attempts", "upstream_orders", "chains", "certificates", "certificate_names", "certificate_due", "revocations", "crls", "blocked_keys", "csrs",
	"channels", "channel_events", "notices", "notice_tries",
}

// A Database is what is copied from and to: an open store, or a
// [sqlstore.Raw]. Reading are connections to it, of which one is used.
type Database interface {
	Engine() string
	Reading() *sql.DB
}

// A Progress is told a table and how many of its rows are done so far.
type Progress func(table string, rows int64)

// ErrNotEmpty: the target holds something, and nothing is written over.
var ErrNotEmpty = errors.New("the target is not empty")

// A Table says what was copied of one.
type Table struct {
	Name string
	Rows int64
	// Digest is of the rows, whatever order they come in; equal content has equal
	// digests on either engine.
	Digest [32]byte
}

// step is how many rows are between two reports of progress.
const step = 10_000

// Copy writes the content of one store, as it is at one moment, into another
// that must be empty. It is there when Copy returns nil, and nothing of it
// otherwise: the rows are read again and compared before the commit. progress
// is told the table and how many of its rows there are so far; nil is nobody.
// Nothing else may write to the target; the source can be in use.
func Copy(ctx context.Context, from, to Database, progress Progress) (done []Table, err error) {
	return move(ctx, from, to, false, progress)
}

// Replace is [Copy] into a store whose content it takes away in the same
// transaction: what is there afterwards is the old content or the new.
func Replace(ctx context.Context, from, to Database, progress Progress) (done []Table, err error) {
	return move(ctx, from, to, true, progress)
}

func move(ctx context.Context, from, to Database, replace bool, progress Progress) (done []Table, err error) {
	if progress == nil {
		progress = func(string, int64) {}
	}
	source, end, err := begin(ctx, from, false)
	if err != nil {
		return nil, fmt.Errorf("reading the source: %w", err)
	}
	defer func() { err = errors.Join(err, end(nil)) }()
	target, commit, err := begin(ctx, to, true)
	if err != nil {
		return nil, fmt.Errorf("writing the target: %w", err)
	}
	defer func() { err = commit(err) }()
	for _, name := range slices.Backward(tables) {
		if replace {
			err = clear(ctx, target, to.Engine(), name)
		} else {
			err = empty(ctx, target, name)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range tables {
		t, err := table(ctx, source, target, to.Engine(), name, progress)
		if err != nil {
			return nil, fmt.Errorf("copying the table %s: %w", name, err)
		}
		done = append(done, t)
	}
	return done, nil
}

// Digest reads a whole database, of any version, as it is at one moment.
func Digest(ctx context.Context, db Database) (all []Table, err error) {
	conn, end, err := begin(ctx, db, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end(nil)) }()
	names, err := present(ctx, conn, db.Engine())
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		r, err := read(ctx, conn, name)
		if err != nil {
			return nil, err
		}
		for r.Next() {
		}
		if err := errors.Join(r.Err(), r.rows.Close()); err != nil {
			return nil, fmt.Errorf("reading the table %s: %w", name, err)
		}
		all = append(all, r.table)
	}
	return all, nil
}

// Empty returns [ErrNotEmpty] where a database of any version holds something.
func Empty(ctx context.Context, db Database) error {
	conn, end, err := begin(ctx, db, false)
	if err != nil {
		return err
	}
	names, err := present(ctx, conn, db.Engine())
	for _, name := range names {
		if err == nil {
			err = empty(ctx, conn, name)
		}
	}
	return errors.Join(err, end(nil))
}

// begin starts a transaction on a connection of its own, that of one moment for
// the source. The function ends it: it commits where its error is nil.
func begin(ctx context.Context, db Database, write bool) (*sql.Conn, func(error) error, error) {
	conn, err := db.Reading().Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	start, after := []string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}, ""
	switch {
	case db.Engine() == "sqlite" && write:
		start, after = []string{"PRAGMA query_only = 0", "BEGIN IMMEDIATE"}, "PRAGMA query_only = 1"
	case db.Engine() == "sqlite":
		start = []string{"BEGIN"}
	case write:
		start = []string{"BEGIN"}
	}
	for _, s := range start {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return nil, nil, errors.Join(err, conn.Close())
		}
	}
	return conn, func(failed error) error {
		// Also where ctx has ended: the transaction must not stay open.
		ctx, last := context.WithoutCancel(ctx), "COMMIT"
		if failed != nil {
			last = "ROLLBACK"
		}
		_, err := conn.ExecContext(ctx, last)
		if failed != nil {
			err = nil // a transaction that broke has ended already
		}
		if after != "" {
			_, e := conn.ExecContext(ctx, after)
			err = errors.Join(err, e)
		}
		return errors.Join(failed, err, conn.Close())
	}, nil
}

// clear takes away the rows of a table.
func clear(ctx context.Context, conn *sql.Conn, engine, name string) error {
	statement := "DELETE FROM " + name
	if engine == "postgres" {
		statement = "TRUNCATE " + name + " CASCADE" // all are cleared anyway
	}
	if _, err := conn.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("clearing the table %s of the target: %w", name, err)
	}
	return nil
}

func empty(ctx context.Context, conn *sql.Conn, name string) error {
	var one int
	err := conn.QueryRowContext(ctx, "SELECT 1 FROM "+name+" LIMIT 1").Scan(&one)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("looking at the table %s of the target: %w", name, err)
	}
	return fmt.Errorf("%w: its table %s has rows", ErrNotEmpty, name)
}

// table copies one table and compares it.
func table(ctx context.Context, source, target *sql.Conn, engine, name string, progress Progress) (Table, error) {
	r, err := read(ctx, source, name)
	if err != nil {
		return Table{}, err
	}
	defer r.rows.Close()
	r.progress = progress
	if engine == "postgres" {
		err = intoPostgres(ctx, target, r)
	} else {
		err = insert(ctx, target, r.table.Name, r.columns, r)
	}
	if err = errors.Join(err, r.Err()); err != nil {
		return Table{}, err
	}
	progress(name, r.table.Rows)
	back, err := read(ctx, target, name)
	if err != nil {
		return Table{}, err
	}
	defer back.rows.Close()
	for back.Next() {
	}
	if err := back.Err(); err != nil {
		return Table{}, err
	}
	if back.table != r.table {
		return Table{}, fmt.Errorf("%d rows were written, %d others are there: nothing was kept", r.table.Rows, back.table.Rows)
	}
	return r.table, nil
}

// A reader reads the rows of a table and digests them; it is what pgx copies from.
type reader struct {
	rows     *sql.Rows
	columns  []string
	values   []any
	into     []any
	table    Table
	err      error
	progress Progress
}

func read(ctx context.Context, conn *sql.Conn, name string) (*reader, error) {
	rows, err := conn.QueryContext(ctx, "SELECT * FROM "+name)
	if err != nil {
		return nil, err
	}
	columns, err := rows.Columns()
	if err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	r := &reader{rows: rows, columns: columns, values: make([]any, len(columns)), table: Table{Name: name}}
	for i := range r.values {
		r.into = append(r.into, &r.values[i])
	}
	return r, nil
}

// Next reads a row.
func (r *reader) Next() bool {
	if r.err != nil || !r.rows.Next() {
		return false
	}
	if r.err = r.rows.Scan(r.into...); r.err != nil {
		return false
	}
	for i, v := range r.values {
		if b, ok := v.([]byte); ok && b == nil {
			r.values[i] = []byte{} // of no length, and not NULL
		}
	}
	if r.err = r.table.add(r.columns, r.values); r.err != nil {
		return false
	}
	if r.progress != nil && r.table.Rows%step == 0 {
		r.progress(r.table.Name, r.table.Rows)
	}
	return true
}

// Values are those of the row.
func (r *reader) Values() ([]any, error) { return r.values, nil }

// Err is why Next ended.
func (r *reader) Err() error { return errors.Join(r.err, r.rows.Err()) }

// add adds a row's hash to the digest, number by number: in any order the sum is
// the same.
func (t *Table) add(columns []string, values []any) error {
	var text []byte
	for i, v := range values {
		text = append(text, columns[i]...)
		switch v := v.(type) {
		case nil:
			text = append(text, 0)
		case int64:
			text = binary.BigEndian.AppendUint64(append(text, 1), uint64(v))
		case string:
			text = append(binary.BigEndian.AppendUint64(append(text, 2), uint64(len(v))), v...)
		case []byte:
			text = append(binary.BigEndian.AppendUint64(append(text, 2), uint64(len(v))), v...)
		default:
			return fmt.Errorf("the column %s has a value of type %T", columns[i], v)
		}
	}
	sum := sha256.Sum256(text)
	for at := 0; at < len(sum); at += 8 {
		total := binary.BigEndian.Uint64(t.Digest[at:]) + binary.BigEndian.Uint64(sum[at:])
		binary.BigEndian.PutUint64(t.Digest[at:], total)
	}
	t.Rows++
	return nil
}

// intoPostgres uses PostgreSQL's own way for many rows.
func intoPostgres(ctx context.Context, target *sql.Conn, r *reader) error {
	return target.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("not a connection of pgx: %T", driver)
		}
		_, err := c.Conn().CopyFrom(ctx, pgx.Identifier{r.table.Name}, r.columns, r)
		return err
	})
}

// rowsOf are rows that are read one by one.
type rowsOf interface {
	Next() bool
	Values() ([]any, error)
}

func insert(ctx context.Context, target *sql.Conn, name string, columns []string, rows rowsOf) error {
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	put, err := target.PrepareContext(ctx, "INSERT INTO "+name+" ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(marks, ", ")+")")
	if err != nil {
		return err
	}
	defer put.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		if _, err := put.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

// Equal reports whether two stores have the same content.
func Equal(a, b []Table) bool { return slices.Equal(a, b) }

// Whole is one digest of all tables in hexadecimal, for people to compare. A table
// without rows counts like one that an older version does not have.
func Whole(all []Table) string {
	h := sha256.New()
	for _, t := range all {
		if t.Rows > 0 {
			fmt.Fprintf(h, "%s %d %x\n", t.Name, t.Rows, t.Digest)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
