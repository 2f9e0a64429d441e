package dnssec

import (
	"strings"

	"github.com/miekg/dns"
)

// A name is a domain name in canonical form (RFC 4034 6.2): uncompressed wire
// form in lower case, and its labels from left to right without the root's.
type name struct {
	wire   string
	labels []string
}

// parseName reads presentation form; it fails for what is no domain name.
func parseName(s string) (name, bool) {
	var buf [256]byte
	n, err := dns.PackDomainName(dns.Fqdn(s), buf[:], 0, nil, false)
	if err != nil || n > 255 {
		return name{}, false
	}
	lower(buf[:n])
	return wireName(string(buf[:n])), true
}

// wireName splits a well-formed uncompressed name.
func wireName(wire string) name {
	count := 0
	for i := 0; wire[i] != 0; i += int(wire[i]) + 1 {
		count++
	}
	labels := make([]string, 0, count)
	for i := 0; wire[i] != 0; i += int(wire[i]) + 1 {
		labels = append(labels, wire[i+1:i+1+int(wire[i])])
	}
	return name{wire, labels}
}

// lower makes ASCII letters small. It may run over whole wire names, because
// the length of a label is below 'A'.
func lower(b []byte) {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}

// String is the presentation form with the trailing dot.
func (n name) String() string {
	s, _, err := dns.UnpackDomainName([]byte(n.wire), 0)
	if err != nil {
		return "?"
	}
	return s
}

// up is the ancestor k labels above.
func (n name) up(k int) name {
	off := 0
	for _, l := range n.labels[:k] {
		off += len(l) + 1
	}
	return name{n.wire[off:], n.labels[k:]}
}

// last is the ancestor with k labels, or the name itself.
func (n name) last(k int) name { return n.up(len(n.labels) - k) }

// wildcard is the name "*" below n.
func (n name) wildcard() name {
	return name{"\x01*" + n.wire, append([]string{"*"}, n.labels...)}
}

// under reports whether n is z or below it.
func (n name) under(z name) bool {
	return len(n.labels) >= len(z.labels) && n.last(len(z.labels)).wire == z.wire
}

// below reports whether n is below z.
func (n name) below(z name) bool { return len(n.labels) > len(z.labels) && n.under(z) }

// common counts the labels that n and m share from the right.
func (n name) common(m name) int {
	i := 0
	for i < len(n.labels) && i < len(m.labels) &&
		n.labels[len(n.labels)-1-i] == m.labels[len(m.labels)-1-i] {
		i++
	}
	return i
}

// compare orders names canonically (RFC 4034 6.1).
func (n name) compare(m name) int {
	for i := 1; i <= len(n.labels) && i <= len(m.labels); i++ {
		if c := strings.Compare(n.labels[len(n.labels)-i], m.labels[len(m.labels)-i]); c != 0 {
			return c
		}
	}
	return len(n.labels) - len(m.labels)
}

// signedLabels counts labels as the Labels field of an RRSIG does: without a
// leading "*" (RFC 4034 3.1.3).
func (n name) signedLabels() int {
	if len(n.labels) > 0 && n.labels[0] == "*" {
		return len(n.labels) - 1
	}
	return len(n.labels)
}
