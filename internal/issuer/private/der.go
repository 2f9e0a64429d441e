package private

import (
	"crypto/x509"
	"encoding/asn1"
	"math/bits"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// Object identifiers of extensions and what they hold (RFC 5280 4.2, A.2).
var (
	oidKeyUsage            = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidExtKeyUsage         = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidBasicConstraints    = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidSubjectKeyID        = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidAuthorityKeyID      = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidSubjectAltName      = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidPolicies            = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidCRLPoints           = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidCRLNumber           = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidIssuingPoint        = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidAuthorityInfoAccess = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidAccessOCSP          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidAccessIssuers       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
	oidServerAuth          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}
	oidClientAuth          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}
)

// uriTag is uniformResourceIdentifier [6] of a GeneralName.
const uriTag = der.Tag(6) | 0x80

// addExtension writes an Extension around what add writes.
func addExtension(b *cryptobyte.Builder, id asn1.ObjectIdentifier, critical bool, add func(*cryptobyte.Builder)) {
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(id)
		if critical { // DEFAULT FALSE is left out in DER
			b.AddASN1Boolean(true)
		}
		b.AddASN1(der.OCTET_STRING, add)
	})
}

// addPoint writes the distributionPoint [0] { fullName [0] { URI } } that
// certificates and the list itself name with the same bytes (BR 7.2.2.1).
func addPoint(b *cryptobyte.Builder, url string) {
	b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
		b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(uriTag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(url)) })
		})
	})
}

// addAuthorityKey names the issuer's key by its identifier alone (BR 7.1.2.11.1).
func addAuthorityKey(b *cryptobyte.Builder, id []byte) {
	addExtension(b, oidAuthorityKeyID, false, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(der.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(id) })
		})
	})
}

// addKeyUsage writes the named bits, without trailing zero bits (X.690 11.2.2).
// Of the usages only those of the first byte occur here.
func addKeyUsage(b *cryptobyte.Builder, usage x509.KeyUsage) {
	octet := bits.Reverse8(byte(usage))
	b.AddASN1(der.BIT_STRING, func(b *cryptobyte.Builder) {
		b.AddUint8(byte(bits.TrailingZeros8(octet)))
		b.AddUint8(octet)
	})
}

// addTime writes UTCTime through 2049 and GeneralizedTime after it (RFC 5280
// 4.1.2.5), to the second.
func addTime(b *cryptobyte.Builder, t time.Time) {
	if t = t.UTC().Truncate(time.Second); t.Year() < 2050 {
		b.AddASN1UTCTime(t)
		return
	}
	b.AddASN1GeneralizedTime(t)
}
