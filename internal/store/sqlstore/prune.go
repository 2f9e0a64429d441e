package sqlstore

import (
	"time"

	"assay/evidence"
	"assay/internal/store"
)

func (t *tx) Prune(p store.Prune, limit int) (int, error) {
	var total int64
	if !p.Requests.IsZero() {
		n, err := t.execN(`DELETE FROM requests WHERE (token, key) IN (SELECT token, key FROM requests WHERE created_at < $1 ORDER BY created_at LIMIT $2)`,
			micros(p.Requests), limit)
		if err != nil {
			return 0, err
		}
		total += n
	}
	if !p.Notices.IsZero() && int(total) < limit {
		n, err := t.pruneNotices(p.Notices, limit-int(total))
		if err != nil {
			return 0, err
		}
		total += int64(n)
	}
	if p.Reviews.IsZero() || int(total) >= limit {
		return int(total), nil
	}
	// An order is seen to once after it ended; a later change makes it one to look
	// at again.
	ids, err := read(t, scanText, `SELECT id FROM orders WHERE ended_at > 0 AND pruned_at = 0 AND ended_at < $1 ORDER BY ended_at, id LIMIT $2`,
		micros(p.Reviews), limit-int(total))
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if int(total) >= limit {
			break
		}
		n, err := t.thin(id, p.Reviews)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return int(total), nil
}

// thin removes all but the first and the newest review of an order and the
// observations that neither has. The order itself counts as one.
func (t *tx) thin(id string, at time.Time) (int64, error) {
	n, err := t.execN(`DELETE FROM reviews WHERE order_id = $1 AND number > (SELECT MIN(number) FROM reviews WHERE order_id = $1)
		AND number < (SELECT MAX(number) FROM reviews WHERE order_id = $1)`, id)
	if err != nil {
		return 0, err
	}
	if n > 0 {
		gone, err := t.unseen(id)
		if err != nil {
			return 0, err
		}
		n += gone
	}
	return n + 1, t.exec(`UPDATE orders SET pruned_at = $1 WHERE id = $2`, micros(at), id)
}

// unseen removes the observations of an order that none of its reviews has, and
// says how many those were.
func (t *tx) unseen(id string) (gone int64, err error) {
	packed, err := read(t, func(scan func(...any) error) (b []byte, err error) { return b, scan(&b) }, `SELECT seen FROM reviews WHERE order_id = $1`, id)
	if err != nil {
		return 0, err
	}
	wanted := map[string]bool{}
	for _, b := range packed {
		ids, err := unpackSeen(b)
		if err != nil {
			return 0, err
		}
		for _, o := range ids {
			wanted[o] = true
		}
	}
	bundles, err := read(t, scanBundle, `SELECT order_id, id, body FROM observations WHERE order_id = $1 ORDER BY first_at, id`, id)
	if err != nil {
		return 0, err
	}
	for _, b := range bundles {
		n, err := t.thinBundle(b, wanted)
		if err != nil {
			return 0, err
		}
		gone += n
	}
	return gone, nil
}

// thinBundle keeps of a bundle what is wanted, and wants that no more: once is enough.
func (t *tx) thinBundle(b bundle, wanted map[string]bool) (gone int64, err error) {
	var kept []*evidence.Observation
	for i := range b.list {
		if o := &b.list[i]; wanted[o.ID] {
			kept = append(kept, o)
			delete(wanted, o.ID)
		}
	}
	gone = int64(len(b.list) - len(kept))
	switch {
	case gone == 0:
		return 0, nil
	case len(kept) == 0:
		return gone, t.exec(`DELETE FROM observations WHERE order_id = $1 AND id = $2`, b.order, b.id)
	}
	body, err := store.PackObservations(kept)
	if err != nil {
		return 0, err
	}
	return gone, t.exec(`UPDATE observations SET body = $1 WHERE order_id = $2 AND id = $3`, body, b.order, b.id)
}
