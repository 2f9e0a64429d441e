package service

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// TestDeadline: an order whose record never comes fails at its deadline, with
// the finding that says so beside what was in its way.
func TestDeadline(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]time.Duration{"in time": 0, "the service was down": 5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			h.world(t, v, bare())
			h.run(t, v.ID)
			h.pass(v.Deadline.Sub(h.clock()) + late)
			h.world(t, v, bare())
			v = h.run(t, v.ID)
			if v.State != order.StateFailed || v.Reason != order.FailDeadline || v.EndedAt == nil {
				t.Fatalf("%s %s", v.State, v.Reason)
			}
			if got := causesIn(v); !slices.Contains(got, cause.LimitDeadlinePassed) || !slices.Contains(got, cause.DNSRecordMissing) {
				t.Errorf("%v", got)
			}
			if due := h.due(t, v.ID); len(due) != 0 {
				t.Errorf("still due: %v", due)
			}
			if got := h.actions(t, v.ID); got[len(got)-1] != "order.expire" {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestDeadlineMet: what is there when the deadline ends counts, also where the
// service comes late to look.
func TestDeadlineMet(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.pass(v.Deadline.Sub(h.clock()) + time.Hour)
	h.world(t, v, lab.Change{})
	if v = h.run(t, v.ID); v.State != order.StateReady {
		t.Errorf("%s %s %v", v.State, v.Reason, causesIn(v))
	}
}

// TestDeadlineOurFault: where we cannot look at the deadline, the order waits for
// us for a day, and no longer.
func TestDeadlineOurFault(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.pass(v.Deadline.Sub(h.clock()))
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Verdict != review.VerdictUnknown {
		t.Fatalf("%s %s", v.State, v.Verdict)
	}
	if at, ok := h.due(t, v.ID)[store.DueDeadline]; !ok || !at.After(h.clock()) {
		t.Fatalf("%v", h.due(t, v.ID))
	}
	h.pass(grace)
	if v = h.run(t, v.ID); v.State != order.StateFailed || v.Reason != order.FailDeadline {
		t.Errorf("%s %s", v.State, v.Reason)
	}
}

// TestReminders: at half time, a day and two hours before the end, once each.
func TestReminders(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.world(t, v, bare())
	h.run(t, v.ID)
	submitted := h.clock()
	for i, at := range []time.Duration{36 * time.Hour, 48 * time.Hour, 70 * time.Hour} {
		if due := h.due(t, v.ID)[store.DueReminder]; !due.Equal(submitted.Add(at)) {
			t.Fatalf("reminder %d is due at %v", i, due)
		}
		h.pass(submitted.Add(at).Sub(h.clock()) - time.Microsecond)
		h.run(t, v.ID)
		if n := h.reminded(t, v.ID); n != i {
			t.Fatalf("%d reminders a moment before %s", n, at)
		}
		h.pass(time.Microsecond)
		h.run(t, v.ID)
		if n := h.reminded(t, v.ID); n != i+1 {
			t.Fatalf("%d reminders at %s", n, at)
		}
	}
	if at, ok := h.due(t, v.ID)[store.DueReminder]; ok {
		t.Errorf("a fourth reminder at %v", at)
	}
	events, err := h.Events(context.Background(), h.who[RoleAuditor], v.ID, 0, 200)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(events, func(e Event) bool { return e.Action == "order.remind" })
	open, _ := events[i].Data["findings"].([]any)
	if len(open) != 1 || open[0] != "dns.record-missing@orchard.net" {
		t.Errorf("%v", events[i].Data)
	}
}

func (h *house) reminded(t *testing.T, id string) (n int) {
	t.Helper()
	for _, a := range h.actions(t, id) {
		if a == "order.remind" {
			n++
		}
	}
	return n
}

// TestReminderTimes: a short deadline has fewer, a clock that was set forward
// makes up for none.
func TestReminderTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	for hours, want := range map[int]string{0: "", 2: "1h0m0s", 24: "12h0m0s 22h0m0s", 72: "36h0m0s 48h0m0s 70h0m0s", 720: "360h0m0s 696h0m0s 718h0m0s"} {
		var got []string
		for _, r := range reminders(at, at.Add(time.Duration(hours)*time.Hour)) {
			got = append(got, r.Sub(at).String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d hours: %v", hours, got)
		}
	}
	if next, ok := nextReminder(at, at.Add(72*time.Hour), at.Add(50*time.Hour)); !ok || next.Sub(at) != 70*time.Hour {
		t.Errorf("%v %v", next, ok)
	}
}

// follow makes the checks of an order as they come due until it stops.
func (h *house) follow(t *testing.T, id string, until func(*View) bool) *View {
	t.Helper()
	v := h.read(t, id)
	for !until(v) {
		if v.NextCheck == nil {
			t.Fatalf("no check is due: %+v", v)
		}
		h.pass(max(v.NextCheck.Sub(h.clock()), 0))
		v = h.run(t, id)
	}
	return v
}

// TestIdentical: an order of which check after check finds the same rests, its
// deadline runs on, and it goes on with one click or when somebody asks.
func TestIdentical(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, who := context.Background(), h.who[RoleApplicant]
	h.Identical = 2
	v := h.apply(t, who, dv(t, "orchard.net"))
	h.world(t, v, bare())
	dense := 0
	h.follow(t, v.ID, func(v *View) bool { dense++; return dense > 5 })
	if o, err := h.Store.Order(ctx, "", v.ID); err != nil || o.Identical != 0 {
		t.Fatalf("%d identical checks count in the first minutes, %v", o.Identical, err)
	}
	h.pass(v.SubmittedAt.Add(24 * time.Hour).Sub(h.clock()))
	h.world(t, v, bare())
	v = h.follow(t, v.ID, func(v *View) bool { return v.Paused != "" || v.State != order.StatePending })
	if v.Paused != PausedIdentical || v.State != order.StatePending || v.NextCheck != nil {
		t.Fatalf("%s %q, next %v", v.State, v.Paused, v.NextCheck)
	}
	if due := h.due(t, v.ID); due[store.DueDeadline].IsZero() || due[store.DueReminder].IsZero() {
		t.Errorf("%v", due)
	}
	last, err := h.Store.Review(ctx, v.ID, 0)
	if checks := len(h.counts.verdicts); err != nil || last.Number != 2 || last.Checks != checks || checks != 7 {
		t.Errorf("review %d of %d checks, %d were made, %v", last.Number, last.Checks, checks, err)
	}
	if v, err = h.Resume(ctx, who, v.ID, 0); err != nil || v.Paused != "" {
		t.Fatalf("%+v, %v", v, err)
	}
	if v = h.run(t, v.ID); v.Paused != "" || v.NextCheck == nil {
		t.Fatalf("%q %v", v.Paused, v.NextCheck)
	}
	v = h.follow(t, v.ID, func(v *View) bool { return v.Paused != "" })
	h.pass(time.Minute)
	if v, err = h.Verify(ctx, who, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	h.world(t, v, lab.Change{})
	if v = h.run(t, v.ID); v.State != order.StateReady {
		t.Errorf("%s %v", v.State, causesIn(v))
	}
	if last, err = h.Store.Review(ctx, v.ID, 0); err != nil || last.Trigger != "manual" {
		t.Errorf("%+v, %v", last.ReviewRow, err)
	}
}

// TestVerifyTooOften: the second check within the profile's time is a finding
// with the next time in it; nobody is asked anything.
func TestVerifyTooOften(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, who := context.Background(), h.who[RoleApplicant]
	v := h.apply(t, who, dv(t, "orchard.net"))
	h.world(t, v, bare())
	h.run(t, v.ID)
	h.pass(time.Second)
	if _, err := h.Verify(ctx, who, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	asked := h.window.questions()
	if v = h.run(t, v.ID); h.window.questions() == asked || slices.Contains(causesIn(v), cause.LimitCheckedTooOften) {
		t.Fatalf("asked %d, %v", h.window.questions()-asked, causesIn(v))
	}
	asked, first := h.window.questions(), h.clock()
	h.pass(time.Minute / 4)
	again, err := h.Verify(ctx, who, v.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(again.Findings, func(f review.Finding) bool { return f.Cause == cause.LimitCheckedTooOften })
	if i < 0 || !again.Findings[i].RetryAt.Equal(first.Add(5*time.Minute)) {
		t.Fatalf("%+v", again.Findings)
	}
	h.run(t, v.ID)
	if h.window.questions() != asked || again.Version != v.Version {
		t.Errorf("%d questions, version %d then %d", h.window.questions()-asked, v.Version, again.Version)
	}
}

// TestResubmitTooOften: cancelling and submitting again is no way to have an order
// looked at more often than by asking.
func TestResubmitTooOften(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, who := context.Background(), h.who[RoleApplicant]
	v := h.apply(t, who, dv(t, "orchard.net"))
	h.world(t, v, bare())
	h.run(t, v.ID)
	h.pass(10 * time.Minute)
	if _, err := h.Verify(ctx, who, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	h.run(t, v.ID)
	looked, asked := h.clock(), h.window.questions()
	again := func() {
		t.Helper()
		if _, err := h.Cancel(ctx, who, v.ID, 0); err != nil {
			t.Fatal(err)
		}
		var err error
		if v, err = h.Resubmit(ctx, who, v.ID, 0, nil); err != nil {
			t.Fatal(err, findings(err))
		}
	}
	h.pass(time.Minute)
	again()
	if h.run(t, v.ID); h.window.questions() != asked || v.NextCheck == nil || !v.NextCheck.Equal(looked.Add(5*time.Minute)) {
		t.Fatalf("%d questions, next check %v", h.window.questions()-asked, v.NextCheck)
	}
	h.pass(4 * time.Minute)
	if h.run(t, v.ID); h.window.questions() == asked {
		t.Fatal("not looked at when it may be")
	}
	// It was submitted four minutes ago: that was a look, too.
	asked = h.window.questions()
	again()
	if h.run(t, v.ID); h.window.questions() != asked || !v.NextCheck.Equal(looked.Add(6*time.Minute)) {
		t.Fatalf("%d questions, next check %v", h.window.questions()-asked, v.NextCheck)
	}
	// A clock that was set back keeps nobody waiting for long.
	h.pass(-time.Hour)
	if again(); !v.NextCheck.Equal(h.clock()) {
		t.Errorf("next check %v at %v", v.NextCheck, h.clock())
	}
}

// TestReuse: a validation stands for later orders of the same account of the same
// tenant, as long as the profile says, and for nobody else.
func TestReuse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, who := context.Background(), h.who[RoleApplicant]
	first := h.apply(t, who, dv(t, "orchard.net"))
	h.world(t, first, lab.Change{})
	if v := h.run(t, first.ID); v.State != order.StateReady {
		t.Fatalf("%s %+v", v.State, v.Findings)
	}
	validated := h.clock()
	admin := h.who[RoleAdministrator]
	if _, err := h.PutAccount(ctx, admin, AccountView{ID: "other", Verified: true}); err != nil {
		t.Fatal(err)
	}
	err := h.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.PutTenant(store.Tenant{ID: "acme", Name: "acme", Created: h.clock()}); err != nil {
			return err
		}
		return tx.PutAccount(store.Account{Tenant: "acme", ID: "shop", Verified: true, Created: h.clock()})
	})
	if err != nil {
		t.Fatal(err)
	}
	other := Principal{Tenant: RootTenant, Account: "other", Token: "t2", Role: RoleApplicant}
	stranger := Principal{Tenant: "acme", Account: "shop", Token: "t3", Role: RoleApplicant}
	p, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	window := reuseWindow(p, validated, "")
	if window != 200*24*time.Hour {
		t.Fatalf("%s", window)
	}
	file := dv(t, "orchard.net")
	file.Order.Method = order.MethodFile
	for _, c := range []struct {
		name string
		at   time.Duration // after the validation
		who  Principal
		app  Application
		want bool
	}{
		{"the same account", time.Hour, who, dv(t, "orchard.net"), true},
		{"a name below", time.Hour, who, dv(t, "www.orchard.net", "orchard.net"), true},
		{"a wildcard", time.Hour, who, dv(t, "*.orchard.net"), true},
		{"another method", time.Hour, who, file, false},
		{"another account", time.Hour, other, dv(t, "orchard.net"), false},
		{"another tenant", time.Hour, stranger, dv(t, "orchard.net"), false},
		{"a clock before it", -time.Hour, who, dv(t, "orchard.net"), false},
		{"the end of 100 days, which hold from March 2027", 100 * 24 * time.Hour, who, dv(t, "orchard.net"), true},
		{"the day they hold", time.Date(2027, 3, 15, 0, 0, 0, 0, time.UTC).Sub(validated), who, dv(t, "orchard.net"), false},
	} {
		h.pass(validated.Add(c.at).Sub(h.clock()))
		o := order.Order{Names: c.app.Order.Names, Method: c.app.Order.Method, Product: order.DV}
		row := &store.Order{Order: &o, OrderRow: store.OrderRow{Tenant: c.who.Tenant, Account: c.who.Account, Profile: "cloud", Method: o.Method}}
		asked, domains := h.coveredBy(row)
		found, err := h.Store.Validations(ctx, row.Tenant, row.Account, ValidationKeys(row.Profile, row.ID), domains)
		names := h.validatedNames(row, p, asked, found)
		if err != nil || (len(names) == len(o.Names)) != c.want || !c.want && len(names) > 0 {
			t.Errorf("%s: %v, %v", c.name, names, err)
		}
	}
	// Live: no value is published for the second order, and none is looked for.
	h.pass(validated.Add(2 * time.Hour).Sub(h.clock()))
	second := h.apply(t, who, dv(t, "orchard.net"))
	third := h.apply(t, other, dv(t, "orchard.net"))
	h.world(t, second, bare())
	if v := h.run(t, second.ID); v.State != order.StateReady {
		t.Errorf("%s %s %+v", v.State, v.Verdict, v.Findings)
	}
	if v := h.read(t, third.ID); v.State != order.StatePending || !slices.Contains(causesIn(v), cause.DNSRecordMissing) {
		t.Errorf("another account: %s %v", v.State, causesIn(v))
	}
	found, err := h.Store.Validations(ctx, RootTenant, "shop", ValidationKeys("cloud", first.ID), []string{"orchard.net"})
	if err != nil || len(found) != 1 || !found[0].At.Equal(validated) || found[0].Order != first.ID {
		t.Errorf("a validation that was used again became younger: %+v, %v", found, err)
	}
}

// TestClockJumps: a clock set forward makes each thing that became due happen
// once; one set back makes nothing happen twice, and what is asked for by hand
// happens at once.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx, who := context.Background(), h.who[RoleApplicant]
	v := h.apply(t, who, dv(t, "orchard.net"))
	h.world(t, v, bare())
	h.run(t, v.ID)
	h.pass(50 * time.Hour) // two reminders and some hundred checks long
	h.world(t, v, bare())
	v = h.run(t, v.ID)
	if checks := len(h.counts.verdicts); v.State != order.StatePending || h.reminded(t, v.ID) != 1 || checks != 2 {
		t.Fatalf("forward: %s, %d reminders, %d checks", v.State, h.reminded(t, v.ID), checks)
	}
	h.pass(-51 * time.Hour) // an hour before it was submitted
	h.world(t, v, bare())
	if n, err := h.runDue(ctx); err != nil || n != 0 {
		t.Fatalf("back: %d, %v", n, err)
	}
	if _, err := h.Verify(ctx, who, v.ID, 0); err != nil {
		t.Fatal(err)
	}
	v = h.run(t, v.ID)
	if v.State != order.StatePending || len(h.counts.verdicts) != 3 || v.NextCheck == nil || v.NextCheck.Sub(h.clock()) != 30*time.Second {
		t.Fatalf("by hand: %s, %d checks, next %v, now %v", v.State, len(h.counts.verdicts), v.NextCheck, h.clock())
	}
	for _, late := range h.counts.late {
		if late < 0 {
			t.Errorf("late by %s", late)
		}
	}
	h.world(t, v, lab.Change{})
	h.pass(30 * time.Second)
	if v = h.run(t, v.ID); v.State != order.StateReady {
		t.Errorf("%s %v", v.State, causesIn(v))
	}
}

// TestRun: a service that sleeps is woken by an order and looks at it at once;
// when it stops, what is under way is given back.
func TestRun(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.counts.checked = make(chan struct{}, 8)
	h.work.after = func(time.Duration) <-chan time.Time { return nil } // no time passes
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		h.Run(ctx)
		close(done)
	}()
	first := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	<-h.counts.checked // deaf, but it looked
	h.world(t, first, lab.Change{})
	began := make(chan struct{})
	h.window.before = func() {
		close(began)
		stop()
	}
	second := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	<-began
	<-done
	if at, ok := h.due(t, second.ID)[store.DueCheck]; !ok || at.After(h.clock()) {
		t.Fatalf("not given back: %v", h.due(t, second.ID))
	}
	h.window.before = nil
	h.world(t, second, lab.Change{})
	if v := h.run(t, second.ID); v.State != order.StateReady || v.Review != 2 {
		t.Errorf("%s, review %d", v.State, v.Review)
	}
}

// TestPersonDecides: once its names are validated, an order that a person has to
// decide waits for that person: its deadline has nothing more to say.
func TestPersonDecides(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "mytests.orchard.net", "orchard.net"))
	if v.Verdict != review.VerdictReview {
		t.Fatalf("%s %+v", v.Verdict, v.Findings)
	}
	h.world(t, v, bare())
	if v = h.run(t, v.ID); v.Phase != order.PhaseValidation {
		t.Errorf("%s while the record is missing", v.Phase)
	}
	h.world(t, v, lab.Change{})
	h.pass(30 * time.Second)
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Phase != order.PhaseReview || v.Verdict != review.VerdictReview {
		t.Fatalf("%s %s %s %v", v.State, v.Phase, v.Verdict, causesIn(v))
	}
	found, err := h.Store.Validations(context.Background(), RootTenant, "shop", ValidationKeys("cloud", v.ID), []string{"orchard.net"})
	if err != nil || len(found) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	validated := h.clock()
	h.pass(v.Deadline.Sub(h.clock()))
	h.world(t, v, bare())
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Phase != order.PhaseReview || v.NextCheck == nil {
		t.Fatalf("at the deadline: %s %s %v", v.State, v.Reason, causesIn(v))
	}
	if _, ok := h.due(t, v.ID)[store.DueDeadline]; ok || h.reminded(t, v.ID) != 0 {
		t.Errorf("%v, %d reminders", h.due(t, v.ID), h.reminded(t, v.ID))
	}
	h.pass(time.Hour)
	h.world(t, v, bare())
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Phase != order.PhaseReview {
		t.Errorf("after it: %s %s %v", v.State, v.Reason, causesIn(v))
	}
	h.pass(time.Hour)
	h.window.into(deafHere{about: h.window.About()})
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Phase != order.PhaseReview || v.NextCheck == nil {
		t.Errorf("where nothing is seen: %s %s %v", v.State, v.Phase, v.NextCheck)
	}
	if found, err = h.Store.Validations(context.Background(), RootTenant, "shop", ValidationKeys("cloud", v.ID), []string{"orchard.net"}); err != nil || !found[0].At.Equal(validated) {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestLetterDeadline: an order that waits for its letter is not looked at, and
// fails when its time is over.
func TestLetterDeadline(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	err := h.Store.Write(context.Background(), func(tx store.Tx) error {
		o, err := tx.Order("", v.ID)
		if err != nil {
			return err
		}
		letter := *o
		letter.ID, letter.State, letter.Product = "Letter01", order.StateLetter, order.OV
		return tx.InsertOrder(&letter, store.NewOrder{Due: []store.Due{
			{Kind: store.DueCheck, At: h.clock()}, {Kind: store.DueDeadline, At: o.Deadline},
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if l := h.run(t, "Letter01"); l.State != order.StateLetter || len(h.due(t, "Letter01")) != 1 {
		t.Fatalf("%s %v", l.State, h.due(t, "Letter01"))
	}
	h.pass(v.Deadline.Sub(h.clock()))
	if l := h.run(t, "Letter01"); l.State != order.StateFailed || l.Reason != order.FailDeadline {
		t.Errorf("%s %s %v", l.State, l.Reason, causesIn(l))
	}
}

// TestOneAttempt: a CA that looks once looks when all is there: until then an order by its
// profile waits, as by any other.
func TestOneAttempt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.Profiles = func(string) (*profile.Profile, error) { // that needs no second place
		return profile.Parse([]byte("name = \"letsencrypt\"\nversion = \"1\"\ninherits = \"letsencrypt\"\n[[dated]]\nfrom = 2020-09-01T00:00:00Z\nsource = \"test\"\nset = { remotes_min = 0, regions_min = 0 }\n"))
	}
	in := dv(t, "orchard.net")
	in.Profile, in.Order.Method = "letsencrypt", order.MethodDNS01
	v := h.apply(t, h.who[RoleAdministrator], in)
	h.world(t, v, bare())
	if v = h.run(t, v.ID); v.State != order.StatePending || v.Verdict != review.VerdictWait || !slices.Contains(causesIn(v), cause.DNSRecordMissing) {
		t.Fatalf("%s %s %s %v", v.State, v.Reason, v.Verdict, causesIn(v))
	}
	h.world(t, v, lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: lab.ZoneCopy{Add: lab.Strings{`_acme-challenge TXT "$VALUE"`}}}}})
	h.pass(time.Minute)
	if v = h.run(t, v.ID); v.State != order.StateReady {
		t.Errorf("%s %s %s %v", v.State, v.Reason, v.Verdict, causesIn(v))
	}
}
