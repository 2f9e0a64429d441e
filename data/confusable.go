package data

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// confusableTable maps a character to its prototype (UTS 39, confusables.txt).
type confusableTable map[rune]string

// parseConfusables reads confusables.txt: "0441 ; 0063 ; MA # …" a line. The
// type column and the comment may be missing.
func parseConfusables(text string) (confusableTable, error) {
	t := make(confusableTable, len(text)/13)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimPrefix(line, "\ufeff")
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		source, rest, found := strings.Cut(line, ";")
		target, _, _ := strings.Cut(rest, ";")
		from, err := readRunes(source)
		if err != nil || !found || len(from) == 0 {
			return nil, fmt.Errorf("line %d: want \"code point ; code points\"", number)
		}
		to, err := readRunes(target)
		if err != nil || to == "" {
			return nil, fmt.Errorf("line %d: want \"code point ; code points\"", number)
		}
		r, size := utf8.DecodeRuneInString(from)
		if size != len(from) {
			return nil, fmt.Errorf("line %d: the first column must be one code point", number)
		}
		t[r] = to
	}
	return t, nil
}

// readRunes reads hexadecimal code points separated by white space.
func readRunes(field string) (string, error) {
	var raw [64]byte
	out := raw[:0]
	for hex := range strings.FieldsSeq(field) {
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil || n > unicode.MaxRune || !utf8.ValidRune(rune(n)) || len(out) > 200 {
			return "", fmt.Errorf("%.20q is no code point", hex)
		}
		out = utf8.AppendRune(out, rune(n))
	}
	return string(out), nil
}

// appendSkeleton appends the UTS 39 skeleton of a text in lower case: NFD, each
// character replaced by its prototype, NFD. Prototypes are lowered as well,
// since names have no case: zero and o, whose prototypes are O and o, agree.
func (s *Set) appendSkeleton(dst []byte, text string) []byte {
	if isASCII(text) {
		for i := 0; i < len(text); i++ {
			dst = appendASCIISkeleton(dst, text[i])
		}
		return dst
	}
	table := s.confusables()
	if norm.NFD.QuickSpanString(text) != len(text) {
		text = norm.NFD.String(text)
	}
	raw := make([]byte, 0, 2*len(text)+8)
	for _, r := range text {
		switch to, ok := table[r]; {
		case ok:
			raw = append(raw, to...)
		case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r):
			// Invisible (UTS 39 4: default ignorable code points are removed).
		default:
			raw = utf8.AppendRune(raw, r)
		}
	}
	if norm.NFD.QuickSpan(raw) != len(raw) {
		raw = norm.NFD.Bytes(raw)
	}
	for _, c := range raw {
		switch {
		case c == 'I':
			c = 'l' // a capital I is drawn as l: its prototype, not its lower case
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendASCIISkeleton is the part of the table that concerns the characters of
// ASCII names; a test holds it against the embedded one. It spares names in
// ASCII, nearly all of them, the whole table.
func appendASCIISkeleton(dst []byte, c byte) []byte {
	switch c {
	case '0':
		return append(dst, 'o')
	case '1':
		return append(dst, 'l')
	case 'm':
		return append(dst, "rn"...)
	}
	return append(dst, c)
}

func isASCII(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
