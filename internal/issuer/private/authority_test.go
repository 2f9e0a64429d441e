package private

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/internal/issuer/lint"
	"assay/order"
)

func TestCertificateSaysWhatWasAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	a := newAuthority(t, w.config())
	r := request(t, "private", "www.orchard.com", "*.orchard.com", "10.1.2.3", "fd00::1", "printer")
	r.CommonName, r.ClientAuth = "www.orchard.com", true
	c := issue(t, a, r)
	if c.Subject.String() != "CN=www.orchard.com" || !slices.Equal(c.DNSNames, []string{"www.orchard.com", "*.orchard.com", "printer"}) {
		t.Errorf("subject %s, names %v", c.Subject, c.DNSNames)
	}
	if len(c.IPAddresses) != 2 || c.IPAddresses[0].String() != "10.1.2.3" || c.IPAddresses[1].String() != "fd00::1" {
		t.Errorf("addresses %v", c.IPAddresses)
	}
	if !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}) || c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("usages %v, %v", c.ExtKeyUsage, c.KeyUsage)
	}
	if c.IsCA || string(c.AuthorityKeyId) != string(w.issuing.SubjectKeyId) || len(c.SubjectKeyId) != 20 {
		t.Errorf("CA %v, key identifiers %x, %x", c.IsCA, c.AuthorityKeyId, c.SubjectKeyId)
	}
	if !slices.Equal(c.CRLDistributionPoints, []string{"http://pki.example.net/crl/main/0.crl"}) ||
		!slices.Equal(c.OCSPServer, []string{"http://pki.example.net/ocsp"}) ||
		!slices.Equal(c.IssuingCertificateURL, []string{"http://pki.example.net/ca/main.crt"}) {
		t.Errorf("places %v, %v, %v", c.CRLDistributionPoints, c.OCSPServer, c.IssuingCertificateURL)
	}
	if second := issue(t, a, r); second.CRLDistributionPoints[0] != "http://pki.example.net/crl/main/1.crl" {
		t.Errorf("the second certificate is in %v", second.CRLDistributionPoints)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(w.root)
	between.AddCert(w.issuing)
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at, DNSName: "mail.orchard.com"}); err != nil {
		t.Error(err)
	}
}

func TestClientAuthByDate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	a := newAuthority(t, w.config())
	for day, want := range map[string]int{"2027-03-14": 2, "2027-03-15": 1} {
		r := request(t, "baseline", "www.orchard.com")
		r.ClientAuth, r.Now = true, date(t, day)
		if c := issue(t, a, r); len(c.ExtKeyUsage) != want {
			t.Errorf("%s: %d usages, want %d", day, len(c.ExtKeyUsage), want)
		}
	}
}

func date(t *testing.T, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestValidityToTheSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	config := w.config()
	config.Backdate = 10 * time.Minute
	a := newAuthority(t, config)
	cases := []struct {
		name, profile, plan string
		now, notAfter       time.Time
		seconds             int64 // both ends counted
	}{
		{"200 days", "baseline", "", at, time.Time{}, 200 * 86400},
		{"100 days from 2027-03-15", "baseline", "", date(t, "2027-03-15"), time.Time{}, 100 * 86400},
		{"the last second of 200 days", "baseline", "", date(t, "2027-03-15").Add(-time.Second), time.Time{}, 200 * 86400},
		{"47 days from 2029-03-15", "baseline", "", date(t, "2029-03-15"), time.Time{}, 47 * 86400},
		{"160 hours", "letsencrypt", "shortlived", at, time.Time{}, 160 * 3600},
		{"45 days", "letsencrypt", "tlsserver", at, time.Time{}, 45 * 86400},
		{"asked for", "baseline", "", at, at.Add(30 * day), 30*86400 + 600 + 1},
		{"asked for more than the maximum", "baseline", "", at, at.Add(900 * day), 200 * 86400},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := request(t, c.profile, "www.orchard.com")
			r.Plan, r.Now, r.NotAfter = c.plan, c.now, c.notAfter
			got := issue(t, a, r)
			if !got.NotBefore.Equal(c.now.Add(-10*time.Minute)) || int64(got.NotAfter.Sub(got.NotBefore)/time.Second)+1 != c.seconds {
				t.Errorf("%s to %s: %d seconds, want %d", got.NotBefore, got.NotAfter, int64(got.NotAfter.Sub(got.NotBefore)/time.Second)+1, c.seconds)
			}
		})
	}
	t.Run("not beyond the issuer", func(t *testing.T) {
		t.Parallel()
		r := request(t, "baseline", "www.orchard.com")
		r.Now = w.issuing.NotAfter.Add(-3 * day)
		if got := issue(t, a, r); !got.NotAfter.Equal(w.issuing.NotAfter) {
			t.Errorf("ends %s, the issuer %s", got.NotAfter, w.issuing.NotAfter)
		}
		r.Now = w.issuing.NotAfter.Add(time.Second)
		var away *issuer.Unavailable
		if _, err := a.Prepare(t.Context(), r); !errors.As(err, &away) {
			t.Errorf("after its end: %v", err)
		}
		r.Now, r.NotAfter = at, at
		if _, err := a.Prepare(t.Context(), r); err == nil {
			t.Error("a certificate that ends when it is signed")
		}
	})
	t.Run("not before the issuer", func(t *testing.T) {
		t.Parallel()
		r := request(t, "baseline", "www.orchard.com")
		r.Now = w.issuing.NotBefore.Add(time.Minute)
		if got := issue(t, a, r); !got.NotBefore.Equal(w.issuing.NotBefore) {
			t.Errorf("begins %s, the issuer %s", got.NotBefore, w.issuing.NotBefore)
		}
	})
}

func TestOutsideTheConstraints(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, newWorld(t, Constraints{DNS: []string{"orchard.com", "corp"}, IP: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}).config())
	inside := request(t, "private", "orchard.com", "*.orchard.com", "a.b.corp", "10.255.0.1")
	issue(t, a, inside)
	r := request(t, "private", "www.orchard.com", "notorchard.com", "11.0.0.1", "fd00::1", "*.com")
	_, err := a.Prepare(t.Context(), r)
	var refusal *issuer.Refusal
	if !errors.As(err, &refusal) {
		t.Fatal(err)
	}
	var names []string
	for _, p := range refusal.Problems {
		if p.Cause != cause.RequestProductMismatch || p.Parameters["rule"] != "constraint" {
			t.Errorf("%+v", p)
		}
		names = append(names, p.Subject)
	}
	if !slices.Equal(names, []string{"notorchard.com", "11.0.0.1", "fd00::1", "*.com"}) {
		t.Errorf("outside are %v", names)
	}
	if !strings.Contains(err.Error(), "orchard.com") {
		t.Errorf("the error does not say what is permitted: %v", err)
	}
}

// The constraints mean here what they mean to crypto/x509.
func TestConstraintsAsVerifiersReadThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{DNS: []string{"orchard.com"}})
	free := newWorld(t, Constraints{})
	a := newAuthority(t, free.config())
	for _, n := range []string{"orchard.com", "a.orchard.com", "*.orchard.com", "*.a.orchard.com", "porchard.com", "com", "*.com", "orchard.com.example", "10.0.0.1", "::1"} {
		// The same certificate, once signed by whom nothing binds.
		c := issue(t, a, request(t, "private", n))
		bound := *w.issuing
		bound.RawSubject, bound.PublicKey, bound.PublicKeyAlgorithm = free.issuing.RawSubject, free.issuing.PublicKey, free.issuing.PublicKeyAlgorithm
		bound.SubjectKeyId = free.issuing.SubjectKeyId
		pool := x509.NewCertPool()
		pool.AddCert(&bound)
		_, err := c.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: at})
		if got, want := within(w.issuing, n), err == nil; got != want {
			t.Errorf("%s: within %v; crypto/x509 says %v", n, got, err)
		}
	}
}

func TestTamperedIsNotSigned(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, newWorld(t, Constraints{}).config())
	r := request(t, "private", "www.orchard.com")
	p, err := a.Prepare(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	changed := *p
	changed.TBS = slices.Clone(p.TBS)
	changed.TBS[len(changed.TBS)-1] ^= 1
	if _, err := a.Complete(t.Context(), &changed); err == nil {
		t.Error("other bytes than those that were linted were signed")
	}
	none := *p
	none.Ticket = nil
	if _, err := a.Complete(t.Context(), &none); !errors.Is(err, lint.ErrForged) {
		t.Errorf("without a ticket: %v", err)
	}
	if _, err := a.Complete(t.Context(), p); err != nil {
		t.Error(err)
	}
	if _, err := a.Complete(t.Context(), p); !errors.Is(err, issuer.ErrUsed) {
		t.Errorf("twice: %v", err)
	}
}

func TestNotIssuable(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, newWorld(t, Constraints{}).config())
	long := strings.Repeat("a", 60) + ".orchard.com"
	cases := []struct {
		name   string
		change func(*issuer.Request)
		want   cause.ID
	}{
		{"no request", func(r *issuer.Request) { r.CSR = nil }, cause.CSRUnreadable},
		{"common name of 72 characters", func(r *issuer.Request) { r.Names, r.CommonName = []string{long}, long }, cause.CSRCommonNameTooLong},
		{"OV without an organization", func(r *issuer.Request) { r.Product = order.OV }, cause.OrganizationFieldEmpty},
		{"EV without a register", func(r *issuer.Request) {
			r.Product, r.Subject = order.EV, orchard()
			r.Subject.RegistrationNumber = ""
		}, cause.OrganizationFieldEmpty},
		{"a name of 65 characters", func(r *issuer.Request) {
			r.Product, r.Subject = order.OV, orchard()
			r.Subject.Name = strings.Repeat("ö", 65)
		}, cause.OrganizationFieldInvalid},
		{"a country in words", func(r *issuer.Request) {
			r.Product, r.Subject = order.OV, orchard()
			r.Subject.Country = "Germany"
		}, cause.OrganizationFieldInvalid},
		{"an end before it is signed", func(r *issuer.Request) { r.NotAfter = r.Now.Add(-time.Hour) }, cause.RequestValidityTooLong},
		{"an internal name under a public profile", func(r *issuer.Request) { r.Names = []string{"printer.corp"} }, cause.IssuanceLintError},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := request(t, "baseline", "www.orchard.com")
			c.change(r)
			_, err := a.Prepare(t.Context(), r)
			var refusal *issuer.Refusal
			if !errors.As(err, &refusal) || refusal.Problems[0].Cause != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
	for name, r := range map[string]*issuer.Request{"empty": {}, "no names": func() *issuer.Request {
		r := request(t, "baseline")
		return r
	}()} {
		if _, err := a.Prepare(t.Context(), r); err == nil {
			t.Errorf("%s: prepared", name)
		}
	}
}

func TestSerials(t *testing.T) {
	t.Parallel()
	seen, ones := map[string]bool{}, [160]int{}
	const n = 2000
	for range n {
		s, err := newSerial(random{})
		if err != nil || len(s) != 20 || s[0] < 0x40 || s[0] > 0x7f {
			t.Fatalf("%x, %v", s, err)
		}
		if seen[hex.EncodeToString(s)] {
			t.Fatalf("%x twice", s)
		}
		seen[hex.EncodeToString(s)] = true
		for i := range 160 {
			ones[i] += int(s[i/8] >> (7 - i%8) & 1)
		}
	}
	for i, got := range ones[2:] { // six standard deviations
		if got < n/2-135 || got > n/2+135 {
			t.Errorf("bit %d is set in %d of %d", i+2, got, n)
		}
	}
	if _, err := newSerial(strings.NewReader("short")); err == nil {
		t.Error("a serial number without random bits")
	}
}

type away struct{ crypto.Signer }

func (away) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("CKR_DEVICE_REMOVED")
}

// wrong gives signatures of something else.
type wrong struct{ crypto.Signer }

func (w wrong) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	other := slices.Clone(digest)
	other[0] ^= 1
	return w.Signer.Sign(r, other, o)
}

func TestKeyThatDoesNotSign(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	for name, key := range map[string]crypto.Signer{"away": away{w.issuingKey}, "wrong": wrong{w.issuingKey}} {
		config := w.config()
		config.Key = key
		a := newAuthority(t, config)
		p, err := a.Prepare(t.Context(), request(t, "private", "www.orchard.com"))
		if err != nil {
			t.Fatal(err)
		}
		var unavailable *issuer.Unavailable
		if _, err := a.Complete(t.Context(), p); !errors.As(err, &unavailable) || unavailable.Problem != "key-offline" {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := a.Complete(t.Context(), p); !errors.Is(err, issuer.ErrUsed) {
			t.Errorf("%s, again: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Constraints{})
	cases := map[string]func(*Config){
		"issuer id":               func(c *Config) { c.ID = "../x" },
		"part of the CRL":         func(c *Config) { c.NextShard = nil },
		"between 0 and 1h":        func(c *Config) { c.Backdate = 2 * time.Hour },
		"must begin with http://": func(c *Config) { c.URLs.OCSP = "https://pki.example.net/ocsp" },
		"must end in /":           func(c *Config) { c.URLs.CRL = "http://pki.example.net/crl" },
		"has another key":         func(c *Config) { c.Key = w.rootKey },
		"needs an issuing":        func(c *Config) { c.Hierarchy = Hierarchy{} },
		"has another key than":    func(c *Config) { c.Key = nil },
	}
	for want, change := range cases {
		config := w.config()
		change(&config)
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestShardsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	config := newWorld(t, Constraints{}).config()
	full := errors.New("database is locked")
	config.NextShard = func(context.Context) (int, error) { return 0, full }
	if _, err := newAuthority(t, config).Prepare(t.Context(), request(t, "private", "www.orchard.com")); !errors.Is(err, full) {
		t.Error(err)
	}
}
