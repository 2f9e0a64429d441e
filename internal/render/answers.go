package render

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"assay/evidence"
	"assay/review"
)

// answerTable shows who gave what, where that differs: the servers of a zone
// beside each other, or the places that were looked from. rows is empty where
// everybody gave the same.
type answerTable struct {
	rows     [][]Cell
	flexible int // the column that is wrapped
}

// answerRows writes a table beside the label of the findings, where there is
// room, else below it.
func (p *Page) answerRows(t answerTable, column int) {
	if len(t.rows) == 0 {
		return
	}
	label, indent := p.Text.Text("label.answers"), 3+column
	fixed := 0
	for i, w := range columnWidths(t.rows) {
		if i != t.flexible {
			fixed += w + 2
		}
	}
	if p.Width-indent < fixed+leastAnswer {
		p.Line("   " + p.Faint(label))
		p.answersBelow(t)
		return
	}
	beside := &Page{Style: p.Style, Width: p.Width - indent, Text: p.Text}
	beside.Table(0, t.flexible, t.rows)
	for line := range strings.Lines(beside.String()) {
		p.Line("   " + p.Faint(Pad(label, column)) + strings.TrimSuffix(line, "\n"))
		label = ""
	}
}

// answersBelow writes each row in two lines, for a narrow terminal.
func (p *Page) answersBelow(t answerTable) {
	for _, row := range t.rows {
		head := ""
		for _, c := range row[:t.flexible] {
			head += p.paint(c.Text, c.codes...) + " "
		}
		p.Line("     " + head)
		text := make([]string, 0, len(row)-t.flexible)
		for _, c := range row[t.flexible:] {
			text = append(text, c.Text)
		}
		p.Paragraph(7, strings.Join(text, p.dot()))
	}
}

// text is everything the table says.
func (t answerTable) text() string {
	var b strings.Builder
	for _, row := range t.rows {
		for _, c := range row {
			b.WriteString(c.Text + " ")
		}
	}
	return b.String()
}

// leastAnswer is the least room for what a server gave.
const leastAnswer = 20

// maxAnswers bounds the rows of a table.
const maxAnswers = 26

// answers makes the table for a finding from the observations that prove it.
func (p *Page) answers(r *review.Report, f *review.Finding) answerTable {
	var about *evidence.Observation
	for _, id := range f.Evidence {
		if o := observation(r, id); o != nil && o.DNS != nil && o.Question.DNS != nil && o.Question.DNS.Each {
			about = o
			break
		}
	}
	if about == nil {
		return answerTable{}
	}
	expected, _ := f.Parameters["expected"].(string)
	// Where servers differ, which of them a place heard first is chance.
	if t := p.byServer(r, about, expected); len(t.rows) > 0 {
		return t
	}
	return p.byPlace(r, about, expected)
}

func observation(r *review.Report, id string) *evidence.Observation {
	for i := range r.Observations {
		if r.Observations[i].ID == id {
			return &r.Observations[i]
		}
	}
	return nil
}

// byPlace compares what each place saw of one question.
func (p *Page) byPlace(r *review.Report, about *evidence.Observation, expected string) answerTable {
	question, _ := json.Marshal(about.Question.DNS)
	places := map[string][]string{}
	var outcomes []string
	for i := range r.Observations {
		o := &r.Observations[i]
		if o.Question.DNS == nil || o.DNS == nil {
			continue
		}
		if same, _ := json.Marshal(o.Question.DNS); string(same) != string(question) {
			continue
		}
		text := p.outcome(o.DNS.Status, o.DNS.Answer, o.Question.DNS.Type)
		if text == "bogus" || o.DNS.Status == "unanswered" {
			text = p.status(o.DNS.Status)
		}
		if places[text] == nil {
			outcomes = append(outcomes, text)
		}
		places[text] = append(places[text], o.Question.Perspective)
	}
	if len(outcomes) < 2 {
		return answerTable{}
	}
	t := answerTable{flexible: 1}
	for _, text := range outcomes {
		t.rows = append(t.rows, []Cell{Plain(Safe(strings.Join(places[text], " "))), Plain(Safe(text))})
	}
	return p.matched(t, expected)
}

// byServer compares what the servers of the zone gave at one place.
func (p *Page) byServer(r *review.Report, about *evidence.Observation, expected string) answerTable {
	var link *evidence.DNSLink
	for i := range about.DNS.Links {
		if l := &about.DNS.Links[i]; len(l.Copies) > 1 && p.differ(l, about.Question.DNS.Type) {
			link = l
		}
	}
	if link == nil {
		return answerTable{}
	}
	serials := serialsOf(r, about.Question.Perspective, link.Zone)
	names := map[string]int{}
	for i := range link.Copies {
		names[link.Copies[i].Server]++
	}
	apart := names[""] > 0 || len(names) < len(link.Copies) // by address only
	t := answerTable{flexible: 1}
	if apart {
		t.flexible = 2
	}
	for i := range link.Copies[:min(len(link.Copies), maxAnswers)] {
		c := &link.Copies[i]
		text := p.copyOutcome(c, about.Question.DNS.Type)
		row := []Cell{Plain(Safe(c.Server))}
		if apart {
			row = append(row, FaintCell(c.Address))
		}
		row = append(row, Plain(Safe(text)))
		if serial := serials[c.Address]; serial != "" {
			row = append(row, FaintCell(p.Text.Text("answers.serial", "Serial", serial)))
		}
		t.rows = append(t.rows, row)
	}
	return p.matched(t, expected)
}

func (p *Page) differ(l *evidence.DNSLink, typ string) bool {
	first := p.copyOutcome(&l.Copies[0], typ)
	return slices.ContainsFunc(l.Copies[1:], func(c evidence.DNSCopy) bool { return p.copyOutcome(&c, typ) != first })
}

// serialsOf reads the serial of a zone's copy at each address, where it was asked.
func serialsOf(r *review.Report, place, zone string) map[string]string {
	serials := map[string]string{}
	for i := range r.Observations {
		o := &r.Observations[i]
		if q := o.Question.DNS; q == nil || q.Type != "SOA" || o.Question.Perspective != place || o.DNS == nil {
			continue
		}
		for _, l := range o.DNS.Links {
			if l.Zone != zone {
				continue
			}
			for _, c := range l.Copies {
				for _, rr := range c.Answer {
					if fields := strings.Fields(rr.Data); rr.Type == "SOA" && len(fields) > 2 {
						serials[c.Address] = fields[2]
					}
				}
			}
		}
	}
	return serials
}

func (p *Page) copyOutcome(c *evidence.DNSCopy, typ string) string {
	if c.Unknown != "" {
		return p.Text.Text("unknown." + c.Unknown)
	}
	text := p.outcome(c.Status, c.Answer, typ)
	if c.Status == "NOERROR" && !c.Authoritative {
		text = p.Text.Text("answers.not-authoritative")
	}
	return text
}

// outcome is what a response says: its records, or why there are none.
func (p *Page) outcome(status string, answer []evidence.Record, typ string) string {
	if status != "NOERROR" {
		return p.status(status)
	}
	var data []string
	for _, r := range answer {
		if r.Type == typ || r.Type == "CNAME" {
			text := recordText(r)
			if r.Type != typ {
				text = r.Type + " " + text
			}
			data = append(data, Clip(text, 60))
		}
	}
	if len(data) == 0 {
		return p.Text.Text("trace.no-data")
	}
	return strings.Join(data, " | ")
}

// recordText is a record's data; the strings of a TXT record as one text.
func recordText(r evidence.Record) string {
	if r.Type != "TXT" {
		return r.Data
	}
	text, err := strconv.Unquote(strings.ReplaceAll(r.Data, `" "`, ""))
	if err != nil || text != strings.TrimSpace(text) || text == "" || strings.Contains(text, `"`) {
		return r.Data // quoted: it shows what is odd about it
	}
	return text
}

func (p *Page) status(status string) string {
	if id := "status." + status; p.Text.Has(id) {
		return p.Text.Text(id)
	}
	return status
}

// matched puts a sign before each answer: whether it holds the value asked for.
func (p *Page) matched(t answerTable, expected string) answerTable {
	if expected == "" {
		return t
	}
	for i, row := range t.rows {
		sign := p.State("bad")
		if slices.Contains(strings.Split(row[t.flexible].Text, " | "), Safe(Clip(expected, 60))) {
			sign = p.State("ok")
		}
		t.rows[i] = append([]Cell{sign}, row...)
	}
	t.flexible++
	return t
}
