package csr

import (
	"strings"
	"testing"
	"time"
)

// TestBounded: a text of the greatest length that is made to be slow is still
// read within a fraction of a second.
func TestBounded(t *testing.T) {
	t.Parallel()
	whole := func(s string) string { return strings.Repeat(s, MaxBytes/len(s)) }
	for name, text := range map[string]string{
		"BEGIN lines":     whole("-----BEGIN CERTIFICATE REQUEST-----\n"),
		"markers on end":  whole("BEGIN CERTIFICATE REQUEST "),
		"dashes":          whole("-"),
		"dashes, BEGIN":   whole("-BEGIN A"),
		"backslashes":     whole(`\`),
		"escapes":         whole(`\u002d`),
		"tags":            whole("<br "),
		"entities":        whole("&amp;"),
		"percent":         whole("%2B"),
		"quotes":          whole("\"\n"),
		"runs":            whole("MIIBAAAAAAAAAAAAAAAAAAAA = "),
		"private keys":    whole("-----BEGIN PRIVATE KEY-----\n"),
		"braces":          whole("{\"d\":"),
		"zero characters": whole("\x00A"),
		"base64":          whole("MIIE"),
	} {
		began := time.Now()
		clean, _, _ := Load(text)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: %v", name, took)
		} else if took > 200*time.Millisecond {
			t.Logf("%s: %v", name, took)
		}
		if len(clean) > 2*MaxBytes+1000 {
			t.Errorf("%s: %d bytes are kept", name, len(clean))
		}
	}
}
