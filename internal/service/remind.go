package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// reminders are the times at which an applicant is reminded of an order that is
// not validated: half time, 24 hours and 2 hours before the deadline. Of a short
// deadline those are left out that come before half time.
func reminders(submitted, deadline time.Time) []time.Time {
	if submitted.IsZero() || !deadline.After(submitted) {
		return nil
	}
	half := submitted.Add(deadline.Sub(submitted) / 2)
	list := []time.Time{half}
	for _, before := range []time.Duration{24 * time.Hour, 2 * time.Hour} {
		if at := deadline.Add(-before); at.After(half) {
			list = append(list, at)
		}
	}
	return list
}

// nextReminder is the first reminder after a time; ok is false where none is left.
func nextReminder(submitted, deadline, after time.Time) (at time.Time, ok bool) {
	for _, at := range reminders(submitted, deadline) {
		if at.After(after) {
			return at, true
		}
	}
	return time.Time{}, false
}

// remind writes a reminder into the history of an order, with what is in its way:
// whoever follows the order, and who sends mail, reads it there. Where several
// were missed, because the service was down or the clock was set, one is enough.
func (s *Service) remind(ctx context.Context, d store.Due) error {
	last, err := s.Store.Review(ctx, d.Order, 0)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	open, err := openFindings(last)
	if err != nil {
		return err
	}
	now, reminded := s.now(), false
	err = s.Store.Write(ctx, func(tx store.Tx) error {
		reminded = false
		if err := tx.FinishDue(d, s.Owner); err != nil {
			return err
		}
		o, err := tx.Order("", d.Order)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if o.State != order.StatePending && o.State != order.StateLetter || !o.Deleted.IsZero() || !now.Before(o.Deadline) {
			return nil
		}
		if at, ok := nextReminder(o.Submitted, o.Deadline, now); ok {
			if err := tx.SetDue(store.Due{Order: o.ID, Kind: store.DueReminder, At: at}); err != nil {
				return err
			}
		}
		if o.Phase == order.PhaseReview {
			return nil // nothing is left for its applicant to do
		}
		o.Changed = now
		if err := tx.UpdateOrder(o); err != nil {
			return err
		}
		reminded = true
		return s.audit(tx, itself(o), o, "order.remind", "", map[string]any{
			"deadline": o.Deadline.UTC().Format(time.RFC3339), "verdict": o.Verdict, "findings": open,
		})
	})
	if err == nil && reminded {
		s.count(CountReminders, 1)
		s.changed(d.Order)
	}
	return err
}

// openFindings are the ids of what a stored review has in an order's way, the
// gravest first; consequences of others are left out.
func openFindings(r *store.Review) ([]string, error) {
	open := []string{}
	if r == nil || len(r.Report) == 0 {
		return open, nil
	}
	var report struct{ Findings []review.Finding }
	if err := json.Unmarshal(r.Report, &report); err != nil {
		return nil, fmt.Errorf("the stored review %s: %w", r.ID, err)
	}
	for i := range report.Findings {
		if f := &report.Findings[i]; f.Level.Blocks() && f.ExplainedBy == "" && !slices.Contains(open, f.ID) {
			open = append(open, f.ID)
		}
	}
	return open, nil
}
