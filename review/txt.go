package review

import (
	"strconv"
	"strings"

	"assay/evidence"
)

// textOf is the text of a TXT record from its RDATA in presentation form: the
// character strings joined (RFC 8555 8.4, RFC 7208 3.3), escapes undone. What
// is no TXT record stays as it is.
func textOf(data string) string {
	if len(data) > 1 && data[0] == '"' && data[len(data)-1] == '"' && strings.IndexByte(data, '\\') < 0 && strings.Count(data, `"`) == 2 {
		return data[1 : len(data)-1]
	}
	b := make([]byte, 0, len(data))
	quoted := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+3 < len(data) && digits(data[i+1:i+4]):
			n, _ := strconv.Atoi(data[i+1 : i+4])
			b = append(b, byte(n))
			i += 3
		case c == '\\' && i+1 < len(data):
			i++
			b = append(b, data[i])
		case c == ' ' && !quoted:
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func digits(s string) bool {
	n, err := strconv.ParseUint(s, 10, 8)
	return err == nil && n <= 255 && len(s) == 3
}

// valueOf is the value of a record as orders write it.
func valueOf(r *evidence.Record) string {
	switch r.Type {
	case "TXT":
		return textOf(r.Data)
	case "CNAME", "NS", "PTR":
		return hostOf(r.Data)
	}
	return r.Data
}

// valuesOf are the values of records.
func valuesOf(records []evidence.Record) []string {
	values := make([]string, 0, len(records))
	for i := range records {
		values = append(values, valueOf(&records[i]))
	}
	return values
}

// maxShown bounds the values that a finding shows, maxValue the characters of
// each (catalogue: 100 characters each, count).
const (
	maxShown = 10
	maxValue = 100
)

// shown are values as findings show them: bounded in number and length.
func shown(values []string) []string {
	if len(values) > maxShown {
		values = values[:maxShown]
	}
	out := make([]string, 0, len(values))
	for _, v := range values {
		if v = shorten(v); v != strings.TrimSpace(v) || v == "" {
			v = `"` + v + `"` // or nobody sees the blank
		}
		out = append(out, v)
	}
	return out
}

// shorten cuts a text to maxValue characters.
func shorten(s string) string {
	n := 0
	for i := range s {
		if n == maxValue {
			return s[:i] + "…"
		}
		n++
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
