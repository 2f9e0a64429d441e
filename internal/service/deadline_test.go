package service

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
	"assay/perspective"
	"assay/profile"
	"assay/review"
)

// leftOver is an order that went back while the CA, which is away since, may be issuing
// for it.
func (h *farHouse) leftOver(t *testing.T, sent bool) *View {
	t.Helper()
	v := h.dies(t, sent)
	if err := h.reopen(context.Background(), RootTenant, "shop", "orchard.net"); err != nil {
		t.Fatal(err)
	}
	h.ca.sent = away
	return h.read(t, v.ID)
}

// overdue has time pass until the last check of an order was owed for too long.
func (h *farHouse) overdue(t *testing.T, v *View) *View {
	t.Helper()
	if v = h.passes(t, v, v.Deadline.Add(grace-time.Hour).Sub(h.clock())); v.State != order.StatePending {
		t.Fatalf("%s before the time for its last check was over", v.State)
	}
	if found := causesIn(v); !slices.Contains(found, cause.IssuanceCAUnavailable) || v.NextCheck == nil {
		t.Errorf("it does not say that the CA is asked again: %v, next check %v", found, v.NextCheck)
	}
	return h.passes(t, v, 2*time.Hour)
}

// entry is how often something was written down of an order.
func (h *farHouse) entry(t *testing.T, v *View, action string) (n int) {
	t.Helper()
	for _, a := range h.actions(t, v.ID) {
		if a == action {
			n++
		}
	}
	return n
}

// TestDeadlineWhileAway: the deadline of an order comes while the CA is away that may be
// issuing for it. The order ends like one that is cancelled: nothing is done for it any
// more, and when the CA answers, what it issued is revoked, and what it has not got it
// does not get.
func TestDeadlineWhileAway(t *testing.T) {
	t.Parallel()
	for _, sent := range []bool{false, true} {
		t.Run(fmt.Sprintf("sent %v", sent), func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			v := h.overdue(t, h.leftOver(t, sent))
			if v.State != order.StateCancelling || v.Reason != order.FailDeadline || v.Phase != order.PhaseCA || len(v.Allowed) != 0 || v.EndedAt != nil || v.NextCheck == nil {
				t.Fatalf("%s %s %s, allowed %v, next check %v", v.State, v.Reason, v.Phase, v.Allowed, v.NextCheck)
			}
			if found := causesIn(v); !slices.Contains(found, cause.IssuanceCAUnavailable) {
				t.Errorf("it does not say what it waits for: %v", found)
			}
			if due := h.due(t, v.ID); len(due) != 1 {
				t.Errorf("due %v", due)
			}
			if v = h.passes(t, v, 7*day); v.State != order.StateCancelling || !slices.Equal(h.attempts(t, v), []order.AttemptState{order.AttemptPrepared}) {
				t.Fatalf("%s, attempts %v: nobody knows yet what came of it", v.State, h.attempts(t, v))
			}
			h.ca.sent = nil
			v = h.passes(t, v, time.Hour)
			if v.State != order.StateFailed || v.Reason != order.FailDeadline || v.EndedAt == nil || len(h.due(t, v.ID)) != 0 {
				t.Fatalf("%s %s, due %v", v.State, v.Reason, h.due(t, v.ID))
			}
			if got := h.attempts(t, v); !slices.Equal(got, []order.AttemptState{order.AttemptAbandoned}) {
				t.Errorf("attempts %v", got)
			}
			var issued []string
			for _, c := range h.ca.issued {
				issued = append(issued, fingerprintOf(c.Raw))
			}
			if len(issued) != btoi(sent) || !slices.Equal(h.ca.revoked, issued) {
				t.Errorf("issued %v, revoked %v", issued, h.ca.revoked)
			}
			if h.entry(t, v, "order.expire") != 1 || h.entry(t, v, "order.settle") != 1 || h.entry(t, v, "order.cancel") != 0 {
				t.Errorf("written down: %v", h.actions(t, v.ID))
			}
			if v, err := h.Resubmit(context.Background(), h.who[RoleApplicant], v.ID, 0, nil); err != nil || v.State != order.StatePending || v.Reason != "" {
				t.Errorf("submitted again: %+v, %v", v, err)
			}
		})
	}
}

// TestDeadlineTold: that the deadline of an order is over which waits for its CA is told,
// and again when it has failed, so that nobody submits again what cannot be. What is told
// too late is told once.
func TestDeadlineTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late bool
		want []string
	}{"as it happens": {false, []string{"cancelling", "failed"}}, "when it has failed": {true, []string{"failed"}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			e := h.hears(t)
			h.channel(t, h.who[RoleApplicant], ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"order.expired"}})
			v := h.overdue(t, h.leftOver(t, false))
			if !c.late {
				h.tell(t)
			}
			h.ca.sent = nil
			if v = h.passes(t, v, time.Hour); v.State != order.StateFailed {
				t.Fatal(v.State)
			}
			h.tell(t)
			var told []string
			for _, n := range e.heard {
				var b struct {
					Data struct {
						State    string
						Findings []any
					}
				}
				if err := json.Unmarshal(n.body, &b); err != nil || n.event != "order.expired" {
					t.Fatalf("%s %s, %v", n.event, n.body, err)
				}
				told = append(told, b.Data.State)
				if b.Data.State == "cancelling" && len(b.Data.Findings) > 0 {
					t.Errorf("it says what to do: %v", b.Data.Findings)
				}
			}
			if !slices.Equal(told, c.want) {
				t.Errorf("told %v, want %v", told, c.want)
			}
		})
	}
}

// TestDeadlineAnswered: a CA that answers before the time for the last check is over
// costs the order nothing: it is settled, looked at as of its deadline, and ends by what
// is seen.
func TestDeadlineAnswered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change lab.Change
		want   order.State
	}{"nothing is published": {bare(), order.StateFailed}, "its value is published": {lab.Change{}, order.StateIssued}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			v := h.leftOver(t, false)
			v = h.passes(t, v, v.Deadline.Add(time.Hour).Sub(h.clock()))
			h.ca.sent = nil
			h.world(t, h.read(t, v.ID), c.change)
			if v = h.passes(t, v, 2*time.Hour); v.State != c.want {
				t.Errorf("%s %s %v", v.State, v.Reason, causesIn(v))
			}
		})
	}
}

// TestOverBeginsNone: nothing is begun at another CA for an order that is over, whose order
// there is over too or is not found: it is judged as of its deadline, though that CA is away.
func TestOverBeginsNone(t *testing.T) {
	t.Parallel()
	for name, sent := range map[string]func() error{
		"its order there is over": nil,
		"its order is elsewhere":  func() error { return fmt.Errorf("finding it: %w", issuer.ErrElsewhere) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			h.ca.lives = day
			v := h.leftOver(t, false)
			v = h.passes(t, v, v.Deadline.Add(time.Hour).Sub(h.clock()))
			h.ca.sent, h.ca.open = sent, away
			h.world(t, v, bare())
			began := h.ca.opened
			if v = h.passes(t, v, 4*time.Hour); v.State != order.StateFailed || v.Reason != order.FailDeadline || len(h.due(t, v.ID)) != 0 {
				t.Errorf("%s %s %v, due %v", v.State, v.Reason, causesIn(v), h.due(t, v.ID))
			}
			if h.ca.opened != began || len(h.ca.orders) != 1 {
				t.Errorf("%d orders were begun, of %d", h.ca.opened-began, len(h.ca.orders))
			}
		})
	}
}

// TestDeadlineWithoutCA: where the CA is used no more, or is another one, the attempt is
// written down as lost at once, and the order is looked at.
func TestDeadlineWithoutCA(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]func(h *farHouse){
		"no CA": func(h *farHouse) { h.Issuer = func(string) issuer.Issuer { return nil } },
		"another CA": func(h *farHouse) {
			h.ca.sent = func() error { return fmt.Errorf("finding it: %w", issuer.ErrElsewhere) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			v := h.leftOver(t, true)
			gone(h)
			h.world(t, v, bare())
			h.passes(t, v, time.Minute)
			list, err := h.Attempts(context.Background(), h.who[RoleApplicant], v.ID)
			if err != nil || len(list) != 1 || !list[0].Lost {
				t.Errorf("%+v, %v", list, err)
			}
			h.ca.sent = nil
			if v = h.passes(t, v, v.Deadline.Add(time.Hour).Sub(h.clock())); v.State != order.StateFailed || v.Reason != order.FailDeadline {
				t.Errorf("%s %s", v.State, v.Reason)
			}
		})
	}
}

// TestReadyWhileAway: the CA is away that may be issuing for an order which passed. It gets
// its certificate also after its deadline, which it met; but it does not wait longer than
// a day after that, or where it passed later, after its attempt began.
func TestReadyWhileAway(t *testing.T) {
	t.Parallel()
	changed := func(t *testing.T, h *farHouse, v *View, change func(o *store.Order)) {
		h.writes(t, func(tx store.Tx) error {
			o, err := tx.Order("", v.ID)
			if err != nil {
				return err
			}
			change(o)
			return tx.UpdateOrder(o)
		})
	}
	for name, change := range map[string]func(t *testing.T, h *farHouse, v *View){
		"it passes": func(*testing.T, *farHouse, *View) {},
		"it passed by a person, after its deadline": func(t *testing.T, h *farHouse, v *View) {
			changed(t, h, v, func(o *store.Order) { o.Deadline = h.clock().Add(-30 * day) })
		},
		"its key was blocked": func(t *testing.T, h *farHouse, v *View) {
			h.writes(t, func(tx store.Tx) error { return tx.BlockKey(keyOf(v.Order), "x", h.clock()) })
		},
		"it cannot be judged": func(t *testing.T, h *farHouse, v *View) {
			h.pass(caaReuse + time.Second)
			h.Places = []perspective.Place{deaf{}}
		},
	} {
		for _, sent := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, sent %v", name, sent), func(t *testing.T) {
				t.Parallel()
				h := newFarHouse(t)
				v := h.dies(t, sent)
				began := h.clock()
				h.ca.sent = away
				h.ca.complete = func(*farOrder) error { return away() }
				change(t, h, v)
				last := h.read(t, v.ID).Deadline.Add(grace)
				if first := began.Add(grace); last.Before(first) {
					last = first
				}
				v = h.passes(t, v, last.Add(-time.Hour).Sub(h.clock()))
				if v.State != order.StateReady || !slices.Contains(causesIn(v), cause.IssuanceCAUnavailable) {
					t.Fatalf("%s %s %v", v.State, v.Reason, causesIn(v))
				}
				v = h.passes(t, v, 2*time.Hour)
				if v.State != order.StateCancelling || v.Reason != order.FailDeadline || !slices.Equal(h.attempts(t, v), []order.AttemptState{order.AttemptPrepared}) {
					t.Fatalf("%s %s, attempts %v", v.State, v.Reason, h.attempts(t, v))
				}
				h.ca.sent, h.ca.complete = nil, nil
				if v = h.passes(t, v, time.Hour); v.State != order.StateFailed || v.Reason != order.FailDeadline || len(h.ca.revoked) != btoi(sent) || len(h.ca.issued) != btoi(sent) {
					t.Errorf("%s %s, revoked %v", v.State, v.Reason, h.ca.revoked)
				}
			})
		}
	}
}

// TestReadyAnswered: the CA answers after the deadline of an order that passed, and before
// it has waited too long: the near misses.
func TestReadyAnswered(t *testing.T) {
	t.Parallel()
	for _, sent := range []bool{false, true} {
		t.Run(fmt.Sprintf("sent %v", sent), func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			v := h.dies(t, sent)
			h.ca.complete = func(*farOrder) error { return away() }
			v = h.passes(t, v, v.Deadline.Add(grace-time.Hour).Sub(h.clock()))
			h.ca.complete = nil
			if v = h.passes(t, v, 40*time.Minute); v.State != order.StateIssued || len(h.ca.revoked) != 0 {
				t.Fatalf("%s %s %v, revoked %v", v.State, v.Reason, causesIn(v), h.ca.revoked)
			}
			if c := h.keyed(t, v); c.State != order.CertificateValid {
				t.Error(c.State)
			}
		})
	}
}

// TestReadyElsewhere: the order of one that passed was begun at another CA than is
// configured now, before or in its attempt: it is begun anew at this one.
func TestReadyElsewhere(t *testing.T) {
	t.Parallel()
	elsewhere := func() error { return fmt.Errorf("the state: %w", issuer.ErrElsewhere) }
	for name, in := range map[string]bool{"before its attempt": false, "in its attempt": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			var v *View
			if in {
				v = h.dies(t, true)
				h.ca.resume = elsewhere
			} else {
				v = h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
				h.once(t)
			}
			h.ca.prepare = elsewhere
			v = h.goes(t, v, time.Hour)
			h.ca.prepare, h.ca.resume = nil, nil
			if v = h.goes(t, v, time.Hour); v.State != order.StateIssued || h.entry(t, v, "order.upstream") < 2 {
				t.Fatalf("%s, %v", v.State, h.actions(t, v.ID))
			}
			h.keyed(t, v)
			if list, err := h.Attempts(context.Background(), h.who[RoleApplicant], v.ID); err != nil || len(list) != 1+btoi(in) || list[0].Lost != in {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
}

// TestBackHasDeadline: what a person takes back sends an order back that passed: it has a
// deadline again, a new one where the old one is over.
func TestBackHasDeadline(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]time.Duration{"before its deadline": time.Hour, "after it": 5 * day} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			h.ca.complete = func(*farOrder) error { return away() }
			v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			h.once(t)
			v = h.goes(t, v, time.Hour)
			h.pass(late)
			if err := h.reopen(context.Background(), RootTenant, "shop", "orchard.net"); err != nil {
				t.Fatal(err)
			}
			v = h.read(t, v.ID)
			if at := h.due(t, v.ID)[store.DueDeadline]; v.State != order.StatePending || !at.Equal(*v.Deadline) || !at.After(h.clock().Add(time.Hour-1)) {
				t.Fatalf("%s until %v, due %v, now %v", v.State, v.Deadline, at, h.clock())
			}
			if strings.HasPrefix(name, "after") == v.Deadline.Equal(v.SubmittedAt.Add(3*day)) {
				t.Errorf("until %v, submitted %v", v.Deadline, v.SubmittedAt)
			}
		})
	}
}

// TestBackRunsAgain: an order that went back after its deadline has the time of its new
// one, in which its rules too hold it by that: what is published then counts, and what is
// not fails at its end.
func TestBackRunsAgain(t *testing.T) {
	t.Parallel()
	for name, published := range map[string]bool{"its value is published": true, "nothing is": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			h.ca.complete = func(*farOrder) error { return away() }
			v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			h.once(t)
			v = h.goes(t, v, time.Hour)
			h.pass(5 * day)
			if err := h.reopen(context.Background(), RootTenant, "shop", "orchard.net"); err != nil {
				t.Fatal(err)
			}
			h.ca.complete = nil
			h.world(t, h.read(t, v.ID), bare())
			if v = h.passes(t, v, day); v.State != order.StatePending || slices.Contains(causesIn(v), cause.LimitDeadlinePassed) {
				t.Fatalf("%s %s %v, until %v, now %v", v.State, v.Reason, causesIn(v), v.Deadline, h.clock())
			}
			later, err := h.Forecast(context.Background(), h.who[RoleAuditor], h.clock().Add(30*day), cause.English)
			if err != nil || later.Judged != 1 || len(later.Changed) != 0 {
				t.Errorf("as if it had come later: %+v, %v", later, err)
			}
			if published {
				if v = h.goes(t, v, day); v.State != order.StateIssued {
					t.Errorf("%s %s %v", v.State, v.Reason, causesIn(v))
				}
				return
			}
			end := *v.Deadline
			if v = h.passes(t, v, end.Add(-time.Minute).Sub(h.clock())); v.State != order.StatePending {
				t.Fatalf("%s %s before its deadline", v.State, v.Reason)
			}
			v = h.passes(t, v, 2*time.Minute)
			at := slices.IndexFunc(v.Findings, func(f review.Finding) bool { return f.Cause == cause.LimitDeadlinePassed })
			if v.State != order.StateFailed || v.Reason != order.FailDeadline || at < 0 || fmt.Sprint(v.Findings[at].Parameters["deadline"]) != fmt.Sprint(end) {
				t.Errorf("%s %s %+v", v.State, v.Reason, v.Findings)
			}
		})
	}
}

// TestWithdrawnRunsAgain: an approval is withdrawn of an order that passed and waits for its
// CA. The order has a deadline again, a new one where little is left of it, and fails then.
func TestWithdrawnRunsAgain(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]time.Duration{"before its deadline": time.Hour, "after it": 4 * day} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, ctx := newFarHouse(t), context.Background()
			h.ca.complete = func(*farOrder) error { return away() }
			v := h.apply(t, h.who[RoleApplicant], dv(t, wordy))
			h.once(t)
			v = h.read(t, v.ID)
			h.world(t, v, published(v))
			v = h.passes(t, v, time.Minute)
			rita := h.person(t, RoleReviewer, "rita")
			if _, err := h.Approve(ctx, rita, v.ID, 0, all(h.docket(t, rita, v.ID), "fine")); err != nil {
				t.Fatal(err)
			}
			if v = h.run(t, v.ID); v.State != order.StateReady {
				t.Fatalf("%s %v", v.State, causesIn(v))
			}
			list, err := h.Decisions(ctx, rita, v.ID)
			if err != nil {
				t.Fatal(err)
			}
			h.pass(late)
			if _, err := h.Withdraw(ctx, rita, v.ID, 0, list[0].ID, "It is a bank."); err != nil {
				t.Fatal(err)
			}
			v = h.read(t, v.ID)
			if at := h.due(t, v.ID)[store.DueDeadline]; v.State != order.StatePending || !at.Equal(*v.Deadline) || at.Before(h.clock().Add(time.Hour)) {
				t.Fatalf("%s until %v, due %v, now %v", v.State, v.Deadline, at, h.clock())
			}
			h.world(t, v, bare())
			if v = h.passes(t, v, v.Deadline.Add(-time.Minute).Sub(h.clock())); v.State != order.StatePending {
				t.Fatalf("%s %s before its deadline", v.State, v.Reason)
			}
			if v = h.passes(t, v, 2*time.Minute); v.State != order.StateFailed || v.Reason != order.FailDeadline {
				t.Errorf("%s %s %s %v, due %v", v.State, v.Phase, v.Reason, causesIn(v), h.due(t, v.ID))
			}
		})
	}
}

// TestWithoutProfile: an order whose profile was removed waits for it, and says so; it goes
// on when the profile is back. A day after its deadline it ends, unless it waits for a
// person.
func TestWithoutProfile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		phase order.Phase
		back  bool
		want  order.State
	}{
		"the profile comes back":       {order.PhaseValidation, true, order.StateIssued},
		"it does not":                  {order.PhaseValidation, false, order.StateFailed},
		"it does not, and a person is": {order.PhaseReview, false, order.StatePending},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			v := h.leftOver(t, false)
			h.writes(t, func(tx store.Tx) error {
				o, err := tx.Order("", v.ID)
				if err != nil {
					return err
				}
				o.Phase = c.phase
				return tx.UpdateOrder(o)
			})
			h.Profiles = func(name string) (*profile.Profile, error) { return nil, fmt.Errorf("there is no profile %q", name) }
			h.ca.sent = nil
			v = h.passes(t, v, 4*time.Hour)
			at := slices.IndexFunc(v.Findings, func(f review.Finding) bool { return f.ID == "policy.input-unavailable@profile" })
			if v.State != order.StatePending || at < 0 || v.Findings[at].Who != cause.Operator || v.Findings[at].Parameters["input"] != "cloud" {
				t.Fatalf("%s %+v", v.State, v.Findings)
			}
			if wait := v.NextCheck.Sub(h.clock()); wait < 30*time.Second || wait > 10*time.Minute {
				t.Errorf("the next check is in %s", wait)
			}
			if got := h.attempts(t, v); !slices.Equal(got, []order.AttemptState{order.AttemptAbandoned}) {
				t.Errorf("attempts %v: nothing of what was left needs a profile", got)
			}
			if v = h.passes(t, v, v.Deadline.Add(grace-time.Hour).Sub(h.clock())); v.State != order.StatePending {
				t.Fatalf("%s before the time for its last check was over", v.State)
			}
			if c.back {
				h.Profiles = likeCloud
				h.world(t, v, lab.Change{})
			}
			if v = h.passes(t, v, 2*time.Hour); v.State != c.want {
				t.Fatalf("%s %s %v", v.State, v.Reason, causesIn(v))
			}
			if v.State == order.StateFailed && (v.Reason != order.FailDeadline || len(h.due(t, v.ID)) != 0 || len(causesIn(v)) != 0) {
				t.Errorf("%s, due %v, %v", v.Reason, h.due(t, v.ID), causesIn(v))
			}
		})
	}
}
