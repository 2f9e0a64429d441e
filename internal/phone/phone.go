// Package phone reads a company's telephone number as an order form asks for it
// (country, area, number) and says what kind of number it is.
//
// It stands on the numbering plans of package numbering and adds what that rejects or takes
// wrongly for Chinese numbers: the national service numbers 95xxx, short codes
// dialled with an area, subscriber numbers that begin with 0 or 1. Whether
// somebody answers the number is not known here.
package phone

import (
	"strconv"
	"strings"

	"assay/internal/numbering"
)

// Kind is what a number is for.
type Kind string

// The kinds of number.
const (
	Unknown       Kind = "unknown"
	Fixed         Kind = "fixed"
	Mobile        Kind = "mobile"
	FixedOrMobile Kind = "fixed-or-mobile" // the plan does not tell them apart (US)
	TollFree      Kind = "toll-free"       // China's 800 among them
	SharedCost    Kind = "shared-cost"     // China's 400 among them
	Premium       Kind = "premium"
	VoIP          Kind = "voip"
	Personal      Kind = "personal" // follows a person
	Company       Kind = "company"  // universal access number of a company
	Pager         Kind = "pager"
	Voicemail     Kind = "voicemail"
	ShortCompany  Kind = "short-company" // China's 95xxx, leased to one company for the whole country
	ShortCode     Kind = "short-code"    // any other short number: it belongs to the network or to a public service
)

// Fault says why a number is not valid.
type Fault string

// The faults. The zero value means the number is valid.
const (
	Letters        Fault = "letters"         // letters among the digits
	Characters     Fault = "characters"      // signs that no number has, or no digits at all
	Several        Fault = "several"         // more than one number in the field
	Repeated       Fault = "repeated"        // one digit over and over
	TooShort       Fault = "too-short"       //
	TooLong        Fault = "too-long"        //
	NoArea         Fault = "no-area"         // a local number without its area code
	UnknownArea    Fault = "unknown-area"    // no such area code in the country
	UnknownCountry Fault = "unknown-country" // no such country or calling code
	NoCountry      Fault = "no-country"      // neither the number nor the form says the country
	UnknownRange   Fault = "unknown-range"   // right length, but no numbers of this kind are given out
)

// MaxBytes bounds country, area and number together; E.164 has 15 digits.
const MaxBytes = 256

// A Number is what was read.
type Number struct {
	// E164 is the number in international form ("+8675586013388"); empty for a
	// number that can be dialled only inside its country, and for an invalid one.
	E164 string
	// National are its digits inside the country, without the trunk prefix; for
	// an invalid number the digits as far as they could be read.
	National string
	// CallingCode is the country's calling code (86); Region the ISO 3166-1 code
	// of the country, "001" for a number of no country.
	CallingCode int
	Region      string
	Kind        Kind
	Extension   string
	Fault       Fault
}

// Valid reports whether the number can exist.
func (n Number) Valid() bool { return n.Fault == "" }

// String returns the international form where there is one, else the national digits.
func (n Number) String() string {
	if n.E164 != "" {
		return n.E164
	}
	return n.National
}

// Same reports whether two valid numbers reach the same line, extensions apart.
func Same(a, b Number) bool {
	return a.Valid() && b.Valid() && a.CallingCode == b.CallingCode && a.National == b.National
}

// CallingCode returns the calling code of a country given by its ISO 3166-1
// code, 0 where there is none.
func CallingCode(country string) int { return numbering.CallingCode(country) }

// Parse reads a number. country is the phone's own country, as a calling code
// ("86", "+86", "0086") or an ISO 3166-1 code; where it is empty, home, the
// organization's country, counts. area may be empty, hold the area code with or
// without its trunk prefix, or the calling code, which is what some forms ask
// mobile numbers to be entered with. number may repeat the area, be written in
// international form, and carry an extension.
func Parse(country, area, number, home string) Number {
	if len(country)+len(area)+len(number) > MaxBytes {
		return Number{Kind: Unknown, Fault: TooLong}
	}
	n, fault := scan(number)
	if fault != "" {
		return Number{National: n.digits, Kind: Unknown, Fault: fault}
	}
	a, fault := scan(area)
	if fault != "" && strings.TrimSpace(area) != "" {
		return Number{National: n.digits, Kind: Unknown, Fault: fault}
	}
	if repeated(n.digits) {
		return Number{National: n.digits, Kind: Unknown, Fault: Repeated}
	}
	region, fault := regionOf(country, home)
	if fault != "" && !n.international {
		return Number{National: n.digits, Kind: Unknown, Fault: fault}
	}
	result := choose(readings(a, n, region), a, n, region)
	result.Extension = n.extension
	if result.Extension == "" && !result.Valid() && n.tail != "" {
		// "0755-86013388-801": the last group is an extension where the number is
		// complete without it.
		short := n
		short.digits = strings.TrimSuffix(n.digits, n.tail)
		if again := choose(readings(a, short, region), a, short, region); again.Valid() && !repeated(short.digits) {
			again.Extension = n.tail
			return again
		}
	}
	return result
}

// regionOf tells the country of a form: what it says about the phone, else home.
func regionOf(country, home string) (region string, fault Fault) {
	country = strings.ToUpper(strings.TrimSpace(fold(country)))
	if country == "" {
		if numbering.CallingCode(home) == 0 {
			return "", NoCountry
		}
		return home, ""
	}
	if numbering.CallingCode(country) != 0 {
		return country, ""
	}
	code, err := strconv.Atoi(strings.TrimLeft(country, "+0"))
	if err != nil || code == 0 {
		return "", UnknownCountry
	}
	if numbering.CallingCode(home) == code {
		return home, ""
	}
	region = numbering.MainRegion(code)
	if region == "" || region == "001" {
		return "", UnknownCountry
	}
	return region, ""
}

// A reading is one way to understand the fields.
type reading struct {
	text string
	// anywhere is set where only a number of no area may come of it: the area
	// given beside it is then merely redundant.
	anywhere bool
}

// readings lists the ways to understand area and number, most literal first.
func readings(a, n fields, region string) []reading {
	code := strconv.Itoa(numbering.CallingCode(region))
	bare := strings.TrimLeft(a.digits, "0")
	switch {
	case n.international:
		list := []reading{{text: "+" + n.digits}}
		if rest, ok := strings.CutPrefix(n.digits, code); ok && bare != "" && bare != code {
			list = append(list, reading{text: "+" + code + bare + rest})
		}
		return list
	case a.digits == "":
		return []reading{{text: n.digits}}
	case a.international:
		return []reading{{text: "+" + a.digits + strings.TrimPrefix(n.digits, "0")}, {text: "+" + n.digits}}
	case bare == code:
		return []reading{{text: n.digits}, {text: a.digits + n.digits}}
	}
	list := []reading{{text: a.digits + n.digits}}
	if bare != "" && strings.HasPrefix(strings.TrimLeft(n.digits, "0"), bare) {
		list = append(list, reading{text: n.digits})
	}
	return append(list, reading{text: n.digits, anywhere: true})
}

// choose returns the first reading that is valid, else what is wrong with the
// most literal one.
func choose(list []reading, a, n fields, region string) Number {
	first := Number{Kind: Unknown, Fault: Characters}
	for i, r := range list {
		number := evaluate(r.text, region)
		if number.Valid() && (!r.anywhere || areaFree(number.Kind)) {
			return number
		}
		if i == 0 {
			first = number
		}
	}
	if first.Fault == UnknownRange || first.Fault == TooShort || first.Fault == TooLong {
		first.Fault = explain(first, a, n)
	}
	return first
}

// areaFree reports whether numbers of a kind have no area code.
func areaFree(k Kind) bool {
	switch k {
	case Mobile, TollFree, SharedCost, Premium, VoIP, Company, Personal, ShortCompany:
		return true
	}
	return false
}

// repeated reports whether a number is one digit over and over, as placeholders are.
func repeated(digits string) bool {
	return len(digits) >= 6 && strings.Trim(digits, digits[:1]) == ""
}
