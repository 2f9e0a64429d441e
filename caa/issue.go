package caa

import "strings"

// A Fault says why an issue value names nobody: what breaks the grammar.
type Fault string

// The faults. They are words of the texts' phrases.
const (
	URL        Fault = "url"        // a web address instead of a name
	FinalDot   Fault = "final-dot"  // the name ends with a dot
	Space      Fault = "space"      // a blank inside the name
	Quotes     Fault = "quotes"     // quotation marks in the value
	Grammar    Fault = "grammar"    // another character that cannot stand there
	Parameters Fault = "parameters" // what follows the semicolon is not tag=value
)

// An Issue is the value of an issue or issuewild property:
//
//	ca.net; accounturi=https://ca.net/acct/7
type Issue struct {
	// Domain is the issuer domain as written, "" for nobody.
	Domain     string
	Parameters []Parameter
	// Fault is what breaks the grammar, "" where nothing does; such a value is
	// treated as one that names nobody (RFC 8659 4.2). Offset is the byte where.
	Fault  Fault
	Offset int
}

// A Parameter follows the issuer domain. Tags are compared without regard to
// case.
type Parameter struct{ Tag, Value string }

// A Dialect is how strictly a CA reads.
type Dialect struct {
	// PlainTags is set where a hyphen in a parameter's tag voids the value
	// (Boulder); RFC 8659 4.2 allows it.
	PlainTags bool
	// LastSemicolon is set where a semicolon after the last parameter is allowed.
	LastSemicolon bool
}

// ParseIssue reads a value:
//
//	issue-value = *WSP [issuer-domain-name *WSP] [";" *WSP [parameters *WSP]]
//
// with the parameters separated by ";" (RFC 8659 4.2 and erratum 7139).
func (d Dialect) ParseIssue(value string) Issue {
	if len(value) > maxValue {
		return Issue{Fault: Grammar, Offset: maxValue}
	}
	head, rest, semicolon := strings.Cut(value, ";")
	start := len(head) - len(strings.TrimLeft(head, " \t"))
	issue := Issue{Domain: strings.Trim(head, " \t")}
	if fault, at := domainFault(issue.Domain); fault != "" {
		issue.Fault, issue.Offset = fault, start+at
		return issue
	}
	if !semicolon || strings.Trim(rest, " \t") == "" {
		return issue
	}
	offset := len(head) + 1
	for {
		text, after, more := strings.Cut(rest, ";")
		switch p, at, ok := d.parseParameter(text); {
		case ok:
			issue.Parameters = append(issue.Parameters, p)
		case !more && d.LastSemicolon && strings.Trim(text, " \t") == "":
		default:
			issue.Fault, issue.Offset = Parameters, offset+at
			return issue
		}
		if !more {
			return issue
		}
		offset += len(text) + 1
		rest = after
	}
}

// parseParameter reads tag=value with blanks around each.
func (d Dialect) parseParameter(text string) (p Parameter, at int, ok bool) {
	tag, value, equals := strings.Cut(text, "=")
	p = Parameter{strings.Trim(tag, " \t"), strings.Trim(value, " \t")}
	if !equals || p.Tag == "" {
		return p, 0, false
	}
	for i := 0; i < len(p.Tag); i++ {
		hyphen := p.Tag[i] == '-' && !d.PlainTags && i > 0 && i < len(p.Tag)-1
		if !alphanumeric(p.Tag[i]) && !hyphen {
			return p, strings.Index(text, p.Tag) + i, false
		}
	}
	for i := 0; i < len(p.Value); i++ {
		if p.Value[i] < 0x21 || p.Value[i] > 0x7e {
			return p, len(tag) + 1, false
		}
	}
	return p, 0, true
}

// domainFault says what is wrong with an issuer domain: labels of letters,
// digits and inner hyphens, separated by dots. An empty one names nobody.
func domainFault(s string) (Fault, int) {
	if s == "" {
		return "", 0
	}
	if i := strings.Index(s, "://"); i >= 0 {
		return URL, i
	}
	if i := strings.IndexAny(s, `"'`); i >= 0 {
		return Quotes, i
	}
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return Space, i
	}
	if i := strings.IndexByte(s, '/'); i > 0 {
		return URL, i
	}
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			if !alphanumeric(s[i]) && s[i] != '-' {
				return Grammar, i
			}
			continue
		}
		switch {
		case i == start && i == len(s) && i > 0:
			return FinalDot, i - 1
		case i == start:
			return Grammar, i
		case s[start] == '-':
			return Grammar, start
		case s[i-1] == '-':
			return Grammar, i - 1
		}
		start = i + 1
	}
	return "", 0
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// Repair is the issuer domain that a broken value most likely means: without
// scheme, path, quotation marks, blanks and final dot, in lower case.
func Repair(value string) string {
	s, _, _ := strings.Cut(value, ";")
	s = strings.ToLower(strings.Trim(s, " \t\"'"))
	if _, after, ok := strings.Cut(s, "://"); ok {
		s = after
	}
	s, _, _ = strings.Cut(s, "/")
	s = strings.Join(strings.Fields(s), "")
	return strings.Trim(s, `."'`)
}
