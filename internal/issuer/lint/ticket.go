package lint

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync/atomic"

	"assay/internal/issuer"
)

// A Ticket stands for bytes that a [Gate] has linted. Only [Gate.Check] makes
// one that is worth anything, and it is worth one signature: [Gate.Sign] takes
// nothing else, so that bytes that were not linted cannot be signed, nor linted
// ones twice.
type Ticket struct {
	gate  *Gate
	tbs   []byte
	lints string
	used  atomic.Bool
}

// Lints says what was linted: "zlint 3.7.1, 182 lints".
func (t *Ticket) Lints() string { return t.lints }

// TBS is a copy of the bytes that were linted: for storing, before they are signed.
func (t *Ticket) TBS() []byte { return bytes.Clone(t.tbs) }

// Stands reports whether the ticket stands for exactly these bytes.
func (t *Ticket) Stands(tbs []byte) bool { return t != nil && t.gate != nil && bytes.Equal(t.tbs, tbs) }

// ErrForged is the error for a ticket that this gate did not make.
var ErrForged = errors.New("this is no ticket of the lint gate of this issuer: what is to be signed was not linted here")

// Sign signs what a ticket stands for with the issuing key and returns the
// certificate, DER. Whatever comes of it, the ticket is used up: a second time
// is [issuer.ErrUsed]. A key that does not sign is [*issuer.Unavailable].
func (g *Gate) Sign(ctx context.Context, t *Ticket, key crypto.Signer) ([]byte, error) {
	if t == nil || t.gate != g {
		return nil, ErrForged
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !t.used.CompareAndSwap(false, true) {
		return nil, issuer.ErrUsed
	}
	der, err := g.scheme.sign(key, t.tbs)
	if err != nil {
		return nil, &issuer.Unavailable{Problem: "key-offline", Err: fmt.Errorf("the issuing key does not sign: %w", err)}
	}
	return der, nil
}
