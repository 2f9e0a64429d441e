package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay"
	"assay/evidence"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// A sight is what one check saw and what it makes of it.
type sight struct {
	report  *review.Report
	profile *profile.Profile
	// proven are the challenges that it found right; validated says whether every
	// name of the order is, by them or by a validation that still counts.
	proven    []order.Challenge
	validated bool
	// sharing are the orders with the same CSR or key that the review knew of.
	sharing map[string]bool
	// began is when it began; attempts is how many attempts to issue there were.
	began    time.Time
	attempts int
	// final is set for the check at the deadline: what does not pass now fails.
	final bool
}

// check looks at an order and writes down what that changes: one unit, in which
// the lease ends too, so that a check can neither be lost nor count twice.
func (s *Service) check(ctx context.Context, d store.Due) error {
	began := s.now()
	standing, err := s.Store.Standing(ctx, d.Order)
	if errors.Is(err, store.ErrNotFound) {
		return s.drop(ctx, d)
	}
	if err != nil {
		return err
	}
	o := standing.Order
	if toIssue(o, d.Kind) {
		return s.issue(ctx, d, o)
	}
	if toSettle(o, d.Kind) {
		return s.settleCancelled(ctx, d, o)
	}
	if !toCheck(o, d.Kind) {
		return s.drop(ctx, d)
	}
	left, attempts, err := s.leftAttempt(ctx, d, standing, s.profileLeft(o))
	if err != nil || left {
		return err
	}
	p, err := s.Profiles(o.Profile)
	if err != nil {
		return s.withoutProfile(ctx, d, o, err)
	}
	if open, err := s.openUpstream(ctx, d, o, p); err != nil || open {
		return err // it is looked at with the values of that CA
	}
	verdict := review.VerdictUnknown
	defer func() { // also where it panicked
		if m := s.Meter; m != nil && ctx.Err() == nil {
			m.Checked(verdict, max(s.now().Sub(began), 0), max(began.Sub(d.At), 0))
		}
	}()
	seen, err := s.look(ctx, o, standing.Challenges, p, d.Kind)
	if err != nil {
		return err
	}
	seen.began, seen.attempts = began, attempts
	verdict = seen.report.Verdict
	return s.settle(ctx, d, o, standing.Review, seen)
}

// withoutProfile is a check of an order whose profile was removed: it waits for that, and
// says so, like for everything that is ours to mend, until a day after its deadline.
func (s *Service) withoutProfile(ctx context.Context, d store.Due, o *store.Order, err error) error {
	if o.Phase == order.PhaseReview || !over(o, s.now().Add(-grace)) {
		return fmt.Errorf("order %s waits for its profile: %w", o.ID, err)
	}
	i := &issuance{s: s, due: d, o: o}
	return i.expire(ctx, map[string]any{"profile": o.Profile})
}

// toCheck reports whether a check that was due still makes sense.
func toCheck(o *store.Order, kind store.DueKind) bool {
	if !o.Deleted.IsZero() {
		return false
	}
	return o.State == order.StatePending || o.State == order.StateLetter && kind == store.DueDeadline
}

// drop takes away work that nothing is to be done about any more.
func (s *Service) drop(ctx context.Context, d store.Due) error {
	return s.Store.Write(ctx, func(tx store.Tx) error { return tx.FinishDue(d, s.Owner) })
}

// look reviews an order from every place, as a precheck first. Where that
// passes, the same observations are judged again as an attempt: only that
// decides. At the deadline, and where a check is made after it, the world is judged as of the deadline, however late
// the service comes, and what does not pass then is judged once more as of now,
// which says that the deadline is over.
func (s *Service) look(ctx context.Context, o *store.Order, values []order.Challenge, p *profile.Profile, kind store.DueKind) (*sight, error) {
	now := s.now()
	at := now
	final := o.Phase != order.PhaseReview && (kind == store.DueDeadline || over(o, now))
	if final && at.After(o.Deadline) {
		at = o.Deadline
	}
	l, sharing, err := s.begin(ctx, whole(o, values), p, o.State == order.StatePending, at, nil)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	r, err := l.Review(ctx, review.Precheck, at)
	if err != nil {
		return nil, err
	}
	seen := &sight{report: r, profile: p, sharing: sharing, final: final}
	if r.Verdict == review.VerdictPass || r.Verdict == review.VerdictReview {
		attempt, err := l.Review(ctx, review.Attempt, at)
		if err != nil {
			return nil, err
		}
		if r.Verdict == review.VerdictPass || attempt.Verdict == r.Verdict {
			seen.report = attempt
			seen.proven, seen.validated = l.Proven(attempt)
		}
	}
	if final && !seen.decided(o) && !(seen.report.Verdict == review.VerdictUnknown && now.Before(o.Deadline.Add(grace))) {
		late := now
		if !late.After(o.Deadline) {
			late = o.Deadline.Add(time.Microsecond)
		}
		if seen.report, err = l.Review(ctx, review.Precheck, late); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// over reports whether an order's deadline has passed. It runs no more for one
// that only waits for a person.
func over(o *store.Order, now time.Time) bool {
	return !o.Deadline.IsZero() && !now.Before(o.Deadline)
}

// grace is how long after its deadline an order waits for a last check that our
// own faults keep from being made.
const grace = 24 * time.Hour

// decided reports whether the order needs nothing more of its applicant's
// servers: it passed, or all that is left is for a person to decide.
func (v *sight) decided(o *store.Order) bool {
	if o.State != order.StatePending {
		return false // it waits for its letter, and nobody looked
	}
	return v.report.Verdict == review.VerdictPass || v.report.Verdict == review.VerdictReview && v.validated
}

// begin prepares looking at an order. What the service knows of the order itself
// is looked up first, so that no name is looked for that was validated already.
// What was seen before, and counts still, is not looked at again.
func (s *Service) begin(
	ctx context.Context, whole *store.Order, p *profile.Profile, live bool, at time.Time, before []evidence.Observation,
) (*assay.Looking, map[string]bool, error) {
	records, sharing, err := s.records(ctx, whole, "")
	if err != nil {
		return nil, nil, err
	}
	asked := allowed{records}
	known := asked.Answer(evidence.LookupQuestion{Topic: evidence.TopicChecks, Order: whole.ID, Account: whole.Account}, at)
	r := assay.Reviewer{Profile: p, Data: s.Data, Records: asked, Lang: "-", Now: s.now, Live: live}
	if live {
		r.Places = s.Places
	}
	l, err := r.Look(whole.Order, append(before, known)...)
	return l, sharing, err
}

// whole is a stored order with what the store keeps apart from its body.
func whole(o *store.Order, values []order.Challenge) *store.Order {
	whole, body := *o, *o.Order
	body.ID, body.Tenant, body.Account = o.ID, o.Tenant, o.Account
	body.Product, body.Kind, body.Method = o.Product, o.Kind, o.Method
	body.SubmittedAt, body.Challenges = o.Submitted, values
	whole.Order = &body
	return &whole
}

// allowed are the records for a check that is made because it is due: whether it
// comes too soon after the last one, and is allowed, was decided when it was
// asked for.
type allowed struct{ assay.Records }

func (a allowed) Answer(q evidence.LookupQuestion, at time.Time) evidence.Observation {
	o := a.Records.Answer(q, at)
	if q.Topic != evidence.TopicChecks || o.Lookup == nil || o.Lookup.Checks == nil {
		return o
	}
	answer, checks := *o.Lookup, *o.Lookup.Checks
	checks.LastManual, checks.Action, checks.Allowed = time.Time{}, "", nil
	answer.Checks = &checks
	o.Lookup, o.ID = &answer, ""
	return o
}
