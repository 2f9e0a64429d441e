// Package status tells whoever meets a certificate what has become of it, over
// plain HTTP: lists of revoked certificates, OCSP responses, and the
// certificates of the issuers.
//
//	GET  /crl/{issuer}/{shard}.crl   a part of an issuer's list (RFC 5280 5)
//	GET  /ca/{issuer}.crt            its certificate, DER (RFC 5280 4.2.2.1)
//	GET  /ocsp/{request in base64}   an OCSP response (RFC 6960, RFC 5019)
//	POST /ocsp                       the same
//
// # OCSP
//
// Responses are signed ahead and kept: a nonce in a request is not returned
// (RFC 5019 2.2.1 allows that), and a response is for one certificate. A request
// for several is answered "malformedRequest" (RFC 5019 2.1.1 allows one). An
// issuer that is not ours, and a serial number that was never given out, are
// answered "unauthorized" (RFC 6960 2.3, RFC 5019 2.2.3), which is not signed:
// asking for numbers at random costs no signatures. Where the status cannot be
// read or the key does not sign, the answer is "tryLater".
//
// A kept response is signed anew after half of its life. What became of the
// certificate is read again after [Config.Recheck], so that a revocation by
// another process shows; by [Handler.Forget] it shows at once.
//
// While the status cannot be read, a kept response is answered to its nextUpdate, as
// the client itself would keep it (RFC 5019 6.1), and nothing is signed: no answer
// says more than was read. After that, and for what is not kept, it is "tryLater". After
// a read that failed one waits for the next at a time, 10 seconds at most, and the others
// are answered at once. A
// response that contradicts what was read since is not answered, even where the new
// one cannot be signed.
package status

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
)

// ErrUnknown is a [Source]'s error for what it does not have: a serial number
// that was never given out, a list that was never signed.
var ErrUnknown = errors.New("unknown")

// Known is what is known of a serial number that was given out.
type Known struct {
	// Revoked is when it was revoked; zero: it is not.
	Revoked time.Time
	Reason  issuer.Reason
}

// A List is a signed part of an issuer's list of revoked certificates.
type List struct {
	DER                    []byte
	ThisUpdate, NextUpdate time.Time
}

// A Source knows what has become of certificates, and signs. It is used
// concurrently.
type Source interface {
	// Status says what became of a serial number, in hexadecimal and lower case
	// as in [issuer.Prepared]. Where it was never given out: [ErrUnknown].
	Status(ctx context.Context, issuer, serial string) (Known, error)
	// Respond signs an OCSP response for an issuer.
	Respond(ctx context.Context, issuer string, s private.Status) ([]byte, error)
	// List is a part of an issuer's list as it was last signed, or [ErrUnknown].
	List(ctx context.Context, issuer string, shard int64) (*List, error)
}

// A Config is what a [Handler] is made of. Every duration and number has a value
// that it stands for when it is zero.
type Config struct {
	Source Source
	// Life is how long an OCSP response is in force, 8 hours to 10 days (BR
	// 4.9.10). Zero: 4 days.
	Life time.Duration
	// Recheck is how long what is kept is answered without reading again what
	// became of the certificate or the list. Zero: 15 seconds.
	Recheck time.Duration
	// MaxAge is how long others may keep an answer: so long a revocation can stay
	// unseen behind a cache. Zero: 15 minutes.
	MaxAge time.Duration
	// Responses is how many OCSP responses are kept, about 1 KB each. Zero: 50,000.
	Responses int
	// ListBytes bounds the lists that are kept. Zero: 64 MiB.
	ListBytes int
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// A Handler serves the paths above and answers 404 to others. It takes them as
// they are: behind an [http.ServeMux], which rewrites a path with "//" in it, as
// a request in base64 may have, it has to stand before it (see [Handler.Before]).
type Handler struct {
	config  Config
	issuers atomic.Pointer[issuers]
	answers *answers
	lists   *cache[listKey, *served]
	looks   looks
}

// New makes a handler for no issuer yet; see [Handler.SetIssuers].
func New(c Config) (*Handler, error) {
	if c.Source == nil {
		return nil, errors.New("status: there is no source")
	}
	c.Life = either(c.Life, 96*time.Hour)
	c.Recheck = either(c.Recheck, 15*time.Second)
	c.MaxAge = either(c.MaxAge, 15*time.Minute)
	c.Responses, c.ListBytes = either(c.Responses, 50_000), either(c.ListBytes, 64<<20)
	if c.Life < 8*time.Hour || c.Life > 240*time.Hour {
		return nil, fmt.Errorf("status: OCSP responses are in force for %s; 8h to 240h are possible", c.Life)
	}
	if c.Recheck < 0 || c.MaxAge < 0 || c.Responses < 1 || c.ListBytes < 1 {
		return nil, errors.New("status: a negative duration or size")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{config: c}
	h.answers, h.lists = newAnswers(c.Responses, c.Now, h.looks.away), newCache[listKey, *served](c.ListBytes, c.Now, h.looks.away)
	h.issuers.Store(&issuers{})
	return h, nil
}

func either[T comparable](given, otherwise T) T {
	var zero T
	if given == zero {
		return otherwise
	}
	return given
}

// SetIssuers says for which issuers the handler answers: the certificates by the
// issuers' ids, roots too. Several may have the same name and key, as one has whose
// certificate was renewed: OCSP says of a serial number what the one that gave it out
// knows, and each has lists of its own. It may be called at any time.
func (h *Handler) SetIssuers(certificates map[string]*x509.Certificate) error {
	all, err := newIssuers(certificates)
	if err != nil {
		return err
	}
	h.issuers.Store(all)
	return nil
}

// Forget drops what is kept of a serial number: whoever asks from now on sees
// what the source says from now on.
func (h *Handler) Forget(issuer, serial string) {
	if first, ours := h.issuers.Load().first[issuer]; ours {
		h.answers.forget(first, serial)
	}
}

// ForgetList drops a kept part of a list: the next who asks gets the newest.
func (h *Handler) ForgetList(issuer string, shard int64) { h.lists.forget(listKey{issuer, shard}) }

// Before answers the paths of this handler and leaves the others to next.
func (h *Handler) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p == "/ocsp" || strings.HasPrefix(p, "/ocsp/") || strings.HasPrefix(p, "/crl/") || strings.HasPrefix(p, "/ca/") {
			h.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ServeHTTP answers.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := r.URL.Path
	if rest, ok := strings.CutPrefix(p, "/ocsp"); ok && (rest == "" || rest[0] == '/') {
		h.serveOCSP(w, r, strings.TrimLeft(rest, "/"))
		return
	}
	if rest, ok := strings.CutPrefix(p, "/crl/"); ok {
		h.serveList(w, r, rest)
		return
	}
	if rest, ok := strings.CutPrefix(p, "/ca/"); ok {
		h.serveCertificate(w, r, rest)
		return
	}
	notFound(w)
}

func notFound(w http.ResponseWriter) { plainError(w, "not found", http.StatusNotFound) }

// plainError is an answer that nobody keeps.
func plainError(w http.ResponseWriter, text string, code int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, code)
}

// only refuses methods other than those named.
func only(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	plainError(w, "method not allowed", http.StatusMethodNotAllowed)
	return false
}
