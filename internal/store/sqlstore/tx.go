package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"assay/internal/store"
)

// A tx is one unit of writing. After an error of a write it is of no use on
// PostgreSQL; so that units behave alike it is of none on SQLite.
type tx struct {
	reader
	s    *session
	ctx  context.Context
	unit *unit
	// failed is the first error of a write.
	failed error
	// over is set when the unit's function has returned.
	over bool
	// undos take back what was changed in the caller's rows.
	undos []func()
}

var errOver = errors.New("the unit of writing is over")

// undo takes back changes of the caller's rows: what they say did not happen.
func (t *tx) undo() {
	if t == nil {
		return
	}
	for _, f := range t.undos {
		f()
	}
	t.undos = nil
}

// usable says why the unit is of no use any more.
func (t *tx) usable() error {
	switch {
	case t.over:
		return errOver
	case t.failed != nil:
		return t.failed
	}
	return t.fail(t.unit.ctx.Err())
}

// fail keeps the first error of a write.
func (t *tx) fail(err error) error {
	if err == nil {
		return nil
	}
	err = wrap(t.dialect, err)
	if t.failed == nil {
		t.failed = err
	}
	return err
}

// exec queues a statement: on PostgreSQL its error comes with a later statement,
// or from Write.
func (t *tx) exec(query string, args ...any) error {
	return t.expect(query, args, nil)
}

// must is exec for a statement that has to meet a row: where it meets none, what is
// not as the unit needs it, none says how.
func (t *tx) must(what string, none error, query string, args ...any) error {
	return t.expect(query, args, func(met int64) error {
		if met == 0 {
			return fmt.Errorf("%s: %w", what, none)
		}
		return nil
	})
}

// expect is exec for a statement that has to meet as many rows as met says. On
// PostgreSQL what met says comes with a later statement, or from Write, and before
// what went wrong after it.
func (t *tx) expect(query string, args []any, met func(rows int64) error) error {
	if err := t.usable(); err != nil {
		return err
	}
	if t.dialect.watch != nil {
		t.dialect.watch(query, args)
	}
	st := Statement{SQL: query, Args: args}
	if met != nil {
		// The unit is lost whatever the method makes of it with which this comes: one that
		// finds nothing takes that for an answer.
		st.Met = func(rows int64) error { return t.fail(met(rows)) }
	}
	return t.fail(t.s.queue(t.ctx, st))
}

// execN runs a statement and says how many rows it met.
func (t *tx) execN(query string, args ...any) (int64, error) {
	if err := t.usable(); err != nil {
		return 0, err
	}
	if t.dialect.watch != nil {
		t.dialect.watch(query, args)
	}
	n, err := t.s.exec(t.ctx, query, args...)
	return n, t.fail(err)
}

// read is collect within a unit.
func read[T any](t *tx, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	list, err := collect(t.ctx, t.q, t.dialect, scan, query, args...)
	return list, t.fail(err)
}

// Order reads one order as of now, for a change of it.
func (t *tx) Order(tenant, id string) (*store.Order, error) {
	if err := t.usable(); err != nil {
		return nil, err
	}
	o, err := t.order(t.ctx, tenant, id, t.dialect.ForUpdate)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, t.fail(err)
	}
	return o, err
}

// LockKeys finds the orders that count with one of the digests, and keeps others
// from doing so.
func (t *tx) LockKeys(tenant string, keys ...store.OrderKey) (ids []string, err error) {
	err = t.all(t.lockReads(tenant, keys, &ids))
	return ids, err
}

// lockReads take the locks always in one order, and before the statement that
// reads: that sees whatever was committed under them.
func (t *tx) lockReads(tenant string, keys []store.OrderKey, ids *[]string) (list []Statement) {
	if len(keys) == 0 {
		return nil
	}
	w := &where{}
	of, most := w.arg(tenant), w.arg(maxRows)
	selects := make([]string, len(keys))
	locks := make([]string, len(keys))
	for i, k := range keys { // each comes sorted from the index
		selects[i] = `SELECT order_id FROM (SELECT order_id FROM order_keys WHERE digest = ` + w.arg(k.Digest) + ` AND kind = ` + w.arg(k.Kind) +
			` AND (tenant = ` + of + ` OR validated_at > 0) ORDER BY created_at DESC, order_id DESC LIMIT ` + most + `) AS w` + strconv.Itoa(i)
		locks[i] = k.Kind + ":" + k.Digest
	}
	slices.Sort(locks)
	for _, l := range locks {
		if t.dialect.Lock != "" {
			list = append(list, reading(func(func(...any) error) error { return nil }, t.dialect.Lock, l))
		}
	}
	return append(list, reading(into(ids, scanText), strings.Join(selects, " UNION ALL "), w.args...))
}

// all is [reader.all] within the unit.
func (t *tx) all(list []Statement) error {
	if err := t.usable(); err != nil {
		return err
	}
	return t.fail(t.reader.all(t.ctx, list))
}

// Now takes the lock of the order before those of its keys.
func (t *tx) Now(q store.NowQuery) (*store.Now, error) {
	var orders []store.Order
	var around store.Around
	now := &store.Now{}
	list := append([]Statement{reading(into(&orders, scanOrder), orderQuery+t.dialect.ForUpdate, q.Order)}, t.lockReads(q.Tenant, q.Keys, &now.Sharing)...)
	if q.Account != "" {
		list = append(list, standing(&store.AroundQuery{Tenant: q.Tenant, Account: q.Account, Past: store.PastQuery{Key: q.Keyprint}}, &around))
	}
	if err := t.all(list); err != nil {
		return nil, err
	}
	if len(orders) == 0 {
		return nil, store.ErrNotFound
	}
	now.Order, now.Account, now.Blocked = &orders[0], around.Account, around.Blocked
	return now, nil
}

func (t *tx) ValidateKeys(orderID string, at time.Time, keys ...store.OrderKey) error {
	if len(keys) == 0 {
		return nil
	}
	w := &where{args: []any{micros(at), orderID}}
	terms := make([]string, len(keys))
	for i, k := range keys {
		terms[i] = "digest = " + w.arg(k.Digest) + " AND kind = " + w.arg(k.Kind)
	}
	return t.exec(`UPDATE order_keys SET validated_at = $1 WHERE order_id = $2 AND (`+strings.Join(terms, " OR ")+`)`, w.args...)
}

// version changes the version of the caller's row for as long as the unit holds.
func (t *tx) version(o *store.Order, v int64) {
	before := o.Version
	o.Version = v
	t.undos = append(t.undos, func() { o.Version = before })
}

func (t *tx) UpdateOrder(o *store.Order) error {
	body, err := bodyOf(o.Order)
	if err != nil {
		return err
	}
	args := []any{
		string(o.State), string(o.Phase), string(o.Reason), string(o.Product), string(o.Kind), o.Profile, string(o.Method), o.Name, o.Names, body,
		o.Verdict, o.Review, o.Paused, o.Identical, micros(o.ManualAt), micros(o.Submitted), micros(o.Deadline), micros(o.Changed), micros(o.ReadyAt),
		micros(o.Ended), micros(o.Deleted), micros(o.Validated), o.ID, o.Version,
	}
	err = t.must("order "+o.ID, store.ErrConflict, `UPDATE orders SET state=$1, phase=$2, reason=$3, product=$4, kind=$5, profile=$6, method=$7, name=$8, names=$9, body=$10,
		verdict=$11, review=$12, paused=$13, identical=$14, manual_at=$15, submitted_at=$16, deadline=$17, changed_at=$18, ready_at=$19, ended_at=$20,
		deleted_at=$21, validated_at=$22, pruned_at=0, version=version+1 WHERE id=$23 AND version=$24`, args...)
	if err != nil {
		return err
	}
	t.version(o, o.Version+1)
	return nil
}

func (t *tx) ReplaceOrder(o *store.Order, extra store.NewOrder) error {
	if err := t.UpdateOrder(o); err != nil {
		return err
	}
	for _, table := range []string{"order_names", "challenges"} {
		if err := t.exec(`DELETE FROM `+table+` WHERE order_id = $1`, o.ID); err != nil {
			return err
		}
	}
	return t.extras(o, extra)
}

const (
	dueColumns = "due (order_id, kind, due_at, lease, until, attempt)"
	// dueAgain also ends a lease.
	dueAgain = "ON CONFLICT (order_id, kind) DO UPDATE SET due_at=excluded.due_at, lease='', until=0, attempt=excluded.attempt"
)

func (t *tx) SetDue(d store.Due) error {
	return t.insert(dueColumns, dueAgain, [][]any{{d.Order, string(d.Kind), micros(d.At), "", 0, d.Attempt}})
}

func (t *tx) ClearDue(orderID string, kinds ...store.DueKind) error {
	if len(kinds) == 0 {
		return t.exec(`DELETE FROM due WHERE order_id = $1`, orderID)
	}
	w := &where{args: []any{orderID}}
	marks := make([]string, len(kinds))
	for i, k := range kinds {
		marks[i] = w.arg(string(k))
	}
	return t.exec(`DELETE FROM due WHERE order_id = $1 AND kind IN (`+strings.Join(marks, ",")+`)`, w.args...)
}

// TakeDue moves the time at which a leased row is due to the end of the lease:
// the same index then finds both what is due and what was left lying, and rows
// under way are not looked at.
func (t *tx) TakeDue(now time.Time, owner string, until time.Time, limit int) ([]store.Due, error) {
	due, err := read(t, scanDue,
		`SELECT order_id, kind, due_at, attempt FROM due WHERE due_at <= $1 ORDER BY due_at, order_id, kind LIMIT $2`+t.dialect.SkipLocked, micros(now), limit)
	if err != nil {
		return nil, err
	}
	for i := range due {
		d := &due[i]
		d.Attempt++
		err := t.exec(`UPDATE due SET lease=$1, until=$2, due_at=$2, attempt=$3 WHERE order_id=$4 AND kind=$5`,
			owner, micros(until), d.Attempt, d.Order, string(d.Kind))
		if err != nil {
			return nil, err
		}
	}
	return due, nil
}

func (t *tx) FinishDue(d store.Due, owner string) error {
	return t.leased(d, owner, `DELETE FROM due`)
}

func (t *tx) KeepDue(d store.Due, owner string) error {
	return t.leased(d, owner, `UPDATE due SET attempt=attempt`)
}

// leased does something with a row that owner holds.
func (t *tx) leased(d store.Due, owner, what string) error {
	return t.must(string(d.Kind)+" of order "+d.Order, store.ErrLeaseLost, what+` WHERE order_id=$1 AND kind=$2 AND lease=$3 AND attempt=$4`,
		d.Order, string(d.Kind), owner, d.Attempt)
}

func (t *tx) RepeatReview(id string, at time.Time) error {
	return t.must("review "+id, store.ErrNotFound, `UPDATE reviews SET last_at=$1, checks=checks+1 WHERE id=$2`, micros(at), id)
}

func (t *tx) PutValidation(v store.Validation) error {
	return t.exec(`INSERT INTO validations (tenant, account, domain, method, profile, wildcard, order_id, review, validated_at)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9)
		ON CONFLICT (tenant, account, domain, method, profile) DO UPDATE SET wildcard=excluded.wildcard, order_id=excluded.order_id,
		review=excluded.review, validated_at=excluded.validated_at WHERE excluded.validated_at >= validations.validated_at`,
		v.Tenant, v.Account, v.Domain, string(v.Method), v.Profile, flag(v.Wildcard), v.Order, v.Review, micros(v.At))
}

// blob is what a column that is never NULL holds: nil is empty.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (t *tx) InsertTenant(v store.Tenant) error {
	return t.exec(`INSERT INTO tenants (id, name, created_at, closed_at) VALUES ($1,$2,$3,$4)`, v.ID, v.Name, micros(v.Created), micros(v.Closed))
}

func (t *tx) PutTenant(v store.Tenant) error {
	return t.exec(`INSERT INTO tenants (id, name, created_at, closed_at) VALUES ($1,$2,$3,$4)
		ON CONFLICT (id) DO UPDATE SET name=excluded.name, closed_at=excluded.closed_at`, v.ID, v.Name, micros(v.Created), micros(v.Closed))
}

func (t *tx) PutAccount(a store.Account) error {
	return t.exec(`INSERT INTO accounts (tenant, id, verified, agreement, created_at, deactivated_at) VALUES ($1,$2,$3,$4,$5,$6)
		ON CONFLICT (tenant, id) DO UPDATE SET verified=excluded.verified, agreement=excluded.agreement, deactivated_at=excluded.deactivated_at`,
		a.Tenant, a.ID, flag(a.Verified), a.Agreement, micros(a.Created), micros(a.Deactivated))
}

func (t *tx) EnsureAccount(a store.Account) error {
	return t.exec(`INSERT INTO accounts (tenant, id, verified, agreement, created_at, deactivated_at) VALUES ($1,$2,$3,$4,$5,$6)
		ON CONFLICT (tenant, id) DO NOTHING`, a.Tenant, a.ID, flag(a.Verified), a.Agreement, micros(a.Created), micros(a.Deactivated))
}

func (t *tx) PutToken(k store.Token) error {
	return t.exec(`INSERT INTO tokens (id, tenant, account, role, scopes, name, hash, created_at, expires_at, revoked_at)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)
		ON CONFLICT (id) DO UPDATE SET name=excluded.name, expires_at=excluded.expires_at,
		revoked_at=CASE WHEN tokens.revoked_at > 0 THEN tokens.revoked_at ELSE excluded.revoked_at END`,
		k.ID, k.Tenant, k.Account, k.Role, strings.Join(k.Scopes, " "), k.Name, blob(k.Hash), micros(k.Created), micros(k.Expires), micros(k.Revoked))
}

func scanDue(scan func(...any) error) (d store.Due, err error) {
	var at int64
	err = scan(&d.Order, &d.Kind, &at, &d.Attempt)
	d.At = fromMicros(at)
	return d, err
}
