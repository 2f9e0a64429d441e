package certfile_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"assay/evidence"
	"assay/internal/certfile"
)

// TestChain: however the certificates are given, what comes out is the chain in
// order, and the facts say what was wrong.
func TestChain(t *testing.T) {
	t.Parallel()
	h, other := newHierarchy(t, nil, "shop.orchard.net"), newHierarchy(t, nil, "shop.orchard.net")
	expired := issue(t, &x509.Certificate{
		Subject: h.lower.Subject, IsCA: true, BasicConstraintsValid: true, NotAfter: now.AddDate(0, 0, -1),
	}, h.upper, h.lower.key)
	direct := issue(t, server("direct.orchard.net"), h.root, nil)
	self := issue(t, server("self.orchard.net"), nil, nil)
	const lower, upper = "Orchard Issuing CA", "Orchard Policy CA"
	full := []string{lower, upper}
	for _, c := range []struct {
		name  string
		text  string
		known []*made
		chain []string
		root  bool
		facts evidence.ChainFact
	}{
		{"as it should be", certPEM(h.leaf, h.lower, h.upper), nil, full, false, evidence.ChainFact{Given: full, Subject: upper, Issuer: "Orchard Root"}},
		{"with the root", certPEM(h.leaf, h.lower, h.upper, h.root), nil, full, true, evidence.ChainFact{Given: full, Subject: "Orchard Root", Issuer: "Orchard Root"}},
		{"twice", certPEM(h.leaf, h.lower, h.upper, h.lower, h.leaf), nil, full, false, evidence.ChainFact{Given: full, Subject: upper, Issuer: "Orchard Root"}},
		{"wrong order", certPEM(h.leaf, h.upper, h.lower), nil, full, false, evidence.ChainFact{Given: []string{upper, lower}, Problem: "wrong-order", Repaired: true, Subject: "shop.orchard.net", Issuer: lower}},
		{"root between", certPEM(h.leaf, h.root, h.lower, h.upper), nil, full, true, evidence.ChainFact{Given: full, Subject: "Orchard Root", Issuer: "Orchard Root"}},
		{"nothing given", certPEM(h.leaf), nil, nil, false, evidence.ChainFact{Problem: "missing", Subject: "shop.orchard.net", Issuer: lower}},
		{"nothing given, all known", certPEM(h.leaf), []*made{h.root, other.lower, h.upper, h.lower}, full, true, evidence.ChainFact{Added: full, Problem: "missing", Repaired: true, Subject: "shop.orchard.net", Issuer: lower}},
		{"a gap that is known", certPEM(h.leaf, h.upper), []*made{h.lower}, full, false, evidence.ChainFact{Given: []string{upper}, Added: []string{lower}, Problem: "missing", Repaired: true, Subject: "shop.orchard.net", Issuer: lower}},
		{"a gap that is not known", certPEM(h.leaf, h.upper), nil, nil, false, evidence.ChainFact{Given: []string{upper}, Problem: "wrong", Subject: "shop.orchard.net", Issuer: lower}},
		{"the upper one is known", certPEM(h.leaf, h.lower), []*made{h.upper, h.root}, full, true, evidence.ChainFact{Given: []string{lower}, Added: []string{upper}, Problem: "missing", Repaired: true, Subject: "shop.orchard.net", Issuer: lower}},
		{"only the root is known", certPEM(h.leaf, h.lower, h.upper), []*made{h.root}, full, true, evidence.ChainFact{Given: full, Subject: "Orchard Root", Issuer: "Orchard Root"}},
		{"of the same names, with other keys", certPEM(h.leaf, other.lower, other.upper), nil, nil, false, evidence.ChainFact{Given: full, Problem: "wrong", Subject: "shop.orchard.net", Issuer: lower}},
		{"of another chain, the right one known", certPEM(h.leaf, other.lower, other.upper), []*made{h.lower, h.upper}, full, false, evidence.ChainFact{Given: full, Added: full, Problem: "wrong", Repaired: true, Subject: "shop.orchard.net", Issuer: lower}},
		{"the one that is valid now is taken", certPEM(h.leaf), []*made{expired, h.lower, h.upper}, full, false, evidence.ChainFact{Added: full, Problem: "missing", Repaired: true, Subject: "shop.orchard.net", Issuer: lower}},
		{"the root issued it", certPEM(direct, h.root), nil, nil, true, evidence.ChainFact{Subject: "Orchard Root", Issuer: "Orchard Root"}},
		{"self-signed", certPEM(self), nil, nil, false, evidence.ChainFact{Subject: "self.orchard.net", Issuer: "self.orchard.net"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var known []*x509.Certificate
			for _, k := range c.known {
				known = append(known, k.Certificate)
			}
			u := certfile.Read(certfile.Texts{Certificate: c.text}, known, now)
			if len(u.Facts.Unreadable) > 0 {
				t.Errorf("unreadable: %v", u.Facts.Unreadable)
			}
			var chain []string
			for _, k := range u.Chain {
				chain = append(chain, k.Subject.CommonName)
			}
			if !slices.Equal(chain, c.chain) || (u.Root != nil) != c.root {
				t.Errorf("chain %v, root %v", chain, u.Root != nil)
			}
			if len(u.Chain) > 0 && !u.Chain[0].Equal(h.lower.Certificate) {
				t.Error("another issuer was taken")
			}
			if diff := cmp.Diff(c.facts, u.Facts.Chain); diff != "" {
				t.Errorf("facts (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoop: certificates that issue each other end.
func TestLoop(t *testing.T) {
	t.Parallel()
	a := issue(t, authority("A"), nil, nil)
	b := issue(t, authority("B"), a, nil)
	loop := issue(t, authority("A"), b, a.key) // A, issued by B
	leaf := issue(t, server("shop.orchard.net"), a, nil)
	u := certfile.Read(certfile.Texts{Certificate: certPEM(leaf, loop, b)}, nil, now)
	if len(u.Chain) != 2 {
		t.Errorf("%d certificates", len(u.Chain))
	}
}

// TestMany: at most twenty certificates are read.
func TestMany(t *testing.T) {
	t.Parallel()
	h := newHierarchy(t, nil, "shop.orchard.net")
	text := certPEM(h.leaf)
	for range 25 {
		text += certPEM(h.lower)
	}
	u := certfile.Read(certfile.Texts{Certificate: text}, nil, now)
	if got := problems(u.Facts.Unreadable); !slices.Equal(got, []string{"certificate too-many"}) {
		t.Errorf("%q", got)
	}
}

// TestChooseByKey: of two servers' certificates the one whose key was given counts.
func TestChooseByKey(t *testing.T) {
	t.Parallel()
	h := newHierarchy(t, nil, "shop.orchard.net")
	second := issue(t, server("www.orchard.net"), h.lower, nil)
	u := certfile.Read(certfile.Texts{Certificate: certPEM(h.leaf, second, h.lower, h.upper), Key: keyPEM(t, second)}, nil, now)
	if !u.Leaf.Equal(second.Certificate) || !slices.Equal(problems(u.Facts.Unreadable), []string{"certificate wrong-order 1"}) {
		t.Errorf("%s, %v", u.Leaf.Subject, u.Facts.Unreadable)
	}
	if s := u.Set(); !s.HasKey() {
		t.Error("the set lacks the key")
	}
	u = certfile.Read(certfile.Texts{Certificate: certPEM(h.leaf, h.lower, h.upper), Key: keyPEM(t, second)}, nil, now)
	if u.Facts.Key == nil || u.Facts.Key.SPKISHA256 == u.Facts.Leaf.SPKISHA256 || u.Set().HasKey() {
		t.Error("a foreign key is taken")
	}
}

// A hugeKey is an RSA key of many primes, which takes long to compute with and is
// quickly made.
type hugeKey struct{ n, d *big.Int }

func newHugeKey(t *testing.T) *hugeKey {
	t.Helper()
	k := &hugeKey{n: big.NewInt(1)}
	phi := big.NewInt(1)
	for range 17 {
		p, err := rand.Prime(rand.Reader, 512)
		if err != nil {
			t.Fatal(err)
		}
		k.n.Mul(k.n, p)
		phi.Mul(phi, p.Sub(p, big.NewInt(1)))
	}
	if k.d = new(big.Int).ModInverse(big.NewInt(65537), phi); k.d == nil {
		return newHugeKey(t)
	}
	return k
}

func (k *hugeKey) Public() crypto.PublicKey { return &rsa.PublicKey{N: k.n, E: 65537} }

// Sign makes a signature of PKCS #1 v1.5 (RFC 8017 8.2.1) over SHA-256.
func (k *hugeKey) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	size := (k.n.BitLen() + 7) / 8
	info := append([]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}, digest...)
	padded := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-len(info)-3), []byte{0}, info)
	return new(big.Int).Exp(new(big.Int).SetBytes(padded), k.d, k.n).FillBytes(make([]byte, size)), nil
}

// TestHugeKey: with a CA's key of more than 8192 bits nothing is computed, so that
// what it issued is issued by nobody that is known.
func TestHugeKey(t *testing.T) {
	t.Parallel()
	h := newHierarchy(t, nil, "shop.orchard.net")
	huge := issue(t, authority("Huge CA"), h.upper, newHugeKey(t))
	leaf := issue(t, server("huge.orchard.net"), huge, nil)
	if err := leaf.CheckSignatureFrom(huge.Certificate); err != nil {
		t.Fatalf("the test's own signature: %v", err)
	}
	u := certfile.Read(certfile.Texts{Certificate: certPEM(leaf, huge)}, nil, now)
	if u.Leaf == nil || len(u.Chain) != 0 || u.Facts.Chain.Problem != "wrong" {
		t.Errorf("%+v", u.Facts)
	}
}

// TestAbove: what is wrong above a certificate is said of the one that it is wrong with,
// and a way on which nothing is wrong is taken where there is one.
func TestAbove(t *testing.T) {
	t.Parallel()
	root := issue(t, authority("Root"), nil, nil)
	over := now.AddDate(0, 0, -1)
	chained := func(change func(root, mid, leaf *x509.Certificate)) (leaf, mid, top *made) {
		r, m, l := authority("Root"), authority("Mid"), server("shop.orchard.net")
		change(r, m, l)
		top = issue(t, r, nil, nil)
		mid = issue(t, m, top, nil)
		return issue(t, l, mid, nil), mid, top
	}
	for name, c := range map[string]struct {
		change func(root, mid, leaf *x509.Certificate)
		want   []string
	}{
		"good":                               {func(_, _, _ *x509.Certificate) {}, nil},
		"an expired mid":                     {func(_, m, _ *x509.Certificate) { m.NotAfter = over }, []string{"Mid expired"}},
		"a mid of tomorrow":                  {func(_, m, _ *x509.Certificate) { m.NotBefore = now.AddDate(0, 0, 1) }, []string{"Mid not yet"}},
		"an expired root":                    {func(r, _, _ *x509.Certificate) { r.NotAfter = over }, []string{"Root expired"}},
		"both":                               {func(r, m, _ *x509.Certificate) { r.NotAfter, m.NotAfter = over, over }, []string{"Mid expired", "Root expired"}},
		"a mid that is no CA":                {func(_, m, _ *x509.Certificate) { m.IsCA, m.KeyUsage = false, x509.KeyUsageDigitalSignature }, []string{"Mid no-ca"}},
		"a mid that may sign no certificate": {func(_, m, _ *x509.Certificate) { m.KeyUsage = x509.KeyUsageCRLSign }, []string{"Mid no-ca"}},
		"a root that says no lengths":        {func(r, _, _ *x509.Certificate) { r.MaxPathLen = -1 }, nil},
		"a root of length 1":                 {func(r, _, _ *x509.Certificate) { r.MaxPathLen = 1 }, nil},
		"a root of length 0":                 {func(r, _, _ *x509.Certificate) { r.MaxPathLenZero = true }, []string{"Root path-length"}},
		"a mid of length 0":                  {func(_, m, _ *x509.Certificate) { m.MaxPathLenZero = true }, nil},
		"names that the mid allows":          {func(_, m, _ *x509.Certificate) { m.PermittedDNSDomains = []string{"orchard.net"} }, nil},
		"names that the mid does not allow":  {func(_, m, _ *x509.Certificate) { m.PermittedDNSDomains = []string{"cherry.net"} }, []string{"Mid names"}},
		"names that the root forbids":        {func(r, _, _ *x509.Certificate) { r.ExcludedDNSDomains = []string{"orchard.net"} }, []string{"Root names"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leaf, mid, top := chained(c.change)
			u := certfile.Read(certfile.Texts{Certificate: certPEM(leaf, mid, top)}, nil, now)
			if got := wrongAbove(u); !slices.Equal(got, c.want) || len(u.Facts.Above) != 2 || u.Facts.Above[0].Issued != "shop.orchard.net" || u.Facts.Above[1].Issued != "Mid" {
				t.Errorf("%q, want %q: %+v", got, c.want, u.Facts.Above)
			}
		})
	}
	// The old certificate of an intermediate was given, and the new one is known; of one that
	// is cross-signed, the given one leads to an old root, the known one to a new one.
	renewed := authority("Mid")
	renewed.NotAfter = over
	old := issue(t, renewed, root, nil)
	young := issue(t, authority("Mid"), root, old.key)
	leaf := issue(t, server("shop.orchard.net"), old, nil)
	u := certfile.Read(certfile.Texts{Certificate: certPEM(leaf, old, root)}, []*x509.Certificate{young.Certificate}, now)
	if len(wrongAbove(u)) != 0 || len(u.Chain) != 1 || !u.Chain[0].Equal(young.Certificate) || !u.Facts.Chain.Repaired {
		t.Errorf("%q, %+v", wrongAbove(u), u.Facts.Chain)
	}
	ended := authority("Old Root")
	ended.NotAfter = over
	before := issue(t, ended, nil, nil)
	cross := issue(t, authority("Mid"), before, old.key)
	u = certfile.Read(certfile.Texts{Certificate: certPEM(leaf, cross, before)}, []*x509.Certificate{young.Certificate, root.Certificate}, now)
	if len(wrongAbove(u)) != 0 || u.Root == nil || !u.Root.Equal(root.Certificate) {
		t.Errorf("%q, root %v", wrongAbove(u), u.Root)
	}
}

// wrongAbove is what is wrong above the certificate of an upload.
func wrongAbove(u *certfile.Upload) (list []string) {
	for _, a := range u.Facts.Above {
		switch {
		case a.Problem != "":
			list = append(list, a.Subject+" "+a.Problem)
		case now.After(a.NotAfter):
			list = append(list, a.Subject+" expired")
		case now.Before(a.NotBefore):
			list = append(list, a.Subject+" not yet")
		}
	}
	return list
}

// TestMesh: certificates that issue each other in every way are not followed in every way.
func TestMesh(t *testing.T) {
	t.Parallel()
	var keys []*made
	for i := range 4 {
		template := authority(string(rune('A' + i)))
		template.NotAfter = now.AddDate(0, 0, -1)
		keys = append(keys, issue(t, template, nil, nil))
	}
	var known []*x509.Certificate
	for _, by := range keys {
		for _, c := range keys {
			if c != by {
				template := authority(c.Subject.CommonName)
				template.NotAfter = now.AddDate(0, 0, -1)
				known = append(known, issue(t, template, by, c.key).Certificate)
			}
		}
	}
	leaf := issue(t, server("shop.orchard.net"), keys[0], nil)
	u := certfile.Read(certfile.Texts{Certificate: certPEM(leaf)}, known, now)
	if len(u.Chain) == 0 || len(u.Chain) > len(known) {
		t.Errorf("%d certificates", len(u.Chain))
	}
}
