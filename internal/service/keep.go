package service

import (
	"encoding/json"
	"slices"
	"time"

	"assay/evidence"
	"assay/internal/store"
	"assay/review"
)

// packReview prepares a review of an order to be kept: what takes time is done
// before the unit, which others wait for. last is the review before it, nil where
// there is none. The row gets its id and times when it is kept.
func packReview(o *store.Order, r *review.Report, trigger string, last *store.Review) (*store.PackedReview, error) {
	bare := *r
	bare.Observations, bare.Timing = []evidence.Observation{}, nil
	raw, err := json.Marshal(&bare)
	if err != nil {
		return nil, err
	}
	seen := make([]string, len(r.Observations))
	for i := range r.Observations {
		seen[i] = r.Observations[i].ID
	}
	row := store.ReviewRow{
		Order: o.ID, Number: 1, Mode: string(r.Mode), Trigger: trigger, Verdict: string(r.Verdict), Causes: causesOf(r),
		Profile: r.Profile.Name + " " + r.Profile.Version + " " + r.Profile.Digest, Checks: 1,
	}
	var had []string
	if last != nil {
		row.Number, had = last.Number+1, last.Seen
	}
	return store.PackReview(&store.Review{ReviewRow: row, Report: raw, Seen: seen}, r.Observations, had)
}

// keepReview stores a review under an id at a time. The order must be in the store.
func keepReview(tx store.Tx, packed *store.PackedReview, id string, now time.Time) error {
	row := *packed // the unit may run again
	row.ID, row.First, row.Last = id, now, now
	return tx.InsertReview(&row)
}

// causesOf are the causes of a report's findings, each once, sorted.
func causesOf(r *review.Report) []string {
	var causes []string
	for i := range r.Findings {
		causes = append(causes, string(r.Findings[i].Cause))
	}
	slices.Sort(causes)
	return slices.Compact(causes)
}
