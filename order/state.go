package order

// State is where an order stands. The cloud's numbers 0-15 are a projection of
// it, see [Standing].
type State string

// The states.
const (
	StateDraft      State = "draft"      // kept, not submitted
	StatePending    State = "pending"    // submitted: being validated and reviewed
	StateLetter     State = "letter"     // OV, EV: the confirmation letter is still missing
	StateReady      State = "ready"      // the review passed; waits for its certificate
	StateIssued     State = "issued"     // its certificate was issued
	StateFailed     State = "failed"     // see Reason
	StateCancelling State = "cancelling" // cancelled or expired here, an upstream CA still to be told
	StateCancelled  State = "cancelled"
)

// States lists every state of an order.
func States() []State {
	return []State{StateDraft, StatePending, StateLetter, StateReady, StateIssued, StateFailed, StateCancelling, StateCancelled}
}

// Action is what is done to an order: by its owner, by the service, or by time.
type Action string

// The actions. Those that leave the state alone are in the table too: what the
// table does not have is not allowed.
const (
	ActionEdit      Action = "edit"
	ActionSubmit    Action = "submit"
	ActionCheck     Action = "check"     // look now
	ActionLetter    Action = "letter"    // the letter arrived
	ActionPass      Action = "pass"      // the review passed
	ActionRefuse    Action = "refuse"    // the review refused
	ActionExpire    Action = "expire"    // the deadline passed
	ActionReopen    Action = "reopen"    // what had passed is too old to sign from
	ActionIssue     Action = "issue"     // the certificate is there
	ActionCancel    Action = "cancel"    // by its owner, or at its deadline where a CA may still issue
	ActionCancelled Action = "cancelled" // the upstream CA knows
	ActionResubmit  Action = "resubmit"
	ActionDelete    Action = "delete"
	ActionRemind    Action = "remind" // "urge" the reviewer
	ActionDownload  Action = "download"
	ActionReissue   Action = "reissue"
	ActionRenew     Action = "renew"
	ActionRevoke    Action = "revoke"
)

// Phase is what an open order waits for.
type Phase string

// The phases.
const (
	PhasePreReview  Phase = "pre-review" // not looked at yet
	PhaseValidation Phase = "validation" // the applicant, to publish the value
	PhaseReview     Phase = "review"     // a person
	PhaseCA         Phase = "ca"         // an upstream CA
	PhaseIssue      Phase = "issue"      // its certificate
)

// Reason is why an order failed.
type Reason string

// The reasons.
const (
	FailRefused  Reason = "refused"  // a finding of level refuse
	FailDeadline Reason = "deadline" // not validated in time
	FailIssuance Reason = "issuance" // the issuer refused
	FailReviewer Reason = "reviewer" // a person refused
)
