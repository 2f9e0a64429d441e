package service

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"assay/internal/message"
	"assay/internal/store"
	"assay/order"
)

// retries is how often a use case begins again where something came between.
const retries = 3

// errMoved: the order changed between reading what its view shows and the unit.
var errMoved = errors.New("the order was changed meanwhile")

// A step is one use case that changes an order: who may, what the state must
// allow ("": anything, [step.change] judges), and the change itself.
type step struct {
	needs  Permission
	action order.Action
	// name is the audit entry's, after "order." where it has no point; "": that of
	// action. named gives it where it depends on where the order has come.
	name   string
	named  func(o *store.Order) string
	change act
	// asks is set where the change is about what waits for a person: the view then
	// says for whom. Nothing is due but before where keeps is set.
	asks, keeps bool
}

// act changes o inside the unit of its use case, and says what is due for the
// order afterwards and what goes into the audit entry. It must not keep anything
// from one run to the next: the unit may run again.
type act func(tx store.Tx, o *store.Order) (due []store.Due, data map[string]any, err error)

// do changes an order in one unit: permission, version, state, change, audit.
// version 0 is any. The view is made inside the unit, so that the answer to a
// request with a key is kept there.
func (s *Service) do(ctx context.Context, p Principal, id string, version int64, st step) (*View, error) {
	for attempt := 0; ; attempt++ {
		v, err := s.doOnce(ctx, p, id, version, st)
		if errors.Is(err, errMoved) {
			if attempt < retries {
				continue
			}
			err = &Problem{Kind: Conflict, Message: "service.conflict", Err: err}
		}
		if err != nil {
			return nil, err
		}
		s.changed(id)
		s.wake()
		return v, nil
	}
}

func (s *Service) doOnce(ctx context.Context, p Principal, id string, version int64, st step) (*View, error) {
	found, err := s.reach(ctx, p, id, st.needs)
	if err != nil {
		return nil, err
	}
	// Judged here too, so that nothing is read for what is not allowed.
	if err := s.may(p, found, version, st.action); err != nil {
		return nil, problemOf(err)
	}
	shown, err := s.picture(ctx, found)
	if err != nil {
		return nil, err
	}
	return unit(ctx, s, func(tx store.Tx) (*View, error) {
		o, err := tx.Order(p.Tenant, id)
		if err != nil {
			return nil, err
		}
		if err := s.may(p, o, version, st.action); err != nil {
			return nil, err
		}
		if o.Version != found.Version {
			return nil, errMoved
		}
		due, data, err := st.change(tx, o)
		if err != nil {
			return nil, err
		}
		if data == nil {
			data = map[string]any{}
		}
		data["state"] = string(o.State)
		name := cmp.Or(st.name, string(st.action))
		if st.named != nil {
			name = st.named(o)
		}
		if !strings.Contains(name, ".") {
			name = "order." + name
		}
		if err := s.audit(tx, p, o, name, "", data); err != nil {
			return nil, err
		}
		after := *shown
		if !st.keeps {
			after.due = due
		}
		if st.asks {
			if err := s.asked(tx, o, &after); err != nil {
				return nil, err
			}
		}
		if st.needs == MayErase {
			after.report = nil
		}
		return s.view(o, &after), nil
	})
}

// may judges an action on an order as it is now; "" is no action of the states.
func (s *Service) may(p Principal, o *store.Order, version int64, action order.Action) error {
	if !p.sees(o) || action != "" && !o.Deleted.IsZero() {
		return store.ErrNotFound
	}
	if version != 0 && version != o.Version {
		return &Problem{Kind: Conflict, Message: "service.version", Pairs: []any{"Version", o.Version}}
	}
	if action == "" {
		return nil
	}
	var wrong *order.StateError
	if errors.As(o.Standing().May(action, s.now()), &wrong) {
		return &Problem{
			Kind: WrongState, Message: "service.wrong-state", Pairs: []any{"Action", message.ID("action." + string(action)), "State", message.ID("order.is." + string(o.State))}, Allowed: wrong.Allowed, Err: wrong,
		}
	}
	return nil
}

// update writes the order's row with its new time of change.
func (s *Service) update(tx store.Tx, o *store.Order) error {
	o.Changed = s.now()
	return tx.UpdateOrder(o)
}

// errTooOften: somebody asked for a check sooner than the profile allows.
var errTooOften = errors.New("checked too often")

// Verify has an order looked at now. Sooner after the last time than the
// profile allows it is not looked at; the view's findings then have
// limit.checked-too-often with the next allowed time.
func (s *Service) Verify(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	v, err := s.do(ctx, p, id, version, step{needs: MayWriteOrders, action: order.ActionCheck, change: s.verify})
	if !errors.Is(err, errTooOften) {
		return v, err
	}
	o, err := s.find(ctx, p, id, MayWriteOrders)
	if err != nil {
		return nil, err
	}
	v, err = s.tooOften(ctx, o)
	if err != nil {
		return nil, err
	}
	return answered(ctx, s, v)
}

func (s *Service) verify(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
	prof, err := s.profileOf(o.Profile)
	if err != nil {
		return nil, nil, err
	}
	now, gap := s.now(), manualGap(prof)
	// A clock that was set back must not lock the order for ever.
	if !o.ManualAt.IsZero() && now.Before(o.ManualAt.Add(gap)) && !now.Before(o.ManualAt) {
		return nil, nil, errTooOften
	}
	o.ManualAt, o.Paused, o.Identical = now, "", 0
	if err := s.update(tx, o); err != nil {
		return nil, nil, err
	}
	due, err := s.checkNow(tx, o)
	return due, nil, err
}

// checkNow makes a check due.
func (s *Service) checkNow(tx store.Tx, o *store.Order) ([]store.Due, error) {
	d := store.Due{Order: o.ID, Kind: store.DueCheck, At: s.now()}
	return []store.Due{d}, tx.SetDue(d)
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
	return s.do(ctx, p, id, version, step{needs: MayWriteOrders, action: order.ActionCheck, name: "resume", change: s.resume})
}

func (s *Service) resume(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
	if o.Paused == "" {
		return nil, nil, &Problem{Kind: WrongState, Message: "service.not-paused", Allowed: o.Standing().Allowed(s.now())}
	}
	was := o.Paused
	o.Paused, o.Identical = "", 0
	if err := s.update(tx, o); err != nil {
		return nil, nil, err
	}
	due, err := s.checkNow(tx, o)
	return due, map[string]any{"resumed": was}, err
}

// Delete hides an order that has ended or was never submitted. Its audit
// entries stay, and so do its CSR and key: they must not be used again.
func (s *Service) Delete(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	return s.do(ctx, p, id, version, step{needs: MayWriteOrders, action: order.ActionDelete, change: s.hide})
}

func (s *Service) hide(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
	if o.State == order.StateIssued {
		return nil, nil, &Problem{Kind: WrongState, Message: "service.delete-issued", Allowed: o.Standing().Allowed(s.now())}
	}
	o.Deleted = s.now()
	if err := s.update(tx, o); err != nil {
		return nil, nil, err
	}
	return nil, nil, tx.ClearDue(o.ID)
}

// Erase takes personal data out of an order that has ended: organization,
// contacts, and what reviews kept of them, also where the order was deleted. The
// audit chain holds none.
func (s *Service) Erase(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	v, err := s.do(ctx, p, id, version, step{needs: MayErase, name: "erase", change: s.erase})
	if err == nil {
		s.scrub(context.WithoutCancel(ctx))
	}
	return v, err
}

func (s *Service) erase(tx store.Tx, o *store.Order) ([]store.Due, map[string]any, error) {
	if o.State.Open() {
		return nil, nil, &Problem{Kind: WrongState, Message: "service.erase-open", Allowed: o.Standing().Allowed(s.now())}
	}
	o.Order.Organization, o.Order.Contacts, o.Order.CSR = nil, nil, ""
	if err := s.update(tx, o); err != nil {
		return nil, nil, err
	}
	return nil, nil, tx.Erase(o.ID, s.now())
}
