package upstream

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"

	"assay/cause"
	"assay/data"
	"assay/internal/issuer"
	"assay/order"
	"assay/probe/dial"
)

// A pebble is Let's Encrypt's test CA in this process, with servers that answer
// its challenges. It deadlocks under parallel accounts, so its tests are serial.
type pebble struct {
	config Config
	root   *x509.Certificate
	answer *challtestsrv.ChallSrv
}

// pebbleOptions change how the CA is started.
type pebbleOptions struct {
	alwaysValid, eab bool
	badNonces        string   // percent
	blocked          string   // a domain; with one, Pebble panics at wildcards
	gateway          *gateway // what it looks through, instead of its own servers
}

func newPebble(t testing.TB, o pebbleOptions) *pebble {
	t.Helper()
	for key, value := range map[string]string{
		"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_VA_ALWAYS_VALID": "0",
	} {
		t.Setenv(key, value)
	}
	if o.alwaysValid {
		t.Setenv("PEBBLE_VA_ALWAYS_VALID", "1")
	}
	if o.badNonces != "" {
		t.Setenv("PEBBLE_WFE_NONCEREJECT", o.badNonces)
	}
	quiet := log.New(io.Discard, "", 0)
	dns, web, alpn := freePort(t, "127.0.0.1"), freePort(t, "127.0.0.1"), freePort(t, "127.0.0.1")
	answer, err := challtestsrv.New(challtestsrv.Config{HTTPOneAddrs: []string{web}, TLSALPNOneAddrs: []string{alpn}, DNSAddrs: []string{dns}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	answer.SetDefaultDNSIPv4("127.0.0.1")
	answer.SetDefaultDNSIPv6("")
	go answer.Run()
	t.Cleanup(answer.Shutdown)
	waitFor(t, dns, web, alpn)
	if o.gateway != nil {
		dns, web = o.gateway.dns, o.gateway.at
	}

	store := db.NewMemoryStore()
	if o.eab {
		if err := store.AddExternalAccountKeyByID("kid-1", base64.RawURLEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))); err != nil {
			t.Fatal(err)
		}
	}
	if o.blocked != "" {
		if err := store.AddBlockedDomain(o.blocked); err != nil {
			t.Fatal(err)
		}
	}
	profiles := map[string]ca.Profile{"classic": {Description: "90 days", ValidityPeriod: 7776000}, "shortlived": {Description: "6 days", ValidityPeriod: 518400}}
	authority := ca.New(quiet, store, "", "ecdsa", 0, 1, profiles)
	validator := va.New(quiet, portOf(t, web), portOf(t, alpn), false, dns, store)
	front := wfe.New(quiet, store, validator, authority, []string{"pebble.letsencrypt.org"}, false, o.eab, 0, 0)
	server := httptest.NewUnstartedServer(front.Handler())
	server.Config.ErrorLog = quiet // handshakes that are meant to fail
	server.StartTLS()
	t.Cleanup(server.Close)

	p := &pebble{answer: answer}
	roots, anchors := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(server.Certificate())
	if !anchors.AppendCertsFromPEM(authority.GetRootCert(0).PEM()) {
		t.Fatal("no root")
	}
	if p.root, err = x509.ParseCertificate(authority.GetRootCert(0).DER); err != nil {
		t.Fatal(err)
	}
	p.config = Config{
		ID: "pebble", Directory: server.URL + wfe.DirectoryPath, Key: newKey(), Contact: []string{"ca@orchard.net"}, AgreeToTerms: true, Roots: roots, Anchors: anchors,
		pause:  10 * time.Millisecond,
		Dialer: &dial.Dialer{Data: data.Embedded(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	}
	if o.eab {
		p.config.EAB = &EAB{KeyID: "kid-1", HMAC: []byte("0123456789abcdef0123456789abcdef")}
	}
	return p
}

func freePort(t testing.TB, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func portOf(t testing.TB, address string) int {
	t.Helper()
	return int(netip.MustParseAddrPort(address).Port())
}

// waitFor waits until servers that tell nobody when they listen do.
func waitFor(t testing.TB, addresses ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, a := range addresses {
		for {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", a)
			if err == nil {
				_ = c.Close()
				break
			}
			if ctx.Err() != nil {
				t.Fatal(err)
			}
		}
	}
}

func (p *pebble) ca(t testing.TB) *CA {
	t.Helper()
	c, err := New(p.config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// publish does what an applicant does: exactly what the challenge says.
func (p *pebble) publish(t testing.TB, challenges []order.Challenge) {
	t.Helper()
	for _, c := range challenges {
		switch c.Method {
		case order.MethodDNS01:
			p.answer.AddDNSTXTRecord(c.Owner+".", c.Value)
		case order.MethodHTTP01:
			const path = "/.well-known/acme-challenge/"
			r, err := http.NewRequest(http.MethodGet, c.URL, nil)
			if err != nil || r.URL.Host != c.Name || r.URL.Path[:len(path)] != path {
				t.Fatalf("%+v %v", c, err)
			}
			p.answer.AddHTTPOneChallenge(r.URL.Path[len(path):], c.Value)
		case order.MethodTLSALPN01:
			p.answer.AddTLSALPNChallenge(c.Name, c.Value)
		}
	}
}

// TestPebble: orders of every method, really validated by the CA.
func TestPebble(t *testing.T) {
	p := newPebble(t, pebbleOptions{badNonces: "20"})
	c := p.ca(t)
	ctx := context.Background()
	for _, test := range []struct {
		method order.Method
		names  []string
	}{
		{order.MethodDNS01, []string{"orchard.net", "*.orchard.net"}},
		{order.MethodHTTP01, []string{"a.orchard.net", "b.orchard.net"}},
		{order.MethodTLSALPN01, []string{"c.orchard.net"}},
	} {
		t.Run(string(test.method), func(t *testing.T) {
			r := requestFor(test.method, test.names...)
			r.Plan = "shortlived"
			opened, err := c.Open(ctx, r)
			if err != nil || len(opened.Challenges) != len(test.names) || opened.Deadline.Before(time.Now()) {
				t.Fatalf("%+v %v", opened, err)
			}
			p.publish(t, opened.Challenges)
			r.State = opened.State
			prepared, err := c.Prepare(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			issued, err := c.Complete(ctx, prepared)
			if err != nil {
				t.Fatal(err)
			}
			if life := issued.Certificate.NotAfter.Sub(issued.Certificate.NotBefore); life.Round(time.Hour) != 144*time.Hour {
				t.Errorf("lives for %s", life)
			}
			again, err := c.Resume(ctx, r, &issuer.Attempt{State: prepared.State})
			if err != nil {
				t.Fatal(err)
			}
			same, err := c.Complete(ctx, again)
			if err != nil || !same.Certificate.Equal(issued.Certificate) {
				t.Errorf("resumed: %+v %v", same, err)
			}
			late, err := c.Open(ctx, r)
			if err != nil || len(late.Challenges) != 0 || late.Reference != opened.Reference {
				t.Errorf("opened again: %+v %v", late, err)
			}
			renew(t, c, r, issued)
		})
	}
}

// renew asks when to, replaces, and revokes what was replaced.
func renew(t *testing.T, c *CA, r *issuer.Request, issued *issuer.Issued) {
	t.Helper()
	ctx := context.Background()
	when, err := c.RenewalInfo(ctx, issued.Certificate)
	if err != nil || !when.Start.Before(when.End) || when.Start.Before(issued.Certificate.NotBefore) || when.End.After(issued.Certificate.NotAfter) {
		t.Errorf("%+v %v", when, err)
	}
	next := *r
	next.State, next.Replaces = nil, issued.Certificate
	first, err := c.Open(ctx, &next)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Open(ctx, &next) // replaced already: opened all the same
	if err != nil || second.Reference == first.Reference {
		t.Errorf("%+v %v", second, err)
	}
	for range 2 {
		if err := c.Revoke(ctx, &issuer.Revocation{Certificate: issued.Certificate, Reason: issuer.Superseded}); err != nil {
			t.Error(err)
		}
	}
}

// TestPebbleRefuses: what a real CA says when it does not find what it looks for
// is a cause, and the next order is a new one.
func TestPebbleRefuses(t *testing.T) {
	p := newPebble(t, pebbleOptions{blocked: "blocked.orchard.net"})
	c := p.ca(t)
	ctx := context.Background()
	for _, test := range []struct {
		name   string
		method order.Method
		host   string
		spoil  func(*order.Challenge)
		want   cause.ID
	}{
		{"another value", order.MethodDNS01, "a.orchard.net", func(c *order.Challenge) { c.Value = "x" }, cause.DNSValueMismatch},
		{"no record", order.MethodDNS01, "b.orchard.net", func(c *order.Challenge) { c.Owner = "elsewhere.orchard.net" }, cause.DNSRecordMissing},
		{"another content", order.MethodHTTP01, "c.orchard.net", func(c *order.Challenge) { c.Value = "x" }, cause.FileContentMismatch},
		{"nothing in the file", order.MethodHTTP01, "d.orchard.net", func(c *order.Challenge) { c.URL += "x" }, cause.FileContentMismatch},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := requestFor(test.method, test.host)
			opened, err := c.Open(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			test.spoil(&opened.Challenges[0])
			p.publish(t, opened.Challenges)
			r.State = opened.State
			prepared, err := c.Prepare(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Complete(ctx, prepared)
			var refusal *issuer.Refusal
			if !errors.As(err, &refusal) || refusal.Problems[0].Subject != test.host {
				t.Fatalf("%v", err)
			}
			wantRefusal(t, err, test.want)
			if _, err = c.Open(ctx, r); !errors.As(err, &refusal) {
				t.Errorf("opened again: %v", err)
			}
			r.State = nil
			if again, err := c.Open(ctx, r); err != nil || again.Reference == opened.Reference {
				t.Errorf("%+v %v", again, err)
			}
		})
	}
	t.Run("a blocked name", func(t *testing.T) {
		_, err := c.Open(ctx, requestFor(order.MethodDNS01, "www.blocked.orchard.net"))
		wantRefusal(t, err, cause.PolicyBlockedName)
	})
}

// TestPebbleAccount: bound accounts, and keys that are not in memory.
func TestPebbleAccount(t *testing.T) {
	p := newPebble(t, pebbleOptions{alwaysValid: true, eab: true})
	p.config.Key = opaqueKey{p.config.Key}
	for range 2 { // made, then found by another process
		c := p.ca(t)
		if _, err := runOrder(c, requestFor(order.MethodHTTP01, "www.orchard.net")); err != nil {
			t.Fatal(err)
		}
	}
	p.config.EAB, p.config.Key = nil, newKey()
	_, err := p.ca(t).Open(context.Background(), requestFor(order.MethodHTTP01, "www.orchard.net"))
	wantRefusal(t, err, cause.LimitAccountNotReady)
	p.config.EAB = &EAB{KeyID: "kid-1", HMAC: []byte("another key of 32 bytes, not its")}
	_, err = p.ca(t).Open(context.Background(), requestFor(order.MethodHTTP01, "www.orchard.net"))
	wantRefusal(t, err, cause.LimitAccountNotReady)
}

// TestNetwork: the guard holds for the CA too, and its certificate is verified.
func TestNetwork(t *testing.T) {
	p := newPebble(t, pebbleOptions{alwaysValid: true})
	r := requestFor(order.MethodHTTP01, "www.orchard.net")
	good := p.config
	for _, test := range []struct {
		name   string
		change func(*Config)
		is     func(error) bool
	}{
		{"a private address", func(c *Config) { c.Dialer = &dial.Dialer{Data: data.Embedded()} }, func(err error) bool { return errors.Is(err, dial.ErrGuard) }},
		{"not the CA's certificate", func(c *Config) { c.Roots = x509.NewCertPool() }, func(err error) bool {
			var unknown *tls.CertificateVerificationError
			return errors.As(err, &unknown)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p.config = good
			p.config.Directory += "?" + test.name[:5]
			test.change(&p.config)
			_, err := p.ca(t).Open(context.Background(), r)
			checkWord(t, err, "network", "", time.Time{}, false)
			if !test.is(err) {
				t.Errorf("%v", err)
			}
		})
	}
	t.Run("another root", func(t *testing.T) {
		p.config = good
		p.config.Anchors = testHierarchy().pool
		_, err := runOrder(p.ca(t), r)
		checkWord(t, err, "error", "", time.Time{}, false)
	})
}

// An opaqueKey signs, and is no *ecdsa.PrivateKey.
type opaqueKey struct{ crypto.Signer }

// TestPebbleGiveUp: what was given up is not offered again, and nothing comes of it;
// what was completed stays.
func TestPebbleGiveUp(t *testing.T) {
	p := newPebble(t, pebbleOptions{})
	c := p.ca(t)
	ctx := context.Background()
	r := requestFor(order.MethodDNS01, "orchard.net")
	first, err := c.Open(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	old := *r
	old.State = first.State
	for range 2 {
		if err := c.GiveUp(ctx, &old); err != nil {
			t.Fatal(err)
		}
	}
	var refusal *issuer.Refusal
	if sent, err := c.Sent(ctx, &old); err != nil || sent {
		t.Errorf("sent %v, %v", sent, err)
	}
	if _, err := c.Open(ctx, &old); !errors.As(err, &refusal) {
		t.Errorf("opened again: %v", err)
	}
	prepared, err := c.Prepare(ctx, &old)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Complete(ctx, prepared); !errors.As(err, &refusal) {
		t.Errorf("completed: %v", err)
	}
	second, err := c.Open(ctx, r)
	if err != nil || second.Reference == first.Reference || second.Challenges[0].Value == first.Challenges[0].Value {
		t.Fatalf("%+v %v", second, err)
	}
	p.publish(t, second.Challenges)
	r.State = second.State
	if prepared, err = c.Prepare(ctx, r); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Complete(ctx, prepared); err != nil {
		t.Fatal(err)
	}
	if err := c.GiveUp(ctx, r); err != nil {
		t.Error(err)
	}
	if sent, err := c.Sent(ctx, r); err != nil || !sent {
		t.Errorf("sent %v, %v", sent, err)
	}
}
