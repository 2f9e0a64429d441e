package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/internal/store"
	"assay/lookup"
	"assay/order"
	"assay/review"
)

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

// queue puts an order into the review queue, or takes it out, as a check leaves
// it, in the check's unit. was is the phase before the check.
func (s *Service) queue(tx store.Tx, o *store.Order, was order.Phase, seen *sight) error {
	if o.State != order.StatePending || o.Phase != order.PhaseReview {
		if was != order.PhaseReview {
			return nil
		}
		return tx.CloseDesk(o.ID, s.now())
	}
	if seen.report.Verdict != review.VerdictReview {
		return nil // we could not look: it waits as it did
	}
	causes := mattersIn(seen.report)
	item, err := tx.DeskItem(o.Tenant, o.ID)
	if err != nil && !isNotFound(err) {
		return err
	}
	waits := err == nil && item.State != store.DeskClosed
	if waits && item.Review == o.Review && slices.Equal(item.Causes, causes) {
		return nil
	}
	now := s.now()
	end := now.Add(seen.profile.Desk.ServiceLevel(o.Product))
	err = tx.OpenDesk(store.DeskItem{
		Order: o.ID, Tenant: o.Tenant, Account: o.Account, Product: o.Product, Name: o.Name, Names: o.Names, Review: o.Review, Causes: causes,
		Opened: now, Due: end, Remind: end,
	})
	if err != nil || waits {
		return err
	}
	if err := s.update(tx, o); err != nil {
		return err
	}
	return s.audit(tx, itself(o), o, "review.open", "", map[string]any{
		"state": string(o.State), "causes": causes, "due": end.UTC().Format(time.RFC3339), "review": o.Review,
	})
}

// mattersIn are the causes of what a person has to decide, sorted.
func mattersIn(r *review.Report) []string {
	causes := []string{}
	for i := range r.Findings {
		if r.Findings[i].Level == cause.Review {
			causes = append(causes, string(r.Findings[i].Cause))
		}
	}
	slices.Sort(causes)
	return slices.Compact(causes)
}

// decided adds what people approved: for this order, and for the account and
// names under the same domains. Reviewers of the order are who approved.
func decided(o *store.Order, around *store.Around, r *lookup.Records) {
	gone := withdrawn(around.Decisions)
	for i := range around.Decisions {
		d := &around.Decisions[i]
		if d.Kind != store.DecisionApprove || d.Scope != store.ScopeOrder || gone[d.ID] {
			continue
		}
		a := approvalOf(d)
		a.Order = d.Order
		r.Approvals = append(r.Approvals, a)
		if o.Product == order.EV && !d.At.Before(o.Submitted) {
			r.Reviews = append(r.Reviews,
				evidence.ReviewStep{Step: "validated", By: d.AgreedBy, At: d.Agreed}, evidence.ReviewStep{Step: "approved", By: d.By, At: d.At})
		}
	}
	for i := range around.Approvals {
		a := approvalOf(&around.Approvals[i])
		a.Subject = around.Approvals[i].Scope
		r.Approvals = append(r.Approvals, a)
	}
}

func approvalOf(d *store.Decision) evidence.Approval {
	return evidence.Approval{
		Cause: d.Cause, Subject: d.Subject, Account: d.Account, Facts: d.Facts, By: d.By, AgreedBy: d.AgreedBy, Reason: d.Note, At: d.At, Until: d.Until,
	}
}

// reopen has the orders of an account that are ready judged again, where what they
// passed with may count no longer: those with a name under a domain, or "", those
// of an organization. Each is a unit of its own; where not all are reached, what
// signs from one judges it again.
func (s *Service) reopen(ctx context.Context, tenant, account, domain string) error {
	f := store.OrderFilter{Tenant: tenant, Account: account, State: order.StateReady, Domain: domain, Limit: 200}
	for {
		rows, err := s.Store.Orders(ctx, f)
		if err != nil {
			return problemOf(err)
		}
		for i := range rows {
			row := &rows[i]
			f.Before = store.OrderKeyset{Created: row.Created, ID: row.ID}
			if domain == "" && row.Product != order.OV && row.Product != order.EV {
				continue
			}
			err := s.Store.Write(ctx, func(tx store.Tx) error {
				o, err := tx.Order(tenant, row.ID)
				if err != nil {
					return err
				}
				to, ok := o.State.Next(order.ActionReopen)
				if !ok || !o.Deleted.IsZero() {
					return nil // it went on meanwhile
				}
				o.State, o.Phase, o.ReadyAt = to, order.PhaseValidation, time.Time{}
				if prof, err := s.Profiles(o.Profile); err == nil { // one of a profile that is gone is judged by nobody
					if err := runsAgain(tx, o, prof, s.now()); err != nil {
						return err
					}
				}
				if err := s.update(tx, o); err != nil {
					return err
				}
				if _, err := s.checkNow(tx, o); err != nil {
					return err
				}
				return s.audit(tx, itself(o), o, "order.reopen", "", map[string]any{"state": string(o.State)})
			})
			if err != nil && !isNotFound(err) {
				return problemOf(err)
			}
			s.changed(row.ID)
		}
		if len(rows) < f.Limit {
			s.wake()
			return nil
		}
	}
}

const (
	// lateEvery is how often it is looked for orders that wait too long.
	lateEvery = time.Minute
	// lateAgain is how long after reviewers were told of one they are told again.
	lateAgain = 24 * time.Hour
	lateBatch = 100
)

// reminding tells reviewers of orders that wait longer than the service level,
// until ctx ends.
func (s *Service) reminding(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := s.late(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("telling reviewers of what is late failed; it is tried again", "error", err)
		}
		select {
		case <-s.work.wait(lateEvery):
		case <-ctx.Done():
		}
	}
}

// late tells reviewers of what waits too long, each in a unit of its own, and says
// of how many orders.
func (s *Service) late(ctx context.Context) (n int, err error) {
	now := s.now()
	var items []store.DeskItem
	err = s.Store.Write(ctx, func(tx store.Tx) (err error) {
		items, err = tx.LateDesk(now, lateBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("looking for what is late: %w", err)
	}
	for i := range items {
		told := false
		err := s.Store.Write(ctx, func(tx store.Tx) error {
			told = false
			o, err := tx.Order(items[i].Tenant, items[i].Order) // first: so do all units that need both
			if err != nil {
				return err
			}
			item, err := tx.DeskItem(o.Tenant, o.ID)
			if err != nil {
				return err
			}
			if item.State != store.DeskOpen || item.Remind.IsZero() || item.Remind.After(now) {
				return nil
			}
			item.Remind = now.Add(lateAgain)
			if err := tx.UpdateDesk(*item); err != nil {
				return err
			}
			if err := s.update(tx, o); err != nil {
				return err
			}
			told = true
			return s.audit(tx, itself(o), o, "review.late", "", map[string]any{"due": item.Due.UTC().Format(time.RFC3339), "state": string(o.State)})
		})
		if err != nil && !isNotFound(err) {
			return n, err
		}
		if told {
			n++
			s.changed(items[i].Order)
		}
	}
	return n, nil
}
