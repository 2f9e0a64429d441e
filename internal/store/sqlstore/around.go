package sqlstore

import (
	"context"
	"slices"

	"assay/internal/store"
)

// A reading is a query with what takes its rows, one by one.
type reading struct {
	query string
	args  []any
	row   func(scan func(...any) error) error
}

// all reads several queries: in one round trip where the engine has those.
func (r reader) all(ctx context.Context, list []reading) error {
	p, pooled := r.q.(*pool)
	if r.dialect.Batch == nil || !pooled || len(list) < 2 {
		for _, one := range list {
			_, err := collect(ctx, r.q, r.dialect, func(scan func(...any) error) (struct{}, error) { return struct{}{}, one.row(scan) }, one.query, one.args...)
			if err != nil {
				return err
			}
		}
		return nil
	}
	statements := make([]Statement, len(list))
	for i, one := range list {
		if r.dialect.watch != nil {
			r.dialect.watch(one.query, one.args)
		}
		statements[i] = Statement{one.query, one.args}
	}
	return wrap(r.dialect, r.dialect.Batch(ctx, p.db, statements, func(i int, scan func(...any) error) error { return list[i].row(scan) }))
}

// Around reads what stands around an order.
func (r reader) Around(ctx context.Context, q store.AroundQuery) (*store.Around, error) {
	a := &store.Around{}
	list := append([]reading{standing(&q, a)}, validationReads(q.Tenant, q.Account, q.Profiles, q.Domains, &a.Validations)...)
	s := newSearch(&q.Past)
	if err := r.all(ctx, append(list, s.reads()...)); err != nil {
		return nil, err
	}
	if a.Account == nil {
		return nil, store.ErrNotFound
	}
	var err error
	a.Past, err = r.found(ctx, s)
	return a, err
}

// standing reads an account, and beside it what is known of a key: a statement costs
// more than what it looks for.
func standing(q *store.AroundQuery, a *store.Around) reading {
	query, args := accountQuery, []any{q.Tenant, q.Account}
	if q.Past.Key != "" {
		query, args = keyedAccountQuery, append(args, q.Past.Key)
	}
	return reading{query, args, func(scan func(...any) error) error {
		var blocked, made int64
		var more []any
		if q.Past.Key != "" {
			more = []any{&blocked, &made}
		}
		account, err := scanAccountAnd(scan, more...)
		a.Account, a.Blocked, a.Made = &account, fromMicros(blocked), fromMicros(made)
		return err
	}}
}

// validationReads read the validations of an applicant for domains, the newest
// first of each [maxRows] domains.
func validationReads(tenant, account string, profiles, domains []string, into *[]store.Validation) (list []reading) {
	if len(profiles) == 0 {
		return nil
	}
	for part := range slices.Chunk(domains, maxRows) {
		w := &where{}
		w.equal("tenant", tenant)
		w.equal("account", account)
		w.in("domain", part)
		w.in("profile", profiles)
		list = append(list, reading{`SELECT tenant, account, domain, method, profile, wildcard, order_id, review, validated_at FROM validations` + w.sql() +
			` ORDER BY validated_at DESC`, w.args, func(scan func(...any) error) error {
			var v store.Validation
			var wildcard, at int64
			err := scan(&v.Tenant, &v.Account, &v.Domain, &v.Method, &v.Profile, &wildcard, &v.Order, &v.Review, &at)
			v.Wildcard, v.At = wildcard != 0, fromMicros(at)
			*into = append(*into, v)
			return err
		}})
	}
	return list
}

// Validations are those of an applicant for these domains.
func (r reader) Validations(ctx context.Context, tenant, account string, profiles, domains []string) (all []store.Validation, err error) {
	return all, r.all(ctx, validationReads(tenant, account, profiles, domains, &all))
}
