package render

import (
	"strings"

	"assay/cause"
	"assay/internal/message"
)

// A Page is text being laid out for a terminal of one width.
type Page struct {
	Style
	Width int
	// Text finds the words.
	Text *message.Printer

	b strings.Builder
}

// NewPage returns an empty page, at least [MinWidth] wide.
func NewPage(width int, style Style, text *message.Printer) *Page {
	return &Page{Style: style, Width: max(width, MinWidth), Text: text}
}

// String is everything written so far.
func (p *Page) String() string { return p.b.String() }

// Blank writes an empty line, never two in a row and none at the start.
func (p *Page) Blank() {
	if s := p.b.String(); s != "" && !strings.HasSuffix(s, "\n\n") {
		p.b.WriteByte('\n')
	}
}

// Line writes one line as it is.
func (p *Page) Line(text string) {
	p.b.WriteString(strings.TrimRight(text, " "))
	p.b.WriteByte('\n')
}

// Paragraph writes a text wrapped, indented by some cells, each line painted.
func (p *Page) Paragraph(indent int, text string, codes ...string) {
	p.hang(strings.Repeat(" ", indent), indent, text, codes)
}

// Strong writes a paragraph in bold.
func (p *Page) Strong(indent int, text string) { p.Paragraph(indent, text, bold) }

// Weak writes a paragraph set back.
func (p *Page) Weak(indent int, text string) { p.Paragraph(indent, text, faint) }

// Leveled writes a paragraph coloured like a level, its sign before it.
func (p *Page) Leveled(l cause.Level, text string) {
	p.Paragraph(0, p.symbol(l)+" "+text, levelCodes(l)...)
}

// Row writes a label in a column of its own and a wrapped text beside it.
func (p *Page) Row(indent, column int, label, text string, codes ...string) {
	head := strings.Repeat(" ", indent) + p.Faint(Pad(label, column))
	p.hang(head, indent+column, text, codes)
}

// Item writes a wrapped text behind a mark ("1.", "-").
func (p *Page) Item(indent int, mark, text string, codes ...string) {
	p.hang(strings.Repeat(" ", indent)+mark+" ", indent+Width(mark)+1, text, codes)
}

// hang writes the first line after head and the others below it.
func (p *Page) hang(head string, indent int, text string, codes []string) {
	for i, line := range Wrap(text, p.Width-indent) {
		if i > 0 {
			head = strings.Repeat(" ", indent)
		}
		p.Line(head + p.paint(line, codes...))
	}
}

// Sides writes one text at the left and one at the right edge; the right one
// goes to a line of its own where both do not fit.
func (p *Page) Sides(left string, leftWidth int, right string) {
	gap := p.Width - leftWidth - Width(right)
	if gap < 2 {
		p.Line(left)
		if right != "" {
			p.Line(strings.Repeat(" ", max(0, p.Width-Width(right))) + p.Faint(right))
		}
		return
	}
	p.Line(left + strings.Repeat(" ", gap) + p.Faint(right))
}

// A Cell is one field of a table: its text and the codes that paint it.
type Cell struct {
	Text  string
	codes []string
}

// Plain, FaintCell and BoldCell make cells.
func Plain(text string) Cell     { return Cell{Text: text} }
func FaintCell(text string) Cell { return Cell{text, []string{faint}} }
func BoldCell(text string) Cell  { return Cell{text, []string{bold}} }

// LevelCell makes a cell that is coloured like a level.
func LevelCell(l cause.Level, text string) Cell { return Cell{text, levelCodes(l)} }

// Table writes rows in aligned columns. The column given by flexible takes the
// room that is left and is wrapped in it; the others are as wide as they need.
func (p *Page) Table(indent, flexible int, rows [][]Cell) {
	if len(rows) == 0 {
		return
	}
	widths := columnWidths(rows)
	room := p.Width - indent
	for i, w := range widths {
		if i != flexible {
			room -= w + 2
		}
	}
	if room < 16 {
		p.stacked(indent, rows)
		return
	}
	widths[flexible] = min(widths[flexible], room)
	for _, row := range rows {
		p.tableRow(indent, flexible, widths, row)
	}
}

// stacked writes a row a paragraph: the terminal is too narrow for columns.
func (p *Page) stacked(indent int, rows [][]Cell) {
	for _, row := range rows {
		for i, c := range row {
			if c.Text != "" {
				p.Paragraph(indent+min(i, 1)*2, c.Text, c.codes...)
			}
		}
	}
}

func columnWidths(rows [][]Cell) []int {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], Width(c.Text))
		}
	}
	return widths
}

func (p *Page) tableRow(indent, flexible int, widths []int, row []Cell) {
	var wrapped []string
	if flexible < len(row) {
		wrapped = Wrap(row[flexible].Text, widths[flexible])
	}
	for n := 0; n == 0 || n < len(wrapped); n++ {
		line := strings.Repeat(" ", indent)
		for i, c := range row {
			text := c.Text
			switch {
			case i == flexible && n < len(wrapped):
				text = wrapped[n]
			case n > 0:
				text = ""
			}
			line += p.paint(text, c.codes...) + strings.Repeat(" ", max(0, widths[i]-Width(text))+2)
		}
		p.Line(line)
	}
}

// RowItem is [Page.Row] for a numbered step: what follows its mark hangs.
func (p *Page) RowItem(indent, column int, label, mark, text string) {
	head := strings.Repeat(" ", indent) + p.Faint(Pad(label, column)) + mark + " "
	p.hang(head, indent+column+Width(mark)+1, text, nil)
}

// Column is the width of a label column that holds each of these messages.
func (p *Page) Column(ids ...string) int {
	column := 0
	for _, id := range ids {
		column = max(column, Width(p.Text.Text(id)))
	}
	return column + 2
}

// Mark is the sign before what is there.
func (p *Page) Mark() string { return p.pick("●", "*") }

// Bullet is the sign before one of several.
func (p *Page) Bullet() string { return p.pick("·", "-") }

// State is the sign for "ok", "missing" or "bad".
func (p *Page) State(state string) Cell {
	switch state {
	case "ok":
		return Cell{p.symbol(cause.Pass), levelCodes(cause.Pass)}
	case "missing":
		return Cell{p.symbol(cause.Info), levelCodes(cause.Warn)}
	}
	return Cell{p.symbol(cause.Refuse), levelCodes(cause.Refuse)}
}
