package phone

import (
	"errors"
	"strconv"
	"strings"

	"assay/internal/numbering"
)

// evaluate reads one number as dialled in a region, or in international form.
func evaluate(text, region string) Number {
	parsed, err := numbering.Parse(text, region)
	if err != nil {
		return Number{National: strings.TrimLeft(text, "+"), Kind: Unknown, Fault: parseFault(err)}
	}
	n := Number{
		National:    parsed.National,
		CallingCode: parsed.Code,
		Region:      parsed.Region,
		Kind:        Unknown,
	}
	if n.CallingCode == 86 {
		if kind := chineseShort(n.National); kind != "" {
			n.Region, n.Kind = "CN", kind
			return n
		}
	}
	if !parsed.Valid() {
		if parsed.Short(region) {
			n.Region, n.Kind = region, ShortCode
			return n
		}
		n.Fault = invalidFault(parsed)
		return n
	}
	n.Kind = kinds[parsed.Kind]
	if n.CallingCode == 86 {
		chinese(&n, parsed.AreaLength())
	}
	if n.Fault == "" {
		n.E164 = "+" + strconv.Itoa(n.CallingCode) + n.National
	}
	return n
}

var kinds = map[numbering.Kind]Kind{
	numbering.Fixed: Fixed, numbering.Mobile: Mobile, numbering.FixedOrMobile: FixedOrMobile,
	numbering.TollFree: TollFree, numbering.SharedCost: SharedCost, numbering.Premium: Premium,
	numbering.VoIP: VoIP, numbering.Personal: Personal, numbering.Company: Company,
	numbering.Pager: Pager, numbering.Voicemail: Voicemail, numbering.Unknown: Unknown,
}

func parseFault(err error) Fault {
	switch {
	case errors.Is(err, numbering.NoCountry):
		return UnknownCountry
	case errors.Is(err, numbering.TooLong):
		return TooLong
	case errors.Is(err, numbering.TooShort):
		return TooShort
	}
	return Characters
}

// invalidFault says why a parsed number is invalid.
func invalidFault(parsed numbering.Number) Fault {
	switch parsed.Length() {
	case numbering.LengthShort:
		return TooShort
	case numbering.LengthLong:
		return TooLong
	case numbering.LengthLocal:
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

// chinese corrects what the numbering plan says about a valid Chinese number. area
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
	region := numbering.MainRegion(n.CallingCode)
	valid := func(national string) bool {
		parsed, err := numbering.Parse(national, region)
		return err == nil && parsed.National == national && parsed.Valid()
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
		parsed, err := numbering.Parse("+86"+area+local, "CN")
		if err == nil && parsed.Kind == numbering.Fixed && parsed.AreaLength() == len(area) {
			return len(local)
		}
	}
	return 0
}
