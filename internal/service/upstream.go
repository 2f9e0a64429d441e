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
// before it was submitted again. An order that waits for another one (decision 18) is
// looked at meanwhile, until it has passed by values of its own.
func (s *Service) openUpstream(ctx context.Context, d store.Due, o *store.Order, p *profile.Profile) (opened bool, err error) {
	ca := s.issuerOf(o)
	if ca == nil || !ca.Upstream() || o.State != order.StatePending {
		return false, nil
	}
	u, err := s.Store.UpstreamOrder(ctx, o.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	now := s.now()
	if u != nil && (u.Issuer != ca.ID() || u.Changed.Before(o.Submitted)) {
		u = nil // of what the order was before
	}
	i := &issuance{s: s, ca: ca, due: d, o: o, p: p, review: o.Review, offered: u}
	switch {
	case u != nil && u.WaitsFor != "" && !u.Passed.IsZero() && over(o, now):
		return true, i.expire(ctx, map[string]any{"issuer": ca.ID(), "waits": true})
	case d.Kind != store.DueCheck:
		return false, nil
	case u != nil && u.WaitsFor != "":
		if free, err := i.free(ctx, u, now); err != nil || !free {
			return i.waiting(ctx, u, err)
		}
	case u != nil && (u.Deadline.IsZero() || now.Before(u.Deadline)), over(o, now):
		return false, nil // nothing is begun for what is over: it is judged as of its deadline
	}
	earlier, err := s.Store.Attempts(ctx, o.ID)
	if err != nil {
		return false, err
	}
	i.seq = 1
	if n := len(earlier); n > 0 {
		i.seq = earlier[n-1].Seq + 1
	}
	if err := i.asked(ctx); err != nil {
		return false, err
	}
	i.request.State, i.offered = nil, u
	answer, err := ca.Open(ctx, i.request)
	if err != nil {
		return true, i.refused(ctx, err)
	}
	return true, i.adopt(ctx, answer)
}

// take takes over the values of an upstream CA, and its order there: from others that
// have it no more, or give way. A name that needs no value there proves nothing of who
// orders here, so that a value of our own is looked for (see [issuer.Opened]).
func (i *issuance) take(ctx context.Context, answer *issuer.Opened, from []rival) error {
	s, given := i.s, answer.Challenges
	values := slices.Clone(given)
	// A value of our own may be of a domain above the names: all of them are looked for
	// where one name is left.
	if slices.ContainsFunc(i.request.Names, func(n string) bool {
		return !slices.ContainsFunc(given, func(g order.Challenge) bool { return name.Parse(g.Name).Base == name.Parse(n).Base })
	}) {
		own, err := i.ownValues(ctx)
		if err != nil {
			return err
		}
		values = append(values, own...)
	}
	now := s.now()
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		o, err := i.begin(tx)
		if err != nil || o == nil {
			return err
		}
		for n := range from {
			if gone, err := i.displace(tx, &from[n]); err != nil || !gone {
				return err // it went on meanwhile: looked at anew
			}
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
			Order: o.ID, Issuer: i.ca.ID(), Reference: answer.Reference, Tenant: o.Tenant, Account: o.Account, Data: answer.State, Passed: i.passed(),
			Deadline: answer.Deadline.UTC(), Changed: now,
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
	for n := range from {
		s.changed(from[n].order.ID)
	}
	return nil
}

// begin ends the lease of a check, and has another one due: nil where the order
// changed meanwhile.
func (i *issuance) begin(tx store.Tx) (*store.Order, error) {
	if err := tx.FinishDue(i.due, i.s.Owner); err != nil {
		return nil, err
	}
	o, err := tx.Order("", i.o.ID)
	if err != nil {
		return nil, err
	}
	if err := tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: i.s.now()}); err != nil || o.Version != i.o.Version {
		return nil, err
	}
	return o, nil
}

// ownValues are the values of our own that the order has, as long as they are what it
// would get now; else new ones.
func (i *issuance) ownValues(ctx context.Context) ([]order.Challenge, error) {
	now := i.s.now()
	fresh, err := i.s.challenges(i.o.Order, i.p, now)
	if err != nil {
		return nil, err
	}
	have, err := i.s.Store.Challenges(ctx, i.o.ID)
	if err != nil {
		return nil, err
	}
	kept := make([]order.Challenge, 0, len(fresh))
	for _, f := range fresh {
		at := slices.IndexFunc(have, func(c order.Challenge) bool {
			return c.Origin == "own" && c.Name == f.Name && c.Method == f.Method && (c.Expires.IsZero() || now.Before(c.Expires))
		})
		if at < 0 {
			return fresh, nil
		}
		kept = append(kept, have[at])
	}
	return kept, nil
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

// mostRefusals is how often in a row an upstream CA may refuse an order that passed
// here, before it has failed: each time it is looked at anew, and costs an order there.
const mostRefusals = 10

// refusals are how often in a row an order was refused at a CA that had one of its own
// for it.
func refusals(tx store.Tx, orderID string) (n int, err error) {
	all, err := tx.AttemptsNow(orderID)
	if err != nil {
		return 0, err
	}
	for _, a := range slices.Backward(all) {
		switch {
		case a.State != order.AttemptFailed:
			return n, nil
		case len(a.Data) > 0:
			n++
		}
	}
	return n, nil
}

// anew sends an order back that was begun at another CA than is configured now: one more
// is begun at this one.
func (i *issuance) anew(ctx context.Context) error {
	s := i.s
	err := s.Store.Write(ctx, func(tx store.Tx) error {
		o, err := i.begin(tx)
		if err != nil || o == nil {
			return err
		}
		if err := s.reopenUpstream(tx, o, i.p, i.ca.ID(), 0); err != nil {
			return err
		}
		return s.audit(tx, itself(o), o, "order.reopen", "", map[string]any{"state": string(o.State), "issuer": i.ca.ID(), "elsewhere": true})
	})
	if err == nil {
		s.changed(i.o.ID)
	}
	return err
}

// reopenUpstream sends an order back whose order at an upstream CA is over.
func (s *Service) reopenUpstream(tx store.Tx, o *store.Order, p *profile.Profile, ca string, wait time.Duration) error {
	to, ok := o.State.Next(order.ActionReopen)
	if !ok {
		return fmt.Errorf("order %s is %s, which has no %q", o.ID, o.State, order.ActionReopen)
	}
	now := s.now()
	o.State, o.Phase, o.ReadyAt, o.Validated = to, order.PhaseValidation, time.Time{}, time.Time{}
	if err := errors.Join(runsAgain(tx, o, p, now.Add(wait)), s.update(tx, o)); err != nil {
		return err
	}
	u := &store.UpstreamOrder{Order: o.ID, Issuer: ca, Tenant: o.Tenant, Account: o.Account, Deadline: now, Changed: now}
	if err := tx.PutUpstreamOrder(u); err != nil {
		return err
	}
	return tx.SetDue(store.Due{Order: o.ID, Kind: store.DueCheck, At: now.Add(wait)})
}
