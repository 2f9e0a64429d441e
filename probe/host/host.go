// Package host finds where to look: it reads the host of a URL strictly,
// resolves it through the place's own resolver, and visits every address.
package host

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// lookup maps a host to its A-label form as a browser does: case, width and
// compatibility forms are folded, so that what looks like "127.0.0.1" in other
// digits becomes it before anything is judged.
var lookup = idna.New(idna.MapForLookup(), idna.Transitional(false),
	idna.StrictDomainName(false), idna.CheckHyphens(false), idna.BidiRule())

// Parse reads the host part of a URL (without port, an IPv6 address without
// brackets): either a domain name in lower-case A-label form without final dot,
// or an IP address. What some programs take for an address and others for a
// name (127.1, 0x7f.1, 2130706433, 0177.0.0.1, fe80::1%eth0) is neither.
func Parse(text string) (name string, addr netip.Addr, ok bool) {
	if len(text) > 1024 || !utf8.ValidString(text) {
		return "", addr, false
	}
	if strings.Contains(text, ":") {
		if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
			return "", a, true
		}
		return "", addr, false
	}
	mapped, err := lookup.ToASCII(text)
	if err != nil {
		return "", addr, false
	}
	mapped = strings.TrimSuffix(strings.ToLower(mapped), ".")
	if a, err := netip.ParseAddr(mapped); err == nil {
		return "", a, true
	}
	// What does not map to itself is a name to one program and not to another.
	if again, err := lookup.ToASCII(mapped); err != nil || again != mapped || !isName(mapped) {
		return "", addr, false
	}
	return mapped, addr, true
}

// isName reports whether a text in lower case is a domain name that could be a
// host: letters, digits, hyphens and underscores, the last label no number in
// any notation (RFC 1123 2.1; WHATWG URL, "ends in a number").
func isName(text string) bool {
	if text == "" || len(text) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
		last = label
	}
	return !isNumber(last)
}

func isNumber(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}

// Family is the family of an address in the words of the observation format.
func Family(a netip.Addr) string {
	if a.Unmap().Is4() {
		return "ipv4"
	}
	return "ipv6"
}
