// Command plans writes internal/numbering/plans.txt: what Assay needs of
// libphonenumber's metadata, as text that is read a region at a time. The
// library itself unpacks all of it when a program starts, whether or not an
// order holds a telephone number (docs/decisions/0010-numbering-plans.md).
//
//	go run ./internal/gen/plans internal/numbering/plans.txt
package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	lib "github.com/nyaruka/phonenumbers"
)

//go:generate go run . ../../numbering/plans.txt

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: plans FILE")
		os.Exit(64)
	}
	text, err := document()
	if err == nil {
		err = os.WriteFile(os.Args[1], []byte(text), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "plans:", err)
		os.Exit(1)
	}
}

// withAreas are the regions whose area codes Assay looks at.
var withAreas = []string{"CN"}

const head = `# The world's numbering plans, from libphonenumber's metadata (Apache-2.0, The
# Libphonenumber Authors). Written by internal/gen/plans; do not edit.
#
# +CODE REGION…          the regions of a calling code, its main one first
# @REGION CODE           a plan; then, indented, what it has of these:
#   idd PATTERN          what is dialled before a calling code
#   trunk PATTERN        what is dialled before a national number
#   rule TEMPLATE        what a number becomes where trunk matched its last group
#   lead PATTERN         how this region's numbers begin, where regions share a code
#   same                 fixed and mobile numbers look alike
#   format LEAD PATTERN TEMPLATE   how a number is divided, area first
#   KIND LENGTHS/LOCAL PATTERN     numbers of a kind: lengths, lengths without
#                        the area, the whole number; general means any kind,
#                        short the short numbers, known those that are given out
`

func document() (string, error) {
	plans, err := lib.MetadataCollection()
	if err != nil {
		return "", err
	}
	short, err := lib.ShortNumberMetadataCollection()
	if err != nil {
		return "", err
	}
	services := map[string]*lib.PhoneMetadata{}
	for _, m := range short.GetMetadata() {
		services[m.GetId()] = m
	}
	var b strings.Builder
	b.WriteString(head)
	for _, code := range sortedCodes() {
		fmt.Fprintf(&b, "+%d %s\n", code, strings.Join(lib.GetRegionCodesForCountryCode(code), " "))
	}
	for _, m := range plans.GetMetadata() {
		w := writer{out: &b, name: m.GetId() + " " + strconv.Itoa(int(m.GetCountryCode()))}
		w.plan(m, services[m.GetId()])
		if w.err != nil {
			return "", w.err
		}
	}
	return b.String(), nil
}

func sortedCodes() []int {
	var codes []int
	for code := range lib.GetSupportedCallingCodes() {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

// A writer writes one plan.
type writer struct {
	out  *strings.Builder
	name string
	err  error
}

func (w *writer) plan(m, service *lib.PhoneMetadata) {
	fmt.Fprintf(w.out, "@%s\n", w.name)
	w.line("idd", m.GetInternationalPrefix())
	if m.GetInternationalPrefix() == "" && m.GetId() != "001" {
		w.fail("no international prefix")
	}
	w.line("trunk", m.GetNationalPrefixForParsing())
	w.line("rule", m.GetNationalPrefixTransformRule())
	w.line("lead", m.GetLeadingDigits())
	if m.GetSameMobileAndFixedLinePattern() {
		fmt.Fprintln(w.out, " same")
	}
	if slices.Contains(withAreas, m.GetId()) {
		w.formats(m)
	}
	for _, d := range []struct {
		kind string
		desc *lib.PhoneNumberDesc
	}{
		{"general", m.GetGeneralDesc()},
		{"premium", m.GetPremiumRate()},
		{"toll-free", m.GetTollFree()},
		{"shared-cost", m.GetSharedCost()},
		{"voip", m.GetVoip()},
		{"personal", m.GetPersonalNumber()},
		{"pager", m.GetPager()},
		{"company", m.GetUan()},
		{"voicemail", m.GetVoicemail()},
		{"fixed", m.GetFixedLine()},
		{"mobile", m.GetMobile()},
		{"short", service.GetGeneralDesc()},
		{"known", service.GetShortCode()},
	} {
		w.kind(d.kind, d.desc)
	}
}

// kind writes what numbers of a kind look like. A kind that a region does not
// have is absent: the metadata says NA.
func (w *writer) kind(name string, d *lib.PhoneNumberDesc) {
	pattern := d.GetNationalNumberPattern()
	if pattern == "" || pattern == "NA" {
		if name == "general" {
			w.fail("no general description")
		}
		return
	}
	if name == "general" && len(d.GetPossibleLength()) == 0 {
		w.fail("no lengths")
	}
	lengths := numbers(d.GetPossibleLength())
	if local := numbers(d.GetPossibleLengthLocalOnly()); local != "" && name == "general" {
		lengths += "/" + local
	}
	w.line(name, cmp.Or(lengths, "-")+" "+w.word(pattern))
}

// formats writes how international form divides a number, most detailed
// leading digits only: the library looks at no others.
func (w *writer) formats(m *lib.PhoneMetadata) {
	list := m.GetIntlNumberFormat()
	if len(list) == 0 {
		list = m.GetNumberFormat()
	}
	for _, f := range list {
		lead := f.GetLeadingDigitsPattern()
		if len(lead) == 0 {
			w.fail("a format without leading digits")
			return
		}
		w.line("format", w.word(lead[len(lead)-1])+" "+w.word(f.GetPattern())+" "+f.GetFormat())
	}
}

func (w *writer) line(key, value string) {
	if value == "" {
		return
	}
	if strings.ContainsAny(value, "\n\r") {
		w.fail(key + " has a line break")
	}
	fmt.Fprintf(w.out, " %s %s\n", key, value)
}

// word is a text that must not hold a blank.
func (w *writer) word(text string) string {
	if strings.Contains(text, " ") {
		w.fail("a blank in " + text)
	}
	return text
}

func (w *writer) fail(why string) { w.err = errors.Join(w.err, errors.New(w.name+": "+why)) }

func numbers(list []int32) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(int(n))
	}
	return strings.Join(words, ",")
}
