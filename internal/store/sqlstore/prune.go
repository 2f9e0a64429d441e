package sqlstore

import (
	"maps"
	"slices"
	"time"

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

// unseen removes the observations of an order that none of its reviews has.
func (t *tx) unseen(id string) (int64, error) {
	packed, err := read(t, func(scan func(...any) error) (b []byte, err error) { return b, scan(&b) }, `SELECT seen FROM reviews WHERE order_id = $1`, id)
	if err != nil {
		return 0, err
	}
	has, err := read(t, scanText, `SELECT id FROM observations WHERE order_id = $1`, id)
	if err != nil {
		return 0, err
	}
	gone := map[string]bool{}
	for _, o := range has {
		gone[o] = true
	}
	for _, b := range packed {
		ids, err := unpackSeen(b)
		if err != nil {
			return 0, err
		}
		for _, o := range ids {
			delete(gone, o)
		}
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(gone)), 100) {
		in, args := listOf(part)
		args = append(args, id)
		if err := t.exec(`DELETE FROM observations WHERE id IN `+in+` AND order_id = `+place(len(args)), args...); err != nil {
			return 0, err
		}
	}
	return int64(len(gone)), nil
}
