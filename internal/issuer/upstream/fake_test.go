package upstream

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// base is where the CA of a test seems to be.
const base = "https://ca.orchard.net"

// A fakeCA is an ACME CA with every fault that a test wants. It does not verify
// signatures (Pebble does), but holds requests to their address and nonces.
type fakeCA struct {
	t  testing.TB
	mu sync.Mutex
	// fault may answer in the CA's place.
	fault func(w http.ResponseWriter, r *http.Request, step string, payload []byte) (answered bool)
	// verdict judges a name that is looked at; nil or "": valid. Else it is the
	// problem as JSON.
	verdict func(name string) string
	// pending and processing are how many polls an order stays so.
	pending, processing int
	// forge changes the certificate before it is signed.
	forge func(c *x509.Certificate, key crypto.PublicKey) crypto.PublicKey
	// chain changes what is sent.
	chain func(sent []*x509.Certificate) []*x509.Certificate
	// offers are the methods for a name; nil: as RFC 8555 and 8738 have it.
	offers func(name string) []string
	meta   string
	noARI  bool

	steps    []string
	payloads map[string][]byte
	nonces   map[string]bool
	nonce    int
	account  bool
	order    *fakeOrder
	orders   int
	issued   *x509.Certificate
	issues   int
}

type fakeOrder struct {
	identifiers []map[string]string
	status      string
	authz       map[string]string // by index, its status
	problem     map[string]string
	seen        map[string]string // the method that was triggered
}

func newFake(t testing.TB) *fakeCA {
	return &fakeCA{t: t, payloads: map[string][]byte{}, nonces: map[string]bool{}}
}

// RoundTrip makes the CA reachable without a network.
func (f *fakeCA) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if w.Code == dropped {
		return nil, fmt.Errorf("connection reset")
	}
	answer := w.Result()
	answer.Request = r
	return answer, nil
}

// dropped stands for no answer at all.
const dropped = 999

var stepPaths = map[string]string{
	"dir": "directory", "nonce": "nonce", "acct": "account", "order": "order", "o": "poll", "z": "authorization", "c": "challenge", "f": "finalize", "cert": "certificate", "ari": "renewal", "revoke": "revoke",
}

func (f *fakeCA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	step := stepPaths[parts[0]]
	f.nonce++
	nonce := fmt.Sprintf("nonce-%d", f.nonce)
	f.nonces[nonce] = true
	w.Header().Set("Replay-Nonce", nonce)
	w.Header().Set("Content-Type", "application/json")
	var payload []byte
	if r.Method == http.MethodPost {
		var err error
		if payload, err = f.read(r); err != nil {
			f.problem(w, 400, "badNonce", err.Error())
			return
		}
	}
	f.steps = append(f.steps, step)
	if payload != nil {
		f.payloads[step] = payload
	}
	if f.fault != nil && f.fault(w, r, step, payload) {
		return
	}
	f.serve(w, step, parts[1:], payload)
}

func (f *fakeCA) read(r *http.Request) ([]byte, error) {
	var jws, head map[string]any
	if err := json.NewDecoder(r.Body).Decode(&jws); err != nil {
		return nil, err
	}
	raw, err := base64.RawURLEncoding.DecodeString(jws["protected"].(string))
	if err == nil {
		err = json.Unmarshal(raw, &head)
	}
	if err != nil {
		return nil, err
	}
	if head["url"] != r.URL.String() {
		f.t.Errorf("signed for %v, sent to %v", head["url"], r.URL)
	}
	if n, _ := head["nonce"].(string); !f.nonces[n] {
		return nil, fmt.Errorf("nonce %q", n)
	}
	delete(f.nonces, head["nonce"].(string))
	return base64.RawURLEncoding.DecodeString(jws["payload"].(string))
}

func (f *fakeCA) problem(w http.ResponseWriter, status int, kind, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"urn:ietf:params:acme:error:%s","detail":%q,"status":%d}`, kind, detail, status)
}

func (f *fakeCA) serve(w http.ResponseWriter, step string, rest []string, payload []byte) {
	switch step {
	case "directory":
		ari := `,"renewalInfo":"` + base + `/ari"`
		if f.noARI {
			ari = ""
		}
		fmt.Fprintf(w, `{"newNonce":"%s/nonce","newAccount":"%s/acct","newOrder":"%s/order","revokeCert":"%s/revoke"%s,"meta":{%s}}`, base, base, base, base, ari, f.meta)
	case "account":
		if strings.Contains(string(payload), "onlyReturnExisting") && !f.account {
			f.problem(w, 400, "accountDoesNotExist", "No account exists with the provided key")
			return
		}
		f.account = true
		w.Header().Set("Location", base+"/acct/1")
		fmt.Fprint(w, `{"status":"valid"}`)
	case "order":
		var asked struct{ Identifiers []map[string]string }
		if err := json.Unmarshal(payload, &asked); err != nil {
			f.t.Error(err)
		}
		f.orders++
		f.order = &fakeOrder{identifiers: asked.Identifiers, status: "pending", authz: map[string]string{}, problem: map[string]string{}, seen: map[string]string{}}
		for i := range asked.Identifiers {
			f.order.authz[fmt.Sprint(i)] = "pending"
		}
		w.Header().Set("Location", base+"/o/1")
		w.WriteHeader(http.StatusCreated)
		f.showOrder(w)
	case "poll":
		f.advance()
		f.showOrder(w)
	case "authorization":
		if strings.Contains(string(payload), "deactivated") && f.order.authz[rest[0]] == "pending" {
			f.order.authz[rest[0]], f.order.status = "deactivated", "invalid"
		}
		f.showAuthorization(w, rest[0])
	case "challenge":
		f.trigger(w, rest[0], rest[1])
	case "finalize":
		f.finalize(w, payload)
	case "certificate":
		f.showCertificate(w)
	case "renewal":
		fmt.Fprint(w, `{"suggestedWindow":{"start":"2026-12-01T00:00:00Z","end":"2026-12-03T00:00:00Z"},"explanationURL":"https://ca.orchard.net/why"}`)
	case "revoke":
		w.WriteHeader(http.StatusOK)
	case "nonce":
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// advance is the time that passes between two looks.
func (f *fakeCA) advance() {
	o := f.order
	if o.status == "processing" {
		if f.processing--; f.processing < 0 {
			o.status = "valid"
		}
		return
	}
	if o.status != "pending" || len(o.seen) == 0 {
		return
	}
	if f.pending--; f.pending >= 0 {
		return
	}
	o.status = "ready"
	for i := range o.identifiers {
		k := fmt.Sprint(i)
		if o.authz[k] == "pending" && o.seen[k] != "" {
			o.authz[k] = "valid"
			if f.verdict != nil {
				if o.problem[k] = f.verdict(o.name(i)); o.problem[k] != "" {
					o.authz[k] = "invalid"
				}
			}
		}
		switch {
		case o.authz[k] == "invalid":
			o.status = "invalid"
		case o.authz[k] == "pending" && o.status == "ready":
			o.status = "pending"
		}
	}
}

func (o *fakeOrder) name(i int) string { return o.identifiers[i]["value"] }

func (f *fakeCA) showOrder(w http.ResponseWriter) {
	o := f.order
	out := map[string]any{"status": o.status, "expires": "2099-01-08T00:00:00Z", "identifiers": o.identifiers, "finalize": base + "/f/1"}
	var list []string
	for i := range o.identifiers {
		list = append(list, fmt.Sprintf("%s/z/%d", base, i))
	}
	out["authorizations"] = list
	if o.status == "valid" {
		out["certificate"] = base + "/cert/1"
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (f *fakeCA) showAuthorization(w http.ResponseWriter, k string) {
	o := f.order
	var i int
	_, _ = fmt.Sscan(k, &i)
	id := o.identifiers[i]
	value, wildcard := strings.CutPrefix(id["value"], "*.")
	out := map[string]any{"status": o.authz[k], "expires": "2099-01-05T00:00:00Z", "identifier": map[string]string{"type": id["type"], "value": value}}
	offers := []string{"http-01", "dns-01", "tls-alpn-01", "dns-account-01"}
	switch {
	case wildcard:
		out["wildcard"] = true
		offers = []string{"dns-01"}
	case id["type"] == "ip":
		offers = []string{"http-01", "tls-alpn-01"}
	}
	if f.offers != nil {
		offers = f.offers(id["value"])
	}
	var list []map[string]any
	for _, m := range offers {
		ch := map[string]any{"type": m, "status": "pending", "url": fmt.Sprintf("%s/c/%s/%s", base, k, m), "token": fmt.Sprintf("token-%s-%s", k, m)}
		if o.seen[k] == m {
			ch["status"] = o.authz[k]
			if o.authz[k] == "pending" {
				ch["status"] = "processing"
			}
			if o.problem[k] != "" {
				ch["error"] = json.RawMessage(o.problem[k])
			}
		}
		list = append(list, ch)
	}
	out["challenges"] = list
	_ = json.NewEncoder(w).Encode(out)
}

func (f *fakeCA) trigger(w http.ResponseWriter, k, m string) {
	if f.order.authz[k] != "pending" || f.order.seen[k] != "" {
		f.problem(w, 400, "malformed", "authorization must be pending")
		return
	}
	f.order.seen[k] = m
	fmt.Fprintf(w, `{"type":%q,"status":"processing","url":"%s/c/%s/%s","token":"token-%s-%s"}`, m, base, k, m, k, m)
}

func (f *fakeCA) finalize(w http.ResponseWriter, payload []byte) {
	if f.order.status != "ready" {
		f.problem(w, 403, "orderNotReady", fmt.Sprintf("Order's status (%q) is not acceptable for finalization", f.order.status))
		return
	}
	var body struct{ CSR string }
	_ = json.Unmarshal(payload, &body)
	der, err := base64.RawURLEncoding.DecodeString(body.CSR)
	if err != nil {
		f.t.Error(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		f.problem(w, 400, "badCSR", "Error parsing certificate request: "+err.Error())
		return
	}
	f.issue(csr)
	f.order.status = "processing"
	if f.processing == 0 {
		f.order.status = "valid"
	}
	f.showOrder(w)
}

func (f *fakeCA) issue(csr *x509.CertificateRequest) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(90 * 24 * time.Hour),
		DNSNames: csr.DNSNames, IPAddresses: csr.IPAddresses, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	key := csr.PublicKey
	if f.forge != nil {
		if other := f.forge(template, key); other != nil {
			key = other
		}
	}
	h := testHierarchy()
	der, err := x509.CreateCertificate(rand.Reader, template, h.issuing, key, h.issuingKey)
	if err != nil {
		f.t.Fatal(err)
	}
	if f.issued, err = x509.ParseCertificate(der); err != nil {
		f.t.Fatal(err)
	}
	f.issues++
}

func (f *fakeCA) showCertificate(w http.ResponseWriter) {
	sent := []*x509.Certificate{f.issued, testHierarchy().issuing}
	if f.chain != nil {
		sent = f.chain(sent)
	}
	w.Header().Set("Content-Type", "application/pem-certificate-chain")
	for _, c := range sent {
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
}

// count is how often a step was taken.
func (f *fakeCA) count(step string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.steps {
		if s == step {
			n++
		}
	}
	return n
}
