// Package challenge reads certificates that answer tls-alpn-01 (RFC 8737): what
// is in them, not whether it is right. It is pure, and reads more than
// crypto/x509 does: a certificate with an extension twice is a fact here, not an
// error.
package challenge

import (
	"bytes"
	"crypto/x509"
	"errors"
	"net/netip"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A Certificate holds what RFC 8737 3 says about a challenge certificate.
type Certificate struct {
	// Names are the dNSName and iPAddress entries of subjectAltName, in their
	// order, as they are written; Others counts entries of other kinds.
	Names  []Name
	Others int
	// Identifiers are the acmeIdentifier extensions.
	Identifiers []Identifier
	// SelfIssued is set where issuer and subject are equal, SelfSigned where also
	// the signature is made with the certificate's own key.
	SelfIssued, SelfSigned bool
}

// A Name is one entry of subjectAltName: a DNS name, or an IP address.
type Name struct {
	DNS string
	IP  netip.Addr
}

func (n Name) String() string {
	if n.IP.IsValid() {
		return n.IP.String()
	}
	return n.DNS
}

// An Identifier is one acmeIdentifier extension (1.3.6.1.5.5.7.1.31).
type Identifier struct {
	Critical bool
	// Digest is what its OCTET STRING holds: 32 bytes, if it is right. Nil where
	// the extension's value is no single OCTET STRING.
	Digest []byte
}

// Object identifiers, without tag and length.
var (
	oidSubjectAltName = []byte{0x55, 0x1d, 0x11}
	oidACMEIdentifier = []byte{0x2b, 6, 1, 5, 5, 7, 1, 31}
)

// Bounds: a challenge certificate has one name and a handful of extensions.
const (
	maxExtensions = 64
	maxNames      = 200
	maxDER        = 64 << 10
)

var errSyntax = errors.New("not a certificate (RFC 5280 4.1)")

// Read reads a certificate in DER.
func Read(der []byte) (*Certificate, error) {
	if len(der) > maxDER {
		return nil, errSyntax
	}
	input := cryptobyte.String(der)
	var certificate, tbs, issuer, subject cryptobyte.String
	if !input.ReadASN1(&certificate, asn1.SEQUENCE) || !input.Empty() || !certificate.ReadASN1(&tbs, asn1.SEQUENCE) {
		return nil, errSyntax
	}
	var serial cryptobyte.String
	if !tbs.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) || !tbs.ReadASN1(&serial, asn1.INTEGER) ||
		!tbs.SkipASN1(asn1.SEQUENCE) || !tbs.ReadASN1(&issuer, asn1.SEQUENCE) || !tbs.SkipASN1(asn1.SEQUENCE) ||
		!tbs.ReadASN1(&subject, asn1.SEQUENCE) || !tbs.SkipASN1(asn1.SEQUENCE) ||
		!tbs.SkipOptionalASN1(asn1.Tag(1).ContextSpecific()) || !tbs.SkipOptionalASN1(asn1.Tag(2).ContextSpecific()) {
		return nil, errSyntax
	}
	c := &Certificate{SelfIssued: bytes.Equal(issuer, subject)}
	var outer, extensions cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&outer, &present, asn1.Tag(3).Constructed().ContextSpecific()) {
		return nil, errSyntax
	}
	if present && !outer.ReadASN1(&extensions, asn1.SEQUENCE) {
		return nil, errSyntax
	}
	for n := 0; !extensions.Empty(); n++ {
		if n == maxExtensions || !c.readExtension(&extensions) {
			return nil, errSyntax
		}
	}
	if c.SelfIssued {
		c.SelfSigned = signsItself(der)
	}
	return c, nil
}

// signsItself: of a certificate that crypto/x509 cannot read nobody knows.
func signsItself(der []byte) bool {
	x, err := x509.ParseCertificate(der)
	if err != nil {
		return false
	}
	if k, ok := x.PublicKey.(interface{ Size() int }); ok && k.Size() > 1024 {
		return false // an RSA modulus over 8192 bits: work that nobody needs
	}
	return x.CheckSignature(x.SignatureAlgorithm, x.RawTBSCertificate, x.Signature) == nil
}

func (c *Certificate) readExtension(list *cryptobyte.String) bool {
	var extension, oid, value cryptobyte.String
	var critical bool
	if !list.ReadASN1(&extension, asn1.SEQUENCE) || !extension.ReadASN1(&oid, asn1.OBJECT_IDENTIFIER) {
		return false
	}
	if extension.PeekASN1Tag(asn1.BOOLEAN) && !extension.ReadASN1Boolean(&critical) || !extension.ReadASN1(&value, asn1.OCTET_STRING) {
		return false
	}
	switch {
	case bytes.Equal(oid, oidSubjectAltName):
		return c.readNames(value)
	case bytes.Equal(oid, oidACMEIdentifier):
		i := Identifier{Critical: critical}
		var digest cryptobyte.String
		if value.ReadASN1(&digest, asn1.OCTET_STRING) && value.Empty() {
			i.Digest = append([]byte{}, digest...)
		}
		c.Identifiers = append(c.Identifiers, i)
	}
	return true
}

func (c *Certificate) readNames(value cryptobyte.String) bool {
	var list cryptobyte.String
	if !value.ReadASN1(&list, asn1.SEQUENCE) {
		return false
	}
	for !list.Empty() {
		var entry cryptobyte.String
		var tag asn1.Tag
		if len(c.Names)+c.Others == maxNames || !list.ReadAnyASN1(&entry, &tag) {
			return false
		}
		switch tag {
		case asn1.Tag(2).ContextSpecific():
			c.Names = append(c.Names, Name{DNS: string(entry)})
		case asn1.Tag(7).ContextSpecific():
			if ip, ok := netip.AddrFromSlice(entry); ok {
				c.Names = append(c.Names, Name{IP: ip})
				continue
			}
			c.Others++
		default:
			c.Others++
		}
	}
	return true
}
