package main

import (
	"strings"
	"testing"
)

// Where a key lies is judged before any device is asked.
func TestKeyAt(t *testing.T) {
	t.Parallel()
	for place, want := range map[string]string{
		"in the safe": "begins with pkcs11:",
		"pkcs11:token=a;object=b?module-path=/m&pin-value=12345": "holds its PIN",
		"pkcs11:token=a;object=b?module-path=/none.so":           "needs pin-source",
	} {
		k, err := keyAt(place)
		if k != nil || err == nil || strings.Contains(err.Error(), "12345") {
			t.Errorf("%s: %v, %v", place, k, err)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", place, err, want)
		}
	}
}
