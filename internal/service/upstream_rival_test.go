package service

import (
	"context"
	"slices"
	"testing"
	"time"

	"assay/order"
)

// TestUpstreamTwins: two orders of one account for the same names, with different
// keys, are offered the same order at the CA. The second waits, says so, and gets an
// order of its own when the first is finished: each has a certificate for its own key,
// and neither a failed attempt.
func TestUpstreamTwins(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	first := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	second := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	first, second = h.read(t, first.ID), h.read(t, second.ID)
	if origin(first) != "upstream" || shared(first) {
		t.Fatalf("the first: %+v", first.Challenges)
	}
	if origin(second) != "own" || !shared(second) || second.Deadline.Before(h.clock().Add(2*day)) {
		t.Fatalf("the second: %+v, waits %v, until %v", second.Challenges, shared(second), second.Deadline)
	}
	own := second.Challenges[0].Value
	if second = h.goes(t, second, 2*time.Hour); second.State != order.StatePending || !shared(second) || second.Challenges[0].Value != own || len(h.ca.issued) != 0 {
		t.Fatalf("%s, waits %v, %+v, %d certificates", second.State, shared(second), second.Challenges, len(h.ca.issued))
	}
	if first = h.goes(t, first, 2*time.Hour); first.State != order.StateIssued {
		t.Fatalf("%s %v", first.State, causesIn(first))
	}
	if second = h.passes(t, second, time.Hour); origin(second) != "upstream" || shared(second) {
		t.Fatalf("it goes on waiting: %s %+v", second.State, second.Challenges)
	}
	if second = h.goes(t, second, 2*time.Hour); second.State != order.StateIssued {
		t.Fatalf("%s %v", second.State, causesIn(second))
	}
	h.keyed(t, first)
	h.keyed(t, second)
	for _, v := range []*View{first, second} {
		if got := h.attempts(t, v); !slices.Equal(got, []order.AttemptState{order.AttemptIssued}) {
			t.Errorf("attempts %v", got)
		}
	}
	if len(h.ca.gaveUp) != 0 || len(h.ca.issued) != 2 {
		t.Errorf("given up %v, %d certificates", h.ca.gaveUp, len(h.ca.issued))
	}
}

// TestUpstreamStranger: a stranger ordered the same names first, and shows nothing.
// Who shows that the names are his need not wait: the values of the stranger are given
// up at the CA, he sees no others, and what the owner publishes proves nothing for him.
func TestUpstreamStranger(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	theirs := h.apply(t, h.stranger(t), dv(t, "orchard.net"))
	h.once(t)
	theirs = h.read(t, theirs.ID)
	had := theirs.Challenges[0]
	mine := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	if mine = h.read(t, mine.ID); origin(mine) != "own" || !shared(mine) {
		t.Fatalf("%+v, waits %v", mine.Challenges, shared(mine))
	}
	if len(h.ca.gaveUp) != 0 {
		t.Fatal("given up for somebody who has shown nothing")
	}
	if mine = h.goes(t, mine, time.Hour); origin(mine) != "upstream" || mine.Challenges[0].Value == had.Value || shared(mine) {
		t.Fatalf("%s %+v, waits %v", mine.State, mine.Challenges, shared(mine))
	}
	theirs = h.read(t, theirs.ID)
	if origin(theirs) != "own" || !shared(theirs) || theirs.State != order.StatePending {
		t.Fatalf("the stranger: %s %+v, waits %v", theirs.State, theirs.Challenges, shared(theirs))
	}
	if mine = h.goes(t, mine, 2*time.Hour); mine.State != order.StateIssued {
		t.Fatalf("%s %v", mine.State, causesIn(mine))
	}
	h.keyed(t, mine)
	if theirs = h.passes(t, theirs, time.Hour); theirs.State != order.StatePending || len(h.ca.issued) != 1 {
		t.Errorf("the stranger: %s, %d certificates", theirs.State, len(h.ca.issued))
	}
	if _, err := h.Cancel(context.Background(), h.who[RoleAdministrator], theirs.ID, 0); err != nil {
		t.Error(err)
	}
}

// TestUpstreamOwnDeadline: the order at the CA ends before ours would, and ours with it.
// Who has to give it up has until his own deadline again.
func TestUpstreamOwnDeadline(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	h.ca.lives = 2 * day
	theirs := h.apply(t, h.stranger(t), dv(t, "orchard.net"))
	own := *theirs.Deadline
	h.once(t)
	if theirs = h.read(t, theirs.ID); !theirs.Deadline.Before(own) {
		t.Fatalf("until %v, of its own %v", theirs.Deadline, own)
	}
	short := *theirs.Deadline
	mine := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	if mine = h.goes(t, mine, time.Hour); origin(mine) != "upstream" {
		t.Fatalf("%s %+v", mine.State, mine.Challenges)
	}
	if theirs = h.read(t, theirs.ID); origin(theirs) != "own" || !theirs.Deadline.Equal(own) {
		t.Fatalf("until %v, of its own %v: %+v", theirs.Deadline, own, theirs.Challenges)
	}
	if theirs = h.passes(t, theirs, short.Sub(h.clock())+time.Hour); theirs.State != order.StatePending {
		t.Errorf("%s %v after what was the CA's deadline", theirs.State, causesIn(theirs))
	}
	if theirs = h.passes(t, theirs, own.Sub(h.clock())+time.Hour); theirs.State != order.StateFailed || theirs.Reason != order.FailDeadline {
		t.Errorf("%s %s after its own", theirs.State, theirs.Reason)
	}
}

// TestUpstreamStrangerProved: a stranger who showed that the names are his keeps what
// he was given, whoever else does too.
func TestUpstreamStrangerProved(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]func(ca *far, err error){
		"before the attempt": func(ca *far, err error) { ca.prepare = func() error { return err } },
		"in the attempt":     func(ca *far, err error) { ca.complete = func(*farOrder) error { return err } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			theirs := h.apply(t, h.stranger(t), dv(t, "orchard.net"))
			h.once(t)
			mine := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			h.once(t)
			busy(h.ca, away())
			if theirs = h.goes(t, theirs, time.Hour); theirs.State != order.StateReady {
				t.Fatalf("%s %v", theirs.State, causesIn(theirs))
			}
			if mine = h.goes(t, mine, 3*time.Hour); mine.State != order.StatePending || !shared(mine) || len(h.ca.gaveUp) != 0 {
				t.Fatalf("%s, waits %v, given up %v", mine.State, shared(mine), h.ca.gaveUp)
			}
			busy(h.ca, nil)
			if theirs = h.passes(t, theirs, time.Hour); theirs.State != order.StateIssued {
				t.Fatalf("%s %v", theirs.State, causesIn(theirs))
			}
			h.keyed(t, theirs)
		})
	}
}

// TestUpstreamWaitEnds: what an order waits for does not come. It ends by its own
// deadline, asks the CA seldom meanwhile, and can be cancelled.
func TestUpstreamWaitEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		// begins has another order of the same account lie there.
		begins func(t *testing.T, h *farHouse, other *View)
		most   int
	}{
		"the other one only waits": {begins: func(*testing.T, *farHouse, *View) {}, most: 2},
		"the other one was cancelled, and the CA does not forget": {begins: func(t *testing.T, h *farHouse, other *View) {
			h.ca.stubborn = true
			if _, err := h.Cancel(context.Background(), h.who[RoleApplicant], other.ID, 0); err != nil {
				t.Fatal(err)
			}
		}, most: 3 * 73},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newFarHouse(t)
			other := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			h.once(t)
			c.begins(t, h, other)
			waits, ends := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net")), h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
			h.once(t)
			waits = h.goes(t, waits, time.Hour)
			if waits.State != order.StatePending || !shared(waits) {
				t.Fatalf("%s, waits %v", waits.State, shared(waits))
			}
			if _, err := h.Cancel(context.Background(), h.who[RoleApplicant], ends.ID, 0); err != nil {
				t.Error(err)
			}
			h.ca.opened = 0
			for range 4 * 24 * 4 {
				waits = h.passes(t, waits, 15*time.Minute)
			}
			if waits.State != order.StateFailed || waits.Reason != order.FailDeadline || len(h.due(t, waits.ID)) != 0 {
				t.Errorf("%s %s, due %v", waits.State, waits.Reason, h.due(t, waits.ID))
			}
			if h.ca.opened > c.most || len(h.ca.issued) != 0 {
				t.Errorf("the CA was asked %d times, and gave %d certificates", h.ca.opened, len(h.ca.issued))
			}
		})
	}
}

// TestUpstreamLeftBehind: what nobody uses any more the CA is told to forget, and the
// next order gets values that nobody else was shown.
func TestUpstreamLeftBehind(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	other := h.apply(t, h.stranger(t), dv(t, "orchard.net"))
	h.once(t)
	other = h.read(t, other.ID)
	if _, err := h.Cancel(context.Background(), h.who[RoleAdministrator], other.ID, 0); err != nil {
		t.Fatal(err)
	}
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	if v = h.read(t, v.ID); origin(v) != "upstream" || v.Challenges[0].Value == other.Challenges[0].Value || !slices.Equal(h.ca.gaveUp, []string{"far-1"}) {
		t.Fatalf("%+v, given up %v", v.Challenges, h.ca.gaveUp)
	}
	if v = h.goes(t, v, time.Hour); v.State != order.StateIssued {
		t.Errorf("%s %v", v.State, causesIn(v))
	}
}

// TestUpstreamForeignCertificate: a CA that sends a certificate for another key is
// asked for another one, not for ever; the order then has failed, with the reason.
func TestUpstreamForeignCertificate(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	h.ca.complete = func(o *farOrder) (err error) {
		if o.issued == nil {
			o.issued, err = h.ca.sign(h.ca.cert.PublicKey, o.names)
			o.status = "valid"
		}
		return err
	}
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.once(t)
	v = h.goes(t, v, 4*time.Minute)
	if _, err := h.Store.Certificate(context.Background(), v.Tenant, v.ID); err == nil {
		t.Fatal("it was kept")
	}
	if states := h.attempts(t, v); len(states) == 0 || slices.Contains(states, order.AttemptPrepared) {
		t.Fatalf("attempts %v", states)
	}
	for range 40 {
		v = h.goes(t, v, time.Hour)
	}
	if states := h.attempts(t, v); v.State != order.StateFailed || v.Reason != order.FailIssuance || len(states) != mostRefusals {
		t.Errorf("%s %s, attempts %v", v.State, v.Reason, states)
	}
	if h.ca.opened > 2*mostRefusals {
		t.Errorf("opened %d times", h.ca.opened)
	}
}

// TestUpstreamAtOnce: of many orders that are offered one order at the CA at the same
// moment one has it, and all get their certificate, one after the other.
func TestUpstreamAtOnce(t *testing.T) {
	t.Parallel()
	h := newFarHouse(t)
	var all []*View
	for range 4 {
		all = append(all, h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net")))
	}
	for range 3 {
		if _, err := h.runDue(context.Background()); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Minute)
	}
	have := 0
	for n := range all {
		all[n] = h.read(t, all[n].ID)
		if origin(all[n]) == "upstream" {
			have++
		} else if !shared(all[n]) {
			t.Errorf("it does not say that it waits: %+v", all[n].Challenges)
		}
	}
	if have != 1 {
		t.Fatalf("%d have it", have)
	}
	for range len(all) {
		for n := range all {
			if all[n] = h.read(t, all[n].ID); all[n].State == order.StatePending && origin(all[n]) == "upstream" {
				all[n] = h.goes(t, all[n], time.Hour)
			}
		}
		h.passes(t, all[0], time.Hour)
	}
	for n := range all {
		if all[n] = h.read(t, all[n].ID); all[n].State != order.StateIssued {
			t.Fatalf("order %d: %s %v", n, all[n].State, causesIn(all[n]))
		}
		h.keyed(t, all[n])
	}
}
