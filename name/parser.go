package name

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parser reads the names that are not plain.
type parser struct {
	Name
	labels []label
	// unicodeAt is the offset of the first character of a Unicode form, plus 1.
	unicodeAt int
}

// label is one label while it is read: raw as written at an offset of Text,
// clean in A-label form, unicode in U-label form.
type label struct {
	raw            string
	offset         int
	clean, unicode string
}

func (p *parser) parse() {
	host, offset := p.host()
	if host == "" {
		p.problem(Problem{Kind: Empty, Label: -1, Rule: "empty"})
		return
	}
	if strings.Count(host, ":") > 1 && p.parseIP(host, offset) {
		p.sort()
		return
	}
	p.split(host, offset)
	for i := range p.labels {
		if p.Wildcard && i == 0 {
			p.labels[0].clean, p.labels[0].unicode = "*", "*"
			continue
		}
		p.readLabel(i)
	}
	p.checkBidi()
	p.assemble()
	if p.parseNumbers(host, offset) {
		p.sort()
		return
	}
	p.checkName()
	p.suggest()
	p.sort()
}

func (p *parser) sort() {
	slices.SortStableFunc(p.Problems, func(a, b Problem) int { return a.Offset - b.Offset })
}

func (p *parser) problem(x Problem) {
	if len(p.Problems) < maxProblems {
		p.Problems = append(p.Problems, x)
	}
}

// host finds the host name in what was pasted: without surrounding blanks,
// scheme, user, path and port. Each of these is a problem of its own.
func (p *parser) host() (host string, offset int) {
	s := strings.TrimLeftFunc(p.Text, unicode.IsSpace)
	offset = len(p.Text) - len(s)
	s = strings.TrimRightFunc(s, unicode.IsSpace)
	if len(s) > maxRead {
		p.problem(Problem{Kind: NameTooLong, Offset: offset, Label: -1, Rule: string(NameTooLong)})
		s = strings.ToValidUTF8(s[:maxRead], "")
	}
	pasted := func(rule string, at int) {
		r, _ := utf8.DecodeRuneInString(p.Text[at:])
		p.problem(Problem{Kind: Character, Offset: at, Label: -1, Rune: r, Rule: rule, Detail: s})
	}
	url := false
	if i := strings.Index(s, "//"); i >= 0 && (i == 0 || s[i-1] == ':' && isScheme(s[:i-1])) {
		pasted("url", offset+max(i-1, 0))
		s, offset, url = s[i+2:], offset+i+2, true
	}
	if i := strings.IndexAny(s, `/?#\`); i >= 0 {
		if !url {
			pasted("path", offset+i)
		}
		s = s[:i]
	}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		if !url {
			pasted("email", offset+i)
		}
		s, offset = s[i+1:], offset+i+1
	}
	if i := strings.LastIndexByte(s, ':'); i > 0 && (strings.IndexByte(s, ':') == i || s[i-1] == ']') && isPort(s[i+1:]) {
		if !url {
			pasted("port", offset+i)
		}
		s = s[:i]
	}
	return s, offset
}

func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (i == 0 || !strings.ContainsRune("0123456789+-.", rune(s[i]))) {
			return false
		}
	}
	return s != ""
}

func isPort(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// split cuts the host into labels at full stops, those of other scripts
// included (UTS 46 2.3), and takes the wildcard and one final dot away.
func (p *parser) split(host string, offset int) {
	start := 0
	p.labels = make([]label, 0, strings.Count(host, ".")+1)
	for i, r := range host {
		switch r {
		case '.', '\u3002', '\uFF0E', '\uFF61':
			p.labels = append(p.labels, label{raw: host[start:i], offset: offset + start})
			start = i + utf8.RuneLen(r)
			if r != '.' && p.unicodeAt == 0 {
				p.unicodeAt = offset + i + 1
			}
		}
	}
	p.labels = append(p.labels, label{raw: host[start:], offset: offset + start})
	if n := len(p.labels); n > 1 && p.labels[n-1].raw == "" {
		p.labels = p.labels[:n-1]
		p.TrailingDot = true
	}
	p.Wildcard = len(p.labels) > 1 && p.labels[0].raw == "*"
}

// assemble writes the name from its labels.
func (p *parser) assemble() {
	labels := p.labels
	if p.Wildcard {
		labels = labels[1:]
	}
	var room [16]string
	shown, same := room[:0], true
	p.Labels = make([]string, len(labels))
	for i := range labels {
		p.Labels[i] = labels[i].clean
		shown = append(shown, labels[i].unicode)
		same = same && labels[i].unicode == labels[i].clean
	}
	p.Base = strings.Join(p.Labels, ".")
	p.Unicode = p.Base
	if !same {
		p.Unicode = strings.Join(shown, ".")
	}
	p.Clean = p.Base
	if p.Wildcard {
		p.Clean = "*." + p.Base
	}
}

// checkName looks at the whole name: its length, its "*", its alphabet.
func (p *parser) checkName() {
	if len(p.Clean) > MaxName && !p.Has(NameTooLong) {
		p.problem(Problem{Kind: NameTooLong, Offset: p.labels[0].offset, Label: -1, Rule: string(NameTooLong)})
	}
	for i := range p.labels {
		l := &p.labels[i]
		star := strings.IndexByte(l.raw, '*')
		if star < 0 || i == 0 && p.Wildcard {
			continue
		}
		rule := "inside"
		switch {
		case p.Wildcard:
			rule = "repeated"
		case l.raw == "*" && len(p.labels) == 1:
			rule = "alone"
		}
		p.problem(Problem{Kind: Wildcard, Offset: l.offset + star, Label: i, Rune: '*', Rule: rule, Detail: l.raw})
	}
	if p.unicodeAt > 0 {
		at := p.unicodeAt - 1
		r, _ := utf8.DecodeRuneInString(p.Text[at:])
		p.problem(Problem{Kind: NotASCII, Offset: at, Label: -1, Rune: r, Rule: string(NotASCII), Detail: p.Unicode})
	}
}

// suggest fills in the spelling that would be right, where leaving out what
// cannot stand there gives a name without a problem.
func (p *parser) suggest() {
	if len(p.Problems) == 0 {
		return
	}
	var labels []string
	wildcard := p.Wildcard
	for i, l := range p.labels {
		clean := strings.Trim(strings.ReplaceAll(l.clean, "_", "-"), "-")
		switch {
		case strings.Contains(l.clean, "*"):
			// "w*.a.net" and "a.*.b.net" mean the wildcard of what follows.
			wildcard, labels = true, labels[:0]
		case strings.HasPrefix(l.clean, "_") && i < len(p.labels)-2:
			// The owner of a validation record was pasted: the name is below it.
		case clean != "":
			labels = append(labels, clean)
		}
	}
	s := strings.Join(labels, ".")
	if wildcard {
		s = "*." + s
	}
	if s == p.Text || len(s) > MaxName || !p.right(s) {
		return
	}
	for i := range p.Problems {
		p.Problems[i].Suggestion = s
	}
}

// right reports whether a suggestion has no problem itself. It is not asked for
// names whose problem no removal can solve.
func (p *parser) right(s string) bool {
	for i := range p.Problems {
		switch p.Problems[i].Kind {
		case NameTooLong, LabelTooLong, ReservedHyphens, Punycode, IDNA:
			return false
		}
	}
	n := Parse(s)
	return len(n.Problems) == 0 && len(n.Labels) > 1
}
