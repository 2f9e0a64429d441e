package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"
)

// Object identifiers of acmeIdentifier (RFC 8737 6.1) and of its draft.
var (
	oidACME  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}
	oidDraft = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 30, 1}
)

// challengeFaults are what Challenge.Fault can be.
var challengeFaults = []string{
	"", "other-digest", "two-names", "other-name", "no-name", "missing", "twice", "not-critical", "old-oid", "short", "bare", "issued",
}

// A signer is a key with the certificate that it signs as; the zero certificate
// signs itself.
type signer struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

// certificateKey makes the same P-256 key for the same text each time, so that
// certificates, whose signatures are deterministic too, can be compared.
func certificateKey(text string) *ecdsa.PrivateKey {
	for {
		seed := sha256.Sum256([]byte("assay lab " + text))
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:]); err == nil {
			return key
		}
		text += "+"
	}
}

// newIssuer makes the laboratory's CA.
func newIssuer() (*signer, error) {
	s := &signer{key: certificateKey("issuer")}
	template := plainTemplate("Orchard Lab CA")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	chain, err := s.sign(template, s.key)
	if err != nil {
		return nil, err
	}
	s.certificate, err = x509.ParseCertificate(chain.Certificate[0])
	return s, err
}

func plainTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// sign makes a certificate for a key.
func (s *signer) sign(template *x509.Certificate, key *ecdsa.PrivateKey) (*tls.Certificate, error) {
	parent, by := template, key
	if s.certificate != nil {
		parent, by = s.certificate, s.key
	}
	der, err := x509.CreateCertificate(nil, template, parent, key.Public(), by)
	if err != nil {
		return nil, fmt.Errorf("lab certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// ordinary makes a site's certificate for names and addresses.
func (s *signer) ordinary(names []string) (*tls.Certificate, error) {
	template := plainTemplate(names[0])
	for _, n := range names {
		addName(template, n)
	}
	return s.sign(template, certificateKey(strings.Join(names, " ")))
}

func addName(t *x509.Certificate, name string) {
	if ip := net.ParseIP(name); ip != nil {
		t.IPAddresses = append(t.IPAddresses, ip)
		return
	}
	t.DNSNames = append(t.DNSNames, name)
}

// challenge makes a certificate that answers tls-alpn-01, with the fault asked for.
func (s *signer) challenge(c Challenge, value string) (*tls.Certificate, error) {
	name, authorization := c.Name, strings.ReplaceAll(c.Key, "$VALUE", value)
	if name == "" {
		name = "orchard.net"
	}
	if authorization == "" {
		authorization = value
	}
	if c.Fault == "other-digest" {
		authorization = "another token." + authorization
	}
	template := plainTemplate("ACME challenge")
	switch c.Fault {
	case "other-name":
		addName(template, "other."+name)
	case "no-name":
	case "two-names":
		addName(template, name)
		addName(template, "www."+name)
	default:
		addName(template, name)
	}
	extension, err := acmeIdentifier(authorization, c.Fault)
	if err != nil {
		return nil, err
	}
	template.ExtraExtensions = []pkix.Extension{extension}
	switch c.Fault {
	case "missing":
		template.ExtraExtensions = nil
	case "twice":
		template.ExtraExtensions = append(template.ExtraExtensions, extension)
	}
	by := &signer{}
	if c.Fault == "issued" {
		by = s
	}
	return by.sign(template, certificateKey("challenge "+name))
}

func acmeIdentifier(authorization, fault string) (pkix.Extension, error) {
	sum := sha256.Sum256([]byte(authorization))
	digest := sum[:]
	if fault == "short" {
		digest = digest[:31]
	}
	value, err := asn1.Marshal(digest)
	if fault == "bare" {
		value = digest
	}
	x := pkix.Extension{Id: oidACME, Critical: fault != "not-critical", Value: value}
	if fault == "old-oid" {
		x.Id = oidDraft
	}
	return x, err
}
