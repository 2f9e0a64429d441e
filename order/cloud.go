package order

// CloudStatus is the number that the cloud's API shows (its field Status). It is
// what was stored: a certificate that ran out a moment ago is 3 once that is
// recorded.
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
	case s.recordAdded():
		return 4
	}
	return 0
}

// recordAdded: from the submission until the names are validated, an order
// whose record the service writes itself has a number of its own.
func (s Standing) recordAdded() bool {
	if s.Method != MethodDNSAuto || s.Order != StatePending {
		return false
	}
	return s.Phase == "" || s.Phase == PhasePreReview || s.Phase == PhaseValidation
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

// StatusMsg is the API's field of that name while an order is under review, ""
// for others. The four texts it has for failed orders depend on why they
// failed, which a Standing does not hold.
func (s Standing) StatusMsg() string {
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
