package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/internal/service"
	"assay/internal/store"
	"assay/order"
)

// A proof compares a database with a book.
type proof struct {
	db     store.Store
	book   *book
	now    time.Time
	faults []string
}

func (p *proof) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// prove returns what is wrong. exact: the clock went on evenly, so that it can
// be said how many checks there may have been.
func prove(ctx context.Context, db store.Store, b *book, exact bool) ([]string, error) {
	p := &proof{db: db, book: b, now: time.Now()}
	p.faults = append(p.faults, b.wrong...)
	b.passed, b.failed, b.decided = 0, 0, 0
	made := map[string]string{} // name: order
	entries := map[string][]store.Entry{}
	var last store.OrderKeyset
	for {
		rows, err := db.Orders(ctx, store.OrderFilter{Tenant: service.RootTenant, Before: last, Limit: 200})
		if err != nil {
			return nil, err
		}
		for i := range rows {
			o := &rows[i]
			last = store.OrderKeyset{Created: o.Created, ID: o.ID}
			if other := made[o.Name]; other != "" {
				p.fault("double effect: orders %s and %s came of one request", other, o.ID)
			}
			made[o.Name] = o.ID
			list, err := p.order(ctx, o, exact)
			if err != nil {
				return nil, err
			}
			entries[o.ID] = list
		}
		if len(rows) < 200 {
			break
		}
	}
	p.acknowledged(made, entries)
	if err := errors.Join(p.tokens(ctx), p.claims(ctx), p.told(ctx, entries), p.certified(ctx)); err != nil {
		return nil, err
	}
	return p.faults, p.chain(ctx)
}

// order proves what must hold of an order whatever clients were told.
func (p *proof) order(ctx context.Context, o *store.OrderRow, exact bool) ([]store.Entry, error) {
	entries, err := p.db.OrderEntries(ctx, o.ID, 0, 5000)
	if err != nil {
		return nil, err
	}
	at, asked := int64(0), 0
	for i := range entries {
		e := &entries[i]
		if e.OrderVersion != at+1 {
			p.fault("order %s: the entry after version %d is of version %d (%s)", o.ID, at, e.OrderVersion, e.Action)
		}
		at = e.OrderVersion
		switch e.Action {
		case "order.submit", "order.resubmit", "order.reopen", "review.approve", "review.ask", "review.answer":
			asked++
		case "order.check":
			if e.Actor != "service" {
				asked++
			}
		}
	}
	if at != o.Version {
		p.fault("order %s has version %d, and its last entry is of version %d", o.ID, o.Version, at)
	}
	if err := p.due(ctx, o); err != nil {
		return nil, err
	}
	if err := p.decided(ctx, o, entries, exact); err != nil {
		return nil, err
	}
	if err := p.desk(ctx, o, entries); err != nil {
		return nil, err
	}
	return entries, p.reviews(ctx, o, asked, exact)
}

// due: an order that waits is looked at again, one that ended is not.
func (p *proof) due(ctx context.Context, o *store.OrderRow) error {
	due, err := p.db.DueOf(ctx, o.ID)
	if err != nil {
		return err
	}
	has := func(k store.DueKind) bool {
		return slices.ContainsFunc(due, func(d store.Due) bool { return d.Kind == k })
	}
	switch {
	case o.State == order.StatePending && o.Paused == "" && !(has(store.DueCheck) && has(store.DueDeadline)):
		p.fault("stuck: order %s is pending, and due are only %v", o.ID, due)
	case o.State == order.StateReady && o.Paused == "" && !has(store.DueCheck):
		p.fault("stuck: order %s is ready, and due are only %v", o.ID, due)
	case o.State.Ended() && len(due) > 0:
		p.fault("order %s is %s, and due are %v", o.ID, o.State, due)
	}
	return nil
}

// reviews: numbered without gaps, and no more checks than there were reasons.
func (p *proof) reviews(ctx context.Context, o *store.OrderRow, asked int, exact bool) error {
	rows, err := p.db.Reviews(ctx, o.ID, 0, 1000)
	if err != nil {
		return err
	}
	checks := 0
	for i := range rows {
		if want := len(rows) - i; rows[i].Number != want {
			p.fault("order %s: review %d is in the place of %d", o.ID, rows[i].Number, want)
		}
		if rows[i].Trigger == "schedule" || rows[i].Trigger == "manual" {
			checks += rows[i].Checks
		} else {
			checks += rows[i].Checks - 1
		}
	}
	// What fails for our own reasons is tried again 30 seconds later.
	if most := asked + int(p.now.Sub(o.Created)/(25*time.Second)); exact && checks > most {
		p.fault("double effect: order %s was checked %d times, for %d reasons", o.ID, checks, most)
	}
	return nil
}

// actions are the audit entries of what clients do to an order.
var actions = map[string]string{
	"verify": "order.check", "cancel": "order.cancel", "resubmit": "order.resubmit", "apply": "order.submit",
	"approve": "review.approve", "refuse": "review.refuse", "ask": "review.ask", "answer": "review.answer",
}

// acknowledged: what clients were told is there, and has one effect for each.
func (p *proof) acknowledged(made map[string]string, entries map[string][]store.Entry) {
	b := p.book
	type effect struct {
		order   string
		version int64
	}
	whose := map[effect]string{}
	asked := map[string]int{} // by order and action
	for key, d := range b.sent {
		if d.does == "token" || d.does == "claim" || d.does == "revoke" {
			continue
		}
		id := d.order
		if d.does == "apply" {
			id = made[d.name]
		}
		asked[id+" "+actions[d.does]]++
		a, told := b.done[key]
		if !told {
			continue
		}
		e := effect{a.ID, a.Version}
		if other := whose[e]; other != "" {
			p.fault("requests %s and %s were both told that they made version %d of order %s", other, key, a.Version, a.ID)
		}
		whose[e] = key
		if id != a.ID || !slices.ContainsFunc(entries[a.ID], func(e store.Entry) bool {
			return e.OrderVersion == a.Version && e.Action == actions[d.does] && e.Actor != "service"
		}) {
			p.fault("lost: %s of order %s, version %d, was acknowledged", d.does, a.ID, a.Version)
		}
	}
	for id, list := range entries {
		had := map[string]int{}
		for i := range list {
			// It passes through cancelling, by the same request.
			if list[i].Actor != "service" && list[i].Action != "order.cancelling" {
				had[list[i].Action]++
			}
		}
		for action, n := range had {
			if n > asked[id+" "+action] {
				p.fault("double effect: order %s has %d entries %s, for %d requests", id, n, action, asked[id+" "+action])
			}
		}
	}
}

// tokens: one for each request.
func (p *proof) tokens(ctx context.Context) error {
	found, after := map[string]string{}, ""
	for {
		list, err := p.db.Tokens(ctx, service.RootTenant, after, 200)
		if err != nil {
			return err
		}
		for i := range list {
			if found[list[i].Name] != "" {
				p.fault("double effect: two tokens are named %s", list[i].Name)
			}
			found[list[i].Name], after = list[i].ID, list[i].ID
		}
		if len(list) < 200 {
			break
		}
	}
	for key, d := range p.book.sent {
		if a, told := p.book.done[key]; told && d.does == "token" && found[d.name] != a.ID {
			p.fault("lost: token %s was acknowledged", d.name)
		}
	}
	return nil
}

func (p *proof) chain(ctx context.Context) error {
	s, err := newService(p.db, p.book.published, time.Now, patience)
	if err != nil {
		return err
	}
	r, err := s.AuditVerify(ctx, service.Principal{Tenant: service.RootTenant, Role: service.RoleAuditor})
	if err == nil && !r.Valid {
		p.fault("audit: %s", r.Problem)
	}
	return err
}

// settle has another process do all that is left, and proves that nothing then is.
func settle(ctx context.Context, db store.Store, at part, b *book, now func() time.Time) ([]string, error) {
	s, err := newService(db, b.published, now, patience)
	if err != nil {
		return nil, err
	}
	at.Fickle = false
	if _, err := openCA(ctx, s, db, at, func(der []byte) { b.signatures([][]byte{der}) }); err != nil {
		return nil, err
	}
	if err := b.ask(ctx, db, s); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(running)
	}()
	err = quiet(ctx, db, now)
	stop()
	<-ended
	if err != nil {
		return nil, err
	}
	faults, err := b.met(ctx, db)
	if err == nil {
		faults, err = b.listed(ctx, db, faults)
	}
	if err != nil {
		return nil, err
	}
	rows, err := db.Orders(ctx, store.OrderFilter{Tenant: service.RootTenant, Limit: 200})
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].State != order.StatePending {
			continue
		}
		o, err := db.Order(ctx, "", rows[i].ID)
		if err != nil {
			return nil, err
		}
		due, err := db.DueOf(ctx, o.ID)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(due, func(d store.Due) bool { return d.Kind == store.DueCheck && d.Attempt > 0 }) {
			continue // it took longer than the lease allows, and is tried again
		}
		last, err := db.Review(ctx, o.ID, 0)
		if err != nil {
			return nil, err
		}
		if last.Last.Before(o.ManualAt) || last.Last.Before(o.Submitted) || last.Trigger != "manual" && last.Trigger != "schedule" && last.Checks < 2 {
			faults = append(faults, fmt.Sprintf("check lost: order %s was submitted %v, asked for %v, looked at last %v (%s)", o.ID, o.Submitted, o.ManualAt, last.Last, last.Trigger))
		}
	}
	return faults, nil
}

// quiet waits until nothing is due now, every revocation is in a list and no entry waits
// for its place. A list that could not be signed, as the disk was full, rests for a while.
func quiet(ctx context.Context, db store.Store, now func() time.Time) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		next, err := db.NextDue(ctx)
		if err != nil {
			return err
		}
		unsealed, err := db.HasUnsealed(ctx)
		if err != nil {
			return err
		}
		notice, err := db.NextNotice(ctx)
		if err != nil {
			return err
		}
		list, err := db.NextCRL(ctx)
		if err != nil {
			return err
		}
		lists, err := db.CRLs(ctx, caID, -1, 100)
		if err != nil {
			return err
		}
		missing := slices.ContainsFunc(lists, func(c store.CRL) bool { return c.Changes > c.Published || c.Number == 0 })
		if !unsealed && !missing && list.After(now()) && notice.IsZero() && (next.IsZero() || next.After(now().Add(2*patience))) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("stuck: something is due since %v, unsealed %t, revocations in no list %t: %w", next, unsealed, missing, ctx.Err())
		}
	}
}
