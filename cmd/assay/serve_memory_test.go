package main

import "testing"

// TestTender: much to do is seen at once, calm after a while of little.
func TestTender(t *testing.T) {
	var v tender
	var total uint64
	look := func(bytes uint64, changed, seldom bool) {
		t.Helper()
		total += bytes
		if got := v.look(total); got != changed || v.seldom != seldom {
			t.Fatalf("after %d bytes: changed %v, seldom %v", bytes, got, v.seldom)
		}
	}
	look(busy-1, false, false)
	look(busy, true, true)
	for range calmAfter - 1 {
		look(busy-1, false, true)
	}
	look(busy, false, true) // begins anew
	for range calmAfter - 1 {
		look(0, false, true)
	}
	look(0, true, false)
	look(0, false, false)
}
