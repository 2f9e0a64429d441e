package csr

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
		if all > 500*time.Millisecond && all > 10*quarter {
			t.Errorf("%s: %v, a quarter of it %v", name, all, quarter)
		}
		if len(clean) > 2*MaxBytes+1000 {
			t.Errorf("%s: %d bytes are kept", name, len(clean))
		}
	}
}

// least is the shortest of three times that reading a text takes of the processor,
// whatever else that does.
func least(text string) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	shortest := time.Duration(1<<63 - 1)
	for range 3 {
		began := spent()
		Load(text)
		shortest = min(shortest, spent()-began)
	}
	return shortest
}

// spent is the processor time of this thread.
func spent() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
