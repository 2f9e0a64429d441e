package name_test

import (
	"strconv"
	"strings"
	"testing"

	"assay/name"
)

func TestParse(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	for _, c := range []struct {
		what, text, clean, unicode string
		// problems as kind/rule@offset, space separated.
		problems, suggestion string
	}{
		{"plain", "www.orchard.net", "www.orchard.net", "", "", ""},
		{"upper case and blanks", " WWW.Orchard.NET\r\n", "www.orchard.net", "", "", ""},
		{"wildcard", "*.orchard.net", "*.orchard.net", "orchard.net", "", ""},
		{"trailing dot", "www.orchard.net.", "www.orchard.net", "", "", ""},
		{"one label", "intranet", "intranet", "", "", ""},
		{"digits first", "1e100.net", "1e100.net", "", "", ""},

		{"underscore", "a_b.orchard.net", "a_b.orchard.net", "", "character/underscore@1", "a-b.orchard.net"},
		{"owner of the record", "_dnsauth.orchard.net", "_dnsauth.orchard.net", "", "character/underscore@0", "orchard.net"},
		{"blank inside", "www. orchard.net", "www.orchard.net", "", "character/space@4", "www.orchard.net"},
		{"several characters", "a b_c.orchard.net", "ab_c.orchard.net", "", "character/space@1 character/underscore@3", "ab-c.orchard.net"},
		{"comma", "orchard,net", "orchardnet", "", "character/other@7", ""},
		{"zero width space", "www.or\u200bchard.net", "www.orchard.net", "", "character/invisible@6", "www.orchard.net"},
		{"byte order mark", "\ufeffwww.orchard.net", "www.orchard.net", "", "character/invisible@0", "www.orchard.net"},
		{"right-to-left override", "\u202ewww.orchard.net", "www.orchard.net", "", "character/invisible@0", "www.orchard.net"},
		{"control", "www.or\x07chard.net", "www.orchard.net", "", "character/control@6", "www.orchard.net"},
		{"broken UTF-8", "www.or\xffchard.net", "www.orchard.net", "", "character/encoding@6", "www.orchard.net"},
		{"joiner nobody asks for", "or\u200cchard.net", "orchard.net", "", "character/invisible@2", "orchard.net"},
		{"URL", "https://www.orchard.net/a?b#c", "www.orchard.net", "", "character/url@5", "www.orchard.net"},
		{"URL with user and port", "https://u:p@www.orchard.net:8443/", "www.orchard.net", "", "character/url@5", "www.orchard.net"},
		{"scheme-relative", "//www.orchard.net", "www.orchard.net", "", "character/url@0", "www.orchard.net"},
		{"path", "www.orchard.net/index.html", "www.orchard.net", "", "character/path@15", "www.orchard.net"},
		{"port", "www.orchard.net:443", "www.orchard.net", "", "character/port@15", "www.orchard.net"},
		{"e-mail", "admin@orchard.net", "orchard.net", "", "character/email@5", "orchard.net"},
		{"quotes", `"orchard.net"`, "orchard.net", "", "character/other@0 character/other@12", "orchard.net"},

		{"empty", "", "", "", "empty/empty@0", ""},
		{"blank", "  ", "", "", "empty/empty@0", ""},
		{"only a dot", ".", "", "", "empty-label/empty-label@0", ""},
		{"two dots", "www..orchard.net", "www..orchard.net", "", "empty-label/empty-label@4", "www.orchard.net"},
		{"dot first", ".orchard.net", ".orchard.net", "", "empty-label/empty-label@0", "orchard.net"},
		{"two dots last", "orchard.net..", "orchard.net.", "", "empty-label/empty-label@12", "orchard.net"},
		{"hyphen first", "-a.net", "-a.net", "", "hyphen/hyphen-first@0", "a.net"},
		{"hyphen last", "a-.net", "a-.net", "", "hyphen/hyphen-last@1", "a.net"},
		{"reserved hyphens", "ab--cd.net", "ab--cd.net", "", "reserved-hyphens/reserved-hyphens@2", ""},
		{"hyphens elsewhere", "a--b.abc--d.net", "a--b.abc--d.net", "", "", ""},
		{"label of 63", label63 + ".net", label63 + ".net", "", "", ""},
		{"label of 64", label63 + "a.net", label63 + "a.net", "", "label-too-long/label-too-long@0", ""},
		{"name of 253", long(253), long(253), "", "", ""},
		{"name of 254", long(254), long(254), "", "name-too-long/name-too-long@0", ""},
		{"wildcard of 254", "*." + long(252), "*." + long(252), long(252), "name-too-long/name-too-long@0", ""},

		{"star alone", "*", "*", "", "wildcard/alone@0", ""},
		{"star inside a label", "w*.orchard.net", "w*.orchard.net", "", "wildcard/inside@1", "*.orchard.net"},
		{"star in the middle", "a.*.orchard.net", "a.*.orchard.net", "", "wildcard/inside@2", "*.orchard.net"},
		{"two stars", "*.*.orchard.net", "*.*.orchard.net", "*.orchard.net", "wildcard/repeated@2", "*.orchard.net"},

		{"U-label", "b\u00fccher.de", "xn--bcher-kva.de", "b\u00fccher.de", "not-ascii/not-ascii@1", "xn--bcher-kva.de"},
		{"U-label decomposed, upper case", "BU\u0308CHER.de", "xn--bcher-kva.de", "b\u00fccher.de", "not-ascii/not-ascii@2", "xn--bcher-kva.de"},
		{"sharp s stays", "stra\u00dfe.de", "xn--strae-oqa.de", "stra\u00dfe.de", "not-ascii/not-ascii@4", "xn--strae-oqa.de"},
		{"Chinese, ideographic dot", "\u679c\u56ed\u3002\u4e2d\u56fd", "xn--fcs110b.xn--fiqs8s", "\u679c\u56ed.\u4e2d\u56fd", "not-ascii/not-ascii@0", "xn--fcs110b.xn--fiqs8s"},
		{"full width", "\uff4f\uff52chard.net", "orchard.net", "", "not-ascii/not-ascii@0", "orchard.net"},
		{"A-label", "xn--bcher-kva.de", "xn--bcher-kva.de", "b\u00fccher.de", "", ""},
		{"A-label upper case", "XN--BCHER-KVA.de", "xn--bcher-kva.de", "b\u00fccher.de", "", ""},
		{"Persian with its joiner", "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "xn--mgba3gch31f060k.com", "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.com", "not-ascii/not-ascii@0", "xn--mgba3gch31f060k.com"},
		{"emoji", "\U0001F34E.net", "xn--oi8h.net", "\U0001F34E.net", "idna/code-point@0 not-ascii/not-ascii@0", ""},
		{"emoji A-label", "xn--oi8h.net", "xn--oi8h.net", "\U0001F34E.net", "idna/code-point@0", ""},
		{"no form at all", "a\u2e80\ue000b.net", "xn--ab-o32a.net", "a\u2e80b.net", "idna/code-point@0 not-ascii/not-ascii@1 character/disallowed@4", ""},

		{"Punycode that does not decode", "xn--99999.net", "xn--99999.net", "", "punycode/decode@0", ""},
		{"empty Punycode", "a.xn--.net", "a.xn--.net", "", "punycode/decode@2 hyphen/hyphen-last@5", ""},
		{"Punycode of ASCII", "xn--orchard-.net", "xn--orchard-.net", "", "punycode/ascii-only@0 hyphen/hyphen-last@11", ""},
		{"not NFC", "xn--bucher-xyd.de", "xn--bucher-xyd.de", "", "punycode/nfc@0", ""},
		{"upper case inside", "xn--Bcher-Kva.de", "xn--bcher-kva.de", "b\u00fccher.de", "", ""},
		{"hyphen last in the U-label", "xn----dha.net", "xn----dha.net", "\u00fc-.net", "idna/hyphens@0", ""},
		{"middle dot misplaced", "xn--ab-0ea.net", "xn--ab-0ea.net", "a\u00b7b.net", "idna/context@0", ""},
		{"middle dot of Catalan", "xn--ll-0ea.net", "xn--ll-0ea.net", "l\u00b7l.net", "", ""},
		{"right to left and a digit label", "1.xn--4dbrk0ce", "1.xn--4dbrk0ce", "1.\u05d9\u05e9\u05e8\u05d0\u05dc", "idna/bidi@0", ""},

		{"IPv4", "192.0.2.1", "192.0.2.1", "", "", ""},
		{"IPv6", "2001:db8::1", "2001:db8::1", "", "", ""},
		{"IPv4 short", "127.1", "127.0.0.1", "", "ip-notation/short@0", "127.0.0.1"},
		{"IPv4 hexadecimal", "0x7f.1", "127.0.0.1", "", "ip-notation/hex@0", "127.0.0.1"},
		{"IPv4 one number", "2130706433", "127.0.0.1", "", "ip-notation/number@0", "127.0.0.1"},
		{"IPv4 leading zeros, one reading", "192.0.2.01", "192.0.2.1", "", "ip-notation/octal@0", "192.0.2.1"},
		{"IPv4 leading zeros, two readings", "010.0.0.1", "8.0.0.1", "", "ip-notation/octal@0", ""},
		{"IPv4 leading zero no octal", "08.0.0.1", "8.0.0.1", "", "ip-notation/octal@0", "8.0.0.1"},
		{"IPv4 final dot", "192.0.2.1.", "192.0.2.1", "", "ip-notation/spelling@0", "192.0.2.1"},
		{"IPv4 with port", "192.0.2.1:8443", "192.0.2.1", "", "character/port@9", "192.0.2.1"},
		{"IPv4 URL", "http://192.0.2.1/", "192.0.2.1", "", "character/url@4", "192.0.2.1"},
		{"IPv4 full width", "\uff11.1.1.1", "1.1.1.1", "", "ip-notation/spelling@0", "1.1.1.1"},
		{"numbers that are no address", "300.1.1.1", "300.1.1.1", "", "ip-notation/not-address@0", ""},
		{"five numbers", "1.2.3.4.5", "1.2.3.4.5", "", "ip-notation/not-address@0", ""},
		{"wildcard before an address", "*.8.8.8.8", "*.8.8.8.8", "8.8.8.8", "ip-notation/wildcard@0", ""},
		{"wildcard before numbers that are no address", "*.300.1.1.1", "*.300.1.1.1", "300.1.1.1", "ip-notation/not-address@0", ""},
		{"number as top-level domain", "a.5", "a.5", "", "", ""},
		{"IPv6 upper case", "2001:DB8::1", "2001:db8::1", "", "ip-notation/spelling@0", "2001:db8::1"},
		{"IPv6 not shortened", "2001:db8:0:0:0:0:0:1", "2001:db8::1", "", "ip-notation/spelling@0", "2001:db8::1"},
		{"IPv6 zone", "fe80::1%eth0", "fe80::1", "", "ip-notation/zone@0", "fe80::1"},
		{"IPv6 brackets", "[2001:db8::1]", "2001:db8::1", "", "ip-notation/bracket@0", "2001:db8::1"},
		{"IPv6 brackets and port", "[2001:db8::1]:443", "2001:db8::1", "", "ip-notation/bracket@0 character/port@13", "2001:db8::1"},
		{"IPv6 holding IPv4", "::ffff:192.0.2.1", "192.0.2.1", "", "ip-notation/mapped@0", "192.0.2.1"},
		{"colons that are no address", "a:b:c.net", "abc.net", "", "character/other@1 character/other@3", "abc.net"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			n := name.Parse(c.text)
			if c.unicode == "" {
				c.unicode = c.clean
			}
			if n.Text != c.text || n.Clean != c.clean || n.Unicode != c.unicode {
				t.Errorf("got clean %q, unicode %q, want %q, %q", n.Clean, n.Unicode, c.clean, c.unicode)
			}
			if got := problems(n); got != c.problems {
				t.Errorf("problems %q, want %q", got, c.problems)
			}
			suggestion := ""
			for _, p := range n.Problems {
				suggestion = p.Suggestion
			}
			if suggestion != c.suggestion {
				t.Errorf("suggests %q, want %q", suggestion, c.suggestion)
			}
		})
	}
}

func problems(n name.Name) string {
	var out []string
	for _, p := range n.Problems {
		out = append(out, string(p.Kind)+"/"+p.Rule+"@"+itoa(p.Offset))
	}
	return strings.Join(out, " ")
}

func itoa(n int) string { return strconv.Itoa(n) }

// long returns a name of n characters with labels of 63 and less.
func long(n int) string {
	s := strings.Repeat(strings.Repeat("a", 63)+".", 3)
	rest := n - len(s) - len(".net")
	return s + strings.Repeat("b", rest) + ".net"
}
