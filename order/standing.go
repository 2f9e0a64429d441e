package order

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Standing is what the cloud's status numbers and rules of what is allowed
// depend on.
type Standing struct {
	Order   State
	Phase   Phase
	Product Product
	Kind    Kind
	Method  Method
	// Free is set for an order of the free plan.
	Free bool
	// Attempt is the newest attempt to issue; empty where none was begun.
	Attempt AttemptState
	// Certificate is empty where none was issued; in an issued order that counts
	// as valid.
	Certificate CertificateState
	// Refunded and Migrating are set by an administrator.
	Refunded, Migrating bool
	// SeriesYear counts the certificates of an order of several years, from 1.
	SeriesYear int
	Created    time.Time
	Submitted  time.Time
	// LetterAt is when the confirmation letter of an OV or EV order arrived; zero
	// where none was asked for.
	LetterAt time.Time
	NotAfter time.Time
	// Uploaded is set for a certificate from elsewhere; Bound while something
	// uses it; ReissueRunning, RenewalPending while another order of it is open
	// (for a reissue: of any name under the same registrable domain).
	Uploaded, Bound, ReissueRunning, RenewalPending bool
	Reissues                                        int
	// DownloadOff is set where the owner forbade downloads.
	DownloadOff bool
}

// What the cloud's rules count in.
const (
	day               = 24 * time.Hour
	reissueDaysLeft   = 30 * day
	renewalDaysLeft   = 30 * day
	freeDeleteAfter   = time.Hour
	remindDV          = 24 * time.Hour // after the submission
	remindOV          = 72 * time.Hour // after the letter, where there is one
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

// Next is [State.Next] with what an attempt to issue forbids: from the moment
// its bytes are stored until it has failed or is abandoned, an order can only go
// on to issued, and only after that attempt was handed out. An order whose
// certificate an upstream CA makes has no attempt.
func (s Standing) Next(a Action) (to State, ok bool) {
	to, ok = s.Order.Next(a)
	if !ok || to == s.Order {
		return to, ok
	}
	switch {
	case a == ActionIssue:
		ok = s.Attempt == AttemptIssued || s.Attempt == ""
	case s.Attempt.holds():
		ok = false
	}
	if !ok {
		return s.Order, false
	}
	return to, true
}

// open judges what depends on more than the state.
func (s Standing) open(a Action, now time.Time) bool {
	if _, ok := s.Next(a); !ok {
		return false
	}
	valid := s.certificate(now) == CertificateValid
	left := s.NotAfter.Sub(now)
	switch a {
	case ActionCancel:
		return s.SeriesYear < 2
	case ActionRemind:
		return !s.Free && now.Sub(s.remindFrom()) >= remindAfter(s.Product)
	case ActionResubmit:
		return !s.Free
	case ActionDownload:
		return valid && !s.DownloadOff
	case ActionReissue:
		return valid && !s.Uploaded && left > reissueDaysLeft && !s.ReissueRunning && (!s.Free || s.Reissues < freeReissuesLimit)
	case ActionRenew:
		return valid && left >= 0 && left <= renewalDaysLeft
	case ActionRevoke:
		return valid && !s.Uploaded && !s.Bound && s.Kind != Reissue && left > renewalDaysLeft
	case ActionDelete:
		return s.deletable(now)
	}
	return true
}

// certificate is the certificate's state now: time ends it also where that was
// not recorded yet. NotAfter itself still belongs to its life (RFC 5280 4.1.2.5).
func (s Standing) certificate(now time.Time) CertificateState {
	switch {
	case s.Certificate == CertificateRevoked:
		return CertificateRevoked
	case !s.NotAfter.IsZero() && now.After(s.NotAfter):
		return CertificateExpired
	case s.Certificate == "":
		return CertificateValid
	}
	return s.Certificate
}

func (s Standing) remindFrom() time.Time {
	if s.LetterAt.IsZero() || s.Product != OV && s.Product != EV {
		return s.Submitted
	}
	return s.LetterAt
}

func remindAfter(p Product) time.Duration {
	switch p {
	case OV:
		return remindOV
	case EV:
		return remindEV
	}
	return remindDV
}

func (s Standing) deletable(now time.Time) bool {
	if s.Bound || s.RenewalPending || s.Free && now.Sub(s.Created) < freeDeleteAfter {
		return false
	}
	if s.Order != StateIssued || s.Uploaded {
		return true
	}
	c := s.certificate(now)
	return c == CertificateExpired || c == CertificateRevoked
}

// A StateError says that an action is not allowed now, and what is.
type StateError struct {
	Action  Action
	State   State
	Allowed []Action
}

// Error names the state and what it allows.
func (e *StateError) Error() string {
	allowed := make([]string, len(e.Allowed))
	for i, a := range e.Allowed {
		allowed[i] = string(a)
	}
	if len(allowed) == 0 {
		allowed = []string{"nothing"}
	}
	return fmt.Sprintf("%s is not allowed now in state %s; allowed: %s", e.Action, e.State, strings.Join(allowed, ", "))
}

// May returns a *StateError where an action is not allowed now.
func (s Standing) May(a Action, now time.Time) error {
	allowed := s.Allowed(now)
	if slices.Contains(allowed, a) {
		return nil
	}
	return &StateError{Action: a, State: s.Order, Allowed: allowed}
}
