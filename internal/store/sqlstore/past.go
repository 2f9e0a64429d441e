package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"assay/internal/store"
)

// A way leads to orders to compare with.
type way struct {
	shares bool // by a digest
	query  string
	args   []any
}

// waysOf are the ways in of a query, those by digests first.
func waysOf(q *store.PastQuery) (ways []way) {
	limit, keyLimit, since := nearLimit(q), limited(cmp.Or(q.KeyLimit, q.Limit, 200)), micros(q.Since)
	for _, k := range []struct{ kind, digest string }{{"csr", q.CSR}, {"key", q.Key}} {
		if k.digest != "" {
			ways = append(ways, way{true, `SELECT order_id AS id FROM order_keys WHERE digest = ? AND kind = ? AND (tenant = ? OR validated_at > 0)
				ORDER BY created_at DESC, order_id DESC LIMIT ?`, []any{k.digest, k.kind, q.Tenant, keyLimit}})
		}
	}
	for _, d := range q.Domains {
		ways = append(ways, way{
			false, `SELECT n.order_id AS id FROM order_names n JOIN orders o ON o.id = n.order_id WHERE n.domain = ? AND n.lead = 1
			AND n.created_at >= ? AND o.submitted_at > 0 AND (o.tenant = ? OR o.validated_at > 0) ORDER BY n.created_at DESC, n.order_id DESC LIMIT ?`,
			[]any{d, since, q.Tenant, limit},
		})
	}
	if q.Account != "" {
		ways = append(ways, way{false, `SELECT id FROM orders WHERE tenant = ? AND account = ? AND created_at >= ? AND submitted_at > 0
			ORDER BY created_at DESC, id DESC LIMIT ?`, []any{q.Tenant, q.Account, since, limit}})
	}
	return ways
}

func nearLimit(q *store.PastQuery) int { return limited(cmp.Or(q.Limit, 200)) }

// mostWays is how many ways one statement takes: SQLite joins 500 SELECTs, and an
// order seldom has names of more than a few domains.
const mostWays = 50

// PastOrders finds orders to compare with: each way in by its own index, so
// that none of them looks at every order, and all ways in one statement: each
// new order asks. What does not count (drafts, strangers' orders that nobody
// validated) is left out before the newest are taken: whoever makes many of them
// hides nothing.
func (r reader) PastOrders(ctx context.Context, q store.PastQuery) ([]store.PastOrder, error) {
	s := newSearch(&q)
	if err := r.all(ctx, s.reads()); err != nil {
		return nil, err
	}
	return r.found(ctx, s)
}

// A search is for the numbers of orders to compare with.
type search struct {
	q      *store.PastQuery
	ids    []string
	seen   map[string]bool
	shares map[string]bool
}

func newSearch(q *store.PastQuery) *search {
	return &search{q: q, seen: map[string]bool{q.Except: true}, shares: map[string]bool{}}
}

func (s *search) reads() (list []Statement) {
	for part := range slices.Chunk(waysOf(s.q), mostWays) {
		w, selects := &where{}, make([]string, len(part))
		for i, way := range part {
			query := way.query
			for _, a := range way.args {
				query = strings.Replace(query, "?", w.arg(a), 1)
			}
			// A limit of its own needs a SELECT of its own.
			selects[i] = `SELECT id, ` + strconv.FormatInt(flag(way.shares), 10) + ` FROM (` + query + `) AS w` + strconv.Itoa(i)
		}
		list = append(list, reading(s.add, strings.Join(selects, " UNION ALL "), w.args...))
	}
	return list
}

func (s *search) add(scan func(...any) error) error {
	var id string
	var shares int64
	if err := scan(&id, &shares); err != nil {
		return err
	}
	s.shares[id] = s.shares[id] || shares != 0
	if !s.seen[id] {
		s.seen[id] = true
		s.ids = append(s.ids, id)
	}
	return nil
}

// found reads the orders that a search found.
func (r reader) found(ctx context.Context, s *search) ([]store.PastOrder, error) {
	if len(s.ids) == 0 {
		return nil, nil
	}
	return r.past(ctx, s.ids, s.shares, s.q)
}

func scanText(scan func(...any) error) (s string, err error) { return s, scan(&s) }

// A part is a row of what belongs to an order: of a kind, with two texts.
type part struct {
	kind, id, a, b string
	validated      int64
}

// partsOf reads the names, keys and values of orders at once, each kind in an order
// that is always the same.
func partsOf(in string) string {
	return `SELECT 'name' AS part, order_id, name AS a, '' AS b, 0 AS validated FROM order_names WHERE order_id IN ` + in + `
		UNION ALL SELECT 'key', order_id, kind, digest, validated_at FROM order_keys WHERE order_id IN ` + in + `
		UNION ALL SELECT 'value', order_id, value, '', 0 FROM challenge_values WHERE order_id IN ` + in + ` ORDER BY part, order_id, a, b`
}

// put adds a part to its order.
func (v *part) put(p *store.PastOrder, q *store.PastQuery) {
	switch v.kind {
	case "name":
		p.AllNames = append(p.AllNames, v.a)
		return
	case "value":
		p.Values = append(p.Values, v.a)
		return
	}
	had, asked := &p.Key, q.Key
	if v.a == "csr" {
		had, asked = &p.CSR, q.CSR
	}
	if *had == "" || v.b == asked {
		*had = v.b
	}
	p.Validated = p.Validated || v.b == asked && v.validated > 0
}

// past reads orders and what belongs to them.
func (r reader) past(ctx context.Context, ids []string, shares map[string]bool, q *store.PastQuery) ([]store.PastOrder, error) {
	if len(ids) > maxRows {
		ids = ids[:maxRows]
	}
	in, args := listOf(ids)
	var list []store.PastOrder
	var parts []part
	err := r.all(ctx, []Statement{
		reading(into(&list, func(scan func(...any) error) (p store.PastOrder, err error) {
			var validated int64
			p.OrderRow, err = scanRow(scan, &validated)
			p.Shares, p.Validated = shares[p.ID], validated > 0
			return p, err
		}), `SELECT `+rowColumns+`, validated_at FROM orders WHERE id IN `+in+` AND submitted_at > 0`, args...),
		reading(into(&parts, func(scan func(...any) error) (v part, err error) {
			return v, scan(&v.kind, &v.id, &v.a, &v.b, &v.validated)
		}), partsOf(in), args...),
	})
	if err != nil {
		return nil, err
	}
	at := make(map[string]*store.PastOrder, len(list))
	for i := range list {
		at[list[i].ID] = &list[i]
	}
	for i := range parts {
		if p := at[parts[i].id]; p != nil {
			parts[i].put(p, q)
		}
	}
	slices.SortFunc(list, func(a, b store.PastOrder) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	near := 0
	return slices.DeleteFunc(list, func(p store.PastOrder) bool {
		if !p.Shares {
			near++
		}
		return !p.Shares && near > nearLimit(q)
	}), nil
}
