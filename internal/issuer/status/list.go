package status

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

type listKey struct {
	issuer string
	shard  int64
}

// served is a list as it is handed out.
type served struct {
	List
	etag    string
	recheck time.Time
}

func (s *served) fresh(now time.Time) bool { return now.Before(s.recheck) }

// usable: a list that has ended says so itself.
func (s *served) usable(time.Time) bool { return true }
func (s *served) size() int             { return len(s.DER) }

// serveList answers {issuer}/{shard}.crl.
func (h *Handler) serveList(w http.ResponseWriter, r *http.Request, path string) {
	if !only(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	id, rest, _ := strings.Cut(path, "/")
	number, isList := strings.CutSuffix(rest, ".crl")
	shard, err := strconv.ParseInt(number, 10, 63)
	// One list has one place: "007" and "+7" are none.
	if !isList || err != nil || shard < 0 || strconv.FormatInt(shard, 10) != number || h.issuers.Load().byID[id] == nil {
		notFound(w)
		return
	}
	now := h.config.Now()
	key := listKey{id, shard}
	l, err := h.lists.get(r.Context(), key, now, func(ctx context.Context, had *served) (*served, error) {
		var l *List
		err := h.looks.look(func() (err error) {
			l, err = h.config.Source.List(ctx, id, shard)
			return err
		})
		if err != nil {
			return nil, err
		}
		s := &served{List: *l, recheck: now.Add(h.config.Recheck)}
		if had != nil && bytes.Equal(had.DER, s.DER) {
			s.DER, s.etag = had.DER, had.etag
			return s, nil
		}
		sum := sha256.Sum256(s.DER)
		s.etag = `"` + hex.EncodeToString(sum[:16]) + `"`
		return s, nil
	})
	switch {
	case errors.Is(err, ErrUnknown):
		notFound(w)
		return
	case err != nil:
		w.Header().Set("Retry-After", "10")
		plainError(w, "the list cannot be read at the moment", http.StatusServiceUnavailable)
		return
	}
	head := w.Header()
	head.Set("Content-Type", "application/pkix-crl") // RFC 2585 4.2
	head.Set("Etag", l.etag)
	head.Set("Expires", l.NextUpdate.UTC().Format(http.TimeFormat))
	head.Set("Cache-Control", h.cacheControl(l.NextUpdate))
	http.ServeContent(w, r, "", l.ThisUpdate, bytes.NewReader(l.DER))
}

// serveCertificate answers {issuer}.crt.
func (h *Handler) serveCertificate(w http.ResponseWriter, r *http.Request, path string) {
	if !only(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	id, isCertificate := strings.CutSuffix(path, ".crt")
	c := h.issuers.Load().byID[id]
	if !isCertificate || c == nil {
		notFound(w)
		return
	}
	sum := sha256.Sum256(c.Raw)
	head := w.Header()
	head.Set("Content-Type", "application/pkix-cert") // RFC 2585 4.1
	head.Set("Etag", `"`+hex.EncodeToString(sum[:16])+`"`)
	head.Set("Cache-Control", "max-age=86400, public, no-transform")
	http.ServeContent(w, r, "", c.NotBefore, bytes.NewReader(c.Raw))
}
