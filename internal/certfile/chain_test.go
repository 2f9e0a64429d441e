package certfile_test

import (
	"crypto/x509"
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
