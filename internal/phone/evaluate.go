package phone

import (
	"errors"
	"strings"

	lib "github.com/nyaruka/phonenumbers"
)

// evaluate reads one number as dialled in a region, or in international form.
func evaluate(text, region string) Number {
	if region == "" {
		region = lib.UNKNOWN_REGION
	}
	parsed, err := lib.Parse(text, region)
	if err != nil {
		return Number{National: strings.TrimLeft(text, "+"), Kind: Unknown, Fault: parseFault(err)}
	}
	n := Number{
		National:    lib.GetNationalSignificantNumber(parsed),
		CallingCode: int(parsed.GetCountryCode()),
		Region:      lib.GetRegionCodeForNumber(parsed),
		Kind:        Unknown,
	}
	if n.CallingCode == 86 {
		if kind := chineseShort(n.National); kind != "" {
			n.Region, n.Kind = "CN", kind
			return n
		}
	}
	if !lib.IsValidNumber(parsed) {
		if lib.IsValidShortNumberForRegion(parsed, region) {
			n.Region, n.Kind = region, ShortCode
			return n
		}
		n.Fault = invalidFault(parsed)
		return n
	}
	n.Kind = kinds[lib.GetNumberType(parsed)]
	if n.CallingCode == 86 {
		chinese(&n, lib.GetLengthOfGeographicalAreaCode(parsed))
	}
	if n.Fault == "" {
		n.E164 = lib.Format(parsed, lib.E164)
	}
	return n
}

var kinds = map[lib.PhoneNumberType]Kind{
	lib.FIXED_LINE: Fixed, lib.MOBILE: Mobile, lib.FIXED_LINE_OR_MOBILE: FixedOrMobile,
	lib.TOLL_FREE: TollFree, lib.SHARED_COST: SharedCost, lib.PREMIUM_RATE: Premium,
	lib.VOIP: VoIP, lib.PERSONAL_NUMBER: Personal, lib.UAN: Company,
	lib.PAGER: Pager, lib.VOICEMAIL: Voicemail, lib.UNKNOWN: Unknown,
}

func parseFault(err error) Fault {
	switch {
	case errors.Is(err, lib.ErrInvalidCountryCode):
		return UnknownCountry
	case errors.Is(err, lib.ErrNumTooLong):
		return TooLong
	case errors.Is(err, lib.ErrTooShortNSN), errors.Is(err, lib.ErrTooShortAfterIDD):
		return TooShort
	}
	return Characters
}

// invalidFault says why libphonenumber finds a parsed number invalid.
func invalidFault(parsed *lib.PhoneNumber) Fault {
	switch lib.IsPossibleNumberWithReason(parsed) {
	case lib.TOO_SHORT:
		return TooShort
	case lib.TOO_LONG:
		return TooLong
	case lib.INVALID_COUNTRY_CODE:
		return UnknownCountry
	case lib.IS_POSSIBLE_LOCAL_ONLY:
		return NoArea
	}
	return UnknownRange
}

// chineseShort tells the kind of a Chinese number that is dialled without an
// area from the whole country: 95 and three to six digits are leased to one
// company (banks, insurers, couriers); 1xx, 10xxx, 12xxx and 96xxx belong to
// networks, public services or a region. "" for any other number.
func chineseShort(digits string) Kind {
	n := len(digits)
	switch {
	case strings.HasPrefix(digits, "95") && n >= 5 && n <= 8:
		return ShortCompany
	case n == 3 && (strings.HasPrefix(digits, "11") || strings.HasPrefix(digits, "12")),
		n == 5 && (strings.HasPrefix(digits, "10") || strings.HasPrefix(digits, "12")),
		(n == 5 || n == 6) && strings.HasPrefix(digits, "96"):
		return ShortCode
	}
	return ""
}

// chinese corrects what libphonenumber says about a valid Chinese number. area
// is the length of its area code.
func chinese(n *Number, area int) {
	switch n.Kind {
	case Fixed:
		local := n.National[area:]
		if kind := chineseShort(local); kind != "" && area > 0 {
			n.Kind = kind // 010-95588: the area is dialled only from elsewhere
			return
		}
		// Local numbers begin with 2 to 8: 0 is the trunk prefix, 1 begins mobile
		// and service numbers (Telecommunications Network Numbering Plan, MIIT).
		if len(local) >= 7 && (local[0] == '0' || local[0] == '1') {
			n.Kind, n.Fault = Unknown, UnknownRange
		}
		if repeated(local) {
			n.Kind, n.Fault = Unknown, Repeated
		}
	case SharedCost:
		// 400 and 950 are leased to companies; an area with 96xxx is a short code.
		if !strings.HasPrefix(n.National, "400") && !strings.HasPrefix(n.National, "950") {
			n.Kind = ShortCode
		}
	}
}

// explain finds the narrower fault of an invalid number of a plausible length.
func explain(n Number, a, number fields) Fault {
	if n.CallingCode == 86 {
		return explainChinese(n, a, number)
	}
	return explainLength(n)
}

// explainLength tries whether the number would be valid with digits more or less.
func explainLength(n Number) Fault {
	if n.Fault != UnknownRange {
		return n.Fault
	}
	region := lib.GetRegionCodeForCountryCode(n.CallingCode)
	valid := func(national string) bool {
		parsed, err := lib.Parse(national, region)
		return err == nil && lib.GetNationalSignificantNumber(parsed) == national && lib.IsValidNumber(parsed)
	}
	for _, more := range []string{"2", "22", "222"} {
		if valid(n.National + more) {
			return TooShort
		}
	}
	for less := 1; less <= 3 && len(n.National)-less > 4; less++ {
		if valid(n.National[:len(n.National)-less]) {
			return TooLong
		}
	}
	return UnknownRange
}

// explainChinese looks at the area first: its numbers have seven or eight digits.
func explainChinese(n Number, a, number fields) Fault {
	area := strings.TrimLeft(a.digits, "0")
	if a.international || number.international || area == "86" {
		area = ""
	}
	if area == "" {
		if l := len(n.National); (l == 7 || l == 8) && n.National[0] >= '2' && n.National[0] <= '8' && !strings.HasPrefix(n.National, "400") {
			return NoArea
		}
		return explainLength(n)
	}
	length := chineseLocalLength(area)
	switch local := len(number.digits); {
	case length == 0:
		if areaFreePrefix(area) {
			return explainLength(n)
		}
		return UnknownArea
	case local < length:
		return TooShort
	case local > length:
		return TooLong
	}
	return UnknownRange
}

// areaFreePrefix: what stands in the area field begins a number without an area.
func areaFreePrefix(area string) bool {
	return area == "400" || area == "800" || len(area) == 3 && area[0] == '1'
}

// chineseLocalLength returns how many digits local numbers have in an area, 0
// where there is no such area.
func chineseLocalLength(area string) int {
	for _, local := range []string{"62345678", "6234567"} {
		parsed, err := lib.Parse("+86"+area+local, "CN")
		if err == nil && lib.IsValidNumber(parsed) && lib.GetNumberType(parsed) == lib.FIXED_LINE &&
			lib.GetLengthOfGeographicalAreaCode(parsed) == len(area) {
			return len(local)
		}
	}
	return 0
}
