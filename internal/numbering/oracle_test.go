package numbering

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	lib "github.com/nyaruka/phonenumbers"
)

// The library is the oracle: what it says of a number, in this package's words.
var (
	oracleKinds = map[lib.PhoneNumberType]Kind{
		lib.FIXED_LINE: Fixed, lib.MOBILE: Mobile, lib.FIXED_LINE_OR_MOBILE: FixedOrMobile,
		lib.TOLL_FREE: TollFree, lib.SHARED_COST: SharedCost, lib.PREMIUM_RATE: Premium,
		lib.VOIP: VoIP, lib.PERSONAL_NUMBER: Personal, lib.UAN: Company,
		lib.PAGER: Pager, lib.VOICEMAIL: Voicemail, lib.UNKNOWN: Unknown,
	}
	oracleLengths = map[lib.ValidationResult]Length{
		lib.IS_POSSIBLE: LengthPossible, lib.IS_POSSIBLE_LOCAL_ONLY: LengthLocal,
		lib.TOO_SHORT: LengthShort, lib.TOO_LONG: LengthLong, lib.INVALID_LENGTH: LengthOther,
	}
	oracleFaults = map[error]Fault{
		lib.ErrInvalidCountryCode: NoCountry, lib.ErrNumTooLong: TooLong, lib.ErrTooShortNSN: TooShort,
		lib.ErrTooShortAfterIDD: TooShort, lib.ErrNotANumber: NotANumber,
	}
)

// compare fails where the two differ about a text as dialled in a region.
func compare(t *testing.T, text, region string) {
	t.Helper()
	asked := region
	if asked == "" {
		asked = lib.UNKNOWN_REGION
	}
	want, wantErr := lib.Parse(text, asked)
	got, err := Parse(text, region)
	if wantErr != nil {
		if !errors.Is(err, oracleFaults[wantErr]) {
			t.Fatalf("%s in %q: %v, the library: %v", text, region, err, wantErr)
		}
		return
	}
	if err != nil {
		t.Fatalf("%s in %q: %v, the library: %v", text, region, err, want)
	}
	if national := lib.GetNationalSignificantNumber(want); got.Code != int(want.GetCountryCode()) || got.National != national {
		t.Fatalf("%s in %q: +%d %s, the library: +%d %s", text, region, got.Code, got.National, want.GetCountryCode(), national)
	}
	if r := lib.GetRegionCodeForNumber(want); got.Region != r {
		t.Fatalf("%s in %q: region %q, the library: %q", text, region, got.Region, r)
	}
	if k := oracleKinds[lib.GetNumberType(want)]; got.Kind != k || got.Valid() != lib.IsValidNumber(want) {
		t.Fatalf("%s in %q: kind %d valid %v, the library: %d %v", text, region, got.Kind, got.Valid(), k, lib.IsValidNumber(want))
	}
	if l := oracleLengths[lib.IsPossibleNumberWithReason(want)]; got.Length() != l {
		t.Fatalf("%s in %q: length %d, the library: %d", text, region, got.Length(), l)
	}
	for _, r := range []string{region, got.Region} {
		if short := lib.IsValidShortNumberForRegion(want, r); got.Short(r) != short {
			t.Fatalf("%s in %q: short in %q %v, the library: %v", text, region, r, got.Short(r), short)
		}
	}
	if area := lib.GetLengthOfGeographicalAreaCode(want); got.Code == 86 && got.Kind == Fixed && got.AreaLength() != area {
		t.Fatalf("%s in %q: area of %d, the library: %d", text, region, got.AreaLength(), area)
	}
}

// TestRegions: the same countries with the same calling codes.
func TestRegions(t *testing.T) {
	t.Parallel()
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			region := string(a) + string(b)
			if got, want := CallingCode(region), lib.GetCountryCodeForRegion(region); got != want {
				t.Errorf("%s: %d, the library: %d", region, got, want)
			}
		}
	}
	for code := range 1000 {
		want := lib.GetRegionCodeForCountryCode(code)
		if want == lib.UNKNOWN_REGION {
			want = ""
		}
		if got := MainRegion(code); got != want {
			t.Errorf("+%d: %q, the library: %q", code, got, want)
		}
	}
	for _, region := range []string{"", "001", "cn", "C", "CN ", "CN 86", "++", "ZZ"} {
		if got, want := CallingCode(region), lib.GetCountryCodeForRegion(region); got != want {
			t.Errorf("%q: %d, the library: %d", region, got, want)
		}
	}
}

// regions lists the library's regions, sorted.
func regions() []string {
	var list []string
	for r := range lib.GetSupportedRegions() {
		list = append(list, r)
	}
	slices.Sort(list)
	return list
}

// TestExamples: every example number that the library has, of every region and
// kind and of every calling code without a country, as it is dialled at home
// and from abroad, and with digits more, less and other.
func TestExamples(t *testing.T) {
	t.Parallel()
	all := regions()
	random := rand.New(rand.NewPCG(1, 2))
	seen := 0
	try := func(region string, number *lib.PhoneNumber) {
		seen++
		national := lib.GetNationalSignificantNumber(number)
		for _, n := range around(national, random) {
			abroad := "+" + strconv.Itoa(int(number.GetCountryCode())) + n
			compare(t, abroad, region)
			compare(t, abroad[1:], region)
			compare(t, abroad, all[random.IntN(len(all))])
			compare(t, abroad, "")
			compare(t, n, region)
			compare(t, "0"+n, region)
			compare(t, "00"+abroad[1:], region)
		}
	}
	for _, region := range all {
		for kind := range oracleKinds {
			if number := lib.GetExampleNumberForType(region, kind); number != nil {
				try(region, number)
			}
		}
	}
	for code := range lib.GetSupportedGlobalNetworkCallingCodes() {
		if number := lib.GetExampleNumberForNonGeoEntity(code); number != nil {
			try("CN", number)
		}
	}
	if seen < 1000 {
		t.Errorf("only %d example numbers", seen)
	}
}

// around are a number and numbers that are nearly it.
func around(national string, random *rand.Rand) []string {
	list := []string{national, national + "7", national[:len(national)-1], national[1:]}
	for range 6 {
		other := []byte(national)
		for range 1 + random.IntN(3) {
			other[random.IntN(len(other))] = byte('0' + random.IntN(10))
		}
		list = append(list, string(other))
	}
	return list
}

// TestRandom: digits of any length, in every region.
func TestRandom(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for _, region := range regions() {
		for range 150 {
			digits := make([]byte, 1+random.IntN(14))
			for i := range digits {
				digits[i] = byte('0' + random.IntN(10))
			}
			text := string(digits)
			if random.IntN(5) == 0 {
				text = "+" + text
			}
			compare(t, text, region)
		}
	}
}

// TestChina: every area and every beginning of a Chinese number, since what is
// said about those goes further than elsewhere.
func TestChina(t *testing.T) {
	t.Parallel()
	for prefix := range 10000 {
		for _, rest := range []string{"3388", "23388", "2345678", "62345678"} {
			compare(t, "0"+strconv.Itoa(prefix)+rest, "CN")
		}
	}
	for n := range 100000 {
		if n < 1000 || n >= 10000 && n%7 == 0 || n/1000 == 95 {
			compare(t, strconv.Itoa(n), "CN")
		}
	}
}

func FuzzNumbering(f *testing.F) {
	for _, s := range [][2]string{
		{"+8675586013388", "CN"},
		{"0755860133888", "CN"},
		{"+12127365000", ""},
		{"01144207946095", "US"},
		{"+80012345678", "DE"},
		{"5492234567890", "AR"},
		{"+00", "ZZ"},
		{strings.Repeat("1", 300), "JP"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, region string) {
		if digits := strings.TrimPrefix(text, "+"); strings.Trim(digits, "0123456789") == "" && digits != "" {
			compare(t, text, region)
			return
		}
		if _, err := Parse(text, region); err == nil {
			t.Errorf("%q was read", text)
		}
	})
}
