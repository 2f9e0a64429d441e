package service

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"assay/internal/store"
	"assay/order"
)

// TestSequences: whatever two tenants do in whatever order, nobody gets at what
// is another's, states change by the table only, every change has its audit
// entry, and an order that is under way has something due.
func TestSequences(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	start := b.clock()
	var pool []Application
	for i := range 3 {
		pool = append(pool, dv(t, fmt.Sprintf("plot%d.orchard.net", i)))
	}
	refused := pool[0]
	refused.Order.Names = []string{"plot..orchard.net"}
	pool = append(pool, refused)
	run, done := 0, map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		l := &life{b: b, t: rt, pool: pool, orders: map[string]*known{}, done: done}
		b.set(start)
		run++
		l.settle(run)
		rt.Repeat(map[string]func(*rapid.T){
			"apply":    l.apply,
			"change":   func(rt *rapid.T) { l.act(rt, "change", l.change) },
			"submit":   func(rt *rapid.T) { l.act(rt, "submit", b.Submit) },
			"verify":   func(rt *rapid.T) { l.act(rt, "verify", b.Verify) },
			"resume":   func(rt *rapid.T) { l.act(rt, "resume", b.Resume) },
			"cancel":   func(rt *rapid.T) { l.act(rt, "cancel", b.Cancel) },
			"resubmit": func(rt *rapid.T) { l.act(rt, "resubmit", l.resubmit) },
			"delete":   func(rt *rapid.T) { l.act(rt, "delete", b.Delete) },
			"erase":    func(rt *rapid.T) { l.act(rt, "erase", b.Erase) },
			"time":     l.time,
			"wait":     l.time,
		})
		l.end()
	})
	// Sequences in which everything is refused would keep everything, too.
	for _, want := range [][]string{{"change draft"}, {"submit draft"}, {"verify pending"}, {"cancel pending"}, {"resubmit cancelled", "resubmit failed"}} {
		times := 0
		for _, what := range want {
			times += done[what]
		}
		if !t.Failed() && run >= 100 && times == 0 {
			t.Errorf("no sequence has %s: %v", want, done)
		}
	}
}

// A life is one sequence of use cases.
type life struct {
	b      *bed
	t      *rapid.T
	pool   []Application
	people []Principal
	ids    []string
	orders map[string]*known
	// done counts what was done to orders of each state, over all sequences.
	done map[string]int
}

// known is what was last seen of an order.
type known struct {
	owner   Principal
	version int64
	state   order.State
	deleted bool
	values  []string
}

func (b *bed) set(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = at
}

// settle brings two tenants that nobody has used yet.
func (l *life) settle(n int) {
	for _, letter := range []string{"a", "b"} {
		id := fmt.Sprintf("%s-%d", letter, n)
		if _, err := l.b.NewTenant(context.Background(), l.b.who[RoleAdministrator], id, id); err != nil {
			l.t.Fatal(err)
		}
		for _, account := range []string{"shop", "else"} {
			l.people = append(l.people, Principal{Tenant: id, Account: account, Role: RoleApplicant, Token: id + account})
		}
		admin := Principal{Tenant: id, Account: "shop", Role: RoleAdministrator, Token: id + "admin"}
		for _, account := range []string{"shop", "else"} {
			// An account that nobody vouches for gets no certificate.
			if _, err := l.b.PutAccount(context.Background(), admin, AccountView{ID: account, Verified: true}); err != nil {
				l.t.Fatal(err)
			}
		}
		l.people = append(l.people, admin)
	}
}

func (l *life) someone(t *rapid.T) Principal { return rapid.SampledFrom(l.people).Draw(t, "who") }

func (l *life) apply(t *rapid.T) {
	p := l.someone(t)
	in := rapid.SampledFrom(l.pool).Draw(t, "order")
	in.Draft = rapid.Bool().Draw(t, "draft")
	v, err := l.b.Apply(context.Background(), p, in)
	if problemIs(err, Refused) && !in.Draft {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if v.Tenant != p.Tenant || v.Account != p.Account {
		t.Fatalf("%+v has the order of %s %s", p, v.Tenant, v.Account)
	}
	l.ids = append(l.ids, v.ID)
	l.orders[v.ID] = &known{owner: p, version: v.Version, state: v.State, values: valuesOf(v.Challenges)}
	l.look(t, v.ID, "apply")
}

func (l *life) change(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	return l.b.Change(ctx, p, id, version, rapid.SampledFrom(l.pool).Draw(l.t, "order"))
}

func (l *life) resubmit(ctx context.Context, p Principal, id string, version int64) (*View, error) {
	if rapid.Bool().Draw(l.t, "same") {
		return l.b.Resubmit(ctx, p, id, version, nil)
	}
	in := rapid.SampledFrom(l.pool).Draw(l.t, "order")
	return l.b.Resubmit(ctx, p, id, version, &in)
}

// act does something to any order as anybody.
func (l *life) act(t *rapid.T, name string, do func(context.Context, Principal, string, int64) (*View, error)) {
	if len(l.ids) == 0 {
		t.Skip("no order yet")
	}
	l.t = t
	id, p := rapid.SampledFrom(l.ids).Draw(t, "id"), l.someone(t)
	k := l.orders[id]
	if rapid.Bool().Draw(t, "owner") {
		p = k.owner
	}
	was := k.state
	version := rapid.SampledFrom([]int64{0, 0, k.version, k.version, k.version + 1}).Draw(t, "version")
	v, err := do(context.Background(), p, id, version)
	theirs := p.Tenant != k.owner.Tenant || p.Role == RoleApplicant && p.Account != k.owner.Account
	want := Kind("")
	switch {
	case name == "erase" && p.Role == RoleApplicant:
		want = Forbidden
	case theirs || k.deleted && name != "erase":
		want = NotFound
	case version > k.version:
		want = Conflict
	}
	switch {
	case want != "" && !problemIs(err, want):
		t.Fatalf("%s by %+v of what is %+v: %v, want %s", name, p, k, err, want)
	case want == "" && err != nil && !problemIs(err, WrongState) && !problemIs(err, Refused):
		t.Fatalf("%s by %+v of what is %+v: %v", name, p, k, err)
	case err == nil && (v.ID != id || v.Tenant != p.Tenant):
		t.Fatalf("%s of %s gave %s of %s", name, id, v.ID, v.Tenant)
	}
	l.look(t, id, name)
	if err == nil {
		l.done[name+" "+string(was)]++
	}
	if err == nil && !l.orders[id].deleted {
		l.shows(t, v)
	}
}

// shows compares the view that a use case made in its unit with the one that is
// read afterwards.
func (l *life) shows(t *rapid.T, v *View) {
	again, err := l.b.Order(context.Background(), l.orders[v.ID].owner, v.ID)
	if err != nil {
		t.Fatal(err)
	}
	next := func(v *View) string { return fmt.Sprint(v.NextCheck) }
	if again.Version != v.Version || again.State != v.State || next(again) != next(v) || again.Review != v.Review || again.Checks != v.Checks {
		t.Fatalf("shown was\n%+v, read is\n%+v", v, again)
	}
}

// time lets time pass and does what comes due. Nothing can be seen from here, so
// that orders wait until their deadline.
func (l *life) time(t *rapid.T) {
	l.b.pass(rapid.SampledFrom([]time.Duration{time.Second, 10 * time.Minute, 30 * time.Hour, 100 * time.Hour, 100 * time.Hour}).Draw(t, "pass"))
	if _, err := l.b.runDue(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, id := range l.ids {
		l.look(t, id, "time")
	}
}

// look compares an order with what is known of it.
func (l *life) look(t *rapid.T, id, name string) {
	ctx, k := context.Background(), l.orders[id]
	o, err := l.b.Store.Order(ctx, k.owner.Tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	if o.Tenant != k.owner.Tenant || o.Account != k.owner.Account || o.Version < k.version || !leads(k.state, o.State) {
		t.Fatalf("%s made %+v of %+v", name, o.OrderRow, k)
	}
	l.entries(t, o)
	due, err := l.b.Store.DueOf(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	has := func(kind store.DueKind) bool {
		return slices.ContainsFunc(due, func(d store.Due) bool { return d.Kind == kind })
	}
	switch {
	case o.State == order.StatePending && (!has(store.DueDeadline) || !has(store.DueCheck) && o.Paused == "" && o.Deadline.Sub(l.b.clock()) > 24*time.Hour):
		t.Fatalf("%s left the open order %+v with only %+v due", name, o.OrderRow, due)
	case !o.State.Open() && len(due) > 0:
		t.Fatalf("%s left %+v due for the order %+v", name, due, o.OrderRow)
	}
	challenges, err := l.b.Store.Challenges(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	values := valuesOf(challenges)
	if name != "change" && name != "resubmit" && name != "submit" && !slices.Equal(values, k.values) {
		t.Fatalf("%s changed the values %v to %v", name, k.values, values)
	}
	for other, o := range l.orders {
		if other != id && slices.ContainsFunc(values, func(v string) bool { return slices.Contains(o.values, v) }) {
			t.Fatalf("%s and %s have a value in common", id, other)
		}
	}
	k.version, k.state, k.deleted, k.values = o.Version, o.State, !o.Deleted.IsZero(), values
}

// entries: versions rise, and the last change is among them.
func (l *life) entries(t *rapid.T, o *store.Order) {
	list, err := l.b.Store.OrderEntries(context.Background(), o.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	last := int64(0)
	for i := range list {
		if list[i].OrderVersion <= last || list[i].Tenant != o.Tenant {
			t.Fatalf("entry %+v after version %d", list[i], last)
		}
		last = list[i].OrderVersion
	}
	if last != o.Version {
		t.Fatalf("order %s is at version %d, its audit entries at %d", o.ID, o.Version, last)
	}
}

// leads reports whether the table of states leads from one to the other.
func leads(from, to order.State) bool {
	if from == to {
		return true
	}
	for _, t := range order.Transitions() {
		if t.From == from && (t.To == to || t.To == order.StateCancelling && to == order.StateCancelled) {
			return true
		}
	}
	return false
}

// end: everybody lists what is theirs and nothing else; what is open is
// cancelled, so that the next sequence is alone.
func (l *life) end() {
	ctx := context.Background()
	for _, p := range l.people {
		items, _, err := l.b.Orders(ctx, p, ListQuery{Limit: 200})
		if err != nil {
			l.t.Fatal(err)
		}
		want := 0
		for _, k := range l.orders {
			if !k.deleted && k.owner.Tenant == p.Tenant && (p.Role != RoleApplicant || k.owner.Account == p.Account) {
				want++
			}
		}
		if len(items) != want {
			l.t.Fatalf("%+v lists %d orders, has %d", p, len(items), want)
		}
	}
	for id, k := range l.orders {
		if !k.state.Open() {
			continue
		}
		if _, err := l.b.Cancel(ctx, k.owner, id, 0); err != nil {
			l.t.Fatal(err)
		}
	}
}

func valuesOf(challenges []order.Challenge) []string {
	var values []string
	for i := range challenges {
		values = append(values, challenges[i].Value)
	}
	return values
}
