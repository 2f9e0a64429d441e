// Package caa reads Certification Authority Authorization records (RFC 8659) and
// the values of their issue and issuewild properties (RFC 8659 4.2, RFC 8657).
// It states what stands there and where the grammar is broken, and judges
// nothing: who may issue is decided by package review.
package caa

import (
	"strconv"
	"strings"
)

// Limits of what is read: the flag is one octet, a tag and a value have at most
// 255 and 65,535 octets on the wire; longer values than maxValue are no issuer's.
const maxValue = 4096

// Critical is the flag that forbids issuing to whoever does not know the
// property (RFC 8659 4.1: bit 0, the highest).
const Critical = 128

// A Record is one CAA record.
type Record struct {
	Flags int    // one octet
	Tag   string // as written; compare with [Record.Is]
	Value string // the octets, unescaped
}

// Is reports whether the record has a property tag: letters in any case are the
// same (RFC 8659 4.1).
func (r *Record) Is(tag string) bool { return strings.EqualFold(r.Tag, tag) }

// Parse reads the RDATA of a CAA record in presentation form: 0 issue "ca.net".
// ok is false where that is no CAA record.
func Parse(data string) (r Record, ok bool) {
	flags, rest, ok := strings.Cut(strings.TrimSpace(data), " ")
	if !ok {
		return Record{}, false
	}
	n, err := strconv.ParseUint(flags, 10, 8)
	if err != nil {
		return Record{}, false
	}
	tag, value, _ := strings.Cut(strings.TrimLeft(rest, " \t"), " ")
	if tag == "" || strings.ContainsAny(tag, `"\`) {
		return Record{}, false
	}
	value = strings.TrimSpace(value)
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	return Record{Flags: int(n), Tag: tag, Value: unescape(value)}, true
}

// String is the record in presentation form.
func (r Record) String() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(r.Flags))
	b.WriteByte(' ')
	b.WriteString(r.Tag)
	b.WriteString(` "`)
	for i := 0; i < len(r.Value); i++ {
		switch c := r.Value[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			b.WriteByte('\\')
			b.WriteString(strconv.Itoa(1000 + int(c))[1:])
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// unescape undoes \X and \DDD (RFC 1035 5.1).
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		if i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 10, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		i++
		b = append(b, s[i])
	}
	return string(b)
}
