package rest

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"assay/internal/message"
	"assay/internal/service"
	"assay/internal/store"
)

// keptHeaders are the headers of an answer that is kept under a key.
type keptHeaders struct {
	ETag     string `json:"etag,omitempty"`
	Location string `json:"location,omitempty"`
}

// once runs a use case that changes something, and shows its result. Under an
// idempotency key the answer is written down in the unit that has the effect,
// and the request repeated gets that answer.
func once[T any](c *call, do func(ctx context.Context) (T, error), show func(T) *answer) (*answer, error) {
	key := c.r.Header.Get("Idempotency-Key")
	if key == "" {
		result, err := do(c.ctx())
		if err != nil {
			return nil, err
		}
		return show(result), nil
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	digest := c.digest()
	if a, err := c.answered(key, digest); a != nil || err != nil {
		return a, err
	}
	ctx := service.WithRequest(c.ctx(), service.RequestKey{
		Token: c.p.Token, Key: key, Digest: digest,
		Answer: func(result any) (int, json.RawMessage, []byte, error) {
			value, ok := result.(T)
			if !ok {
				return 0, nil, nil, fmt.Errorf("the answer to keep is %T", result)
			}
			return kept(show(value))
		},
	})
	result, err := do(ctx)
	if err != nil { // of two that came at once, the second may find what the first did in its way
		if a, err := c.answered(key, digest); a != nil || err != nil {
			return a, err
		}
	}
	if err != nil {
		return nil, err
	}
	return show(result), nil
}

// kept is an answer as it is written down. A secret is in the first answer only.
func kept(a *answer) (int, json.RawMessage, []byte, error) {
	if v, ok := a.value.(interface{ WithoutSecret() any }); ok {
		again := *a
		again.value, again.raw = v.WithoutSecret(), nil
		a = &again
	}
	body, err := a.bytes()
	if err != nil {
		return 0, nil, nil, err
	}
	headers, err := json.Marshal(keptHeaders{ETag: a.etag, Location: a.location})
	return a.status, headers, body, err
}

// answered finds the answer kept under a key; nil: there is none.
func (c *call) answered(key string, digest []byte) (*answer, error) {
	found, err := c.s.Records.Request(c.ctx(), c.p.Token, key)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case errors.Is(err, store.ErrUnavailable):
		return nil, &service.Problem{Kind: service.Unavailable, Message: "service.unavailable", Err: err}
	case err != nil:
		return nil, err
	case subtle.ConstantTimeCompare(found.Digest, digest) != 1:
		return nil, &service.Problem{Kind: kindKeyReused, Message: "rest.key-reused"}
	}
	if found.Status == http.StatusGone {
		return nil, &service.Problem{Kind: service.NotFound, Message: "rest.answer-erased"}
	}
	var h keptHeaders
	if err := json.Unmarshal(found.Headers, &h); err != nil {
		return nil, fmt.Errorf("an answer that was kept: %w", err)
	}
	return &answer{status: found.Status, etag: h.ETag, location: h.Location, raw: found.Body, replayed: true}, nil
}

// digest tells one request from another: method, path, precondition, body.
func (c *call) digest() []byte {
	h := sha256.New()
	for _, part := range []string{c.r.Method, c.r.URL.EscapedPath(), c.r.URL.RawQuery, c.r.Header.Get("If-Match")} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	h.Write(c.body)
	return h.Sum(nil)
}

func checkKey(key string) error {
	bad := len(key) > 255
	for i := 0; i < len(key); i++ {
		bad = bad || key[i] < 0x21 || key[i] > 0x7E
	}
	if bad {
		return invalid("rest.parameter", "Name", "Idempotency-Key", "Why", message.ID("rest.why.key"))
	}
	return nil
}

// gone is the answer that shows nothing: what was asked for is deleted.
func gone[T any](T) *answer { return &answer{status: http.StatusNoContent} }

// shown is the answer that shows a value.
func shown[T any](status int) func(T) *answer {
	return func(v T) *answer { return &answer{status: status, value: v} }
}
