package numbering

import (
	"strconv"
	"strings"
)

// Bounds of what is read (libphonenumber's): ITU-T E.164 has 15 digits, but
// Germany gave out longer numbers.
const (
	maxText     = 250
	minNational = 2
	maxNational = 17
	maxCode     = 3
)

// A Fault says why a text is not a number at all.
type Fault string

// The faults of a text.
const (
	NotANumber Fault = "not a number"
	NoCountry  Fault = "no such country or calling code"
	TooShort   Fault = "too short"
	TooLong    Fault = "too long"
)

func (f Fault) Error() string { return string(f) }

// Parse reads digits, with a plus before them where they begin with a calling
// code, as they are dialled in a region; the region may be unknown ("") where
// there is a plus. It takes the international and the national prefix away. The
// error is a [Fault].
func Parse(text, region string) (Number, error) {
	digits, international := strings.CutPrefix(text, "+")
	switch {
	case text == "":
		return Number{}, NotANumber
	case len(text) > maxText:
		return Number{}, TooLong
	case strings.Trim(digits, "0123456789") != "", len(digits) < minNational, international && len(digits) == minNational:
		return Number{}, NotANumber
	}
	var home *plan
	if region != world {
		home = planOf(region, 0)
	}
	if home == nil && !international {
		return Number{}, NoCountry
	}
	code, national, err := home.callingCode(digits, international)
	if err == NoCountry && international {
		// The plus may be a mistake.
		if code, national, err = home.callingCode(digits, false); err == nil && code == 0 {
			err = NoCountry
		}
	}
	if err != nil {
		return Number{}, err
	}
	p := home
	if code == 0 {
		code, national = home.code, digits
	} else if main := MainRegion(code); main != region {
		p = planOf(main, code)
	}
	if len(national) < minNational {
		return Number{}, TooShort
	}
	// A number that would be too short without what looks like a prefix is taken
	// as it stands: it can be a short number.
	bare := p.withoutTrunk(national)
	switch p.length(bare) {
	case LengthShort, LengthLocal, LengthOther:
	default:
		national = bare
	}
	if len(national) < minNational {
		return Number{}, TooShort
	}
	if len(national) > maxNational {
		return Number{}, TooLong
	}
	return newNumber(code, national), nil
}

// callingCode takes the calling code from a number: after a plus or the
// international prefix; and without either where the number is valid only
// without the region's own code. 0 means that there is none.
func (p *plan) callingCode(digits string, plus bool) (code int, rest string, err error) {
	stripped := false
	if !plus && p != nil {
		digits, stripped = p.withoutIDD(digits)
	}
	if plus || stripped {
		if len(digits) <= minNational {
			return 0, "", TooShort
		}
		for n := 1; n <= maxCode && digits[0] != '0'; n++ {
			if code, _ := strconv.Atoi(digits[:n]); codes()[code] != nil {
				return code, digits[n:], nil
			}
		}
		return 0, "", NoCountry
	}
	if p == nil {
		return 0, "", nil
	}
	if rest, ok := strings.CutPrefix(digits, strconv.Itoa(p.code)); ok {
		rest = p.withoutTrunk(rest)
		plausible := p.kinds[general].pattern.regexp()
		if !plausible.MatchString(digits) && plausible.MatchString(rest) || p.length(digits) == LengthLong {
			return p.code, rest, nil
		}
	}
	return 0, "", nil
}

// withoutIDD takes the international prefix away. A zero never follows it.
func (p *plan) withoutIDD(digits string) (rest string, stripped bool) {
	at := p.idd.regexp().FindStringIndex(digits)
	if at == nil || strings.HasPrefix(digits[at[1]:], "0") {
		return digits, false
	}
	return digits[at[1]:], true
}

// withoutTrunk takes the national prefix away, and a carrier's code with it,
// unless only the number with them is one.
func (p *plan) withoutTrunk(digits string) string {
	if digits == "" || p.trunk.text == "" {
		return digits
	}
	groups := p.trunk.regexp().FindStringSubmatchIndex(digits)
	if groups == nil {
		return digits
	}
	rest := digits[groups[1]:]
	if p.rule != "" && groups[len(groups)-2] >= 0 {
		rest = p.trunk.regexp().ReplaceAllString(digits, p.rule)
	}
	plausible := p.kinds[general].pattern.regexp()
	if plausible.MatchString(digits) && !plausible.MatchString(rest) {
		return digits
	}
	return rest
}
