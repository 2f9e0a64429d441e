package service

import (
	"context"
	"errors"
	"slices"

	"assay/internal/issuer"
	"assay/internal/message"
	"assay/internal/store"
	"assay/order"
	"assay/profile"
)

// Cancel ends an order. Nobody else has to be told of an order of our own, so it
// passes through cancelling at once: two changes of state, each a version with
// an audit entry of its own. Where a certificate may yet come of an attempt at an
// upstream CA, the order stays cancelling until that CA has said what became of it.
func (s *Service) Cancel(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	cancel := func(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) { return s.cancel(ctx, tx, p, o) }
	return s.do(ctx, p, id, version, step{needs: MayWriteOrders, action: order.ActionCancel, named: cancelled, change: cancel})
}

// cancelled names the entry of the audit log by where the order has come.
func cancelled(o *store.Order) string {
	if o.State == order.StateCancelling {
		return "cancelling"
	}
	return "cancel"
}

func (s *Service) cancel(ctx context.Context, tx store.Tx, p Principal, o *store.Order) ([]store.Due, map[string]any, error) {
	if o.State.Open() {
		if a, err := underWay(tx, o.ID); err != nil {
			return nil, nil, err
		} else if a != nil && a.Serial != "" {
			// At a CA of our own, where it ends in a moment.
			return nil, nil, &Problem{Kind: WrongState, Message: "service.issuing", Pairs: []any{"Order", o.ID}}
		} else if a != nil {
			return s.cancelling(ctx, tx, o)
		}
	}
	for o.State != order.StateCancelled {
		next := order.ActionCancel
		if o.State == order.StateCancelling {
			next = order.ActionCancelled
		}
		if err := s.stepTo(tx, o, next); err != nil {
			return nil, nil, err
		}
		if o.State == order.StateCancelled {
			break
		}
		if err := s.audit(tx, p, o, "order.cancelling", "", map[string]any{"state": string(o.State)}); err != nil {
			return nil, nil, err
		}
	}
	if err := tx.CloseDesk(o.ID, s.now()); err != nil {
		return nil, nil, err
	}
	return nil, nil, tx.ClearDue(o.ID)
}

// stepTo takes a step on the way out.
func (s *Service) stepTo(tx store.Tx, o *store.Order, action order.Action) error {
	to, ok := o.State.Next(action)
	if !ok {
		return &Problem{Kind: WrongState, Message: "service.wrong-state", Pairs: []any{"Action", message.ID("action." + string(order.ActionCancel)), "State", message.ID("order.is." + string(o.State))}}
	}
	o.State, o.Phase, o.Paused = to, "", ""
	if to == order.StateCancelling {
		o.Phase = order.PhaseCA
	}
	if to.Ended() {
		o.Ended = s.now()
	}
	return s.update(tx, o)
}

// cancelling leaves an order to whoever settles its attempt. A lease on that is left
// alone: the CA may be issuing for its holder in this moment.
func (s *Service) cancelling(ctx context.Context, tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
	due, err := s.Store.DueOf(ctx, o.ID)
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(s.stepTo(tx, o, order.ActionCancel), tx.CloseDesk(o.ID, s.now()), tx.ClearDue(o.ID, store.DueDeadline, store.DueReminder)); err != nil {
		return nil, nil, err
	}
	if slices.ContainsFunc(due, func(d store.Due) bool { return d.Kind == store.DueCheck }) {
		return due, nil, nil
	}
	due, err = s.checkNow(tx, o)
	return due, nil, err
}

// underWay is the attempt of an order that has not ended, nil where there is none.
func underWay(tx store.Tx, orderID string) (*store.Attempt, error) {
	all, err := tx.AttemptsNow(orderID)
	if n := len(all); err == nil && n > 0 && all[n-1].State == order.AttemptPrepared {
		return &all[n-1], nil
	}
	return nil, err
}

// runsOut ends an order that is overdue while a certificate may yet come of its attempt:
// as with one that is cancelled, the CA has to say first what became of that.
func (i *issuance) runsOut(ctx context.Context, why error) error {
	s := i.s
	s.Log.Warn("an order is over, and its attempt is to be settled yet", "order", i.o.ID, "attempt", i.seq, "error", why)
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishDue(i.due, s.Owner); err != nil {
			return err
		}
		o, err := tx.Order("", i.o.ID)
		if err != nil {
			return err
		}
		again := store.Due{Order: o.ID, Kind: store.DueCheck, At: s.now().Add(i.rest(why)), Attempt: i.due.Attempt}
		if err := tx.SetDue(again); err != nil || o.Version != i.o.Version {
			return err
		}
		o.Reason = order.FailDeadline
		if err := errors.Join(s.stepTo(tx, o, order.ActionCancel), tx.CloseDesk(o.ID, s.now()), tx.ClearDue(o.ID, store.DueDeadline, store.DueReminder)); err != nil {
			return err
		}
		return s.audit(tx, itself(o), o, "order.expire", "", i.audited(map[string]any{"state": string(o.State), "reason": string(o.Reason)}))
	})
	if err == nil {
		s.changed(i.o.ID)
	}
	return err
}

// toSettle reports whether what is due for an order is to learn what became of its
// last attempt: it is cancelled then, or over.
func toSettle(o *store.Order, kind store.DueKind) bool {
	return o.State == order.StateCancelling && kind == store.DueCheck
}

// settleCancelled ends the attempt that keeps an order from its end. What the
// CA has not got yet it does not get; of what it has the certificate is fetched and
// revoked. While it is away, the order waits.
func (s *Service) settleCancelled(ctx context.Context, d store.Due, o *store.Order) error {
	all, err := s.Store.Attempts(ctx, o.ID)
	if err != nil {
		return err
	}
	n := len(all)
	if n == 0 || all[n-1].State != order.AttemptPrepared {
		return s.endCancelled(ctx, d, o)
	}
	a := &all[n-1]
	i := &issuance{s: s, ca: s.issuerOf(o), due: d, o: o, p: s.profileLeft(o), seq: a.Seq, review: a.Review}
	if i.ca == nil || a.Issuer != i.ca.ID() {
		return i.abandon(ctx, a, "the order was ended", 0)
	}
	sent, err := i.sent(ctx, a)
	var issued *issuer.Issued
	if err == nil && sent {
		issued, err = i.fetch(ctx, a)
	}
	switch {
	case errors.Is(err, issuer.ErrElsewhere), issuer.Over(err): // it had been sent: there may be a certificate
		return i.lose(ctx, a, 0)
	case err != nil:
		return i.waits(ctx, err)
	case !sent:
		if err := i.drop(ctx, a, "the order was ended before a certificate came of it"); err != nil {
			return err
		}
		return i.later(ctx, 0)
	}
	return i.unwanted(ctx, a, issued)
}

// profileLeft is the profile of an order that is judged no more: nothing depends on its
// rules then, and where it was removed an empty one does.
func (s *Service) profileLeft(o *store.Order) *profile.Profile {
	if p, err := s.Profiles(o.Profile); err == nil {
		return p
	}
	return &profile.Profile{Name: o.Profile}
}

// fetch gets what an upstream CA made of an attempt.
func (i *issuance) fetch(ctx context.Context, a *store.Attempt) (*issuer.Issued, error) {
	prepared, err := i.ca.Resume(ctx, i.request, &issuer.Attempt{State: a.Data, Shard: int(a.Shard)})
	if err != nil {
		return nil, err
	}
	return i.ca.Complete(ctx, prepared)
}

// endCancelled is the last step of an order that nothing comes of any more: it is
// cancelled, or was overdue and has failed.
func (s *Service) endCancelled(ctx context.Context, d store.Due, o *store.Order) error {
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishDue(d, s.Owner); err != nil {
			return err
		}
		cur, err := tx.Order("", o.ID)
		if err != nil || cur.State != order.StateCancelling {
			return err
		}
		action, entry, data := order.ActionCancelled, "order.cancel", map[string]any{}
		if cur.Reason == order.FailDeadline {
			action, entry, data["reason"] = order.ActionExpire, "order.settle", string(cur.Reason)
		}
		if err := s.stepTo(tx, cur, action); err != nil {
			return err
		}
		data["state"] = string(cur.State)
		return errors.Join(tx.ClearDue(cur.ID), s.audit(tx, itself(cur), cur, entry, "", data))
	})
	if err == nil {
		s.changed(o.ID)
	}
	return err
}
