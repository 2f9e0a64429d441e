package service

import (
	"context"
	"slices"
	"time"

	"assay/internal/store"
	"assay/order"
	"assay/profile"
)

// waiting says for whom an order waits, from its place in the queue and the
// newest question.
func (s *Service) waiting(o *store.Order, prof *profile.Profile, i *store.DeskItem, decisions []store.Decision) *Waiting {
	if i == nil || i.State == store.DeskClosed {
		return nil
	}
	w := &Waiting{For: "reviewer", Since: i.Opened, Due: optional(i.Due)}
	if i.State == store.DeskAsked {
		w.For, w.Since, w.Due = "applicant", i.Asked, nil
		w.Question = newest(decisions, store.DecisionAsk)
		return w
	}
	w.UrgeFrom = optional(urgeFrom(o, prof, i))
	return w
}

// newest is the newest decision of a kind as an applicant sees it.
func newest(decisions []store.Decision, kind string) *DecisionView {
	k := slices.IndexFunc(decisions, func(d store.Decision) bool { return d.Kind == kind })
	if k < 0 {
		return nil
	}
	return &decisionViews(decisions[k:k+1], false)[0]
}

// people adds what a view shows of what people have to do or did.
func (s *Service) people(ctx context.Context, o *store.Order, beside *picture) error {
	waits := o.State == order.StatePending && o.Phase == order.PhaseReview
	if !waits && o.Reason != order.FailReviewer {
		return nil
	}
	decisions, err := s.Store.Decisions(ctx, o.ID, shownDecisions)
	if err != nil {
		return problemOf(err)
	}
	beside.refusal = newest(decisions, store.DecisionRefuse)
	if !waits {
		return nil
	}
	item, err := s.Store.DeskItem(ctx, o.Tenant, o.ID)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return problemOf(err)
	}
	prof, err := s.profileOf(o.Profile)
	if err != nil {
		return err
	}
	beside.waiting = s.waiting(o, prof, item, decisions)
	return nil
}

// asked is people as of inside a unit.
func (s *Service) asked(tx store.Tx, o *store.Order, beside *picture) error {
	decisions, err := tx.Decisions(o.ID)
	if err != nil {
		return err
	}
	beside.refusal = newest(decisions, store.DecisionRefuse)
	item, err := tx.DeskItem(o.Tenant, o.ID)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	prof, err := s.profileOf(o.Profile)
	if err != nil {
		return err
	}
	beside.waiting = s.waiting(o, prof, item, decisions)
	return nil
}

// urgeEvery is how long after an applicant urged the reviewer he may again.
const urgeEvery = 24 * time.Hour

// urgeFrom is from when on the applicant of an order may urge its reviewer.
func urgeFrom(o *store.Order, prof *profile.Profile, i *store.DeskItem) time.Time {
	from := i.Opened.Add(prof.Desk.ServiceLevel(o.Product))
	if again := i.Urged.Add(urgeEvery); !i.Urged.IsZero() && again.After(from) {
		return again
	}
	return from
}
