package evidence

import (
	"encoding/base64"
	"encoding/json"
	"time"
)

// What the generated functions of canonical.go write values with.

// closed ends an object or array in place of the comma after its last value.
func closed(b []byte, end byte) []byte {
	if last := len(b) - 1; b[last] == ',' {
		b[last] = end
		return b
	}
	return append(b, end)
}

// appendString writes a text. What needs escaping is rare, and left to encoding/json.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendOther(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendStrings(b []byte, list []string) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for _, s := range list {
		b = append(appendString(b, s), ',')
	}
	return closed(b, ']')
}

func appendList[T any](b []byte, list []T, one func([]byte, *T) []byte) []byte {
	if list == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range list {
		b = append(one(b, &list[i]), ',')
	}
	return closed(b, ']')
}

func appendBytes(b, value []byte) []byte {
	if value == nil {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, value)
	return append(b, '"')
}

func appendTime(b []byte, t time.Time) []byte {
	if y := t.Year(); t.Location() != time.UTC || y < 0 || y > 9999 {
		return appendOther(b, t)
	}
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

func appendOther(b []byte, v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("evidence: plain data does not marshal: " + err.Error())
	}
	return append(b, raw...)
}
