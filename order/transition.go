package order

// A Transition is one row of the table of an order's states.
type Transition struct {
	From   State
	Action Action
	To     State
}

// transitions is the whole table (the cloud's is drawn in its API's status
// numbers; see [Standing.CloudStatus] for the projection). An action that is not
// listed for a state is not allowed in it.
//
// Cancelling ends in cancelled once an upstream CA knows; an order of our own
// takes both steps at once. An order whose deadline passed while that CA may still
// issue for it goes the same way, and ends as failed. The cloud's resubmission leads back to its number 5
// and is followed by information and submission; here one action does all.
var transitions = []Transition{
	{StateDraft, ActionEdit, StateDraft},
	{StateDraft, ActionSubmit, StatePending},
	{StateDraft, ActionCancel, StateCancelled},
	{StateDraft, ActionDelete, StateDraft},

	{StateLetter, ActionLetter, StatePending},
	{StateLetter, ActionRefuse, StateFailed},
	{StateLetter, ActionExpire, StateFailed},
	{StateLetter, ActionCancel, StateCancelling},

	{StatePending, ActionCheck, StatePending},
	{StatePending, ActionRemind, StatePending},
	{StatePending, ActionPass, StateReady},
	{StatePending, ActionRefuse, StateFailed},
	{StatePending, ActionExpire, StateFailed},
	{StatePending, ActionCancel, StateCancelling},

	{StateReady, ActionReopen, StatePending},
	{StateReady, ActionRefuse, StateFailed},
	{StateReady, ActionIssue, StateIssued},
	{StateReady, ActionCancel, StateCancelling},

	{StateCancelling, ActionCancelled, StateCancelled},
	{StateCancelling, ActionExpire, StateFailed},

	{StateFailed, ActionResubmit, StatePending},
	{StateFailed, ActionDelete, StateFailed},
	{StateCancelled, ActionResubmit, StatePending},
	{StateCancelled, ActionDelete, StateCancelled},

	{StateIssued, ActionDownload, StateIssued},
	{StateIssued, ActionReissue, StateIssued},
	{StateIssued, ActionRenew, StateIssued},
	{StateIssued, ActionRevoke, StateIssued},
	{StateIssued, ActionDelete, StateIssued},
}

// Transitions returns the table. Where an OV or EV order needs a letter,
// submit and resubmit go to [StateLetter] instead, see [SubmitTo]; those rows
// are in the table too.
func Transitions() []Transition {
	all := append([]Transition{}, transitions...)
	for _, t := range transitions {
		if t.Action == ActionSubmit || t.Action == ActionResubmit {
			all = append(all, Transition{t.From, t.Action, StateLetter})
		}
	}
	return all
}

// Next returns the state that an action leads to; ok is false where the state
// does not allow it.
func (s State) Next(a Action) (to State, ok bool) {
	for _, t := range transitions {
		if t.From == s && t.Action == a {
			return t.To, true
		}
	}
	return s, false
}

// Allowed lists the actions of a state that a person can ask for.
func (s State) Allowed() []Action {
	allowed := []Action{}
	for _, t := range transitions {
		switch t.Action {
		case ActionPass, ActionRefuse, ActionExpire, ActionReopen, ActionIssue, ActionCancelled:
			continue // by the service, not by a person
		}
		if t.From == s {
			allowed = append(allowed, t.Action)
		}
	}
	return allowed
}

// Open reports whether an order is still on its way.
func (s State) Open() bool {
	switch s {
	case StatePending, StateLetter, StateReady, StateCancelling:
		return true
	}
	return false
}

// Ended reports whether nothing more happens to an order by itself.
func (s State) Ended() bool { return s == StateFailed || s == StateCancelled || s == StateIssued }

// SubmitTo is the state that submitting leads to: identity products wait for
// their letter first, where the profile wants one.
func SubmitTo(p Product, letterNeeded bool) State {
	if letterNeeded && (p == OV || p == EV) {
		return StateLetter
	}
	return StatePending
}
