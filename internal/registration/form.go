package registration

import "strings"

// matches reports whether a text has the characters of a pattern, one each:
// 9 a digit, A a capital letter, X either, anything else itself.
func matches(text, pattern string) bool {
	if len(text) != len(pattern) {
		return false
	}
	for i := range len(pattern) {
		c, p := text[i], pattern[i]
		digit, letter := c >= '0' && c <= '9', c >= 'A' && c <= 'Z'
		switch p {
		case '9':
			if !digit {
				return false
			}
		case 'A':
			if !letter {
				return false
			}
		case 'X':
			if !digit && !letter {
				return false
			}
		default:
			if c != p {
				return false
			}
		}
	}
	return true
}

func digits(s string) bool { return matches(s, strings.Repeat("9", len(s))) }

func digitsNotZero(s string) bool { return digits(s) && s[0] != '0' }

// usccForm: department and kind, six digits of the administrative division, the
// organization code and the check character; I, O, S, V and Z are never used.
func usccForm(s string) bool {
	return matches(s, "XX999999XXXXXXXXXX") && !strings.ContainsAny(s, "IOSVZ")
}

func leiForm(s string) bool { return matches(s, "XXXXXXXXXXXXXXXXXX99") }

func frenchVATForm(s string) bool { return matches(s, "XX999999999") }

func belgianForm(s string) bool { return digits(s) && (s[0] == '0' || s[0] == '1') }

// registerSheet: up to six digits and up to three letters of the old court.
func registerSheet(s string) bool {
	letters := strings.TrimLeft(s, "0123456789")
	n := len(s) - len(letters)
	return n >= 1 && n <= 6 && len(letters) <= 3 && matches(letters, strings.Repeat("A", len(letters)))
}

// spanishForm: the letter of the legal form, seven digits, a digit or letter.
func spanishForm(s string) bool {
	return matches(s, "A9999999X") && strings.Contains("ABCDEFGHJNPQRSUVW", s[:1])
}

// companiesHouse: eight digits, or a prefix of the register and six more.
func companiesHouse(s string) bool {
	return digits(s) || matches(s, "AA999999") || matches(s, "AA99999R") || matches(s, "R9999999")
}

// gstinForm: state, PAN, number of the registration, Z (or another letter for
// special kinds), check character.
func gstinForm(s string) bool { return matches(s, "99AAAAA9999AXXX") }

func cinForm(s string) bool {
	return matches(s, "A99999AA9999AAA999999") && (s[0] == 'L' || s[0] == 'U')
}

func cnpjForm(s string) bool { return matches(s, "XXXXXXXXXXXX99") }
