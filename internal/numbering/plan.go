package numbering

import (
	_ "embed"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// planFile holds all plans; its head says how they are written.
//
//go:embed plans.txt
var planFile string

// codes maps a calling code to its regions, the main one first.
var codes = sync.OnceValue(func() map[int][]string {
	m := make(map[int][]string, 256)
	for line := range strings.Lines(planFile) {
		switch line[0] {
		case '+':
			words := strings.Fields(line[1:])
			code, _ := strconv.Atoi(words[0])
			m[code] = words[1:]
		case '@':
			return m
		}
	}
	return m
})

// A plan is the numbering plan of a region, or of a calling code that belongs
// to no region ("001").
type plan struct {
	code int

	idd, trunk, lead lazy
	rule             string
	same             bool
	formats          []format
	kinds            [kinds]description
	local            []int // lengths of a number without its area
}

// A format divides a number: where lead begins it and whole is all of it,
// template says what stands apart.
type format struct {
	lead, whole lazy
	template    string
}

// A description says what numbers of one kind look like.
type description struct {
	lengths []int // none means any
	pattern lazy
}

// matches reports whether a number is all that is described.
func (d *description) matches(national string) bool {
	return d.pattern.text != "" && (len(d.lengths) == 0 || slices.Contains(d.lengths, len(national))) &&
		d.pattern.regexp().MatchString(national)
}

// A lazy is a regular expression that is compiled when it is first needed.
type lazy struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

// regexp returns the expression; an empty text is one that matches anything.
func (l *lazy) regexp() *regexp.Regexp {
	l.once.Do(func() { l.re = regexp.MustCompile(l.text) })
	return l.re
}

// plans are the plans that were read; there are at most some 250.
var plans sync.Map // "CN" or "001 800\n" → *plan

// planOf returns the plan of a region, for "001" that of a calling code; nil
// where there is none.
func planOf(region string, code int) *plan {
	if !isRegion(region) {
		return nil
	}
	key := region
	if region == world {
		key += " " + strconv.Itoa(code) + "\n"
	}
	if p, ok := plans.Load(key); ok {
		return p.(*plan)
	}
	_, rest, found := strings.Cut(planFile, "\n@"+key)
	if !found {
		return nil
	}
	lines, _, _ := strings.Cut(rest, "\n@")
	made := &plan{code: code}
	if region != world {
		var first string
		first, lines, _ = strings.Cut(lines, "\n")
		made.code, _ = strconv.Atoi(strings.TrimSpace(first))
	}
	made.read(lines)
	p, _ := plans.LoadOrStore(key, made)
	return p.(*plan)
}

// isRegion keeps what is asked for from reaching into the file's text.
func isRegion(region string) bool {
	if region == world {
		return true
	}
	return len(region) == 2 && region[0] >= 'A' && region[0] <= 'Z' && region[1] >= 'A' && region[1] <= 'Z'
}

// read reads a plan's lines below its heading.
func (p *plan) read(lines string) {
	for line := range strings.Lines(lines) {
		key, value, _ := strings.Cut(strings.Trim(line, " \n"), " ")
		switch key {
		case "idd":
			p.idd.text = begins(value)
		case "trunk":
			p.trunk.text = begins(value)
		case "lead":
			p.lead.text = begins(value)
		case "rule":
			p.rule = value
		case "same":
			p.same = true
		case "format":
			words := strings.SplitN(value, " ", 3)
			p.formats = append(p.formats, format{template: words[2]})
			f := &p.formats[len(p.formats)-1]
			f.lead.text, f.whole.text = begins(words[0]), whole(words[1])
		default:
			p.describe(key, value)
		}
	}
}

func (p *plan) describe(key, value string) {
	k := Kind(slices.Index(kindNames[:], key))
	lengths, pattern, _ := strings.Cut(value, " ")
	lengths, local, _ := strings.Cut(lengths, "/")
	p.kinds[k].lengths = readLengths(lengths)
	p.kinds[k].pattern.text = whole(pattern)
	if k == general {
		p.local = readLengths(local)
	}
}

func begins(pattern string) string { return "^(?:" + pattern + ")" }
func whole(pattern string) string  { return "^(?:" + pattern + ")$" }

func readLengths(text string) []int {
	if text == "" || text == "-" {
		return nil
	}
	var lengths []int
	for word := range strings.SplitSeq(text, ",") {
		n, _ := strconv.Atoi(word)
		lengths = append(lengths, n)
	}
	return lengths
}
