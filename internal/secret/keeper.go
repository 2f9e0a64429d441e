// Package secret keeps secrets at rest and makes tokens.
//
// Three layers, so that each can change without the one below it. The master
// key is 32 bytes outside the database: in a file that only the service reads
// ([KeyFile]) or behind a key management service ([Hook]). It seals the ring: a
// small blob of data keys that lives in the database, so that all servers of
// one database share it. The newest data key seals values; every key of the
// ring opens them. Each value is bound to the id of its row: moved to another
// row it does not open.
//
// The cipher is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): its nonces are
// long enough to be drawn at random for any number of values under one key.
//
// A copy of the database gives nothing without the master key; the master key
// gives nothing without the database. Keep their backups apart. Without the
// master key the secrets are lost.
package secret

import (
	"bytes"
	"context"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// Limits of what is sealed, in bytes.
const (
	MaxPlain = 1 << 20
	MaxRow   = 1 << 10
	// Overhead is how much longer a sealed value is than the plain one.
	Overhead = headerSize + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead
)

// A sealed value: version, number of the data key (big endian), nonce,
// ciphertext and tag. Associated data: version, key number, row id; the first
// two have fixed length, so it reads one way only.
const (
	valueVersion = 1
	headerSize   = 1 + 4
)

var (
	// ErrUnknownKey: the value was sealed with a data key that this ring does not
	// have. Another server turned the ring: read it again and open it.
	ErrUnknownKey = errors.New("sealed with a data key that this ring does not have: read the ring again")
	// ErrChanged: the value is not what was sealed for this row.
	ErrChanged = errors.New("the sealed value was changed, or belongs to another row")
)

// Config says what a [Keeper] opens.
type Config struct {
	// Master gives the master key: a [KeyFile] or a [Hook].
	Master Master
	// Ring is the sealed ring of data keys as stored, see [NewRing].
	Ring []byte
	// Rand is where nonces and keys come from: crypto/rand.Reader.
	Rand io.Reader
}

// A Keeper seals and opens values. It may be used by many goroutines at once,
// and prints as nothing but its key numbers.
type Keeper struct {
	ring   ring
	aeads  map[uint32]cipher.AEAD
	newest uint32
	rand   io.Reader
}

// Open unseals the ring with the master key. Errors say whether the master key
// could not be had, is not the one that sealed the ring, or the ring is damaged.
func Open(ctx context.Context, cfg Config) (*Keeper, error) {
	master, err := cfg.Master.Key(ctx)
	if err != nil {
		return nil, err
	}
	r, err := openRing(master, cfg.Ring)
	if err != nil {
		return nil, err
	}
	return newKeeper(r, cfg.Rand)
}

func newKeeper(r ring, rand io.Reader) (*Keeper, error) {
	k := &Keeper{ring: r, aeads: make(map[uint32]cipher.AEAD, len(r)), rand: rand}
	for _, key := range r {
		aead, err := chacha20poly1305.NewX(key.secret[:])
		if err != nil {
			return nil, err
		}
		k.aeads[key.id] = aead
		k.newest = max(k.newest, key.id)
	}
	return k, nil
}

// Seal encrypts a value for the row of an id with the newest data key. The id
// is not part of the result; whoever opens it must know it.
func (k *Keeper) Seal(row string, plain []byte) ([]byte, error) {
	if err := checkRow(row); err != nil {
		return nil, err
	}
	if len(plain) > MaxPlain {
		return nil, fmt.Errorf("the secret of row %q is %d bytes long: at most %d can be sealed", row, len(plain), MaxPlain)
	}
	sealed := make([]byte, headerSize+chacha20poly1305.NonceSizeX, len(plain)+Overhead)
	sealed[0] = valueVersion
	binary.BigEndian.PutUint32(sealed[1:], k.newest)
	nonce := sealed[headerSize:]
	if _, err := io.ReadFull(k.rand, nonce); err != nil {
		return nil, fmt.Errorf("random bytes for a nonce: %w", err)
	}
	return k.aeads[k.newest].Seal(sealed, nonce, plain, associated(sealed[:headerSize], row)), nil
}

// Open decrypts what [Keeper.Seal] made for the same row. The error is
// [ErrUnknownKey], [ErrChanged] or says what is wrong with the form; it never
// holds anything of the value.
func (k *Keeper) Open(row string, sealed []byte) ([]byte, error) {
	if err := checkRow(row); err != nil {
		return nil, err
	}
	id, err := keyNumber(sealed)
	if err != nil {
		return nil, fmt.Errorf("the sealed value of row %q: %w", row, err)
	}
	aead, ok := k.aeads[id]
	if !ok {
		return nil, fmt.Errorf("the value of row %q, key %d: %w", row, id, ErrUnknownKey)
	}
	header, rest := sealed[:headerSize], sealed[headerSize:]
	nonce, text := rest[:chacha20poly1305.NonceSizeX], rest[chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, text, associated(header, row))
	if err != nil {
		return nil, fmt.Errorf("row %q: %w", row, ErrChanged)
	}
	return plain, nil
}

// Keys is how many data keys the ring has.
func (k *Keeper) Keys() int { return len(k.ring) }

// MarkSize is how many bytes a mark has: see [Keeper.Mark].
const MarkSize = headerSize

// Mark is how every value begins that the newest data key sealed, and none that
// another one did.
func (k *Keeper) Mark() []byte {
	return binary.BigEndian.AppendUint32([]byte{valueVersion}, k.newest)
}

// Turn adds a data key made at a time, which seals from now on, and returns the
// ring to store, sealed by the master key, with the keeper of that ring. Store
// the ring before the keeper is used.
func (k *Keeper) Turn(ctx context.Context, master Master, at time.Time) ([]byte, *Keeper, error) {
	next, err := k.ring.with(k.newest, at, k.rand)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := sealRing(ctx, master, next, k.rand)
	if err != nil {
		return nil, nil, err
	}
	keeper, err := newKeeper(next, k.rand)
	return sealed, keeper, err
}

// Retire returns the ring of the newest data key alone, sealed by a master key, with
// the keeper of that ring: what older keys sealed opens no more. Seal that anew
// before; a test of all that is sealed is [Keeper.Mark].
func (k *Keeper) Retire(ctx context.Context, master Master) ([]byte, *Keeper, error) {
	rest := k.ring[len(k.ring)-1:] // keys are in the order of their numbers
	sealed, err := sealRing(ctx, master, rest, k.rand)
	if err != nil {
		return nil, nil, err
	}
	keeper, err := newKeeper(rest, k.rand)
	return sealed, keeper, err
}

// Rewrap returns the same ring sealed by another master key: for a new key file
// or a move to a key management service. No value needs to be sealed again.
func (k *Keeper) Rewrap(ctx context.Context, master Master) ([]byte, error) {
	return sealRing(ctx, master, k.ring, k.rand)
}

// Format prints a keeper without its keys, whatever the verb.
func (k *Keeper) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "secret.Keeper{%d keys, newest %d}", len(k.ring), k.newest)
}

// keyNumber reads the header of a sealed value.
func keyNumber(sealed []byte) (uint32, error) {
	switch {
	case len(sealed) < Overhead:
		return 0, fmt.Errorf("%d bytes are too few for a sealed value: it is cut off", len(sealed))
	case len(sealed) > MaxPlain+Overhead:
		return 0, fmt.Errorf("%d bytes are more than a sealed value can have", len(sealed))
	case sealed[0] != valueVersion:
		return 0, fmt.Errorf("version %d of sealed values is not known here: it was made by a newer Assay, or is damaged", sealed[0])
	}
	return binary.BigEndian.Uint32(sealed[1:]), nil
}

func associated(header []byte, row string) []byte {
	return append(bytes.Clone(header), row...)
}

func checkRow(row string) error {
	if row == "" || len(row) > MaxRow {
		return fmt.Errorf("a row id of %d bytes: want 1 to %d", len(row), MaxRow)
	}
	return nil
}
