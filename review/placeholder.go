package review

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"assay/order"
)

// placeholders are what people and programs write to get past a mandatory
// field, folded by lettersOf: also what OpenSSL and Red Hat's configuration
// suggest.
var placeholders = []string{
	"na", "notapplicable", "none", "nil", "null", "undefined", "unknown", "tbd", "todo",
	"somestate", "somecity", "internetwidgitsptyltd", "defaultcity", "defaultcompanyltd",
	"无", "無", "暂无", "没有", "未知", "不详", "待定", "空",
}

// isPlaceholder reports whether a value says nothing: no letter or digit at all
// (BR 7.1.4.2 forbids values that hold only such signs), one x over and over, or
// a word of the list. Null, None and Na are also names of persons.
func isPlaceholder(value string, person bool) bool {
	letters := lettersOf(value)
	if letters == "" {
		return true
	}
	if person && (letters == "na" || letters == "none" || letters == "null") {
		return strings.Contains(value, "/")
	}
	if len(letters) >= 3 && strings.Trim(letters, "x") == "" {
		return true
	}
	return slices.Contains(placeholders, letters)
}

// lettersOf returns the letters and digits of a text in small letters.
func lettersOf(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKC.String(text))
}

// hasControl reports whether a value holds what no certificate field may: line
// breaks and other control characters, or bytes that are no text.
func hasControl(value string) bool {
	return !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl)
}

// clipped shortens a value for showing.
func clipped(value string) string {
	const most = 80
	if utf8.RuneCountInString(value) <= most {
		return value
	}
	return string([]rune(value)[:most]) + "…"
}

// postBox finds a post office box and its number in the languages where it has
// a fixed word.
var postBox = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:\bp\.?\s*o\.?\s*box\b|\bpost\s+office\s+box\b|\bpostbox\b|\bpostfach\b|\bbo[iî]te\s+postale\b|\bapartado(?:\s+postal|\s+de\s+correos)?\b|\bcaixa\s+postal\b|\bcasella\s+postale\b|(?:邮政|郵政)?(?:信箱|邮箱)|私書箱)\s*(?:no\.?|nr\.?|#|:|：)?\s*\d*\s*(?:号|號|分箱)*`)
})

// postBoxOnly reports whether an address names a post office box and, besides
// the place, nothing else: EV needs a place of business (EVG 3.2.2.4.1).
func postBoxOnly(o *order.Organization) bool {
	address := norm.NFKC.String(o.Address)
	rest := postBox().ReplaceAllString(address, " ")
	if rest == address {
		return false
	}
	rest = lettersOf(rest)
	for _, place := range []string{o.PostalCode, o.City, o.Province, o.Country, "China", "中国", "省", "市"} {
		if p := lettersOf(place); p != "" {
			rest = strings.ReplaceAll(rest, p, "")
		}
	}
	return strings.Trim(rest, "0123456789") == ""
}
