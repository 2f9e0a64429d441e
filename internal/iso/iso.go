// Package iso knows the countries of ISO 3166-1 and, for a few countries, their
// provinces or states, so that an organization's place can be read as people
// write it. It knows codes and names, not whether a company is really there.
package iso

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Each line: alpha-2 code, tab, English name. The list is that of the time zone
// database (iso3166.tab, public domain), which follows ISO 3166-1.
//
//go:embed countries.tsv
var countryFile string

var countries = sync.OnceValue(func() map[string]string {
	names := make(map[string]string, 256)
	for line := range strings.Lines(countryFile) {
		code, name, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if ok && !strings.HasPrefix(code, "#") {
			names[code] = name
		}
	}
	return names
})

// codesByName maps every way of writing a country that [SuggestCountry] knows.
var codesByName = sync.OnceValue(func() map[string]string {
	codes := make(map[string]string, 512)
	for code, name := range countries() {
		codes[fold(name)] = code
	}
	for line := range strings.Lines(countryAliases) {
		if code, names, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			for name := range strings.SplitSeq(names, "|") {
				codes[fold(name)] = code
			}
		}
	}
	return codes
})

// countryAliases are other names, alpha-3 codes and codes that look like one.
const countryAliases = `
AE UAE|ARE|United Arab Emirates|阿联酋
AU Australia|AUS|澳大利亚
BR Brazil|BRA|巴西
CA Canada|CAN|加拿大
CH Switzerland|CHE|瑞士
CN China|CHN|PRC|P.R.C.|P.R. China|PR China|Mainland China|People's Republic of China|中国|中国大陆|中华人民共和国|中國
DE Germany|DEU|Deutschland|德国
ES Spain|ESP|西班牙
FR France|FRA|法国
GB UK|GBR|United Kingdom|Great Britain|England|Scotland|Wales|Northern Ireland|英国
HK Hong Kong|HKG|Hong Kong SAR|中国香港|香港|香港特别行政区
ID Indonesia|IDN|印度尼西亚
IN India|IND|印度
IT Italy|ITA|意大利
JP Japan|JPN|日本
KR Korea|South Korea|Republic of Korea|KOR|韩国
MO Macao|Macau|MAC|Macao SAR|中国澳门|澳门|澳门特别行政区
MY Malaysia|MYS|马来西亚
NL Netherlands|Holland|The Netherlands|NLD|荷兰
RU Russia|Russian Federation|RUS|俄罗斯
SG Singapore|SGP|新加坡
TH Thailand|THA|泰国
TW Taiwan|TWN|台湾|中国台湾|臺灣
US USA|U.S.|U.S.A.|United States|United States of America|America|美国
VN Vietnam|Viet Nam|VNM|越南
`

// IsCountry reports whether a text is an assigned alpha-2 code of ISO 3166-1,
// in capital letters. User-assigned codes (XX) and reserved ones (UK, EU) are not.
func IsCountry(code string) bool {
	return countries()[code] != ""
}

// SuggestCountry returns the alpha-2 code a person means who wrote a code in
// small letters, an alpha-3 code or the name of a country; "" when unclear.
func SuggestCountry(text string) string {
	if len(text) > maxNameBytes {
		return ""
	}
	if code := strings.ToUpper(strings.TrimSpace(norm.NFKC.String(text))); IsCountry(code) {
		return code
	}
	return codesByName()[fold(text)]
}

// maxNameBytes bounds what is compared with a name: nothing longer is one.
const maxNameBytes = 512

// fold makes two spellings of one name equal: small letters and digits only,
// accents removed.
func fold(text string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(text) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
