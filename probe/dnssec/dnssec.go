// Package dnssec decides whether DNS data hangs on a trust anchor: signatures
// (RFC 4034, 4035, 6840), delegation signers, and denial of existence by NSEC
// and NSEC3 (RFC 5155, 9276). It is pure: no I/O, no clock, no package state.
//
// A walk down the tree looks like this:
//
//	keys, r := dnssec.TrustKeys(".", dnssec.Anchors(anchors), dnskeys, now, w)
//	ds, ttl, r := keys.Delegation(referral, "org.", now, w)
//	keys, r = dnssec.TrustKeys("org.", ds, dnskeys, now, w) // r.State == Secure
//	…
//	r = keys.Answer(response, "www.example.org.", dns.TypeTXT, now, w)
//
// Where Delegation proves that a child has no DS, the child and all below it is
// [Unsigned]. One call of Answer judges one owner name; where it finds a CNAME
// or DNAME, the target is another call, with the keys of the target's zone.
//
// The work an answer can cause is bounded ([Work]): a zone built to exhaust a
// validator (KeyTrap, CVE-2023-50387; NSEC3 iterations, CVE-2023-50868) ends
// with the reason "too-much-work", not with a busy processor.
//
// Names are taken with or without the trailing dot, in any case.
package dnssec

import "time"

// State is the security of DNS data (RFC 4035 4.3), in the words of
// evidence.DNSLink.
type State string

// The states. Only Secure and Insecure data may be used.
const (
	// Secure: a chain of signatures leads to the trust anchor.
	Secure State = "secure"
	// Insecure: it is proven that there need not be one.
	Insecure State = "insecure"
	// Bogus: there should be one, and it fails.
	Bogus State = "bogus"
	// Indeterminate: what decides could not be had.
	Indeterminate State = "indeterminate"
)

// Found is what a message holds for a name and type.
type Found string

// What can be found. Where the state is Secure it is proven, whatever the
// response code says: a server that answers NXDOMAIN and proves that the name
// exists without such records has shown [NoData].
const (
	Records  Found = "records"
	CNAME    Found = "cname"
	DNAME    Found = "dname" // the name is below a DNAME
	NoData   Found = "nodata"
	NXDomain Found = "nxdomain"
	Nothing  Found = "" // neither an answer nor a denial
)

// Result is the outcome of a validation.
type Result struct {
	State State
	// Reason says why it is Bogus or Indeterminate: one of the Reason words of
	// package evidence.
	Reason string
	// Detail is the same for people who know DNSSEC: which record, which signature.
	Detail string
	// Found is what Answer and Delegation found. Of a Bogus message it is what
	// the message claims.
	Found Found
	// Target is where a CNAME or DNAME leads, lower case with the trailing dot;
	// empty where a DNAME makes a name that is too long (RFC 6672 2.2).
	Target string
	// Wildcard tells that the records come from a wildcard.
	Wildcard bool
	// KeyTag, ValidFrom and ValidUntil are those of the signature that decided,
	// good or bad; KeyTag alone that of the DS that matches no key.
	KeyTag                uint16
	ValidFrom, ValidUntil time.Time
	// Cut is a zone between the keys' zone and the name that the response seems
	// to come from (its signer, its SOA), where that made it fail: servers often
	// serve parent and child. It is a hint, not proven: ask for the DS there.
	Cut string
	// TTL is how many seconds validated data may be kept: the smallest of the
	// TTLs, the original TTLs (RFC 4035 5.3.3) and what is left of the signatures.
	TTL int
}
