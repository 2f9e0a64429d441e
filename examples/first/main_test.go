package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestFirst: the example ends with a verified handshake.
func TestFirst(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err, "\n", out.String())
	}
	if !strings.Contains(out.String(), "\n# Verified: orchard.net, issued by Orchard CA Issuing 1") {
		t.Error(out.String())
	}
}
