package phone

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// fields is the text of one field, read.
type fields struct {
	digits        string
	international bool // written with + or 00
	extension     string
	// tail is the last group of digits where it stands apart after a dash and
	// is short enough for an extension.
	tail string
}

// fold turns full-width digits and signs into ASCII.
func fold(text string) string { return norm.NFKC.String(text) }

// scan reads the text of a field. An empty one has the fault Characters.
func scan(text string) (fields, Fault) {
	var f fields
	text = strings.ToLower(strings.TrimSpace(fold(text)))
	text = strings.TrimPrefix(text, "tel:")
	text, f.extension = cutExtension(text)
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "(+") {
		text = strings.Replace(text, "(0)", "", 1) // +44 (0)20 …: the zero is for calls from inside
	}
	var digits strings.Builder
	group, dashed := 0, false
	for _, r := range text {
		switch {
		case r >= '0' && r <= '9':
			digits.WriteRune(r)
			group++
		case r == '+' && digits.Len() == 0 && !f.international:
			f.international = true
		case strings.ContainsRune("/,;、或\n", r):
			if digits.Len() > 5 {
				return fields{digits: digits.String()}, Several
			}
			group = 0
		case isPunctuation(r):
			dashed, group = isDash(r), 0
		case unicode.IsLetter(r):
			return fields{digits: digits.String()}, Letters
		default:
			return fields{digits: digits.String()}, Characters
		}
	}
	f.digits = digits.String()
	if f.digits == "" {
		return f, Characters
	}
	if dashed && group > 0 && group <= 6 && group < len(f.digits) {
		f.tail = f.digits[len(f.digits)-group:]
	}
	if rest, ok := strings.CutPrefix(f.digits, "00"); ok && !f.international && rest != "" && rest[0] != '0' && (len(rest) <= 4 || len(rest) >= 9) {
		// 00 is the international prefix nearly everywhere: alone before a calling
		// code, or before a whole number. In between it is part of a number that
		// was split somewhere else than after the area.
		f.digits, f.international = rest, true
	}
	return f, ""
}

func isDash(r rune) bool {
	return r == '-' || r >= '\u2010' && r <= '\u2015' || r == '\u2212' || r == 'ー'
}

func isPunctuation(r rune) bool {
	return unicode.IsSpace(r) || isDash(r) || strings.ContainsRune("().[]~·・\u200b\u00ad\u2060\u200e\u200f\u202a\u202c", r)
}

// The words and signs that announce an extension, longer ones first.
var extensionMarks = []string{";ext=", "extension", "分机号", "分機號", "分机", "分機", "内线", "內線", "extn", "ext", "转", "轉", "доб", "x", "#"}

// cutExtension separates the extension from a number: a mark after at least
// five digits, and up to seven digits to the end.
func cutExtension(text string) (number, extension string) {
	for _, mark := range extensionMarks {
		before, after, found := strings.Cut(text, mark)
		if !found || countDigits(before) < 5 {
			continue
		}
		after = strings.TrimLeft(after, " .:：-")
		after = strings.TrimRight(after, " )")
		if n := len(after); n > 0 && n <= 7 && countDigits(after) == n {
			return strings.TrimRight(before, " ,;("), after
		}
	}
	return text, ""
}

func countDigits(text string) int {
	n := 0
	for i := range len(text) {
		if text[i] >= '0' && text[i] <= '9' {
			n++
		}
	}
	return n
}
