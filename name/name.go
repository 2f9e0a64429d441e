// Package name reads the names of an order: DNS names, wildcards and IP
// addresses, in whatever form people write them. It states facts (the A-label
// form, the labels, what breaks which rule and where) and judges nothing: which
// fact is an error is a profile's decision.
package name

import (
	"net/netip"
	"strings"
)

// Bounds of DNS names in characters (RFC 1035 2.3.4; 253 is what 255 octets on
// the wire leave for the text form).
const (
	MaxLabel = 63
	MaxName  = 253
)

// maxRead bounds how much of a text is read. A longer one is no name: it is
// reported as too long and only its beginning is looked at.
const maxRead = 2048

// maxProblems bounds the problems reported for one name.
const maxProblems = 32

// A Name is one name of an order, read.
type Name struct {
	// Text is the name as it was written.
	Text string
	// Clean is N of the catalogue: trimmed, lower case, A-label form, one
	// trailing dot removed, "*." kept; for an IP address its one correct
	// spelling. Where the text is no name it is the nearest such text: what was
	// pasted around the host name and what cannot stand in a name is left out,
	// underscores stay. It is ASCII always.
	Clean string
	// Base is B: Clean without "*.".
	Base string
	// Unicode is Base in U-label form, for showing and searching. Labels that do
	// not decode stay as they are.
	Unicode string
	// Wildcard is set where the first label is exactly "*" and others follow.
	Wildcard bool
	// TrailingDot is set where a final dot was removed.
	TrailingDot bool
	// Labels are the labels of Base; none for an IP address.
	Labels []string
	// IP is valid where the text is an IP address in any notation; a v4-mapped
	// address is the IPv4 address inside. Canonical is its one correct spelling
	// (dotted quad, RFC 5952).
	IP        netip.Addr
	Canonical string
	// Problems are all breaches of syntax, in the order of their place.
	Problems []Problem
}

// Kind says which rule of syntax a [Problem] breaks.
type Kind string

// The kinds of problem.
const (
	Character       Kind = "character"        // a character no host name can hold
	NotASCII        Kind = "not-ascii"        // Unicode form where the A-label belongs
	Empty           Kind = "empty"            // nothing there
	EmptyLabel      Kind = "empty-label"      // two dots in a row, or a dot first
	LabelTooLong    Kind = "label-too-long"   // over MaxLabel
	NameTooLong     Kind = "name-too-long"    // over MaxName
	Hyphen          Kind = "hyphen"           // a hyphen first or last in a label
	ReservedHyphens Kind = "reserved-hyphens" // "--" at 3 and 4 without "xn" (RFC 5890 2.3.1)
	Punycode        Kind = "punycode"         // "xn--" and what RFC 3492 cannot have written
	IDNA            Kind = "idna"             // decodes, but IDNA2008 forbids it (RFC 5891 to 5893)
	Wildcard        Kind = "wildcard"         // "*" misplaced or repeated
	IPNotation      Kind = "ip-notation"      // an IP address, not in its one spelling
)

// A Problem is one breach of a syntax rule.
type Problem struct {
	Kind Kind
	// Offset is the byte offset in Text; Label the index of the label in the
	// text, a leading "*" counted, -1 for what concerns the whole name.
	Offset, Label int
	// Rune is the offending character, 0 where there is none.
	Rune rune
	// Rule says in one word what exactly is broken. Character: "underscore",
	// "space", "invisible", "control", "encoding", "disallowed", "url", "path",
	// "port", "email", "other". Hyphen: "hyphen-first", "hyphen-last".
	// Punycode: "decode", "round-trip", "ascii-only", "nfc". IDNA:
	// "code-point", "hyphens", "combining-mark", "joiner", "context", "bidi".
	// Wildcard: "alone", "inside", "repeated". IPNotation: "zone", "bracket",
	// "mapped", "number", "hex", "octal", "short", "spelling",
	// "wildcard", "not-address".
	// The other kinds have one rule, which bears their name.
	Rule string
	// Detail is the text concerned: the label as written, for Punycode and IDNA
	// the decoded form, for NotASCII the U-label form of the name.
	Detail string
	// Suggestion is a spelling of the whole name that would be right, "" where
	// none is evident.
	Suggestion string
}

// Parse reads one name. It never fails: whatever is wrong stands in Problems.
func Parse(text string) Name {
	if n, ok := parsePlain(text); ok {
		return n
	}
	p := parser{Name: Name{Text: text}}
	p.parse()
	return p.Name
}

// parsePlain reads the names that almost all are: letters, digits and hyphens
// in lower case, nothing wrong, no A-label, no number at the end.
func parsePlain(text string) (Name, bool) {
	n := Name{Text: text, Clean: text, Base: text}
	if strings.HasPrefix(text, "*.") {
		n.Wildcard, n.Base = true, text[2:]
	}
	b := n.Base
	if len(text) > MaxName || b == "" {
		return n, false
	}
	dots, start := 0, 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
		case c == '-':
			if i == start || i+1 == len(b) || b[i+1] == '.' || i == start+3 && b[i-1] == '-' {
				return n, false
			}
		case c == '.':
			if i == start || i-start > MaxLabel {
				return n, false
			}
			dots++
			start = i + 1
		default:
			return n, false
		}
	}
	// A last label that begins with a digit may be the end of an IPv4 address.
	if start == len(b) || len(b)-start > MaxLabel || b[start] <= '9' {
		return n, false
	}
	n.Unicode = b
	n.Labels = split(b, dots+1)
	return n, true
}

func split(s string, count int) []string {
	labels := make([]string, 0, count)
	for {
		i := strings.IndexByte(s, '.')
		if i < 0 {
			return append(labels, s)
		}
		labels = append(labels, s[:i])
		s = s[i+1:]
	}
}

// Has reports whether a problem of the kind was found.
func (n *Name) Has(k Kind) bool {
	for i := range n.Problems {
		if n.Problems[i].Kind == k {
			return true
		}
	}
	return false
}

// TLD returns the last label, "" for an IP address.
func (n *Name) TLD() string {
	if len(n.Labels) == 0 {
		return ""
	}
	return n.Labels[len(n.Labels)-1]
}

// Below reports whether the base equals a name in A-label form or lies below it.
func (n *Name) Below(parent string) bool {
	rest, ok := strings.CutSuffix(n.Base, parent)
	return ok && parent != "" && (rest == "" || strings.HasSuffix(rest, "."))
}

// Covers reports whether a wildcard covers another name: exactly one label more
// than its base (RFC 6125 6.4.3).
func (n *Name) Covers(other *Name) bool {
	if !n.Wildcard || other.Wildcard || len(other.Labels) != len(n.Labels)+1 {
		return false
	}
	return other.Base[len(other.Labels[0])+1:] == n.Base
}
