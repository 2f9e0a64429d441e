package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"assay/evidence"
	"assay/internal/store"
)

const (
	reviewRowColumns  = `r.id, r.order_id, r.number, r.mode, r.trigger, r.verdict, r.causes, r.profile, r.first_at, r.last_at, r.checks`
	reviewQuery       = `SELECT ` + reviewRowColumns + `, o.tenant, r.report, r.seen FROM reviews r JOIN orders o ON o.id = r.order_id WHERE r.order_id = $1`
	newestReviewQuery = reviewQuery + ` ORDER BY r.number DESC LIMIT 1`
)

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
	if number > 0 {
		return one(ctx, r.q, r.dialect, scanReview, reviewQuery+` AND r.number = $2`, orderID, number)
	}
	return one(ctx, r.q, r.dialect, scanReview, newestReviewQuery, orderID)
}

// Reviews lists the reviews of an order, newest first.
func (r reader) Reviews(ctx context.Context, orderID string, before, limit int) ([]store.ReviewRow, error) {
	if before <= 0 {
		before = 1 << 30
	}
	return collect(ctx, r.q, r.dialect, func(scan func(...any) error) (store.ReviewRow, error) { return scanReviewRow(scan) },
		`SELECT `+reviewRowColumns+` FROM reviews r WHERE r.order_id = $1 AND r.number < $2 ORDER BY r.number DESC LIMIT $3`, orderID, before, limited(limit))
}

// A bundle is a row of observations: those that one review saw first. id is the
// review's; earlier versions kept each in a row of its own, under its own id.
type bundle struct {
	order, id string
	list      []evidence.Observation
}

func scanBundle(scan func(...any) error) (b bundle, err error) {
	var body []byte
	if err = scan(&b.order, &b.id, &body); err != nil {
		return b, err
	}
	if b.list, err = store.UnpackObservations(body); err != nil {
		return b, fmt.Errorf("observations %s of order %s: %w", b.id, b.order, err)
	}
	return b, nil
}

// Observations are those of an order with these ids, in their order; nil ids: all.
func (r reader) Observations(ctx context.Context, orderID string, ids []string) ([]evidence.Observation, error) {
	seen, err := r.seenBy(ctx, []string{orderID})
	if err != nil {
		return nil, err
	}
	of := seen[orderID]
	if ids == nil {
		ids = slices.Sorted(maps.Keys(of))
	}
	picked := make([]evidence.Observation, 0, len(ids))
	for _, id := range ids {
		o, ok := of[id]
		if !ok {
			return nil, fmt.Errorf("observation %s of order %s: %w", id, orderID, store.ErrNotFound)
		}
		picked = append(picked, o)
	}
	return picked, nil
}

// seenBy are the observations of orders by order and id.
func (r reader) seenBy(ctx context.Context, orders []string) (map[string]map[string]evidence.Observation, error) {
	in, args := listOf(orders)
	list, err := collect(ctx, r.q, r.dialect, scanBundle, `SELECT order_id, id, body FROM observations WHERE order_id IN `+in+` ORDER BY order_id, first_at, id`, args...)
	if err != nil {
		return nil, err
	}
	all := make(map[string]map[string]evidence.Observation, len(orders))
	for _, b := range list {
		if all[b.order] == nil {
			all[b.order] = make(map[string]evidence.Observation, len(b.list))
		}
		for i := range b.list { // of one that was seen, gone and seen again the first counts
			if _, ok := all[b.order][b.list[i].ID]; !ok {
				all[b.order][b.list[i].ID] = b.list[i]
			}
		}
	}
	return all, nil
}
