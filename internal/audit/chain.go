package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// A Chain is the end of a chain: the place and the hash of its last entry. The
// zero value is the end of an empty one.
type Chain struct {
	Seq  int64
	Hash []byte
}

func (c Chain) prev() []byte {
	if c.Seq == 0 && len(c.Hash) == 0 {
		return make([]byte, HashSize)
	}
	return c.Hash
}

// Seal gives a batch of entries their places and hashes, in their order, and
// moves the end of the chain.
func (c *Chain) Seal(batch []Entry) {
	for i := range batch {
		e := &batch[i]
		e.Seq = c.Seq + 1
		e.Hash = Hash(c.prev(), e)
		c.Seq, c.Hash = e.Seq, e.Hash
	}
}

// A Head is the end of the chain at a time, signed. It has the fields of the
// store's head in the same order.
type Head struct {
	Seq       int64
	Hash      []byte
	At        time.Time // to the microsecond
	Signature []byte
}

// HeadEvery is how far apart heads are.
const HeadEvery = time.Hour

// HeadDue says whether a head is to be signed now: the chain is longer than at
// the last head (the zero head: none yet), which is an hour old or more, or
// younger than nothing because the clock was set back.
func (c Chain) HeadDue(last Head, now time.Time) bool {
	age := now.Sub(last.At)
	return c.Seq > last.Seq && (age >= HeadEvery || age < 0)
}

// Sign signs the end of the chain as of a time.
func (c Chain) Sign(key ed25519.PrivateKey, at time.Time) Head {
	h := Head{Seq: c.Seq, Hash: bytes.Clone(c.prev()), At: at.Truncate(time.Microsecond)}
	h.Signature = ed25519.Sign(key, h.message())
	return h
}

// Valid says whether the head was signed with the key of a public one.
func (h Head) Valid(key ed25519.PublicKey) bool {
	return len(key) == ed25519.PublicKeySize && len(h.Hash) == HashSize && ed25519.Verify(key, h.message(), h.Signature)
}

func (h Head) message() []byte {
	b := []byte("assay audit head v1\n")
	b = number(b, h.Seq)
	b = number(b, h.At.UnixMicro())
	return field(b, h.Hash)
}

const keyType = "PUBLIC KEY"

// MarshalKey is the public key in PEM (RFC 8410), which openssl reads too.
func MarshalKey(key ed25519.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der}), nil
}

// ParseKey reads what [MarshalKey] wrote.
func ParseKey(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != keyType {
		return nil, errors.New("the audit key: want a PEM block PUBLIC KEY")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the audit key: %w", err)
	}
	key, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("the audit key: %T, not an Ed25519 key", parsed)
	}
	return key, nil
}

// Fingerprint is a name for a public key to compare by eye: SHA-256 of its 32
// bytes in hexadecimal.
func Fingerprint(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}
