package agent

import (
	"strconv"
	"testing"
	"time"

	"assay/perspective/wire"
)

func TestBucket(t *testing.T) {
	t.Parallel()
	var b bucket
	now := time.Now()
	taken := func(n int) (got int) {
		for range n {
			if b.take(now, 10, 20) {
				got++
			}
		}
		return got
	}
	if n := taken(50); n != 20 {
		t.Errorf("%d at once, want 20", n)
	}
	now = now.Add(time.Second)
	if n := taken(50); n != 10 {
		t.Errorf("%d after a second, want 10", n)
	}
	now = now.Add(-time.Hour)
	if n := taken(5); n != 0 {
		t.Errorf("%d with a clock that went back", n)
	}
	now = now.Add(2 * time.Hour)
	if n := taken(50); n != 20 {
		t.Errorf("%d after an hour, want 20", n)
	}
}

// TestNonces: a nonce is remembered at least as long as a request with it would
// be accepted, and memory has a bound.
func TestNonces(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, first := range []time.Duration{0, time.Second, time.Minute, 2 * time.Minute} {
		var n nonces
		if !n.add("other", start) || !n.add("x", start.Add(first)) {
			t.Fatal("refused")
		}
		for d := time.Duration(0); d <= 2*wire.MaxSkew; d += time.Second {
			if n.add("x", start.Add(first+d)) {
				t.Fatalf("added after %v, accepted again %v later", first, d)
			}
		}
		if !n.add("x", start.Add(first+time.Hour)) {
			t.Error("remembered for ever")
		}
	}
	var n nonces
	for i := range maxNonces {
		if !n.add(strconv.Itoa(i), start) {
			t.Fatalf("only %d are remembered", i)
		}
	}
	if n.add("one more", start) {
		t.Error("no bound")
	}
}
