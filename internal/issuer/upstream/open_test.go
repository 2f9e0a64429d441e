package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
)

// thumbprint is RFC 7638's, written out.
func thumbprint(t *testing.T, ca *CA) string {
	t.Helper()
	raw, err := ca.config.Key.Public().(*ecdsa.PublicKey).Bytes() // 04 x y
	if err != nil {
		t.Fatal(err)
	}
	b := base64.RawURLEncoding
	sum := sha256.Sum256([]byte(fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, b.EncodeToString(raw[1:33]), b.EncodeToString(raw[33:]))))
	return b.EncodeToString(sum[:])
}

// TestOpen: the challenges are exactly what RFC 8555 wants published.
func TestOpen(t *testing.T) {
	t.Parallel()
	expires := time.Date(2099, 1, 5, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		method order.Method
		names  []string
		want   []order.Challenge // Value is the token where it is to be computed
		cause  cause.ID
		rule   string
	}{
		{name: "dns-01", method: order.MethodDNS01, names: []string{"www.orchard.net"}, want: []order.Challenge{
			{Name: "www.orchard.net", Method: "dns-01", Type: "TXT", Owner: "_acme-challenge.www.orchard.net", Value: "token-0-dns-01"},
		}},
		{name: "a name and its wildcard", method: order.MethodDNS01, names: []string{"orchard.net", "*.orchard.net"}, want: []order.Challenge{
			{Name: "orchard.net", Method: "dns-01", Type: "TXT", Owner: "_acme-challenge.orchard.net", Value: "token-0-dns-01"},
			{Name: "*.orchard.net", Method: "dns-01", Type: "TXT", Owner: "_acme-challenge.orchard.net", Value: "token-1-dns-01"},
		}},
		{name: "http-01", method: order.MethodHTTP01, names: []string{"www.orchard.net", "192.0.2.1", "2001:db8::1"}, want: []order.Challenge{
			{Name: "www.orchard.net", Method: "http-01", URL: "http://www.orchard.net/.well-known/acme-challenge/token-0-http-01", Value: "token-0-http-01"},
			{Name: "192.0.2.1", Method: "http-01", URL: "http://192.0.2.1/.well-known/acme-challenge/token-1-http-01", Value: "token-1-http-01"},
			{Name: "2001:db8::1", Method: "http-01", URL: "http://[2001:db8::1]/.well-known/acme-challenge/token-2-http-01", Value: "token-2-http-01"},
		}},
		{name: "tls-alpn-01", method: order.MethodTLSALPN01, names: []string{"www.orchard.net"}, want: []order.Challenge{
			{Name: "www.orchard.net", Method: "tls-alpn-01", Value: "token-0-tls-alpn-01"},
		}},
		{name: "any method", names: []string{"www.orchard.net"}, want: []order.Challenge{
			{Name: "www.orchard.net", Method: "http-01", URL: "http://www.orchard.net/.well-known/acme-challenge/token-0-http-01", Value: "token-0-http-01"},
			{Name: "www.orchard.net", Method: "dns-01", Type: "TXT", Owner: "_acme-challenge.www.orchard.net", Value: "token-0-dns-01"},
			{Name: "www.orchard.net", Method: "tls-alpn-01", Value: "token-0-tls-alpn-01"},
		}},
		{name: "a method of ours", method: order.MethodDNS, names: []string{"www.orchard.net"}, want: []order.Challenge{
			{Name: "www.orchard.net", Method: "dns-01", Type: "TXT", Owner: "_acme-challenge.www.orchard.net", Value: "token-0-dns-01"},
		}},
		{name: "a file for a wildcard", method: order.MethodHTTP01, names: []string{"*.orchard.net"}, cause: cause.RequestMethodNotAllowed, rule: "wildcard"},
		{name: "a record for an address", method: order.MethodDNS01, names: []string{"192.0.2.1"}, cause: cause.RequestMethodNotAllowed, rule: "ip"},
		{name: "a method that ACME has not", method: order.MethodEmail, names: []string{"www.orchard.net"}, cause: cause.RequestMethodNotAllowed, rule: "not-offered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			ca := f.ca(t)
			r := requestFor(c.method, c.names...)
			opened, err := ca.Open(context.Background(), r)
			if c.cause != "" {
				wantRefusal(t, err, c.cause)
				var refusal *issuer.Refusal
				if errors.As(err, &refusal) && refusal.Problems[0].Parameters["rule"] != c.rule {
					t.Errorf("parameters %v, want the rule %s", refusal.Problems[0].Parameters, c.rule)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range c.want {
				w := &c.want[i]
				w.Origin, w.Created, w.Expires = "upstream", r.Now, expires
				w.Value += "." + thumbprint(t, ca)
				if w.Method == order.MethodDNS01 {
					sum := sha256.Sum256([]byte(w.Value))
					w.Value = base64.RawURLEncoding.EncodeToString(sum[:])
				}
			}
			if !reflect.DeepEqual(opened.Challenges, c.want) {
				t.Errorf("challenges\n%+v, want\n%+v", opened.Challenges, c.want)
			}
			if !opened.Deadline.Equal(expires) || opened.Reference != base+"/o/1" {
				t.Errorf("deadline %s, reference %s", opened.Deadline, opened.Reference)
			}
			r.State = opened.State
			again, err := ca.Open(context.Background(), r)
			if err != nil || !reflect.DeepEqual(again, opened) || f.orders != 1 {
				t.Errorf("asked again: %+v %v, %d orders", again, err, f.orders)
			}
			if f.count("challenge") != 0 {
				t.Error("the CA was asked to look")
			}
		})
	}
}

// wantRefusal holds an error to be a refusal with exactly these causes.
func wantRefusal(t *testing.T, err error, causes ...cause.ID) {
	t.Helper()
	var refusal *issuer.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("%T %v, want a refusal", err, err)
	}
	var got []cause.ID
	for _, p := range refusal.Problems {
		got = append(got, p.Cause)
		entry := cause.Lookup(p.Cause)
		for key := range p.Parameters {
			if entry.Parameters[key] == "" {
				t.Errorf("%s does not declare %s", p.Cause, key)
			}
		}
	}
	if !slices.Equal(got, causes) {
		t.Fatalf("refused for %v, want %v (%v)", got, causes, err)
	}
}

// TestValidAuthorization: what the account was validated for needs no challenge,
// and bounds the deadline all the same.
func TestValidAuthorization(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ca := f.ca(t)
	r := requestFor(order.MethodHTTP01, "a.orchard.net", "b.orchard.net")
	opened, err := ca.Open(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	f.order.authz["0"] = "valid"
	r.State = opened.State
	if opened, err = ca.Open(context.Background(), r); err != nil || len(opened.Challenges) != 1 || opened.Challenges[0].Name != "b.orchard.net" {
		t.Errorf("%+v %v", opened, err)
	}
	f.order.authz["1"], f.order.status = "valid", "ready"
	if opened, err = ca.Open(context.Background(), r); err != nil || len(opened.Challenges) != 0 || opened.Deadline.IsZero() {
		t.Errorf("%+v %v", opened, err)
	}
}

// TestOpenEnded: an order that failed, ended or was begun elsewhere is not shown
// as one that can be completed.
func TestOpenEnded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		end   func(f *fakeCA)
		cause cause.ID
	}{
		{"invalid without a word", func(f *fakeCA) { f.order.status = "invalid" }, cause.LimitDeadlinePassed},
		{"an authorization expired", func(f *fakeCA) { f.order.authz["0"] = "expired" }, cause.LimitDeadlinePassed},
		{"a validation failed", func(f *fakeCA) {
			f.order.status, f.order.authz["0"], f.order.seen["0"] = "invalid", "invalid", "dns-01"
			f.order.problem["0"] = `{"type":"urn:ietf:params:acme:error:unauthorized","detail":"Incorrect TXT record \"x\" found at _acme-challenge.www.orchard.net"}`
		}, cause.DNSValueMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			ca := f.ca(t)
			r := requestFor(order.MethodDNS01, "www.orchard.net")
			opened, err := ca.Open(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			c.end(f)
			r.State = opened.State
			_, err = ca.Open(context.Background(), r)
			wantRefusal(t, err, c.cause)
			p, err := ca.Prepare(context.Background(), r)
			if err != nil {
				t.Fatal(err)
			}
			_, err = ca.Complete(context.Background(), p)
			wantRefusal(t, err, c.cause)
		})
	}
}

// TestState: what is no state of this CA is told apart.
func TestState(t *testing.T) {
	t.Parallel()
	ca := newFake(t).ca(t)
	good := `{"v":1,"directory":"` + ca.config.Directory + `","order":"https://ca.orchard.net/o/1"}`
	for _, c := range []struct {
		name, state, err string
		is               error
	}{
		{name: "good", state: good},
		{name: "another CA's", state: strings.Replace(good, base+"/dir", "https://other.net/dir", 1), is: ErrForeign},
		{name: "another version", state: strings.Replace(good, `"v":1`, `"v":2`, 1), err: "has version 2"},
		{name: "no order", state: strings.Replace(good, "https://ca.orchard.net/o/1", "", 1), err: "its address"},
		{name: "an address with a user", state: strings.Replace(good, "https://ca.orchard.net/o/1", "https://a:b@ca.orchard.net/o/1", 1), err: "its address"},
		{name: "an unknown field", state: strings.Replace(good, `"v":1`, `"v":1,"x":1`, 1), err: "unknown field"},
		{name: "too large", state: good + strings.Repeat(" ", maxState), err: "larger than"},
		{name: "not JSON", state: "{", err: "state of the upstream order"},
		{name: "none", state: "", is: errNotOpened},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := requestFor(order.MethodDNS01, "www.orchard.net")
			r.State = []byte(c.state)
			p, err := ca.Prepare(context.Background(), r)
			switch {
			case c.is == nil && c.err == "":
				if err != nil || string(p.State) != good || p.Serial != "" || p.TBS != nil {
					t.Errorf("%+v %v", p, err)
				}
			case err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.err):
				t.Errorf("%v, want %v %q", err, c.is, c.err)
			}
		})
	}
}

// TestProfile: a plan asks for the CA's profile, where it has one.
func TestProfile(t *testing.T) {
	t.Parallel()
	const offered = `"profiles":{"classic":"https://ca.orchard.net/p","shortlived":"six days"}`
	for _, c := range []struct {
		name, plan, meta, want string
		profiles               map[string]string
		refused                bool
	}{
		{name: "by its name", plan: "shortlived", meta: offered, want: `"profile":"shortlived"`},
		{name: "by the map", plan: "free", meta: offered, profiles: map[string]string{"free": "classic"}, want: `"profile":"classic"`},
		{name: "unknown plan", plan: "free", meta: offered},
		{name: "a CA without profiles", plan: "shortlived"},
		{name: "mapped to what is not offered", plan: "free", meta: offered, profiles: map[string]string{"free": "long"}, refused: true},
		{name: "mapped, but none are offered", plan: "free", profiles: map[string]string{"free": "long"}, refused: true},
		{name: "no plan", meta: offered},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.meta = c.meta
			r := requestFor(order.MethodDNS01, "www.orchard.net")
			r.Plan = c.plan
			_, err := f.ca(t, func(cfg *Config) { cfg.Profiles = c.profiles }).Open(context.Background(), r)
			if c.refused {
				wantRefusal(t, err, cause.RequestProductMismatch)
				return
			}
			sent := string(f.payloads["order"])
			if err != nil || c.want == "" && strings.Contains(sent, "profile") || !strings.Contains(sent, c.want) {
				t.Errorf("%s %v, want %s", sent, err, c.want)
			}
		})
	}
}

// TestNotAfter is sent only where the operator wants it.
func TestNotAfter(t *testing.T) {
	t.Parallel()
	for _, ask := range []bool{false, true} {
		t.Run(fmt.Sprint(ask), func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			r := requestFor(order.MethodDNS01, "www.orchard.net")
			r.NotAfter = time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
			_, err := f.ca(t, func(c *Config) { c.AskNotAfter = ask }).Open(context.Background(), r)
			if err != nil || strings.Contains(string(f.payloads["order"]), `"notAfter":"2026-12-24T00:00:00Z"`) != ask {
				t.Errorf("%s %v", f.payloads["order"], err)
			}
		})
	}
}
