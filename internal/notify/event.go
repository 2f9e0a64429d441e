package notify

import "slices"

// Event is what a notice tells of.
type Event string

// The events.
const (
	OrderSubmitted Event = "order.submitted" // accepted, checks begin
	OrderFindings  Event = "order.findings"  // a check found something new in its way
	OrderReminder  Event = "order.reminder"  // it waits for its applicant
	OrderDeadline  Event = "order.deadline"  // … and its deadline is near
	OrderReady     Event = "order.ready"     // the review passed
	OrderRefused   Event = "order.refused"   // the review refused it
	OrderExpired   Event = "order.expired"   // its deadline is over
	OrderCancelled Event = "order.cancelled" // somebody cancelled it
	ReviewOpened   Event = "review.opened"   // it waits for a reviewer
	ReviewUrged    Event = "review.urged"    // its applicant urges the reviewer
	ReviewLate     Event = "review.late"     // it waits longer than the service level
	ReviewAsked    Event = "review.asked"    // the reviewer asks the applicant
	ReviewAnswered Event = "review.answered" // the applicant answered
	ReviewDecided  Event = "review.decided"  // the reviewer decided

	CertificateIssued   Event = "certificate.issued"         // it is there
	CertificateEnding   Event = "certificate.ending"         // it ends soon
	CertificateExpired  Event = "certificate.expired"        // it has ended
	CertificateRenewal  Event = "certificate.renewal-failed" // it could not be renewed
	CertificateRevoked  Event = "certificate.revoked"        // it is revoked
	CertificateDeployed Event = "certificate.deployment"     // where it is used something is wrong

	RevocationAsked   Event = "certificate.revocation-asked"   // its owner's letter is waited for
	RevocationRefused Event = "certificate.revocation-refused" // the letter was refused, the certificate stays
	RevocationLapsed  Event = "certificate.revocation-lapsed"  // no letter came in time, the certificate stays

	// Test is sent by hand, to try a channel. No channel asks for it.
	Test Event = "test"
)

var staffOnly = []Event{ReviewOpened, ReviewUrged, ReviewLate, ReviewAnswered}

// Events lists what a channel can ask for.
func Events() []Event {
	return []Event{
		OrderSubmitted, OrderFindings, OrderReminder, OrderDeadline, OrderReady, OrderRefused, OrderExpired, OrderCancelled,
		ReviewOpened, ReviewUrged, ReviewLate, ReviewAsked, ReviewAnswered, ReviewDecided,
		CertificateIssued, CertificateEnding, CertificateExpired, CertificateRenewal, CertificateRevoked, CertificateDeployed,
		RevocationAsked, RevocationRefused, RevocationLapsed,
	}
}

// EventsFor lists what channels of a role may ask for, and what they get where
// they ask for nothing in particular.
func EventsFor(role string) (may, usual []Event) {
	switch role {
	case "applicant":
		for _, e := range Events() {
			if !slices.Contains(staffOnly, e) {
				may = append(may, e)
			}
		}
		return may, []Event{
			OrderFindings, OrderReminder, OrderDeadline, OrderReady, OrderRefused, OrderExpired, ReviewAsked, ReviewDecided,
			CertificateIssued, CertificateEnding, CertificateExpired, CertificateRenewal, CertificateRevoked, CertificateDeployed,
			RevocationAsked, RevocationRefused, RevocationLapsed,
		}
	case "reviewer": // who decides on the letter, too
		return Events(), append(slices.Clone(staffOnly), RevocationAsked)
	}
	return Events(), []Event{OrderReady, OrderRefused, OrderExpired}
}
