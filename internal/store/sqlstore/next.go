package sqlstore

import (
	"context"
	"database/sql"
	"time"
)

// NextDue is when something is due next, leased or not: at the end of a lease
// for what is under way.
func (r reader) NextDue(ctx context.Context) (time.Time, error) {
	at, err := one(ctx, r.q, r.dialect, func(scan func(...any) error) (n sql.NullInt64, err error) { return n, scan(&n) }, `SELECT MIN(due_at) FROM due`)
	if err != nil {
		return time.Time{}, err
	}
	return fromMicros(at.Int64), nil
}

// HasUnsealed reports whether audit entries wait for their place in the chain.
func (r reader) HasUnsealed(ctx context.Context) (bool, error) {
	list, err := collect(ctx, r.q, r.dialect, scanText, `SELECT id FROM audit WHERE seq IS NULL LIMIT 1`)
	return len(list) > 0, err
}
