package sqlstore

import (
	"context"
	"slices"
	"strings"

	"assay/internal/store"
)

// reading is a statement that looks for rows.
func reading(row Row, query string, args ...any) Statement {
	return Statement{SQL: query, Args: args, Row: row}
}

// all reads several queries: in one round trip where the engine has those.
func (r reader) all(ctx context.Context, list []Statement) error {
	if r.dialect.watch != nil {
		for _, one := range list {
			r.dialect.watch(one.SQL, one.Args)
		}
	}
	return wrap(r.dialect, r.q.all(ctx, list))
}

// Around reads what stands around an order.
func (r reader) Around(ctx context.Context, q store.AroundQuery) (*store.Around, error) {
	a := &store.Around{}
	list := append([]Statement{standing(&q, a)}, validationReads(q.Tenant, q.Account, q.Profiles, q.Domains, &a.Validations)...)
	list = append(list, approvalReads(q.Tenant, q.Account, q.Scopes, q.At, &a.Approvals)...)
	if q.Decided != "" {
		list = append(list, reading(into(&a.Decisions, scanDecision), decisionsOf, q.Decided, limited(q.Decisions)))
	}
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
func standing(q *store.AroundQuery, a *store.Around) Statement {
	query, args := accountQuery, []any{q.Tenant, q.Account}
	if q.Past.Key != "" {
		query, args = keyedAccountQuery, append(args, q.Past.Key)
	}
	return reading(func(scan func(...any) error) error {
		var blocked, made int64
		var more []any
		if q.Past.Key != "" {
			more = []any{&blocked, &made}
		}
		account, err := scanAccountAnd(scan, more...)
		a.Account, a.Blocked, a.Made = &account, fromMicros(blocked), fromMicros(made)
		return err
	}, query, args...)
}

// validationReads read the validations of an applicant for domains, the newest
// first of each [mostWays] domains. Each domain is a SELECT of its own: for a list of
// them PostgreSQL, which knows little of a young table, reads all that an applicant has.
func validationReads(tenant, account string, profiles, domains []string, into *[]store.Validation) (list []Statement) {
	if len(profiles) == 0 {
		return nil
	}
	row := func(scan func(...any) error) error {
		var v store.Validation
		var wildcard, at int64
		err := scan(&v.Tenant, &v.Account, &v.Domain, &v.Method, &v.Profile, &wildcard, &v.Order, &v.Review, &at)
		v.Wildcard, v.At = wildcard != 0, fromMicros(at)
		*into = append(*into, v)
		return err
	}
	for part := range slices.Chunk(domains, mostWays) {
		w := &where{}
		who := `SELECT tenant, account, domain, method, profile, wildcard, order_id, review, validated_at FROM validations WHERE tenant = ` + w.arg(tenant) +
			` AND account = ` + w.arg(account)
		w.in("profile", profiles)
		selects := make([]string, len(part))
		for i, domain := range part {
			selects[i] = who + ` AND domain = ` + w.arg(domain) + ` AND ` + w.terms[0]
		}
		list = append(list, reading(row, strings.Join(selects, " UNION ALL ")+` ORDER BY validated_at DESC`, w.args...))
	}
	return list
}

// Validations are those of an applicant for these domains.
func (r reader) Validations(ctx context.Context, tenant, account string, profiles, domains []string) (all []store.Validation, err error) {
	err = r.all(ctx, validationReads(tenant, account, profiles, domains, &all))
	return all, err
}
