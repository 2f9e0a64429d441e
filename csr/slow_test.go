package csr

import (
	"strings"
	"testing"
	"time"
)

// TestBounded: a text of the greatest length that is made to be slow costs about
// four times what a quarter of it costs, not sixteen times.
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
		clean, _, _ := Load(text)
		quarter, all := least(text[:len(text)/4]), least(text)
		// What is over at once says nothing on a busy machine.
		if all > 500*time.Millisecond && all > 10*quarter {
			t.Errorf("%s: %v, a quarter of it %v", name, all, quarter)
		}
		if len(clean) > 2*MaxBytes+1000 {
			t.Errorf("%s: %d bytes are kept", name, len(clean))
		}
	}
}

// least is the shortest of three times that reading a text takes.
func least(text string) time.Duration {
	shortest := time.Duration(1<<63 - 1)
	for range 3 {
		began := time.Now()
		Load(text)
		shortest = min(shortest, time.Since(began))
	}
	return shortest
}
