package order

import "slices"

// CertificateState is where a certificate stands. The zero value is one that was
// not issued yet.
type CertificateState string

// The states of a certificate.
const (
	CertificateValid            CertificateState = "valid"
	CertificateRevocationLetter CertificateState = "revocation-letter" // OV, EV: the letter is still missing
	CertificateRevoking         CertificateState = "revoking"          // DV: being validated; OV, EV: the letter is there
	CertificateRevoked          CertificateState = "revoked"
	CertificateExpired          CertificateState = "expired"
)

// CertificateStates lists them.
func CertificateStates() []CertificateState {
	return []CertificateState{CertificateValid, CertificateRevocationLetter, CertificateRevoking, CertificateRevoked, CertificateExpired}
}

// CertificateAction is what happens to a certificate.
type CertificateAction string

// The actions on a certificate.
const (
	CertificateIssue      CertificateAction = "issue"
	CertificateRevoke     CertificateAction = "revoke"      // asked for, see [RevokeTo]
	CertificateLetter     CertificateAction = "letter"      // the letter arrived
	CertificateRevokeFail CertificateAction = "revoke-fail" // not validated, or no letter, in time
	CertificateRevokeDone CertificateAction = "revoke-done" // it is on the CRL
	CertificateExpire     CertificateAction = "expire"
)

// A CertificateTransition is one row of the table of a certificate's states.
type CertificateTransition struct {
	From   CertificateState
	Action CertificateAction
	To     CertificateState
}

// certificateTransitions: a revocation that the CA itself decides (BR 4.9.1)
// passes through revoking too, at once. A revoked certificate never expires:
// its end is that it was revoked.
var certificateTransitions = []CertificateTransition{
	{"", CertificateIssue, CertificateValid},
	{CertificateValid, CertificateRevoke, CertificateRevoking},
	{CertificateValid, CertificateRevoke, CertificateRevocationLetter},
	{CertificateValid, CertificateExpire, CertificateExpired},
	{CertificateRevocationLetter, CertificateLetter, CertificateRevoking},
	{CertificateRevocationLetter, CertificateRevokeFail, CertificateValid},
	{CertificateRevocationLetter, CertificateExpire, CertificateExpired},
	{CertificateRevoking, CertificateRevokeDone, CertificateRevoked},
	{CertificateRevoking, CertificateRevokeFail, CertificateValid},
	{CertificateRevoking, CertificateExpire, CertificateExpired},
}

// CertificateTransitions returns the table.
func CertificateTransitions() []CertificateTransition { return slices.Clone(certificateTransitions) }

// Next returns the state that an action leads to; ok is false where the state
// does not allow it. For revoke it is [CertificateRevoking]; where a letter is
// needed first, [RevokeTo] says so.
func (s CertificateState) Next(a CertificateAction) (to CertificateState, ok bool) {
	for _, t := range certificateTransitions {
		if t.From == s && t.Action == a {
			return t.To, true
		}
	}
	return s, false
}

// RevokeTo is the state that asking for revocation leads to: of an identity
// product the letter is waited for first.
func RevokeTo(p Product) CertificateState {
	if p == OV || p == EV {
		return CertificateRevocationLetter
	}
	return CertificateRevoking
}
