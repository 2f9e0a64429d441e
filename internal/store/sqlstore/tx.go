package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"assay/evidence"
	"assay/internal/store"
	"assay/order"
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
	if err := t.usable(); err != nil {
		return err
	}
	if t.dialect.watch != nil {
		t.dialect.watch(query, args)
	}
	return t.fail(t.s.queue(t.ctx, query, args...))
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

// LockKey finds the orders with a digest, and keeps others from doing so.
func (t *tx) LockKey(k store.OrderKey) ([]string, error) {
	if t.dialect.Lock != "" {
		if _, err := read(t, scanNothing, t.dialect.Lock, k.Kind+":"+k.Digest); err != nil {
			return nil, err
		}
	}
	return read(t, scanText, `SELECT order_id FROM order_keys WHERE digest = $1 AND kind = $2 ORDER BY created_at, order_id`, k.Digest, k.Kind)
}

func scanNothing(scan func(...any) error) (struct{}, error) {
	var ignored any
	return struct{}{}, scan(&ignored)
}

func (t *tx) InsertOrder(o *store.Order, extra store.NewOrder) error {
	body, err := bodyOf(o.Order)
	if err != nil {
		return err
	}
	t.version(o, 1)
	err = t.exec(`INSERT INTO orders (id, tenant, account, state, phase, reason, product, kind, profile, method, name, names, body, verdict, review,
		paused, identical, manual_at, created_at, submitted_at, deadline, changed_at, ready_at, ended_at, deleted_at, version)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26)`,
		o.ID, o.Tenant, o.Account, string(o.State), string(o.Phase), string(o.Reason), string(o.Product), string(o.Kind), o.Profile, string(o.Method),
		o.Name, o.Names, body, o.Verdict, o.Review, o.Paused, o.Identical, micros(o.ManualAt), micros(o.Created), micros(o.Submitted), micros(o.Deadline),
		micros(o.Changed), micros(o.ReadyAt), micros(o.Ended), micros(o.Deleted), o.Version)
	if err != nil {
		return err
	}
	return t.extras(o, extra)
}

// bodyOf is an order without what is kept apart.
func bodyOf(o *order.Order) ([]byte, error) {
	bare := *o
	bare.Challenges = nil
	return json.Marshal(&bare)
}

// extras writes what stands in tables of its own.
func (t *tx) extras(o *store.Order, extra store.NewOrder) error {
	led := map[string]bool{}
	for _, n := range extra.Names {
		err := t.exec(`INSERT INTO order_names (order_id, tenant, name, domain, lead, created_at) VALUES ($1,$2,$3,$4,$5,$6)`,
			o.ID, o.Tenant, n.Name, n.Domain, flag(!led[n.Domain]), micros(o.Created))
		led[n.Domain] = true
		if err != nil {
			return err
		}
	}
	for _, k := range extra.Keys {
		if err := t.exec(`INSERT INTO order_keys (digest, kind, order_id, created_at) VALUES ($1,$2,$3,$4)
			ON CONFLICT (digest, kind, created_at, order_id) DO NOTHING`, k.Digest, k.Kind, o.ID, micros(o.Created)); err != nil {
			return err
		}
	}
	for i := range extra.Challenges {
		c := &extra.Challenges[i]
		err := t.exec(`INSERT INTO challenges (order_id, name, method, type, owner, url, value, origin, created_at, expires_at)
			VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)`,
			o.ID, c.Name, string(c.Method), c.Type, c.Owner, c.URL, c.Value, c.Origin, micros(c.Created), micros(c.Expires))
		if err != nil {
			return err
		}
	}
	for _, d := range extra.Due {
		d.Order = o.ID
		if err := t.SetDue(d); err != nil {
			return err
		}
	}
	return t.values(o.ID, extra.Challenges)
}

// values keeps which order a value belongs to: one, for ever, also where it is
// shown for several names.
func (t *tx) values(orderID string, challenges []order.Challenge) error {
	values := make([]string, 0, len(challenges))
	for i := range challenges {
		values = append(values, challenges[i].Value)
	}
	slices.Sort(values) // always in one order: no two units wait for each other
	for part := range slices.Chunk(slices.Compact(values), 100) {
		w := &where{}
		id := w.arg(orderID)
		rows := make([]string, len(part))
		for i, v := range part {
			rows[i] = "(" + w.arg(v) + "," + id + ")"
		}
		n, err := t.execN(`INSERT INTO challenge_values (value, order_id) VALUES `+strings.Join(rows, ",")+`
			ON CONFLICT (value) DO UPDATE SET order_id = excluded.order_id WHERE challenge_values.order_id = excluded.order_id`, w.args...)
		if err != nil {
			return err
		}
		if n != int64(len(part)) {
			return t.fail(fmt.Errorf("a validation value of another order: %w", store.ErrConflict))
		}
	}
	return t.sync()
}

// sync waits for the answers to what is queued, so that a conflict is told
// where it arose.
func (t *tx) sync() error {
	if err := t.usable(); err != nil {
		return err
	}
	_, err := t.s.flush(t.ctx)
	return t.fail(err)
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
		micros(o.Ended), micros(o.Deleted), o.ID, o.Version,
	}
	n, err := t.execN(`UPDATE orders SET state=$1, phase=$2, reason=$3, product=$4, kind=$5, profile=$6, method=$7, name=$8, names=$9, body=$10,
		verdict=$11, review=$12, paused=$13, identical=$14, manual_at=$15, submitted_at=$16, deadline=$17, changed_at=$18, ready_at=$19, ended_at=$20,
		deleted_at=$21, pruned_at=0, version=version+1 WHERE id=$22 AND version=$23`, args...)
	if err != nil {
		return err
	}
	if n == 0 {
		return t.fail(fmt.Errorf("order %s: %w", o.ID, store.ErrConflict))
	}
	t.version(o, o.Version+1)
	return nil
}

func (t *tx) ReplaceOrder(o *store.Order, extra store.NewOrder) error {
	if err := t.UpdateOrder(o); err != nil {
		return err
	}
	tables := []string{"order_names", "challenges"}
	if o.Submitted.IsZero() {
		tables = append(tables, "order_keys")
	}
	for _, table := range tables {
		if err := t.exec(`DELETE FROM `+table+` WHERE order_id = $1`, o.ID); err != nil {
			return err
		}
	}
	return t.extras(o, extra)
}

func (t *tx) SetDue(d store.Due) error {
	return t.exec(`INSERT INTO due (order_id, kind, due_at, lease, until, attempt) VALUES ($1,$2,$3,'',0,$4)
		ON CONFLICT (order_id, kind) DO UPDATE SET due_at=excluded.due_at, lease='', until=0, attempt=excluded.attempt`,
		d.Order, string(d.Kind), micros(d.At), d.Attempt)
}

func (t *tx) ClearDue(orderID string, kinds ...store.DueKind) error {
	if len(kinds) == 0 {
		return t.exec(`DELETE FROM due WHERE order_id = $1`, orderID)
	}
	for _, k := range kinds {
		if err := t.exec(`DELETE FROM due WHERE order_id = $1 AND kind = $2`, orderID, string(k)); err != nil {
			return err
		}
	}
	return nil
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
	n, err := t.execN(`DELETE FROM due WHERE order_id=$1 AND kind=$2 AND lease=$3 AND attempt=$4`, d.Order, string(d.Kind), owner, d.Attempt)
	if err == nil && n == 0 {
		err = t.fail(fmt.Errorf("%s of order %s: %w", d.Kind, d.Order, store.ErrLeaseLost))
	}
	return err
}

func (t *tx) InsertReview(r *store.Review, seen []evidence.Observation) error {
	report, ids := pack(r.Report), pack(mustJSON(r.Seen))
	err := t.exec(`INSERT INTO reviews (id, order_id, number, mode, trigger, verdict, causes, profile, first_at, last_at, checks, report, seen)
		VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)`,
		r.ID, r.Order, r.Number, r.Mode, r.Trigger, r.Verdict, strings.Join(r.Causes, ","), r.Profile, micros(r.First), micros(r.Last), r.Checks, report, ids)
	if err != nil {
		return err
	}
	return t.observe(r, seen)
}

// observe writes the observations of a review that the order does not have yet:
// most checks see what the one before saw.
func (t *tx) observe(r *store.Review, seen []evidence.Observation) error {
	if len(seen) == 0 {
		return nil
	}
	ids, err := read(t, scanText, `SELECT id FROM observations WHERE order_id = $1`, r.Order)
	if err != nil {
		return err
	}
	has := make(map[string]bool, len(ids)+len(seen))
	for _, id := range ids {
		has[id] = true
	}
	for i := range seen {
		if has[seen[i].ID] {
			continue
		}
		has[seen[i].ID] = true
		body, err := json.Marshal(&seen[i])
		if err != nil {
			return err
		}
		err = t.exec(`INSERT INTO observations (order_id, id, body, first_at) VALUES ($1,$2,$3,$4) ON CONFLICT (order_id, id) DO NOTHING`,
			r.Order, seen[i].ID, pack(body), micros(r.First))
		if err != nil {
			return err
		}
	}
	return nil
}

func mustJSON(v []string) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("a list of texts cannot be written: " + err.Error())
	}
	return raw
}

func (t *tx) RepeatReview(id string, at time.Time) error {
	n, err := t.execN(`UPDATE reviews SET last_at=$1, checks=checks+1 WHERE id=$2`, micros(at), id)
	if err == nil && n == 0 {
		err = t.fail(fmt.Errorf("review %s: %w", id, store.ErrNotFound))
	}
	return err
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
		ON CONFLICT (id) DO UPDATE SET name=excluded.name, expires_at=excluded.expires_at, revoked_at=excluded.revoked_at`,
		k.ID, k.Tenant, k.Account, k.Role, strings.Join(k.Scopes, " "), k.Name, blob(k.Hash), micros(k.Created), micros(k.Expires), micros(k.Revoked))
}

func scanDue(scan func(...any) error) (d store.Due, err error) {
	var at int64
	err = scan(&d.Order, &d.Kind, &at, &d.Attempt)
	d.At = fromMicros(at)
	return d, err
}
