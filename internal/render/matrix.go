package render

import (
	"slices"
	"strings"

	"assay/cause"
	"assay/review"
)

// A sheet is one check of a subject in the matrix: a line for each server, a
// column for each place.
type sheet struct {
	check, subject string
	lines          []*sheetLine
}

type sheetLine struct {
	label    string
	outcomes map[string]string // by perspective
}

// maxSheets and maxLines bound what a terminal shows; the JSON has it all.
const (
	maxSheets = 12
	maxLines  = 16
)

// sheets sorts the cells of a report.
func sheets(r *review.Report) []*sheet {
	var list []*sheet
	for i := range r.Matrix {
		c := &r.Matrix[i]
		n := slices.IndexFunc(list, func(s *sheet) bool { return s.check == c.Check && s.subject == c.Subject })
		if n < 0 {
			n = len(list)
			list = append(list, &sheet{check: c.Check, subject: c.Subject})
		}
		label := lineLabel(c)
		m := slices.IndexFunc(list[n].lines, func(l *sheetLine) bool { return l.label == label })
		if m < 0 {
			m = len(list[n].lines)
			list[n].lines = append(list[n].lines, &sheetLine{label, map[string]string{}})
		}
		list[n].lines[m].outcomes[c.Perspective] = c.Outcome
	}
	for _, s := range list {
		s.fold()
	}
	return list
}

// lineLabel is the server of a cell: a name server by its name and address, a
// web server by scheme and address.
func lineLabel(c *review.Cell) string {
	return strings.TrimSpace(strings.Join(strings.Fields(c.Scheme+" "+c.Server+" "+c.Address), " "))
}

// fold leaves out the addresses of name servers of which none is like another by
// name, and puts what is seen without a server (a place that could not look) on
// every line.
func (s *sheet) fold() {
	if len(s.lines) < 2 {
		return
	}
	for i, l := range s.lines {
		if l.label == "http" || l.label == "https" || l.label == "" {
			for j, other := range s.lines {
				if i == j || !strings.HasPrefix(other.label, l.label) {
					continue
				}
				for place, outcome := range l.outcomes {
					if other.outcomes[place] == "" {
						other.outcomes[place] = outcome
					}
				}
			}
		}
	}
	if kept := slices.DeleteFunc(slices.Clone(s.lines), func(l *sheetLine) bool {
		return (l.label == "http" || l.label == "https" || l.label == "") &&
			slices.ContainsFunc(s.lines, func(o *sheetLine) bool { return o != l && strings.HasPrefix(o.label, l.label) })
	}); len(kept) > 0 {
		s.lines = kept
	}
	for _, l := range s.lines {
		name, _, ok := strings.Cut(l.label, " ")
		alone := !slices.ContainsFunc(s.lines, func(o *sheetLine) bool { return o != l && strings.HasPrefix(o.label, name+" ") })
		if ok && alone && s.check == "dns" {
			l.label = name
		}
	}
}

// fine reports whether everything seen is as it has to be.
func (s *sheet) fine() bool { return s.outcome() == "ok" }

// outcome is the one that every cell has, "" where they differ.
func (s *sheet) outcome() string {
	word := ""
	for _, l := range s.lines {
		for _, outcome := range l.outcomes {
			if word != "" && word != outcome {
				return ""
			}
			word = outcome
		}
	}
	return word
}

// matrix shows what each place saw of each server, where there is more than one
// place, or servers differ.
func (p *Page) matrix(r *review.Report) {
	list := sheets(r)
	if len(r.Perspectives) < 2 && !slices.ContainsFunc(list, func(s *sheet) bool { return s.outcome() == "" }) || len(list) == 0 {
		return
	}
	var places []string
	for i := range r.Perspectives {
		places = append(places, r.Perspectives[i].ID)
	}
	p.Blank()
	p.Line(" " + p.Bold(p.Text.Text("heading.matrix")))
	// What differs first: the rest is only counted where there is much of it.
	slices.SortStableFunc(list, func(a, b *sheet) int { return order(a.fine()) - order(b.fine()) })
	rest := len(list) - maxSheets
	if rest > 0 {
		list = list[:maxSheets]
	}
	for len(places) > 0 {
		rows := p.sheetRows(list, places)
		n := p.fitting(columnWidths(rows))
		for i := range rows {
			rows[i] = rows[i][:min(n+1, len(rows[i]))]
		}
		p.Table(1, 0, rows)
		if places = places[n:]; len(places) > 0 {
			p.Blank()
		}
	}
	if rest > 0 {
		p.Paragraph(1, p.Text.Count("subject.more", rest), faint)
	}
}

func order(last bool) int {
	if last {
		return 1
	}
	return 0
}

// fitting is how many places fit beside the labels: at least one.
func (p *Page) fitting(widths []int) int {
	room, n := p.Width-1-min(widths[0], 40)-2, 0
	for _, w := range widths[1:] {
		if room -= w + 2; room < -2 && n > 0 { // nothing follows the last one
			break
		}
		n++
	}
	return n
}

// sheetRows are the lines of all sheets for some places.
func (p *Page) sheetRows(list []*sheet, places []string) [][]Cell {
	head := []Cell{Plain("")}
	for _, id := range places {
		head = append(head, FaintCell(Safe(id)))
	}
	rows := [][]Cell{head}
	for _, s := range list {
		title := Clip(p.subject(s.subject), 40) + p.Text.Text("punctuation.colon") + p.Text.Text("matrix."+s.check)
		if len(s.lines) == 1 || s.outcome() != "" {
			rows = append(rows, p.sheetRow(BoldCell(title), s.lines[0], places))
			continue
		}
		rows = append(rows, []Cell{BoldCell(title)})
		for _, l := range s.lines[:min(len(s.lines), maxLines)] {
			rows = append(rows, p.sheetRow(Plain(p.Bullet()+" "+Clip(Safe(l.label), 60)), l, places))
		}
	}
	return rows
}

func (p *Page) sheetRow(label Cell, l *sheetLine, places []string) []Cell {
	row := []Cell{label}
	for _, id := range places {
		row = append(row, p.outcomeCell(l.outcomes[id]))
	}
	return row
}

// outcomeCell is the cell of an outcome, in the reader's language where it is a word.
func (p *Page) outcomeCell(word string) Cell {
	text := Clip(Safe(word), 12)
	if id := "outcome." + word; p.Text.Has(id) {
		text = p.Text.Text(id)
	}
	switch word {
	case "":
		return FaintCell(p.pick("·", "-"))
	case "ok":
		return Cell{text, levelCodes(cause.Pass)}
	case "unknown":
		return Cell{text, levelCodes(cause.Unknown)}
	}
	return Cell{text, levelCodes(cause.Refuse)}
}
