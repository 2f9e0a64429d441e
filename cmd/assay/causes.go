package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/internal/render"
	"assay/profile"
	"assay/review"
)

func (a *app) causesCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "causes [ID|STAGE]",
		Short:   a.text.Text("causes.short"),
		Long:    a.text.Text("causes.long"),
		Example: "  assay causes\n  assay causes csr\n  assay causes csr.reused",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			views, err := a.causeViews(args)
			if err != nil {
				return err
			}
			switch {
			case asJSON && len(args) == 1 && strings.Contains(args[0], "."):
				return a.writeJSON(views[0])
			case asJSON:
				return a.writeJSON(views)
			case len(args) == 1 && strings.Contains(args[0], "."):
				return a.explainCause(views[0])
			}
			return a.listCauses(views)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, e := range cause.All() {
				ids = append(ids, string(e.ID))
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// A causeView is one entry of the catalogue as it is shown.
type causeView struct {
	ID    cause.ID    `json:"id"`
	Stage cause.Stage `json:"stage"`
	Title string      `json:"title"`
	Found string      `json:"found"`
	// Variants is what ‹rule› in Found stands for.
	Variants []string  `json:"variants,omitempty"`
	Why      string    `json:"why"`
	Handling []string  `json:"handling"`
	Who      cause.Who `json:"who"`
	// Rule is set where a rule looks for the cause already.
	Rule bool `json:"rule"`
	// Levels is the level under each embedded profile, as profiles write it.
	Levels     map[string]string `json:"levels"`
	Seed       []string          `json:"seed,omitempty"`
	References []string          `json:"references,omitempty"`
	Replaces   []cause.ID        `json:"replaces,omitempty"`
	ReplacedBy []cause.ID        `json:"replaced_by,omitempty"`
	LeadsTo    []cause.ID        `json:"leads_to,omitempty"`
	FollowsOn  []cause.ID        `json:"follows_on,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
}

// causeViews returns the entries of an argument: all, a stage's, or one.
func (a *app) causeViews(args []string) ([]causeView, error) {
	implemented := review.Implemented()
	var views []causeView
	for _, e := range cause.All() {
		if len(args) == 1 && args[0] != string(e.ID) && args[0] != string(e.Stage()) {
			continue
		}
		v, err := a.causeView(e, slices.Contains(implemented, e.ID))
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	if len(views) == 0 {
		next := "assay causes"
		if near := nearestCause(args[0]); near != "" {
			next += " " + near
		}
		return nil, a.usage(next, "error.no-cause", "ID", args[0])
	}
	return views, nil
}

func (a *app) causeView(e *cause.Entry, rule bool) (causeView, error) {
	t := cause.TextsOf(e.ID, a.text.Lang())
	v := causeView{
		ID: e.ID, Stage: e.Stage(), Who: e.Who, Rule: rule, Seed: e.Seed, References: e.References,
		Replaces: e.Replaces, LeadsTo: e.LeadsTo, Parameters: e.Parameters, Levels: map[string]string{},
	}
	if t != nil {
		v.Title, v.Found, v.Why, v.Variants = t.Title, t.Entry(t.Found, a.text.Lang()), t.Why, t.Variants(a.text.Lang())
		for _, h := range t.Handling {
			v.Handling = append(v.Handling, t.Entry(h, a.text.Lang()))
		}
	}
	for _, other := range cause.All() {
		if slices.Contains(other.Replaces, e.ID) {
			v.ReplacedBy = append(v.ReplacedBy, other.ID)
		}
		if slices.Contains(other.LeadsTo, e.ID) {
			v.FollowsOn = append(v.FollowsOn, other.ID)
		}
	}
	for _, name := range profile.Embedded() {
		p, err := profile.Named(name)
		if err != nil {
			return v, err
		}
		v.Levels[name] = "pass"
		if level := p.Levels[e.ID]; level != "" {
			v.Levels[name] = level
		}
	}
	return v, nil
}

func (a *app) listCauses(views []causeView) error {
	p := a.page()
	var stage cause.Stage
	var rows [][]render.Cell
	flush := func() {
		p.Table(1, 2, rows)
		rows = nil
	}
	rules, widest := 0, 0
	for _, v := range views {
		widest = max(widest, len(v.ID))
	}
	for _, v := range views {
		if v.Stage != stage {
			flush()
			stage = v.Stage
			p.Blank()
			p.Line(p.Bold(string(stage)))
		}
		mark := " "
		if v.Rule {
			mark = p.Mark()
			rules++
		}
		rows = append(rows, []render.Cell{render.Plain(mark), render.Plain(render.Pad(string(v.ID), widest)), render.FaintCell(v.Title)})
	}
	flush()
	p.Blank()
	p.Paragraph(0, a.text.Text("causes.legend", "Mark", p.Mark(), "Rules", rules, "All", len(views)))
	p.Paragraph(0, a.text.Text("causes.more", "Command", "assay causes "+string(views[0].ID)))
	return a.print(p)
}

func (a *app) explainCause(v causeView) error {
	p := a.page()
	p.Sides(p.Bold(string(v.ID)), len(v.ID), strings.Join(v.Seed, " "))
	p.Paragraph(0, v.Title)
	p.Blank()
	column := p.Column("label.found", "label.why", "label.do", "label.who", "label.levels", "label.rule", "label.references", "label.replaces", "label.replaced-by", "label.leads-to", "label.follows-on", "label.parameters")
	row := func(id, text string) {
		if text != "" {
			p.Row(0, column, a.text.Text(id), text)
		}
	}
	found := v.Found
	if strings.Trim(found, ".。") == "‹rule›" {
		found = "" // the variants are all there is to say
	} else {
		row("label.found", found)
	}
	for i, text := range v.Variants {
		label := "label.empty"
		if i == 0 && found == "" {
			label = "label.found"
		}
		p.RowItem(0, column, a.text.Text(label), p.Bullet(), text)
	}
	row("label.why", v.Why)
	label := "label.do"
	for i, h := range v.Handling {
		mark := itoa(int64(i+1)) + "."
		p.RowItem(0, column, a.text.Text(label), mark, h)
		label = "label.empty"
	}
	row("label.who", a.text.Text("who."+string(v.Who)))
	label = "label.levels"
	for _, name := range profile.Embedded() {
		text := a.levels(v.Levels[name])
		if prof, err := profile.Named(name); err == nil && prof.WaitsBefore(v.ID) {
			text = a.text.Text("causes.before", "Level", text, "Before", a.text.Text("level."+string(cause.Wait)))
		}
		row(label, render.Pad(name, 13)+text)
		label = "label.empty"
	}
	row("label.rule", a.text.Text("causes.rule."+yesNo(v.Rule)))
	row("label.replaces", joinIDs(v.Replaces))
	row("label.replaced-by", joinIDs(v.ReplacedBy))
	row("label.leads-to", joinIDs(v.LeadsTo))
	row("label.follows-on", joinIDs(v.FollowsOn))
	label = "label.references"
	for _, r := range v.References {
		row(label, a.reference(r))
		label = "label.empty"
	}
	return a.print(p)
}

// levels is the level of a cause in words: "refuse; OV and EV: review".
func (a *app) levels(text string) string {
	cell, err := profile.ParseCell(text)
	if err != nil {
		return text
	}
	dv, ov := a.choice(cell.DV), a.choice(cell.OV)
	if dv == ov {
		return dv
	}
	return a.text.Text("causes.levels", "DV", dv, "OV", ov)
}

func (a *app) choice(c profile.Choice) string {
	text := a.text.Text("level." + string(c.Level))
	for _, w := range c.When {
		text += a.text.Text("causes.when", "Condition", w.Condition, "Level", a.text.Text("level."+string(w.Level)))
	}
	return text
}

func joinIDs(ids []cause.ID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// nearestCause is the id that shares most with a wrong one: its phrase, or its
// beginning.
func nearestCause(wrong string) string {
	wrong = strings.ToLower(wrong)
	stage, phrase, found := strings.Cut(wrong, ".")
	for _, e := range cause.All() {
		_, p, _ := strings.Cut(string(e.ID), ".")
		if found && p == phrase || p == wrong {
			return string(e.ID)
		}
	}
	for _, e := range cause.All() {
		if strings.HasPrefix(string(e.ID), wrong) || found && string(e.Stage()) == stage && len(phrase) >= 3 && strings.Contains(string(e.ID), phrase[:3]) {
			return string(e.ID)
		}
	}
	if found && slices.Contains(cause.Stages(), cause.Stage(stage)) {
		return stage
	}
	return ""
}

// reference spells a reference out: its title and where to read it.
func (a *app) reference(short string) string {
	title, url := cause.ReferenceIn(short, a.text.Lang())
	if title == "" {
		return short
	}
	if url != "" {
		title += " " + url
	}
	return title
}
