package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"assay/csr"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// act is what one use case does to an order inside its unit: it changes o and
// says what goes into the audit entry. It must not keep anything from one run to
// the next: the unit may run again.
type act func(tx store.Tx, o *store.Order) (data map[string]any, err error)

// do changes an order in one unit: permission, version, state, change, audit.
// version 0 is any.
func (s *Service) do(ctx context.Context, p Principal, id string, version int64, action order.Action, change act) (*View, error) {
	if _, err := s.find(ctx, p, id, MayWriteOrders); err != nil {
		return nil, err
	}
	o, err := unit(ctx, s, func(tx store.Tx) (*store.Order, error) {
		o, err := tx.Order(p.Tenant, id)
		if err != nil {
			return nil, err
		}
		if err := s.may(p, o, version, action); err != nil {
			return nil, err
		}
		data, err := change(tx, o)
		if err != nil {
			return nil, err
		}
		if data == nil {
			data = map[string]any{}
		}
		data["state"] = string(o.State)
		return o, s.audit(tx, p, o, "order."+string(action), "", data)
	})
	if err != nil {
		return nil, err
	}
	s.changed(id)
	s.wake()
	return s.load(ctx, o)
}

// may judges an action on an order as it is now.
func (s *Service) may(p Principal, o *store.Order, version int64, action order.Action) error {
	if !p.sees(o) || !o.Deleted.IsZero() {
		return store.ErrNotFound
	}
	if version != 0 && version != o.Version {
		return &Problem{Kind: Conflict, Message: "service.version", Pairs: []any{"Version", o.Version}}
	}
	var wrong *order.StateError
	if errors.As(o.Standing().May(action, s.now()), &wrong) {
		return &Problem{
			Kind: WrongState, Message: "service.wrong-state", Pairs: []any{"Action", string(action), "State", string(o.State)}, Allowed: wrong.Allowed, Err: wrong,
		}
	}
	return nil
}

// update writes the order's row with its new time of change.
func (s *Service) update(tx store.Tx, o *store.Order) error {
	o.Changed = s.now()
	return tx.UpdateOrder(o)
}

// Verify has an order looked at now. Sooner after the last time than the
// profile allows it is not looked at; the view's findings then have
// limit.checked-too-often with the next allowed time.
func (s *Service) Verify(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	o, err := s.find(ctx, p, id, MayWriteOrders)
	if err != nil {
		return nil, err
	}
	if err := problemOf(s.may(p, o, version, order.ActionCheck)); err != nil {
		return nil, err
	}
	prof, err := s.profileOf(o.Profile)
	if err != nil {
		return nil, err
	}
	gap := time.Duration(prof.Limits.ManualCheckMinutes) * time.Minute
	// A clock that was set back must not lock the order for ever.
	if now := s.now(); !o.ManualAt.IsZero() && now.Before(o.ManualAt.Add(gap)) && !now.Before(o.ManualAt) {
		return s.tooOften(ctx, o)
	}
	return s.do(ctx, p, id, version, order.ActionCheck, func(tx store.Tx, o *store.Order) (map[string]any, error) {
		now := s.now()
		o.ManualAt, o.Paused, o.Identical = now, "", 0
		if err := s.update(tx, o); err != nil {
			return nil, err
		}
		return nil, tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: now})
	})
}

// tooOften is the order with the finding that says so. Nothing is changed.
func (s *Service) tooOften(ctx context.Context, o *store.Order) (*View, error) {
	v, err := s.load(ctx, o)
	if err != nil {
		return nil, err
	}
	prof, err := s.profileOf(o.Profile)
	if err != nil {
		return nil, err
	}
	report, _, err := s.judge(ctx, o, v.Challenges, prof, order.ActionCheck)
	if err != nil {
		return nil, err
	}
	for i := range report.Findings {
		if report.Findings[i].Cause == "limit.checked-too-often" {
			v.Findings = append(slices.Clone(v.Findings), report.Findings[i])
		}
	}
	return v, nil
}

// Resume has the checks of a paused order go on.
func (s *Service) Resume(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	return s.do(ctx, p, id, version, order.ActionCheck, func(tx store.Tx, o *store.Order) (map[string]any, error) {
		if o.Paused == "" {
			return nil, &Problem{Kind: WrongState, Message: "service.not-paused", Allowed: o.State.Allowed()}
		}
		was := o.Paused
		o.Paused, o.Identical = "", 0
		if err := s.update(tx, o); err != nil {
			return nil, err
		}
		return map[string]any{"resumed": was}, tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: s.now()})
	})
}

// Cancel ends an order. Nobody else has to be told of an order of our own, so it
// passes through cancelling at once.
func (s *Service) Cancel(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	return s.do(ctx, p, id, version, order.ActionCancel, func(tx store.Tx, o *store.Order) (map[string]any, error) {
		for o.State != order.StateCancelled {
			next := order.ActionCancel
			if o.State == order.StateCancelling {
				next = order.ActionCancelled
			}
			to, ok := o.State.Next(next)
			if !ok {
				return nil, &Problem{Kind: WrongState, Message: "service.wrong-state", Pairs: []any{"Action", "cancel", "State", string(o.State)}}
			}
			o.State, o.Phase, o.Paused, o.Ended = to, "", "", s.now()
			if err := s.update(tx, o); err != nil {
				return nil, err
			}
		}
		return nil, tx.ClearDue(o.ID)
	})
}

// Delete hides an order that has ended or was never submitted. Its audit
// entries stay, and so do its CSR and key: they must not be used again.
func (s *Service) Delete(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	return s.do(ctx, p, id, version, order.ActionDelete, func(tx store.Tx, o *store.Order) (map[string]any, error) {
		if o.State == order.StateIssued {
			return nil, &Problem{Kind: WrongState, Message: "service.delete-issued", Allowed: o.State.Allowed()}
		}
		o.Deleted = s.now()
		if err := s.update(tx, o); err != nil {
			return nil, err
		}
		return nil, tx.ClearDue(o.ID)
	})
}

// Change replaces what a draft asks for.
func (s *Service) Change(ctx context.Context, p Principal, id string, version int64, in Application) (*View, error) {
	o, err := s.find(ctx, p, id, MayWriteOrders)
	if err != nil {
		return nil, err
	}
	if err := problemOf(s.may(p, o, version, order.ActionEdit)); err != nil {
		return nil, err
	}
	return s.replace(ctx, p, o, &in, order.ActionEdit, false)
}

// Submit submits a draft.
func (s *Service) Submit(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	o, err := s.find(ctx, p, id, MayWriteOrders)
	if err != nil {
		return nil, err
	}
	if err := problemOf(s.may(p, o, version, order.ActionSubmit)); err != nil {
		return nil, err
	}
	return s.replace(ctx, p, o, nil, order.ActionSubmit, true)
}

// Resubmit submits a failed or cancelled order again, with a new deadline and,
// where in is given, other details. Its values stay, unless they are too old or
// what they are for has changed.
func (s *Service) Resubmit(ctx context.Context, p Principal, id string, version int64, in *Application) (*View, error) {
	o, err := s.find(ctx, p, id, MayWriteOrders)
	if err != nil {
		return nil, err
	}
	if err := problemOf(s.may(p, o, version, order.ActionResubmit)); err != nil {
		return nil, err
	}
	return s.replace(ctx, p, o, in, order.ActionResubmit, true)
}

// replace judges an order with other details, or the same, and writes it under
// the version that it was read at.
func (s *Service) replace(ctx context.Context, p Principal, was *store.Order, in *Application, action order.Action, submit bool) (*View, error) {
	for attempt := 0; ; attempt++ {
		v, err := s.replaceOnce(ctx, p, was, in, action, submit)
		if errors.Is(err, errRaced) && attempt < 3 {
			continue
		}
		return v, problemOf(err)
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
		s.submit(&o, prof)
	}
	report, sharing, err := s.judge(ctx, &o, challenges, prof, action)
	if err != nil {
		return nil, err
	}
	if report.Verdict == review.VerdictRefuse && submit {
		return nil, &Problem{Kind: Refused, Message: "service.refused", Report: report}
	}
	last, err := s.Store.Review(ctx, o.ID, 0)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if o.Review, err = s.random(8); err != nil {
		return nil, err
	}
	extra := store.NewOrder{Names: s.orderNames(o.Order), Keys: orderKeys(o.Order), Challenges: challenges}
	if submit {
		extra.Due = s.firstDue(&o)
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
		if err := s.keepReview(tx, &written, report, string(action), last); err != nil {
			return nil, err
		}
		data := map[string]any{"state": string(o.State), "names": o.Names, "profile": o.Profile, "product": string(o.Product), "verdict": o.Verdict}
		if err := s.audit(tx, p, &written, "order."+string(action), "", data); err != nil {
			return nil, err
		}
		number := 1
		if last != nil {
			number = last.Number + 1
		}
		return s.view(&written, challenges, report, extra.Due, number), nil
	})
	if err == nil {
		s.changed(o.ID)
		s.wake()
	}
	return v, err
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

// Erase takes personal data out of an order that has ended: organization,
// contacts, and what reviews kept of them. The audit chain holds none.
func (s *Service) Erase(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	if _, err := s.find(ctx, p, id, MayErase); err != nil {
		return nil, err
	}
	o, err := unit(ctx, s, func(tx store.Tx) (*store.Order, error) {
		o, err := tx.Order(p.Tenant, id)
		if err != nil {
			return nil, err
		}
		if version != 0 && version != o.Version {
			return nil, &Problem{Kind: Conflict, Message: "service.version", Pairs: []any{"Version", o.Version}}
		}
		if o.State.Open() {
			return nil, &Problem{Kind: WrongState, Message: "service.erase-open", Allowed: o.State.Allowed()}
		}
		o.Order.Organization, o.Order.Contacts, o.Order.CSR = nil, nil, ""
		if err := s.update(tx, o); err != nil {
			return nil, err
		}
		if err := tx.Erase(o.ID); err != nil {
			return nil, err
		}
		return o, s.audit(tx, p, o, "order.erase", "", nil)
	})
	if err != nil {
		return nil, err
	}
	s.changed(id)
	return s.load(ctx, o)
}
