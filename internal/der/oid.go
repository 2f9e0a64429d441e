package der

import "strconv"

// ValidOID reports whether the content of an OBJECT IDENTIFIER is well formed:
// arcs in their shortest form, the last one complete.
func ValidOID(body []byte) bool {
	if len(body) == 0 || body[len(body)-1]&0x80 != 0 {
		return false
	}
	for i, b := range body {
		if b == 0x80 && (i == 0 || body[i-1]&0x80 == 0) {
			return false
		}
	}
	return true
}

// OIDString writes the content of an OBJECT IDENTIFIER with dots. Arcs of more
// than 63 bits, which nobody assigns, end it with "…".
func OIDString(body []byte) string {
	out := make([]byte, 0, 32)
	var arc uint64
	for i, b := range body {
		if arc >= 1<<56 {
			return string(append(out, ".…"...))
		}
		arc = arc<<7 | uint64(b&0x7f)
		if b&0x80 != 0 && i < len(body)-1 {
			continue
		}
		if len(out) == 0 {
			top := min(arc/40, 2)
			out = strconv.AppendUint(out, top, 10)
			arc -= top * 40
		}
		out = append(out, '.')
		out = strconv.AppendUint(out, arc, 10)
		arc = 0
	}
	return string(out)
}
