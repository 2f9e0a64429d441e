package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"assay/internal/store"
	"assay/order"
)

// A reader reads through a pool, or through the connection of a unit.
type reader struct {
	q       querier
	dialect *Dialect
}

const (
	maxRows     = 1000
	rowColumns  = `id, tenant, account, state, phase, reason, product, kind, profile, method, name, names, verdict, review, paused, created_at, submitted_at, deadline, changed_at, ended_at, version`
	fullColumns = rowColumns + `, body, identical, manual_at, ready_at, validated_at, deleted_at`
)

// limited bounds how many rows a list gives.
func limited(n int) int { return min(max(n, 1), maxRows) }

// collect runs a query and scans its rows.
func collect[T any](ctx context.Context, q querier, d *Dialect, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	if d.watch != nil {
		d.watch(query, args)
	}
	list := []T{}
	if err := q.each(ctx, into(&list, scan), query, args...); err != nil {
		return nil, wrap(d, err)
	}
	return list, nil
}

// one is collect for the one row there can be.
func one[T any](ctx context.Context, q querier, d *Dialect, scan func(func(...any) error) (T, error), query string, args ...any) (*T, error) {
	list, err := collect(ctx, q, d, scan, query, args...)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, store.ErrNotFound
	}
	return &list[0], nil
}

// where builds the condition of a query from what is set.
type where struct {
	terms []string
	args  []any
}

func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return place(len(w.args))
}

// place is the placeholder of the nth argument.
func place(n int) string { return "$" + strconv.Itoa(n) }

// add adds a condition; each ? is the next argument.
func (w *where) add(term string, args ...any) {
	for _, a := range args {
		term = strings.Replace(term, "?", w.arg(a), 1)
	}
	w.terms = append(w.terms, term)
}

func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column+" = ?", value)
	}
}

func (w *where) sql() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

func scanRow(scan func(...any) error, more ...any) (r store.OrderRow, err error) {
	var created, submitted, deadline, changed, ended int64
	into := append([]any{
		&r.ID, &r.Tenant, &r.Account, &r.State, &r.Phase, &r.Reason, &r.Product, &r.Kind, &r.Profile, &r.Method, &r.Name, &r.Names,
		&r.Verdict, &r.Review, &r.Paused, &created, &submitted, &deadline, &changed, &ended, &r.Version,
	}, more...)
	err = scan(into...)
	r.Created, r.Submitted, r.Deadline = fromMicros(created), fromMicros(submitted), fromMicros(deadline)
	r.Changed, r.Ended = fromMicros(changed), fromMicros(ended)
	return r, err
}

func scanOrderRow(scan func(...any) error) (store.OrderRow, error) { return scanRow(scan) }

func scanOrder(scan func(...any) error) (o store.Order, err error) {
	var body []byte
	var manual, ready, validated, deleted int64
	o.OrderRow, err = scanRow(scan, &body, &o.Identical, &manual, &ready, &validated, &deleted)
	if err != nil {
		return o, err
	}
	o.ManualAt, o.ReadyAt, o.Validated, o.Deleted = fromMicros(manual), fromMicros(ready), fromMicros(validated), fromMicros(deleted)
	o.Order = &order.Order{}
	if err := json.Unmarshal(body, o.Order); err != nil {
		return o, fmt.Errorf("the stored order %s: %w", o.ID, err)
	}
	return o, nil
}

// CountDrafts counts an account's drafts among those of its tenant: an account may
// have very many orders, and never many drafts.
func (r reader) CountDrafts(ctx context.Context, tenant, account string, most int) (int, error) {
	list, err := collect(ctx, r.q, r.dialect, func(scan func(...any) error) (n int, err error) { return n, scan(&n) },
		`SELECT 1 FROM orders WHERE tenant = $1 AND state = 'draft' AND deleted_at = 0 AND account || '' = $2 LIMIT $3`, tenant, account, most)
	return len(list), err
}

// Order reads one order of a tenant.
func (r reader) Order(ctx context.Context, tenant, id string) (*store.Order, error) {
	return r.order(ctx, tenant, id, "")
}

const orderQuery = `SELECT ` + fullColumns + ` FROM orders WHERE id = $1`

func (r reader) order(ctx context.Context, tenant, id, lock string) (*store.Order, error) {
	if tenant == "" {
		return one(ctx, r.q, r.dialect, scanOrder, orderQuery+lock, id)
	}
	return one(ctx, r.q, r.dialect, scanOrder, orderQuery+` AND tenant = $2`+lock, id, tenant)
}

// Orders lists orders, newest first.
func (r reader) Orders(ctx context.Context, f store.OrderFilter) ([]store.OrderRow, error) {
	w := &where{}
	from, created, id := "orders o", "o.created_at", "o.id"
	if f.Name != "" || f.Domain != "" {
		// From the names: their index has the order of the list. A cross join is
		// taken in the order it is written in.
		from, created, id = "order_names n CROSS JOIN orders o", "n.created_at", "n.order_id"
		w.terms = append(w.terms, "o.id = n.order_id")
		w.equal("n.tenant", f.Tenant)
	} else {
		w.equal("o.tenant", f.Tenant)
	}
	switch {
	case f.Name != "":
		w.equal("n.name", f.Name)
		w.equal("COALESCE(n.domain, '')", f.Domain)
	case f.Domain != "":
		w.equal("n.domain", f.Domain)
		w.terms = append(w.terms, "n.lead = 1")
	}
	w.equal("o.account", f.Account)
	w.equal("o.state", string(f.State))
	w.terms = append(w.terms, "o.deleted_at = 0")
	if f.Before.ID != "" {
		w.add("("+created+", "+id+") < (?, ?)", micros(f.Before.Created), f.Before.ID)
	}
	columns := "o." + strings.ReplaceAll(rowColumns, ", ", ", o.")
	query := `SELECT ` + columns + ` FROM ` + from + w.sql() + ` ORDER BY ` + created + ` DESC, ` + id + ` DESC LIMIT ` + w.arg(limited(f.Limit))
	return collect(ctx, r.q, r.dialect, scanOrderRow, query, w.args...)
}

const challengesQuery = `SELECT name, method, type, owner, url, value, origin, created_at, expires_at FROM challenges WHERE order_id = $1 ORDER BY name, method, value`

func scanChallenge(scan func(...any) error) (c order.Challenge, err error) {
	var created, expires int64
	err = scan(&c.Name, &c.Method, &c.Type, &c.Owner, &c.URL, &c.Value, &c.Origin, &created, &expires)
	c.Created, c.Expires = fromMicros(created), fromMicros(expires)
	return c, err
}

// Challenges are the validation values of an order.
func (r reader) Challenges(ctx context.Context, orderID string) ([]order.Challenge, error) {
	return collect(ctx, r.q, r.dialect, scanChallenge, challengesQuery, orderID)
}

// into is a [Row] that adds what it scans to a list.
func into[T any](list *[]T, scan func(func(...any) error) (T, error)) Row {
	return func(columns func(...any) error) error {
		v, err := scan(columns)
		if err == nil {
			*list = append(*list, v)
		}
		return err
	}
}

// Standing reads all that a check begins with.
func (r reader) Standing(ctx context.Context, orderID string) (*store.Standing, error) {
	var orders []store.Order
	var reviews []store.Review
	v := &store.Standing{}
	err := r.all(ctx, []Statement{
		reading(into(&orders, scanOrder), orderQuery, orderID),
		reading(into(&reviews, scanReview), newestReviewQuery, orderID),
		reading(into(&v.Attempts, scanAttempt), attemptsQuery, orderID),
		reading(into(&v.Challenges, scanChallenge), challengesQuery, orderID),
	})
	if err != nil {
		return nil, err
	}
	if len(orders) == 0 {
		return nil, store.ErrNotFound
	}
	slices.Reverse(v.Attempts)
	v.Order = &orders[0]
	if len(reviews) > 0 {
		v.Review = &reviews[0]
	}
	return v, nil
}

// DueOf is what is due for an order.
func (r reader) DueOf(ctx context.Context, orderID string) ([]store.Due, error) {
	return collect(ctx, r.q, r.dialect, scanDue, `SELECT order_id, kind, due_at, attempt FROM due WHERE order_id = $1 ORDER BY kind`, orderID)
}

func listOf(ids []string) (string, []any) {
	w := &where{}
	marks := make([]string, len(ids))
	for i, id := range ids {
		marks[i] = w.arg(id)
	}
	return "(" + strings.Join(marks, ",") + ")", w.args
}

// Request reads the answer to a request.
func (r reader) Request(ctx context.Context, token, key string) (*store.Request, error) {
	return one(ctx, r.q, r.dialect, func(scan func(...any) error) (v store.Request, err error) {
		var created int64
		var headers []byte
		err = scan(&v.Token, &v.Key, &v.Digest, &v.Status, &headers, &v.Body, &v.Order, &created)
		v.Headers, v.Created = headers, fromMicros(created)
		return v, err
	}, `SELECT token, key, digest, status, headers, body, order_id, created_at FROM requests WHERE token = $1 AND key = $2`, token, key)
}

// Secret reads what is sealed under an id.
func (r reader) Secret(ctx context.Context, id string) ([]byte, error) {
	v, err := one(ctx, r.q, r.dialect, func(scan func(...any) error) (b []byte, err error) { return b, scan(&b) }, `SELECT sealed FROM secrets WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	return *v, nil
}

// Stats counts what is under way.
func (r reader) Stats(ctx context.Context, now time.Time) (store.Stats, error) {
	var s store.Stats
	count := func(into *int64, query string, args ...any) error {
		v, err := one(ctx, r.q, r.dialect, func(scan func(...any) error) (n sql.NullInt64, err error) { return n, scan(&n) }, query, args...)
		if err == nil {
			*into = v.Int64
		}
		return err
	}
	var oldest, unsealed, notice int64
	err := errors.Join(
		count(&s.Open, `SELECT COUNT(*) FROM orders WHERE state IN ('pending', 'letter', 'ready', 'cancelling')`),
		count(&s.Due, `SELECT COUNT(*) FROM due WHERE due_at <= $1`, micros(now)),
		count(&s.Leased, `SELECT COUNT(*) FROM due WHERE lease <> '' AND until > $1`, micros(now)),
		count(&oldest, `SELECT MIN(due_at) FROM due WHERE due_at <= $1`, micros(now)),
		count(&s.Unsealed, `SELECT COUNT(*) FROM audit WHERE seq IS NULL`),
		count(&unsealed, `SELECT MIN(at) FROM audit WHERE seq IS NULL`),
		count(&s.Notices, `SELECT COUNT(*) FROM notices WHERE state = 'due'`),
		count(&notice, `SELECT MIN(due_at) FROM notices WHERE state = 'due' AND due_at <= $1`, micros(now)),
	)
	s.OldestDue, s.OldestUnsealed, s.OldestNotice = fromMicros(oldest), fromMicros(unsealed), fromMicros(notice)
	return s, err
}
