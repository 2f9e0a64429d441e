package private

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/netip"
	"strings"
	"testing"
	"time"

	zx509 "github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

func TestCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{DNS: []string{"orchard.com"}})
	if w.root.MaxPathLen != 1 || w.issuing.MaxPathLen != 0 || !w.issuing.MaxPathLenZero {
		t.Errorf("path lengths %d, %d", w.root.MaxPathLen, w.issuing.MaxPathLen)
	}
	if got := w.root.NotAfter; !got.Equal(w.root.NotBefore.AddDate(20, 0, 0).Add(-time.Second)) {
		t.Errorf("the root ends at %s", got)
	}
	if got := w.issuing.NotAfter; !got.Equal(w.issuing.NotBefore.AddDate(5, 0, 0).Add(-time.Second)) {
		t.Errorf("the issuing certificate ends at %s", got)
	}
	if len(w.issuing.ExcludedIPRanges) != 2 || !w.issuing.PermittedDNSDomainsCritical {
		t.Error("addresses are not excluded where only domains are permitted")
	}
	if err := w.hierarchy().Check(w.issuingKey, at); err != nil {
		t.Error(err)
	}
	for _, c := range []*x509.Certificate{w.root, w.issuing} {
		z, err := zx509.ParseCertificate(c.Raw)
		if err != nil {
			t.Fatal(err)
		}
		for name, r := range zlint.LintCertificate(z).Results {
			if _, meant := chosen[name]; r.Status >= lint.Warn && !meant {
				t.Errorf("%s: %s %s %s", c.Subject.CommonName, name, r.Status, r.Details)
			}
		}
	}
}

// chosen are lints that CA certificates meet here, with the reason.
var chosen = map[string]string{
	"e_cabf_ecc_allowed_key_usages":                                 "BR 7.1.2.7.11 is about subscribers; a CA signs certificates and lists (7.1.2.10.7)",
	"w_root_ca_basic_constraints_path_len_constraint_field_present": "a root that can leave the server is bound to one level below it",
}

func TestOnlyAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{IP: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for name, want := range map[string]bool{"10.1.1.1": true, "11.1.1.1": false, "orchard.com": false, "*.orchard.com": false} {
		if got := within(w.issuing, name); got != want {
			t.Errorf("%s: within %v", name, got)
		}
	}
}

func TestCannotBeCreated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	good := Name{"Orchard", "Orchard", "DE"}
	for _, n := range []Name{{}, {"x", "y", "Germany"}, {"x", "y", "de"}, {" x", "y", "DE"}, {strings.Repeat("x", 65), "y", "DE"}} {
		if _, err := CreateRoot(n, w.rootKey, at); err == nil {
			t.Errorf("%+v is a CA", n)
		}
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CreateRoot(good, edwards, at); err == nil {
		t.Error("a root with a key that BR 6.1.5 does not know")
	}
	if _, err := CreateIssuing(good, w.issuingKey.Public(), Constraints{}, w.root, w.issuingKey, URLs{}, at); err == nil {
		t.Error("signed with another key than the root's")
	}
	for _, d := range []string{"", "*.orchard.com", ".orchard.com", "Orchard.com", "10.0.0.0/8"} {
		if _, err := CreateIssuing(good, w.issuingKey.Public(), Constraints{DNS: []string{d}}, w.root, w.rootKey, URLs{}, at); err == nil {
			t.Errorf("%q is a domain to permit", d)
		}
	}
	late := w.root.NotAfter.AddDate(-1, 0, 0)
	c, err := CreateIssuing(good, w.issuingKey.Public(), Constraints{}, w.root, w.rootKey, URLs{}, late)
	if err != nil || !c.NotAfter.Equal(w.root.NotAfter) {
		t.Errorf("ends at %v after the root, %v", c, err)
	}
}

// Each fault of an imported hierarchy has its own words.
func TestImportedFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	other := newWorld(t, Constraints{})
	ca := func(change func(*x509.Certificate)) Hierarchy {
		template := *w.issuing
		template.SerialNumber, template.SignatureAlgorithm = big.NewInt(7), 0
		template.ExtraExtensions, template.Extensions = nil, nil
		change(&template)
		der, err := x509.CreateCertificate(rand.Reader, &template, w.root, w.issuingKey.Public(), w.rootKey)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return Hierarchy{Issuing: c, Root: w.root}
	}
	cases := []struct {
		want string
		h    Hierarchy
		key  crypto.Signer
		now  time.Time
	}{
		{"has another key than the one", w.hierarchy(), other.issuingKey, at},
		{"has another key than the one", w.hierarchy(), nil, at},
		{"lacks basicConstraints CA:TRUE", ca(func(c *x509.Certificate) {
			c.IsCA, c.MaxPathLenZero, c.MaxPathLen, c.KeyUsage = false, false, -1, x509.KeyUsageDigitalSignature
		}), w.issuingKey, at},
		{"lacks keyCertSign", ca(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), w.issuingKey, at},
		{"lacks cRLSign", ca(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }), w.issuingKey, at},
		{"lacks serverAuth", ca(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }), w.issuingKey, at},
		{"lacks serverAuth", Hierarchy{Issuing: w.issuing, Root: ca(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }).Issuing}, w.issuingKey, at},
		{"ended at", w.hierarchy(), w.issuingKey, w.issuing.NotAfter.Add(time.Second)},
		{"begins only at", w.hierarchy(), w.issuingKey, w.issuing.NotBefore.Add(-time.Hour)},
		{"is not signed by", Hierarchy{Issuing: w.issuing, Root: other.root}, w.issuingKey, at},
		{"not self-signed", Hierarchy{Issuing: w.issuing, Root: w.issuing}, w.issuingKey, at},
		{"needs an issuing certificate and a root", Hierarchy{Issuing: w.issuing}, w.issuingKey, at},
		{"allows 1 CA certificates below it and has 2", Hierarchy{Issuing: w.issuing, Intermediates: []*x509.Certificate{w.issuing}, Root: w.root}, w.issuingKey, at},
	}
	for _, c := range cases {
		if err := c.h.Check(c.key, c.now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
	if err := ca(func(*x509.Certificate) {}).Check(w.issuingKey, at); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func encode(kind string, der ...[]byte) []byte {
	var b bytes.Buffer
	for _, d := range der {
		_ = pem.Encode(&b, &pem.Block{Type: kind, Bytes: d})
	}
	return b.Bytes()
}

func TestReadHierarchy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	h, err := ReadHierarchy(encode("CERTIFICATE", w.issuing.Raw, w.root.Raw))
	if err != nil || !h.Issuing.Equal(w.issuing) || !h.Root.Equal(w.root) || len(h.Intermediates) > 0 {
		t.Errorf("%+v, %v", h, err)
	}
	if err := h.Check(w.issuingKey, at); err != nil {
		t.Error(err)
	}
	many := make([][]byte, maxChain+1)
	for i := range many {
		many[i] = w.root.Raw
	}
	for name, text := range map[string][]byte{
		"empty": nil, "a key": encode("PRIVATE KEY", []byte("x")), "rubbish": encode("CERTIFICATE", []byte("x")),
		"too many": encode("CERTIFICATE", many...), "too long": make([]byte, maxChainBytes+1),
	} {
		if _, err := ReadHierarchy(text); err == nil {
			t.Errorf("%s is a hierarchy", name)
		}
	}
}

func TestReadKey(t *testing.T) {
	t.Parallel()
	k, err := GenerateKey(elliptic.P256())
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	text := append(encode("EC PARAMETERS", []byte{6, 1, 1}), encode("PRIVATE KEY", der)...)
	got, err := ReadKey(text)
	if err != nil || !got.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(k.Public()) {
		t.Errorf("%v", err)
	}
	secret := []byte("not to be told")
	for name, text := range map[string][]byte{
		"empty": nil, "damaged": encode("PRIVATE KEY", secret), "damaged EC": encode("EC PRIVATE KEY", secret),
		"damaged RSA": encode("RSA PRIVATE KEY", secret), "encrypted": encode("ENCRYPTED PRIVATE KEY", secret), "too long": make([]byte, maxChainBytes+1),
	} {
		if _, err := ReadKey(text); err == nil || strings.Contains(err.Error(), string(secret)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzReadHierarchy(f *testing.F) {
	w := newWorld(f, Constraints{DNS: []string{"orchard.com"}})
	f.Add(encode("CERTIFICATE", w.issuing.Raw, w.root.Raw))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if h, err := ReadHierarchy(text); err == nil {
			_ = h.Check(w.issuingKey, at)
			for _, n := range []string{"orchard.com", "*.orchard.com", "10.0.0.1"} {
				within(h.Issuing, n)
			}
		}
		_, _ = ReadKey(text)
	})
}
