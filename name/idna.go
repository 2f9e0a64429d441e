package name

import (
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/unicode/bidi"
)

// joiners is the mapping with the rules for zero-width joiners (RFC 5892 A.1
// and A.2); what it refuses and mapping does not is a breach of those.
var joiners = idna.New(idna.MapForLookup(), idna.Transitional(false),
	idna.StrictDomainName(false), idna.CheckHyphens(false), idna.CheckJoiners(true))

const (
	zeroWidthNonJoiner = '\u200C'
	zeroWidthJoiner    = '\u200D'
)

// joinerAllowed reports whether a character is a zero-width joiner that its
// neighbours ask for, as Persian and Indic scripts do; any other is invisible
// and was pasted.
func joinerAllowed(label string, at int, r rune) bool {
	if r != zeroWidthJoiner && r != zeroWidthNonJoiner {
		return false
	}
	if at == 0 || len(label) > 4*MaxLabel {
		return false
	}
	_, err := joiners.ToUnicode(label)
	return err == nil
}

// checkIDNA looks for breaches of IDNA2008 in a U-label, each reported once.
func (p *parser) checkIDNA(i int, u string) {
	l := &p.labels[i]
	bad := func(rule string, r rune) {
		p.problem(Problem{Kind: IDNA, Offset: l.offset, Label: i, Rune: r, Rule: rule, Detail: u})
	}
	if len(u) > 3 && u[2:4] == "--" || u[0] == '-' || u[len(u)-1] == '-' {
		bad("hyphens", '-') // RFC 5891 4.2.3.1
	}
	if r, _ := utf8.DecodeRuneInString(u); unicode.Is(unicode.M, r) {
		bad("combining-mark", r) // RFC 5891 4.2.3.2
	}
	var joiner, context, point bool
	for at, r := range u {
		switch property(r) {
		case disallowed:
			if !point {
				bad("code-point", r)
				point = true
			}
		case contextJ:
			if !joiner && !joinerAllowed(u, at, r) {
				bad("joiner", r)
				joiner = true
			}
		case contextO:
			if !context && !inContext(u, at, r) {
				bad("context", r)
				context = true
			}
		}
	}
}

// checkBidi applies the bidi rule (RFC 5893 2) to every label of a name that
// has a right-to-left one.
func (p *parser) checkBidi() {
	rightToLeft := false
	for i := range p.labels {
		u := p.labels[i].unicode
		rightToLeft = rightToLeft || !isASCII(u) && bidirule.DirectionString(u) != bidi.LeftToRight
	}
	if !rightToLeft {
		return
	}
	for i := range p.labels {
		l := &p.labels[i]
		if l.unicode == "" || l.unicode == "*" {
			continue
		}
		// Rule 1: the first character is L, R or AL, so no digit.
		digit := '0' <= l.unicode[0] && l.unicode[0] <= '9'
		if digit || !isASCII(l.unicode) && !bidirule.ValidString(l.unicode) {
			p.problem(Problem{Kind: IDNA, Offset: l.offset, Label: i, Rule: "bidi", Detail: l.unicode})
		}
	}
}

// class is the derived property of a code point (RFC 5892 3).
type class int

const (
	protocolValid class = iota
	contextJ
	contextO
	disallowed // and unassigned, which lookup treats alike
)

// known remembers the classes of the basic plane's code points, plus 1: deriving
// one costs as much as the rest of reading its label.
var known [1 << 16]atomic.Uint32

// property returns the class of a code point.
func property(r rune) class {
	if uint32(r) >= uint32(len(known)) {
		return derive(r)
	}
	if c := known[r].Load(); c != 0 {
		return class(c - 1)
	}
	c := derive(r)
	known[r].Store(uint32(c) + 1)
	return c
}

// derive derives the class of a code point by the rules of RFC 5892 3 from
// the Unicode tables, rather than from a table of one Unicode version. A code
// point is "unstable" exactly where UTS 46, which is built on the same folding,
// maps it to something else.
func derive(r rune) class {
	switch {
	case r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z':
		return protocolValid
	case r < utf8.RuneSelf:
		return disallowed
	case strings.ContainsRune("\u00DF\u03C2\u06FD\u06FE\u0F0B\u3007", r): // exceptions, 2.6
		return protocolValid
	case strings.ContainsRune("\u00B7\u0375\u05F3\u05F4\u30FB", r), 0x660 <= r && r <= 0x669, 0x6F0 <= r && r <= 0x6F9:
		return contextO
	case r == 0x640, r == 0x7FA, r == 0x302E, r == 0x302F, 0x3031 <= r && r <= 0x3035, r == 0x303B:
		return disallowed
	case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
		return contextJ
	case unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector,
		unicode.White_Space, unicode.Noncharacter_Code_Point):
		return disallowed
	case 0x20D0 <= r && r <= 0x20FF, 0x1D100 <= r && r <= 0x1D24F: // ignorable blocks, 2.4
		return disallowed
	case 0x1100 <= r && r <= 0x11FF, 0xA960 <= r && r <= 0xA97C, 0xD7B0 <= r && r <= 0xD7FB: // old Hangul, 2.9
		return disallowed
	}
	if !unicode.In(r, unicode.Ll, unicode.Lu, unicode.Lo, unicode.Nd, unicode.Lm, unicode.Mn, unicode.Mc) {
		return disallowed
	}
	if s, err := mapping.ToUnicode(string(r)); err != nil || s != string(r) {
		return disallowed // unstable, 2.2
	}
	return protocolValid
}

// inContext applies the rules of RFC 5892 A.3 to A.9.
func inContext(label string, at int, r rune) bool {
	before, _ := utf8.DecodeLastRuneInString(label[:at])
	after, _ := utf8.DecodeRuneInString(label[at+utf8.RuneLen(r):])
	switch {
	case r == '\u00B7':
		return before == 'l' && after == 'l'
	case r == '\u0375':
		return unicode.Is(unicode.Greek, after)
	case r == '\u05F3' || r == '\u05F4':
		return unicode.Is(unicode.Hebrew, before)
	case r == '\u30FB':
		for _, c := range label {
			if unicode.In(c, unicode.Hiragana, unicode.Katakana, unicode.Han) {
				return true
			}
		}
		return false
	}
	// Arabic-Indic digits and extended ones do not mix.
	low, high := rune(0x6F0), rune(0x6F9)
	if r >= low {
		low, high = 0x660, 0x669
	}
	for _, c := range label {
		if low <= c && c <= high {
			return false
		}
	}
	return true
}
