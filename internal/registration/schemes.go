package registration

// A scheme is one kind of number.
type scheme struct {
	name    string
	aliases []string
	// country has the scheme; empty: international. shared is the country where
	// several have a scheme of this name.
	country, shared string
	source          string
	// prefixes and suffixes may stand around the number and are cut off;
	// prefixNeeded is set where one of the prefixes must be there.
	prefixes, suffixes []string
	prefixNeeded       bool
	// lengths lists the lengths without prefix and suffix.
	lengths []int
	// form tests the characters of a body of a right length.
	form func(string) bool
	// digit tests the check digits of a body of the right form; nil where the
	// scheme has none.
	digit func(string) (ok bool, expected string)
	// telling is set where a number of this form without a stated scheme can be
	// held to it: the country has no other register whose numbers look alike.
	telling bool
	// only is set where every organization of the country has a number of one
	// of its "only" schemes, so that a number of nearly that form is a mistyped one.
	only bool
}

// schemes lists every scheme. The order matters only where a number fits several.
var schemes = []scheme{
	{
		name: "uscc", aliases: []string{"tydmz", "tyshxydm"}, country: "CN", telling: true, only: true,
		source: "GB 32100-2015", lengths: []int{18}, form: usccForm, digit: uscc,
	},
	{
		name: "cn-registration", aliases: []string{"zch"}, country: "CN", telling: true, only: true,
		source: "GS 15-2006 (ISO 7064 MOD 11,10)", lengths: []int{15}, form: digits, digit: mod11x10,
	},
	{
		name: "lei", telling: true,
		source: "ISO 17442-1, ISO 7064 MOD 97-10", lengths: []int{20}, form: leiForm, digit: mod97x10,
	},

	{
		name: "siren", country: "FR", telling: true,
		source: "INSEE, SIRENE", lengths: []int{9}, form: digits, digit: luhn,
	},
	{
		name: "siret", country: "FR", telling: true,
		source: "INSEE, SIRENE", lengths: []int{14}, form: digits, digit: siret,
	},
	{
		name: "vat", shared: "FR", country: "FR", telling: true, prefixes: []string{"FR"}, prefixNeeded: true,
		source: "EU VAT, VIES", lengths: []int{11}, form: frenchVATForm, digit: frenchVAT,
	},
	{
		name: "vat", shared: "DE", country: "DE", telling: true, prefixes: []string{"DE"}, prefixNeeded: true,
		source: "EU VAT, VIES (ISO 7064 MOD 11,10)", lengths: []int{9}, form: digitsNotZero, digit: mod11x10,
	},
	{
		name: "hrb", aliases: []string{"hra", "handelsregister"}, country: "DE", prefixes: []string{"HRA", "HRB", "GNR", "PR", "VR", "GSR"}, prefixNeeded: true,
		source: "Handelsregisterverordnung (form only)", lengths: []int{1, 2, 3, 4, 5, 6, 7, 8, 9}, form: registerSheet,
	},
	{
		name: "vat", shared: "AT", country: "AT", telling: true, prefixes: []string{"ATU"}, prefixNeeded: true,
		source: "EU VAT, VIES", lengths: []int{8}, form: digits, digit: austrianVAT,
	},
	{
		name: "vat", shared: "BE", country: "BE", prefixes: []string{"BE"}, prefixNeeded: true, telling: true,
		source: "EU VAT, VIES; KBO/BCE", lengths: []int{10}, form: belgianForm, digit: belgian,
	},
	{
		name: "kbo", aliases: []string{"bce", "cbe"}, country: "BE", telling: true, prefixes: []string{"BE"},
		source: "KBO/BCE, enterprise number", lengths: []int{10}, form: belgianForm, digit: belgian,
	},
	{
		name: "vat", shared: "DK", country: "DK", prefixes: []string{"DK"}, prefixNeeded: true, telling: true,
		source: "EU VAT, VIES; CVR", lengths: []int{8}, form: digitsNotZero, digit: weighted(11, 2, 7, 6, 5, 4, 3, 2, 1),
	},
	{
		name: "cvr", country: "DK", telling: true, prefixes: []string{"DK"},
		source: "Erhvervsstyrelsen, CVR", lengths: []int{8}, form: digitsNotZero, digit: weighted(11, 2, 7, 6, 5, 4, 3, 2, 1),
	},
	{
		name: "vat", shared: "FI", country: "FI", prefixes: []string{"FI"}, prefixNeeded: true, telling: true,
		source: "EU VAT, VIES; YTJ", lengths: []int{8}, form: digits, digit: weighted(11, 7, 9, 10, 5, 8, 4, 2, 1),
	},
	{
		name: "ytunnus", aliases: []string{"y-tunnus"}, country: "FI", telling: true, prefixes: []string{"FI"},
		source: "YTJ, business id", lengths: []int{8}, form: digits, digit: weighted(11, 7, 9, 10, 5, 8, 4, 2, 1),
	},
	{
		name: "vat", shared: "SE", country: "SE", prefixes: []string{"SE"}, prefixNeeded: true, suffixes: []string{"01"}, telling: true,
		source: "EU VAT, VIES", lengths: []int{10}, form: digits, digit: luhn,
	},
	{
		name: "se-orgnr", aliases: []string{"organisationsnummer"}, country: "SE", telling: true,
		source: "Skatteverket, lag (1974:174)", lengths: []int{10}, form: digits, digit: luhn,
	},
	{
		name: "no-orgnr", aliases: []string{"orgnr", "organisasjonsnummer"}, country: "NO", telling: true, prefixes: []string{"NO"}, suffixes: []string{"MVA"},
		source: "Brønnøysundregistrene", lengths: []int{9}, form: digits, digit: weighted(11, 3, 2, 7, 6, 5, 4, 3, 2, 1),
	},
	{
		name: "uid", aliases: []string{"che"}, country: "CH", telling: true, prefixes: []string{"CHE"}, prefixNeeded: true, suffixes: []string{"MWST", "TVA", "IVA"},
		source: "BFS, UID (eCH-0097)", lengths: []int{9}, form: digits, digit: weighted(11, 5, 4, 3, 2, 7, 6, 5, 4, 1),
	},
	{
		name: "vat", shared: "IT", country: "IT", prefixes: []string{"IT"}, telling: true,
		source: "DPR 633/1972 art. 35; VIES", lengths: []int{11}, form: digits, digit: luhn,
	},
	{
		name: "vat", shared: "ES", country: "ES", prefixes: []string{"ES"}, telling: true,
		source: "Orden EHA/451/2008 (NIF of legal persons)", lengths: []int{9}, form: spanishForm, digit: spanish,
	},
	{
		name: "vat", shared: "PT", country: "PT", prefixes: []string{"PT"}, telling: true,
		source: "Decreto-Lei 14/2013 (NIPC)", lengths: []int{9}, form: digitsNotZero, digit: portuguese,
	},
	{
		name: "vat", shared: "PL", country: "PL", prefixes: []string{"PL"}, prefixNeeded: true, telling: true,
		source: "EU VAT, VIES (NIP)", lengths: []int{10}, form: digits, digit: nip,
	},
	{
		name: "nip", country: "PL", prefixes: []string{"PL"},
		source: "NIP", lengths: []int{10}, form: digits, digit: nip,
	},
	{
		name: "regon", country: "PL",
		source: "GUS, REGON", lengths: []int{9, 14}, form: digits, digit: regon,
	},
	{
		name: "ico", country: "CZ", telling: true, prefixes: []string{"CZ"},
		source: "Zákon 304/2013 (IČO)", lengths: []int{8}, form: digits, digit: ico,
	},
	{
		name: "vat", shared: "HR", country: "HR", prefixes: []string{"HR"}, telling: true,
		source: "OIB (ISO 7064 MOD 11,10)", lengths: []int{11}, form: digits, digit: mod11x10,
	},
	{
		name: "ogrn", country: "RU", telling: true,
		source: "Order of the Russian Ministry of Finance 165n", lengths: []int{13}, form: digitsNotZero, digit: ogrn,
	},

	{
		name: "crn", aliases: []string{"companies-house"}, country: "GB",
		source: "Companies House (form only)", lengths: []int{8}, form: companiesHouse,
	},
	{
		name: "ein", country: "US",
		source: "IRS (form only)", lengths: []int{9}, form: digits,
	},
	{
		name: "kvk", country: "NL",
		source: "Kamer van Koophandel (form only)", lengths: []int{8}, form: digits,
	},

	{
		name: "jcn", aliases: []string{"hojin-bango"}, country: "JP", telling: true, prefixes: []string{"T"},
		source: "National Tax Agency, Corporate Number", lengths: []int{13}, form: digitsNotZero, digit: japanese,
	},
	{
		name: "kr-brn", aliases: []string{"brn"}, country: "KR", telling: true,
		source: "National Tax Service, business registration number", lengths: []int{10}, form: digits, digit: korean,
	},
	{
		name: "ubn", country: "TW", telling: true,
		source: "Ministry of Finance, UBN (as of 2023)", lengths: []int{8}, form: digits, digit: taiwanese,
	},
	{
		name: "abn", country: "AU", telling: true,
		source: "Australian Business Register, ABN", lengths: []int{11}, form: digits, digit: abn,
	},
	{
		name: "acn", country: "AU", telling: true,
		source: "Corporations Regulations 2001, schedule 2 (ACN)", lengths: []int{9}, form: digits, digit: acn,
	},
	{
		name: "gstin", country: "IN", telling: true,
		source: "GSTN (Luhn modulo 36)", lengths: []int{15}, form: gstinForm, digit: luhn36,
	},
	{
		name: "cin", country: "IN",
		source: "Ministry of Corporate Affairs (form only)", lengths: []int{21}, form: cinForm,
	},
	{
		name: "cnpj", country: "BR", telling: true,
		source: "Receita Federal, IN RFB 2.119/2022, 2.229/2024", lengths: []int{14}, form: cnpjForm, digit: cnpj,
	},
}
