package private

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/order"
	"assay/profile"
)

// at is the day on which the tests sign.
var at = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// A world is a hierarchy with its keys.
type world struct {
	root, issuing       *x509.Certificate
	rootKey, issuingKey crypto.Signer
}

func newWorld(t testing.TB, c Constraints) *world {
	t.Helper()
	w := &world{}
	var err error
	if w.rootKey, err = GenerateKey(elliptic.P384()); err != nil {
		t.Fatal(err)
	}
	if w.issuingKey, err = GenerateKey(elliptic.P256()); err != nil {
		t.Fatal(err)
	}
	begin := at.Add(-24 * time.Hour)
	if w.root, err = CreateRoot(Name{"Orchard Root", "Orchard", "DE"}, w.rootKey, begin); err != nil {
		t.Fatal(err)
	}
	urls := URLsAt("http://pki.example.net", "root")
	w.issuing, err = CreateIssuing(Name{"Orchard Issuing 1", "Orchard", "DE"}, w.issuingKey.Public(), c, w.root, w.rootKey, urls, begin)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) hierarchy() Hierarchy { return Hierarchy{Issuing: w.issuing, Root: w.root} }

func (w *world) config() Config {
	var shard atomic.Int64
	return Config{
		ID: "main", Hierarchy: w.hierarchy(), Key: w.issuingKey, URLs: URLsAt("http://pki.example.net", "main"),
		NextShard: func(context.Context) (int, error) { return int(shard.Add(1) - 1), nil },
	}
}

func newAuthority(t testing.TB, c Config) *Authority {
	t.Helper()
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func profileOf(t testing.TB, name string) *profile.Profile {
	t.Helper()
	p, err := profile.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// leafKeys are made once: RSA keys take their time.
var leafKeys = sync.OnceValue(func() map[string]crypto.Signer {
	r, _ := rsa.GenerateKey(rand.Reader, 2048)
	e, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return map[string]crypto.Signer{"RSA": r, "P-256": e, "P-384": f}
})

func requestFor(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func request(t testing.TB, profileName string, names ...string) *issuer.Request {
	t.Helper()
	return &issuer.Request{
		Order: "1", Attempt: 1, Profile: profileOf(t, profileName), Product: order.DV, Names: names,
		CSR: requestFor(t, leafKeys()["P-256"]), Now: at,
	}
}

func issue(t testing.TB, a *Authority, r *issuer.Request) *x509.Certificate {
	t.Helper()
	p, err := a.Prepare(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	i, err := a.Complete(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return i.Certificate
}

// random is crypto/rand.
type random struct{}

func (random) Read(p []byte) (int, error) { return rand.Read(p) }
