package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/cause"
	"assay/internal/schedule"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// An outcome is what a check makes of an order.
type outcome struct {
	// action is what happens to the order; "": it goes on waiting.
	action order.Action
	phase  order.Phase
	reason order.Reason
	// next is when it is looked at next; the zero time: no check is due.
	next time.Time
	// attempt counts checks in a row that could not be made for our faults.
	attempt   int
	identical int
	paused    string
}

// PausedIdentical is why no check is due for an order of which check after check
// found the same; asking for a check goes on.
const PausedIdentical = "identical"

// outcome says what a check makes of an order: every case can be tried
// without a store or a network.
func (s *Service) outcome(o *store.Order, last *store.Review, seen *sight, d store.Due, now time.Time) outcome {
	r := seen.report
	out := outcome{phase: order.PhaseValidation, identical: o.Identical, paused: o.Paused}
	overdue := seen.final && !seen.decided(o)
	switch {
	case r.Verdict == review.VerdictPass && o.State == order.StatePending:
		return outcome{action: order.ActionPass, phase: order.PhaseIssue}
	case r.Verdict == review.VerdictUnknown && overdue && now.Before(o.Deadline.Add(grace)):
		out.next, out.attempt = now.Add(backoff(d.Attempt)), d.Attempt
		return out
	case overdue || found(r, cause.LimitDeadlinePassed):
		return outcome{action: order.ActionExpire, reason: order.FailDeadline}
	case r.Verdict == review.VerdictRefuse:
		return outcome{action: order.ActionRefuse, reason: order.FailRefused}
	case r.Verdict == review.VerdictUnknown:
		out.next, out.attempt = now.Add(backoff(d.Attempt)), d.Attempt
		if o.Phase == order.PhaseReview {
			out.phase = o.Phase
		} else if !o.Deadline.IsZero() && !out.next.Before(o.Deadline) {
			out.next = time.Time{} // the check at the deadline is due
		}
		return out
	}
	s.plan(&out, o, last, seen, now)
	return out
}

// plan says when an order that goes on waiting is looked at next.
func (s *Service) plan(out *outcome, o *store.Order, last *store.Review, seen *sight, now time.Time) {
	done := seen.decided(o) || over(o, now) // past the deadline only what was validated goes on
	if done {
		out.phase = order.PhaseReview // its applicant has done his part
	}
	age := now.Sub(o.Submitted)
	switch {
	case asked(o, last):
		out.identical, out.paused = 0, ""
	case out.phase == order.PhaseReview || !schedule.Sparse(age) || last == nil || !alike(last, seen.report):
		out.identical = 0
	default:
		out.identical++
	}
	if out.identical >= s.Identical {
		out.paused = PausedIdentical
	}
	if out.paused != "" {
		return
	}
	p := schedule.Plan{Began: o.Submitted, Last: now, Deadline: o.Deadline}.From(seen.report)
	if p.Deadline.IsZero() || done {
		p.Deadline = now.AddDate(1, 0, 0) // none that a check could miss
	}
	if at, more := p.Next(); more && at.Before(p.Deadline) {
		out.next = at
	}
}

// asked reports whether a person asked for a check after the last one.
func asked(o *store.Order, last *store.Review) bool {
	return !o.ManualAt.IsZero() && (last == nil || o.ManualAt.After(last.Last))
}

func found(r *review.Report, id cause.ID) bool {
	return slices.ContainsFunc(r.Findings, func(f review.Finding) bool { return f.Cause == id })
}

// settle writes down what a check saw: the review, the state, what is due next,
// the validations and the audit entry, and ends the lease. Where the order was
// changed while it was looked at, what was seen is of another order: it is
// looked at again. An order that passes gets its certificate at once where it can.
func (s *Service) settle(ctx context.Context, d store.Due, o *store.Order, last *store.Review, seen *sight) error {
	t := &settling{s: s, due: d, o: o, last: last, seen: seen, now: s.now(), keys: orderKeys(o.Order)}
	t.out = s.outcome(o, last, seen, d, t.now)
	if sameReview(last, seen.report) {
		t.id = last.ID
	} else {
		var err error
		if t.id, err = s.timed(); err != nil {
			return err
		}
		if t.packed, err = packReview(o, seen.report, trigger(o, last), last); err != nil {
			return err
		}
	}
	at := s.atOnce(ctx, d, o, seen, t.out, t.keys)
	err := s.Store.Write(ctx, func(tx store.Tx) error { return t.unit(tx, at) })
	if err == nil && t.changed {
		s.changed(o.ID)
	}
	if err == nil && t.issues {
		err = at.complete(ctx, at.prepared)
	}
	return err
}

// A settling is what one check writes down in one unit.
type settling struct {
	s    *Service
	due  store.Due
	o    *store.Order // as it was looked at
	last *store.Review
	seen *sight
	out  outcome
	now  time.Time
	keys []store.OrderKey
	// id is the review's; packed is nil where it says what the last one said.
	id     string
	packed *store.PackedReview
	// changed and issues are what became of it: something about the order itself
	// changed; an attempt to issue is stored, and its lease kept.
	changed, issues bool
}

func (t *settling) unit(tx store.Tx, at *atOnce) error {
	t.changed, t.issues = false, false // a unit may run twice
	as, err := tx.Now(t.query(at))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || as.Order.Version != t.o.Version {
		if err := tx.FinishDue(t.due, t.s.Owner); err != nil || as == nil || !toCheck(as.Order, t.due.Kind) && !toSettle(as.Order, t.due.Kind) {
			return err
		}
		return t.again(tx)
	}
	cur := as.Order
	before := *cur
	if t.proves() && racedBy(as.Sharing, cur, t.seen.sharing) {
		// What was seen is true, but for another order that came meanwhile.
		return errors.Join(tx.FinishDue(t.due, t.s.Owner), t.again(tx))
	}
	if t.proves() && cur.Validated.IsZero() {
		cur.Validated = t.now
		if err := tx.ValidateKeys(cur.ID, t.now, t.keys...); err != nil {
			return err
		}
	}
	if t.issues = at != nil && at.stands(as); t.issues {
		closed, err := t.s.closed(tx, cur) // what is wrong the issuance tells
		if err != nil {
			return err
		}
		t.issues = closed == nil
	}
	if err := t.next(tx); err != nil {
		return err
	}
	cur.Verdict, cur.Review = string(t.seen.report.Verdict), t.id
	if t.packed == nil {
		err = tx.RepeatReview(t.id, t.now)
	} else {
		err = keepReview(tx, t.packed, t.id, t.now)
	}
	if err != nil {
		return err
	}
	for _, v := range validations(t.o, t.seen, t.id, t.now) {
		if err := tx.PutValidation(v); err != nil {
			return err
		}
	}
	if t.changed, err = t.s.change(tx, cur, &before, t.out, t.seen, t.last); err != nil {
		return err
	}
	if err := t.s.queue(tx, cur, before.Phase, t.seen); err != nil || !t.issues {
		return err
	}
	return at.keep(tx, cur, t.id)
}

// again has the order looked at again at once.
func (t *settling) again(tx store.Tx) error {
	return tx.SetDue(store.Due{Order: t.o.ID, Kind: t.due.Kind, At: t.now, Attempt: t.due.Attempt})
}

// query asks for what a judgement of the order rests on.
func (t *settling) query(at *atOnce) store.NowQuery {
	q := store.NowQuery{Order: t.o.ID, Tenant: t.o.Tenant}
	if t.proves() {
		q.Keys = t.keys
	}
	if at != nil {
		q.Account, q.Keyprint = t.o.Account, at.keyprint
	}
	return q
}

// proves reports whether every name of the order is validated, from when on its CSR
// and key are used up for every tenant. Of two who get there at once one sees the
// other.
func (t *settling) proves() bool {
	return t.out.action == order.ActionPass || t.seen.validated && t.seen.report.Verdict == review.VerdictReview
}

// next ends the lease of the check and says what is due next; for a certificate at
// once it keeps the lease.
func (t *settling) next(tx store.Tx) error {
	if t.issues {
		return errors.Join(tx.KeepDue(t.due, t.s.Owner), tx.ClearDue(t.o.ID, store.DueDeadline, store.DueReminder))
	}
	return errors.Join(tx.FinishDue(t.due, t.s.Owner), t.s.dueNext(tx, t.o, t.out, t.seen.final))
}

// dueNext says what is due after a check.
func (s *Service) dueNext(tx store.Tx, o *store.Order, out outcome, final bool) error {
	if out.action == order.ActionPass && s.issuerOf(o) != nil {
		// Its certificate is due at once.
		return errors.Join(tx.ClearDue(o.ID), tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: s.now()}))
	}
	if out.action != "" {
		return tx.ClearDue(o.ID)
	}
	if out.next.IsZero() {
		return nil
	}
	kind := store.DueCheck
	if final && out.attempt > 0 {
		kind = store.DueDeadline // that check is still owed
	}
	return tx.SetDue(store.Due{Order: o.ID, Kind: kind, At: out.next, Attempt: out.attempt})
}

// change writes the order and its audit entry where anything about the order
// itself changed.
func (s *Service) change(tx store.Tx, o, before *store.Order, out outcome, seen *sight, last *store.Review) (bool, error) {
	action, now := "check", s.now()
	if out.action != "" {
		to, ok := o.State.Next(out.action)
		if !ok {
			return false, fmt.Errorf("order %s is %s, which has no %q", o.ID, o.State, out.action)
		}
		o.State, action = to, string(out.action)
		if to == order.StateReady {
			o.ReadyAt = now
		}
		if to.Ended() {
			o.Ended = now
		}
	}
	o.Phase, o.Reason, o.Paused, o.Identical = out.phase, out.reason, out.paused, out.identical
	if o.State == before.State && o.Phase == before.Phase && o.Paused == before.Paused && o.Identical == before.Identical && o.Validated.Equal(before.Validated) &&
		o.Verdict == before.Verdict && o.Review == before.Review {
		return false, nil
	}
	o.Changed = now
	if err := tx.UpdateOrder(o); err != nil {
		return false, err
	}
	data := map[string]any{"state": string(o.State), "verdict": o.Verdict, "review": o.Review}
	for key, value := range map[string]string{"phase": string(o.Phase), "reason": string(o.Reason), "paused": o.Paused} {
		if value != "" {
			data[key] = value
		}
	}
	var had []string
	if last != nil {
		had = last.Causes
	}
	causes := causesOf(seen.report)
	if added := without(causes, had); len(added) > 0 {
		data["added"] = added
	}
	if removed := without(had, causes); len(removed) > 0 {
		data["removed"] = removed
	}
	if !out.next.IsZero() {
		data["next_check"] = out.next.UTC().Format(time.RFC3339)
	}
	if len(seen.proven) > 0 {
		data["validated"] = len(seen.proven)
	}
	if seen.report.MPIC != "" && (len(seen.proven) > 0 || o.State == order.StateReady) {
		data["mpic"] = seen.report.MPIC
	}
	return true, s.audit(tx, itself(o), o, "order."+action, "", data)
}

// trigger says why a check was made.
func trigger(o *store.Order, last *store.Review) string {
	if asked(o, last) {
		return "manual"
	}
	return "schedule"
}

// alike reports whether a report says the same as a stored review. What was seen
// may flicker (a page with the time on it): what is wrong does not.
func alike(last *store.Review, r *review.Report) bool {
	return last.Verdict == string(r.Verdict) && slices.Equal(last.Causes, causesOf(r))
}

// sameReview reports whether a review says what the last one said, for the same
// reasons: every observation that a finding rests on was seen then, from places
// that are worth as much. What is looked at beside that may come from one server
// now and from another then.
func sameReview(last *store.Review, r *review.Report) bool {
	if last == nil || last.Mode != string(r.Mode) || !alike(last, r) || !sameLook(last, r) {
		return false
	}
	seen := make(map[string]bool, len(last.Seen))
	for _, id := range last.Seen {
		seen[id] = true
	}
	for i := range r.Findings {
		for _, id := range r.Findings[i].Evidence {
			if !seen[id] {
				return false
			}
		}
	}
	return true
}

// sameLook reports whether a stored review is of a look like that of a report. One
// of an order as it stands proves nothing about the network.
func sameLook(last *store.Review, r *review.Report) bool {
	var was struct {
		Scope review.Scope `json:"scope"`
		MPIC  string       `json:"mpic"`
		Lab   bool         `json:"lab"`
	}
	return json.Unmarshal(last.Report, &was) == nil && was.Scope == r.Scope && was.MPIC == r.MPIC && was.Lab == r.Lab
}
