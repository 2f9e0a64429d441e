package render

import (
	"fmt"
	"strings"

	"assay/cause"
	"assay/review"
)

// readiness says by which methods validation can work, best first, where no
// value to look for was given.
func (p *Page) readiness(r *review.Report) {
	if len(r.Readiness) == 0 {
		return
	}
	p.Blank()
	p.Line(" " + p.Bold(p.Text.Text("heading.readiness")))
	levels := cause.Levels()
	var rows [][]Cell
	for i := len(levels) - 1; i >= 0; i-- {
		var methods []string
		for _, m := range r.Readiness {
			if cause.Level(m.Verdict) == levels[i] {
				methods = append(methods, string(m.Method))
			}
		}
		if methods != nil {
			l := levels[i]
			word := p.symbol(l) + " " + p.Text.Text("ready."+string(l))
			rows = append(rows, []Cell{{word, levelCodes(l)}, Plain(strings.Join(methods, ", "))})
		}
	}
	p.Table(1, 1, rows)
}

// lookedFrom says from where the network was looked at, what did not work there,
// and whether the settings were the public internet's.
func (p *Page) lookedFrom(r *review.Report, column int) {
	if len(r.Perspectives) == 0 {
		return
	}
	facts := []string{p.places(r)}
	if rounds, took := took(r); rounds > 0 {
		facts = append(facts, p.Text.Count("footer.took", rounds, "Time", took))
	}
	if r.MPIC != "" {
		facts = append(facts, "MPIC "+Safe(r.MPIC))
	}
	p.Row(1, column, p.Text.Text("footer.from"), strings.Join(facts, p.dot()), faint)
	label := p.Text.Text("footer.missing")
	for i := range r.Perspectives {
		for _, m := range r.Perspectives[i].Missing {
			text := p.Text.Text("missing." + m.What)
			if len(r.Perspectives) > 1 {
				text = Safe(r.Perspectives[i].ID) + p.Text.Text("punctuation.colon") + text
			}
			p.Row(1, column, label, text)
			label = ""
		}
	}
	if r.Lab {
		p.Row(1, column, p.Text.Text("footer.lab"), p.Text.Text("footer.lab.means"))
	}
}

// places lists where one looked from, those of one region together.
func (p *Page) places(r *review.Report) string {
	var groups []string
	ids := map[string][]string{}
	for i := range r.Perspectives {
		at := &r.Perspectives[i]
		group := ""
		if at.Region != "" {
			group = " (" + Safe(at.Region) + ")"
		}
		if at.Resolver != "" {
			group += " " + p.Text.Text("footer.through", "Resolver", Safe(at.Resolver))
		}
		if ids[group] == nil {
			groups = append(groups, group)
		}
		ids[group] = append(ids[group], Safe(at.ID))
	}
	if len(r.Perspectives) == 1 && r.Perspectives[0].ID == "P0" {
		return p.Text.Text("footer.this-machine") + groups[0]
	}
	for i, group := range groups {
		groups[i] = strings.Join(ids[group], " ") + group
	}
	return cause.FormatValue(groups, p.Text.Lang())
}

// took counts the rounds of questions and says how long they took together.
func took(r *review.Report) (rounds int, text string) {
	ms := 0.0
	for {
		t, ok := r.Timing[fmt.Sprintf("round %d", rounds+1)]
		if !ok {
			break
		}
		rounds++
		ms += t
	}
	if ms < 1000 {
		return rounds, fmt.Sprintf("%.0f ms", ms)
	}
	return rounds, fmt.Sprintf("%.1f s", ms/1000)
}
