package order

import (
	"fmt"
	"slices"
	"time"
)

// CertificateState is where a certificate stands.
type CertificateState string

// The states of a certificate.
const (
	CertificateValid            CertificateState = "valid"
	CertificateRevocationLetter CertificateState = "revocation-letter" // OV, EV: the letter is still missing
	CertificateRevoking         CertificateState = "revoking"
	CertificateRevoked          CertificateState = "revoked"
	CertificateExpired          CertificateState = "expired"
)

// CertificateStates lists them.
func CertificateStates() []CertificateState {
	return []CertificateState{CertificateValid, CertificateRevocationLetter, CertificateRevoking, CertificateRevoked, CertificateExpired}
}

// Next returns the states that a certificate can go to. A revocation that was
// not validated in time leaves a valid certificate.
func (s CertificateState) Next() []CertificateState {
	switch s {
	case "":
		return []CertificateState{CertificateValid}
	case CertificateValid:
		return []CertificateState{CertificateRevocationLetter, CertificateRevoking, CertificateRevoked, CertificateExpired}
	case CertificateRevocationLetter:
		return []CertificateState{CertificateRevoking, CertificateValid, CertificateExpired}
	case CertificateRevoking:
		return []CertificateState{CertificateRevoked, CertificateValid, CertificateExpired}
	}
	return nil
}

// AttemptState is where one attempt to issue stands: the serial number and the
// bytes to be signed are stored before anything is signed.
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

// Next returns the states that an attempt can go to. Of an abandoned one no
// certificate comes: the next attempt has another serial number.
func (s AttemptState) Next() []AttemptState {
	switch s {
	case "":
		return []AttemptState{AttemptPrepared}
	case AttemptPrepared:
		return []AttemptState{AttemptSigned, AttemptAbandoned, AttemptFailed}
	case AttemptSigned:
		return []AttemptState{AttemptIssued}
	}
	return nil
}

// A Standing is what the cloud's status numbers and rules of what is allowed
// depend on.
type Standing struct {
	Order   State
	Phase   Phase
	Product Product
	Kind    Kind
	Method  Method
	// Free is set for an order of the free plan.
	Free        bool
	Attempt     AttemptState
	Certificate CertificateState
	// Refunded and Migrating are set by an administrator.
	Refunded, Migrating bool
	// SeriesYear counts the certificates of an order of several years, from 1.
	SeriesYear int
	Submitted  time.Time
	Created    time.Time
	NotAfter   time.Time
	// Uploaded is set for a certificate from elsewhere; Bound while something
	// uses it; ReissueRunning, RenewalPending while another order of it is open.
	Uploaded, Bound, ReissueRunning, RenewalPending bool
	Reissues                                        int
	// DownloadOff is set where the owner forbade downloads.
	DownloadOff bool
}

// CloudStatus is the number that the cloud's API shows (its field Status):
//
//	0 under review      4 record added      8 letter pending    12 revocation letter pending
//	1 issued            5 material pending  9 revoking          13 free, material pending
//	2 failed            6 cancelling       10 revoked           14 refunded
//	3 expired           7 cancelled        11 reissuing         15 migrating
func (s Standing) CloudStatus() int {
	switch {
	case s.Migrating:
		return 15
	case s.Refunded:
		return 14
	}
	switch s.Order {
	case StateDraft:
		if s.Free {
			return 13
		}
		return 5
	case StateLetter:
		return 8
	case StateFailed:
		return 2
	case StateCancelling:
		return 6
	case StateCancelled:
		return 7
	case StateIssued:
		return s.certificateStatus()
	}
	switch {
	case s.Kind == Reissue:
		return 11
	case s.Method == MethodDNSAuto && s.Phase != PhaseIssue:
		return 4
	}
	return 0
}

func (s Standing) certificateStatus() int {
	switch s.Certificate {
	case CertificateExpired:
		return 3
	case CertificateRevocationLetter:
		return 12
	case CertificateRevoking:
		return 9
	case CertificateRevoked:
		return 10
	}
	return 1
}

// CloudMessage is the API's StatusMsg of an order under review, "" for others.
func (s Standing) CloudMessage() string {
	if s.Order == StateReady {
		return "WAIT-ISSUE"
	}
	if s.Order != StatePending {
		return ""
	}
	switch s.Phase {
	case PhaseValidation:
		return "PENDING-DCV"
	case PhaseReview:
		return "LEGAL-REVIEWING"
	case PhaseCA:
		return "CA-REVIEWING"
	case PhaseIssue:
		return "WAIT-ISSUE"
	}
	return "PRE-REVIEWING"
}

// What the cloud's rules count in.
const (
	day               = 24 * time.Hour
	reissueDaysLeft   = 30 * day
	renewalDaysLeft   = 30 * day
	freeDeleteAfter   = time.Hour
	remindDV          = 24 * time.Hour
	remindOV          = 72 * time.Hour
	remindEV          = 96 * time.Hour
	freeReissuesLimit = 1
)

// Allowed lists what can be done now by whoever owns the order, in the order of
// the table of transitions.
func (s Standing) Allowed(now time.Time) []Action {
	allowed := []Action{}
	for _, a := range s.Order.Allowed() {
		if s.Refunded || s.Migrating || !s.open(a, now) {
			continue
		}
		allowed = append(allowed, a)
	}
	return allowed
}

// open judges what depends on more than the state.
func (s Standing) open(a Action, now time.Time) bool {
	left := s.NotAfter.Sub(now)
	valid := s.Certificate == CertificateValid || s.Certificate == ""
	switch a {
	case ActionCancel:
		return s.SeriesYear < 2
	case ActionRemind:
		wait := map[Product]time.Duration{OV: remindOV, EV: remindEV}[s.Product]
		return now.Sub(s.Submitted) >= max(wait, remindDV)
	case ActionResubmit:
		return !s.Free
	case ActionDownload:
		return valid && !s.DownloadOff
	case ActionReissue:
		return valid && !s.Uploaded && left > reissueDaysLeft && !s.ReissueRunning && (!s.Free || s.Reissues < freeReissuesLimit)
	case ActionRenew:
		return valid && left > 0 && left <= renewalDaysLeft
	case ActionRevoke:
		return valid && !s.Uploaded && !s.Bound && s.Kind != Reissue && left > renewalDaysLeft
	case ActionDelete:
		return s.deletable(now)
	}
	return true
}

func (s Standing) deletable(now time.Time) bool {
	if s.Bound || s.RenewalPending || s.Free && now.Sub(s.Created) < freeDeleteAfter {
		return false
	}
	return s.Order != StateIssued || s.Uploaded || s.Certificate == CertificateExpired || s.Certificate == CertificateRevoked
}

// A StateError says that an action is not allowed now, and what is.
type StateError struct {
	Action  Action
	State   State
	Allowed []Action
}

// Error names the state and what it allows.
func (e *StateError) Error() string {
	return fmt.Sprintf("%s is not allowed in state %s; allowed: %v", e.Action, e.State, e.Allowed)
}

// May returns a *StateError where an action is not allowed now.
func (s Standing) May(a Action, now time.Time) error {
	allowed := s.Allowed(now)
	if slices.Contains(allowed, a) {
		return nil
	}
	return &StateError{Action: a, State: s.Order, Allowed: allowed}
}
