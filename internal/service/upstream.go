package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/internal/issuer"
	"assay/internal/store"
	"assay/name"
	"assay/order"
	"assay/profile"
)

// openUpstream begins the order at an upstream CA that one of ours is completed
// by: its values are what the applicant publishes and the review looks for. It is
// done, and opened, where that was missing, is over, or is of what the order was
// before it was submitted again.
func (s *Service) openUpstream(ctx context.Context, d store.Due, o *store.Order, p *profile.Profile) (opened bool, err error) {
	ca := s.issuerOf(o)
	if ca == nil || !ca.Upstream() || o.State != order.StatePending || d.Kind != store.DueCheck {
		return false, nil
	}
	u, err := s.Store.UpstreamOrder(ctx, o.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	now := s.now()
	if u != nil && u.Issuer == ca.ID() && !u.Changed.Before(o.Submitted) && (u.Deadline.IsZero() || now.Before(u.Deadline)) {
		return false, nil
	}
	earlier, err := s.Store.Attempts(ctx, o.ID)
	if err != nil {
		return false, err
	}
	i := &issuance{s: s, ca: ca, due: d, o: o, p: p, seq: len(earlier) + 1, review: o.Review}
	if err := i.asked(ctx); err != nil {
		return false, err
	}
	i.request.State = nil
	answer, err := ca.Open(ctx, i.request)
	if err != nil {
		return true, i.refused(ctx, err)
	}
	return true, i.adopt(ctx, answer)
}

// adopt takes over the values of an upstream CA. All orders of this service have
// one account there: a value that another account of ours was given too, and a
// name that needs no value there any more, say nothing of who orders here, so that
// a value of our own is looked for instead (see [issuer.Opened]).
func (i *issuance) adopt(ctx context.Context, answer *issuer.Opened) error {
	s := i.s
	others, err := s.Store.UpstreamOrders(ctx, i.ca.ID(), answer.Reference, 200)
	if err != nil {
		return err
	}
	foreign := slices.ContainsFunc(others, func(u store.UpstreamOrder) bool { return u.Tenant != i.o.Tenant || u.Account != i.o.Account })
	given := answer.Challenges
	if foreign {
		given = nil
	}
	err = i.take(ctx, answer, given)
	if errors.Is(err, store.ErrConflict) && len(given) > 0 {
		err = i.take(ctx, answer, nil) // another order of the same account has these values
	}
	return err
}

func (i *issuance) take(ctx context.Context, answer *issuer.Opened, given []order.Challenge) error {
	s := i.s
	own, err := s.challenges(i.o.Order, i.p, s.now())
	if err != nil {
		return err
	}
	values := slices.Clone(given)
	// A value of our own may be of a domain above the names: all of them are looked for
	// where one name is left.
	if slices.ContainsFunc(i.request.Names, func(n string) bool {
		return !slices.ContainsFunc(given, func(g order.Challenge) bool { return name.Parse(g.Name).Base == name.Parse(n).Base })
	}) {
		values = append(values, own...)
	}
	now := s.now()
	err = s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.FinishDue(i.due, s.Owner); err != nil {
			return err
		}
		o, err := tx.Order("", i.o.ID)
		if err != nil {
			return err
		}
		if err := tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: now}); err != nil || o.Version != i.o.Version {
			return err
		}
		if !answer.Deadline.IsZero() && (o.Deadline.IsZero() || answer.Deadline.Before(o.Deadline)) {
			o.Deadline = answer.Deadline.UTC()
			if err := tx.SetDue(store.Due{Order: o.ID, Kind: store.DueDeadline, At: o.Deadline}); err != nil {
				return err
			}
		}
		o.Changed = now
		extra := store.NewOrder{Names: s.orderNames(o.Order), Keys: orderKeys(o.Order), Challenges: values}
		if err := tx.ReplaceOrder(o, extra); err != nil {
			return err
		}
		u := &store.UpstreamOrder{
			Order: o.ID, Issuer: i.ca.ID(), Reference: answer.Reference, Tenant: o.Tenant, Account: o.Account, Data: answer.State, Deadline: answer.Deadline.UTC(), Changed: now,
		}
		if err := tx.PutUpstreamOrder(u); err != nil {
			return err
		}
		return s.audit(tx, itself(o), o, "order.upstream", "", map[string]any{
			"state": string(o.State), "issuer": i.ca.ID(), "reference": answer.Reference, "values": len(given), "own_values": len(values) - len(given),
		})
	})
	if err != nil {
		return fmt.Errorf("the values of %s for order %s: %w", i.ca.ID(), i.o.ID, err)
	}
	s.changed(i.o.ID)
	return nil
}

// notUpstream leaves out the names that an upstream CA asks a value for: it looks for
// that, whatever was validated here before, so that it is looked for here too.
func notUpstream(o *store.Order, valid []string) []string {
	return slices.DeleteFunc(valid, func(n string) bool {
		return slices.ContainsFunc(o.Order.Challenges, func(c order.Challenge) bool {
			return c.Origin == "upstream" && name.Parse(c.Name).Base == name.Parse(n).Base
		})
	})
}

// reopenUpstream sends an order back whose order at an upstream CA is over.
func (s *Service) reopenUpstream(tx store.Tx, o *store.Order, ca string, wait time.Duration) error {
	to, ok := o.State.Next(order.ActionReopen)
	if !ok {
		return fmt.Errorf("order %s is %s, which has no %q", o.ID, o.State, order.ActionReopen)
	}
	now := s.now()
	o.State, o.Phase, o.ReadyAt, o.Validated = to, order.PhaseValidation, time.Time{}, time.Time{}
	if err := s.update(tx, o); err != nil {
		return err
	}
	u := &store.UpstreamOrder{Order: o.ID, Issuer: ca, Tenant: o.Tenant, Account: o.Account, Deadline: now, Changed: now}
	if err := tx.PutUpstreamOrder(u); err != nil {
		return err
	}
	return tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: now.Add(wait)})
}
