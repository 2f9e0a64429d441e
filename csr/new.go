package csr

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"assay/key"
	"assay/name"
)

// maxCommonName is the bound of X.520 on a common name (RFC 5280 A.1,
// ub-common-name).
const maxCommonName = 64

// Subject are the parts of a subject that an OV or EV request names besides
// the common name. All may be empty.
type Subject struct {
	Organization, Country, Province, City string
}

// New makes a request for names with a key and returns it as PEM. Every name
// becomes a subject alternative name, each once and in A-label form; the first
// that fits 64 characters and is no IP address is the common name too, and
// without one there is none. It is signed with SHA-256, with P-384 keys SHA-384.
// random is crypto/rand.Reader outside of tests. A name that breaks a rule of
// syntax is an error.
func New(names []string, subject Subject, k *key.Private, random io.Reader) (string, error) {
	if len(names) == 0 {
		return "", errors.New("a request needs at least one name")
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{
		Organization: some(subject.Organization), Country: some(subject.Country),
		Province: some(subject.Province), Locality: some(subject.City),
	}}
	seen := map[string]bool{}
	for _, text := range names {
		n := name.Parse(text)
		for _, p := range n.Problems {
			if p.Kind != name.NotASCII { // the A-label form is what is written
				return "", fmt.Errorf("%q cannot stand in a request: %s", text, strings.ReplaceAll(string(p.Kind), "-", " "))
			}
		}
		if seen[n.Clean] {
			continue
		}
		seen[n.Clean] = true
		if n.IP.IsValid() {
			template.IPAddresses = append(template.IPAddresses, netip.Addr.AsSlice(n.IP))
			continue
		}
		template.DNSNames = append(template.DNSNames, n.Clean)
		if template.Subject.CommonName == "" && len(n.Clean) <= maxCommonName {
			template.Subject.CommonName = n.Clean
		}
	}
	raw, err := x509.CreateCertificateRequest(random, template, k.Signer())
	if err != nil {
		return "", fmt.Errorf("making the request: %w", err)
	}
	return Encode(raw), nil
}

func some(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}
