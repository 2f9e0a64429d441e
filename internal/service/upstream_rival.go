package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/order"
)

const (
	// waitEvery is how often an order that passed looks whether the one that it waits
	// for has finished.
	waitEvery = time.Minute
	// waitStubborn is how often a CA is asked again that offers, though it was told to
	// forget them, values that no order here uses any more.
	waitStubborn = time.Hour
)

// A rival is another order of ours that has, or had, what an upstream CA offers for
// this one: its order there, or one of its values.
type rival struct {
	order *store.Order
	has   *store.UpstreamOrder
	// shown is set where a value that is offered was shown to it: it belongs to that
	// order for ever.
	shown bool
	// values are those of our own that it gets where it gives way.
	values []order.Challenge
	// holds: it may yet be completed by it. gives: it holds, but gives way.
	holds, gives bool
}

// passed is when the order passed its review while it waited.
func (i *issuance) passed() time.Time {
	if i.offered == nil {
		return time.Time{}
	}
	return i.offered.Passed
}

// adopt takes what an upstream CA offers, unless it is another order's. All orders of
// this service have one account there, so that two of ours for one name may be offered
// the same. What nobody uses any more, or somebody has who has shown nothing yet while
// this order did, the CA is told to forget, and asked once more; else this order waits.
func (i *issuance) adopt(ctx context.Context, answer *issuer.Opened) error {
	rivals, err := i.rivals(ctx, answer)
	if err != nil {
		return err
	}
	for again := false; ; again = true {
		shown := false
		for n := range rivals {
			if r := &rivals[n]; r.holds && !r.gives {
				return i.wait(ctx, r.order.ID, 0)
			}
			shown = shown || rivals[n].shown
		}
		if !shown {
			return i.take(ctx, answer, rivals)
		}
		follower, ok := i.ca.(issuer.Follower)
		if !ok || again {
			return i.wait(ctx, rivals[0].order.ID, waitStubborn)
		}
		given := *i.request
		given.State = answer.State
		if err := follower.GiveUp(ctx, &given); err != nil && !errors.As(err, new(*issuer.Refusal)) { // one that is over is given up
			return i.refused(ctx, err)
		}
		if answer, err = i.ca.Open(ctx, i.request); err != nil {
			return i.refused(ctx, err)
		}
		more, err := i.rivals(ctx, answer)
		if err != nil {
			return err
		}
		// Who gave way for what was offered first gives it up in any case.
		for _, r := range rivals {
			if r.shown = false; r.gives && !slices.ContainsFunc(more, func(m rival) bool { return m.order.ID == r.order.ID }) {
				more = append(more, r)
			}
		}
		rivals = more
	}
}

// rivals are the others that have, or had, what is offered.
func (i *issuance) rivals(ctx context.Context, answer *issuer.Opened) ([]rival, error) {
	texts := make([]string, len(answer.Challenges))
	for n := range answer.Challenges {
		texts[n] = answer.Challenges[n].Value
	}
	owners, err := i.s.Store.ValueOrders(ctx, texts)
	if err != nil {
		return nil, err
	}
	shown := map[string]bool{}
	for _, id := range owners {
		shown[id] = true
	}
	has, err := i.s.Store.UpstreamOrderBy(ctx, i.ca.ID(), answer.Reference)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if has != nil && !shown[has.Order] {
		shown[has.Order] = false
	}
	delete(shown, i.o.ID)
	var list []rival
	for id, was := range shown {
		r, err := i.rival(ctx, id)
		if err != nil {
			return nil, err
		}
		r.shown = was
		list = append(list, *r)
	}
	return list, nil
}

// rival says how another order stands.
func (i *issuance) rival(ctx context.Context, id string) (*rival, error) {
	s := i.s
	o, err := s.Store.Order(ctx, "", id)
	if errors.Is(err, store.ErrNotFound) {
		return &rival{order: &store.Order{OrderRow: store.OrderRow{ID: id}}}, nil
	}
	if err != nil {
		return nil, err
	}
	r := &rival{order: o}
	if r.has, err = s.Store.UpstreamOrder(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if !o.Deleted.IsZero() || !o.State.Open() || r.has == nil || len(r.has.Data) == 0 || r.has.Issuer != i.ca.ID() {
		return r, nil
	}
	attempts, err := s.Store.Attempts(ctx, id)
	if err != nil {
		return nil, err
	}
	prepared := len(attempts) > 0 && attempts[len(attempts)-1].State == order.AttemptPrepared
	now := s.now()
	r.holds = prepared || o.State == order.StateReady || r.has.Deadline.IsZero() || now.Before(r.has.Deadline)
	if prepared || i.passed().IsZero() || o.Tenant == i.o.Tenant && o.Account == i.o.Account || !unproven(o, r.has) {
		return r, nil
	}
	p, err := s.Profiles(o.Profile)
	if err != nil {
		return nil, fmt.Errorf("order %s: %w", id, err)
	}
	r.gives = r.holds
	r.values, err = s.challenges(o.Order, p, now)
	return r, err
}

// unproven reports whether an order has shown nothing yet: a stranger may order any
// name.
func unproven(o *store.Order, u *store.UpstreamOrder) bool {
	return o.State == order.StatePending && o.Validated.IsZero() && u.Passed.IsZero()
}

// displace takes from a rival what it has at the CA; gone is false where it went on
// meanwhile. One that gives way is looked at by values of our own, and waits.
func (i *issuance) displace(tx store.Tx, r *rival) (gone bool, err error) {
	if r.has == nil || r.has.Reference == "" {
		return true, nil
	}
	s, now := i.s, i.s.now()
	o, err := tx.Order("", r.order.ID)
	if err != nil || o.Version != r.order.Version {
		return false, err
	}
	u := *r.has
	u.Reference, u.Data, u.Deadline = "", nil, now
	if r.gives {
		u.WaitsFor, u.Changed = i.o.ID, now
		o.Changed = now
		if err := s.ownDeadline(tx, o); err != nil {
			return false, err
		}
		if err := tx.ReplaceOrder(o, store.NewOrder{Names: s.orderNames(o.Order), Keys: orderKeys(o.Order), Challenges: r.values}); err != nil {
			return false, err
		}
		if _, err := s.checkNow(tx, o); err != nil {
			return false, err
		}
		if err := s.audit(tx, itself(o), o, "order.upstream", "", map[string]any{
			"state": string(o.State), "issuer": i.ca.ID(), "gave_way": r.has.Reference, "values": 0, "own_values": len(r.values),
		}); err != nil {
			return false, err
		}
	}
	return true, tx.PutUpstreamOrder(&u)
}

// ownDeadline gives an order back the deadline that a CA's order shortened.
func (s *Service) ownDeadline(tx store.Tx, o *store.Order) error {
	p, err := s.Profiles(o.Profile)
	if err != nil {
		return err
	}
	own := deadlineOf(p, o.Submitted)
	if own.IsZero() || o.Deadline.IsZero() || !own.After(o.Deadline) {
		return nil
	}
	o.Deadline = own
	return tx.SetDue(store.Due{Order: o.ID, Kind: store.DueDeadline, At: own})
}

// free reports whether the order that this one waits for has nothing any more that it
// is completed by, or gives way.
func (i *issuance) free(ctx context.Context, u *store.UpstreamOrder, now time.Time) (bool, error) {
	if now.Before(u.Deadline) {
		return false, nil
	}
	r, err := i.rival(ctx, u.WaitsFor)
	return err == nil && (!r.holds || r.gives), err
}

// waiting is a check of an order that waits: until it has passed, its own values are
// looked for.
func (i *issuance) waiting(ctx context.Context, u *store.UpstreamOrder, err error) (opened bool, _ error) {
	if err != nil || u.Passed.IsZero() {
		return false, err
	}
	s := i.s
	at := s.now().Add(waitEvery)
	if u.Deadline.After(at) {
		at = u.Deadline
	}
	return true, s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishDue(i.due, s.Owner); err != nil {
			return err
		}
		return tx.SetDue(store.Due{Order: i.o.ID, Kind: store.DueCheck, At: at})
	})
}

// wait has the order wait for another one, and be looked at by values of its own: who
// has passed by those need not wait for a stranger. The CA is not asked before a time.
func (i *issuance) wait(ctx context.Context, other string, rest time.Duration) error {
	s := i.s
	values, err := i.ownValues(ctx)
	if err != nil {
		return err
	}
	err = s.Store.Write(ctx, func(tx store.Tx) error {
		o, err := i.begin(tx)
		if err != nil || o == nil {
			return err
		}
		now := s.now()
		o.Changed = now
		if err := tx.ReplaceOrder(o, store.NewOrder{Names: s.orderNames(o.Order), Keys: orderKeys(o.Order), Challenges: values}); err != nil {
			return err
		}
		u := &store.UpstreamOrder{
			Order: o.ID, Issuer: i.ca.ID(), Tenant: o.Tenant, Account: o.Account, WaitsFor: other, Passed: i.passed(), Deadline: now.Add(rest), Changed: now,
		}
		if err := tx.PutUpstreamOrder(u); err != nil {
			return err
		}
		return s.audit(tx, itself(o), o, "order.upstream", "", map[string]any{"state": string(o.State), "issuer": i.ca.ID(), "waits": true, "own_values": len(values)})
	})
	if err == nil {
		s.changed(i.o.ID)
	}
	return err
}

// passes notes that an order which waits for another one passed by values of its own.
func (i *issuance) passes(ctx context.Context, u *store.UpstreamOrder) error {
	s := i.s
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		o, err := i.begin(tx)
		if err != nil || o == nil || o.State != order.StateReady {
			return err
		}
		to, ok := o.State.Next(order.ActionReopen)
		if !ok {
			return fmt.Errorf("order %s is %s, which has no %q", o.ID, o.State, order.ActionReopen)
		}
		o.State, o.Phase, o.ReadyAt, o.Validated, o.Paused = to, order.PhaseValidation, time.Time{}, time.Time{}, ""
		if err := s.update(tx, o); err != nil {
			return err
		}
		if !o.Deadline.IsZero() {
			if err := tx.SetDue(store.Due{Order: o.ID, Kind: store.DueDeadline, At: o.Deadline}); err != nil {
				return err
			}
		}
		passed := *u
		passed.Passed = s.now()
		if err := tx.PutUpstreamOrder(&passed); err != nil {
			return err
		}
		return s.audit(tx, itself(o), o, "order.reopen", "", map[string]any{"state": string(to), "issuer": i.ca.ID(), "waits": true})
	})
	if err == nil {
		s.changed(i.o.ID)
	}
	return err
}

// expire ends an order whose deadline came while it waited for what data says.
func (i *issuance) expire(ctx context.Context, data map[string]any) error {
	s := i.s
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		o, err := i.begin(tx)
		if err != nil || o == nil {
			return err
		}
		to, ok := o.State.Next(order.ActionExpire)
		if !ok {
			return fmt.Errorf("order %s is %s, which has no %q", o.ID, o.State, order.ActionExpire)
		}
		o.State, o.Phase, o.Reason, o.Ended = to, "", order.FailDeadline, s.now()
		if err := s.update(tx, o); err != nil {
			return err
		}
		if err := tx.ClearDue(o.ID); err != nil {
			return err
		}
		data["state"], data["reason"] = string(to), string(o.Reason)
		return s.audit(tx, itself(o), o, "order.expire", "", data)
	})
	if err == nil {
		s.changed(i.o.ID)
	}
	return err
}

// waits shows of an order that it waits for another one, and not for which: that may be
// a stranger's.
func (s *Service) waits(ctx context.Context, o *store.Order, beside *picture) error {
	ca := s.issuerOf(o)
	if ca == nil || !ca.Upstream() {
		return nil
	}
	u, err := s.Store.UpstreamOrder(ctx, o.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return problemOf(err)
	}
	if u.WaitsFor == "" || u.Issuer != ca.ID() || u.Changed.Before(o.Submitted) {
		return nil
	}
	beside.issuing = problemFindings(s.profileLeft(o), o.Product, []issuer.Problem{{Cause: cause.IssuanceCAUnavailable, Subject: "order", Parameters: map[string]any{"problem": "shared"}}})
	return nil
}
