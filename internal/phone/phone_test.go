package phone

import (
	"strings"
	"testing"
)

func TestParseChina(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, area, number string
		want               string // E.164, or the national digits
		kind               Kind
		fault              Fault
	}{
		{"landline", "0755", "86013388", "+8675586013388", Fixed, ""},
		{"area without its zero", "755", "86013388", "+8675586013388", Fixed, ""},
		{"area in brackets", "(0755)", "8601 3388", "+8675586013388", Fixed, ""},
		{"area of two digits", "021", "61234567", "+862161234567", Fixed, ""},
		{"local numbers of seven digits", "0999", "8601338", "+869998601338", Fixed, ""},
		{"full-width digits", "０７５５", "８６０１３３８８", "+8675586013388", Fixed, ""},
		{"blanks around", " 0755 ", " 86013388 ", "+8675586013388", Fixed, ""},
		{"area written twice", "0755", "0755-86013388", "+8675586013388", Fixed, ""},
		{"area written twice without zero", "0755", "75586013388", "+8675586013388", Fixed, ""},
		{"local number that begins like the area", "021", "21234567", "+862121234567", Fixed, ""},
		{"country code in the area", "+86 755", "86013388", "+8675586013388", Fixed, ""},
		{"country code in the area, digits only", "86755", "86013388", "+8675586013388", Fixed, ""},
		{"country code as the area of a landline", "0086", "0755-86013388", "+8675586013388", Fixed, ""},
		{"all in the number", "", "0755-86013388", "+8675586013388", Fixed, ""},
		{"international", "", "+86 755 8601 3388", "+8675586013388", Fixed, ""},
		{"international with trunk zero", "", "+86(0)755-86013388", "+8675586013388", Fixed, ""},
		{"international with 00", "", "0086-755-86013388", "+8675586013388", Fixed, ""},
		{"international besides an area", "0755", "+86 755 86013388", "+8675586013388", Fixed, ""},
		{"international without its area", "0755", "+86 86013388", "+8675586013388", Fixed, ""},
		{"tel URI", "", "tel:+86-755-86013388", "+8675586013388", Fixed, ""},
		{"mobile with the calling code as area", "86", "13800138000", "+8613800138000", Mobile, ""},
		{"mobile without area", "", "138 0013 8000", "+8613800138000", Mobile, ""},
		{"mobile besides an area", "0755", "13800138000", "+8613800138000", Mobile, ""},
		{"mobile in three groups", "138", "00138000", "+8613800138000", Mobile, ""},
		{"400 number", "", "400-800-1234", "+864008001234", SharedCost, ""},
		{"400 in the area", "400", "8001234", "+864008001234", SharedCost, ""},
		{"400 besides an area", "0755", "4008001234", "+864008001234", SharedCost, ""},
		{"800 number", "", "800-810-1234", "+868008101234", TollFree, ""},
		{"service number of five digits", "", "95716", "95716", ShortCompany, ""},
		{"service number 95188", "86", "95188", "95188", ShortCompany, ""},
		{"service number of six digits", "", "955716", "955716", ShortCompany, ""},
		{"service number of eight digits", "", "95013812", "95013812", ShortCompany, ""},
		{"service number behind an area", "010", "95588", "+861095588", ShortCompany, ""},

		{"premium", "", "16812345", "+8616812345", Premium, ""},
		{"premium besides an area", "0755", "16812345", "+8616812345", Premium, ""},
		{"public service", "", "12345", "12345", ShortCode, ""},
		{"network", "", "10086", "10086", ShortCode, ""},
		{"emergency", "", "110", "110", ShortCode, ""},
		{"regional short code", "0755", "96511", "+8675596511", ShortCode, ""},

		{"one digit over and over", "0755", "11111111", "11111111", Unknown, Repeated},
		{"zeros", "0755", "00000000", "00000000", Unknown, Repeated},
		{"one digit over and over behind the area", "", "0755-88888888", "75588888888", Unknown, Repeated},
		{"mobile of one digit", "86", "11111111111", "11111111111", Unknown, Repeated},
		{"begins with 1", "0755", "12345678", "75512345678", Unknown, UnknownRange},
		{"begins with 0", "020", "01234567", "2001234567", Unknown, UnknownRange},
		{"too short", "0755", "8601338", "7558601338", Unknown, TooShort},
		{"far too short", "0755", "123", "0755123", Unknown, TooShort},
		{"too long", "0755", "860133888", "755860133888", Unknown, TooLong},
		{"too long for an area of seven", "0999", "86013388", "99986013388", Unknown, TooLong},
		{"mobile too short", "86", "1380013800", "1380013800", Unknown, TooShort},
		{"mobile too long", "86", "138001380001", "138001380001", Unknown, TooLong},
		{"400 too short", "", "400800123", "400800123", Unknown, TooShort},
		{"400 too long", "", "40080012345", "40080012345", Unknown, TooLong},
		{"unknown area", "0299", "86013388", "29986013388", Unknown, UnknownArea},
		{"other area in the number", "0755", "010-86013388", "75501086013388", Unknown, TooLong},
		{"area missing", "", "86013388", "86013388", Unknown, NoArea},
		{"area missing behind the calling code", "86", "86013388", "86013388", Unknown, NoArea},
		{"letters", "0755", "8601338O", "8601338", Unknown, Letters},
		{"vanity number", "1", "800-FLOWERS", "800", Unknown, Letters},
		{"words", "0755", "无", "", Unknown, Letters},
		{"signs", "0755", "8601*388", "8601", Unknown, Characters},
		{"dash only", "-", "-", "", Unknown, Characters},
		{"two numbers", "0755", "86013388/86013389", "86013388", Unknown, Several},
		{"two numbers with the Chinese comma", "0755", "86013388、89", "86013388", Unknown, Several},
		{"unknown calling code", "", "+999 123456789", "999123456789", Unknown, UnknownCountry},
		{"endless", "", strings.Repeat("8", 300), "", Unknown, TooLong},
		{"number twice", "", "075586013388075586013388", "075586013388075586013388", Unknown, TooLong},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := Parse("", c.area, c.number, "CN")
			if n.String() != c.want || n.Kind != c.kind || n.Fault != c.fault {
				t.Errorf("Parse(%q, %q) = %s %s %q, want %s %s %q", c.area, c.number, n, n.Kind, n.Fault, c.want, c.kind, c.fault)
			}
			if n.Valid() && (n.CallingCode != 86 || n.Region != "CN") {
				t.Errorf("region %s, calling code %d", n.Region, n.CallingCode)
			}
		})
	}
}

func TestParseElsewhere(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, country, area, number, home string
		want                              string
		region                            string
		kind                              Kind
		fault                             Fault
	}{
		{"US", "", "212", "736 5000", "US", "+12127365000", "US", FixedOrMobile, ""},
		{"US toll-free", "1", "800", "555-1234", "US", "+18005551234", "US", TollFree, ""},
		{"US premium", "", "900", "555-1234", "US", "+19005551234", "US", Premium, ""},
		{"US without area", "", "", "736-5000", "US", "7365000", "", Unknown, NoArea},
		{"Canada shares +1", "+1", "416", "967 1111", "CA", "+14169671111", "CA", FixedOrMobile, ""},
		{"London", "", "020", "7946 0958", "GB", "+442079460958", "GB", Fixed, ""},
		{"London, trunk zero in brackets", "", "", "+44 (0)20 7946 0958", "CN", "+442079460958", "GB", Fixed, ""},
		{"Berlin", "DE", "030", "901820", "CN", "+4930901820", "DE", Fixed, ""},
		{"Berlin with a slash", "", "", "030/901820", "DE", "+4930901820", "DE", Fixed, ""},
		{"Rome keeps its zero", "", "06", "4829 1234", "IT", "+390648291234", "IT", Fixed, ""},
		{"Hong Kong has no areas", "", "", "2345 6789", "HK", "+85223456789", "HK", Fixed, ""},
		{"Hong Kong with its code as area", "", "852", "2345 6789", "HK", "+85223456789", "HK", Fixed, ""},
		{"Hong Kong of a Chinese company", "852", "", "23456789", "CN", "+85223456789", "HK", Fixed, ""},
		{"Japanese VoIP", "", "050", "3123 4567", "JP", "+815031234567", "JP", VoIP, ""},
		{"British non-geographic", "", "0870", "123 4567", "GB", "+448701234567", "GB", Premium, ""},
		{"of no country", "", "", "+800 1234 5678", "CN", "+80012345678", "001", TollFree, ""},
		{"emergency", "", "", "911", "US", "911", "US", ShortCode, ""},
		{"calling code 0086", "0086", "0755", "86013388", "US", "+8675586013388", "CN", Fixed, ""},
		{"no such country", "999", "0755", "86013388", "CN", "86013388", "", Unknown, UnknownCountry},
		{"country in words", "China", "0755", "86013388", "CN", "86013388", "", Unknown, UnknownCountry},
		{"no country", "", "0755", "86013388", "", "86013388", "", Unknown, NoCountry},
		{"no country but international", "", "", "+8675586013388", "", "+8675586013388", "CN", Fixed, ""},
		{"US too short", "", "212", "736500", "US", "212736500", "", Unknown, TooShort},
		{"US area that is not given out", "", "999", "736 5000", "US", "9997365000", "", Unknown, UnknownRange},
		{"Hong Kong too long", "", "", "234567891", "HK", "234567891", "", Unknown, TooLong},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := Parse(c.country, c.area, c.number, c.home)
			if n.String() != c.want || n.Kind != c.kind || n.Fault != c.fault || n.Valid() && n.Region != c.region {
				t.Errorf("got %s %s %s %q, want %s %s %s %q", n, n.Region, n.Kind, n.Fault, c.want, c.region, c.kind, c.fault)
			}
		})
	}
}

func TestExtension(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]string{
		"0755-86013388": "", "0755-86013388转801": "801", "0755-86013388 转 801": "801", "0755-86013388 分机：801": "801",
		"0755-86013388 ext. 801": "801", "0755-86013388 Ext801": "801", "0755-86013388x801": "801", "0755-86013388#801": "801",
		"0755-86013388-801": "801", "0755-86013388(分机801)": "801", "tel:+86-755-86013388;ext=801": "801",
		"400-800-1234转1": "1",
	} {
		n := Parse("", "", number, "CN")
		if !n.Valid() || n.Extension != want {
			t.Errorf("%s: %s fault %q extension %q", number, n, n.Fault, n.Extension)
		}
	}
	if n := Parse("", "0755", "86013388转12345678", "CN"); n.Valid() {
		t.Errorf("an extension of eight digits: %+v", n)
	}
}

func TestSame(t *testing.T) {
	t.Parallel()
	a := Parse("", "0755", "86013388", "CN")
	if !Same(a, Parse("", "", "+86 755 8601 3388 转 12", "US")) {
		t.Error("one number in two forms")
	}
	if Same(a, Parse("", "0755", "86013389", "CN")) {
		t.Error("two numbers")
	}
	if bad := Parse("", "", "x", "CN"); Same(bad, bad) {
		t.Error("an invalid number is like none")
	}
}

func FuzzPhone(f *testing.F) {
	for _, s := range [][4]string{
		{"", "0755", "86013388", "CN"},
		{"86", "", "95716", "CN"},
		{"+1", "212", "7365000 ext 5", "US"},
		{"", "+86", "0755-86013388-801", ""},
		{"", "", "+44 (0)20 7946 0958", "GB"},
		{"", "-", "转", "ZZ"},
		{"", "００", "\xff86013388", "DE"},
		{"49", "030", "901820/22", "DE"},
		{"", "", "tel:;ext=", "CN"},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	f.Fuzz(func(t *testing.T, country, area, number, home string) {
		n := Parse(country, area, number, home)
		if n.Valid() {
			if n.CallingCode == 0 || n.Kind == "" || n.National == "" || len(n.National) > 17 || n.Region == "" {
				t.Errorf("valid but incomplete: %+v", n)
			}
			if n.E164 != "" && (n.E164[0] != '+' || strings.Trim(n.E164[1:], "0123456789") != "") {
				t.Errorf("E.164 %q", n.E164)
			}
		} else if n.E164 != "" {
			t.Errorf("invalid with an E.164 form: %+v", n)
		}
		if len(n.Extension) > 7 {
			t.Errorf("extension %q", n.Extension)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		Parse("", "0755", "86013388", "CN")
	}
}
