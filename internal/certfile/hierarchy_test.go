package certfile_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"assay/internal/certfile"
	"assay/key"
)

// A made is a certificate with its key.
type made struct {
	*x509.Certificate
	key crypto.Signer
}

// now is the time at which the tests judge.
var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// issue makes a certificate of a template, signed by a parent or by itself. RSA
// keys are made once.
func issue(t testing.TB, template *x509.Certificate, parent *made, k crypto.Signer) *made {
	t.Helper()
	var err error
	if k == nil {
		if k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = now.AddDate(0, -1, 0)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = now.AddDate(20, 0, 0) // servers judge by their own clock
	}
	if template.SerialNumber == nil {
		template.SerialNumber, _ = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	}
	signer, above := k, template
	if parent != nil {
		signer, above = parent.key, parent.Certificate
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, above, k.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return &made{c, k}
}

// authority is a template of a CA's certificate.
func authority(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: []string{"Orchard Trust"}}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// server is a template of a server's certificate.
func server(names ...string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// A hierarchy is a root, two intermediates below it and a server's certificate.
type hierarchy struct{ root, upper, lower, leaf *made }

func newHierarchy(t testing.TB, k crypto.Signer, names ...string) *hierarchy {
	t.Helper()
	h := &hierarchy{root: issue(t, authority("Orchard Root"), nil, nil)}
	h.upper = issue(t, authority("Orchard Policy CA"), h.root, nil)
	h.lower = issue(t, authority("Orchard Issuing CA"), h.upper, nil)
	h.leaf = issue(t, server(names...), h.lower, k)
	return h
}

// set makes the set of the hierarchy.
func (h *hierarchy) set(t testing.TB, withKey bool) *certfile.Set {
	t.Helper()
	s, err := certfile.New(h.leaf.Raw, [][]byte{h.lower.Raw, h.upper.Raw}, h.root.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if withKey {
		if err := s.SetKey(key.Hold(h.leaf.key)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// rsaKey is one RSA key for all tests: making one takes long.
var rsaKey = sync.OnceValue(func() crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func certPEM(list ...*made) string {
	text := ""
	for _, c := range list {
		text += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return text
}
