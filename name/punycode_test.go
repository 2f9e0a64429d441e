package name

import (
	"testing"

	"golang.org/x/net/idna"
)

// TestPunycode holds the samples of RFC 3492 7.1 that are in lower case.
func TestPunycode(t *testing.T) {
	for _, c := range []struct{ what, unicode, encoded string }{
		{"A Arabic (Egyptian)", "\u0644\u064A\u0647\u0645\u0627\u0628\u062A\u0643\u0644\u0645\u0648\u0634\u0639\u0631\u0628\u064A\u061F", "egbpdaj6bu4bxfgehfvwxn"},
		{"B Chinese (simplified)", "\u4ED6\u4EEC\u4E3A\u4EC0\u4E48\u4E0D\u8BF4\u4E2D\u6587", "ihqwcrb4cv8a8dqg056pqjye"},
		{"C Chinese (traditional)", "\u4ED6\u5011\u7232\u4EC0\u9EBD\u4E0D\u8AAA\u4E2D\u6587", "ihqwctvzc91f659drss3x8bo0yb"},
		{"E Hebrew", "\u05DC\u05DE\u05D4\u05D4\u05DD\u05E4\u05E9\u05D5\u05D8\u05DC\u05D0\u05DE\u05D3\u05D1\u05E8\u05D9\u05DD\u05E2\u05D1\u05E8\u05D9\u05EA", "4dbcagdahymbxekheh6e0a7fei0b"},
		{"F Hindi", "\u092F\u0939\u0932\u094B\u0917\u0939\u093F\u0928\u094D\u0926\u0940\u0915\u094D\u092F\u094B\u0902\u0928\u0939\u0940\u0902\u092C\u094B\u0932\u0938\u0915\u0924\u0947\u0939\u0948\u0902", "i1baa7eci9glrd9b2ae1bj0hfcgg6iyaf8o0a1dig0cd"},
		{"G Japanese", "\u306A\u305C\u307F\u3093\u306A\u65E5\u672C\u8A9E\u3092\u8A71\u3057\u3066\u304F\u308C\u306A\u3044\u306E\u304B", "n8jok5ay5dzabd5bym9f0cm5685rrjetr6pdxa"},
		{"R pseudo-Japanese", "\u305D\u306E\u30B9\u30D4\u30FC\u30C9\u3067", "d9juau41awczczp"},
		{"P ASCII inside", "\u3072\u3068\u3064\u5C4B\u6839\u306E\u4E0B2", "2-u9tlzr9756bt3uc0v"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			if got := string(appendPunycode(nil, c.unicode)); got != c.encoded {
				t.Errorf("encoded as %q, want %q", got, c.encoded)
			}
			if got, ok := decodePunycode(c.encoded); !ok || got != c.unicode {
				t.Errorf("decoded as %q, want %q", got, c.unicode)
			}
		})
	}
	for _, bad := range []string{"", "-", "-a", "99999", "a-\u00e9", "999999999999", "a_", "ls8h="} {
		if got, ok := decodePunycode(bad); ok {
			t.Errorf("%q decodes as %q", bad, got)
		}
	}
}

// FuzzPunycode: what decodes and encodes again to itself is what the IDNA
// library encodes, and everything encoded decodes.
func FuzzPunycode(f *testing.F) {
	for _, s := range []string{"bcher-kva", "fiqs8s", "a-", "--", "99999", "orchard", "li8h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > MaxLabel {
			return
		}
		u, ok := decodePunycode(s)
		if !ok || isASCII(u) {
			return
		}
		again := string(appendPunycode(nil, u))
		if back, ok := decodePunycode(again); !ok || back != u {
			t.Fatalf("%q encodes as %q, which decodes as %q", u, again, back)
		}
		for i := range len(u) {
			if c := u[i]; c == '.' || 'A' <= c && c <= 'Z' {
				return // the library splits and folds
			}
		}
		for _, r := range u {
			if r == '\u3002' || r == '\uFF0E' || r == '\uFF61' {
				return
			}
		}
		if oracle, err := idna.Punycode.ToASCII(u); err == nil && oracle != acePrefix+again {
			t.Fatalf("%q encodes as %q, the library says %q", u, again, oracle)
		}
	})
}

// TestProperty holds code points of every rule of RFC 5892, with the class that
// the tables of IANA give them (idna-tables-properties).
func TestProperty(t *testing.T) {
	for _, c := range []struct {
		what  string
		class class
		runes string
	}{
		{"letters and digits", protocolValid, "az09-\u00fc\u4e2d\u05d0\u0627\u0928\u3042\uac00\u10d0"},
		{"combining marks", protocolValid, "\u0301\u093e\u0a3c"},
		{"exceptions valid", protocolValid, "\u00df\u03c2\u06fd\u06fe\u0f0b\u3007"},
		{"contextual joiners", contextJ, "\u200c\u200d"},
		{"contextual others", contextO, "\u00b7\u0375\u05f3\u05f4\u30fb\u0660\u0669\u06f0\u06f9"},
		{"upper case and compatibility forms", disallowed, "A\u00dc\u0391\uff41\u2126\ufb01\u00b2"},
		{"exceptions disallowed", disallowed, "\u0640\u07fa\u302e\u302f\u3031\u3035\u303b"},
		{"symbols and punctuation", disallowed, "_.\u00a1\u2603\U0001F34E\u3001\u2010"},
		{"ignorable", disallowed, "\u00ad\u034f\u115f\u200b\u200e\u2060\ufe0f\ufeff"},
		{"ignorable blocks", disallowed, "\u20d0\U0001D165\U0001D242"},
		{"old Hangul", disallowed, "\u1100\u1161\u11a8\ua960\ud7b0"},
		{"unassigned, private, no character", disallowed, "\u0378\ue000\ufdd0\U0010FFFF"},
		{"spaces and controls", disallowed, "\u0080\u00a0\u2028\u3000"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			for _, r := range c.runes {
				if got := property(r); got != c.class {
					t.Errorf("%U: class %d, want %d", r, got, c.class)
				}
			}
		})
	}
}
