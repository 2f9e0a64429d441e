package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// abandon ends an attempt of which nobody knows whether it was signed, or whose
// signature nobody gets: the serial number is revoked, and never used again. The
// next attempt is due after a wait. One at a CA that is not used any more, and chose the
// serial number itself, is lost.
func (i *issuance) abandon(ctx context.Context, a *store.Attempt, why string, wait time.Duration) error {
	if a.Serial == "" && (i.ca == nil || a.Issuer != i.ca.ID()) {
		return i.lose(ctx, a, wait)
	}
	return i.giveUp(ctx, a, why, wait, func(tx store.Tx) error {
		if a.Serial != "" {
			now := i.s.now()
			r := store.Revocation{Issuer: a.Issuer, Serial: a.Serial, Shard: a.Shard, Reason: int(issuer.Superseded), NotAfter: now.AddDate(30, 0, 0), At: now} // longer than any CA lives
			if err := tx.Revoke(r); err != nil {
				return err
			}
		}
		return i.gaveUp(tx, a, nil, "issuance.abandon", why)
	})
}

// lose ends an attempt that another CA had, where nobody here learns what came of it:
// that is written down.
func (i *issuance) lose(ctx context.Context, a *store.Attempt, wait time.Duration) error {
	detail, err := lost()
	if err != nil {
		return err
	}
	i.s.Log.Error("an attempt is given up whose CA is not used any more, or knows it no more; look there for a certificate that came of it",
		"order", i.o.ID, "attempt", a.Seq, "ca", a.Issuer)
	about := *i.o
	about.Version = 0 // it is listed with the order, and changes nothing of it
	return i.giveUp(ctx, a, detail, wait, func(tx store.Tx) error { return i.gaveUp(tx, a, &about, "issuance.lost", lostWhy) })
}

// giveUp ends an attempt with a detail and what goes along with it, in one unit.
func (i *issuance) giveUp(ctx context.Context, a *store.Attempt, detail string, wait time.Duration, also func(store.Tx) error) error {
	s := i.s
	now := s.now()
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		ended := *a
		ended.State, ended.TBS, ended.Detail, ended.Ended = order.AttemptAbandoned, nil, detail, now
		if err := tx.EndAttempt(&ended); err != nil {
			return err
		}
		return also(tx)
	})
	if errors.Is(err, store.ErrConflict) {
		err = nil // another process did
	}
	if err != nil {
		return err
	}
	if a.Serial != "" {
		s.told(a.Issuer, a.Serial)
	}
	return i.later(ctx, wait)
}

// gaveUp writes down that an attempt was given up.
func (i *issuance) gaveUp(tx store.Tx, a *store.Attempt, about *store.Order, action, why string) error {
	return i.s.audit(tx, itself(i.o), about, action, "order:"+i.o.ID, map[string]any{"serial": a.Serial, "why": why, "attempt": a.Seq, "issuer": a.Issuer})
}

// failed settles an attempt that is stored and gave no certificate. Where a
// signature may have been made the serial number is given up.
func (i *issuance) failed(ctx context.Context, a *store.Attempt, err error) error {
	var refusal *issuer.Refusal
	if a.Serial != "" {
		i.s.Log.Error("an attempt to issue is given up", "order", i.o.ID, "attempt", a.Seq, "error", err)
		// Each attempt costs a serial number for ever: a key that is away is not asked
		// over and over.
		return i.abandon(ctx, a, "signing failed", i.rest(err))
	}
	if !errors.As(err, &refusal) {
		return i.waits(ctx, err)
	}
	return i.end(ctx, refusal, func(tx store.Tx, detail string) error {
		ended := *a
		ended.State, ended.Detail, ended.Ended = order.AttemptFailed, detail, i.s.now()
		return tx.EndAttempt(&ended)
	})
}

// refused settles what the issuer says before anything is stored.
func (i *issuance) refused(ctx context.Context, err error) error {
	var refusal *issuer.Refusal
	if !errors.As(err, &refusal) {
		return i.waits(ctx, err)
	}
	return i.end(ctx, refusal, i.insertFailed)
}

// insertFailed stores an attempt that failed before it began.
func (i *issuance) insertFailed(tx store.Tx, detail string) error {
	now := i.s.now()
	return tx.InsertAttempt(&store.Attempt{
		Order: i.o.ID, Seq: i.seq, Issuer: i.ca.ID(), State: order.AttemptFailed, Review: i.review, Detail: detail, Created: now, Ended: now,
	})
}

// end writes down a refusal: where a cause of it is of level refuse the order has
// failed, else it waits and is tried again.
func (i *issuance) end(ctx context.Context, refusal *issuer.Refusal, attempt func(tx store.Tx, detail string) error) error {
	s := i.s
	findings := problemFindings(i.p, i.o.Product, refusal.Problems)
	detail, err := json.Marshal(findings)
	if err != nil {
		return err
	}
	fails := len(findings) == 0
	for _, f := range findings {
		fails = fails || f.Level == cause.Refuse
	}
	wait := max(backoff(i.due.Attempt), time.Minute)
	for _, f := range findings {
		if f.RetryAt != nil && f.RetryAt.Sub(s.now()) > wait {
			wait = f.RetryAt.Sub(s.now())
		}
	}
	s.Log.Warn("the issuer refuses an order", "order", i.o.ID, "attempt", i.seq, "error", refusal.Error(), "fails", fails)
	return i.ends(ctx, findings, fails, wait, func(tx store.Tx) error { return attempt(tx, string(detail)) })
}

// ends writes down why no certificate came: the order has failed, or is tried again after
// a wait.
func (i *issuance) ends(ctx context.Context, findings []review.Finding, fails bool, wait time.Duration, attempt func(tx store.Tx) error) error {
	s := i.s
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishDue(i.due, s.Owner); err != nil {
			return err
		}
		if err := attempt(tx); err != nil {
			return err
		}
		o, err := tx.Order("", i.o.ID)
		if err != nil {
			return err
		}
		data := i.audited(map[string]any{"causes": causesAmong(findings)})
		fails := fails
		if !fails && i.ca.Upstream() && o.State == order.StateReady {
			// The order at that CA is over: one more is begun, with values of its own.
			n, err := refusals(tx, o.ID)
			if err != nil {
				return err
			}
			if fails = n >= mostRefusals; !fails {
				if err := s.reopenUpstream(tx, o, i.p, i.ca.ID(), max(wait, backoff(n))); err != nil {
					return err
				}
				data["state"] = string(o.State)
				return s.audit(tx, itself(o), o, "order.reopen", "", data)
			}
		}
		if !fails || o.Version != i.o.Version {
			if err := tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: s.now().Add(wait), Attempt: i.due.Attempt}); err != nil {
				return err
			}
			return s.audit(tx, itself(o), nil, "issuance.refuse", "order:"+o.ID, data)
		}
		to, ok := o.State.Next(order.ActionRefuse)
		if !ok {
			return fmt.Errorf("order %s is %s, which has no %q", o.ID, o.State, order.ActionRefuse)
		}
		o.State, o.Phase, o.Reason, o.Ended = to, "", order.FailIssuance, s.now()
		if err := s.update(tx, o); err != nil {
			return err
		}
		data["state"], data["reason"] = string(o.State), string(o.Reason)
		return s.audit(tx, itself(o), o, "order.refuse", "", data)
	})
	if err == nil {
		s.changed(i.o.ID)
	}
	return err
}

// waits has an order wait for an issuer that is not there now, but not for ever.
func (i *issuance) waits(ctx context.Context, err error) error {
	if ctx.Err() == nil && i.overdue() {
		return i.runsOut(ctx, err)
	}
	var away *issuer.Unavailable
	if ctx.Err() != nil || !errors.As(err, &away) {
		return err
	}
	i.s.Log.Error("the issuer is not available; it is tried again", "order", i.o.ID, "problem", away.Problem, "error", err)
	return i.later(ctx, i.rest(err))
}

// overdue reports whether an order has waited too long for what comes of its attempt: to
// a day after its deadline, as for every last check, and for a day at least.
func (i *issuance) overdue() bool {
	if i.open == nil || i.o.Deadline.IsZero() {
		return false
	}
	last := i.o.Deadline
	if i.open.Created.After(last) {
		last = i.open.Created // a person let it pass after its deadline
	}
	return !i.s.now().Before(last.Add(grace))
}

// rest is how long an order waits after an error: longer each time, and as long as
// the issuer says.
func (i *issuance) rest(err error) time.Duration {
	wait := backoff(i.due.Attempt)
	if away := (*issuer.Unavailable)(nil); errors.As(err, &away) && !away.Retry.IsZero() {
		wait = max(wait, away.Retry.Sub(i.s.now()))
	}
	return wait
}

// later has the certificate due again, and counts this time.
func (i *issuance) later(ctx context.Context, wait time.Duration) error {
	s := i.s
	attempt := i.due.Attempt
	if wait == 0 {
		attempt = 0
	}
	return s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishDue(i.due, s.Owner); err != nil {
			return err
		}
		return tx.SetDue(store.Due{Order: i.o.ID, Kind: store.DueCheck, At: s.now().Add(wait), Attempt: attempt})
	})
}
