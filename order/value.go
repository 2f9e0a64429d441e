package order

import (
	"errors"
	"fmt"
	"io"
)

const (
	// Without letters and digits that are taken for one another.
	valueAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"
	// ValueLength characters of 5 bits each: 130 random bits. BR 3.2.2.4.7 asks
	// for 112, RFC 8555 for 128.
	ValueLength = 26

	idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	// IDLength is that of the cloud's certificate ids.
	IDLength = 8

	// maxRefills bounds what a broken source of random bytes can cost; of a sound
	// one two are hardly ever needed.
	maxRefills = 100
)

// NewValue makes a validation value from a cryptographic source of random bytes.
// The error is that source's.
func NewValue(random io.Reader) (string, error) { return draw(random, valueAlphabet, ValueLength) }

// NewID makes an order's number: 8 characters of A-Z, a-z, 0-9, as the cloud's.
// It is 47 bits long: a name, not a secret, and may be taken already.
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
