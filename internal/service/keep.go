package service

import (
	"encoding/json"
	"slices"

	"assay/evidence"
	"assay/internal/store"
	"assay/review"
)

// keepReview stores a review of an order under the id that o.Review has already;
// last is the one before it, nil where there is none. The order must be in the
// store.
func (s *Service) keepReview(tx store.Tx, o *store.Order, r *review.Report, trigger string, last *store.Review) error {
	now := s.now()
	bare := *r
	bare.Observations, bare.Timing = []evidence.Observation{}, nil
	raw, err := json.Marshal(&bare)
	if err != nil {
		return err
	}
	seen := make([]string, len(r.Observations))
	for i := range r.Observations {
		seen[i] = r.Observations[i].ID
	}
	row := store.Review{
		ReviewRow: store.ReviewRow{
			ID: o.Review, Order: o.ID, Number: 1, Mode: string(r.Mode), Trigger: trigger, Verdict: string(r.Verdict), Causes: causesOf(r),
			Profile: r.Profile.Name + " " + r.Profile.Version + " " + r.Profile.Digest, First: now, Last: now, Checks: 1,
		},
		Tenant: o.Tenant, Report: raw, Seen: seen,
	}
	if last != nil {
		row.Number = last.Number + 1
	}
	return tx.InsertReview(&row, r.Observations)
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
