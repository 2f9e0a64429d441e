package certfile

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"assay/evidence"
)

// Armour is PEM of a certificate, or of an unencrypted private key where a key is wanted,
// that is in DER; any other text it leaves as it is.
func Armour(text string, isKey bool) string {
	if len(text) > MaxBytes || !strings.HasPrefix(text, "\x30") {
		return text
	}
	if isKey {
		if k, _ := ReadKey(text); k != nil {
			if raw, err := k.PEM(); err == nil {
				return string(raw)
			}
		}
		return text
	}
	if _, err := x509.ParseCertificate([]byte(text)); err != nil {
		return text
	}
	return string(encodePEM([]byte(text)))
}

// A block is what stands between a BEGIN and an END line.
type block struct {
	label string
	raw   []byte
	line  int
	// sealed is set where header lines say that the content is encrypted
	// (RFC 1421 4.6.1.1, as OpenSSL wrote keys).
	sealed bool
}

// A reading is one field on its way to being read.
type reading struct {
	field    string
	blocks   []block
	problems []evidence.Unreadable
}

// problem notes what is wrong; the same on one line is noted once.
func (r *reading) problem(word string, line int, seen string) {
	p := evidence.Unreadable{Field: r.field, Problem: word, Line: line, Seen: seen}
	if !slices.Contains(r.problems, p) {
		r.problems = append(r.problems, p)
	}
}

// readField cuts a text into its blocks and notes everything that is not as PEM
// has to be (RFC 7468). What can be read in spite of that is read, so that a
// person is told everything at once.
func readField(field, text string) *reading {
	r := &reading{field: field}
	if len(text) > MaxBytes {
		r.problem("too-large", 0, "")
		return r
	}
	if plain, ok := wideText(text); ok {
		r.problem("utf-16", 0, "")
		text = plain
	}
	text = strings.TrimPrefix(text, "\ufeff")
	if r.binary([]byte(text)) {
		return r
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	if strings.Trim(text, " \t\n") == "" {
		r.problem("empty", 0, "")
		return r
	}
	r.cut(text)
	if len(r.blocks) == 0 && len(r.problems) == 0 {
		r.problem("no-pem", 0, "")
	}
	return r
}

// wideText reads UTF-16, with a mark of byte order or where every other byte is zero.
func wideText(text string) (string, bool) {
	raw := []byte(text)
	var order binary.ByteOrder
	switch {
	case len(raw) < 4:
		return "", false
	case raw[0] == 0xff && raw[1] == 0xfe:
		order, raw = binary.LittleEndian, raw[2:]
	case raw[0] == 0xfe && raw[1] == 0xff:
		order, raw = binary.BigEndian, raw[2:]
	case raw[0] >= '\n' && raw[0] < 0x7f && raw[1] == 0 && raw[2] >= '\n' && raw[3] == 0:
		order = binary.LittleEndian
	case raw[0] == 0 && raw[1] >= '\n' && raw[1] < 0x7f && raw[2] == 0 && raw[3] >= '\n':
		order = binary.BigEndian
	default:
		return "", false
	}
	units := make([]uint16, len(raw)/2)
	for i := range units {
		units[i] = order.Uint16(raw[2*i:])
	}
	return string(utf16.Decode(units)), true
}

// marker is a line that begins or ends a block, also in the middle of a line.
var marker = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]{0,60})-----`)
})

// cut finds the blocks.
func (r *reading) cut(text string) {
	begun := -1 // index in text where the open block's content begins
	label, line, from := "", 1, 0
	for _, m := range marker().FindAllStringSubmatchIndex(text, -1) {
		line += strings.Count(text[from:m[0]], "\n")
		from = m[0]
		word, name := text[m[2]:m[3]], text[m[4]:m[5]]
		before, after := text[:m[0]], text[m[1]:]
		if len(r.blocks) > 2*MaxCertificates {
			return // judged by the caller
		}
		if !alone(before, after, word) {
			r.problem("joined-lines", line, "")
		}
		switch {
		case word == "BEGIN":
			if begun >= 0 {
				r.problem("no-end", r.lineOf(text, begun), "")
			}
			begun, label = m[1], name
		case begun < 0:
			r.problem("no-begin", line, "")
		case name != label:
			r.problem("no-end", r.lineOf(text, begun), "")
			begun = -1
		default:
			r.close(text[begun:m[0]], label, r.lineOf(text, begun))
			begun = -1
		}
	}
	if begun >= 0 {
		r.problem("no-end", r.lineOf(text, begun), "")
	}
}

func (r *reading) lineOf(text string, at int) int { return 1 + strings.Count(text[:at], "\n") }

// alone reports whether a marker has its line for itself: nothing before END and
// nothing behind BEGIN may be content, and nothing that is a marker.
func alone(before, after, word string) bool {
	before = strings.TrimRight(before[strings.LastIndexByte(before, '\n')+1:], " \t")
	after, _, _ = strings.Cut(after, "\n")
	return before == "" && strings.Trim(after, " \t") == "" || word == "BEGIN" && before == "" && strings.Trim(after, " \t") == ""
}

// longest is the longest line of base64 that programs write (RFC 2045 6.8);
// OpenSSL before 1.1 reads none that is longer.
const longest = 76

// close decodes the content of a block; line is that of its BEGIN.
func (r *reading) close(content, label string, line int) {
	b := block{label: label, line: line}
	var body strings.Builder
	lines := strings.Split(content, "\n")
	headers := 0
	for i, text := range lines {
		text = strings.Trim(text, " \t")
		switch {
		case strings.Contains(text, ": "):
			b.sealed = b.sealed || strings.HasPrefix(text, "Proc-Type:") && strings.Contains(text, "ENCRYPTED")
			headers = i
			continue
		case text == "":
			// The rest of the markers' own lines, and the line behind headers.
			if i > 0 && i < len(lines)-1 && (headers == 0 || i != headers+1) {
				r.problem("blank-line", line+i, "")
			}
			continue
		case len(text) > longest || strings.ContainsAny(text, " \t"):
			r.problem("joined-lines", line+i, "")
			text = strings.NewReplacer(" ", "", "\t", "").Replace(text)
		}
		if at := strings.IndexFunc(text, func(c rune) bool { return !isBase64(c) }); at >= 0 {
			r.problem("base64", line+i, "")
			return
		}
		body.WriteString(text)
	}
	raw, err := base64.StdEncoding.DecodeString(body.String())
	if err != nil || len(raw) == 0 {
		r.problem("base64", line, "")
		return
	}
	b.raw = raw
	r.blocks = append(r.blocks, b)
}

func isBase64(c rune) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
}

// binary notes a file that is no text, by the name of what it is.
func (r *reading) binary(raw []byte) bool {
	seen, content := "", raw
	switch {
	case bytes.HasPrefix(raw, []byte{0xfe, 0xed, 0xfe, 0xed}):
		seen = "JKS"
	case bytes.HasPrefix(raw, []byte{0xce, 0xce, 0xce, 0xce}):
		seen = "JCEKS"
	case bytes.HasPrefix(raw, []byte("PK\x03\x04")):
		seen = "ZIP"
	case len(raw) > 4 && raw[0] == 0x30 && (raw[1] >= 0x80 || !utf8.Valid(raw)):
		seen = nameOf(raw)
	case bytes.IndexByte(raw, 0) >= 0:
		content = nil
	default:
		return false
	}
	r.problem("binary", 0, seen)
	if seen == derCertificate || seen == derKey {
		r.blocks = append(r.blocks, block{label: seen, raw: content})
	}
	return true
}
