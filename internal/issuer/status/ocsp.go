package status

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ocsp"

	"assay/internal/issuer/private"
)

// maxRequest bounds a request, DER: one for a certificate has about 80 octets, a
// signed one a few thousand.
const maxRequest = 8 << 10

// An answerKey is what a response is for. issuer is the first of those that have the same
// name and key.
type answerKey struct {
	issuer, serial string
	hash           crypto.Hash
}

// An answer is a signed response and the headers that go with it. It is shared
// and does not change.
type answer struct {
	der                 []byte
	known               Known
	nextUpdate, refresh time.Time
	recheck             time.Time
	// As net/http keeps them, so that no answer makes them anew.
	length, etag, modified, expires []string
}

func (a *answer) fresh(now time.Time) bool  { return now.Before(a.recheck) && now.Before(a.refresh) }
func (a *answer) usable(now time.Time) bool { return now.Before(a.nextUpdate) }
func (a *answer) size() int                 { return 1 }

// answers are the kept responses, in parts so that they do not all wait for one
// lock.
type answers struct {
	seed  maphash.Seed
	parts [16]*cache[answerKey, *answer]
}

func newAnswers(limit int, now func() time.Time, away func() bool) *answers {
	a := &answers{seed: maphash.MakeSeed()}
	for i := range a.parts {
		a.parts[i] = newCache[answerKey, *answer](max(1, limit/len(a.parts)), now, away)
	}
	return a
}

func (a *answers) part(k answerKey) *cache[answerKey, *answer] {
	return a.parts[maphash.String(a.seed, k.serial)%uint64(len(a.parts))]
}

func (a *answers) forget(issuer, serial string) {
	for _, h := range hashes {
		k := answerKey{issuer, serial, h.hash}
		a.part(k).forget(k)
	}
}

// forgetOthers drops what is kept of the same serial number for who names the issuer by
// another hash.
func (a *answers) forgetOthers(than answerKey) {
	for _, h := range hashes {
		if k := (answerKey{than.issuer, than.serial, h.hash}); k != than {
			a.part(k).forget(k)
		}
	}
}

// Header values that never change.
var (
	responseType = []string{"application/ocsp-response"}
	noStore      = []string{"no-store"}
)

// serveOCSP answers a request, which a GET has in its path.
func (h *Handler) serveOCSP(w http.ResponseWriter, r *http.Request, path string) {
	if !only(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
		return
	}
	request, code := readRequest(r, path)
	if code != 0 {
		plainError(w, http.StatusText(code), code)
		return
	}
	q, err := parse(request)
	if err != nil {
		failure(w, err)
		return
	}
	id, ours := h.issuers.Load().byHash[q.issuer]
	if !ours {
		failure(w, ErrUnknown)
		return
	}
	a, err := h.answer(r.Context(), answerKey{id, q.serial, q.hash})
	if err != nil {
		failure(w, err)
		return
	}
	h.writeAnswer(w, r, a)
}

// readRequest takes the request out of the path of a GET (RFC 6960 A.1: base64,
// escaped for URLs) or the body of a POST. code is that of a refusal, 0 for none.
func readRequest(r *http.Request, path string) (request []byte, code int) {
	if r.Method != http.MethodPost {
		if len(path) > base64.StdEncoding.EncodedLen(maxRequest) {
			return nil, http.StatusRequestURITooLong
		}
		// What is no base64 is no request either: parse says so.
		request, _ = base64.RawStdEncoding.DecodeString(strings.TrimRight(path, "="))
		return request, 0
	}
	request, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	switch {
	case err != nil:
		return nil, http.StatusBadRequest
	case len(request) > maxRequest:
		return nil, http.StatusRequestEntityTooLarge
	}
	return request, 0
}

// failure is an answer without a signature (RFC 6960 2.3).
func failure(w http.ResponseWriter, err error) {
	body := ocsp.TryLaterErrorResponse
	switch {
	case errors.Is(err, errMalformed):
		body = ocsp.MalformedRequestErrorResponse
	case errors.Is(err, ErrUnknown), errors.Is(err, errHash):
		body = ocsp.UnauthorizedErrorResponse
	}
	head := w.Header()
	head["Content-Type"], head["Cache-Control"] = responseType, noStore
	_, _ = w.Write(body)
}

// answer returns the response for a serial number, signed ahead where it can be.
func (h *Handler) answer(ctx context.Context, k answerKey) (*answer, error) {
	now := h.config.Now()
	return h.answers.part(k).get(ctx, k, now, func(ctx context.Context, had *answer) (*answer, error) {
		var known Known
		var id string
		err := h.looks.look(func() (err error) {
			id, known, err = h.giver(ctx, k)
			return err
		})
		if err != nil {
			return nil, err
		}
		changed := had != nil && (known.Reason != had.known.Reason || !known.Revoked.Equal(had.known.Revoked))
		if had != nil && !changed && now.Before(had.refresh) {
			same := *had
			same.recheck = now.Add(h.config.Recheck)
			return &same, nil
		}
		if changed || had == nil && !known.Revoked.IsZero() {
			h.answers.forgetOthers(k)
		}
		a, err := h.sign(ctx, id, k, known, now)
		if err != nil && changed {
			return nil, fmt.Errorf("%w: %w", errOutdated, err)
		}
		return a, err
	})
}

// giver is the issuer that gave a serial number out, of those that have the same name and
// key, and what became of it.
func (h *Handler) giver(ctx context.Context, k answerKey) (id string, known Known, err error) {
	for _, id := range h.issuers.Load().groups[k.issuer] {
		if known, err = h.config.Source.Status(ctx, id, k.serial); !errors.Is(err, ErrUnknown) {
			return id, known, err
		}
	}
	return "", Known{}, ErrUnknown
}

// sign signs the response for a serial number that issuer id gave out.
func (h *Handler) sign(ctx context.Context, id string, k answerKey, known Known, now time.Time) (*answer, error) {
	this := now.UTC().Truncate(time.Minute)
	next := this.Add(h.config.Life)
	der, err := h.config.Source.Respond(ctx, id, private.Status{
		Serial: k.serial, Revoked: known.Revoked, Reason: known.Reason, ThisUpdate: this, NextUpdate: next, Hash: k.hash,
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return &answer{
		der: der, known: known, nextUpdate: next, refresh: this.Add(h.config.Life / 2), recheck: now.Add(h.config.Recheck),
		length:   []string{strconv.Itoa(len(der))},
		etag:     []string{`"` + hex.EncodeToString(sum[:16]) + `"`},
		modified: []string{this.Format(http.TimeFormat)},
		expires:  []string{next.Format(http.TimeFormat)},
	}, nil
}

// writeAnswer writes a response. One to a GET may be kept by others (RFC 5019 6.2).
func (h *Handler) writeAnswer(w http.ResponseWriter, r *http.Request, a *answer) {
	head := w.Header()
	head["Content-Type"] = responseType
	if r.Method == http.MethodPost {
		head["Cache-Control"] = noStore
		head["Content-Length"] = a.length
		_, _ = w.Write(a.der)
		return
	}
	head["Etag"], head["Last-Modified"], head["Expires"] = a.etag, a.modified, a.expires
	head.Set("Cache-Control", h.cacheControl(a.nextUpdate))
	if r.Header.Get("If-None-Match") == a.etag[0] {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	head["Content-Length"] = a.length
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.der)
	}
}

// cacheControl says how long others may keep something that ends at a time.
func (h *Handler) cacheControl(end time.Time) string {
	seconds := max(0, int64(min(h.config.MaxAge, end.Sub(h.config.Now()))/time.Second))
	return "max-age=" + strconv.FormatInt(seconds, 10) + ", public, no-transform, must-revalidate"
}
