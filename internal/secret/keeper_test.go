package secret

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var made = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// fixed is a master key held in memory.
type fixed []byte

func (m fixed) Key(context.Context) ([]byte, error) { return m, nil }

func master(b byte) fixed { return bytes.Repeat([]byte{b}, MasterSize) }

func open(t testing.TB, m Master) (*Keeper, []byte) {
	t.Helper()
	ring, err := NewRing(t.Context(), m, made, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := Open(t.Context(), Config{Master: m, Ring: ring, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return k, ring
}

func seal(t testing.TB, k *Keeper, row, plain string) []byte {
	t.Helper()
	sealed, err := k.Seal(row, []byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSealedOpensForItsRowOnly(t *testing.T) {
	t.Parallel()
	k, _ := open(t, master(1))
	rapid.Check(t, func(t *rapid.T) {
		row := rapid.StringN(1, 40, MaxRow).Draw(t, "row")
		other := rapid.StringN(1, 40, MaxRow).Draw(t, "other")
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		sealed, err := k.Seal(row, plain)
		if err != nil {
			t.Fatal(err)
		}
		if len(sealed) != len(plain)+Overhead {
			t.Fatalf("%d bytes sealed are %d", len(plain), len(sealed))
		}
		got, err := k.Open(row, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("opened %q, %v", got, err)
		}
		if _, err := k.Open(other, sealed); other != row && !errors.Is(err, ErrChanged) {
			t.Fatalf("opens for another row: %v", err)
		}
	})
}

func TestEveryChangedBitIsFound(t *testing.T) {
	t.Parallel()
	k, _ := open(t, master(1))
	const plain = "a webhook's password"
	sealed := seal(t, k, "webhook:1", plain)
	for i := range len(sealed) * 8 {
		changed := bytes.Clone(sealed)
		changed[i/8] ^= 1 << (i % 8)
		_, err := k.Open("webhook:1", changed)
		if err == nil {
			t.Errorf("bit %d may change", i)
		} else if strings.Contains(err.Error(), plain) {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
	for n := range sealed {
		if _, err := k.Open("webhook:1", sealed[:n]); err == nil {
			t.Errorf("%d of %d bytes open", n, len(sealed))
		}
	}
	if bytes.Equal(sealed, seal(t, k, "webhook:1", plain)) {
		t.Error("the same value sealed twice is the same: the nonce is not random")
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	k, _ := open(t, master(1))
	if _, err := k.Seal("", nil); err == nil {
		t.Error("seals for no row")
	}
	if _, err := k.Seal("r", make([]byte, MaxPlain+1)); err == nil {
		t.Error("seals more than the limit")
	}
	largest, err := k.Seal("r", make([]byte, MaxPlain))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open("r", largest); err != nil {
		t.Error(err)
	}
	if _, err := k.Open("r", append(largest, 0)); err == nil {
		t.Error("opens more than the limit")
	}
}

func TestTurnedRing(t *testing.T) {
	t.Parallel()
	m := master(1)
	old, _ := open(t, m)
	first := seal(t, old, "r", "one")
	ring, turned, err := old.Turn(t.Context(), m, made.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	second := seal(t, turned, "r", "two")
	if bytes.HasPrefix(first, turned.Mark()) || !bytes.HasPrefix(second, turned.Mark()) || len(turned.Mark()) != MarkSize {
		t.Error("what the new key sealed has its mark, what the old one sealed has not")
	}
	restarted, err := Open(t.Context(), Config{Master: m, Ring: ring, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*Keeper{turned, restarted} {
		for sealed, want := range map[string]string{string(first): "one", string(second): "two"} {
			if got, err := k.Open("r", []byte(sealed)); err != nil || string(got) != want {
				t.Errorf("opened %q, %v; want %q", got, err, want)
			}
		}
	}
	// The other server still has the old ring: it is told to read it again.
	if _, err := old.Open("r", second); !errors.Is(err, ErrUnknownKey) {
		t.Errorf("the old ring says %v", err)
	}
}

// TestRetiredKeys: what the newest key sealed opens, what those before it sealed does
// not, and the number of a key that left is given to no other.
func TestRetiredKeys(t *testing.T) {
	t.Parallel()
	old, _ := open(t, master(1))
	first := seal(t, old, "r", "one")
	_, turned, err := old.Turn(t.Context(), master(1), made)
	if err != nil {
		t.Fatal(err)
	}
	second := seal(t, turned, "r", "two")
	ring, retired, err := turned.Retire(t.Context(), master(2))
	if err != nil {
		t.Fatal(err)
	}
	restarted, err := Open(t.Context(), Config{Master: master(2), Ring: ring, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*Keeper{retired, restarted} {
		if _, err := k.Open("r", first); !errors.Is(err, ErrUnknownKey) {
			t.Errorf("what a retired key sealed: %v", err)
		}
		if got, err := k.Open("r", second); err != nil || string(got) != "two" || k.Keys() != 1 {
			t.Errorf("opened %q, %v with %d keys", got, err, k.Keys())
		}
	}
	_, again, err := restarted.Turn(t.Context(), master(2), made)
	if err != nil {
		t.Fatal(err)
	}
	if third := seal(t, again, "r", "three"); bytes.HasPrefix(third, old.Mark()) || bytes.HasPrefix(third, turned.Mark()) {
		t.Error("a key has the number of one before it")
	}
}

func TestMasterKeyIsChanged(t *testing.T) {
	t.Parallel()
	k, ring := open(t, master(1))
	sealed := seal(t, k, "r", "one")
	moved, err := k.Rewrap(t.Context(), master(2))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(t.Context(), Config{Master: master(2), Ring: moved, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open("r", sealed); err != nil || string(got) != "one" {
		t.Errorf("opened %q, %v", got, err)
	}
	for name, cfg := range map[string]Config{
		"old master, new ring": {Master: master(1), Ring: moved},
		"new master, old ring": {Master: master(2), Ring: ring},
	} {
		if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrOtherMaster) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.Context(), Config{Master: fixed("short"), Ring: ring}); err == nil {
		t.Error("a master key of 5 bytes opens")
	}
}

func TestEveryChangedBitOfTheRingIsFound(t *testing.T) {
	t.Parallel()
	_, ring := open(t, master(1))
	for i := range len(ring) * 8 {
		changed := bytes.Clone(ring)
		changed[i/8] ^= 1 << (i % 8)
		if _, err := Open(t.Context(), Config{Master: master(1), Ring: changed}); err == nil {
			t.Errorf("bit %d may change", i)
		}
	}
	for n := range ring {
		if _, err := Open(t.Context(), Config{Master: master(1), Ring: ring[:n]}); err == nil {
			t.Errorf("%d of %d bytes open", n, len(ring))
		}
	}
}

func TestRingIsBounded(t *testing.T) {
	t.Parallel()
	m := master(1)
	k, _ := open(t, m)
	for len(k.ring) < MaxKeys {
		k.ring = append(k.ring, dataKey{id: uint32(len(k.ring) + 1)})
	}
	if _, _, err := k.Turn(t.Context(), m, made); err == nil {
		t.Errorf("the ring takes more than %d keys", MaxKeys)
	}
	full, err := k.Rewrap(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Master: m, Ring: full}); err != nil {
		t.Errorf("a full ring does not open: %v", err)
	}
}

func TestKeeperPrintsNoKey(t *testing.T) {
	t.Parallel()
	k, _ := open(t, master(1))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got, want := fmt.Sprintf(verb, k), "secret.Keeper{1 keys, newest 1}"; got != want {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func FuzzOpen(f *testing.F) {
	// The same keys in each process of the fuzzer, so that its seeds open.
	same := mathrand.NewChaCha8([32]byte{1})
	ring, err := NewRing(f.Context(), master(1), made, same)
	if err != nil {
		f.Fatal(err)
	}
	k, err := Open(f.Context(), Config{Master: master(1), Ring: ring, Rand: same})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seal(f, k, "r", "plain"), "r")
	f.Add(seal(f, k, "r", ""), "s")
	f.Add(ring, "r")
	f.Fuzz(func(t *testing.T, sealed []byte, row string) {
		plain, err := k.Open(row, sealed)
		if err == nil && len(plain) != len(sealed)-Overhead {
			t.Errorf("%d bytes open to %d", len(sealed), len(plain))
		}
		if _, err := openRing(master(1), sealed); err == nil && !bytes.Equal(sealed, ring) {
			t.Error("a ring that was not made opens")
		}
		readRing(sealed)
	})
}
