package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"assay/csr"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// Change replaces what a draft asks for.
func (s *Service) Change(ctx context.Context, p Principal, id string, version int64, in Application) (*View, error) {
	return s.replace(ctx, p, id, version, &in, order.ActionEdit)
}

// Submit submits a draft.
func (s *Service) Submit(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	return s.replace(ctx, p, id, version, nil, order.ActionSubmit)
}

// Resubmit submits a failed or cancelled order again, with a new deadline and,
// where in is given, other details. Its values stay, unless they are too old or
// what they are for has changed.
func (s *Service) Resubmit(ctx context.Context, p Principal, id string, version int64, in *Application) (*View, error) {
	if in != nil && in.Draft {
		return nil, &Problem{Kind: Invalid, Message: "service.no-draft-again"}
	}
	return s.replace(ctx, p, id, version, in, order.ActionResubmit)
}

// replace judges an order with other details, or the same, and writes it under
// the version that it was read at. All actions but an edit submit it.
func (s *Service) replace(ctx context.Context, p Principal, id string, version int64, in *Application, action order.Action) (*View, error) {
	for attempt := 0; ; attempt++ {
		o, err := s.find(ctx, p, id, MayWriteOrders)
		if err != nil {
			return nil, err
		}
		if err := s.may(p, o, version, action); err != nil {
			return nil, problemOf(err)
		}
		v, err := s.replaceOnce(ctx, p, o, in, action, action != order.ActionEdit)
		again := errors.Is(err, errRaced) || errors.Is(err, store.ErrConflict) && version == 0
		if again && attempt < retries {
			continue
		}
		return v, racedProblem(err)
	}
}

func (s *Service) replaceOnce(ctx context.Context, p Principal, was *store.Order, in *Application, action order.Action, submit bool) (*View, error) {
	o := *was
	asked := *was.Order
	o.Order = &asked
	prof, err := s.profileOf(o.Profile)
	if err != nil {
		return nil, err
	}
	if in != nil {
		fresh := *in
		if fresh.Profile == "" {
			fresh.Profile = o.Profile
		}
		if fresh.Profile != o.Profile {
			if err := s.checkOffered(p, fresh.Profile); err != nil {
				return nil, err
			}
		}
		if prof, err = s.profileOf(fresh.Profile); err != nil {
			return nil, err
		}
		fresh.Order.Account = o.Account
		row, err := s.intake(Principal{Tenant: o.Tenant, Account: o.Account, Role: RoleApplicant}, &fresh, prof)
		if err != nil {
			return nil, err
		}
		row.Order.ID = o.ID
		o.Order, o.Product, o.Kind, o.Profile, o.Method, o.Name, o.Names = row.Order, row.Product, row.Kind, row.Profile, row.Method, row.Name, row.Names
		o.Order.CSR, _, _ = csr.Scrub(o.Order.CSR)
		if err := s.checkReplaced(ctx, &o); err != nil {
			return nil, err
		}
	}
	challenges, err := s.keptChallenges(ctx, &o, was)
	if err != nil {
		return nil, err
	}
	if challenges == nil {
		if challenges, err = s.challenges(o.Order, prof, s.now()); err != nil {
			return nil, err
		}
	}
	if submit {
		if err := s.submit(ctx, &o, prof); err != nil {
			return nil, err
		}
	}
	report, sharing, err := s.judge(ctx, &o, challenges, prof, action)
	if err != nil {
		return nil, err
	}
	if report.Verdict == review.VerdictRefuse && submit {
		return nil, &Problem{Kind: Refused, Message: "service.refused", Report: report}
	}
	if submit {
		if err := s.checkReplacing(ctx, &o); err != nil {
			return nil, err
		}
	}
	last, err := s.Store.Review(ctx, o.ID, 0)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if o.Review, err = s.timed(); err != nil {
		return nil, err
	}
	extra := store.NewOrder{Names: s.orderNames(o.Order), Keys: orderKeys(o.Order), Challenges: challenges}
	if submit {
		extra.Due = s.firstDue(&o, s.notBefore(was, prof))
	}
	packed, err := packReview(&o, report, string(action), last)
	if err != nil {
		return nil, err
	}
	v, err := unit(ctx, s, func(tx store.Tx) (*View, error) {
		if err := raced(tx, &o, extra.Keys, sharing); err != nil {
			return nil, err
		}
		written := o
		written.Changed = s.now()
		if err := tx.ReplaceOrder(&written, extra); err != nil {
			return nil, err
		}
		if err := keepReview(tx, packed, written.Review, s.now()); err != nil {
			return nil, err
		}
		if submit {
			if err := s.claimReplaced(tx, &written); err != nil {
				return nil, err
			}
		}
		data := map[string]any{"state": string(o.State), "names": o.Names, "profile": o.Profile, "product": string(o.Product), "verdict": o.Verdict}
		if err := s.audit(tx, p, &written, "order."+string(action), "", data); err != nil {
			return nil, err
		}
		number := 1
		if last != nil {
			number = last.Number + 1
		}
		return s.view(&written, &picture{challenges: challenges, due: extra.Due, report: report, number: number, checks: 1}), nil
	})
	if err == nil {
		s.changed(o.ID)
		s.wake()
	}
	return v, err
}

// notBefore is when an order that is submitted again may be looked at: no sooner
// than the profile allows after somebody had it looked at by hand or submitted
// it, so that cancelling and submitting is no way to look more often. A time that
// lies ahead tells of a clock that was set back, and keeps nobody waiting.
func (s *Service) notBefore(was *store.Order, prof *profile.Profile) time.Time {
	gap := manualGap(prof)
	if before, err := s.Profiles(was.Profile); err == nil {
		gap = max(gap, manualGap(before))
	}
	now := s.now()
	at := now
	for _, last := range []time.Time{was.ManualAt, was.Submitted} {
		if !last.IsZero() && !last.After(now) && last.Add(gap).After(at) {
			at = last.Add(gap)
		}
	}
	return at
}

// manualGap is the least time between two checks asked for by hand.
func manualGap(p *profile.Profile) time.Duration {
	return time.Duration(p.Limits.ManualCheckMinutes) * time.Minute
}

// keptChallenges are the values an order has, nil where it needs new ones: its
// names, method or profile changed, or they are too old.
func (s *Service) keptChallenges(ctx context.Context, o, was *store.Order) ([]order.Challenge, error) {
	if o.Method != was.Method || o.Profile != was.Profile || !slices.Equal(s.orderNames(o.Order), s.orderNames(was.Order)) {
		return nil, nil
	}
	kept, err := s.Store.Challenges(ctx, o.ID)
	if err != nil || len(kept) == 0 {
		return nil, err
	}
	for i := range kept {
		if !kept[i].Expires.IsZero() && !s.now().Before(kept[i].Expires) {
			return nil, nil
		}
	}
	return kept, nil
}
