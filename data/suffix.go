package data

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

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

// suffixRules are rules by the name they are about.
type suffixRules map[string]suffixRule

// A suffixTable holds a list. One order needs the rules of one top-level domain
// or two, which are read alone: making the table of all takes longer than the
// rest of a review. Where many are asked for, the whole list is read.
type suffixTable struct {
	text  string
	lock  sync.Mutex
	few   sync.Map // top-level domain → suffixRules
	count int      // of few
	all   atomic.Pointer[suffixRules]
}

// maxFew is how many top-level domains are read alone.
const maxFew = 4

func newSuffixTable(text string) (*suffixTable, error) { return &suffixTable{text: text}, nil }

// rules returns the rules for names below a top-level domain, and maybe others.
func (t *suffixTable) rules(tld string) suffixRules {
	if tld == "" {
		return nil
	}
	if all := t.all.Load(); all != nil {
		return *all
	}
	if few, ok := t.few.Load(tld); ok {
		return few.(suffixRules)
	}
	return t.read(tld)
}

func (t *suffixTable) read(tld string) suffixRules {
	t.lock.Lock()
	defer t.lock.Unlock()
	if all := t.all.Load(); all != nil {
		return *all
	}
	if t.count++; t.count <= maxFew {
		rules, _, err := parseSuffixes(t.text, tld)
		if err != nil {
			panic("data: the suffix list was checked and does not parse: " + err.Error())
		}
		t.few.Store(tld, rules)
		return rules
	}
	rules, _, err := parseSuffixes(t.text, "")
	if err != nil {
		panic("data: the suffix list was checked and does not parse: " + err.Error())
	}
	t.all.Store(&rules)
	return rules
}

// parseSuffixes reads public_suffix_list.dat, or of it the rules of one
// top-level domain, and counts the rules it took.
func parseSuffixes(text, tld string) (rules suffixRules, count int, err error) {
	rules = suffixRules{}
	if tld == "" {
		rules = make(suffixRules, len(text)/16)
	}
	section := 0 // 0 outside, 1 ICANN, 2 private
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") {
			section = sectionAfter(line, section)
			continue
		}
		if section == 0 {
			return nil, 0, fmt.Errorf("line %d: the rule %.80q stands in no section", number, line)
		}
		if tld != "" && !isBelow(line, tld) {
			continue
		}
		base, flag, err := readSuffixRule(line)
		if err != nil {
			return nil, 0, fmt.Errorf("line %d: %w", number, err)
		}
		if section == 2 {
			flag <<= 1
		}
		rules[base] |= flag
		count++
	}
	return rules, count, nil
}

// sectionAfter is the section after a comment.
func sectionAfter(comment string, section int) int {
	switch comment {
	case beginICANN:
		return 1
	case beginPrivate:
		return 2
	case endICANN, endPrivate:
		return 0
	}
	return section
}

// ruleOf is the rule in a line: it ends at the first white space.
func ruleOf(line string) string {
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		return line[:i]
	}
	return line
}

// isBelow reports whether a rule is about a top-level domain, in A-label form,
// or names below it.
func isBelow(line, tld string) bool {
	rule := strings.TrimPrefix(ruleOf(line), "!")
	last := rule[strings.LastIndexByte(rule, '.')+1:]
	if last == tld {
		return true
	}
	upper, foreign := false, false
	for i := 0; i < len(last); i++ {
		upper = upper || 'A' <= last[i] && last[i] <= 'Z'
		foreign = foreign || last[i] >= 0x80
	}
	// readSuffixRule sees to it that a label in other letters is an "xn--" one.
	if !upper && (!foreign || !strings.HasPrefix(tld, "xn--")) {
		return false
	}
	ascii, err := toASCII(last)
	return err == nil && ascii == tld
}

// readSuffixRule returns the name a rule is about in A-label form, and its kind
// as in the ICANN section.
func readSuffixRule(line string) (base string, kind suffixRule, err error) {
	rule := ruleOf(line)
	base, kind = rule, ruleICANN
	if b, ok := strings.CutPrefix(rule, "*."); ok {
		base, kind = b, wildICANN
	} else if b, ok := strings.CutPrefix(rule, "!"); ok {
		base, kind = b, exceptICANN
	}
	if base, err = toASCII(base); err != nil {
		return "", 0, fmt.Errorf("rule %.80q: %w", rule, err)
	}
	last := base[strings.LastIndexByte(base, '.')+1:]
	if written := rule[strings.LastIndexByte(rule, '.')+1:]; !isASCII(written) && !strings.HasPrefix(last, "xn--") {
		return "", 0, fmt.Errorf("rule %.80q: write its last label as %q", rule, last)
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
	start := strings.LastIndexByte(name, '.') + 1 // without a rule: the last label
	rules := s.suffixes().rules(name[start:])
	var mask suffixRule
	if icannOnly {
		mask = privateRules
	}
	var found Suffix
	parent := len(name) // where the name with one label less begins
	for at := start; ; {
		next := 0
		if at > 0 {
			next = strings.LastIndexByte(name[:at-1], '.') + 1
		}
		flags := rules[name[at:]] &^ mask
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
