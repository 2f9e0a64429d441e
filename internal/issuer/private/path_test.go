package private

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
)

// three is an authority below an intermediate, whose parts a test changes: the root, the
// intermediate and the issuing certificate, in this order.
func three(t *testing.T, change func(parts [3]*x509.Certificate)) (Hierarchy, *Authority) {
	t.Helper()
	var parts, made [3]*x509.Certificate
	for i, name := range []string{"Root", "Intermediate", "Issuing"} {
		parts[i] = &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name}, NotBefore: at.Add(-day), NotAfter: at.Add(400 * day),
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, BasicConstraintsValid: true, IsCA: true, SubjectKeyId: []byte{byte(i + 1)},
		}
	}
	change(parts)
	above, aboveKey := parts[0], newKey(t)
	key := aboveKey
	for i := range parts {
		if i > 0 {
			key = newKey(t)
		}
		der, err := x509.CreateCertificate(rand.Reader, parts[i], above, key.Public(), aboveKey)
		if err != nil {
			t.Fatal(err)
		}
		if made[i], err = x509.ParseCertificate(der); err != nil {
			t.Fatal(err)
		}
		above, aboveKey = made[i], key
	}
	config := newWorld(t, Constraints{}).config()
	config.Hierarchy, config.Key = Hierarchy{Issuing: made[2], Intermediates: made[1:2], Root: made[0]}, key
	return config.Hierarchy, newAuthority(t, config)
}

// TestWithinThePath: a certificate ends with the first of those above it, and none is
// signed where one of them has ended or has not begun.
func TestWithinThePath(t *testing.T) {
	t.Parallel()
	for i, which := range []string{"root", "intermediate", "issuing"} {
		t.Run(which, func(t *testing.T) {
			t.Parallel()
			end := at.Add(20 * day)
			h, a := three(t, func(parts [3]*x509.Certificate) { parts[i].NotAfter = end })
			leaf := issue(t, a, request(t, "private", "www.orchard.com"))
			if !leaf.NotAfter.Equal(end) {
				t.Errorf("ends %s, the %s %s", leaf.NotAfter, which, end)
			}
			verifies(t, h, leaf, end, x509.ExtKeyUsageServerAuth)
			for name, now := range map[string]time.Time{"ended": end.Add(time.Second), "early": at.Add(-2 * day)} {
				r := request(t, "private", "www.orchard.com")
				r.Now = now
				var away *issuer.Unavailable
				if _, err := a.Prepare(t.Context(), r); !errors.As(err, &away) || len(FaultsIn(err)) == 0 || FaultsIn(err)[0].Rule != name {
					t.Errorf("%s: %v", name, err)
				}
				if err := a.Issues(now); err == nil {
					t.Errorf("%s: it issues", name)
				}
			}
			// Lists and OCSP go on: New takes what has ended.
			if _, err := a.SignList(t.Context(), List{Number: 1, ThisUpdate: end.Add(day), NextUpdate: end.Add(2 * day)}); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestUsesOfThePath: a certificate is for what every certificate above it allows.
func TestUsesOfThePath(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uses           []x509.ExtKeyUsage
		server, client bool
	}{
		"none named": {nil, true, true},
		"any":        {[]x509.ExtKeyUsage{x509.ExtKeyUsageAny}, true, true},
		"both":       {[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, true, true},
		"server":     {[]x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, true, false},
		"client":     {[]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range 3 {
				h, a := three(t, func(parts [3]*x509.Certificate) { parts[i].ExtKeyUsage = c.uses })
				if faults := FaultsIn(h.Check(a.key, at)); (len(faults) == 0) != c.server || !c.server && faults[0].Rule != RuleUsage {
					t.Errorf("certificate %d: %v", i, faults)
				}
				r := request(t, "private", "www.orchard.com")
				r.ClientAuth = true
				p, err := a.Prepare(t.Context(), r)
				var refused *issuer.Refusal
				switch {
				case c.server && c.client:
					if err != nil {
						t.Fatal(err)
					}
					done, err := a.Complete(t.Context(), p)
					if err != nil {
						t.Fatal(err)
					}
					verifies(t, h, done.Certificate, at, x509.ExtKeyUsageClientAuth)
				case c.server:
					if !errors.As(err, &refused) || refused.Problems[0].Cause != cause.RequestProductMismatch {
						t.Errorf("certificate %d: %v", i, err)
					}
					verifies(t, h, issue(t, a, request(t, "private", "www.orchard.com")), at, x509.ExtKeyUsageServerAuth)
				case err == nil:
					t.Errorf("certificate %d: signed for servers", i)
				}
			}
		})
	}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := GenerateKey(elliptic.P256())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func verifies(t *testing.T, h Hierarchy, leaf *x509.Certificate, when time.Time, use x509.ExtKeyUsage) {
	t.Helper()
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(h.Root)
	for _, c := range h.served() {
		between.AddCert(c)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: when, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
		t.Error(err)
	}
}
