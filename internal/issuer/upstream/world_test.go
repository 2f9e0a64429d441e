package upstream

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/order"
)

// A hierarchy is a root and an issuing CA, valid at any time of a test.
type hierarchy struct {
	root, issuing *x509.Certificate
	issuingKey    *ecdsa.PrivateKey
	pool          *x509.CertPool
}

var testHierarchy = sync.OnceValue(func() *hierarchy {
	rootKey, key := newKey(), newKey()
	from, to := time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2150, 1, 1, 0, 0, 0, 0, time.UTC)
	ca := func(cn string, serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: cn}, NotBefore: from, NotAfter: to,
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}
	}
	h := &hierarchy{issuingKey: key, pool: x509.NewCertPool()}
	root := ca("Test Root", 1)
	h.root = sign(root, root, rootKey.Public(), rootKey)
	h.issuing = sign(ca("Test Issuing CA", 2), h.root, key.Public(), rootKey)
	h.pool.AddCert(h.root)
	return h
})

func sign(template, parent *x509.Certificate, public crypto.PublicKey, by crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err == nil {
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(der); err == nil {
			return c
		}
	}
	panic(err)
}

func newKey() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

// ca is the issuer for a fake; each test has its own directory, since the library
// keeps directories for the whole process.
func (f *fakeCA) ca(t testing.TB, change ...func(*Config)) *CA {
	t.Helper()
	c := Config{
		ID: "orchard-ca", Directory: base + "/dir/" + strings.NewReplacer("#", "-", " ", "_").Replace(t.Name()), Key: newKey(), AgreeToTerms: true,
		Anchors: testHierarchy().pool, transport: f,
	}
	for _, f := range change {
		f(&c)
	}
	ca, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// requestFor is an order as the gate passes it.
func requestFor(m order.Method, names ...string) *issuer.Request {
	template := &x509.CertificateRequest{}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, newKey())
	if err != nil {
		panic(err)
	}
	return &issuer.Request{
		Order: "aB3dE5gH", Attempt: 1, Product: order.DV, Names: slices.Clone(names), CSR: csr, Method: m, Now: time.Now(),
	}
}

// wrongChain sends the root in the place of the issuing CA.
func wrongChain(sent []*x509.Certificate) []*x509.Certificate {
	return []*x509.Certificate{sent[0], testHierarchy().root}
}
