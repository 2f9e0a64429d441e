package private

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"time"

	"assay/internal/issuer/lint"
)

// A Hierarchy is an issuing certificate and what is above it.
type Hierarchy struct {
	// Issuing is the certificate whose key signs.
	Issuing *x509.Certificate
	// Intermediates lie between it and the root, its issuer first.
	Intermediates []*x509.Certificate
	// Root is the trust anchor, self-signed. It may be the issuing certificate
	// itself.
	Root *x509.Certificate
}

// all lists every certificate whose name constraints hold; those of a trust
// anchor do not bind by RFC 5280 6.1.1, and bind here all the same, because
// many programs let them.
func (h Hierarchy) all() []*x509.Certificate {
	all := append([]*x509.Certificate{h.Issuing}, h.Intermediates...)
	if h.Root != nil && !h.Root.Equal(h.Issuing) {
		all = append(all, h.Root)
	}
	return all
}

// served are the certificates that a server sends after its own.
func (h Hierarchy) served() []*x509.Certificate {
	if h.Root != nil && h.Issuing.Equal(h.Root) {
		return nil
	}
	return append([]*x509.Certificate{h.Issuing}, h.Intermediates...)
}

// GenerateKey makes an ECDSA key: P-384 for a root, P-256 for an issuing CA.
func GenerateKey(curve elliptic.Curve) (crypto.Signer, error) {
	return ecdsa.GenerateKey(curve, rand.Reader)
}

// A Name is the subject of a CA certificate (BR 7.1.2.10.2). All three are
// needed.
type Name struct {
	CommonName, Organization string
	// Country is the ISO 3166-1 alpha-2 code.
	Country string
}

func (n Name) check() error {
	for field, value := range map[string]string{"common name": n.CommonName, "organization": n.Organization} {
		if v := strings.TrimSpace(value); v == "" || v != value || len([]rune(value)) > 64 {
			return fmt.Errorf("the %s of the CA is %q; it needs 1 to 64 characters, no blank at either end", field, value)
		}
	}
	if len(n.Country) != 2 || !capitals(n.Country) {
		return fmt.Errorf("the country of the CA is %q; it must be a code of ISO 3166-1 such as \"DE\"", n.Country)
	}
	return nil
}

func (n Name) subject() pkix.Name {
	return pkix.Name{CommonName: n.CommonName, Organization: []string{n.Organization}, Country: []string{n.Country}}
}

// Lives of the certificates that are made here, in years.
const (
	rootYears    = 20
	issuingYears = 5
)

// CreateRoot makes a self-signed root for a key (P-384 by custom), valid for 20
// years, above issuing CAs and no deeper (BR 7.1.2.1).
func CreateRoot(name Name, key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	if err := name.check(); err != nil {
		return nil, err
	}
	template, err := caTemplate(name, key.Public(), now, rootYears)
	if err != nil {
		return nil, err
	}
	template.MaxPathLen = 1
	template.AuthorityKeyId = template.SubjectKeyId
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the root certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// Constraints are the names that an issuing CA may certify (RFC 5280 4.2.1.10,
// BR 7.1.2.10.8).
type Constraints struct {
	// DNS are domains: each stands for itself and what is below it.
	DNS []string
	// IP are ranges of addresses.
	IP []netip.Prefix
}

// CreateIssuing makes the certificate of an issuing CA below a root: valid for 5
// years or until the root ends, for TLS servers and clients only, and for what
// the constraints permit. Where they name one kind of names, the other kind is
// excluded; where they name none, there are no constraints. urls are the places
// of the root's own files; its OCSP is not named.
func CreateIssuing(name Name, key crypto.PublicKey, c Constraints, root *x509.Certificate, rootKey crypto.Signer, urls URLs, now time.Time) (*x509.Certificate, error) {
	if err := name.check(); err != nil {
		return nil, err
	}
	if err := urls.check(); err != nil {
		return nil, err
	}
	if err := samePublic(root, rootKey); err != nil {
		return nil, fmt.Errorf("sign the issuing certificate: %w", err)
	}
	template, err := caTemplate(name, key, now, issuingYears)
	if err != nil {
		return nil, err
	}
	template.NotAfter = earlier(template.NotAfter, root.NotAfter)
	template.MaxPathLenZero = true
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	// anyPolicy: an issuing CA of the same organization (BR 7.1.2.10.5).
	any, err := x509.OIDFromInts([]uint64{2, 5, 29, 32, 0})
	if err != nil {
		return nil, err
	}
	template.Policies = []x509.OID{any}
	if urls.CRL != "" {
		template.CRLDistributionPoints = []string{urls.CRL + "0.crl"}
	}
	if urls.Issuer != "" {
		template.IssuingCertificateURL = []string{urls.Issuer}
	}
	if err := c.apply(template); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, root, key, rootKey)
	if err != nil {
		return nil, fmt.Errorf("sign the issuing certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func (c Constraints) apply(t *x509.Certificate) error {
	if len(c.DNS) == 0 && len(c.IP) == 0 {
		return nil
	}
	t.PermittedDNSDomainsCritical = true
	for _, d := range c.DNS {
		if d == "" || strings.Trim(d, ".") != strings.ToLower(d) || strings.ContainsAny(d, "*/ ") {
			return fmt.Errorf("the permitted domain %q must be a domain name in lower case, without dots at its ends and without *", d)
		}
		t.PermittedDNSDomains = append(t.PermittedDNSDomains, d)
	}
	for _, p := range c.IP {
		if !p.IsValid() {
			return errors.New("a permitted range of addresses is invalid")
		}
		t.PermittedIPRanges = append(t.PermittedIPRanges, ipNet(p))
	}
	if len(c.DNS) == 0 {
		t.ExcludedDNSDomains = []string{""}
	}
	if len(c.IP) == 0 {
		t.ExcludedIPRanges = []*net.IPNet{ipNet(netip.MustParsePrefix("0.0.0.0/0")), ipNet(netip.MustParsePrefix("::/0"))}
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	p = p.Masked()
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// caTemplate is what root and issuing certificates share.
func caTemplate(name Name, key crypto.PublicKey, now time.Time, years int) (*x509.Certificate, error) {
	if _, err := lint.SchemeOf(key); err != nil {
		return nil, err
	}
	serial, err := newSerial(rand.Reader)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("write the public key of the CA: %w", err)
	}
	id, err := keyID(spki)
	if err != nil {
		return nil, err
	}
	first := now.UTC().Truncate(time.Second)
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial), Subject: name.subject(),
		NotBefore: first, NotAfter: first.AddDate(years, 0, 0).Add(-time.Second),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, SubjectKeyId: id,
	}, nil
}

// samePublic reports an error where a key is not the certificate's.
func samePublic(c *x509.Certificate, key crypto.Signer) error {
	if key == nil {
		return errors.New("there is no key")
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("read the public half of the key: %w", err)
	}
	own, err := x509.MarshalPKIXPublicKey(c.PublicKey)
	if err != nil {
		return fmt.Errorf("read the public key of %s: %w", c.Subject, err)
	}
	if !bytes.Equal(der, own) {
		return fmt.Errorf("the key is not the one of the certificate of %s", c.Subject)
	}
	return nil
}
