package dnssec

import (
	"crypto/ed25519"
	"encoding/binary"
	"testing"
)

// TestMemory: a key remembers what it verified, and nothing else passes for it.
func TestMemory(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	k := key{algorithm: 15, public: public, good: new(memory)}
	data := []byte("signed data")
	sig := ed25519.Sign(private, data)
	for range 2 {
		if !k.verify(data, sig) {
			t.Fatal("a good signature is refused")
		}
		if len(k.good.seen) != 1 {
			t.Fatalf("%d remembered", len(k.good.seen))
		}
	}
	for i := range sig {
		forged := append([]byte(nil), sig...)
		forged[i] ^= 1
		if k.verify(data, forged) {
			t.Fatalf("byte %d of the signature does not matter", i)
		}
	}
	if k.verify(data[:len(data)-1], append(data[len(data)-1:], sig...)) {
		t.Fatal("data and signature run into each other")
	}
	if k.verify([]byte("other data"), sig) || len(k.good.seen) != 1 {
		t.Fatal("a bad signature is remembered")
	}
	for i := range 2 * maxMemory {
		more := binary.BigEndian.AppendUint64(nil, uint64(i))
		if !k.verify(more, ed25519.Sign(private, more)) {
			t.Fatal("a good signature is refused")
		}
	}
	if len(k.good.seen) != maxMemory {
		t.Errorf("%d remembered, at most %d", len(k.good.seen), maxMemory)
	}
	other := key{algorithm: 15, public: make(ed25519.PublicKey, 32), good: new(memory)}
	if other.verify(data, sig) {
		t.Error("another key takes it")
	}
}
