package sqlstore

import (
	"context"

	"assay/evidence"
	"assay/internal/store"
	"assay/order"
)

// EachReview walks the orders by page, of a tenant from the newest, and reads the
// reviews of a page at once, and what they saw.
func (r reader) EachReview(ctx context.Context, f store.ReviewFilter, fn func(*store.OrderReview) error) error {
	states := []order.State{""}
	if f.Open || f.Issued {
		states = nil
		for _, s := range order.States() {
			if f.Open && s.Open() || f.Issued && s == order.StateIssued {
				states = append(states, s)
			}
		}
	}
	for _, state := range states {
		var last store.OrderKeyset
		for {
			page, err := r.orderPage(ctx, f, state, last)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				break
			}
			last = store.OrderKeyset{Created: page[len(page)-1].Created, ID: page[len(page)-1].ID}
			if err := r.eachOf(ctx, f, page, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachOf calls fn with the reviews of a page of orders.
func (r reader) eachOf(ctx context.Context, f store.ReviewFilter, page []store.OrderRow, fn func(*store.OrderReview) error) error {
	rows := make(map[string]*store.OrderRow, len(page))
	ids := make([]string, len(page))
	for i := range page {
		ids[i], rows[page[i].ID] = page[i].ID, &page[i]
	}
	in, args := listOf(ids)
	query := `SELECT ` + reviewRowColumns + `, o.tenant, r.report, r.seen FROM reviews r JOIN orders o ON o.id = r.order_id WHERE r.order_id IN ` + in
	if f.Newest {
		query += ` AND r.number = (SELECT MAX(n.number) FROM reviews n WHERE n.order_id = r.order_id)`
	}
	list, err := collect(ctx, r.q, r.dialect, scanReview, query+` ORDER BY r.order_id, r.number`, args...)
	if err != nil {
		return err
	}
	var seen map[string]map[string]evidence.Observation
	if f.Seen {
		if seen, err = r.seenBy(ctx, ids); err != nil {
			return err
		}
	}
	for i := range list {
		one := store.OrderReview{Order: rows[list[i].Order], Review: &list[i]}
		for _, id := range list[i].Seen {
			o, there := seen[list[i].Order][id]
			if !there {
				one.Lost = f.Seen
				break
			}
			one.Seen = append(one.Seen, o)
		}
		if err := fn(&one); err != nil {
			return err
		}
	}
	return nil
}

// orderPage is a page of orders for EachReview; state "" is any.
func (r reader) orderPage(ctx context.Context, f store.ReviewFilter, state order.State, last store.OrderKeyset) ([]store.OrderRow, error) {
	const page = 20 // of some 300 reviews each at most
	w := &where{}
	w.equal("tenant", f.Tenant)
	w.equal("account", f.Account)
	w.equal("state", string(state))
	if f.Issued && state == order.StateIssued {
		w.add(`EXISTS (SELECT 1 FROM certificates c WHERE c.id = orders.id AND c.state = ? AND c.replaced_by = '' AND c.deleted_at = 0
			AND NOT EXISTS (SELECT 1 FROM orders n WHERE n.id = c.renews AND n.ended_at = 0 AND n.deleted_at = 0))`,
			string(order.CertificateValid))
	}
	if f.Tenant == "" {
		w.add("id > ?", last.ID)
		return collect(ctx, r.q, r.dialect, scanOrderRow, `SELECT `+rowColumns+` FROM orders`+w.sql()+` ORDER BY id LIMIT `+w.arg(page), w.args...)
	}
	w.add("deleted_at = 0")
	if last.ID != "" {
		w.add("(created_at, id) < (?, ?)", micros(last.Created), last.ID)
	}
	return collect(ctx, r.q, r.dialect, scanOrderRow, `SELECT `+rowColumns+` FROM orders`+w.sql()+` ORDER BY created_at DESC, id DESC LIMIT `+w.arg(page), w.args...)
}
