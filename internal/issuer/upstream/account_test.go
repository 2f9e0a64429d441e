package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
)

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// TestAccount: it is found, or made as the CA wants it, once.
func TestAccount(t *testing.T) {
	t.Parallel()
	eab := &EAB{KeyID: "kid-1", HMAC: []byte("0123456789abcdef")}
	for _, c := range []struct {
		name, meta string
		change     func(*Config)
		exists     bool
		sent       []string // in what made the account
		condition  string   // of limit.account-not-ready
	}{
		{name: "made", sent: []string{`"termsOfServiceAgreed":true`}},
		{name: "with contact", change: func(c *Config) { c.Contact = []string{"ca@orchard.net"} }, sent: []string{`"contact":["mailto:ca@orchard.net"]`}},
		{name: "terms", meta: `"termsOfService":"https://ca.orchard.net/tos"`, sent: []string{`"termsOfServiceAgreed":true`}},
		{name: "terms that were not agreed to", meta: `"termsOfService":"https://ca.orchard.net/tos"`, change: func(c *Config) { c.AgreeToTerms = false }, condition: "agreement"},
		{name: "terms of an account that is there", meta: `"termsOfService":"https://ca.orchard.net/tos"`, exists: true, change: func(c *Config) { c.AgreeToTerms = false }},
		{name: "bound", meta: `"externalAccountRequired":true`, change: func(c *Config) { c.EAB = eab }, sent: []string{`"externalAccountBinding":{"protected"`}},
		{name: "not bound", meta: `"externalAccountRequired":true`, condition: "external-binding"},
		{name: "bound without need", change: func(c *Config) { c.EAB = eab }, sent: []string{`"externalAccountBinding"`}},
		{name: "there and bound", meta: `"externalAccountRequired":true`, exists: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.meta, f.account = c.meta, c.exists
			change := func(*Config) {}
			if c.change != nil {
				change = c.change
			}
			ca := f.ca(t, change)
			_, err := ca.Open(context.Background(), requestFor(order.MethodDNS01, "www.orchard.net"))
			if c.condition != "" {
				wantRefusal(t, err, cause.LimitAccountNotReady)
				var refusal *issuer.Refusal
				if errors.As(err, &refusal); refusal.Problems[0].Parameters["condition"] != c.condition {
					t.Errorf("%+v", refusal.Problems)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.sent {
				if !strings.Contains(string(f.payloads["account"]), want) {
					t.Errorf("%s, want %s", f.payloads["account"], want)
				}
			}
			asked := f.count("account")
			if _, err := ca.Open(context.Background(), requestFor(order.MethodDNS01, "two.orchard.net")); err != nil || f.count("account") != asked {
				t.Errorf("%v, asked %d times", err, f.count("account"))
			}
		})
	}
}

// TestAccountRefused: what the CA has against the settings of the account is no
// order's fault; what it has against the account is said as such.
func TestAccountRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, kind, detail string
		status             int
		word               string
		cause              cause.ID
	}{
		{"a contact", "invalidContact", "contact email has forbidden domain \"example.com\"", 400, "error", ""},
		{"a closed account", "unauthorized", "Account is not valid, has status \"deactivated\"", 403, "", cause.LimitAccountNotReady},
		{"another binding", "unauthorized", "external account binding JWS verification error", 403, "", cause.LimitAccountNotReady},
		{"too many accounts", "rateLimited", "too many registrations for this IP", 429, "", cause.LimitRateLimited},
		{"words that nobody knows", "unauthorized", "no", 403, "error", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.fault = func(w http.ResponseWriter, _ *http.Request, step string, payload []byte) bool {
				if step != "account" || strings.Contains(string(payload), "onlyReturnExisting") {
					return false
				}
				f.problem(w, c.status, c.kind, c.detail)
				return true
			}
			_, err := f.ca(t).Open(context.Background(), requestFor(order.MethodDNS01, "www.orchard.net"))
			checkWord(t, err, c.word, c.cause, time.Time{}, false)
			if !strings.Contains(err.Error(), c.detail) {
				t.Errorf("%v, without %q", err, c.detail)
			}
		})
	}
}

// TestAccountGone: an account that the CA has lost is found or made again.
func TestAccountGone(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ca := f.ca(t)
	f.fault = func(w http.ResponseWriter, _ *http.Request, step string, _ []byte) bool {
		if step == "order" && f.account {
			f.account = false
			f.problem(w, 400, "accountDoesNotExist", "Account not found")
			return true
		}
		return false
	}
	_, err := ca.Open(context.Background(), requestFor(order.MethodDNS01, "www.orchard.net"))
	wantRefusal(t, err, cause.LimitAccountNotReady)
	f.fault = nil
	if _, err := ca.Open(context.Background(), requestFor(order.MethodDNS01, "www.orchard.net")); err != nil || !f.account {
		t.Error(err)
	}
}

// TestDirectoryAgain: after a day it is read again, by the library's own cache
// at most twelve hours old.
func TestDirectoryAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		ca := f.ca(t)
		for day := range 3 {
			if _, err := ca.Open(context.Background(), requestFor(order.MethodDNS01, "www.orchard.net")); err != nil {
				t.Fatal(err)
			}
			if n := f.count("directory"); n != day+1 {
				t.Errorf("day %d: read %d times", day, n)
			}
			time.Sleep(25 * time.Hour)
		}
	})
}

// TestKeys: accounts of every kind of key; signatures of ECDSA are as JWS wants
// them, also where the key is not in memory.
func TestKeys(t *testing.T) {
	t.Parallel()
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s := &signer{Signer: k}
		size := (curve.Params().BitSize + 7) / 8
		for range 50 { // some have leading zeros
			digest := make([]byte, 32)
			_, _ = rand.Read(digest)
			raw, err := s.Sign(rand.Reader, digest, nil)
			if err != nil || len(raw) != 2*size {
				t.Fatal(len(raw), err)
			}
			der, err := asn1.Marshal([]*big.Int{new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])})
			if err != nil || !ecdsa.VerifyASN1(&k.PublicKey, digest, der) {
				t.Fatal("not the signature", err)
			}
		}
	}
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	if err := checkKey(rsaKey); err != nil {
		t.Error(err)
	}
	for _, err := range []error{checkKey(nil), checkKey(edwards), checkKey(p224)} {
		if err == nil {
			t.Error("taken")
		}
	}
}

// TestRevoke: by the account's key, twice if need be, and with what reason the CA
// takes.
func TestRevoke(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fault func(f *fakeCA, w http.ResponseWriter, payload []byte) bool
		word  string
		sent  string
	}{
		{name: "revoked", sent: `"reason":4`},
		{name: "revoked before", fault: func(f *fakeCA, w http.ResponseWriter, _ []byte) bool {
			f.problem(w, 400, "alreadyRevoked", "Certificate already revoked")
			return true
		}},
		{name: "a reason it does not take", fault: func(f *fakeCA, w http.ResponseWriter, payload []byte) bool {
			if strings.Contains(string(payload), `"reason":0`) {
				return false
			}
			f.problem(w, 400, "badRevocationReason", "unsupported revocation reason code provided")
			return true
		}, sent: `"reason":0`},
		{name: "busy", fault: func(f *fakeCA, w http.ResponseWriter, _ []byte) bool {
			f.problem(w, 503, "rateLimited", "Service busy; retry later.")
			return true
		}, word: "busy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.fault = func(w http.ResponseWriter, _ *http.Request, step string, payload []byte) bool {
				return step == "revoke" && c.fault != nil && c.fault(f, w, payload)
			}
			r := &issuer.Revocation{Certificate: testHierarchy().issuing, Reason: issuer.Superseded, At: time.Now()}
			err := f.ca(t).Revoke(context.Background(), r)
			if c.word != "" {
				checkWord(t, err, c.word, "", time.Time{}, false)
			} else if err != nil || !strings.Contains(string(f.payloads["revoke"]), c.sent) {
				t.Errorf("%v %s", err, f.payloads["revoke"])
			}
		})
	}
}

// replaced is a certificate as an ACME CA made it.
func replaced(t *testing.T) *x509.Certificate {
	t.Helper()
	f := newFake(t)
	csr, err := x509.ParseCertificateRequest(requestFor("", "www.orchard.net").CSR)
	if err != nil {
		t.Fatal(err)
	}
	f.issue(csr)
	return f.issued
}

// TestReplaces: the CA is told what is replaced, where it wants to know, and
// that it does not like it does not stop the order.
func TestReplaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		noARI  bool
		fault  string
		status int
		told   bool
	}{
		{name: "told", told: true},
		{name: "does not want to know", noARI: true},
		{name: "replaced before", fault: "alreadyReplaced", status: 409},
		{name: "another account's", fault: "unauthorized", status: 403},
		{name: "not known", fault: "malformed", status: 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.noARI = c.noARI
			f.fault = func(w http.ResponseWriter, _ *http.Request, step string, payload []byte) bool {
				if step == "order" && c.fault != "" && strings.Contains(string(payload), "replaces") {
					f.problem(w, c.status, c.fault, "no")
					return true
				}
				return false
			}
			r := requestFor(order.MethodDNS01, "www.orchard.net")
			r.Replaces = replaced(t)
			_, err := f.ca(t).Open(context.Background(), r)
			var sent struct{ Replaces string }
			_ = json.Unmarshal(f.payloads["order"], &sent)
			if err != nil || (sent.Replaces != "") != c.told || c.told && strings.Count(sent.Replaces, ".") != 1 {
				t.Errorf("%v %q", err, sent.Replaces)
			}
		})
	}
}

// TestRenewalInfo: the window, and when to ask again.
func TestRenewalInfo(t *testing.T) {
	t.Parallel()
	const good = `{"suggestedWindow":{"start":"2026-12-01T00:00:00Z","end":"2026-12-03T00:00:00Z"},"explanationURL":"https://ca.orchard.net/why"}`
	for _, c := range []struct {
		name, answer, retry string
		status              int
		noARI, noKeyID      bool
		again               time.Duration
		explanation         string
		none                bool
		word                string
	}{
		{name: "as it should be", answer: good, retry: "21600", again: 6 * time.Hour, explanation: "https://ca.orchard.net/why"},
		{name: "nothing about asking again", answer: good, again: defaultAsk, explanation: "https://ca.orchard.net/why"},
		{name: "too soon", answer: good, retry: "1", again: time.Minute, explanation: "https://ca.orchard.net/why"},
		{name: "too late", answer: good, retry: "86400000", again: 24 * time.Hour, explanation: "https://ca.orchard.net/why"},
		{name: "an explanation that is none", answer: strings.Replace(good, "https://ca", "javascript:x//ca", 1), again: defaultAsk},
		{name: "not offered", noARI: true, none: true},
		{name: "a certificate without the issuer's key", noKeyID: true, none: true},
		{name: "not known", status: 404, answer: `{"type":"urn:ietf:params:acme:error:malformed","detail":"not found"}`, none: true},
		{name: "backwards", answer: `{"suggestedWindow":{"start":"2026-12-03T00:00:00Z","end":"2026-12-01T00:00:00Z"}}`, word: "error"},
		{name: "no length", answer: `{"suggestedWindow":{"start":"2026-12-01T00:00:00Z","end":"2026-12-01T00:00:00Z"}}`, word: "error"},
		{name: "empty", answer: `{}`, word: "error"},
		{name: "malformed", answer: `{`, word: "error"},
		{name: "an error", status: 500, answer: `{"type":"urn:ietf:params:acme:error:serverInternal"}`, word: "error"},
		{name: "no answer", status: dropped, word: "network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				f.noARI = c.noARI
				answered := time.Time{}
				f.fault = func(w http.ResponseWriter, _ *http.Request, step string, _ []byte) bool {
					if step != "renewal" {
						return false
					}
					answered = time.Now()
					if c.retry != "" {
						w.Header().Set("Retry-After", c.retry)
					}
					if c.status != 0 {
						w.Header().Set("Content-Type", "application/problem+json")
						w.WriteHeader(c.status)
					}
					fmt.Fprint(w, c.answer)
					return true
				}
				certificate := replaced(t)
				if c.noKeyID {
					certificate.AuthorityKeyId = nil
				}
				got, err := f.ca(t).RenewalInfo(context.Background(), certificate)
				switch {
				case c.none:
					if !errors.Is(err, issuer.ErrNoAdvice) {
						t.Errorf("%+v %v", got, err)
					}
				case c.word != "":
					checkWord(t, err, c.word, "", time.Time{}, false)
				case err != nil || got.Start.Day() != 1 || got.End.Day() != 3 || got.Explanation != c.explanation || !got.Retry.Equal(answered.Add(c.again)):
					t.Errorf("%+v %v, want again at %s", got, err, answered.Add(c.again))
				}
			})
		})
	}
}
