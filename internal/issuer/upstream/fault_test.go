package upstream

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
)

// steps are what an order takes, from the directory to the certificate.
func allSteps() []string {
	return []string{"directory", "account", "order", "authorization", "poll", "challenge", "finalize", "certificate"}
}

// order runs a whole order and returns how long it took.
func runOrder(ca *CA, r *issuer.Request) (*issuer.Issued, error) {
	opened, err := ca.Open(context.Background(), r)
	if err != nil {
		return nil, err
	}
	r.State = opened.State
	p, err := ca.Prepare(context.Background(), r)
	if err != nil {
		return nil, err
	}
	return ca.Complete(context.Background(), p)
}

// TestFaults: whatever the CA does wrong at whatever step ends in bounded time and
// with a word, and never with a certificate; once the CA is well the same order
// goes on.
func TestFaults(t *testing.T) {
	t.Parallel()
	problem := func(status int, kind, detail string) func(f *fakeCA, w http.ResponseWriter) {
		return func(f *fakeCA, w http.ResponseWriter) { f.problem(w, status, kind, detail) }
	}
	for _, c := range []struct {
		name   string
		answer func(f *fakeCA, w http.ResponseWriter)
		word   string   // of issuer.Unavailable
		cause  cause.ID // of issuer.Refusal
		retry  time.Duration
		except string // steps at which it is nothing special
		taken  bool   // the CA seems to have taken the request
	}{
		{name: "no answer", answer: func(_ *fakeCA, w http.ResponseWriter) { w.WriteHeader(dropped) }, word: "network"},
		{name: "busy", answer: func(f *fakeCA, w http.ResponseWriter) {
			w.Header().Set("Retry-After", "120")
			f.problem(w, 503, "rateLimited", "Service busy; retry later.")
		}, word: "busy", retry: 2 * time.Minute},
		{name: "busy without words", answer: func(_ *fakeCA, w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(503)
			_, _ = io.WriteString(w, "<html>\x1b[31mout of order</html>")
		}, word: "busy", retry: time.Minute},
		{name: "internal error", answer: problem(500, "serverInternal", "The service is down for maintenance or had an internal error."), word: "error"},
		{name: "bad gateway", answer: func(_ *fakeCA, w http.ResponseWriter) { w.WriteHeader(502) }, word: "error"},
		{name: "wrong nonces for ever", answer: problem(400, "badNonce", "JWS has an invalid anti-replay nonce"), word: "error", except: "directory"},
		{name: "rate limited", answer: func(f *fakeCA, w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3600")
			f.problem(w, 429, "rateLimited", "too many new orders (300) from this account in the last 3h0m0s")
		}, cause: cause.LimitRateLimited, retry: time.Hour},
		{name: "rate limited without words", answer: func(_ *fakeCA, w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(429)
		}, cause: cause.LimitRateLimited},
		{name: "malformed JSON", answer: func(_ *fakeCA, w http.ResponseWriter) { _, _ = io.WriteString(w, `{"status":`) }, taken: true, word: "error"},
		{name: "other JSON", answer: func(_ *fakeCA, w http.ResponseWriter) { _, _ = io.WriteString(w, `[1,2,3]`) }, taken: true, word: "error"},
		{name: "empty JSON", answer: func(_ *fakeCA, w http.ResponseWriter) { _, _ = io.WriteString(w, `{}`) }, taken: true, word: "error", except: "challenge"},
		{name: "HTML", answer: func(_ *fakeCA, w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>")
		}, taken: true, word: "error"},
		{name: "malformed problem", answer: func(_ *fakeCA, w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(400)
			_, _ = io.WriteString(w, `{"type":`)
		}, word: "error"},
		{name: "a huge answer", answer: func(_ *fakeCA, w http.ResponseWriter) {
			_, _ = io.WriteString(w, `{"status":"`+strings.Repeat("x", maxAnswer)+`"}`)
		}, word: "network"},
		{name: "a redirect", answer: func(_ *fakeCA, w http.ResponseWriter) {
			w.Header().Set("Location", "http://127.0.0.1/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, word: "error", except: "directory"},
		{name: "a status that means nothing", answer: func(_ *fakeCA, w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }, taken: true, word: "error", except: "challenge"},
	} {
		for _, step := range allSteps() {
			if strings.Contains(c.except, step) {
				continue
			}
			t.Run(c.name+" at "+step, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFake(t)
					asked, ended := 0, time.Time{}
					f.fault = func(w http.ResponseWriter, _ *http.Request, at string, _ []byte) bool {
						if at != step {
							return false
						}
						asked, ended = asked+1, time.Now()
						c.answer(f, w)
						return true
					}
					ca := f.ca(t)
					r := requestFor(order.MethodDNS01, "www.orchard.net")
					began := time.Now()
					issued, err := runOrder(ca, r)
					if issued != nil || err == nil {
						t.Fatalf("%+v %v", issued, err)
					}
					word := c.word
					if c.taken && step == "finalize" {
						word = "busy" // until the order shows what became of it
					}
					checkWord(t, err, word, c.cause, ended.Add(c.retry), c.retry != 0)
					if took := time.Since(began); took > 4*time.Minute || asked > 40 {
						t.Errorf("took %s and %d requests", took, asked)
					}
					if strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 1500 {
						t.Errorf("the error is %q", err)
					}
					f.fault = nil
					if issued, err = runOrder(ca, r); err != nil || f.issues != 1 {
						t.Errorf("once it is well: %+v %v, %d certificates", issued, err, f.issues)
					}
				})
			})
		}
	}
}

// checkWord holds an error to what the contract of issuers has for it.
func checkWord(t *testing.T, err error, word string, id cause.ID, retry time.Time, hasRetry bool) {
	t.Helper()
	if id != "" {
		wantRefusal(t, err, id)
		var refusal *issuer.Refusal
		errors.As(err, &refusal)
		got, ok := refusal.Problems[0].Parameters["retry"].(time.Time)
		if ok != hasRetry || ok && !got.Equal(retry) {
			t.Errorf("again at %s, want %s", got, retry)
		}
		return
	}
	var unavailable *issuer.Unavailable
	if !errors.As(err, &unavailable) || unavailable.Problem != word {
		t.Fatalf("%T %v, want %q", err, err, word)
	}
	if hasRetry && !unavailable.Retry.Equal(retry) {
		t.Errorf("again at %s, want %s", unavailable.Retry, retry)
	}
}

// TestSlow: a CA that does not answer is met by the bound of one request, and the
// caller's context by its own.
func TestSlow(t *testing.T) {
	t.Parallel()
	for _, step := range allSteps() {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				slow := true
				f.fault = func(_ http.ResponseWriter, r *http.Request, at string, _ []byte) bool {
					if slow && at == step {
						<-r.Context().Done()
						return true
					}
					return false
				}
				ca := f.ca(t, func(c *Config) { c.Timeout = 10 * time.Second })
				r := requestFor(order.MethodDNS01, "www.orchard.net")
				began := time.Now()
				_, err := runOrder(ca, r)
				checkWord(t, err, "network", "", time.Time{}, false)
				if took := time.Since(began); took < 10*time.Second || took > 40*time.Second {
					t.Errorf("took %s", took)
				}
				slow = false
				if _, err := runOrder(ca, r); err != nil {
					t.Errorf("once it answers: %v", err)
				}
			})
		})
	}
}

// TestOnce: hiccups are got over within one call.
func TestOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(f *fakeCA, w http.ResponseWriter)
	}{
		{"a wrong nonce", func(f *fakeCA, w http.ResponseWriter) {
			f.problem(w, 400, "badNonce", "JWS has an invalid anti-replay nonce")
		}},
		{"a lost connection", func(_ *fakeCA, w http.ResponseWriter) { w.WriteHeader(dropped) }},
		{"an internal error", func(f *fakeCA, w http.ResponseWriter) { f.problem(w, 500, "serverInternal", "Error") }},
	} {
		for _, step := range allSteps() {
			t.Run(c.name+" at "+step, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					f := newFake(t)
					done := false
					f.fault = func(w http.ResponseWriter, _ *http.Request, at string, _ []byte) bool {
						if done || at != step || step == "directory" && c.name == "a wrong nonce" {
							return false
						}
						done = true
						c.answer(f, w)
						return true
					}
					if _, err := runOrder(f.ca(t), requestFor(order.MethodDNS01, "www.orchard.net")); err != nil || f.issues != 1 {
						t.Error(err)
					}
				})
			})
		}
	}
}

// TestNonsense: answers that are well-formed and make no sense.
func TestNonsense(t *testing.T) {
	t.Parallel()
	const id = `"identifiers":[{"type":"dns","value":"www.orchard.net"}]`
	const authz = `{"status":"pending","identifier":{"type":"dns","value":"www.orchard.net"},"challenges":[{"type":"dns-01","status":"pending","url":"https://ca.orchard.net/c/0/dns-01",`
	for _, c := range []struct{ name, step, answer, err string }{
		{"another name", "order", `{"status":"pending","identifiers":[{"type":"dns","value":"evil.net"}],"finalize":"https://ca.orchard.net/f/1"}`, "other names"},
		{"one name more", "order", `{"status":"pending","identifiers":[{"type":"dns","value":"www.orchard.net"},{"type":"dns","value":"evil.net"}],"finalize":"https://ca.orchard.net/f/1"}`, "other names"},
		{"an address for a name", "order", `{"status":"pending","identifiers":[{"type":"ip","value":"www.orchard.net"}],"finalize":"https://ca.orchard.net/f/1"}`, "other names"},
		{"plain http", "order", `{"status":"pending",` + id + `,"finalize":"http://ca.orchard.net/f/1"}`, "is not https://"},
		{"a file", "order", `{"status":"pending",` + id + `,"finalize":"file:///etc/passwd"}`, "is not https://"},
		{"too many authorizations", "order", `{"status":"pending",` + id + `,"finalize":"https://ca.orchard.net/f/1","authorizations":["https://ca.orchard.net/z/0","https://ca.orchard.net/z/1"]}`, "2 authorizations for 1 names"},
		{"a status of its own", "poll", `{"status":"maybe",` + id + `,"finalize":"https://ca.orchard.net/f/1"}`, "its status"},
		{"valid without a certificate", "poll", `{"status":"valid",` + id + `,"finalize":"https://ca.orchard.net/f/1"}`, "the certificate's address"},
		{"authorized for another name", "authorization", `{"status":"pending","identifier":{"type":"dns","value":"evil.net"},"challenges":[]}`, "not asked for"},
		{"a wildcard that was not asked for", "authorization", `{"status":"pending","wildcard":true,"identifier":{"type":"dns","value":"www.orchard.net"},"challenges":[]}`, "not asked for"},
		{"a path as token", "authorization", authz + `"token":"../../admin"}]}`, "its token"},
		{"a line break in the token", "authorization", authz + `"token":"a\r\nb"}]}`, "its token"},
		{"no token", "authorization", authz + `"token":""}]}`, "its token"},
		{"a long token", "authorization", authz + `"token":"` + strings.Repeat("x", maxToken+1) + `"}]}`, "its token"},
		{"a key authorization of its own", "authorization", authz + `"token":"abc","keyAuthorization":"evil"}]}`, "key authorization"},
		{"a challenge elsewhere", "authorization", strings.Replace(authz, "https://ca", "http://ca", 1) + `"token":"abc"}]}`, "its address"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.fault = func(w http.ResponseWriter, _ *http.Request, step string, _ []byte) bool {
				if step != c.step {
					return false
				}
				w.Header().Set("Location", base+"/o/1")
				_, _ = io.WriteString(w, c.answer)
				return true
			}
			_, err := runOrder(f.ca(t), requestFor(order.MethodDNS01, "www.orchard.net"))
			checkWord(t, err, "error", "", time.Time{}, false)
			if !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
		})
	}
}

// TestEndless: a chain that is given one by one and never ends, does end.
func TestEndless(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.fault = func(w http.ResponseWriter, _ *http.Request, step string, _ []byte) bool {
			if step == "certificate" {
				w.Header().Add("Link", fmt.Sprintf(`<%s/cert/%d>;rel="up"`, base, len(f.steps)))
				w.Header().Add("Link", fmt.Sprintf(`<%s/cert/%d>;rel="alternate"`, base, len(f.steps)))
			}
			return false
		}
		_, err := runOrder(f.ca(t), requestFor(order.MethodDNS01, "www.orchard.net"))
		if err == nil || f.count("certificate") > maxDownload {
			t.Errorf("%v after %d", err, f.count("certificate"))
		}
	})
}

// TestAlternate: of several chains the first that leads to a root is taken.
func TestAlternate(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.fault = func(w http.ResponseWriter, r *http.Request, step string, _ []byte) bool {
		if step == "certificate" {
			alternate := strings.HasSuffix(r.URL.Path, "/2")
			if !alternate {
				w.Header().Add("Link", `<`+base+`/cert/2>;rel="alternate"`)
			}
			f.chain = nil
			if !alternate {
				f.chain = wrongChain
			}
		}
		return false
	}
	issued, err := runOrder(f.ca(t), requestFor(order.MethodDNS01, "www.orchard.net"))
	if err != nil || len(issued.Chain) != 1 {
		t.Errorf("%+v %v", issued, err)
	}
}

// TestKeyOffline: an account key that cannot sign is no fault of the order.
func TestKeyOffline(t *testing.T) {
	t.Parallel()
	for name, k := range map[string]crypto.Signer{"no answer": brokenKey{newKey(), nil}, "nonsense": brokenKey{newKey(), []byte("nonsense")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			_, err := f.ca(t, func(c *Config) { c.Key = k }).Open(context.Background(), requestFor(order.MethodDNS01, "www.orchard.net"))
			checkWord(t, err, "key-offline", "", time.Time{}, false)
		})
	}
}

// A brokenKey signs with what it was given, or not at all.
type brokenKey struct {
	crypto.Signer
	signature []byte
}

func (k brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	if k.signature == nil {
		return nil, errors.New("the token is not plugged in")
	}
	return k.signature, nil
}
