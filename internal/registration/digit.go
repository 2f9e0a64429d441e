package registration

import (
	"strconv"
	"strings"
)

// The functions here get a body of the right length and form.

// at returns the digit at a place, counted from the end where it is negative.
func at(s string, i int) int {
	if i < 0 {
		i += len(s)
	}
	return int(s[i] - '0')
}

// last compares the last character with the one expected.
func last(s, expected string) (bool, string) {
	return strings.HasSuffix(s, expected), expected
}

// weighted returns a test: the digits, each times its weight, add up to a
// multiple of the modulus. The last weight, of the check digit, is 1.
func weighted(modulus int, weights ...int) func(string) (bool, string) {
	return func(s string) (bool, string) {
		sum := 0
		for i, w := range weights[:len(weights)-1] {
			sum += w * at(s, i)
		}
		check := (modulus - sum%modulus) % modulus
		if check > 9 { // no number with these digits is ever given out
			return false, ""
		}
		return last(s, strconv.Itoa(check))
	}
}

// luhn is the test of ISO/IEC 7812-1 annex B.
func luhn(s string) (bool, string) {
	return last(s, strconv.Itoa((10-luhnSum(s[:len(s)-1]))%10))
}

// luhnSum is the sum, modulo 10, of digits that a check digit follows.
func luhnSum(s string) int {
	sum := 0
	for i := range len(s) {
		d := at(s, len(s)-1-i)
		if i%2 == 0 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	return sum % 10
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// luhn36 is Luhn's test over digits and letters.
func luhn36(s string) (bool, string) {
	sum := 0
	for i := len(s) - 2; i >= 0; i-- {
		v := strings.IndexByte(alphanumeric, s[i])
		if (len(s)-2-i)%2 == 0 {
			v = v*2/36 + v*2%36
		}
		sum += v
	}
	return last(s, alphanumeric[(36-sum%36)%36:][:1])
}

// mod11x10 is ISO 7064 MOD 11,10 over digits.
func mod11x10(s string) (bool, string) {
	p := 10
	for i := range len(s) - 1 {
		p = (p + at(s, i)) % 10
		if p == 0 {
			p = 10
		}
		p = p * 2 % 11
	}
	return last(s, strconv.Itoa((11-p)%10))
}

// mod97x10 is ISO 7064 MOD 97-10: letters count as 10 to 35, the whole leaves 1.
func mod97x10(s string) (bool, string) {
	rest := 0
	step := func(text string) {
		for i := range len(text) {
			v := strings.IndexByte(alphanumeric, text[i])
			if v > 9 {
				rest = (rest*100 + v) % 97
			} else {
				rest = (rest*10 + v) % 97
			}
		}
	}
	step(s[:len(s)-2])
	step("00")
	expected := strconv.Itoa(98 - rest)
	if len(expected) == 1 {
		expected = "0" + expected
	}
	return last(s, expected)
}

// usccAlphabet gives the values of GB 32100: digits, then letters without I, O, S, V, Z.
const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

// uscc: the character at place i (from 0) weighs 3^i modulo 31.
func uscc(s string) (bool, string) {
	sum, weight := 0, 1
	for i := range 17 {
		sum += weight * strings.IndexByte(usccAlphabet, s[i])
		weight = weight * 3 % 31
	}
	return last(s, usccAlphabet[(31-sum%31)%31:][:1])
}

// siret: Luhn over all 14 digits and over the SIREN; the offices of La Poste
// (356000000) have a sum of digits divisible by 5 instead.
func siret(s string) (bool, string) {
	if s[:9] == "356000000" && s != "35600000000048" {
		sum := 0
		for i := range len(s) {
			sum += at(s, i)
		}
		return sum%5 == 0, ""
	}
	if ok, _ := luhn(s[:9]); !ok {
		return false, ""
	}
	return luhn(s)
}

// frenchVAT: two key digits from the SIREN that follows; keys with a letter are
// not checked, only the SIREN is.
func frenchVAT(s string) (bool, string) {
	if ok, _ := luhn(s[2:]); !ok && s[2:5] != "000" { // 000: Monaco, no SIREN
		return false, ""
	}
	if !digits(s[:2]) {
		return true, ""
	}
	siren, err := strconv.Atoi(s[2:])
	if err != nil {
		return false, ""
	}
	key := (12 + 3*(siren%97)) % 97
	expected := strconv.Itoa(key/10) + strconv.Itoa(key%10)
	return s[:2] == expected, expected
}

// austrianVAT: Luhn's sum, with 4 added.
func austrianVAT(s string) (bool, string) {
	sum := 0
	for i := range 7 {
		d := at(s, i)
		if i%2 == 1 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	return last(s, strconv.Itoa((10-(sum+4)%10)%10))
}

// belgian: the last two digits are 97 less the rest of the others by 97.
func belgian(s string) (bool, string) {
	n, err := strconv.Atoi(s[:8])
	if err != nil || n == 0 {
		return false, ""
	}
	check := 97 - n%97
	return last(s, strconv.Itoa(check/10)+strconv.Itoa(check%10))
}

// spanish: Luhn over the seven digits; as a digit, or as a letter of JABCDEFGHI
// where the legal form wants one. Which forms want which is not settled in
// practice: both are taken.
func spanish(s string) (bool, string) {
	check := (10 - luhnSum(s[1:8])) % 10
	return at(s, 8) == check || s[8] == "JABCDEFGHI"[check], ""
}

// portuguese: weights 9 to 2, a rest of 0 or 1 gives 0.
func portuguese(s string) (bool, string) {
	sum := 0
	for i := range 8 {
		sum += (9 - i) * at(s, i)
	}
	return last(s, strconv.Itoa((11-sum%11)%11%10))
}

// nip: the weighted sum modulo 11 is the check digit; 10 is never given out.
func nip(s string) (bool, string) {
	sum := 0
	for i, w := range []int{6, 5, 7, 2, 3, 4, 5, 6, 7} {
		sum += w * at(s, i)
	}
	if sum%11 == 10 {
		return false, ""
	}
	return last(s, strconv.Itoa(sum%11))
}

// regon: nine digits, or these and five more of a local unit with its own digit.
func regon(s string) (bool, string) {
	sum := func(s string, weights ...int) string {
		n := 0
		for i, w := range weights {
			n += w * at(s, i)
		}
		return strconv.Itoa(n % 11 % 10)
	}
	if expected := sum(s, 8, 9, 2, 3, 4, 5, 6, 7); s[8:9] != expected {
		if len(s) == 14 {
			expected = ""
		}
		return false, expected
	}
	if len(s) == 9 {
		return true, ""
	}
	return last(s, sum(s, 2, 4, 8, 5, 0, 9, 7, 3, 6, 1, 2, 4, 8))
}

// ico: weights 8 to 2; 11 less the rest, of which 10 gives 0 and 11 gives 1.
func ico(s string) (bool, string) {
	sum := 0
	for i := range 7 {
		sum += (8 - i) * at(s, i)
	}
	return last(s, strconv.Itoa((11-sum%11)%10))
}

// ogrn: the number without its last digit, modulo 11, modulo 10.
func ogrn(s string) (bool, string) {
	n, err := strconv.ParseInt(s[:12], 10, 64)
	if err != nil {
		return false, ""
	}
	return last(s, strconv.Itoa(int(n%11%10)))
}

// japanese: the check digit comes first: 9 less the rest by 9 of the other
// twelve, weighted 1 and 2 in turn from the end.
func japanese(s string) (bool, string) {
	sum := 0
	for i := range 12 {
		sum += at(s, 12-i) * (1 + i%2)
	}
	expected := strconv.Itoa(9 - sum%9)
	return s[:1] == expected, expected
}

// korean: weights 1, 3, 7 in turn, the ninth digit times 5 counting its tens too.
func korean(s string) (bool, string) {
	sum := 0
	for i, w := range []int{1, 3, 7, 1, 3, 7, 1, 3, 5} {
		sum += w * at(s, i)
	}
	sum += at(s, 8) * 5 / 10
	return last(s, strconv.Itoa((10-sum%10)%10))
}

// taiwanese: the digits of the weighted digits add up to a multiple of 5 (10
// until 2023); a 7 in the seventh place may count as 1 or 0.
func taiwanese(s string) (bool, string) {
	sum := 0
	for i, w := range []int{1, 2, 1, 2, 1, 2, 4, 1} {
		product := w * at(s, i)
		sum += product/10 + product%10
	}
	return sum%5 == 0 || s[6] == '7' && (sum+1)%5 == 0, ""
}

// abn: one less in the first place, weighted, a multiple of 89.
func abn(s string) (bool, string) {
	sum := -10
	for i, w := range []int{10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19} {
		sum += w * at(s, i)
	}
	return sum%89 == 0 && s[0] != '0', ""
}

// acn: weights 8 to 1, ten's complement.
func acn(s string) (bool, string) {
	sum := 0
	for i := range 8 {
		sum += (8 - i) * at(s, i)
	}
	return last(s, strconv.Itoa((10-sum%10)%10))
}

// cnpj: two check digits modulo 11; since 2026 the others may be letters, which
// count as their ASCII code less 48.
func cnpj(s string) (bool, string) {
	check := func(body string) string {
		sum := 0
		for i := range len(body) {
			sum += int(body[len(body)-1-i]-'0') * (2 + i%8)
		}
		if sum%11 < 2 {
			return "0"
		}
		return strconv.Itoa(11 - sum%11)
	}
	first := check(s[:12])
	expected := first + check(s[:12]+first)
	if strings.Trim(s, "0") == "" {
		return false, ""
	}
	return last(s, expected)
}
