package order

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	// Without letters and digits that are taken for one another.
	valueAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"
	// ValueLength characters of 5 bits each: 130 random bits. BR 3.2.2.4.7 asks
	// for 112, RFC 8555 for 128.
	ValueLength = 26

	// In the order of their bytes.
	idAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	// IDLength is that of the cloud's certificate ids.
	IDLength = 8

	// maxRefills bounds what a broken source of random bytes can cost; of a sound
	// one two are hardly ever needed.
	maxRefills = 100
)

// NewValue makes a validation value from a cryptographic source of random bytes.
// The error is that source's.
func NewValue(random io.Reader) (string, error) { return draw(random, valueAlphabet, ValueLength) }

// Numbers of orders are places in time: ids of 8 characters, in the order of their bytes,
// are spread over moments of 1/64 s from the start of 2024, for 34 years; then they begin
// again.
const (
	moments   = 1 << 36
	perMoment = 62 * 62 * 62 * 62 * 62 * 62 * 62 * 62 / moments
)

var firstMoment = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// NewNumber makes an order's number at a time: 8 characters of 0-9, A-Z, a-z, as the
// cloud's. Orders of a time have numbers side by side, so that what is written together
// lies together in each index (docs/decisions/0021-numbers.md). A moment of 1/64 s has
// 3,177 numbers, of which a random one is taken: it is a name, not a secret, and may be
// taken already. The error is that of the source of random bytes.
func NewNumber(random io.Reader, at time.Time) (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("reading random bytes: %w", err)
	}
	since := at.Sub(firstMoment)
	moment := uint64(since/time.Second)*64 + uint64(since%time.Second*64/time.Second)
	n := moment%moments*perMoment + binary.BigEndian.Uint64(b[:])%perMoment
	var id [IDLength]byte
	for i := range id {
		id[IDLength-1-i] = idAlphabet[n%uint64(len(idAlphabet))]
		n /= uint64(len(idAlphabet))
	}
	return string(id[:]), nil
}

// NewID makes an id of the same form that is random: 47 bits of it. It may be taken
// already.
func NewID(random io.Reader) (string, error) { return draw(random, idAlphabet, IDLength) }

// draw makes n characters, each as likely as the other: bytes that would favour
// the front of the alphabet are thrown away.
func draw(random io.Reader, alphabet string, n int) (string, error) {
	most := 256 - 256%len(alphabet)
	out := make([]byte, 0, n)
	buf := make([]byte, n+n/2)
	for range maxRefills {
		if len(out) == n {
			return string(out), nil
		}
		if _, err := io.ReadFull(random, buf); err != nil {
			return "", fmt.Errorf("reading random bytes: %w", err)
		}
		for _, b := range buf {
			if int(b) < most && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return "", errors.New("the source of random bytes repeats itself: no character could be drawn from it")
}
