package private

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
	"assay/profile"
)

// maxCommonName is ub-common-name (RFC 5280 A.1).
const maxCommonName = 64

// A leaf is what a certificate will hold.
type leaf struct {
	serial              []byte
	notBefore, notAfter time.Time
	subject             []byte // the Name, DER
	subjectEmpty        bool
	spki                []byte
	keyID               []byte // nil: no subject key identifier
	usage               x509.KeyUsage
	client              bool
	names               []string
	policy              asn1.ObjectIdentifier
	shard               int
}

// The policies that the forum reserves (BR 7.1.6.1).
func reserved(p order.Product) asn1.ObjectIdentifier {
	switch p {
	case order.OV:
		return asn1.ObjectIdentifier{2, 23, 140, 1, 2, 2}
	case order.EV:
		return asn1.ObjectIdentifier{2, 23, 140, 1, 1}
	}
	return asn1.ObjectIdentifier{2, 23, 140, 1, 2, 1}
}

// plan decides what the certificate of a request holds, by what the profile says
// for the day of signing.
func (a *Authority) plan(r *issuer.Request) (*leaf, error) {
	if r.Profile == nil || r.Now.IsZero() || len(r.Names) == 0 {
		return nil, errors.New("a request for a certificate needs a profile, names and the time of signing")
	}
	if problems := a.outside(r.Names); len(problems) > 0 {
		return nil, &issuer.Refusal{Problems: problems, Err: fmt.Errorf("the issuing certificate may certify: %s", a.permitted())}
	}
	l := &leaf{names: r.Names, client: r.ClientAuth && !r.Profile.Holds(profile.ServerAuthOnly, r.Now, r.Plan)}
	if l.client && !a.hierarchy.allows(x509.ExtKeyUsageClientAuth) {
		return nil, &issuer.Refusal{Problems: []issuer.Problem{{
			Cause: cause.RequestProductMismatch, Subject: "order", Parameters: map[string]any{"rule": "client"},
		}}, Err: errors.New("a certificate above does not let those below it be for TLS clients")}
	}
	var err error
	if l.notBefore, l.notAfter, err = a.validity(r); err != nil {
		return nil, err
	}
	if l.serial, err = newSerial(a.random); err != nil {
		return nil, err
	}
	if l.subject, l.subjectEmpty, err = subjectOf(r); err != nil {
		return nil, err
	}
	if err := l.takeKey(r); err != nil {
		return nil, err
	}
	l.policy = a.policies[r.Product]
	if l.policy == nil && r.Profile.Public {
		l.policy = reserved(r.Product)
	}
	return l, nil
}

// takeKey takes the public key of the certificate request, byte for byte, and
// nothing else.
func (l *leaf) takeKey(r *issuer.Request) error {
	csr, err := x509.ParseCertificateRequest(r.CSR)
	if err != nil {
		return &issuer.Refusal{Problems: []issuer.Problem{{
			Cause: cause.CSRUnreadable, Subject: "csr", Parameters: map[string]any{"rule": "der", "error": err.Error()},
		}}, Err: err}
	}
	l.spki = csr.RawSubjectPublicKeyInfo
	switch csr.PublicKey.(type) {
	case *rsa.PublicKey:
		l.usage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	case *ecdsa.PublicKey:
		l.usage = x509.KeyUsageDigitalSignature
	default:
		return &issuer.Refusal{Problems: []issuer.Problem{{
			Cause: cause.KeyTypeNotAllowed, Subject: "csr",
			Parameters: map[string]any{"rule": "type", "type": csr.PublicKeyAlgorithm.String(), "allowed": []string{"RSA", "ECDSA"}},
		}}}
	}
	// BR 7.1.2.7.6 advises against the subject key identifier, RFC 5280 4.2.1.2
	// asks for it.
	if !r.Profile.Public {
		l.keyID, err = keyID(l.spki)
	}
	return err
}

// keyID is method 1 of RFC 7093 2: the first 160 bits of the SHA-256 of the key.
func keyID(spki []byte) ([]byte, error) {
	in, content, bits := cryptobyte.String(spki), cryptobyte.String(nil), asn1.BitString{}
	if !in.ReadASN1(&content, der.SEQUENCE) || !content.SkipASN1(der.SEQUENCE) || !content.ReadASN1BitString(&bits) {
		return nil, errors.New("the public key cannot be read")
	}
	sum := sha256.Sum256(bits.RightAlign())
	return sum[:20], nil
}

// fixed are the parts that are the same in every certificate of an authority.
type fixed struct {
	algorithm, issuer, authorityKey, access []byte
}

func newFixed(a *Authority) (fixed, error) {
	f := fixed{algorithm: a.gate.Scheme().Identifier(), issuer: a.hierarchy.Issuing.RawSubject}
	var b cryptobyte.Builder
	addAuthorityKey(&b, a.hierarchy.Issuing.SubjectKeyId)
	var err error
	if f.authorityKey, err = b.Bytes(); err != nil {
		return f, err
	}
	if a.urls.OCSP == "" && a.urls.Issuer == "" {
		return f, nil
	}
	b = cryptobyte.Builder{}
	addExtension(&b, oidAuthorityInfoAccess, false, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			addAccess(b, oidAccessOCSP, a.urls.OCSP)
			addAccess(b, oidAccessIssuers, a.urls.Issuer)
		})
	})
	f.access, err = b.Bytes()
	return f, err
}

func addAccess(b *cryptobyte.Builder, method asn1.ObjectIdentifier, url string) {
	if url == "" {
		return
	}
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(method)
		b.AddASN1(uriTag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(url)) })
	})
}

// body writes the TBSCertificate (RFC 5280 4.1).
func (a *Authority) body(l *leaf) ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, 1024+len(l.names)*32))
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(der.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) })
		b.AddASN1(der.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(l.serial) })
		b.AddBytes(a.fixed.algorithm)
		b.AddBytes(a.fixed.issuer)
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, l.notBefore)
			addTime(b, l.notAfter)
		})
		b.AddBytes(l.subject)
		b.AddBytes(l.spki)
		b.AddASN1(der.Tag(3).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { a.extensions(b, l) })
		})
	})
	return b.Bytes()
}

// extensions are those of BR 7.1.2.7.6.
func (a *Authority) extensions(b *cryptobyte.Builder, l *leaf) {
	addExtension(b, oidKeyUsage, true, func(b *cryptobyte.Builder) { addKeyUsage(b, l.usage) })
	addExtension(b, oidExtKeyUsage, false, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(oidServerAuth)
			if l.client {
				b.AddASN1ObjectIdentifier(oidClientAuth)
			}
		})
	})
	addExtension(b, oidBasicConstraints, true, func(b *cryptobyte.Builder) { b.AddASN1(der.SEQUENCE, func(*cryptobyte.Builder) {}) })
	if l.keyID != nil {
		addExtension(b, oidSubjectKeyID, false, func(b *cryptobyte.Builder) { b.AddASN1OctetString(l.keyID) })
	}
	b.AddBytes(a.fixed.authorityKey)
	b.AddBytes(a.fixed.access)
	// A certificate without a subject says all it says in its names (RFC 5280 4.2.1.6).
	addExtension(b, oidSubjectAltName, l.subjectEmpty, func(b *cryptobyte.Builder) { addNames(b, l.names) })
	if l.policy != nil {
		addExtension(b, oidPolicies, false, func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(l.policy) })
			})
		})
	}
	if url := a.ShardURL(l.shard); url != "" {
		addExtension(b, oidCRLPoints, false, func(b *cryptobyte.Builder) {
			b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) { addPoint(b, url) })
			})
		})
	}
}

func addNames(b *cryptobyte.Builder, names []string) {
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, n := range names {
			if ip, err := netip.ParseAddr(n); err == nil {
				b.AddASN1(der.Tag(7).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(ip.Unmap().AsSlice()) })
				continue
			}
			if strings.ContainsFunc(n, func(r rune) bool { return r >= 0x80 }) {
				b.SetError(fmt.Errorf("the name %q is not in A-label form", n))
			}
			b.AddASN1(der.Tag(2).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes([]byte(n)) })
		}
	})
}
