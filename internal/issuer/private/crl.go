package private

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"assay/internal/issuer"
	"assay/internal/issuer/lint"
)

// A Revoked is an entry of a list of revoked certificates.
type Revoked struct {
	// Serial in hexadecimal.
	Serial string
	At     time.Time
	Reason issuer.Reason
}

// AppendRevoked appends an entry in the form in which a list holds it (RFC 5280
// 5.1.2.6). A list of 10,000 is signed in a few milliseconds, and in less where
// the entries that were there before are kept in this form.
func AppendRevoked(entries []byte, r Revoked) ([]byte, error) {
	serial, err := decodeSerial(r.Serial)
	if err != nil {
		return nil, err
	}
	if !known(r.Reason) {
		return nil, fmt.Errorf("serial number %s: %d is no reason that a certificate can be revoked for", r.Serial, r.Reason)
	}
	at := r.At.UTC()
	if y := at.Year(); y < 1950 || y > 9999 {
		return nil, fmt.Errorf("serial number %s: revoked in the year %d", r.Serial, y)
	}
	tag, layout := byte(0x17), "060102150405Z" // UTCTime through 2049, then GeneralizedTime
	if at.Year() >= 2050 {
		tag, layout = 0x18, "20060102150405Z"
	}
	start := len(entries)
	// Every length is below 128, so each takes one octet.
	entries = append(entries, 0x30, 0, 0x02, byte(len(serial)))
	entries = append(entries, serial...)
	entries = append(entries, tag, byte(len(layout)))
	entries = at.AppendFormat(entries, layout)
	if r.Reason != issuer.Unspecified { // BR 7.2.2: absent for unspecified
		entries = append(entries, 0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, byte(r.Reason))
	}
	entries[start+1] = byte(len(entries) - start - 2)
	return entries, nil
}

// known reports whether a reason is one of [issuer.Reasons] or [issuer.CAReasons],
// which make a map every time that they are asked.
func known(r issuer.Reason) bool {
	switch r {
	case issuer.Unspecified, issuer.KeyCompromise, issuer.CACompromise, issuer.AffiliationChanged, issuer.Superseded, issuer.CessationOfOperation, issuer.PrivilegeWithdrawn:
		return true
	}
	return false
}

// decodeSerial is the content of the INTEGER of a serial number.
func decodeSerial(text string) ([]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 || len(b) > 21 {
		return nil, fmt.Errorf("the serial number %.60q must be 1 to 20 octets in hexadecimal", text)
	}
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	if b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	if len(b) > 21 || (len(b) == 1 && b[0] == 0) {
		return nil, fmt.Errorf("the serial number %.60q must be positive and have 1 to 20 octets", text)
	}
	return b, nil
}

// A List is a list of revoked certificates to be signed: a part of an issuer's
// where it has several.
type List struct {
	// Number grows with every list of a part (RFC 5280 5.2.3). Positive.
	Number int64
	// ThisUpdate and NextUpdate are whole seconds. BR 7.2 allows 10 days between
	// them for certificates of servers.
	ThisUpdate, NextUpdate time.Time
	// URL is the place of the list as certificates name it, byte for byte (BR
	// 7.2.2.1); "" for the only list of an issuer.
	URL string
	// CAs is set for a list of CA certificates, which a root signs.
	CAs bool
	// Entries are those of [AppendRevoked], one after the other.
	Entries []byte
}

// SignList signs a list with the issuing key. A key that does not sign is
// [*issuer.Unavailable].
func (a *Authority) SignList(ctx context.Context, l List) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return SignList(a.hierarchy.Issuing, a.key, l)
}

// SignList signs a list as a CA, which may be a root.
func SignList(ca *x509.Certificate, key crypto.Signer, l List) ([]byte, error) {
	scheme, err := lint.SchemeOf(ca.PublicKey)
	if err != nil {
		return nil, err
	}
	if ca.KeyUsage&x509.KeyUsageCRLSign == 0 || len(ca.SubjectKeyId) == 0 {
		return nil, fmt.Errorf("the certificate of %s may not sign lists of revoked certificates", ca.Subject)
	}
	if l.Number < 1 {
		return nil, fmt.Errorf("a list of revoked certificates has a number from 1, not %d", l.Number)
	}
	if !l.NextUpdate.After(l.ThisUpdate) {
		return nil, errors.New("a list of revoked certificates has to be in force for a while: its next update is not after its own")
	}
	body, err := l.body(ca, scheme)
	if err != nil {
		return nil, fmt.Errorf("write the list of revoked certificates: %w", err)
	}
	list, err := scheme.SignList(key, body)
	if err != nil {
		return nil, &issuer.Unavailable{Problem: "key-offline", Err: fmt.Errorf("sign the list of revoked certificates: %w", err)}
	}
	return list, nil
}

// body writes the TBSCertList (RFC 5280 5.1.2).
func (l *List) body(ca *x509.Certificate, scheme *lint.Scheme) ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, len(l.Entries)+1024))
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1) // v2
		b.AddBytes(scheme.Identifier())
		b.AddBytes(ca.RawSubject)
		addTime(b, l.ThisUpdate)
		addTime(b, l.NextUpdate)
		if len(l.Entries) > 0 { // absent where nothing is revoked
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(l.Entries) })
		}
		b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { l.extensions(b, ca) })
		})
	})
	return b.Bytes()
}

func (l *List) extensions(b *cryptobyte.Builder, ca *x509.Certificate) {
	addAuthorityKey(b, ca.SubjectKeyId)
	addExtension(b, oidCRLNumber, false, func(b *cryptobyte.Builder) { b.AddASN1Int64(l.Number) })
	if l.URL == "" {
		return
	}
	// onlyContainsUserCerts [1], onlyContainsCACerts [2] (RFC 5280 5.2.5).
	only := der.Tag(1).ContextSpecific()
	if l.CAs {
		only = der.Tag(2).ContextSpecific()
	}
	addExtension(b, oidIssuingPoint, true, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			addPoint(b, l.URL)
			b.AddASN1(only, func(b *cryptobyte.Builder) { b.AddUint8(0xff) })
		})
	})
}
