// Package csr reads certificate signing requests (PKCS #10, RFC 2986) in every
// form in which people paste them, says precisely what is wrong with the ones
// it cannot read, and recognises and removes private keys that were pasted in
// their place. It also makes requests.
//
// A request is parsed once, by this package's own strict reader, because
// crypto/x509 refuses keys and says nothing about requests that an applicant
// deserves an explanation for. What it accepts is what crypto/x509 accepts,
// and besides only keys of other algorithms or encodings, about which package
// key has something to say. A fuzz test holds it to that.
//
// Text is handed in whole: a caller that reads a file or a connection reads at
// most [MaxBytes]+1 bytes and passes them on; everything longer than
// [MaxBytes] is refused unread.
package csr

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"assay/key"
)

// MaxBytes is the longest text that is read. A request with 1,000 names and a
// key of 8,192 bits is shorter.
const MaxBytes = 64 << 10

// A Request is what a certificate signing request asks for. Its slices share
// memory. It is not safe for concurrent use, because [Request.Verify] keeps
// its result.
type Request struct {
	// DER is the whole request; SHA256 its hash in hexadecimal.
	DER    []byte
	SHA256 string
	// Version is the number in the request, 0 for v1, the only one there is.
	Version int
	// Subject lists every attribute of the subject in order.
	Subject []Attribute
	// SANs lists the subject alternative names in order.
	SANs []SAN
	// Attributes are the OIDs of the request's attributes, Extensions what its
	// extensionRequest attributes hold.
	Attributes []string
	Extensions []Extension
	// EKUs are the OIDs of the extended key usages asked for.
	EKUs []string
	// CA is set where basicConstraints asks for a CA certificate.
	CA bool
	// MustStaple is set where the TLS feature extension lists status_request
	// (RFC 7633).
	MustStaple bool
	// ChallengePassword is set where the attribute of that name is there. Its
	// value is not kept.
	ChallengePassword bool
	// Key is the public key.
	Key *key.Public
	// Signature is the algorithm the request is signed with; see [Request.Verify].
	Signature Algorithm
	// Repairs names what was put right before the text could be read, in
	// order; see the Repair constants. Nothing is guessed: each has one meaning.
	Repairs []Repair

	signed, signature, parameters []byte
	verified                      *Verification
}

// An Attribute is one attribute of the subject.
type Attribute struct {
	// OID with dots; Name is its usual short name ("CN", "O"), or the OID.
	OID, Name string
	// Value as text; "#" and hexadecimal where it is no text.
	Value string
}

// A SAN is one subject alternative name.
type SAN struct {
	// Kind is "dns", "ip", "email", "uri", "directory", "registered-id" or "other".
	Kind string
	// Value is the name as text; empty for kinds that have no text.
	Value string
}

// An Extension is one extension asked for.
type Extension struct {
	OID      string
	Critical bool
	Value    []byte
}

// Object identifiers that rules look at.
const (
	OIDSubjectAltName   = "2.5.29.17"
	OIDKeyUsage         = "2.5.29.15"
	OIDExtKeyUsage      = "2.5.29.37"
	OIDBasicConstraints = "2.5.29.19"
	OIDSubjectKeyID     = "2.5.29.14"
	OIDTLSFeature       = "1.3.6.1.5.5.7.1.24"
	OIDServerAuth       = "1.3.6.1.5.5.7.3.1"
	OIDClientAuth       = "1.3.6.1.5.5.7.3.2"
	OIDAnyEKU           = "2.5.29.37.0"
)

// knownExtensions have a meaning in a request for a TLS certificate.
var knownExtensions = []string{
	OIDSubjectAltName, OIDKeyUsage, OIDExtKeyUsage, OIDBasicConstraints, OIDSubjectKeyID, OIDTLSFeature,
	"2.5.29.32",            // certificatePolicies
	"2.5.29.35",            // authorityKeyIdentifier
	"1.3.6.1.5.5.7.1.1",    // authorityInfoAccess
	"2.5.29.31",            // cRLDistributionPoints
	"1.3.6.1.5.5.7.48.1.5", // id-pkix-ocsp-nocheck
}

// UnknownCritical lists the OIDs of critical extensions that no issuer of TLS
// certificates understands.
func (r *Request) UnknownCritical() []string {
	var oids []string
	for _, e := range r.Extensions {
		if e.Critical && !slices.Contains(knownExtensions, e.OID) {
			oids = append(oids, e.OID)
		}
	}
	return oids
}

// Values returns every value of a subject attribute by its short name.
func (r *Request) Values(name string) []string {
	var values []string
	for _, a := range r.Subject {
		if a.Name == name {
			values = append(values, a.Value)
		}
	}
	return values
}

// CommonNames returns every common name of the subject, in order.
func (r *Request) CommonNames() []string { return r.Values("CN") }

// Names returns the subject alternative names that can stand in a TLS
// certificate, DNS names and addresses, in order.
func (r *Request) Names() []string {
	var names []string
	for _, s := range r.SANs {
		if s.Kind == "dns" || s.Kind == "ip" {
			names = append(names, s.Value)
		}
	}
	return names
}

// parse reads the DER of a request.
func parse(raw []byte) (*Request, *Problem) {
	r := &Request{DER: raw}
	if err := r.walk(raw); err != nil {
		kind := KindStructure
		if err.Missing > 0 {
			kind = KindTruncated
		}
		return nil, &Problem{Kind: kind, Offset: err.Offset, Missing: err.Missing, Detail: shortened(err.Message)}
	}
	sum := sha256.Sum256(raw)
	r.SHA256 = hex.EncodeToString(sum[:])
	return r, nil
}

// maxDetail bounds a detail: an identifier in it may be as long as it likes.
const maxDetail = 200

func shortened(s string) string {
	if len(s) <= maxDetail {
		return s
	}
	return strings.ToValidUTF8(s[:maxDetail-3], "") + "…"
}

func addressText(b []byte) (string, bool) {
	a, ok := netip.AddrFromSlice(b)
	return a.String(), ok
}
