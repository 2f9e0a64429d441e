// Package numbering reads telephone numbers by the numbering plans of the
// world's countries: which country a number belongs to, of what kind it is,
// whether it can exist.
//
// The plans are libphonenumber's, and the tests compare every answer with the
// library's. What is left out is what Assay does not ask: formatting, carriers,
// places, letters. Only the plans a number needs are read.
package numbering

import (
	"slices"
	"strings"
)

// world is the region of numbers that belong to no country.
const world = "001"

// A Kind is what a number is for.
type Kind int

// The kinds, in the order in which a number is compared with them.
const (
	general Kind = iota // any number of the plan
	Premium
	TollFree
	SharedCost
	VoIP
	Personal
	Pager
	Company // universal access number of a company
	Voicemail
	Fixed
	Mobile
	shortAny   // short numbers
	shortKnown // those of them that are known

	kinds         = iota
	FixedOrMobile = Kind(iota)     // the plan does not tell them apart
	Unknown       = Kind(iota + 1) // not a number that is given out
)

// kindNames are the kinds' names in plans.txt.
var kindNames = [kinds]string{
	"general", "premium", "toll-free", "shared-cost", "voip", "personal", "pager",
	"company", "voicemail", "fixed", "mobile", "short", "known",
}

// A Number is a number that was read. [Parse] makes it.
type Number struct {
	Code     int    // the calling code
	National string // the digits inside the country, without the national prefix
	Region   string // ISO 3166-1, "001" for a number of no country; "" where unknown
	Kind     Kind
}

func newNumber(code int, national string) Number {
	n := Number{Code: code, National: national, Kind: Unknown}
	n.Region = regionOf(code, national)
	if p := planOf(n.Region, code); p != nil {
		n.Kind = p.kindOf(national)
	}
	return n
}

// Valid reports whether such a number is given out.
func (n Number) Valid() bool { return n.Kind != Unknown }

// Short reports whether the number is a known short number in a region.
func (n Number) Short(region string) bool {
	p := planOf(region, n.Code)
	return p != nil && slices.Contains(codes()[n.Code], region) && region != world &&
		p.kinds[shortAny].matches(n.National) && p.kinds[shortKnown].matches(n.National)
}

// A Length is the outcome of looking at a number's length alone.
type Length int

// The outcomes.
const (
	LengthPossible Length = iota
	LengthLocal           // of a number without its area
	LengthShort
	LengthLong
	LengthOther // between the shortest and the longest, but no number's
)

// Length compares the number's length with those of its calling code's main region.
func (n Number) Length() Length { return planOf(MainRegion(n.Code), n.Code).length(n.National) }

func (p *plan) length(national string) Length {
	lengths, n := p.kinds[general].lengths, len(national)
	switch {
	case slices.Contains(p.local, n):
		return LengthLocal
	case slices.Contains(lengths, n):
		return LengthPossible
	case n < lengths[0]:
		return LengthShort
	case n > lengths[len(lengths)-1]:
		return LengthLong
	}
	return LengthOther
}

// AreaLength is how many digits of a fixed-line number are its area, 0 where
// it has none. It is known for China only.
func (n Number) AreaLength() int {
	p := planOf(n.Region, n.Code)
	if p == nil || n.Kind != Fixed && n.Kind != FixedOrMobile {
		return 0
	}
	for i := range p.formats {
		f := &p.formats[i]
		if !f.lead.regexp().MatchString(n.National) || !f.whole.regexp().MatchString(n.National) {
			continue
		}
		area, _, divided := strings.Cut(f.whole.regexp().ReplaceAllString(n.National, f.template), " ")
		if !divided {
			return 0
		}
		return len(area)
	}
	return 0
}

// CallingCode returns the calling code of a region, 0 where there is none.
func CallingCode(region string) int {
	if region == world {
		return 0
	}
	if p := planOf(region, 0); p != nil {
		return p.code
	}
	return 0
}

// MainRegion returns the main region of a calling code, "001" for one that
// belongs to no country, "" for one that does not exist.
func MainRegion(code int) string {
	if regions := codes()[code]; regions != nil {
		return regions[0]
	}
	return ""
}

// regionOf tells which of the regions that share a calling code a number is of.
func regionOf(code int, national string) string {
	regions := codes()[code]
	if len(regions) == 1 {
		return regions[0]
	}
	for _, region := range regions {
		p := planOf(region, code)
		if p.lead.text != "" {
			if p.lead.regexp().MatchString(national) {
				return region
			}
		} else if p.kindOf(national) != Unknown {
			return region
		}
	}
	return ""
}

// kindOf compares a number with the plan's kinds in turn.
func (p *plan) kindOf(national string) Kind {
	if !p.kinds[general].matches(national) {
		return Unknown
	}
	for k := Premium; k <= Voicemail; k++ {
		if p.kinds[k].matches(national) {
			return k
		}
	}
	switch fixed := p.kinds[Fixed].matches(national); {
	case fixed && (p.same || p.kinds[Mobile].matches(national)):
		return FixedOrMobile
	case fixed:
		return Fixed
	case !p.same && p.kinds[Mobile].matches(national):
		return Mobile
	}
	return Unknown
}
