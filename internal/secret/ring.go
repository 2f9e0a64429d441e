package secret

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// MaxKeys is how many data keys a ring holds at most.
const MaxKeys = 1000

// A dataKey seals values. Its number grows with each turn of the ring.
type dataKey struct {
	id     uint32
	made   int64 // Unix time, seconds
	secret [chacha20poly1305.KeySize]byte
}

// A ring is the data keys, oldest first.
type ring []dataKey

// A sealed ring: magic, the fingerprint of the master key, nonce, ciphertext.
// The whole ring is one sealed text, so no key can be taken out of it or added.
const (
	ringMagic       = "assay-ring-1\n"
	fingerprintSize = 8
	dataKeySize     = 4 + 8 + chacha20poly1305.KeySize
	maxRing         = len(ringMagic) + fingerprintSize + chacha20poly1305.NonceSizeX + MaxKeys*dataKeySize + chacha20poly1305.Overhead
)

var (
	// ErrOtherMaster: the ring was sealed by another master key.
	ErrOtherMaster = errors.New("the stored keys were sealed by another master key: give the key file (or the wrapped key) that belongs to this database, from its backup if need be")
	errRingDamaged = errors.New("the stored ring of data keys is damaged: restore the database from a backup")
)

// NewRing makes the first ring, with one data key made at a time, sealed by the
// master key. It is made once for a database: store it only where there is none.
func NewRing(ctx context.Context, master Master, at time.Time, rand io.Reader) ([]byte, error) {
	r, err := ring(nil).with(0, at, rand)
	if err != nil {
		return nil, err
	}
	return sealRing(ctx, master, r, rand)
}

// with is the ring with one more key.
func (r ring) with(newest uint32, at time.Time, rand io.Reader) (ring, error) {
	if len(r) >= MaxKeys {
		return nil, fmt.Errorf("the ring has %d data keys, as many as it may", len(r))
	}
	key := dataKey{id: newest + 1, made: at.Unix()}
	if _, err := io.ReadFull(rand, key.secret[:]); err != nil {
		return nil, fmt.Errorf("random bytes for a data key: %w", err)
	}
	return append(slices.Clip(r), key), nil
}

func sealRing(ctx context.Context, master Master, r ring, rand io.Reader) ([]byte, error) {
	key, err := master.Key(ctx)
	if err != nil {
		return nil, err
	}
	sealing, fingerprint, err := fromMaster(key)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(sealing)
	if err != nil {
		return nil, err
	}
	var plain []byte
	for i := range r {
		plain = binary.BigEndian.AppendUint32(plain, r[i].id)
		plain = binary.BigEndian.AppendUint64(plain, uint64(r[i].made))
		plain = append(plain, r[i].secret[:]...)
	}
	header := append([]byte(ringMagic), fingerprint...)
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, fmt.Errorf("random bytes for a nonce: %w", err)
	}
	return aead.Seal(append(bytes.Clone(header), nonce...), nonce, plain, header), nil
}

func openRing(master []byte, sealed []byte) (ring, error) {
	sealing, fingerprint, err := fromMaster(master)
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(sealed, []byte(ringMagic))
	if !ok || len(sealed) > maxRing || len(rest) < fingerprintSize+chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead {
		return nil, errRingDamaged
	}
	if !bytes.Equal(rest[:fingerprintSize], fingerprint) {
		return nil, ErrOtherMaster
	}
	aead, err := chacha20poly1305.NewX(sealing)
	if err != nil {
		return nil, err
	}
	nonce, text := rest[fingerprintSize:][:chacha20poly1305.NonceSizeX], rest[fingerprintSize+chacha20poly1305.NonceSizeX:]
	plain, err := aead.Open(nil, nonce, text, sealed[:len(ringMagic)+fingerprintSize])
	if err != nil {
		return nil, errRingDamaged
	}
	return readRing(plain)
}

// readRing reads what was authentic; that it is a ring is checked all the same.
func readRing(plain []byte) (ring, error) {
	if len(plain) == 0 || len(plain)%dataKeySize != 0 {
		return nil, errRingDamaged
	}
	var r ring
	for last := uint32(0); len(plain) > 0; plain = plain[dataKeySize:] {
		key := dataKey{id: binary.BigEndian.Uint32(plain), made: int64(binary.BigEndian.Uint64(plain[4:]))}
		copy(key.secret[:], plain[12:dataKeySize])
		if key.id <= last {
			return nil, errRingDamaged
		}
		last = key.id
		r = append(r, key)
	}
	return r, nil
}

// fromMaster derives the key that seals rings and a name for the master key
// that says nothing about it (HKDF, RFC 5869).
func fromMaster(master []byte) (sealing, fingerprint []byte, err error) {
	if len(master) != MasterSize {
		return nil, nil, fmt.Errorf("a master key of %d bytes: want %d", len(master), MasterSize)
	}
	if sealing, err = hkdf.Key(sha256.New, master, nil, "assay ring v1", chacha20poly1305.KeySize); err != nil {
		return nil, nil, err
	}
	fingerprint, err = hkdf.Key(sha256.New, master, nil, "assay master fingerprint v1", fingerprintSize)
	return sealing, fingerprint, err
}
