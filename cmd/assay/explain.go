package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/explain"
	"assay/internal/render"
)

func (a *app) explainCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "explain [TEXT|-]",
		Short:   a.text.Text("explain.short"),
		Long:    a.text.Text("explain.long"),
		Example: "  assay explain \"DNS problem: NXDOMAIN looking up TXT for _acme-challenge.orchard.net\"\n  journalctl -u certbot | assay explain -",
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := a.pasted(args)
			if err != nil {
				return err
			}
			return a.explain(text, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// pasted is the text to explain: the arguments, or standard input. Of a long
// one the end is read: that is where a log says what went wrong.
func (a *app) pasted(args []string) (string, error) {
	if len(args) > 0 && !(len(args) == 1 && args[0] == "-") {
		return strings.Join(args, " "), nil
	}
	if len(args) == 0 && terminal(a.in) {
		return "", a.usage("assay explain --help", "error.nothing-to-explain")
	}
	text, err := tail(a.in, explain.MaxText)
	if err != nil {
		return "", a.usage("assay explain --help", "error.open", "Path", a.text.Text("input.stdin"), "Why", a.why(err))
	}
	return text, nil
}

// tail reads everything and keeps the last limit bytes.
func tail(r io.Reader, limit int) (string, error) {
	kept := make([]byte, 0, 2*limit)
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if kept = append(kept, buf[:n]...); len(kept) > 2*limit-len(buf) {
			kept = append(kept[:0], kept[len(kept)-limit:]...)
		}
		if err == io.EOF {
			return string(kept[max(0, len(kept)-limit):]), nil
		}
		if err != nil {
			return "", err
		}
	}
}

// explain shows which causes a text stands for. Nothing known is exit code 4:
// it could not be decided.
func (a *app) explain(text string, asJSON bool) error {
	matches := explain.Text(text)
	if len(matches) == 0 {
		a.exit = exitUnknown
	}
	if asJSON {
		if matches == nil {
			matches = []explain.Match{}
		}
		return a.writeJSON(matches)
	}
	p := a.page()
	if len(matches) == 0 {
		p.Paragraph(0, a.text.Text("explain.nothing"))
		p.Paragraph(0, a.text.Text("explain.nothing.next"))
		return a.print(p)
	}
	column := p.Column("label.message", "label.why", "label.do", "label.check", "label.who")
	var previous explain.Match
	for _, m := range matches {
		p.Blank()
		a.match(p, m, previous, column)
		previous = m
	}
	p.Blank()
	p.Paragraph(0, a.text.Text("causes.more", "Command", "assay causes "+string(matches[0].Cause)))
	return a.print(p)
}

// match writes one cause. What it shares with the one before is not repeated,
// and the steps are those of causes that are more than possible.
func (a *app) match(p *render.Page, m, previous explain.Match, column int) {
	t := cause.TextsOf(m.Cause, a.text.Lang())
	word := a.text.Text("confidence." + m.Confidence)
	left := p.Level(confidenceLevel(m.Confidence), word) + "  " + p.Bold(t.Title)
	p.Sides(left, render.Width(word)+2+render.Width(t.Title), string(m.Cause))
	if m.Excerpt != previous.Excerpt || m.Source != previous.Source {
		p.Row(2, column, a.text.Text("label.message"), render.Safe(m.Source+a.text.Text("punctuation.colon")+m.Excerpt))
	}
	p.Row(2, column, a.text.Text("label.why"), t.Why)
	p.Row(2, column, a.text.Text("label.who"), a.text.Text("who."+string(cause.Lookup(m.Cause).Who)))
	label := a.text.Text("label.do")
	for i, h := range t.Handling {
		if m.Confidence == explain.Possible {
			break
		}
		p.RowItem(2, column, label, itoa(int64(i+1))+".", render.Safe(t.Fill(h, parameters(m), a.text.Lang())))
		label = ""
	}
	if m.Check != previous.Check {
		p.Line("  " + p.Faint(render.Pad(a.text.Text("label.check"), column)) + p.Command(render.Safe(m.Check)))
	}
}

func parameters(m explain.Match) cause.Parameters {
	p := make(cause.Parameters, len(m.Parameters))
	for k, v := range m.Parameters {
		p[k] = v
	}
	return p
}

// confidenceLevel lends a level's colour to a confidence.
func confidenceLevel(c string) cause.Level {
	switch c {
	case explain.Certain:
		return cause.Refuse
	case explain.Likely:
		return cause.Warn
	}
	return cause.Info
}
