package certfile

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"

	"assay/internal/der"
	"assay/key"
)

// What DER can be.
const (
	derCertificate = "DER certificate"
	derKey         = "DER private key"
	derRequest     = "DER certificate request"
	derPKCS7       = "PKCS #7"
	derPKCS12      = "PKCS #12"
	derOther       = "DER"
)

// nameOf names DER by what it holds.
func nameOf(raw []byte) string {
	if _, err := x509.ParseCertificate(raw); err == nil {
		return derCertificate
	}
	if _, err := x509.ParseCertificateRequest(raw); err == nil {
		return derRequest
	}
	r := der.NewReader(raw)
	whole, problem := r.Expect(der.Sequence, "")
	if problem == nil {
		in := whole.Inside()
		first, problem := in.Next()
		switch {
		case problem != nil:
		case first.Tag == der.OID && bytes.HasPrefix(first.Body, []byte("\x2a\x86\x48\x86\xf7\x0d\x01\x07")):
			return derPKCS7
		case first.Tag == der.Integer && bytes.Equal(first.Body, []byte{3}):
			return derPKCS12
		}
	}
	if key.IsPrivate(raw) {
		if bytes.HasPrefix(bytes.TrimLeft(raw[1:min(len(raw), 8)], "\x80\x81\x82\x83\x84"), []byte{2, 1, 3}) {
			return derPKCS12
		}
		return derKey
	}
	return derOther
}

// knownLabel is a label of a block that may be shown; one that nobody uses might
// be anything.
func knownLabel(label string) string {
	known := []string{
		"PUBLIC KEY", "RSA PUBLIC KEY", "EC PARAMETERS", "DH PARAMETERS", "X509 CRL", "ATTRIBUTE CERTIFICATE",
		"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST",
		"PKCS7", "PKCS12", "CMS", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY",
		"ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PUBLIC KEY BLOCK", "PGP PRIVATE KEY BLOCK", "PGP MESSAGE",
	}
	if slices.Contains(known, label) {
		return label
	}
	return ""
}

// A kind is what a block holds.
type kind string

const (
	kindCertificate kind = "certificate"
	kindKey         kind = "key"
	kindRequest     kind = "csr"
	kindPKCS7       kind = "pkcs7"
	kindParameters  kind = "parameters" // stands before keys that OpenSSL wrote
	kindOther       kind = "other"
	kindDamaged     kind = "damaged"
)

// kind tells a block by its label, and by its content where that is something else.
func (b *block) kind() kind {
	switch content := nameOf(b.raw); {
	case content == derCertificate || b.label == derCertificate:
		return kindCertificate
	case content == derRequest:
		return kindRequest
	case content == derPKCS7:
		return kindPKCS7
	case strings.HasSuffix(b.label, "PRIVATE KEY") || content == derKey:
		return kindKey
	case b.label == "TRUSTED CERTIFICATE": // OpenSSL's own form, with words about trust behind it
		return kindOther
	case b.label == "EC PARAMETERS":
		return kindParameters
	case strings.HasSuffix(b.label, "CERTIFICATE") && b.label != "ATTRIBUTE CERTIFICATE", strings.HasSuffix(b.label, "CERTIFICATE REQUEST"):
		return kindDamaged
	}
	return kindOther
}
