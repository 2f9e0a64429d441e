// Package rekey changes the data key that seals what a database keeps secret: a new
// key joins the ring, every sealed value is sealed anew in bounded batches, and at
// last the keys before it leave the ring, so that they open nothing any more.
//
// It may end anywhere, killed or not, and begin again. Until the last step the ring
// has the old keys and the new one, so each value opens, whichever sealed it. The
// ring changes in one transaction; what is left to do is what the ring and the
// values say, and nothing else is kept.
//
// Nobody else may write meanwhile: who read a value before it was sealed anew and
// wrote it back would bring the old one back. [sqlite.Alter] and [postgres.Alter]
// keep others out. The last step looks all the same whether a value is left.
package rekey

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"assay/internal/secret"
	"assay/internal/store"
)

// What one transaction seals anew, at most: so many rows, and no further row once
// that many bytes are read.
const (
	batchRows  = 500
	batchBytes = 4 << 20
)

var (
	// ErrNoRing: the database never served, so nothing is sealed yet.
	ErrNoRing = errors.New("the database has no keys yet")
	// ErrLeft: a value came back that an older key sealed. The keys stay as they
	// are; begin again.
	ErrLeft = errors.New("another program wrote meanwhile: values are left that an older key sealed")
	// ErrDamaged: a value does not open, with no key. The keys stay as they are.
	ErrDamaged = errors.New("a sealed value does not open")
)

// A Database is what is worked on. Reading are its connections; they must be
// allowed to write.
type Database interface {
	Engine() string
	Reading() *sql.DB
}

// A Progress is told a column and how many of its values are sealed anew so far,
// after each transaction.
type Progress func(c Column, values int64)

// Config says what a [Turn] works with.
type Config struct {
	// Master opens the ring.
	Master secret.Master
	// Next seals the ring from the last step on; nil: Master.
	Next secret.Master
	// Now is the time that a new key is made at.
	Now time.Time
	// Rand is where keys and nonces come from: crypto/rand.Reader.
	Rand io.Reader
	// Rows is how many rows a transaction changes at most; 0 is 500.
	Rows int
}

// A Turn is a change of the data key that has begun.
type Turn struct {
	db     Database
	cfg    Config
	ring   []byte // as it is stored
	keeper *secret.Keeper
	// Resumed: an earlier run began it. Ended: one came to its end, and the ring is
	// sealed by [Config.Next].
	Resumed, Ended bool
}

// Begin adds a new key to the ring. Where the ring has more than one an earlier run
// came not to its end, and it goes on with the newest. Whoever opens the database
// from now on has both keys. Where the ring opens with [Config.Next] alone, nothing is
// left to do.
func Begin(ctx context.Context, db Database, cfg Config) (*Turn, error) {
	if cfg.Rows <= 0 {
		cfg.Rows = batchRows
	}
	t := &Turn{db: db, cfg: cfg}
	err := db.Reading().QueryRowContext(ctx, "SELECT sealed FROM secrets WHERE id = $1", RingID).Scan(&t.ring)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoRing
	} else if err != nil {
		return nil, fmt.Errorf("reading the ring of data keys: %w", err)
	}
	t.keeper, err = secret.Open(ctx, secret.Config{Master: cfg.Master, Ring: t.ring, Rand: cfg.Rand})
	if errors.Is(err, secret.ErrOtherMaster) && cfg.Next != nil {
		if _, e := secret.Open(ctx, secret.Config{Master: cfg.Next, Ring: t.ring, Rand: cfg.Rand}); e == nil {
			t.Ended = true
			return t, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if t.Resumed = t.keeper.Keys() > 1; t.Resumed {
		return t, nil
	}
	ring, keeper, err := t.keeper.Turn(ctx, cfg.Master, cfg.Now)
	if err != nil {
		return nil, err
	}
	if err := t.unit(ctx, func(tx *sql.Tx) error { return t.putRing(ctx, tx, ring) }); err != nil {
		return nil, err
	}
	t.ring, t.keeper = ring, keeper
	return t, nil
}

// Rewrite seals every value anew that an older key sealed, and returns how many
// there were in each column. progress nil is nobody.
func (t *Turn) Rewrite(ctx context.Context, progress Progress) (map[string]int64, error) {
	if progress == nil {
		progress = func(Column, int64) {}
	}
	done := map[string]int64{}
	for _, c := range Columns() {
		if err := t.column(ctx, c, done, progress); err != nil {
			return done, fmt.Errorf("sealing %s anew: %w", c, err)
		}
	}
	return done, nil
}

// column goes through a column in the order of its rows.
func (t *Turn) column(ctx context.Context, c Column, done map[string]int64, progress Progress) error {
	var last []any
	for {
		var n int64
		err := t.unit(ctx, func(tx *sql.Tx) error {
			batch, err := t.read(ctx, tx, c, last)
			if err != nil {
				return err
			}
			for i := range batch {
				if err := t.reseal(ctx, tx, c, &batch[i]); err != nil {
					return err
				}
				last = batch[i].key
			}
			n = int64(len(batch))
			return nil
		})
		if err != nil || n == 0 {
			return err
		}
		done[c.String()] += n
		progress(c, done[c.String()])
	}
}

// A value is a sealed one with the row that it is in.
type value struct {
	key    []any
	row    string
	sealed []byte
}

// read reads the next values to seal anew, after those of the last row; nil: from
// the first one on.
func (t *Turn) read(ctx context.Context, tx *sql.Tx, c Column, last []any) (batch []value, err error) {
	keys := strings.Join(c.Key, ", ")
	query, args := "SELECT "+keys+", "+c.Row+", "+c.Name+" FROM "+c.Table+" WHERE "+c.stale(), []any{t.keeper.Mark()}
	if last != nil {
		query += " AND (" + keys + ") > (" + marks(2, len(last)) + ")"
		args = append(args, last...)
	}
	rows, err := tx.QueryContext(ctx, query+" ORDER BY "+keys+" LIMIT "+itoa(t.cfg.Rows), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for size := 0; size < batchBytes && rows.Next(); {
		v := value{key: make([]any, len(c.Key))}
		into := make([]any, 0, len(c.Key)+2)
		for i := range v.key {
			into = append(into, &v.key[i])
		}
		if err := rows.Scan(append(into, &v.row, &v.sealed)...); err != nil {
			return nil, err
		}
		batch, size = append(batch, v), size+len(v.sealed)
	}
	return batch, errors.Join(rows.Err(), rows.Close())
}

// reseal puts a value in its place that the newest key sealed.
func (t *Turn) reseal(ctx context.Context, tx *sql.Tx, c Column, v *value) error {
	plain, err := t.keeper.Open(v.row, v.sealed)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer clear(plain)
	sealed, err := t.keeper.Seal(v.row, plain)
	if err != nil {
		return err
	}
	keys := strings.Join(c.Key, ", ")
	_, err = tx.ExecContext(ctx, "UPDATE "+c.Table+" SET "+c.Name+" = $1 WHERE ("+keys+") = ("+marks(2, len(v.key))+")", append([]any{sealed}, v.key...)...)
	return err
}

// Finish takes the older keys out of the ring and seals it with [Config.Next]. With it
// the entry of the audit log is written. The error is [ErrLeft] where a value is left
// that an older key sealed.
func (t *Turn) Finish(ctx context.Context, e *store.Entry) error {
	master := t.cfg.Next
	if master == nil {
		master = t.cfg.Master
	}
	ring, keeper, err := t.keeper.Retire(ctx, master)
	if err != nil {
		return err
	}
	err = t.unit(ctx, func(tx *sql.Tx) error {
		for _, c := range Columns() {
			var one int
			err := tx.QueryRowContext(ctx, "SELECT 1 FROM "+c.Table+" WHERE "+c.stale()+" LIMIT 1", keeper.Mark()).Scan(&one)
			if err == nil {
				return fmt.Errorf("%s: %w", c, ErrLeft)
			} else if !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("looking through %s: %w", c, err)
			}
		}
		if err := t.putRing(ctx, tx, ring); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO audit (id, at, tenant, actor, role, action, subject, data) VALUES ($1,$2,$3,$4,$5,$6,$7,$8)",
			e.ID, e.At.UnixMicro(), e.Tenant, e.Actor, e.Role, e.Action, e.Subject, []byte(e.Data))
		return err
	})
	if err != nil {
		return err
	}
	t.ring, t.keeper = ring, keeper
	return nil
}

// putRing stores a ring in the place of the one that was read.
func (t *Turn) putRing(ctx context.Context, tx *sql.Tx, ring []byte) error {
	var there []byte
	if err := tx.QueryRowContext(ctx, "SELECT sealed FROM secrets WHERE id = $1", RingID).Scan(&there); err != nil {
		return fmt.Errorf("reading the ring of data keys: %w", err)
	}
	if !bytes.Equal(there, t.ring) {
		return fmt.Errorf("the ring of data keys changed: %w", ErrLeft)
	}
	_, err := tx.ExecContext(ctx, "UPDATE secrets SET sealed = $1, created_at = $2 WHERE id = $3", ring, t.cfg.Now.UnixMicro(), RingID)
	return err
}

// unit runs a transaction.
func (t *Turn) unit(ctx context.Context, run func(*sql.Tx) error) error {
	tx, err := t.db.Reading().BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := run(tx); err != nil {
		_ = tx.Rollback() // it has ended where the connection broke
		return err
	}
	return tx.Commit()
}

// marks are n parameters of SQL from a number on.
func marks(from, n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = "$" + itoa(from+i)
	}
	return strings.Join(list, ", ")
}

func itoa(n int) string { return strconv.Itoa(n) }
