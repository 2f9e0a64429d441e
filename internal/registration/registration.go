// Package registration checks company registration numbers: their form and,
// where the register defines one, their check digit. A number that passes is
// well-formed; whether it is that company's is for the register to say.
//
// Every scheme names the rule it comes from. Registers whose rule is not
// published, or has exceptions that cannot be told from the number, are left
// out: a wrong refusal is worse than a number that a person looks at.
package registration

import (
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// MaxBytes is the longest number that is looked at; no register has one as long.
const MaxBytes = 256

// Fault says what is wrong with a number.
type Fault string

// The faults. The zero value means none was found.
const (
	WrongLength     Fault = "length"      // too many or too few characters
	WrongCharacters Fault = "characters"  // a character that the scheme does not have there
	WrongCheckDigit Fault = "check-digit" // the check digits do not fit the others
)

// A Result is what was found out about a number.
type Result struct {
	// Scheme is the scheme it was checked against, a word of [Schemes].
	Scheme string
	// Number is the number without separators and in capital letters.
	Number string
	Fault  Fault
	// Expected are the check digits that would fit, where exactly one choice does.
	Expected string
}

// Check checks a number. With a scheme named ("uscc", "lei", "siren", …; "vat"
// stands for the country's VAT number), the number must follow it. With no
// scheme named, the country's own schemes are tried: a fault is reported only
// where the number has the form of one of them and no other reading. known is
// false where nothing can be said.
func Check(scheme, country, number string) (r Result, known bool) {
	if len(number) > MaxBytes {
		return Result{Number: number[:MaxBytes], Fault: WrongLength}, scheme != ""
	}
	number = Normal(number)
	if number == "" {
		return Result{}, false
	}
	if scheme != "" {
		s := find(scheme, country)
		if s == nil {
			return Result{Number: number}, false
		}
		return s.check(number), true
	}
	return guess(country, number)
}

// Known reports whether a scheme is one that [Check] knows, for a country.
func Known(scheme, country string) bool { return find(scheme, country) != nil }

// Normal returns a number without separators, with capital ASCII letters.
func Normal(number string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '-', '.', '/', '·', '\u00a0', '\u2010', '\u2011', '\u2012', '\u2013', '\u2014', '\u3000':
			return -1
		}
		return r
	}, strings.ToUpper(norm.NFKC.String(number)))
}

// find returns the scheme with a name: the words are case-insensitive, and a
// scheme that several countries have (vat) is told by the country.
func find(name, country string) *scheme {
	name = strings.ToLower(strings.TrimSpace(name))
	for i := range schemes {
		s := &schemes[i]
		if (s.name == name || slices.Contains(s.aliases, name)) && (s.shared == "" || s.shared == country) {
			return s
		}
	}
	return nil
}

// guess tries the schemes of a country on a number whose scheme is not stated.
func guess(country, number string) (Result, bool) {
	var failed *Result
	for i := range schemes {
		s := &schemes[i]
		if s.country != country && s.country != "" || !s.telling {
			continue
		}
		r := s.check(number)
		if r.Fault == "" {
			return r, true
		}
		// Only the check digit tells: a number of another form is simply another
		// kind of number.
		if r.Fault == WrongCheckDigit || s.only && nearly(s, number) {
			failed = &r
		}
	}
	if failed != nil {
		return *failed, true
	}
	return Result{Number: number}, false
}

// nearly reports whether a number looks like one of the scheme with a character
// too many, too few or wrong: ASCII, mostly digits, of about that length. Words
// ("Government Entity") and dates may stand in the field too (EVG 7.1.4.2.5).
func nearly(s *scheme, number string) bool {
	digits := 0
	for _, r := range number {
		if r >= 0x80 {
			return false
		}
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	if digits*2 < len(number) {
		return false
	}
	return slices.ContainsFunc(s.lengths, func(n int) bool { return len(number) >= n-1 && len(number) <= n+1 })
}

// check removes the scheme's prefix and tests length, characters and check digit.
func (s *scheme) check(number string) Result {
	r := Result{Scheme: s.name, Number: number}
	body := number
	for _, prefix := range s.prefixes {
		if rest, ok := strings.CutPrefix(number, prefix); ok {
			body = rest
			break
		}
	}
	if s.prefixNeeded && body == number {
		r.Fault = WrongCharacters
		return r
	}
	for _, suffix := range s.suffixes {
		if rest, ok := strings.CutSuffix(body, suffix); ok {
			body = rest
			break
		}
	}
	if !slices.Contains(s.lengths, len([]rune(body))) {
		r.Fault = WrongLength
		return r
	}
	if !s.form(body) {
		r.Fault = WrongCharacters
		return r
	}
	if s.digit == nil {
		return r
	}
	ok, expected := s.digit(body)
	if !ok {
		r.Fault, r.Expected = WrongCheckDigit, expected
	}
	return r
}

// Schemes returns the names of every scheme, with the rule it comes from.
func Schemes() map[string]string {
	list := make(map[string]string, len(schemes))
	for _, s := range schemes {
		name := s.name
		if s.shared != "" {
			name += " " + s.shared
		}
		list[name] = s.source
	}
	return list
}
