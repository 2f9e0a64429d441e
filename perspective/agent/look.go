package agent

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"assay/perspective/wire"
)

// look answers a coordinator's questions.
func (a *Agent) look(w http.ResponseWriter, r *http.Request, key string) error {
	public, c, err := a.known(key)
	if err != nil {
		return err
	}
	c.mu.Lock()
	ok := c.bucket.take(a.c.Now(), float64(a.c.Rate), 2*float64(a.c.Rate))
	c.mu.Unlock()
	if !ok {
		return wire.Refuse(wire.RefusedTooMany, "more than %d a second", a.c.Rate)
	}
	select {
	case a.running <- struct{}{}:
		defer func() { <-a.running }()
	default:
		return wire.Refuse(wire.RefusedTooMany, "more than %d at once", a.c.Running)
	}
	raw, err := body(w, r, wire.MaxRequestBytes)
	if err != nil {
		return err
	}
	request, err := wire.OpenRequest(raw, a.c.Identity.Public, public)
	if err != nil {
		return err
	}
	if err := wire.Check(request.Questions, a.c.Place.About().ID); err != nil {
		return err
	}
	if err := a.fresh(c, request); err != nil {
		return err
	}
	answer, err := a.answer(r.Context(), request)
	if err != nil {
		return err
	}
	writeAnswer(w, r, answer)
	return nil
}

// fresh refuses a request that was made at another time, or was seen before.
func (a *Agent) fresh(c *caller, request *wire.Request) error {
	now := a.c.Now()
	if d := now.Sub(request.At); d > wire.MaxSkew || d < -wire.MaxSkew {
		return wire.Refuse(wire.RefusedClock, "made at %s, it is %s here", request.At.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.nonces.add(request.Nonce, now) {
		return wire.Refuse(wire.RefusedReplayed, "or too many nonces to remember")
	}
	return nil
}

// answer looks, for as long as the coordinator waits.
func (a *Agent) answer(ctx context.Context, request *wire.Request) (*wire.Answer, error) {
	limit := wire.MaxLook
	if d := time.Duration(request.LimitMillis) * time.Millisecond; d > 0 && d < limit {
		limit = d
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	look := a.c.Place.Begin()
	defer look.Close()
	seen := look.Answer(ctx, request.Questions)
	return wire.SignAnswer(request, a.About(), seen, a.c.Now(), a.c.Identity.Private)
}

// compressFrom is the size from which an answer is compressed: what is smaller
// fits the first flight of a connection that has been idle (RFC 6928, ten
// segments), so that it arrives in one round trip as it is.
const compressFrom = 12 << 10

var compressors = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic("agent: a constant level: " + err.Error())
	}
	return z
}}

func writeAnswer(w http.ResponseWriter, r *http.Request, answer *wire.Answer) {
	raw, err := json.Marshal(answer)
	if err != nil {
		writeJSON(w, http.StatusInternalServerError, wire.Refuse(wire.RefusedInternal, ""))
		return
	}
	if len(raw) >= compressFrom && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var b bytes.Buffer
		z := compressors.Get().(*gzip.Writer)
		defer compressors.Put(z)
		z.Reset(&b)
		_, err := z.Write(raw)
		if err == nil && z.Close() == nil {
			w.Header().Set("Content-Encoding", "gzip")
			raw = b.Bytes()
		}
	}
	write(w, http.StatusOK, raw)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	raw, err := json.Marshal(v)
	if err != nil {
		raw, status = []byte("{}"), http.StatusInternalServerError
	}
	write(w, status, raw)
}

func write(w http.ResponseWriter, status int, raw []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(raw) // whoever asked may be gone
}
