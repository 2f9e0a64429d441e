package registration

import (
	"testing"
	"unicode/utf8"
)

// The valid numbers are published ones: of companies in their register, or the
// example of the authority that defines the scheme.
func TestCheck(t *testing.T) {
	t.Parallel()
	cases := []struct {
		scheme, country, number string
		fault                   Fault
	}{
		{"uscc", "CN", "91110000600037341L", ""},
		{"uscc", "CN", "9144030071526726XG", ""},
		{"uscc", "CN", "91440300708461136T", ""},   // Tencent
		{"USCC", "CN", "91 110000 600037341l", ""}, // small letter and blanks
		{"uscc", "CN", "９１１１００００６０００３７３４１Ｌ", ""},   // full-width
		{"uscc", "CN", "91110000600037341M", WrongCheckDigit},
		{"uscc", "CN", "91110000600037314L", WrongCheckDigit}, // two neighbours swapped
		{"uscc", "CN", "9111000060003734IL", WrongCharacters}, // I is not used
		{"uscc", "CN", "9111000060003734L", WrongLength},
		{"cn-registration", "CN", "110108000000016", ""},
		{"cn-registration", "CN", "110108000000017", WrongCheckDigit},
		{"lei", "", "213800KUD8LAJWSQ9D15", ""},
		{"lei", "", "506700GE1G29325QX363", ""}, // GLEIF
		{"lei", "CN", "213800KUD8LXJWSQ9D15", WrongCheckDigit},
		{"lei", "", "213800KUD8LAJWSQ9DAB", WrongCharacters},
		{"siren", "FR", "732 829 320", ""},
		{"siren", "FR", "404833048", ""},
		{"siren", "FR", "404833047", WrongCheckDigit},
		{"siret", "FR", "73282932000074", ""},
		{"siret", "FR", "73282932000079", WrongCheckDigit},
		{"siret", "FR", "35600000000048", ""}, // La Poste, seat
		{"vat", "FR", "FR44732829320", ""},
		{"vat", "FR", "FR45732829320", WrongCheckDigit},
		{"vat", "DE", "DE136695976", ""},
		{"vat", "DE", "DE136695978", WrongCheckDigit},
		{"hrb", "DE", "HRB 6684", ""},
		{"hrb", "DE", "HRB 12345 B", ""},
		{"hrb", "DE", "6684", WrongCharacters},
		{"vat", "AT", "ATU13585627", ""},
		{"vat", "AT", "ATU13585626", WrongCheckDigit},
		{"kbo", "BE", "0428.759.497", ""},
		{"kbo", "BE", "0431150351", WrongCheckDigit},
		{"cvr", "DK", "13585628", ""},
		{"vat", "DK", "DK13585627", WrongCheckDigit},
		{"ytunnus", "FI", "2077474-0", ""},
		{"ytunnus", "FI", "2077474-1", WrongCheckDigit},
		{"se-orgnr", "SE", "556036-0793", ""},
		{"se-orgnr", "SE", "123456-7897", ""},
		{"se-orgnr", "SE", "123456-7891", WrongCheckDigit},
		{"vat", "SE", "SE123456789701", ""},
		{"no-orgnr", "NO", "988 077 917", ""},
		{"no-orgnr", "NO", "NO 988 077 917 MVA", ""},
		{"no-orgnr", "NO", "988 077 918", WrongCheckDigit},
		{"uid", "CH", "CHE-100.155.212", ""},
		{"uid", "CH", "CHE-100.155.212 MWST", ""},
		{"uid", "CH", "CHE-100.155.213", WrongCheckDigit},
		{"vat", "IT", "IT 00743110157", ""},
		{"vat", "IT", "00743110158", WrongCheckDigit},
		{"vat", "ES", "J99216582", ""},
		{"vat", "ES", "J99216583", WrongCheckDigit},
		{"vat", "ES", "A13 585 625", ""},
		{"vat", "PT", "PT 501 964 843", ""},
		{"vat", "PT", "PT 501 964 842", WrongCheckDigit},
		{"nip", "PL", "856-734-62-15", ""},
		{"nip", "PL", "8567346216", WrongCheckDigit},
		{"regon", "PL", "192598184", ""},
		{"regon", "PL", "192598183", WrongCheckDigit},
		{"regon", "PL", "12345678512347", ""},
		{"regon", "PL", "12345678612342", WrongCheckDigit},
		{"regon", "PL", "12345678512348", WrongCheckDigit},
		{"ico", "CZ", "25123891", ""},
		{"ico", "CZ", "25123890", WrongCheckDigit},
		{"vat", "HR", "HR 33392005961", ""},
		{"vat", "HR", "33392005962", WrongCheckDigit},
		{"ogrn", "RU", "1022200525819", ""},
		{"ogrn", "RU", "1022500001325", ""},
		{"ogrn", "RU", "1022500001328", WrongCheckDigit},
		{"crn", "GB", "00445790", ""},
		{"crn", "GB", "SC123456", ""},
		{"crn", "GB", "445790", WrongLength},
		{"crn", "GB", "1234567X", WrongCharacters},
		{"ein", "US", "94-2404110", ""},
		{"ein", "US", "94-240411", WrongLength},
		{"kvk", "NL", "17001910", ""},
		{"jcn", "JP", "5-8356-7825-6246", ""},
		{"jcn", "JP", "7000012050002", ""}, // the National Tax Agency itself
		{"jcn", "JP", "1180301018771", ""}, // Toyota
		{"jcn", "JP", "2-8356-7825-6246", WrongCheckDigit},
		{"kr-brn", "KR", "116-82-00276", ""},
		{"kr-brn", "KR", "124-81-00998", ""}, // Samsung Electronics
		{"kr-brn", "KR", "124-81-00997", WrongCheckDigit},
		{"ubn", "TW", "00501503", ""},
		{"ubn", "TW", "22099131", ""}, // TSMC
		{"ubn", "TW", "00501502", WrongCheckDigit},
		{"abn", "AU", "83 914 571 673", ""},
		{"abn", "AU", "51 824 753 556", ""}, // the Register's own example
		{"abn", "AU", "99 999 999 999", WrongCheckDigit},
		{"acn", "AU", "004 085 616", ""},
		{"acn", "AU", "010 499 966", ""},
		{"acn", "AU", "999 999 999", WrongCheckDigit},
		{"gstin", "IN", "27AAPFU0939F1ZV", ""},
		{"gstin", "IN", "27AAPFU0939F1ZO", WrongCheckDigit},
		{"gstin", "IN", "369296450896540", WrongCharacters},
		{"cin", "IN", "L17110MH1973PLC019786", ""}, // Reliance Industries
		{"cin", "IN", "X17110MH1973PLC019786", WrongCharacters},
		{"cnpj", "BR", "16.727.230/0001-97", ""},
		{"cnpj", "BR", "16.727.230/0001-98", WrongCheckDigit},
		{"cnpj", "BR", "12.ABC.345/01DE-35", ""}, // Receita Federal's example with letters
		{"cnpj", "BR", "12.ABC.345/01DE-36", WrongCheckDigit},
		{"cnpj", "BR", "00.000.000/0000-00", WrongCheckDigit},
	}
	tested := map[string]bool{}
	for _, c := range cases {
		r, known := Check(c.scheme, c.country, c.number)
		if !known || r.Fault != c.fault {
			t.Errorf("Check(%s, %s, %s) = %+v, %v; want fault %q", c.scheme, c.country, c.number, r, known, c.fault)
		}
		s := find(c.scheme, c.country)
		name := s.name
		if s.shared != "" {
			name += " " + s.shared
		}
		tested[name] = true
		if r.Fault == WrongCheckDigit && r.Expected != "" && s.name != "jcn" && s.name != "vat" {
			fixed := r.Number[:len(r.Number)-len(r.Expected)] + r.Expected
			if again, _ := Check(c.scheme, c.country, fixed); again.Fault != "" {
				t.Errorf("%s: %s with the digit it expects is still wrong: %+v", c.scheme, fixed, again)
			}
		}
	}
	for name, source := range Schemes() {
		if source == "" {
			t.Errorf("%s: no source", name)
		}
		if !tested[name] && name != "vat BE" && name != "vat FI" && name != "vat PL" { // the same digits as kbo, ytunnus, nip
			t.Errorf("%s: not tested", name)
		}
	}
}

// Without a stated scheme only what cannot be another kind of number is held
// against the country's schemes.
func TestCheckGuess(t *testing.T) {
	t.Parallel()
	cases := []struct {
		country, number, scheme string
		fault                   Fault
		known                   bool
	}{
		{"CN", "91110000600037341L", "uscc", "", true},
		{"CN", "91110000600037341M", "uscc", WrongCheckDigit, true},
		{"CN", "9111000060003734L", "uscc", WrongLength, true},
		{"CN", "110108000000016", "cn-registration", "", true},
		{"CN", "213800KUD8LAJWSQ9D15", "lei", "", true},
		{"CN", "Government Entity", "", "", false},
		{"CN", "2001-05-17", "", "", false}, // date of incorporation, EVG 7.1.4.2.5
		{"FR", "404833047", "siren", WrongCheckDigit, true},
		{"DE", "HRB 6684", "", "", false},
		{"DE", "136695978", "", "", false},
		{"DE", "DE136695978", "vat", WrongCheckDigit, true},
		{"PL", "0000012345", "", "", false}, // a KRS number
		{"GB", "00445790", "", "", false},
		{"US", "3582691", "", "", false},
		{"", "12345678", "", "", false},
	}
	for _, c := range cases {
		r, known := Check("", c.country, c.number)
		if known != c.known || r.Fault != c.fault || r.Scheme != c.scheme {
			t.Errorf("Check(%s, %s) = %+v, %v", c.country, c.number, r, known)
		}
	}
	if _, known := Check("no-such-scheme", "CN", "123"); known {
		t.Error("an unknown scheme is not known")
	}
}

// Every scheme with one check digit refuses every other last digit.
func TestOneDigitFits(t *testing.T) {
	t.Parallel()
	for scheme, number := range map[string]string{
		"siren FR": "404833048", "no-orgnr NO": "988077917", "acn AU": "004085616", "ogrn RU": "1022200525819", "kr-brn KR": "1248100998",
	} {
		name, country := scheme[:len(scheme)-3], scheme[len(scheme)-2:]
		for d := range 10 {
			changed := number[:len(number)-1] + string(rune('0'+d))
			r, _ := Check(name, country, changed)
			if (r.Fault == "") != (changed == number) {
				t.Errorf("%s %s: fault %q", name, changed, r.Fault)
			}
		}
	}
}

func FuzzRegistration(f *testing.F) {
	for _, s := range schemes {
		f.Add(s.name, s.country, "91110000600037341L")
	}
	f.Add("", "FR", "404833047")
	f.Add("lei", "", "\xff\xfe中文")
	f.Fuzz(func(t *testing.T, scheme, country, number string) {
		r, known := Check(scheme, country, number)
		if r.Fault != "" && !known && len(number) <= MaxBytes {
			t.Errorf("a fault without a scheme: %+v", r)
		}
		if r.Fault == "" && known && !utf8.ValidString(r.Number) {
			t.Errorf("%q passes", r.Number)
		}
		if len(r.Expected) > 2 {
			t.Errorf("expected %q", r.Expected)
		}
	})
}
