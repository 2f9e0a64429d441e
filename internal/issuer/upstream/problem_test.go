package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
)

// TestRefusals: what the CA says of a name is a cause of the catalogue, for the
// method that was used.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const kind = `{"type":"urn:ietf:params:acme:error:`
	for _, c := range []struct {
		name    string
		method  order.Method
		problem string
		want    cause.ID
		values  map[string]any
	}{
		{"caa", order.MethodDNS01, kind + `caa","detail":"CAA record for www.orchard.net prevents issuance"}`, cause.CAAForbids, map[string]any{"issuer": "orchard-ca"}},
		{"caa by its type", order.MethodHTTP01, kind + `caa","detail":"no"}`, cause.CAAForbids, nil},
		{"no record", order.MethodDNS01, kind + `unauthorized","detail":"No TXT record found at _acme-challenge.www.orchard.net"}`, cause.DNSRecordMissing, map[string]any{"owner": "_acme-challenge.www.orchard.net", "type": "TXT"}},
		{"another value", order.MethodDNS01, kind + `unauthorized","detail":"Incorrect TXT record \"abc\" found at _acme-challenge.www.orchard.net"}`, cause.DNSValueMismatch, map[string]any{"seen": []string{"abc"}}},
		{"server failure", order.MethodDNS01, kind + `dns","detail":"DNS problem: SERVFAIL looking up TXT for _acme-challenge.www.orchard.net - the domain's nameservers may be malfunctioning"}`, cause.DNSServerError, nil},
		{"dns by its type", order.MethodDNS01, kind + `dns","detail":"lookup failed"}`, cause.DNSServerError, nil},
		{"unauthorized, a record", order.MethodDNS01, kind + `unauthorized","detail":"no"}`, cause.DNSValueMismatch, nil},
		{"unauthorized, a file", order.MethodHTTP01, kind + `unauthorized","detail":"no"}`, cause.FileContentMismatch, map[string]any{"url": "http://www.orchard.net/.well-known/acme-challenge/token-0-http-01"}},
		{"not found", order.MethodHTTP01, kind + `unauthorized","detail":"203.0.113.7: Invalid response from http://www.orchard.net/.well-known/acme-challenge/x1: 404"}`, cause.FileMissing, map[string]any{"status": 404}},
		{"refused", order.MethodHTTP01, kind + `connection","detail":"203.0.113.7: Fetching http://www.orchard.net/.well-known/acme-challenge/x1: Connection refused"}`, cause.FileConnectionRefused, nil},
		{"connection by its type", order.MethodHTTP01, kind + `connection","detail":"no"}`, cause.FileConnectionTimeout, nil},
		{"connection by its type, TLS", order.MethodTLSALPN01, kind + `connection","detail":"no"}`, cause.TLSPortClosed, nil},
		{"tls by its type", order.MethodTLSALPN01, kind + `tls","detail":"no"}`, cause.TLSALPNNotNegotiated, nil},
		{"no protocol", order.MethodTLSALPN01, kind + `unauthorized","detail":"Cannot negotiate ALPN protocol \"acme-tls/1\" for tls-alpn-01 challenge"}`, cause.TLSALPNNotNegotiated, nil},
		{"its own failure", order.MethodDNS01, kind + `serverInternal","detail":"Remote PerformValidation RPC failed"}`, cause.IssuanceCAUnavailable, nil},
		{"words that nobody knows", order.MethodDNS01, `{"type":"https://ca.orchard.net/e/7","detail":"computer says no"}`, cause.IssuanceCAUnavailable, map[string]any{"problem": "error"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.verdict = func(string) string { return c.problem }
			_, err := runOrder(f.ca(t), requestFor(c.method, "www.orchard.net"))
			wantRefusal(t, err, c.want)
			var refusal *issuer.Refusal
			errors.As(err, &refusal)
			p := refusal.Problems[0]
			if p.Subject != "www.orchard.net" {
				t.Errorf("subject %q", p.Subject)
			}
			for key, want := range c.values {
				if got := p.Parameters[key]; !equal(got, want) {
					t.Errorf("%s = %v, want %v (%v)", key, got, want, p.Parameters)
				}
			}
		})
	}
}

func equal(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// TestRefusedOrder: what the CA refuses at the order and at the CSR.
func TestRefusedOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, step, body string
		status           int
		want             []cause.ID
		subjects         []string
	}{
		{"a name by policy", "order", `{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"Cannot issue for \"www.orchard.net\": The ACME server refuses to issue a certificate for this domain name, because it is forbidden by policy"}`, 400, []cause.ID{cause.PolicyBlockedName}, []string{"www.orchard.net"}},
		{"by its type", "order", `{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"no"}`, 400, []cause.ID{cause.PolicyBlockedName}, []string{""}},
		{"two names, each for itself", "order", `{"type":"urn:ietf:params:acme:error:malformed","detail":"Some of the identifiers requested were rejected","subproblems":[
			{"type":"urn:ietf:params:acme:error:malformed","detail":"Domain name contains an invalid character","identifier":{"type":"dns","value":"a_b.orchard.net"}},
			{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"Domain name does not end with a valid public suffix (TLD)","identifier":{"type":"dns","value":"x.lan"}}]}`, 400, []cause.ID{cause.NameInvalidCharacter, cause.NameInternal}, []string{"a_b.orchard.net", "x.lan"}},
		{"CAA of two names", "finalize", `{"type":"urn:ietf:params:acme:error:caa","detail":"Rechecking CAA for \"a.orchard.net\" and 1 more identifiers failed. Refer to sub-problems for more information","subproblems":[
			{"type":"urn:ietf:params:acme:error:caa","detail":"CAA record for a.orchard.net prevents issuance","identifier":{"type":"dns","value":"a.orchard.net"}},
			{"type":"urn:ietf:params:acme:error:caa","detail":"CAA record for b.orchard.net prevents issuance","identifier":{"type":"dns","value":"b.orchard.net"}}]}`, 403, []cause.ID{cause.CAAForbids, cause.CAAForbids}, []string{"a.orchard.net", "b.orchard.net"}},
		{"the CSR", "finalize", `{"type":"urn:ietf:params:acme:error:badCSR","detail":"no"}`, 400, []cause.ID{cause.CSRUnreadable}, []string{""}},
		{"the key", "finalize", `{"type":"urn:ietf:params:acme:error:badCSR","detail":"invalid public key in CSR: public key is forbidden"}`, 400, []cause.ID{cause.KeyKnownCompromised}, []string{""}},
		{"the key by its type", "finalize", `{"type":"urn:ietf:params:acme:error:badPublicKey","detail":"no"}`, 400, []cause.ID{cause.KeyTypeNotAllowed}, []string{""}},
		{"too many", "order", `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many failed authorizations (5) for \"www.orchard.net\" in the last 1h0m0s, retry after 2099-11-24 01:20:00 UTC: see https://letsencrypt.org/docs/rate-limits/"}`, 429, []cause.ID{cause.LimitRateLimited}, []string{"www.orchard.net"}},
		{"the same again", "order", `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2099-11-25 13:57:51 UTC: see x"}`, 429, []cause.ID{cause.LimitDuplicateCertificate}, []string{""}},
		{"the account", "order", `{"type":"urn:ietf:params:acme:error:unauthorized","detail":"Account is not valid, has status \"deactivated\""}`, 403, []cause.ID{cause.LimitAccountNotReady}, []string{"account"}},
		{"new terms", "order", `{"type":"urn:ietf:params:acme:error:userActionRequired","detail":"must agree to terms of service"}`, 403, []cause.ID{cause.LimitAccountNotReady}, []string{"account"}},
		{"dates", "order", `{"type":"urn:ietf:params:acme:error:malformed","detail":"NotBefore and NotAfter are not supported"}`, 400, []cause.ID{cause.RequestValidityTooLong}, []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.fault = func(w http.ResponseWriter, _ *http.Request, step string, _ []byte) bool {
				if step != c.step {
					return false
				}
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
				return true
			}
			_, err := runOrder(f.ca(t), requestFor(order.MethodDNS01, "a.orchard.net", "b.orchard.net"))
			wantRefusal(t, err, c.want...)
			var refusal *issuer.Refusal
			errors.As(err, &refusal)
			for i, want := range c.subjects {
				if got := refusal.Problems[i].Subject; got != want {
					t.Errorf("subject %q, want %q", got, want)
				}
			}
			if refusal.Err == nil {
				t.Error("without the CA's words")
			}
		})
	}
}

// TestRetryOfWords: when a limit ends may stand in the words alone.
func TestRetryOfWords(t *testing.T) {
	t.Parallel()
	ca := newFake(t).ca(t)
	p := ca.problems(&acme.Problem{
		Type: acme.ProblemTypeRateLimited, Detail: "too many failed authorizations (5) for \"www.orchard.net\" in the last 1h0m0s, retry after 2099-11-24 01:20:00 UTC: see x",
	}, time.Time{}, nil)
	want := map[string]any{"retry": time.Date(2099, 11, 24, 1, 20, 0, 0, time.UTC), "counter": "failed-validations", "limit": 5}
	if len(p) != 1 || !maps.Equal(p[0].Parameters, want) {
		t.Errorf("%+v, want %v", p, want)
	}
}

// TestSeveralNames: of an order of which two names fail both are told.
func TestSeveralNames(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.verdict = func(name string) string {
		if name == "b.orchard.net" {
			return ""
		}
		return `{"type":"urn:ietf:params:acme:error:unauthorized","detail":"No TXT record found at _acme-challenge.` + name + `"}`
	}
	_, err := runOrder(f.ca(t), requestFor(order.MethodDNS01, "a.orchard.net", "b.orchard.net", "c.orchard.net"))
	wantRefusal(t, err, cause.DNSRecordMissing, cause.DNSRecordMissing)
	var refusal *issuer.Refusal
	errors.As(err, &refusal)
	if refusal.Problems[0].Subject != "a.orchard.net" || refusal.Problems[1].Subject != "c.orchard.net" {
		t.Errorf("%+v", refusal.Problems)
	}
}

// TestTexts: every cause that comes out can be said in words in both languages,
// with what was known about it.
func TestTexts(t *testing.T) {
	t.Parallel()
	ca := newFake(t).ca(t)
	about := &subject{name: "www.orchard.net", method: order.MethodDNS01, challenges: []order.Challenge{{
		Name: "www.orchard.net", Method: order.MethodDNS01, Type: "TXT", Owner: "_acme-challenge.www.orchard.net", Value: "v",
	}}}
	for _, kind := range []string{"caa", "dns", "connection", "tls", "unauthorized", "rejectedIdentifier", "unsupportedIdentifier", "badCSR", "badPublicKey", "rateLimited", "orderNotReady", "incorrectResponse", "externalAccountRequired", "userActionRequired", "compound", "malformed"} {
		for _, p := range ca.problems(&acme.Problem{Type: acme.ProblemTypeNamespace + kind, Detail: "x"}, time.Unix(0, 0), about) {
			if cause.Lookup(p.Cause) == nil {
				t.Errorf("%s: %s is not in the catalogue", kind, p.Cause)
				continue
			}
			for _, lang := range cause.Languages() {
				if texts := cause.TextsOf(p.Cause, lang); texts.Fill(texts.Found, p.Parameters, lang) == "" {
					t.Errorf("%s: no words for %s", kind, p.Cause)
				}
			}
		}
	}
}

// FuzzProblem: any problem document gives bounded problems of known causes, with
// parameters of the types they declare.
func FuzzProblem(f *testing.F) {
	f.Add(`{"type":"urn:ietf:params:acme:error:caa","detail":"CAA record for orchard.net prevents issuance","subproblems":[{"type":"x","identifier":{"type":"dns","value":"*.Orchard.net."}}]}`)
	f.Add(`{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many new orders (300) from this account in the last 3h0m0s, retry after 2026-11-24 01:20:00 UTC"}`)
	f.Add(`{}`)
	ca := &CA{config: Config{ID: "ca"}}
	f.Fuzz(func(t *testing.T, text string) {
		var p acme.Problem
		if json.Unmarshal([]byte(text), &p) != nil {
			return
		}
		list := ca.problems(&p, time.Unix(0, 0), &subject{name: "orchard.net", method: order.MethodDNS01})
		if len(list) == 0 || len(list) > (maxProblems+1)*32 {
			t.Fatalf("%d problems", len(list))
		}
		for _, one := range list {
			entry := cause.Lookup(one.Cause)
			for _, key := range slices.Sorted(maps.Keys(one.Parameters)) {
				kind := ""
				switch v := one.Parameters[key].(type) {
				case string:
					kind = "string"
					if len(v) > 310 || clip(v, 400) != v {
						t.Fatalf("%s = %q", key, v)
					}
				case int:
					kind = "int"
				case []string:
					kind = "list"
				case time.Time:
					kind = "time"
				}
				if kind != entry.Parameters[key] {
					t.Fatalf("%s of %s is of type %q, want %q", key, one.Cause, kind, entry.Parameters[key])
				}
			}
		}
	})
}

// TestSecrets: no error and no state tells a secret.
func TestSecrets(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.meta = `"externalAccountRequired":true`
	f.fault = func(w http.ResponseWriter, _ *http.Request, step string, payload []byte) bool {
		if step == "order" {
			f.problem(w, 400, "malformed", string(payload))
			return true
		}
		return false
	}
	ca := f.ca(t, func(c *Config) { c.EAB = &EAB{KeyID: "kid-1", HMAC: []byte("a secret of 16 bytes and more")} })
	_, err := ca.Open(context.Background(), requestFor(order.MethodDNS01, "www.orchard.net"))
	wantRefusal(t, err, cause.IssuanceCAUnavailable)
	for _, text := range []string{err.Error(), string(f.payloads["account"])} {
		for _, secret := range []string{"a secret of 16", "YSBzZWNyZXQg"} {
			if containsFold(text, secret) {
				t.Errorf("%q is in %s", secret, text)
			}
		}
	}
}
