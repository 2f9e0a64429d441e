package lint

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
	"assay/profile"
)

var at = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func gate(t testing.TB, k crypto.Signer) *Gate {
	t.Helper()
	g, err := New(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func named(t testing.TB, name string) *profile.Profile {
	t.Helper()
	p, err := profile.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// good is a certificate without a fault under baseline.
func good() *x509.Certificate {
	policy, err := x509.OIDFromInts([]uint64{2, 23, 140, 1, 2, 1})
	if err != nil {
		panic(err)
	}
	return &x509.Certificate{
		SerialNumber: new(big.Int).Lsh(big.NewInt(0x7123456789), 100), Subject: pkix.Name{CommonName: "www.orchard.com"},
		DNSNames: []string{"www.orchard.com"}, NotBefore: at, NotAfter: at.Add(90*24*time.Hour - time.Second),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, Policies: []x509.OID{policy},
		CRLDistributionPoints: []string{"http://pki.example.net/0.crl"}, IssuingCertificateURL: []string{"http://pki.example.net/ca.crt"},
	}
}

// body is the certificate's TBSCertificate, as a CA would write it.
func body(t testing.TB, c *x509.Certificate, k crypto.Signer) []byte {
	t.Helper()
	ca := &x509.Certificate{
		Subject:      pkix.Name{CommonName: "Orchard Issuing", Organization: []string{"Orchard"}, Country: []string{"DE"}},
		SubjectKeyId: []byte{1, 2, 3, 4},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, ca, newKey(t).Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.RawTBSCertificate
}

func TestTicketIsWorthOneSignature(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	g := gate(t, k)
	tbs := body(t, good(), k)
	ticket, warnings, err := g.Check(t.Context(), tbs, named(t, "baseline"), order.DV)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if !ticket.Stands(tbs) || ticket.Stands(tbs[1:]) {
		t.Error("the ticket stands for other bytes than those that were linted")
	}
	if !strings.HasPrefix(ticket.Lints(), Version+", ") {
		t.Errorf("linted %q", ticket.Lints())
	}
	var wait sync.WaitGroup
	var mu sync.Mutex
	var signed [][]byte
	for range 16 {
		wait.Go(func() {
			der, err := g.Sign(t.Context(), ticket, k)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				signed = append(signed, der)
			} else if !errors.Is(err, issuer.ErrUsed) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(signed) != 1 {
		t.Fatalf("a ticket was worth %d signatures", len(signed))
	}
	c, err := x509.ParseCertificate(signed[0])
	if err != nil {
		t.Fatal(err)
	}
	if string(c.RawTBSCertificate) != string(tbs) {
		t.Error("what was signed is not what was linted")
	}
	if err := (&x509.Certificate{PublicKey: k.Public(), PublicKeyAlgorithm: x509.ECDSA}).CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
		t.Error(err)
	}
}

func TestChangedBytesAfterCheck(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	g := gate(t, k)
	tbs := body(t, good(), k)
	ticket, _, err := g.Check(t.Context(), tbs, named(t, "baseline"), order.DV)
	if err != nil {
		t.Fatal(err)
	}
	before := ticket.TBS()
	tbs[len(tbs)-1] ^= 1
	ticket.TBS()[0] ^= 1
	if !ticket.Stands(before) {
		t.Error("the caller can change the bytes that a ticket stands for")
	}
}

func TestForgedTickets(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	g, other := gate(t, k), gate(t, k)
	elsewhere, _, err := other.Check(t.Context(), body(t, good(), k), named(t, "baseline"), order.DV)
	if err != nil {
		t.Fatal(err)
	}
	for name, ticket := range map[string]*Ticket{"nil": nil, "zero": {}, "another gate's": elsewhere} {
		if _, err := g.Sign(t.Context(), ticket, k); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (&Ticket{}).Stands(nil) {
		t.Error("a ticket out of nothing stands for no bytes")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	ip := net.IPv4(10, 0, 0, 1)
	cases := []struct {
		name      string
		profile   string
		product   order.Product
		change    func(*x509.Certificate)
		lint      string // expected among the problems; "" for a clean certificate
		condition string
		field     string
	}{
		{"nothing wrong", "baseline", order.DV, func(*x509.Certificate) {}, "", "", ""},
		{"internal name, public", "baseline", order.DV, func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "printer.corp") }, "e_dnsname_not_valid_tld", "", "subjectAltName"},
		{"internal name, private", "private", order.DV, func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "printer.corp") }, "", "", ""},
		{"bare host, private", "private", order.DV, func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, "printer") }, "", "", ""},
		{"private address, public", "baseline", order.DV, func(c *x509.Certificate) { c.IPAddresses = []net.IP{ip} }, "e_ext_san_contains_reserved_ip", "", "subjectAltName"},
		{"private address, private", "private", order.DV, func(c *x509.Certificate) { c.IPAddresses = []net.IP{ip} }, "", "", ""},
		{"ten years, public", "baseline", order.DV, func(c *x509.Certificate) { c.NotAfter = at.AddDate(10, 0, 0) }, "e_server_cert_valid_time_longer_than_200_days", "profile", "validity"},
		{"two years, private", "private", order.DV, func(c *x509.Certificate) { c.NotAfter = at.AddDate(2, 0, 0) }, "", "", ""},
		{"no policy, public", "baseline", order.DV, func(c *x509.Certificate) { c.Policies = nil }, "e_sub_cert_certificate_policies_missing", "profile", "certificatePolicies"},
		{"no policy, private", "private", order.DV, func(c *x509.Certificate) { c.Policies = nil }, "", "", ""},
		{"common name not among the names", "baseline", order.DV, func(c *x509.Certificate) { c.Subject.CommonName = "x.orchard.com" }, "e_subject_common_name_not_exactly_from_san", "", "subject"},
		{"organization in a DV certificate", "baseline", order.DV, func(c *x509.Certificate) { c.Subject.Organization = []string{"Orchard"} }, "e_cab_dv_subject_invalid_values", "", "subject"},
		{"a CA", "baseline", order.DV, func(c *x509.Certificate) { c.IsCA = true }, "e_leaf_is_ca", "profile", "basicConstraints"},
		{"a CA by its key usage", "baseline", order.DV, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }, "e_leaf_is_ca", "profile", "basicConstraints"},
		{"not for servers", "baseline", order.DV, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, "e_leaf_not_for_servers", "profile", "extKeyUsage"},
		{"an extension that has no place", "baseline", order.DV, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 54}, Value: []byte{2, 1, 0}}}
		}, "e_leaf_extension", "profile", "extensions"},
		{"wildcard in EV", "baseline", order.EV, func(c *x509.Certificate) {
			ev, _ := x509.OIDFromInts([]uint64{2, 23, 140, 1, 1})
			c.DNSNames, c.Policies = append(c.DNSNames, "*.orchard.com"), []x509.OID{ev}
		}, "e_ev_not_wildcard", "", "subject"},
	}
	k := newKey(t)
	g := gate(t, k)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			template := good()
			c.change(template)
			p := named(t, c.profile)
			if !p.Public {
				template.SubjectKeyId = []byte{5, 6, 7, 8}
			}
			ticket, warnings, err := g.Check(t.Context(), body(t, template, k), p, c.product)
			var problems []issuer.Problem
			var refusal *issuer.Refusal
			switch {
			case errors.As(err, &refusal):
				problems = refusal.Problems
				if ticket != nil {
					t.Error("a refusal with a ticket")
				}
			case err != nil:
				t.Fatal(err)
			default:
				problems = warnings
			}
			if c.lint == "" {
				if len(problems) > 0 {
					t.Fatalf("found %+v", problems)
				}
				return
			}
			i := slices.IndexFunc(problems, func(p issuer.Problem) bool { return p.Parameters["lint"] == c.lint })
			if refusal == nil || i < 0 {
				t.Fatalf("want %s, found %+v, %v", c.lint, problems, err)
			}
			p1 := problems[i]
			if p1.Cause != cause.IssuanceLintError || p1.Condition != c.condition || p1.Parameters["field"] != c.field || p1.Parameters["problem"] != "error" {
				t.Errorf("%+v", p1)
			}
		})
	}
}

// Under a profile whose level of the cause does not block, an error is a
// warning; a certificate that cannot be read is refused all the same.
func TestLevelOfTheProfile(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	g := gate(t, k)
	wrong := good()
	wrong.Subject.CommonName = "x.orchard.com"
	ticket, warnings, err := g.Check(t.Context(), body(t, wrong, k), named(t, "private"), order.DV)
	if err != nil || ticket == nil || len(warnings) == 0 || warnings[0].Parameters["problem"] != "error" {
		t.Errorf("%v, %+v", err, warnings)
	}
	_, _, err = g.Check(t.Context(), []byte("no certificate"), named(t, "private"), order.DV)
	var refusal *issuer.Refusal
	if !errors.As(err, &refusal) || refusal.Problems[0].Parameters["problem"] != "fatal" {
		t.Errorf("rubbish: %v", err)
	}
	_, _, err = g.Check(t.Context(), make([]byte, maxTBS+1), named(t, "private"), order.DV)
	if !errors.As(err, &refusal) {
		t.Errorf("too long: %v", err)
	}
}

type broken struct{ crypto.Signer }

func (broken) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("device removed")
}

func TestKeyAway(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	g := gate(t, k)
	ticket, _, err := g.Check(t.Context(), body(t, good(), k), named(t, "baseline"), order.DV)
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Sign(cancelled, ticket, k); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	var away *issuer.Unavailable
	if _, err := g.Sign(t.Context(), ticket, broken{k}); !errors.As(err, &away) || away.Problem != "key-offline" {
		t.Errorf("%v", err)
	}
	// What the device did before it failed is not known.
	if _, err := g.Sign(t.Context(), ticket, k); !errors.Is(err, issuer.ErrUsed) {
		t.Errorf("the ticket was worth a second attempt: %v", err)
	}
	if _, _, err := g.Check(cancelled, body(t, good(), k), named(t, "baseline"), order.DV); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestListsAreNoCertificates(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	g := gate(t, k)
	if _, err := g.Scheme().SignList(k, body(t, good(), k)); err == nil {
		t.Error("a certificate was signed as a list")
	}
	if _, err := g.Scheme().SignList(k, nil); err == nil {
		t.Error("nothing was signed as a list")
	}
}

func TestKeysOfCAs(t *testing.T) {
	t.Parallel()
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []crypto.PublicKey{weak.Public(), small.Public(), "no key"} {
		if _, err := New(k); err == nil {
			t.Errorf("%T is accepted", k)
		}
	}
}

// The version that findings name is the module's.
func TestVersion(t *testing.T) {
	t.Parallel()
	module, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/zmap/zlint/v3 v" + strings.TrimPrefix(Version, "zlint "); !strings.Contains(string(module), want) {
		t.Errorf("go.mod does not hold %q", want)
	}
}
