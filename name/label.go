package name

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// mapping is UTS 46 non-transitional mapping and nothing else: which of its
// results are forbidden is told one rule at a time.
var mapping = idna.New(idna.MapForLookup(), idna.Transitional(false),
	idna.StrictDomainName(false), idna.CheckHyphens(false), idna.CheckJoiners(false))

const acePrefix = "xn--"

// readLabel reads one label: first its characters, then, in A-label form, the
// rules for labels.
func (p *parser) readLabel(i int) {
	l := &p.labels[i]
	if l.raw == "" {
		p.problem(Problem{Kind: EmptyLabel, Offset: l.offset, Label: i, Rule: string(EmptyLabel)})
		return
	}
	text, first := p.characters(i)
	if first >= 0 {
		text = p.mapUnicode(i, text, first)
	}
	l.clean, l.unicode = text, text
	if !isASCII(text) {
		p.encode(i)
		return
	}
	p.checkLabel(i)
}

// characters returns the label in lower case without the characters that no
// label can hold, each of which is a problem; underscores and "*" stay. first
// is the offset in the label of the first character over ASCII that stayed, or -1.
func (p *parser) characters(i int) (text string, first int) {
	l := &p.labels[i]
	if isPlain(l.raw) {
		return l.raw, -1
	}
	first = -1
	var b strings.Builder
	b.Grow(len(l.raw))
	for at, r := range l.raw {
		rule := characterRule(r)
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(l.raw[at:]); size == 1 {
				rule = "encoding"
			}
		}
		if rule == "invisible" && joinerAllowed(l.raw, at, r) {
			rule = ""
		}
		if rule != "" {
			p.problem(Problem{Kind: Character, Offset: l.offset + at, Label: i, Rune: r, Rule: rule, Detail: l.raw})
			if rule != "underscore" {
				continue
			}
		}
		if r < utf8.RuneSelf {
			b.WriteByte(lower(byte(r)))
			continue
		}
		if first < 0 {
			first = at
		}
		b.WriteRune(r)
	}
	return b.String(), first
}

// isPlain reports whether a label holds nothing that must be looked at or lowered.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '*') {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// characterRule says why a character cannot stand in a label, "" where it can,
// or where only UTS 46 can tell. "*" is judged by its place.
func characterRule(r rune) string {
	switch {
	case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '*':
		return ""
	case r == '_':
		return "underscore"
	case unicode.Is(unicode.Cc, r):
		return "control"
	case unicode.IsSpace(r) || unicode.In(r, unicode.Z):
		return "space"
	case unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
		return "invisible"
	case r < utf8.RuneSelf:
		return "other"
	}
	return ""
}

// mapUnicode maps a label in Unicode form to the form that is encoded (UTS 46
// 4). A code point that has no such form is a problem and left out.
func (p *parser) mapUnicode(i int, text string, first int) string {
	l := &p.labels[i]
	if at := l.offset + first + 1; p.unicodeAt == 0 || at < p.unicodeAt {
		p.unicodeAt = at
	}
	mapped, err := mapping.ToUnicode(text)
	if err == nil && !strings.HasPrefix(text, acePrefix) && plausible(mapped) {
		return mapped
	}
	var b strings.Builder
	for at, r := range l.raw {
		if r < utf8.RuneSelf || characterRule(r) != "" {
			if rule := characterRule(r); rule == "" || rule == "underscore" {
				b.WriteByte(lower(byte(r)))
			}
			continue
		}
		one, err := mapping.ToUnicode(string(r))
		if err != nil || !plausible(one) {
			p.problem(Problem{Kind: Character, Offset: l.offset + at, Label: i, Rune: r, Rule: "disallowed", Detail: l.raw})
			continue
		}
		b.WriteString(one)
	}
	return norm.NFC.String(b.String())
}

// plausible reports whether mapping gave neither a dot nor an ASCII character
// that no label can hold (U+2100 maps to "a/c").
func plausible(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < utf8.RuneSelf && c != '_' && (c == '.' || characterRule(rune(c)) != "" || 'A' <= c && c <= 'Z') {
			return false
		}
	}
	return !strings.ContainsRune(s, utf8.RuneError)
}

// encode gives a label in Unicode form its A-label.
func (p *parser) encode(i int) {
	l := &p.labels[i]
	// Every code point needs a digit at least: nothing longer can fit, and it
	// need not be encoded to know.
	var room [2 * MaxLabel]byte
	encoded, ok := room[:0], utf8.RuneCountInString(l.unicode) <= MaxLabel
	if ok {
		encoded = appendPunycode(encoded, l.unicode)
	}
	if !ok || len(acePrefix)+len(encoded) > MaxLabel {
		p.problem(Problem{Kind: LabelTooLong, Offset: l.offset, Label: i, Rule: string(LabelTooLong), Detail: l.raw})
	}
	l.clean = acePrefix + string(encoded)
	if !ok {
		l.clean = acePrefix
		return
	}
	p.checkIDNA(i, l.unicode)
}

// checkLabel looks at a label of ASCII characters.
func (p *parser) checkLabel(i int) {
	l := &p.labels[i]
	s := l.clean
	if s == "" {
		return // nothing but characters that were reported
	}
	if len(s) > MaxLabel {
		p.problem(Problem{Kind: LabelTooLong, Offset: l.offset, Label: i, Rule: string(LabelTooLong), Detail: l.raw})
	}
	if s[0] == '-' {
		p.problem(Problem{Kind: Hyphen, Offset: l.offset, Label: i, Rune: '-', Rule: "hyphen-first", Detail: l.raw})
	}
	if len(s) > 1 && s[len(s)-1] == '-' {
		p.problem(Problem{Kind: Hyphen, Offset: l.offset + len(l.raw) - 1, Label: i, Rune: '-', Rule: "hyphen-last", Detail: l.raw})
	}
	if len(s) < 4 || s[2:4] != "--" {
		return
	}
	if !strings.HasPrefix(s, acePrefix) {
		p.problem(Problem{Kind: ReservedHyphens, Offset: l.offset + 2, Label: i, Rune: '-', Rule: string(ReservedHyphens), Detail: l.raw})
		return
	}
	if len(s) <= MaxLabel {
		p.checkALabel(i)
	}
}

// checkALabel decodes an "xn--" label. What BR 1.6.1 demands is that it is
// output of RFC 3492; that it decodes to more than ASCII (RFC 5890 2.3.2.1: a
// "fake A-label" shows as another name) and is NFC is demanded by Boulder and
// by the lint every CA runs; the rest of IDNA2008 is told apart.
func (p *parser) checkALabel(i int) {
	l := &p.labels[i]
	bad := func(rule, detail string) {
		p.problem(Problem{Kind: Punycode, Offset: l.offset, Label: i, Rule: rule, Detail: detail})
	}
	u, ok := decodePunycode(l.clean[len(acePrefix):])
	if !ok {
		bad("decode", l.clean)
		return
	}
	if isASCII(u) {
		bad("ascii-only", u)
		return
	}
	var room [2 * MaxLabel]byte
	if string(appendPunycode(room[:0], u)) != l.clean[len(acePrefix):] {
		bad("round-trip", u)
		return
	}
	if !norm.NFC.IsNormalString(u) {
		bad("nfc", u)
		return
	}
	l.unicode = u
	p.checkIDNA(i, u)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
