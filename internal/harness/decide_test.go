package harness

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"assay/internal/service"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// decided proves what must hold of an order that passed or failed: it did so
// once for each time it was submitted, it had reason to, and what goes with it
// was written with it.
func (p *proof) decided(ctx context.Context, o *store.OrderRow, entries []store.Entry, exact bool) error {
	passed, since, approved, issued := false, "", false, false
	for i := range entries {
		switch e := &entries[i]; e.Action {
		case "order.submit", "order.resubmit":
			since, approved, issued = "", false, false
		case "order.reopen":
			if exact || since != "order.pass" || issued {
				p.fault("order %s was opened again after %q, and nothing was too old", o.ID, since)
			}
			since = ""
		case "order.issue":
			if since != "order.pass" || issued {
				p.fault("double effect: order %s was issued after %q, issued %t", o.ID, since, issued)
			}
			issued = true
		case "review.approve":
			approved = true
		case "order.pass", "order.refuse", "review.refuse":
			if since != "" {
				p.fault("double effect: order %s has %s after %s, and was not submitted between", o.ID, e.Action, since)
			}
			since = e.Action
			if since == "order.pass" {
				p.book.passed++
			} else {
				p.book.failed++
			}
			passed = passed || e.Action == "order.pass"
			want := map[string]fate{"order.pass": passes, "order.refuse": fails, "review.refuse": asks}[e.Action]
			if approved && e.Action == "order.pass" {
				want = asks
			}
			if fateOf(o.Name) != want {
				p.fault("order %s for %s has %s, and no reason to", o.ID, o.Name, e.Action)
			}
		}
	}
	whole, err := p.db.Order(ctx, "", o.ID)
	if err != nil {
		return err
	}
	if (o.State == order.StateIssued) != issued {
		p.fault("order %s is %s, and was issued: %t", o.ID, o.State, issued)
	}
	if state := (o.State == order.StateReady || o.State == order.StateIssued); state != (since == "order.pass" && o.State != order.StateCancelled) {
		p.fault("order %s is %s, and was decided by %q", o.ID, o.State, since)
	} else if state && whole.ReadyAt.IsZero() {
		p.fault("order %s is ready since never", o.ID)
	}
	if refused := since == "order.refuse" || since == "review.refuse"; (o.State == order.StateFailed) != (refused && o.State != order.StateCancelled) {
		p.fault("order %s is %s, and was decided by %q", o.ID, o.State, since)
	}
	return errors.Join(p.validated(ctx, whole, passed), p.value(ctx, whole))
}

// validated: an order that passed left its validation, and no other did.
func (p *proof) validated(ctx context.Context, o *store.Order, passed bool) error {
	list, err := p.db.Validations(ctx, o.Tenant, o.Account, service.ValidationKeys(o.Profile, o.ID), o.Order.Names)
	if err != nil {
		return err
	}
	// One that waits for a reviewer is validated, and may be refused yet.
	early := fateOf(o.Name) == asks && !passed
	if len(list) > 1 || !early && passed != (len(list) == 1) || len(list) == 1 && list[0].Order != o.ID {
		p.fault("order %s passed %t, and its names' validations are %+v", o.ID, passed, list)
	}
	if o.State != order.StateReady && o.State != order.StateIssued || len(list) != 1 {
		return nil
	}
	r, err := p.db.Review(ctx, o.ID, 0)
	if err != nil {
		return err
	}
	if r.ID != o.Review || r.Mode != string(review.Attempt) || r.Verdict != string(review.VerdictPass) {
		p.fault("order %s has passed, and its last review %s of %s is a %s that says %s", o.ID, r.ID, o.Review, r.Mode, r.Verdict)
	}
	if _, err := os.Stat(filepath.Join(p.book.published, "_dnsauth."+o.Order.Names[0])); err != nil {
		p.fault("order %s has passed, and its value was never published", o.ID)
	}
	return nil
}

// value: the one that its applicant was told.
func (p *proof) value(ctx context.Context, o *store.Order) error {
	list, err := p.db.Challenges(ctx, o.ID)
	if err != nil {
		return err
	}
	told, acknowledged := p.book.values[o.Order.Names[0]]
	if len(list) != 1 || acknowledged && list[0].Value != told {
		p.fault("order %s: the value %q was told, and stored are %+v", o.ID, told, list)
	}
	return nil
}

// ask asks for a last look at every order that waits.
func (b *book) ask(ctx context.Context, db store.Store, s *service.Service) error {
	rows, err := db.Orders(ctx, store.OrderFilter{Tenant: service.RootTenant, State: order.StatePending, Limit: 200})
	if err != nil {
		return err
	}
	who := service.Principal{Tenant: service.RootTenant, Role: service.RoleAdministrator}
	for i := range rows {
		if _, err := s.Verify(ctx, who, rows[i].ID, 0); err != nil {
			return err
		}
		b.sent["last look at "+rows[i].ID] = deed{does: "verify", order: rows[i].ID}
	}
	return nil
}

// met proves that at the end every order met its fate.
func (b *book) met(ctx context.Context, db store.Store) ([]string, error) {
	p := &proof{db: db, book: b}
	rows, err := db.Orders(ctx, store.OrderFilter{Tenant: service.RootTenant, Limit: 200})
	if err != nil {
		return nil, err
	}
	for i := range rows {
		o := &rows[i]
		if o.State != order.StatePending && o.State != order.StateReady {
			continue
		}
		due, err := db.DueOf(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		// Else it took longer than the lease allows, and is tried again.
		again := slices.ContainsFunc(due, func(d store.Due) bool { return d.Kind == store.DueCheck && d.Attempt > 0 })
		_, told := b.values[o.Name]
		if !again && o.State == order.StateReady {
			p.fault("stuck: order %s for %s passed and has no certificate", o.ID, o.Name)
		}
		if f := fateOf(o.Name); !again && o.State == order.StatePending && (f == fails || f == passes && told) {
			p.fault("stuck: order %s for %s was looked at once more and is still pending", o.ID, o.Name)
		}
	}
	return p.faults, nil
}
