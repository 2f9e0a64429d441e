package csr

import (
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// pasted is a text on its way to being read.
type pasted struct {
	text    string
	repairs []Repair
}

func (t *pasted) repaired(r Repair) {
	if !slices.Contains(t.repairs, r) {
		t.repairs = append(t.repairs, r)
	}
}

// binaryForm reports whether a text is really bytes: DER, or a private key of
// OpenSSH without its armour. Base64 and PEM never begin like that.
func binaryForm(text string) ([]byte, bool) {
	if len(text) < 16 {
		return nil, false
	}
	raw := []byte(text)
	if strings.HasPrefix(text, "openssh-key-v1\x00") || raw[0] == 0x30 && (raw[1] > 0x80 && raw[1] <= 0x84 || raw[2] == 0x02 && raw[3] == 1) {
		return raw, true
	}
	return nil, false
}

// normalise undoes what editors, mail programs, browsers and programming
// languages do to a text on its way. What is left is lines of ASCII.
func (t *pasted) normalise(text string) {
	if decoded, ok := utf16Text(text); ok {
		text = decoded
		t.repaired(RepairUTF16)
	}
	if rest, ok := strings.CutPrefix(text, "\ufeff"); ok {
		text = rest
		t.repaired(RepairBOM)
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	change := func(r Repair, to string) {
		if to != text {
			text = to
			t.repaired(r)
		}
	}
	change(RepairLineEnds, lineEnds.Replace(text))
	if strings.Contains(text, `\`) {
		change(RepairEscapes, unescape(text))
	}
	if strings.ContainsAny(text, "&<") {
		change(RepairHTML, lineEnds.Replace(html.UnescapeString(tags().ReplaceAllString(text, "\n"))))
	}
	if strings.Contains(text, "BEGIN+") || percent().MatchString(text) {
		if decoded, err := url.QueryUnescape(keepPlus(text)); err == nil {
			change(RepairURL, lineEnds.Replace(decoded))
		}
	}
	change(RepairDashes, dashes.Replace(text))
	change(RepairSpaces, invisible.Replace(text))
	change(RepairQuotes, unquote(text))
	t.text = text
}

var (
	lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n")
	dashes   = strings.NewReplacer("\u2010", "-", "\u2011", "-", "\u2012", "-", "\u2013", "-",
		"\u2014", "--", "\u2015", "--", "\u2212", "-", "\uff0d", "-", "\u2500", "-")
	invisible = strings.NewReplacer("\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00ad", "",
		"\u00a0", " ", "\u3000", " ", "\u2003", " ", "\u2002", " ", "\u2009", " ", "\u202f", " ", "\x00", "", "\t", " ", "\v", " ", "\f", " ")
	tags    = lazily(`(?i)</?(br|p|div|pre|span|code|td|tr|table|html|body|blockquote)\b[^<>]{0,200}>`)
	percent = lazily(`%(2[BbFf]|3[Dd]|0[AaDd]|20)`)
	escape  = lazily(`\\+(r\\+n|[nrt]|/|u00[0-9a-fA-F]{2}|"|')`)
)

// keepPlus leaves a plus sign that means itself: where spaces are written %20,
// only the encoded ones were.
func keepPlus(text string) string {
	if strings.Contains(text, "BEGIN+") {
		return text
	}
	return strings.ReplaceAll(text, "+", "%2B")
}

func unescape(text string) string {
	text = escape().ReplaceAllStringFunc(text, func(e string) string {
		e = strings.TrimLeft(e, `\`)
		switch {
		case e[0] == 'u':
			n, err := strconv.ParseUint(e[1:], 16, 8)
			if err != nil || n >= 0x80 {
				return ""
			}
			return string(rune(n))
		case e[0] == 't':
			return " "
		case e[0] == 'n' || e[0] == 'r':
			return "\n"
		}
		return e
	})
	// A backslash at the end of a line continues it in a shell.
	return strings.ReplaceAll(text, "\\\n", "\n")
}

// unquote removes quotation marks and the signs that mail programs put before
// quoted lines. None of them is part of base64 or of a marker.
func unquote(text string) string {
	if !strings.ContainsAny(text, "\"'`>“”‘’«»„,;") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		trimmed := strings.TrimLeft(line, " >")
		if strings.HasPrefix(strings.TrimLeft(line, " "), ">") {
			line = trimmed
		}
		line = strings.Trim(concatenation().ReplaceAllString(line, ""), quotes+",; ")
		lines[i] = line
	}
	return strings.Join(lines, "\n")
}

const quotes = "\"'`“”‘’«»„"

// concatenation is the end of a line of a program's string. Only behind a
// quotation mark is a plus sign not base64.
var concatenation = lazily("[\"'`] *[+.&] *$")

func utf16Text(text string) (string, bool) {
	if len(text) < 4 {
		return "", false
	}
	big := false
	switch {
	case text[0] == 0xff && text[1] == 0xfe:
		text = text[2:]
	case text[0] == 0xfe && text[1] == 0xff:
		text, big = text[2:], true
	case text[0] != 0 && text[1] == 0 && text[2] != 0 && text[3] == 0:
	case text[0] == 0 && text[1] != 0 && text[2] == 0 && text[3] != 0:
		big = true
	default:
		return "", false
	}
	units := make([]uint16, len(text)/2)
	for i := range units {
		low, high := text[2*i], text[2*i+1]
		if big {
			low, high = high, low
		}
		units[i] = uint16(low) | uint16(high)<<8
	}
	return string(utf16.Decode(units)), true
}

// decode decodes base64 with white space in it. The first line of body is the
// one with the marker, at the given place of the text.
func (t *pasted) decode(body string, line int) ([]byte, *Problem) {
	plain := make([]byte, 0, len(body))
	padding := 0
	for i := range len(body) {
		c := body[i]
		switch {
		case c == '\n':
			line++
		case c == ' ':
			t.repaired(RepairSpaces)
		case c == '=':
			padding++
		case !isBase64(c) || padding > 0:
			detail := "base64 goes on after its end (=)"
			if !isBase64(c) {
				detail = "a character that base64 does not have: " + strconv.QuoteToASCII(firstRune(body[i:]))
			}
			return nil, &Problem{Kind: KindBase64, Line: line, Detail: detail}
		default:
			plain = append(plain, c)
		}
	}
	if len(plain)%4 == 1 {
		return nil, &Problem{Kind: KindTruncated, Line: line, Detail: "base64 ends within a byte: at least one character is missing"}
	}
	if want := (4 - len(plain)%4) % 4; padding != want {
		t.repaired(RepairPadding)
	}
	raw := make([]byte, base64.RawStdEncoding.DecodedLen(len(plain)))
	n, err := base64.RawStdEncoding.Decode(raw, plain)
	if err != nil {
		return nil, &Problem{Kind: KindBase64, Line: line, Detail: "not base64"}
	}
	return raw[:n:n], nil
}

func firstRune(s string) string {
	r, _ := utf8.DecodeRuneInString(s)
	return string(r)
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}

// lazily compiles an expression when it is first needed: what most runs of the
// program do not need must not cost each its start.
func lazily(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
