package service

import (
	"context"
	"errors"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// problemFindings gives the problems of an issuer their levels. What a profile lets
// pass waits, too: there is no certificate.
func problemFindings(p *profile.Profile, product order.Product, problems []issuer.Problem) []review.Finding {
	list := make([]review.Finding, 0, len(problems))
	for i := range problems {
		pr := &problems[i]
		var conditions []string
		if pr.Condition != "" {
			conditions = append(conditions, pr.Condition)
		}
		level := p.Level(pr.Cause, product, conditions...)
		if !level.Blocks() {
			level = cause.Wait
		}
		f := review.Finding{
			ID: string(pr.Cause) + "@" + pr.Subject, Cause: pr.Cause, Level: level, Stage: pr.Cause.Stage(), Subject: pr.Subject, Who: cause.Lookup(pr.Cause).Who,
			Parameters: cause.Parameters(pr.Parameters),
		}
		if at, ok := pr.Parameters["retry"].(time.Time); ok && !at.IsZero() {
			f.RetryAt = &at
		}
		list = append(list, f)
	}
	return list
}

func causesAmong(findings []review.Finding) []string {
	return causesOf(&review.Report{Findings: findings})
}

// ruled shows of an order that goes on whether its profile is there to judge it by.
func (s *Service) ruled(o *store.Order, beside *picture) {
	if !o.State.Open() || o.State == order.StateCancelling {
		return
	}
	if _, err := s.Profiles(o.Profile); err != nil {
		beside.issuing = append(beside.issuing, problemFindings(s.profileLeft(o), o.Product, []issuer.Problem{{
			Cause: cause.PolicyInputUnavailable, Subject: "profile", Parameters: map[string]any{"state": "no-profile", "input": o.Profile},
		}})...)
	}
}

// certifies reads what a view shows of an order's way from passed to issued.
func (s *Service) certifies(ctx context.Context, o *store.Order, beside *picture) error {
	switch {
	case o.State == order.StateIssued:
		c, err := s.Store.Certificate(ctx, o.Tenant, o.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return problemOf(err)
		}
		beside.certificate = &c.CertificateRow
		return nil
	case o.State == order.StatePending:
		if err := s.waits(ctx, o, beside); err != nil || len(beside.issuing) > 0 {
			return err
		}
		return s.unsettled(ctx, o, beside)
	case o.State == order.StateCancelling:
		return s.unsettled(ctx, o, beside)
	case o.State != order.StateReady && o.Reason != order.FailIssuance:
		return nil
	}
	all, err := s.Store.Attempts(ctx, o.ID)
	if err != nil {
		return problemOf(err)
	}
	// What an earlier attempt failed for is over when a later one was begun.
	if n := len(all); n > 0 && all[n-1].State == order.AttemptFailed {
		beside.issuing = decodeFindings([]byte(all[n-1].Detail))
		return nil
	}
	if o.State == order.StateReady {
		s.tried(o, beside)
	}
	return nil
}

// unsettled shows of an order that went back, or is ended, that a CA is asked what
// became of its attempt.
func (s *Service) unsettled(ctx context.Context, o *store.Order, beside *picture) error {
	all, err := s.Store.Attempts(ctx, o.ID)
	if err != nil {
		return problemOf(err)
	}
	if n := len(all); n > 0 && all[n-1].State == order.AttemptPrepared {
		s.tried(o, beside)
	}
	return nil
}

// tried shows that the CA did not answer, how often, and when it is asked again.
func (s *Service) tried(o *store.Order, beside *picture) {
	for _, d := range beside.due {
		if d.Kind != store.DueCheck || d.Attempt == 0 {
			continue
		}
		beside.issuing = problemFindings(s.profileLeft(o), o.Product, []issuer.Problem{{
			Cause: cause.IssuanceCAUnavailable, Subject: "order",
			Parameters: map[string]any{"problem": "error", "attempts": d.Attempt, "retry": d.At.UTC()},
		}})
	}
}
