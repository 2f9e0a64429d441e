package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"assay/evidence"
	"assay/internal/store"
)

const reviewRowColumns = `r.id, r.order_id, r.number, r.mode, r.trigger, r.verdict, r.causes, r.profile, r.first_at, r.last_at, r.checks`

func scanReviewRow(scan func(...any) error, more ...any) (r store.ReviewRow, err error) {
	var causes string
	var first, last int64
	into := append([]any{&r.ID, &r.Order, &r.Number, &r.Mode, &r.Trigger, &r.Verdict, &causes, &r.Profile, &first, &last, &r.Checks}, more...)
	err = scan(into...)
	r.First, r.Last = fromMicros(first), fromMicros(last)
	if causes != "" {
		r.Causes = strings.Split(causes, ",")
	}
	return r, err
}

func scanReview(scan func(...any) error) (v store.Review, err error) {
	var report, seen []byte
	v.ReviewRow, err = scanReviewRow(scan, &v.Tenant, &report, &seen)
	if err != nil {
		return v, err
	}
	if v.Report, err = store.Unpack(report); err != nil {
		return v, fmt.Errorf("the stored review %s: %w", v.ID, err)
	}
	if v.Seen, err = unpackSeen(seen); err != nil {
		return v, fmt.Errorf("the stored review %s: %w", v.ID, err)
	}
	return v, nil
}

// unpackSeen reads the ids of a review's observations.
func unpackSeen(packed []byte) (ids []string, err error) {
	raw, err := store.Unpack(packed)
	if err != nil {
		return nil, err
	}
	return ids, json.Unmarshal(raw, &ids)
}

// Review reads one review of an order; number 0 is the newest.
func (r reader) Review(ctx context.Context, orderID string, number int) (*store.Review, error) {
	query := `SELECT ` + reviewRowColumns + `, o.tenant, r.report, r.seen FROM reviews r JOIN orders o ON o.id = r.order_id WHERE r.order_id = $1`
	if number > 0 {
		return one(ctx, r.q, r.dialect, scanReview, query+` AND r.number = $2`, orderID, number)
	}
	return one(ctx, r.q, r.dialect, scanReview, query+` ORDER BY r.number DESC LIMIT 1`, orderID)
}

// Reviews lists the reviews of an order, newest first.
func (r reader) Reviews(ctx context.Context, orderID string, before, limit int) ([]store.ReviewRow, error) {
	if before <= 0 {
		before = 1 << 30
	}
	return collect(ctx, r.q, r.dialect, func(scan func(...any) error) (store.ReviewRow, error) { return scanReviewRow(scan) },
		`SELECT `+reviewRowColumns+` FROM reviews r WHERE r.order_id = $1 AND r.number < $2 ORDER BY r.number DESC LIMIT $3`, orderID, before, limited(limit))
}

// Observations are those of an order with these ids, in their order; nil ids: all.
func (r reader) Observations(ctx context.Context, orderID string, ids []string) ([]evidence.Observation, error) {
	query, args := `SELECT id, body FROM observations WHERE order_id = $1`, []any{orderID}
	list, err := collect(ctx, r.q, r.dialect, func(scan func(...any) error) (o evidence.Observation, err error) {
		var id string
		var body []byte
		if err = scan(&id, &body); err != nil {
			return o, err
		}
		raw, err := store.Unpack(body)
		if err != nil {
			return o, fmt.Errorf("observation %s: %w", id, err)
		}
		return o, json.Unmarshal(raw, &o)
	}, query, args...)
	if err != nil || ids == nil {
		return list, err
	}
	at := make(map[string]int, len(list))
	for i := range list {
		at[list[i].ID] = i
	}
	picked := make([]evidence.Observation, 0, len(ids))
	for _, id := range ids {
		i, ok := at[id]
		if !ok {
			return nil, fmt.Errorf("observation %s of order %s: %w", id, orderID, store.ErrNotFound)
		}
		picked = append(picked, list[i])
	}
	return picked, nil
}
