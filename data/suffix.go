package data

import (
	"fmt"
	"strings"

	"golang.org/x/net/idna"
)

// The sections of the public suffix list, as upstream marks them.
const (
	beginICANN   = "// ===BEGIN ICANN DOMAINS==="
	endICANN     = "// ===END ICANN DOMAINS==="
	beginPrivate = "// ===BEGIN PRIVATE DOMAINS==="
	endPrivate   = "// ===END PRIVATE DOMAINS==="
)

// suffixRule says which rules the list has for a name: its own, "*." before it,
// "!" before it, each in the ICANN or the private section.
type suffixRule uint8

const (
	ruleICANN suffixRule = 1 << iota
	rulePrivate
	wildICANN
	wildPrivate
	exceptICANN
	exceptPrivate

	privateRules = rulePrivate | wildPrivate | exceptPrivate
)

type suffixTable struct {
	rules map[string]suffixRule
	count int
}

// parseSuffixes reads public_suffix_list.dat.
func parseSuffixes(text string) (*suffixTable, error) {
	t := &suffixTable{rules: make(map[string]suffixRule, len(text)/16)}
	section := 0 // 0 outside, 1 ICANN, 2 private
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		switch line {
		case beginICANN:
			section = 1
			continue
		case beginPrivate:
			section = 2
			continue
		case endICANN, endPrivate:
			section = 0
			continue
		}
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		if section == 0 {
			return nil, fmt.Errorf("line %d: the rule %.80q stands in no section", number, line)
		}
		base, flag, err := readSuffixRule(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if section == 2 {
			flag <<= 1
		}
		t.rules[base] |= flag
		t.count++
	}
	return t, nil
}

// readSuffixRule returns the name a rule is about in A-label form, and its kind
// as in the ICANN section.
func readSuffixRule(line string) (base string, kind suffixRule, err error) {
	rule, _, _ := strings.Cut(line, " ") // a rule ends at the first white space
	rule, _, _ = strings.Cut(rule, "\t")
	base, kind = rule, ruleICANN
	if b, ok := strings.CutPrefix(rule, "*."); ok {
		base, kind = b, wildICANN
	} else if b, ok := strings.CutPrefix(rule, "!"); ok {
		base, kind = b, exceptICANN
	}
	if base, err = toASCII(base); err != nil {
		return "", 0, fmt.Errorf("rule %.80q: %w", rule, err)
	}
	return base, kind, nil
}

// toASCII returns a name in lower case A-label form.
func toASCII(name string) (string, error) {
	plain := true
	for i := 0; i < len(name); i++ {
		c := name[i]
		plain = plain && (c == '-' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z')
	}
	if !plain {
		// Registries' own choices of characters are not for us to judge.
		ascii, err := idna.New(idna.MapForLookup(), idna.StrictDomainName(true)).ToASCII(name)
		if err != nil {
			return "", err
		}
		name = ascii
	}
	if name == "" || len(name) > 253 || name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
		return "", fmt.Errorf("is no domain name")
	}
	return name, nil
}

// Suffix finds the public suffix of a name in A-label form, lower case, without
// "*." and final dot, by the algorithm of publicsuffix.org. With icannOnly the
// private section is not read.
func (s *Set) Suffix(name string, icannOnly bool) Suffix {
	t := s.suffixes()
	var mask suffixRule
	if icannOnly {
		mask = privateRules
	}
	var found Suffix
	start := strings.LastIndexByte(name, '.') + 1 // without a rule: the last label
	parent := len(name)                           // where the name with one label less begins
	for at := start; ; {
		next := 0
		if at > 0 {
			next = strings.LastIndexByte(name[:at-1], '.') + 1
		}
		flags := t.rules[name[at:]] &^ mask
		if flags&(exceptICANN|exceptPrivate) != 0 {
			start = parent
			found.Rule, found.ICANN = "!"+name[at:], flags&exceptICANN != 0
			break
		}
		if flags&(ruleICANN|rulePrivate) != 0 {
			start = at
			found.Rule, found.ICANN = name[at:], flags&ruleICANN != 0
		}
		if flags&(wildICANN|wildPrivate) != 0 && at > 0 {
			start = next
			found.Rule, found.ICANN = "*."+name[at:], flags&wildICANN != 0
		}
		if at == 0 {
			break
		}
		parent, at = at, next
	}
	found.Suffix = name[start:]
	if start > 0 {
		found.Registrable = name[strings.LastIndexByte(name[:start-1], '.')+1:]
	}
	return found
}
