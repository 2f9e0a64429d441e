package order

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func attemptActions() []AttemptAction {
	return []AttemptAction{AttemptPrepare, AttemptSign, AttemptIssue, AttemptAbandon, AttemptFail}
}

// TestAttemptTable: every state is reached, Next is the table and nothing else,
// and each pair of a state and an action leads to one state.
func TestAttemptTable(t *testing.T) {
	t.Parallel()
	reached := map[AttemptState]bool{"": true}
	for range AttemptStates() {
		for _, tr := range AttemptTransitions() {
			reached[tr.To] = reached[tr.To] || reached[tr.From]
		}
	}
	for _, s := range append(AttemptStates(), "", "unknown") {
		if s != "unknown" && !reached[s] {
			t.Errorf("%s is never reached", s)
		}
		left := false
		for _, a := range append(attemptActions(), "unknown") {
			to, ok := s.Next(a)
			rows := 0
			for _, tr := range AttemptTransitions() {
				if tr.From == s && tr.Action == a {
					rows++
				}
			}
			if rows > 1 || ok != (rows == 1) || ok && !slices.Contains(AttemptTransitions(), AttemptTransition{s, a, to}) || !ok && to != s {
				t.Errorf("%q %s: %s %v, %d rows", s, a, to, ok, rows)
			}
			left = left || ok
		}
		if slices.Contains(AttemptStates(), s) && left == s.Ended() {
			t.Errorf("%s has ended: %v, and can be left: %v", s, s.Ended(), left)
		}
	}
}

// TestAttemptWalk: only stored bytes are signed, only a signature is handed out,
// nothing is signed twice, and what was abandoned or failed never is.
func TestAttemptWalk(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var at AttemptState
		done := map[AttemptAction]int{}
		for _, a := range rapid.SliceOfN(rapid.SampledFrom(attemptActions()), 1, 20).Draw(t, "actions") {
			to, ok := at.Next(a)
			if !ok {
				continue
			}
			done[a]++
			switch {
			case done[a] > 1:
				t.Fatalf("%s twice", a)
			case a == AttemptSign && done[AttemptPrepare] == 0:
				t.Fatal("signed before the bytes were stored")
			case a == AttemptIssue && done[AttemptSign] == 0:
				t.Fatal("handed out without a signature")
			case done[AttemptSign] > 0 && done[AttemptAbandon]+done[AttemptFail] > 0:
				t.Fatal("signed, and abandoned or failed")
			}
			at = to
		}
	})
}

// issuance is an order with its attempts, driven by whatever comes.
type issuance struct {
	order    Standing
	attempts []AttemptState
	issued   int
}

func (i *issuance) act(a Action) {
	to, ok := i.order.Next(a)
	if !ok {
		return
	}
	if a == ActionResubmit || a == ActionReopen { // a new try at it begins with no attempt under way
		i.order.Attempt = ""
	}
	i.order.Order = to
}

func (i *issuance) try(a AttemptAction) {
	if a == AttemptPrepare {
		if MayPrepare(i.order.Order, i.attempts) {
			i.attempts, i.order.Attempt = append(i.attempts, AttemptPrepared), AttemptPrepared
		}
		return
	}
	if len(i.attempts) == 0 {
		return
	}
	last := &i.attempts[len(i.attempts)-1]
	if to, ok := last.Next(a); ok {
		*last, i.order.Attempt = to, to
		if to == AttemptIssued {
			i.issued++
		}
	}
}

// TestOneCertificate: whatever is done to an order and its attempts in whatever
// sequence, it gets one certificate at most, and where it got one it is issued
// or still to be: never failed, cancelled or pending again.
func TestOneCertificate(t *testing.T) {
	t.Parallel()
	certificates := 0
	rapid.Check(t, func(t *rapid.T) {
		i := issuance{order: Standing{Order: StateReady, Product: DV}}
		actions := []Action{ActionReopen, ActionRefuse, ActionIssue, ActionCancel, ActionCancelled, ActionResubmit, ActionPass, ActionPass, ActionExpire}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "order") {
				i.act(rapid.SampledFrom(actions).Draw(t, "action"))
			} else {
				i.try(rapid.SampledFrom(append(attemptActions(), AttemptPrepare)).Draw(t, "attempt"))
			}
			under := slices.ContainsFunc(i.attempts, AttemptState.holds)
			if i.issued > 1 {
				t.Fatalf("%d certificates of one order: %v", i.issued, i.attempts)
			}
			if under && i.order.Order != StateReady && i.order.Order != StateIssued {
				t.Fatalf("the order is %s with attempts %v", i.order.Order, i.attempts)
			}
		}
		certificates += i.issued
	})
	if certificates == 0 {
		t.Error("no walk led to a certificate: this test tests nothing")
	}
}

// TestMayPrepare: an attempt begins for a ready order only, and after failed
// and abandoned ones only.
func TestMayPrepare(t *testing.T) {
	t.Parallel()
	for _, o := range States() {
		if got := MayPrepare(o, nil); got != (o == StateReady) {
			t.Errorf("%s: %v", o, got)
		}
		for _, s := range AttemptStates() {
			want := o == StateReady && (s == AttemptAbandoned || s == AttemptFailed)
			for _, earlier := range [][]AttemptState{{s}, {AttemptFailed, s}, {s, AttemptAbandoned}} {
				if got := MayPrepare(o, earlier); got != want {
					t.Errorf("%s after %v: %v", o, earlier, got)
				}
			}
		}
	}
}

// TestBegunIssuanceHolds: once bytes are stored, nobody cancels, refuses or
// reopens the order, until that attempt gave nothing.
func TestBegunIssuanceHolds(t *testing.T) {
	t.Parallel()
	for _, s := range append(AttemptStates(), "") {
		free := s == "" || s == AttemptAbandoned || s == AttemptFailed
		o := Standing{Order: StateReady, Attempt: s}
		for _, a := range []Action{ActionCancel, ActionRefuse, ActionReopen} {
			if to, ok := o.Next(a); ok != free || !ok && to != StateReady {
				t.Errorf("%s with attempt %q: %s %v", a, s, to, ok)
			}
		}
		if err := o.May(ActionCancel, o.Created); (err == nil) != free {
			t.Errorf("cancel with attempt %q: %v", s, err)
		}
		// Without an attempt of our own an upstream CA made the certificate.
		if _, ok := o.Next(ActionIssue); ok != (s == "" || s == AttemptIssued) {
			t.Errorf("issue with attempt %q: %v", s, ok)
		}
	}
}
