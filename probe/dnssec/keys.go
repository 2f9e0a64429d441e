package dnssec

import (
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
)

// Keys are the trusted keys of a zone, or why there are none. It is safe for
// concurrent use. The nil *Keys trusts nothing: all its answers are Indeterminate.
type Keys struct {
	zone  string
	trust Result
}

// Anchors turns the records of a trust anchor file, DS or DNSKEY, into DS records.
func Anchors(records []dns.RR) []*dns.DS {
	return nil
}

// Unsigned is a zone that is proven to need no signatures: its answers are Insecure.
func Unsigned(zone string) *Keys {
	return &Keys{zone: zone, trust: Result{State: Insecure}}
}

// TrustKeys decides which keys of a zone to trust: those of a DNSKEY set that is
// signed by a key which a DS record names. The set is what servers gave for the
// zone's DNSKEY: records and signatures, others are ignored. The result is
// Insecure where no DS has an algorithm and digest that are supported (RFC 4035
// 5.2). Keys is never nil: its answers repeat a result that is not Secure.
func TrustKeys(zone string, ds []*dns.DS, set []dns.RR, at time.Time, w *Work) (*Keys, Result) {
	k := &Keys{zone: zone, trust: Result{State: Indeterminate, Reason: evidence.ReasonKeysMissing}}
	return k, k.trust
}

// Zone is the name of the zone, lower case with the trailing dot.
func (k *Keys) Zone() string { return k.zone }

// Trust is the result of TrustKeys.
func (k *Keys) Trust() Result { return k.trust }

// Verify checks that one signature of a set is good and made by the zone. It
// accepts records that come from a wildcard; whether they may, only Answer decides.
func (k *Keys) Verify(rrset, sigs []dns.RR, at time.Time, w *Work) Result {
	return k.trust
}

// Answer judges what a response from the zone's servers says about one name and
// type: records, also those from a wildcard; a CNAME or DNAME there (Found,
// Target); or that there are none, by NSEC or NSEC3. It does not follow CNAMEs.
// Names that opt-out leaves open are Insecure.
func (k *Keys) Answer(m *dns.Msg, qname string, qtype uint16, at time.Time, w *Work) Result {
	return k.trust
}

// Delegation reads a referral to child, or the answer to a DS question for it.
//
//   - Secure with DS records: a signed zone; their TTL in seconds.
//   - Insecure: an unsigned zone, by proof; the TTL of the proof.
//   - Secure without DS records: child is no zone of its own, by proof (only in
//     an answer to a DS question).
//   - Bogus: neither is proven.
func (k *Keys) Delegation(m *dns.Msg, child string, at time.Time, w *Work) ([]*dns.DS, int, Result) {
	return nil, 0, k.trust
}
