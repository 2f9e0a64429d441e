package order

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// TestValueBits: the length and the alphabet give the bits that are asked for
// (RFC 8555 8.1: 128; BR 3.2.2.4.7: 112), and no character comes twice in it.
func TestValueBits(t *testing.T) {
	t.Parallel()
	letters := map[rune]bool{}
	for _, r := range valueAlphabet {
		letters[r] = true
	}
	if bits := ValueLength * math.Log2(float64(len(letters))); bits < 128 || len(letters) != len(valueAlphabet) {
		t.Errorf("%v bits of %d letters", bits, len(letters))
	}
	if strings.ToLower(valueAlphabet) != valueAlphabet || strings.ContainsAny(valueAlphabet, "l1o0") {
		t.Error("ambiguous letters")
	}
}

// TestIDUnbiased: a remainder of 256 by 62 without rejection would give the
// first eight characters a quarter more often than the others.
func TestIDUnbiased(t *testing.T) {
	t.Parallel()
	source := rand.NewChaCha8([32]byte{1})
	const ids = 50_000
	count := map[byte]int{}
	for range ids {
		id, err := NewID(source)
		if err != nil || len(id) != 8 {
			t.Fatal(id, err)
		}
		for i := range len(id) {
			count[id[i]]++
		}
	}
	mean := float64(ids*8) / 62
	for _, c := range []byte(idAlphabet) {
		if n := float64(count[c]); math.Abs(n-mean) > 5*math.Sqrt(mean) {
			t.Errorf("%c came %v times, %v expected", c, n, mean)
		}
	}
	if len(count) != 62 {
		t.Errorf("%d characters", len(count))
	}
}

type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

// TestBrokenSource: a source that fails, ends or never gives a usable byte is an
// error, and ends.
func TestBrokenSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("no entropy")
	for name, source := range map[string]io.Reader{
		"fails": iotest.ErrReader(broken), "ends": bytes.NewReader(make([]byte, 5)), "constant": constant(0xff),
	} {
		if id, err := NewID(source); err == nil || id != "" {
			t.Errorf("%s: %q %v", name, id, err)
		}
	}
	if _, err := NewValue(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
}
