package name

import (
	"strings"
	"unicode/utf8"
)

// Punycode, RFC 3492, with the parameters of section 5. It is written here, and
// not taken from the IDNA library, because whether a label is output of the
// algorithm and whether IDNA permits it are two different causes.
const (
	punyBase    = 36
	punyTMin    = 1
	punyTMax    = 26
	punySkew    = 38
	punyDamp    = 700
	punyBias    = 72
	punyInitial = 0x80
)

// decodePunycode is RFC 3492 6.2. It refuses overflow, code points that do not
// exist and basic code points written as deltas.
func decodePunycode(s string) (string, bool) {
	var room [MaxLabel]rune // of a label, as a rule
	out := room[:0]
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		for _, r := range s[:i] {
			out = append(out, r)
		}
		s = s[i+1:]
		if len(out) == 0 || s == "" {
			// "-x" has an empty basic part with its delimiter; "abc-" encodes
			// nothing but ASCII and is decoded so that it can be told.
			return string(out), len(out) > 0
		}
	}
	if s == "" {
		return "", false
	}
	n, i, bias := int64(punyInitial), int64(0), int64(punyBias)
	for pos := 0; pos < len(s); {
		start, w := i, int64(1)
		for k := int64(punyBase); ; k += punyBase {
			if pos == len(s) {
				return "", false
			}
			digit, ok := punyDigit(s[pos])
			if !ok {
				return "", false
			}
			pos++
			i += digit * w
			t := min(max(k-bias, punyTMin), punyTMax)
			if digit < t {
				break
			}
			w *= punyBase - t
			if w > 1<<40 || i > 1<<40 {
				return "", false
			}
		}
		count := int64(len(out)) + 1
		bias = adapt(i-start, count, start == 0)
		n += i / count
		i %= count
		if n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
			return "", false
		}
		out = append(out, 0)
		copy(out[i+1:], out[i:])
		out[i] = rune(n)
		i++
	}
	return string(out), true
}

// appendPunycode is RFC 3492 6.3, for a label without basic code points in
// upper case.
func appendPunycode(dst []byte, label string) []byte {
	var room [MaxLabel]rune
	runes, start := room[:0], len(dst)
	for _, r := range label {
		runes = append(runes, r)
		if r < punyInitial {
			dst = append(dst, byte(r))
		}
	}
	basic := int64(len(dst) - start)
	handled := basic
	if basic > 0 {
		dst = append(dst, '-')
	}
	n, delta, bias := int64(punyInitial), int64(0), int64(punyBias)
	for handled < int64(len(runes)) {
		next := int64(utf8.MaxRune + 1)
		for _, r := range runes {
			if int64(r) >= n && int64(r) < next {
				next = int64(r)
			}
		}
		delta += (next - n) * (handled + 1)
		n = next
		for _, r := range runes {
			if int64(r) < n {
				delta++
			}
			if int64(r) != n {
				continue
			}
			q := delta
			for k := int64(punyBase); ; k += punyBase {
				t := min(max(k-bias, punyTMin), punyTMax)
				if q < t {
					break
				}
				dst = append(dst, punyLetter(t+(q-t)%(punyBase-t)))
				q = (q - t) / (punyBase - t)
			}
			dst = append(dst, punyLetter(q))
			bias = adapt(delta, handled+1, handled == basic)
			delta = 0
			handled++
		}
		delta++
		n++
	}
	return dst
}

func adapt(delta, count int64, first bool) int64 {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / count
	k := int64(0)
	for delta > (punyBase-punyTMin)*punyTMax/2 {
		delta /= punyBase - punyTMin
		k += punyBase
	}
	return k + (punyBase-punyTMin+1)*delta/(delta+punySkew)
}

func punyDigit(c byte) (int64, bool) {
	switch {
	case 'a' <= c && c <= 'z':
		return int64(c - 'a'), true
	case '0' <= c && c <= '9':
		return int64(c-'0') + 26, true
	}
	return 0, false
}

func punyLetter(d int64) byte {
	if d < 26 {
		return byte('a' + d)
	}
	return byte('0' + d - 26)
}
