package status

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"assay/internal/issuer"
)

func number(serial string) *big.Int {
	n, _ := new(big.Int).SetString(serial, 16)
	return n
}

const (
	good         = "0"
	revoked      = "1"
	unauthorized = "ocsp: error from server: unauthorized"
	tryLater     = "ocsp: error from server: try later"
	malformed    = "ocsp: error from server: malformed"
)

func TestResponses(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	l.set("ff", Known{Revoked: l.now.Add(-time.Minute), Reason: issuer.KeyCompromise})
	for serial, want := range map[string]string{"4001": good, "ff": revoked, "4002": unauthorized} {
		if got := l.post(t, h, serial); got != want {
			t.Errorf("%s: %s, want %s", serial, got, want)
		}
	}
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		der := l.request(t, "ff", hash)
		w := ask(h, http.MethodPost, "/ocsp/", string(der))
		r, err := ocsp.ParseResponse(w.Body.Bytes(), l.issuing)
		if err != nil || r.Status != ocsp.Revoked || r.RevocationReason != ocsp.KeyCompromise || r.IssuerHash != hash {
			t.Errorf("%s: %+v, %v", hash, r, err)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Error("an answer to a POST may be kept")
		}
	}
	other := newLedger(t)
	if got := other.post(t, h, "4001"); got != unauthorized {
		t.Errorf("another issuer: %s", got)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	// Numbers until the text has what URLs and path cleaners trip over.
	for want, i := map[string]bool{"/": true, "//": true, "+": true, "=": true}, 0; len(want) > 0; i++ {
		if i > 1<<16 {
			t.Fatalf("no request with %v", want)
		}
		serial := fmt.Sprintf("4fff%06xff%06x", i, i*i)
		text := base64.StdEncoding.EncodeToString(l.request(t, serial, crypto.SHA256))
		hit := false
		for w := range want {
			if strings.Contains(text, w) {
				delete(want, w)
				hit = true
			}
		}
		if !hit {
			continue
		}
		l.set(serial, Known{})
		for _, path := range []string{"/ocsp/" + text, "/ocsp//" + text, "/ocsp/" + url.PathEscape(text), "/ocsp/" + strings.TrimRight(text, "=")} {
			w := ask(h, http.MethodGet, path, "")
			if r, err := ocsp.ParseResponse(w.Body.Bytes(), l.issuing); err != nil || r.SerialNumber.Cmp(number(serial)) != 0 {
				t.Errorf("%s: %d %v", path, w.Code, err)
			}
		}
		// Through a mux too, where it stands before it.
		server := httptest.NewServer(h.Before(http.NewServeMux()))
		answer, err := server.Client().Get(server.URL + "/ocsp/" + text)
		if err != nil || answer.StatusCode != http.StatusOK || answer.Request.URL.Path != "/ocsp/"+text {
			t.Errorf("%+v, %v", answer, err)
		}
		server.Close()
	}
}

func TestHeadersOfResponses(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	path := "/ocsp/" + base64.StdEncoding.EncodeToString(l.request(t, "4001", crypto.SHA1))
	w := ask(h, http.MethodGet, path, "")
	r, err := ocsp.ParseResponse(w.Body.Bytes(), l.issuing)
	if err != nil {
		t.Fatal(err)
	}
	head := w.Header()
	if got := head.Get("Last-Modified"); got != r.ThisUpdate.UTC().Format(http.TimeFormat) {
		t.Errorf("Last-Modified %s, this update %s", got, r.ThisUpdate)
	}
	if got := head.Get("Expires"); got != r.NextUpdate.UTC().Format(http.TimeFormat) || r.NextUpdate.Sub(r.ThisUpdate) != 96*time.Hour {
		t.Errorf("Expires %s, next update %s", got, r.NextUpdate)
	}
	if got := head.Get("Cache-Control"); got != "max-age=900, public, no-transform, must-revalidate" {
		t.Error(got)
	}
	if again := ask(h, http.MethodGet, path, "", "If-None-Match", head.Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("again: %d, %d octets", again.Code, again.Body.Len())
	}
	if headOnly := ask(h, http.MethodHead, path, ""); headOnly.Body.Len() > 0 || headOnly.Header().Get("Content-Length") != fmt.Sprint(w.Body.Len()) {
		t.Errorf("HEAD: %v", headOnly.Header())
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	one := l.request(t, "4001", crypto.SHA1)
	for name, body := range map[string]string{
		"empty": "", "rubbish": "rubbish", "cut": string(one[:len(one)-1]), "longer": string(one) + "x", "two certificates": string(two(one)),
	} {
		w := ask(h, http.MethodPost, "/ocsp", body)
		if _, err := ocsp.ParseResponse(w.Body.Bytes(), nil); err == nil || err.Error() != malformed || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if w := ask(h, http.MethodGet, "/ocsp/!!!", ""); !bytes.Equal(w.Body.Bytes(), ocsp.MalformedRequestErrorResponse) {
		t.Errorf("%x", w.Body.Bytes())
	}
	if w := ask(h, http.MethodGet, "/ocsp", ""); !bytes.Equal(w.Body.Bytes(), ocsp.MalformedRequestErrorResponse) {
		t.Errorf("%x", w.Body.Bytes())
	}
	if w := ask(h, http.MethodPost, "/ocsp", strings.Repeat("x", maxRequest+1)); w.Code != http.StatusRequestEntityTooLarge {
		t.Error(w.Code)
	}
	if w := ask(h, http.MethodGet, "/ocsp/"+strings.Repeat("M", 2*maxRequest), ""); w.Code != http.StatusRequestURITooLong {
		t.Error(w.Code)
	}
	if w := ask(h, http.MethodPut, "/ocsp", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Error(w.Code)
	}
}

// two doubles the Request in a request: SEQUENCE { SEQUENCE { SEQUENCE OF }}.
func two(one []byte) []byte {
	single := one[6:] // all lengths of a request by SHA-1 take one octet
	list := append(append([]byte{}, single...), single...)
	wrap := func(b []byte) []byte {
		if len(b) < 128 {
			return append([]byte{0x30, byte(len(b))}, b...)
		}
		return append([]byte{0x30, 0x81, byte(len(b))}, b...)
	}
	return wrap(wrap(wrap(list)))
}

// A nonce is not returned, and does not keep the answer from being the kept one.
func TestKeptResponses(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	for range 10 {
		l.post(t, h, "4001")
	}
	if l.signatures.Load() != 1 || l.reads.Load() != 1 {
		t.Errorf("%d signatures, %d reads", l.signatures.Load(), l.reads.Load())
	}
	l.pass(20 * time.Second) // the status is read again, the signature stays
	l.post(t, h, "4001")
	if l.signatures.Load() != 1 || l.reads.Load() != 2 {
		t.Errorf("after a while: %d signatures, %d reads", l.signatures.Load(), l.reads.Load())
	}
	// Another process revoked it.
	l.set("4001", Known{Revoked: l.now, Reason: issuer.Superseded})
	if got := l.post(t, h, "4001"); got != good {
		t.Errorf("within the recheck: %s", got)
	}
	l.pass(20 * time.Second)
	if got := l.post(t, h, "4001"); got != revoked || l.signatures.Load() != 2 {
		t.Errorf("after it: %s", got)
	}
	l.pass(48 * time.Hour) // half of its life
	if got := l.post(t, h, "4001"); got != revoked || l.signatures.Load() != 3 {
		t.Errorf("after half of its life: %s, %d signatures", got, l.signatures.Load())
	}
}

func TestForgetShowsAtOnce(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	if got := l.post(t, h, "4001"); got != good {
		t.Fatal(got)
	}
	l.set("4001", Known{Revoked: l.now})
	h.Forget("main", "4001")
	if got := l.post(t, h, "4001"); got != revoked {
		t.Errorf("after the revocation: %s", got)
	}
}

// A status that was read before a revocation is not kept after it.
func TestForgetWhileLoading(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	hold := make(chan struct{})
	l.hold = hold
	first := make(chan string)
	go func() { first <- l.post(t, h, "4001") }()
	<-l.entered // it has read "good"
	l.mu.Lock()
	l.serials["4001"] = Known{Revoked: l.now}
	l.hold = nil
	l.mu.Unlock()
	h.Forget("main", "4001")
	if got := l.post(t, h, "4001"); got != revoked {
		t.Errorf("asked after the revocation: %s", got)
	}
	close(hold)
	if got := <-first; got != good {
		t.Errorf("asked before it: %s", got)
	}
	if got := l.post(t, h, "4001"); got != revoked {
		t.Errorf("the old answer was kept: %s", got)
	}
}

func TestOneLoadForMany(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	hold := make(chan struct{})
	l.hold = hold
	request := string(l.request(t, "4001", crypto.SHA1))
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if w := ask(h, http.MethodPost, "/ocsp", request); bytes.Equal(w.Body.Bytes(), ocsp.TryLaterErrorResponse) {
				t.Error("try later")
			}
		})
	}
	<-l.entered
	close(hold)
	wait.Wait()
	if l.signatures.Load() != 1 {
		t.Errorf("%d signatures", l.signatures.Load())
	}
}

func TestSourceAway(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	l.set("4002", Known{})
	l.post(t, h, "4001")
	l.fail(errors.New("database is locked"))
	l.pass(time.Minute)
	if got := l.post(t, h, "4001"); got != good {
		t.Errorf("kept and in force: %s", got)
	}
	if got := l.post(t, h, "4002"); got != tryLater {
		t.Errorf("not kept: %s", got)
	}
	l.pass(96 * time.Hour)
	if got := l.post(t, h, "4001"); got != tryLater {
		t.Errorf("kept and no longer in force: %s", got)
	}
	l.fail(nil)
	if got := l.post(t, h, "4001"); got != good {
		t.Errorf("back again: %s", got)
	}
}

// TestSourceAwayFor: while nobody can say what became of a certificate, what was signed
// before is answered to the second in which it ends, as it was signed, and nothing is
// signed; then the answer is to try later. What is read again is signed again.
func TestSourceAwayFor(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	request := string(l.request(t, "4001", crypto.SHA1))
	body := func() []byte { return ask(h, http.MethodPost, "/ocsp", request).Body.Bytes() }
	signed := body()
	r, err := ocsp.ParseResponse(signed, l.issuing)
	if err != nil || r.Status != ocsp.Good {
		t.Fatal(r, err)
	}
	l.fail(errors.New("the database does not answer"))
	for left := r.NextUpdate.Sub(l.clock()); left > time.Second; left = r.NextUpdate.Sub(l.clock()) {
		l.pass(min(left-time.Second, time.Hour))
		if !bytes.Equal(body(), signed) {
			t.Fatalf("%s before it ends", r.NextUpdate.Sub(l.clock()))
		}
	}
	// Asked while it is in force, and told that there is no answer when it is not.
	hold := make(chan struct{})
	l.mu.Lock()
	l.hold = hold
	l.mu.Unlock()
	for len(l.entered) > 0 {
		<-l.entered
	}
	late := make(chan []byte)
	go func() { late <- body() }()
	<-l.entered
	l.pass(time.Second)
	close(hold)
	if got := <-late; !bytes.Equal(got, ocsp.TryLaterErrorResponse) {
		t.Error("it was answered with when it had ended")
	}
	if got := body(); !bytes.Equal(got, ocsp.TryLaterErrorResponse) {
		t.Error("after its end it is answered with")
	}
	if n := l.signatures.Load(); n != 1 {
		t.Errorf("%d signatures, of what nobody knew", n)
	}
	l.fail(nil)
	if got := l.post(t, h, "4001"); got != good || l.signatures.Load() != 2 {
		t.Errorf("back again: %s", got)
	}
}

// TestSourceHangs: after a look that failed one waits for the next, and all others are
// answered at once, whatever they ask for; when it is through, everybody is told what is
// so.
func TestSourceHangs(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	for _, serial := range []string{"4001", "4002", "4003"} {
		l.set(serial, Known{})
	}
	l.lists[0] = &List{DER: []byte("list"), ThisUpdate: l.clock(), NextUpdate: l.clock().Add(time.Hour)}
	list := func() int { return ask(h, http.MethodGet, "/crl/main/0.crl", "").Code }
	if a, b, c := l.post(t, h, "4001"), l.post(t, h, "4002"), list(); a != good || b != good || c != http.StatusOK {
		t.Fatal(a, b, c)
	}
	l.fail(errors.New("the database does not answer"))
	l.pass(time.Minute)
	if got := l.post(t, h, "4001"); got != good {
		t.Fatal(got)
	}
	hold := make(chan struct{})
	l.mu.Lock()
	l.hold = hold
	l.mu.Unlock()
	for len(l.entered) > 0 {
		<-l.entered
	}
	waits := make(chan string, 1)
	go func() { waits <- l.post(t, h, "4001") }()
	<-l.entered
	reads := l.reads.Load()
	for _, c := range []struct{ serial, want string }{{"4001", good}, {"4002", good}, {"4003", tryLater}} {
		if got := l.post(t, h, c.serial); got != c.want {
			t.Errorf("%s meanwhile: %s", c.serial, got)
		}
	}
	if code := list(); code != http.StatusOK || l.reads.Load() != reads {
		t.Errorf("the list meanwhile: %d, %d reads more", code, l.reads.Load()-reads)
	}
	if len(waits) > 0 {
		t.Error("the others waited for the look that hangs")
	}
	l.fail(nil)
	for _, serial := range []string{"4001", "4002"} {
		l.set(serial, Known{Revoked: l.clock()})
	}
	close(hold)
	if got := <-waits; got != good { // it had read that nobody can say
		t.Errorf("who waited: %s", got)
	}
	for _, serial := range []string{"4001", "4002"} {
		if got := l.post(t, h, serial); got != revoked {
			t.Errorf("%s when it is back: %s", serial, got)
		}
	}
	if got := l.post(t, h, "4003"); got != good {
		t.Error(got)
	}
}

// TestOthersSee: what one server revoked another one of the same database says from the
// end of its recheck on, however the issuer is named, and never "good" again.
func TestOthersSee(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	one, other := l.handler(t, nil), l.handler(t, nil)
	l.set("4001", Known{})
	as := func(h *Handler, hash crypto.Hash) string { return l.postBy(t, h, "4001", hash) }
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		if a, b := as(one, hash), as(other, hash); a != good || b != good {
			t.Fatal(a, b)
		}
	}
	l.set("4001", Known{Revoked: l.clock(), Reason: issuer.KeyCompromise})
	one.Forget("main", "4001")
	l.pass(15*time.Second - 1)
	if a, b := as(one, crypto.SHA1), as(other, crypto.SHA1); a != revoked || b != good {
		t.Errorf("before the recheck: %s by who revoked, %s by the other", a, b)
	}
	l.pass(1)
	if got := as(other, crypto.SHA1); got != revoked {
		t.Errorf("after the recheck: %s", got)
	}
	// It knows now: also where it cannot look again.
	l.fail(errors.New("the database does not answer"))
	if got := as(other, crypto.SHA256); got != tryLater {
		t.Errorf("to who names the issuer by another hash: %s", got)
	}
}

// TestRevokedUnsigned: where the certificate is known to be revoked and the key is away,
// the answer before is not given, now and later.
func TestRevokedUnsigned(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	l.set("4001", Known{})
	if got := l.post(t, h, "4001"); got != good {
		t.Fatal(got)
	}
	l.unsigned = errors.New("no card in the reader")
	l.pass(48 * time.Hour)
	if got := l.post(t, h, "4001"); got != good {
		t.Errorf("in force, and it holds still: %s", got)
	}
	l.set("4001", Known{Revoked: l.clock()})
	l.pass(time.Minute)
	if got := l.post(t, h, "4001"); got != tryLater {
		t.Errorf("known to be revoked: %s", got)
	}
	l.fail(errors.New("the database does not answer"))
	if got := l.post(t, h, "4001"); got != tryLater {
		t.Errorf("and when nobody can look: %s", got)
	}
}

func TestBoundedResponses(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, func(c *Config) { c.Responses = 32 })
	for i := range 500 {
		serial := fmt.Sprintf("40%04x", i)
		l.set(serial, Known{})
		l.post(t, h, serial)
	}
	total := 0
	for _, p := range h.answers.parts {
		total += len(p.slots)
		if p.order.Len() != len(p.slots) || p.used != len(p.slots) {
			t.Errorf("%d in order, %d counted, %d kept", p.order.Len(), p.used, len(p.slots))
		}
	}
	if total > 32 {
		t.Errorf("%d responses are kept", total)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, func(c *Config) { c.ListBytes = 100 })
	l.lists[7] = &List{DER: []byte("list seven"), ThisUpdate: l.now, NextUpdate: l.now.Add(7 * 24 * time.Hour)}
	w := ask(h, http.MethodGet, "/crl/main/7.crl", "")
	head := w.Header()
	if w.Code != http.StatusOK || w.Body.String() != "list seven" || head.Get("Content-Type") != "application/pkix-crl" ||
		head.Get("Last-Modified") != l.now.UTC().Format(http.TimeFormat) || head.Get("Expires") != l.now.Add(7*24*time.Hour).UTC().Format(http.TimeFormat) ||
		!strings.HasPrefix(head.Get("Cache-Control"), "max-age=900,") {
		t.Errorf("%d %q %v", w.Code, w.Body, head)
	}
	if again := ask(h, http.MethodGet, "/crl/main/7.crl", "", "If-None-Match", head.Get("ETag")); again.Code != http.StatusNotModified {
		t.Errorf("again: %d", again.Code)
	}
	if since := ask(h, http.MethodGet, "/crl/main/7.crl", "", "If-Modified-Since", head.Get("Last-Modified")); since.Code != http.StatusNotModified {
		t.Errorf("since: %d", since.Code)
	}
	for _, path := range []string{"/crl/main/8.crl", "/crl/main/07.crl", "/crl/main/+7.crl", "/crl/main/-1.crl", "/crl/main/7", "/crl/other/7.crl", "/crl/main/x/7.crl", "/crl/", "/crl/main/99999999999999999999.crl", "/other"} {
		if w := ask(h, http.MethodGet, path, ""); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	if w := ask(h, http.MethodPost, "/crl/main/7.crl", ""); w.Code != http.StatusMethodNotAllowed {
		t.Error(w.Code)
	}
	// A new one shows once it is said, or after a while.
	l.lists[7] = &List{DER: []byte("the next"), ThisUpdate: l.now, NextUpdate: l.now.Add(time.Hour)}
	if w := ask(h, http.MethodGet, "/crl/main/7.crl", ""); w.Body.String() != "list seven" {
		t.Error("the list was not kept")
	}
	h.ForgetList("main", 7)
	if w := ask(h, http.MethodGet, "/crl/main/7.crl", ""); w.Body.String() != "the next" {
		t.Errorf("%q", w.Body)
	}
	l.fail(errors.New("database is locked"))
	l.pass(time.Minute)
	if w := ask(h, http.MethodGet, "/crl/main/7.crl", ""); w.Body.String() != "the next" {
		t.Errorf("the source is away: %q", w.Body)
	}
	if w := ask(h, http.MethodGet, "/crl/main/9.crl", ""); w.Code != http.StatusServiceUnavailable {
		t.Error(w.Code)
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	for path, want := range map[string]*x509.Certificate{"/ca/main.crt": l.issuing, "/ca/root.crt": l.root} {
		w := ask(h, http.MethodGet, path, "")
		if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), want.Raw) || w.Header().Get("Content-Type") != "application/pkix-cert" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		if w := ask(h, http.MethodGet, path, "", "If-None-Match", w.Header().Get("ETag")); w.Code != http.StatusNotModified {
			t.Error(w.Code)
		}
	}
	for _, path := range []string{"/ca/other.crt", "/ca/main", "/ca/"} {
		if w := ask(h, http.MethodGet, path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestOneNameAndKey: of several issuers with one name and key the one that gave a serial
// number out says what became of it; each has its certificate and lists.
func TestOneNameAndKey(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	h := l.handler(t, nil)
	if err := h.SetIssuers(map[string]*x509.Certificate{"earlier": l.issuing, "main": l.issuing, "root": l.root, "top": l.root}); err != nil {
		t.Fatal(err)
	}
	l.set("4a01", Known{})
	l.lists[0] = &List{DER: []byte{1}, ThisUpdate: l.now, NextUpdate: l.now.Add(time.Hour)}
	for range 2 { // of what is kept, too
		if got := l.post(t, h, "4a01"); got != "0" {
			t.Errorf("good: %s", got)
		}
	}
	if n := l.signatures.Load(); n != 1 {
		t.Errorf("%d signatures", n)
	}
	l.set("4a01", Known{Revoked: l.now, Reason: issuer.Superseded})
	h.Forget("main", "4a01")
	if got := l.post(t, h, "4a01"); got != "1" {
		t.Errorf("revoked: %s", got)
	}
	if got := l.post(t, h, "4a02"); got == "0" || got == "1" {
		t.Errorf("never given out: %s", got)
	}
	for _, path := range []string{"/ca/earlier.crt", "/ca/main.crt", "/ca/top.crt", "/crl/main/0.crl", "/crl/earlier/0.crl"} {
		if w := ask(h, http.MethodGet, path, ""); w.Code != http.StatusOK {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for name, c := range map[string]Config{
		"no source": {}, "too short": {Source: l, Life: time.Hour}, "too long": {Source: l, Life: 300 * time.Hour}, "negative": {Source: l, Recheck: -1},
	} {
		if _, err := New(c); err == nil {
			t.Error(name)
		}
	}
}

// What this parser accepts means to x/crypto what it means here.
func FuzzParse(f *testing.F) {
	l := newLedger(f)
	f.Add(l.request(f, "4001", crypto.SHA1))
	f.Add(l.request(f, "ff", crypto.SHA256))
	f.Add(two(l.request(f, "7f", crypto.SHA1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := parse(b)
		if err != nil {
			return
		}
		want, err := ocsp.ParseRequest(b)
		if err != nil {
			return // it also looks at what is not looked at here
		}
		if want.SerialNumber.Cmp(number(q.serial)) != 0 || want.HashAlgorithm != q.hash || string(want.IssuerNameHash)+string(want.IssuerKeyHash) != q.issuer[1:] {
			t.Errorf("%+v, want %+v", q, want)
		}
	})
}

// No request makes the handler fail, whatever it is.
func FuzzHandler(f *testing.F) {
	l := newLedger(f)
	h := l.handler(f, nil)
	l.set("4001", Known{})
	f.Add("POST", "/ocsp", l.request(f, "4001", crypto.SHA1))
	f.Add("GET", "/ocsp/"+base64.StdEncoding.EncodeToString(l.request(f, "4001", crypto.SHA1)), []byte(nil))
	f.Add("GET", "/crl/main/1.crl", []byte(nil))
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		u, err := url.Parse("http://pki.example.net" + path)
		if err != nil {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "/ocsp", bytes.NewReader(body))
		r.Method, r.URL = method, u
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%d", w.Code)
		}
	})
}
