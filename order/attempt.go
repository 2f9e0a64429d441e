package order

import "slices"

// AttemptState is where one attempt to issue stands: the serial number and the
// bytes to be signed are stored before anything is signed. The zero value is an
// attempt that was not begun.
type AttemptState string

// The states of an attempt.
const (
	AttemptPrepared  AttemptState = "prepared"  // serial and bytes to be signed are stored
	AttemptSigned    AttemptState = "signed"    // the signature is made, and stored
	AttemptIssued    AttemptState = "issued"    // handed out
	AttemptAbandoned AttemptState = "abandoned" // the process died while signing: the serial is revoked, never signed again
	AttemptFailed    AttemptState = "failed"    // lint or the issuer refused, before a signature
)

// AttemptStates lists them.
func AttemptStates() []AttemptState {
	return []AttemptState{AttemptPrepared, AttemptSigned, AttemptIssued, AttemptAbandoned, AttemptFailed}
}

// AttemptAction is what the service does with an attempt.
type AttemptAction string

// The actions on an attempt.
const (
	AttemptPrepare AttemptAction = "prepare" // store serial and bytes, see [MayPrepare]
	AttemptSign    AttemptAction = "sign"
	AttemptIssue   AttemptAction = "issue"
	AttemptAbandon AttemptAction = "abandon" // found prepared after a start: it may have been signed
	AttemptFail    AttemptAction = "fail"
)

// An AttemptTransition is one row of the table of an attempt's states.
type AttemptTransition struct {
	From   AttemptState
	Action AttemptAction
	To     AttemptState
}

var attemptTransitions = []AttemptTransition{
	{"", AttemptPrepare, AttemptPrepared},
	{AttemptPrepared, AttemptSign, AttemptSigned},
	{AttemptPrepared, AttemptAbandon, AttemptAbandoned},
	{AttemptPrepared, AttemptFail, AttemptFailed},
	// What is signed is stored: after a crash it is handed out, never made again.
	{AttemptSigned, AttemptIssue, AttemptIssued},
}

// AttemptTransitions returns the table.
func AttemptTransitions() []AttemptTransition { return slices.Clone(attemptTransitions) }

// Next returns the state that an action leads to; ok is false where the state
// does not allow it.
func (s AttemptState) Next(a AttemptAction) (to AttemptState, ok bool) {
	for _, t := range attemptTransitions {
		if t.From == s && t.Action == a {
			return t.To, true
		}
	}
	return s, false
}

// Ended reports whether nothing more comes of an attempt.
func (s AttemptState) Ended() bool {
	return s == AttemptIssued || s == AttemptAbandoned || s == AttemptFailed
}

// holds reports whether a certificate has come, or may yet come, of an attempt.
func (s AttemptState) holds() bool {
	return s == AttemptPrepared || s == AttemptSigned || s == AttemptIssued
}

// MayPrepare reports whether an order in a state can begin an attempt after
// earlier ones: only a ready order, and only if none of them gave a certificate
// or still may. So one order never gets two.
func MayPrepare(o State, earlier []AttemptState) bool {
	return o == StateReady && !slices.ContainsFunc(earlier, AttemptState.holds)
}
