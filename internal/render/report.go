package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/review"
)

// Options are how a report is shown.
type Options struct {
	Style
	// Width of the terminal in cells.
	Width int
	// Zone is the reader's time zone: times are shown in it beside UTC.
	Zone *time.Location
	// Next are the commands to go on with.
	Next []string
}

// Report lays out a report that was localized: the verdict, the order, every
// finding under the one that explains it, and what was not looked at.
func Report(r *review.Report, text *message.Printer, o Options) string {
	p := NewPage(o.Width, o.Style, text)
	p.Blank()
	p.verdict(r)
	p.order(r)
	p.readiness(r)
	p.findings(r, o)
	p.matrix(r)
	p.footer(r, o)
	return p.String()
}

// Findings lays out findings: gravest first, each under the one that explains
// it, those that only inform at the end.
func (p *Page) Findings(findings []review.Finding) {
	p.findings(&review.Report{Findings: findings}, Options{})
}

func (p *Page) findings(r *review.Report, o Options) {
	groups := group(r.Findings)
	for _, g := range groups {
		if !g.onlyInforms() {
			p.Blank()
			p.finding(g, r, o)
		}
	}
	p.notes(groups)
}

// FindingLine writes a finding in a line, its level before it and a word of
// what became of it, "" where nothing is to be said of that; with found, what was
// found below.
func (p *Page) FindingLine(word string, f *review.Finding, found bool) {
	mark := p.symbol(f.Level)
	if word != "" {
		mark += " " + word
	}
	if word == "" || f.Level != cause.Pass {
		mark += " " + p.levelWord(f.Level)
	}
	p.hang(" "+p.Level(f.Level, mark)+"  ", 3+Width(mark), p.subject(f.Subject)+p.Text.Text("punctuation.colon")+f.Title, nil)
	if found {
		text, _ := split(f, p.Text.Lang())
		p.Paragraph(3, prose(text), faint)
	}
}

// Verdict is a verdict's badge with a word of its own.
func (p *Page) Verdict(v review.Verdict, word string) string {
	return p.badge(v, p.symbol(cause.Level(v))+" "+word)
}

func (p *Page) verdict(r *review.Report) {
	v := string(r.Verdict)
	word := p.Text.Text("verdict." + v)
	if r.Verdict == review.VerdictPass && r.Scope == review.ScopeOrder {
		word = p.Text.Text("verdict.pass-order-only")
	}
	p.Line(p.Verdict(r.Verdict, word))
	id := "verdict." + v + ".means"
	if len(r.Readiness) > 0 && r.Verdict == review.VerdictPass {
		id = "verdict.pass.ready"
	}
	sentence := p.Text.Text(id, "Profile", Safe(r.Profile.Name))
	p.Paragraph(1, sentence)
	p.Paragraph(1, p.counts(r), faint)
	p.Blank()
}

// counts is "2 refuse · 1 warn", gravest first.
func (p *Page) counts(r *review.Report) string {
	var parts []string
	for _, l := range cause.Levels() {
		n := 0
		for i := range r.Findings {
			if r.Findings[i].Level == l {
				n++
			}
		}
		if n > 0 {
			parts = append(parts, p.Text.Text("count.level", "Count", n, "Level", p.levelWord(l)))
		}
	}
	if len(parts) == 0 {
		return p.Text.Text("count.none")
	}
	return strings.Join(parts, p.dot())
}

func (p *Page) dot() string { return p.pick(" · ", " - ") }

func (p *Page) levelWord(l cause.Level) string { return p.Text.Text("level." + string(l)) }

// maxNamesShown is how many names the line about the order lists.
const maxNamesShown = 4

func (p *Page) order(r *review.Report) {
	names := make([]string, 0, maxNamesShown)
	for _, n := range r.Order.Names[:min(len(r.Order.Names), maxNamesShown)] {
		names = append(names, Clip(Safe(n), 70))
	}
	line := strings.Join(names, ", ")
	if rest := len(r.Order.Names) - len(names); rest > 0 {
		line += " " + p.Text.Count("order.more-names", rest)
	}
	if line == "" {
		line = p.Text.Text("order.no-names")
	}
	p.Paragraph(1, line, bold)
	facts := []string{strings.ToUpper(string(r.Order.Product))}
	if r.Order.Method != "" {
		facts = append(facts, string(r.Order.Method))
	}
	if r.Order.CSR != "" {
		facts = append(facts, p.Text.Text("order.with-csr"))
	}
	if r.Order.Plan != "" {
		facts = append(facts, p.Text.Text("order.plan", "Plan", Safe(r.Order.Plan)))
	}
	facts = append(facts,
		p.Text.Text("order.profile", "Profile", Safe(r.Profile.Name)),
		p.Text.Text("order.as-of", "Time", r.At.UTC().Format("2006-01-02 15:04")))
	p.Paragraph(1, strings.Join(facts, p.dot()), faint)
}

// finding writes one group: the title, each subject with what was found, then
// once for all of them why, what to do and who.
func (p *Page) finding(g *cluster, r *review.Report, o Options) {
	f := g.lead()
	word := p.symbol(f.Level) + " " + p.levelWord(f.Level)
	head := " " + p.Level(f.Level, word) + "  " + p.Bold(f.Title)
	width := 1 + Width(word) + 2 + Width(f.Title)
	if width > p.Width {
		p.Line(" " + p.Level(f.Level, word))
		p.Paragraph(3, f.Title, bold)
		p.Paragraph(3, string(f.Cause), faint)
	} else {
		p.Sides(head, width, string(f.Cause))
	}
	column := p.labelColumn()
	p.subjects(g, column, r, o)
	_, why := split(f, p.Text.Lang())
	if why != "" {
		p.Row(3, column, p.Text.Text("label.why"), prose(why), faint)
	}
	p.handling(g, column)
	p.Row(3, column, p.Text.Text("label.who"), p.Text.Text("who."+string(f.Who)))
	p.reproduce(g, column)
	for _, c := range g.consequences {
		p.consequence(c, column)
	}
	p.proof(g, column, r)
}

var labels = []string{"label.found", "label.why", "label.do", "label.who", "label.show", "label.retry", "label.leads-to", "label.details", "label.answers"}

func (p *Page) labelColumn() int { return p.Column(labels...) }

// maxSubjects is how many subjects of one cause are shown.
const maxSubjects = 8

func (p *Page) subjects(g *cluster, column int, r *review.Report, o Options) {
	shown := g.findings[:min(len(g.findings), maxSubjects)]
	for _, f := range shown {
		table := p.answers(r, f)
		p.Paragraph(3, p.subject(f.Subject), bold)
		p.Row(3, column, p.Text.Text("label.found"), prose(p.found(f, len(table.rows) > 0)))
		p.answerRows(table, column)
		if f.RetryAt != nil {
			p.Row(3, column, p.Text.Text("label.retry"), p.soon(*f.RetryAt, r.At, o.Zone))
		}
	}
	if rest := len(g.findings) - len(shown); rest > 0 {
		p.Paragraph(3, p.Text.Count("subject.more", rest), faint)
	}
}

// found is what was found; where a table shows the answers of each server, the
// sentences that list them are left out.
func (p *Page) found(f *review.Finding, tabled bool) string {
	found, _ := split(f, p.Text.Lang())
	t := cause.TextsOf(f.Cause, p.Text.Lang())
	if !tabled || t == nil {
		return found
	}
	rest := maps.Clone(f.Parameters)
	for _, listed := range []string{"answers", "serials", "results", "servers_with"} {
		delete(rest, listed)
	}
	return t.Fill(t.Found, rest, p.Text.Lang())
}

// proof names the parameters that no text shows and the observations behind a
// group of findings.
func (p *Page) proof(g *cluster, column int, r *review.Report) {
	label := p.Text.Text("label.details")
	for _, f := range g.findings[:min(len(g.findings), maxSubjects)] {
		found, _ := split(f, p.Text.Lang())
		if details := p.details(f, found+p.answers(r, f).text()); details != "" {
			if len(g.findings) > 1 {
				details = p.subject(f.Subject) + p.Text.Text("punctuation.colon") + details
			}
			p.Row(3, column, label, details, faint)
			label = ""
		}
	}
}

// subject is a subject in words where it is no name.
func (p *Page) subject(s string) string {
	if id := "subject." + s; p.Text.Has(id) {
		return p.Text.Text(id)
	}
	return Clip(Safe(s), 200)
}

// details are the parameters that the text does not show already, and the
// observations that prove the finding.
func (p *Page) details(f *review.Finding, found string) string {
	shown := found + strings.Join(f.Handling, " ") + f.Subject
	keys := make([]string, 0, len(f.Parameters))
	for k := range f.Parameters {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var parts []string
	t := cause.TextsOf(f.Cause, p.Text.Lang())
	for _, k := range keys {
		if t != nil && t.Phrases[k] != nil {
			continue // the text says it in words
		}
		switch f.Parameters[k].(type) {
		case int, bool, float64:
			continue // offsets and counts mean nothing by themselves
		}
		value := cause.FormatValue(f.Parameters[k], p.Text.Lang())
		if value == "" || strings.Contains(shown, value) {
			continue
		}
		parts = append(parts, k+"="+Clip(Safe(value), 60))
	}
	for _, id := range f.Evidence {
		parts = append(parts, Safe(id))
	}
	return strings.Join(parts, ", ")
}

// maxOwnSteps is for how many further subjects their own steps are shown.
const maxOwnSteps = 3

// handling writes the steps of the first finding, then for each other one those
// of its steps that read differently.
func (p *Page) handling(g *cluster, column int) {
	first := g.lead()
	label := p.Text.Text("label.do")
	for i, step := range first.Handling {
		if len(first.Handling) == 1 {
			p.Row(3, column, label, prose(step))
			break
		}
		p.RowItem(3, column, label, fmt.Sprintf("%d.", i+1), prose(step))
		label = ""
	}
	shown := 0
	for _, f := range g.findings[1:] {
		if shown == maxOwnSteps || slices.Equal(f.Handling, first.Handling) {
			continue
		}
		shown++
		p.Row(3, column, "", p.Text.Text("handling.for", "Subject", p.subject(f.Subject)), faint)
		for i, step := range f.Handling {
			if !slices.Contains(first.Handling, step) {
				p.RowItem(3, column, "", fmt.Sprintf("%d.", i+1), prose(step))
			}
		}
	}
}

func (p *Page) reproduce(g *cluster, column int) {
	var commands []string
	for _, f := range g.findings[:min(len(g.findings), maxSubjects)] {
		for _, c := range f.Reproduce {
			if !slices.Contains(commands, c) {
				commands = append(commands, c)
			}
		}
	}
	label := p.Text.Text("label.show")
	for _, c := range commands[:min(len(commands), 3)] {
		// A command stays on one line, so that it can be pasted.
		p.Line("   " + p.Faint(Pad(label, column)) + p.Command(Safe(c)))
		label = ""
	}
}

func (p *Page) consequence(f *review.Finding, column int) {
	found, _ := split(f, p.Text.Lang())
	text := p.levelWord(f.Level) + p.Text.Text("punctuation.colon") + f.Title
	if found != "" {
		text += p.pick(" — ", " - ") + prose(found)
	}
	p.Row(3, column, p.Text.Text("label.leads-to"), text, faint)
}

// notes are the findings that only inform: a line or two each.
func (p *Page) notes(groups []*cluster) {
	first := true
	for _, g := range groups {
		if !g.onlyInforms() {
			continue
		}
		if first {
			p.Blank()
			p.Line(" " + p.Bold(p.Text.Text("heading.notes")))
			first = false
		}
		for _, f := range g.findings[:min(len(g.findings), maxSubjects)] {
			found, _ := split(f, p.Text.Lang())
			p.Item(1, p.symbol(cause.Info), p.subject(f.Subject)+p.Text.Text("punctuation.colon")+prose(found), faint)
		}
		if rest := len(g.findings) - maxSubjects; rest > 0 {
			p.Paragraph(3, p.Text.Count("subject.more", rest), faint)
		}
	}
}

// split separates what was found from why it matters: an explanation is both.
func split(f *review.Finding, lang cause.Language) (found, why string) {
	t := cause.TextsOf(f.Cause, lang)
	if t == nil || t.Why == "" || !strings.HasSuffix(f.Explanation, t.Why) {
		return f.Explanation, ""
	}
	found = strings.TrimSuffix(f.Explanation, t.Why)
	return strings.TrimRight(found, " "), t.Why
}
