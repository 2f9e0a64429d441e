package upstream

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
)

// begin opens and prepares.
func begin(t *testing.T, ca *CA, r *issuer.Request) *issuer.Prepared {
	t.Helper()
	opened, err := ca.Open(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.State = opened.State
	p, err := ca.Prepare(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestComplete: a name, a wildcard and an address become a certificate.
func TestComplete(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ca := f.ca(t)
	p := begin(t, ca, requestFor(order.MethodHTTP01, "www.orchard.net", "192.0.2.1", "2001:db8::1"))
	issued, err := ca.Complete(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	h := testHierarchy()
	if !issued.Certificate.Equal(f.issued) || len(issued.Chain) != 1 || !issued.Chain[0].Equal(h.issuing) || !issued.Root.Equal(h.root) {
		t.Errorf("%+v", issued)
	}
	if f.count("challenge") != 3 || f.count("finalize") != 1 || f.count("renewal") != 0 {
		t.Errorf("steps %v", f.steps)
	}
	if _, err := ca.Complete(context.Background(), p); !errors.Is(err, issuer.ErrUsed) {
		t.Errorf("a second time: %v", err)
	}
	if _, err := ca.Complete(context.Background(), &issuer.Prepared{State: p.State}); !errors.Is(err, errNoTicket) {
		t.Errorf("not prepared here: %v", err)
	}
}

// TestKill: a process that dies at any step, or whose answer is lost there, is
// followed by another that leads the same order to one certificate.
func TestKill(t *testing.T) {
	t.Parallel()
	const most = 40
	for lost := range 2 {
		for at := range most {
			t.Run(fmt.Sprint(lost, at), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFake(t)
					f.pending, f.processing = 1, 1
					key := newKey()
					same := func(c *Config) { c.Key = key }
					r := requestFor(order.MethodDNS01, "a.orchard.net", "b.orchard.net")
					p := begin(t, f.ca(t, same), r)
					ctx, kill := context.WithCancel(context.Background())
					defer kill()
					n := 0
					f.fault = func(w http.ResponseWriter, q *http.Request, step string, payload []byte) bool {
						if n++; n != at+1 {
							return false
						}
						if lost == 1 { // done there, not heard here
							f.serve(w, step, strings.Split(strings.Trim(q.URL.Path, "/"), "/")[1:], payload)
						}
						kill()
						return true
					}
					issued, err := f.ca(t, same).Complete(ctx, prepared(t, f.ca(t, same), r, p.State))
					f.fault = nil
					if err == nil && n > at {
						t.Fatalf("killed at %d of %d and there is a certificate", at, n)
					}
					if err != nil {
						again := f.ca(t, same)
						if issued, err = again.Complete(context.Background(), prepared(t, again, r, p.State)); err != nil {
							t.Fatalf("killed at %d: %v", at, err)
						}
					}
					if f.orders != 1 || f.issues != 1 || !issued.Certificate.Equal(f.issued) {
						t.Errorf("killed at %d: %d orders, %d certificates", at, f.orders, f.issues)
					}
				})
			})
		}
	}
}

// prepared resumes a stored attempt.
func prepared(t *testing.T, ca *CA, r *issuer.Request, state []byte) *issuer.Prepared {
	t.Helper()
	p, err := ca.Resume(context.Background(), r, &issuer.Attempt{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWait: pauses grow, Retry-After is kept to, and there is an end.
func TestWait(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                string
		pending, processing int
		retry               string
		wait                time.Duration
		took                time.Duration
		problem             string
		again               time.Duration // when the error says to come back
	}{
		{name: "at once"},
		{name: "growing", pending: 4, took: (1 + 2 + 4 + 8) * time.Second},
		{name: "both", pending: 1, processing: 2, took: (1 + 1 + 2) * time.Second},
		{name: "never longer than 15 s", processing: 7, took: (1 + 2 + 4 + 8 + 15 + 15 + 15) * time.Second},
		{name: "as the CA says", pending: 2, retry: "7", took: 7 * 3 * time.Second},
		{name: "a date", pending: 0, retry: "Sat, 01 Jan 2000 00:00:09 GMT", took: 9 * time.Second},
		{name: "zero says nothing", pending: 3, retry: "0", took: (1 + 2 + 4) * time.Second},
		{name: "longer than may be waited", pending: 1, retry: "3600", problem: "busy", again: time.Hour},
		{name: "a year", pending: 1, retry: "31536000", problem: "busy", again: maxRetry},
		{name: "for ever", pending: 1000, wait: 20 * time.Second, took: (1 + 2 + 4 + 8) * time.Second, problem: "busy", again: 30 * time.Second},
		{name: "for ever being made", processing: 1000, wait: 10 * time.Second, took: (1 + 2 + 4) * time.Second, problem: "busy", again: 22 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				f.pending, f.processing = c.pending, c.processing
				ca := f.ca(t, func(cfg *Config) { cfg.Wait = c.wait })
				p := begin(t, ca, requestFor(order.MethodDNS01, "www.orchard.net"))
				f.fault = func(w http.ResponseWriter, _ *http.Request, _ string, _ []byte) bool {
					if c.retry != "" {
						w.Header().Set("Retry-After", c.retry)
					}
					return false
				}
				began := time.Now()
				_, err := ca.Complete(context.Background(), p)
				var unavailable *issuer.Unavailable
				switch {
				case c.problem == "" && err != nil:
					t.Errorf("%s: %v", c.name, err)
				case c.problem != "" && (!errors.As(err, &unavailable) || unavailable.Problem != c.problem || !unavailable.Retry.Equal(began.Add(c.again))):
					t.Errorf("%s: %+v, want %s at %s", c.name, err, c.problem, began.Add(c.again))
				}
				if took := time.Since(began); took != c.took {
					t.Errorf("%s: took %s, want %s", c.name, took, c.took)
				}
			})
		})
	}
}

// TestCancelled: whoever waits can stop.
func TestCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.pending = 1000
		ca := f.ca(t)
		p := begin(t, ca, requestFor(order.MethodDNS01, "www.orchard.net"))
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := ca.Complete(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

// TestForged: a certificate that is not what was asked for is never handed out.
func TestForged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		forge func(c *x509.Certificate, key crypto.PublicKey) crypto.PublicKey
		chain func(sent []*x509.Certificate) []*x509.Certificate
		want  error  // nil: unavailable, where err is set
		err   string // "": none
	}{
		{name: "another name", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey { c.DNSNames[0] = "evil.net"; return nil }, want: ErrCertificate, err: "evil.net"},
		{name: "one name more", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey {
			c.DNSNames = append(c.DNSNames, "evil.net")
			return nil
		}, want: ErrCertificate, err: "evil.net"},
		{name: "one name less", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey {
			c.DNSNames = c.DNSNames[:1]
			return nil
		}, want: ErrCertificate, err: "its names"},
		{name: "a name twice", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey {
			c.DNSNames[1] = c.DNSNames[0]
			return nil
		}, want: ErrCertificate, err: "its names"},
		{name: "a mail address", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey {
			c.EmailAddresses = []string{"a@orchard.net"}
			return nil
		}, want: ErrCertificate, err: "its names"},
		{name: "another common name", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey {
			c.Subject.CommonName = "evil.net"
			return nil
		}, want: ErrCertificate, err: "common name"},
		{name: "its common name", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey {
			c.Subject.CommonName = "A.orchard.net"
			return nil
		}},
		{name: "another key", forge: func(*x509.Certificate, crypto.PublicKey) crypto.PublicKey { return newKey().Public() }, want: ErrCertificate, err: "another key"},
		{name: "of a CA", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey { c.IsCA = true; return nil }, want: ErrCertificate, err: "one of a CA"},
		{name: "ended", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey {
			c.NotAfter = time.Now().Add(-time.Minute)
			return nil
		}, want: ErrCertificate, err: "it ended"},
		{name: "not begun", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey {
			c.NotBefore = time.Now().Add(time.Hour)
			return nil
		}, want: ErrCertificate, err: "it begins only"},
		{name: "the CA's clock is a minute ahead", forge: func(c *x509.Certificate, _ crypto.PublicKey) crypto.PublicKey {
			c.NotBefore = time.Now().Add(time.Minute)
			return nil
		}},
		{name: "no chain", chain: func(s []*x509.Certificate) []*x509.Certificate { return s[:1] }, err: "does not lead to a root"},
		{name: "another chain", chain: func(s []*x509.Certificate) []*x509.Certificate {
			return []*x509.Certificate{s[0], testHierarchy().root}
		}, err: "does not lead to a root"},
		{name: "the root and more", chain: func(s []*x509.Certificate) []*x509.Certificate {
			return []*x509.Certificate{s[0], s[1], testHierarchy().root, s[0]}
		}},
		{name: "nothing", chain: func([]*x509.Certificate) []*x509.Certificate { return nil }, err: "no certificate"},
		{name: "very long", chain: func(s []*x509.Certificate) []*x509.Certificate {
			for range maxChain {
				s = append(s, s[1])
			}
			return s
		}, err: "more than 10 certificates"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.forge, f.chain = c.forge, c.chain
			ca := f.ca(t)
			p := begin(t, ca, requestFor(order.MethodDNS01, "a.orchard.net", "b.orchard.net"))
			issued, err := ca.Complete(context.Background(), p)
			if c.err == "" {
				if err != nil || len(issued.Chain) != 1 || !issued.Root.Equal(testHierarchy().root) {
					t.Errorf("%+v %v", issued, err)
				}
				return
			}
			var refusal *issuer.Refusal
			if foreign := errors.As(err, &refusal); foreign != (c.want != nil) || foreign && refusal.Problems[0].Cause != cause.IssuanceCAUnavailable {
				t.Errorf("it is not asked for again: %v", err)
			}
			var unavailable *issuer.Unavailable
			if issued != nil || err == nil || !strings.Contains(err.Error(), c.err) || c.want != nil && !errors.Is(err, c.want) || c.want == nil && !errors.As(err, &unavailable) {
				t.Errorf("%+v %v", issued, err)
			}
		})
	}
}

// TestCSR: a CSR that the CA would refuse is refused before it sees it.
func TestCSR(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		csr   []byte
		cause cause.ID
	}{
		{"other names", requestFor("", "x.orchard.net").CSR, cause.CSRNamesDifferFromOrder},
		{"too few", requestFor("", "a.orchard.net").CSR, cause.CSRNamesDifferFromOrder},
		{"too many", requestFor("", "a.orchard.net", "b.orchard.net", "192.0.2.1").CSR, cause.CSRNamesDifferFromOrder},
		{"none", []byte("x"), cause.CSRUnreadable},
		{"huge", make([]byte, maxDER+1), cause.CSRUnreadable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			r := requestFor(order.MethodDNS01, "a.orchard.net", "b.orchard.net")
			r.CSR = c.csr
			_, err := f.ca(t).Open(context.Background(), r)
			wantRefusal(t, err, c.cause)
			if len(f.steps) > 0 {
				t.Errorf("the CA was asked: %v", f.steps)
			}
		})
	}
}
