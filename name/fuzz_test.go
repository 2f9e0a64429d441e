package name_test

import (
	"strings"
	"testing"

	"assay/name"
)

// FuzzParse: any text is read without a panic; places lie within the text; what
// is clean is ASCII; a name without problems reads again as itself and is
// letters, digits and hyphens; a suggestion has no problem.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", ".", "*", "*.", "..", "www.orchard.net", "*.orchard.net.", "b\u00fccher.de", "xn--bcher-kva.de", "xn--", "xn--a-",
		"127.1", "0x7f.1", "[::1]:443", "fe80::1%eth0", "::ffff:1.2.3.4", "https://u@h:1/p?q#f", "a\u200cb", "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com",
		"1.xn--4dbrk0ce", "\uff11.1.1.1", "\xff", "a_b", "_a.b.c", "\u2100.net", "xn--\u00fc.net", "//", "mailto:a@b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n := name.Parse(text)
		if n.Text != text {
			t.Fatalf("text %q became %q", text, n.Text)
		}
		for _, p := range n.Problems {
			if p.Offset < 0 || p.Offset > len(text) || p.Rule == "" {
				t.Fatalf("%q: problem %+v", text, p)
			}
			if p.Suggestion == "" {
				continue
			}
			if again := name.Parse(p.Suggestion); len(again.Problems) > 0 || again.Clean != p.Suggestion {
				t.Fatalf("%q: suggests %q, which has %+v", text, p.Suggestion, again.Problems)
			}
		}
		if strings.Trim(n.Clean, "abcdefghijklmnopqrstuvwxyz0123456789-._*:") != "" {
			for _, c := range []byte(n.Clean) {
				if c >= 0x80 || c <= ' ' {
					t.Fatalf("%q: clean %q", text, n.Clean)
				}
			}
		}
		if len(n.Problems) > 0 {
			return
		}
		again := name.Parse(n.Clean)
		if again.Clean != n.Clean || again.Unicode != n.Unicode || again.Wildcard != n.Wildcard || len(again.Problems) > 0 {
			t.Fatalf("%q: reads as %+v, and that again as %+v", text, n, again)
		}
		if n.IP.IsValid() {
			return
		}
		for _, l := range n.Labels {
			if l == "" || len(l) > name.MaxLabel || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || l[0] == '-' || l[len(l)-1] == '-' {
				t.Fatalf("%q: label %q has no problem", text, l)
			}
		}
	})
}

var read name.Name

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct{ what, text string }{
		{"plain", "www.shop.orchard.net"},
		{"wildcard", "*.orchard.net"},
		{"upper", "www.Orchard.net"},
		{"a-label", "www.xn--bcher-kva.de"},
		{"u-label", "www.b\u00fccher.de"},
		{"ip", "192.0.2.1"},
	} {
		b.Run(c.what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				read = name.Parse(c.text)
			}
		})
	}
}
