// Package issuertest is the suite that every issuer must pass: a test for each
// sentence of the contract of package issuer.
package issuertest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"assay/internal/issuer"
)

// A Fixture is an issuer and what the suite needs to ask it for certificates.
type Fixture struct {
	Issuer issuer.Issuer
	// Request asks for names with a certificate request, DER, so that the issuer
	// will issue: at an upstream CA its order is open, and what it wants to see is
	// published. Every call is an order of its own.
	Request func(t testing.TB, csr []byte, names ...string) *issuer.Request
	// Names are at least two that it certifies, each of its own.
	Names []string
	// Root is the anchor that certificates must lead to.
	Root *x509.Certificate
	// Now is the clock by which the CA dates what it issues. Nil: that of the
	// request. A CA elsewhere has its own, which goes on while it works: a
	// certificate may start in the second after the one it was asked for in.
	Now func() time.Time
}

// An Engine makes the issuers that the suite is run on.
type Engine struct {
	// New makes one that works.
	New func(t testing.TB) *Fixture
	// Away makes one whose key or CA cannot be reached from Complete on.
	Away func(t testing.TB) *Fixture
	// Serially is set where the tests cannot run beside each other.
	Serially bool
}

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *Fixture)
		make func(testing.TB) *Fixture
	}{
		{"a certificate for exactly the names and the key", testExact, e.New},
		{"what was prepared is completed once", testOnce, e.New},
		{"many complete it at once", testAtOnce, e.New},
		{"changed bytes are not signed", testTampered, e.New},
		{"tickets are not made by others", testForged, e.New},
		{"serial numbers are random and never the same", testSerials, e.New},
		{"an attempt whose process died", testResume, e.New},
		{"a caller who leaves", testLeave, e.New},
		{"revoked twice", testRevoke, e.New},
		{"opened again", testOpen, e.New},
		{"unavailable", testAway, e.Away},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !e.Serially {
				t.Parallel()
			}
			c.test(t, c.make(t))
		})
	}
}

// request makes a key and asks for names with it.
func (f *Fixture) request(t *testing.T, names ...string) (*issuer.Request, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		t.Fatal(err)
	}
	return f.Request(t, csr, names...), key
}

func (f *Fixture) prepare(t *testing.T, names ...string) (*issuer.Request, *issuer.Prepared) {
	t.Helper()
	r, _ := f.request(t, names...)
	p, err := f.Issuer.Prepare(t.Context(), r)
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return r, p
}

func testExact(t *testing.T, f *Fixture) {
	if id := f.Issuer.ID(); id == "" {
		t.Error("the issuer has no name")
	}
	r, key := f.request(t, f.Names...)
	p, err := f.Issuer.Prepare(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	i, err := f.Issuer.Complete(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	c := i.Certificate
	got := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		got = append(got, ip.String())
	}
	want := slices.Clone(f.Names)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(c.EmailAddresses)+len(c.URIs) > 0 {
		t.Errorf("certified %v, asked for %v", got, want)
	}
	if !key.Public().(*ecdsa.PublicKey).Equal(c.PublicKey) {
		t.Error("certified another key than the one asked for")
	}
	if c.IsCA || !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
		t.Errorf("CA %v, usages %v", c.IsCA, c.ExtKeyUsage)
	}
	if p.TBS != nil && !bytes.Equal(p.TBS, c.RawTBSCertificate) {
		t.Error("what was signed is not what was prepared")
	}
	if p.Serial != "" && p.Serial != serial(c) {
		t.Errorf("serial number %s, prepared %s", serial(c), p.Serial)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(f.Root)
	for _, above := range i.Chain {
		if above.Equal(c) || above.Equal(f.Root) {
			t.Error("the chain holds the certificate itself or the root")
		}
		between.AddCert(above)
	}
	at := r.Now
	if f.Now != nil {
		at = f.Now()
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at}); err != nil {
		t.Error(err)
	}
	if len(i.Chain) > 0 && c.CheckSignatureFrom(i.Chain[0]) != nil {
		t.Error("the first of the chain is not the issuer")
	}
}

func serial(c *x509.Certificate) string {
	text := c.SerialNumber.Text(16)
	if len(text)%2 == 1 {
		text = "0" + text
	}
	return text
}

func testOnce(t *testing.T, f *Fixture) {
	_, p := f.prepare(t, f.Names[0])
	if _, err := f.Issuer.Complete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if i, err := f.Issuer.Complete(t.Context(), p); !errors.Is(err, issuer.ErrUsed) || i != nil {
			t.Errorf("again: %v, want ErrUsed", err)
		}
	}
}

func testAtOnce(t *testing.T, f *Fixture) {
	_, p := f.prepare(t, f.Names[0])
	var mu sync.Mutex
	var wait sync.WaitGroup
	issued := 0
	for range 8 {
		wait.Go(func() {
			_, err := f.Issuer.Complete(t.Context(), p)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				issued++
			} else if !errors.Is(err, issuer.ErrUsed) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if issued != 1 {
		t.Errorf("%d certificates out of one attempt", issued)
	}
}

// Where the issuer says what will be signed, it signs nothing else.
func testTampered(t *testing.T, f *Fixture) {
	_, p := f.prepare(t, f.Names[0])
	if p.TBS == nil {
		return // an upstream CA writes the bytes itself
	}
	for name, change := range map[string]func(*issuer.Prepared){
		"a bit":             func(p *issuer.Prepared) { p.TBS = slices.Clone(p.TBS); p.TBS[len(p.TBS)/2] ^= 1 },
		"cut":               func(p *issuer.Prepared) { p.TBS = p.TBS[:len(p.TBS)-1] },
		"nothing":           func(p *issuer.Prepared) { p.TBS = nil },
		"another attempt's": func(q *issuer.Prepared) { _, other := f.prepare(t, f.Names[1]); q.TBS = other.TBS },
	} {
		changed := *p
		change(&changed)
		if i, err := f.Issuer.Complete(t.Context(), &changed); err == nil {
			t.Errorf("%s: signed %x", name, i.Certificate.RawTBSCertificate)
		}
	}
}

func testForged(t *testing.T, f *Fixture) {
	_, p := f.prepare(t, f.Names[0])
	for _, ticket := range []any{nil, struct{}{}, "ticket", new(int)} {
		forged := *p
		forged.Ticket = ticket
		if _, err := f.Issuer.Complete(t.Context(), &forged); err == nil {
			t.Errorf("completed with %T for a ticket", ticket)
		}
	}
}

func testSerials(t *testing.T, f *Fixture) {
	seen := map[string]bool{}
	prefixes := map[string]bool{}
	for range 20 {
		_, p := f.prepare(t, f.Names[0])
		if p.Serial == "" {
			return // an upstream CA chooses them
		}
		if seen[p.Serial] || len(p.Serial) < 16 || len(p.Serial) > 40 {
			t.Errorf("serial number %s", p.Serial)
		}
		seen[p.Serial] = true
		prefixes[p.Serial[:4]] = true
	}
	if len(prefixes) < 15 {
		t.Errorf("20 serial numbers begin with %d different pairs of octets", len(prefixes))
	}
}

// After a death an issuer either gives the attempt up, or goes on to the one
// certificate that it leads to.
func testResume(t *testing.T, f *Fixture) {
	for name, completed := range map[string]bool{"before": false, "after": true} {
		r, p := f.prepare(t, f.Names[0])
		var first *x509.Certificate
		if completed {
			i, err := f.Issuer.Complete(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			first = i.Certificate
		}
		resumed, err := f.Issuer.Resume(t.Context(), r, &issuer.Attempt{Serial: p.Serial, TBS: p.TBS, State: p.State, Shard: p.Shard})
		if err != nil {
			if !errors.Is(err, issuer.ErrAbandon) || resumed != nil {
				t.Errorf("%s it was completed: %v", name, err)
			}
			continue
		}
		i, err := f.Issuer.Complete(t.Context(), resumed)
		if err != nil {
			t.Errorf("%s it was completed: %v", name, err)
		} else if first != nil && !i.Certificate.Equal(first) {
			t.Errorf("a second certificate, %s, after %s", serial(i.Certificate), serial(first))
		}
	}
}

func testLeave(t *testing.T, f *Fixture) {
	_, p := f.prepare(t, f.Names[0])
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if i, err := f.Issuer.Complete(cancelled, p); err == nil || i != nil {
		t.Errorf("issued to one who had left: %v", err)
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled in it", err)
	}
}

func testRevoke(t *testing.T, f *Fixture) {
	r, p := f.prepare(t, f.Names[0])
	i, err := f.Issuer.Complete(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Issuer.Revoke(t.Context(), &issuer.Revocation{Certificate: i.Certificate, Reason: issuer.Superseded, At: r.Now}); err != nil {
			t.Error(err)
		}
	}
}

// Open asked again with what it said returns the same order.
func testOpen(t *testing.T, f *Fixture) {
	r, _ := f.request(t, f.Names[0])
	first, err := f.Issuer.Open(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if f.Issuer.Upstream() != (len(first.Challenges) > 0) {
		t.Errorf("upstream %v, %d challenges", f.Issuer.Upstream(), len(first.Challenges))
	}
	again := *r
	again.State = first.State
	second, err := f.Issuer.Open(t.Context(), &again)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range first.Challenges {
		if i >= len(second.Challenges) || second.Challenges[i].Value != c.Value {
			t.Errorf("challenge %d is another one when asked again", i)
		}
	}
}

func testAway(t *testing.T, f *Fixture) {
	_, p := f.prepare(t, f.Names[0])
	i, err := f.Issuer.Complete(t.Context(), p)
	var away *issuer.Unavailable
	if !errors.As(err, &away) || i != nil {
		t.Fatalf("%v, want Unavailable", err)
	}
	if !slices.Contains([]string{"busy", "network", "key-offline", "pause", "error"}, away.Problem) || away.Err == nil {
		t.Errorf("%+v", away)
	}
}
