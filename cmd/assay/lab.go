package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/internal/render"
	"assay/lab"
	"assay/lab/trial"
)

func (a *app) labCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "lab",
		Short: a.text.Text("lab.short"),
		Long:  a.text.Text("lab.long"),
		Args:  a.subcommandNeeded,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	var asJSON bool
	list := &cobra.Command{
		Use: "list [CAUSE]", Short: a.text.Text("lab.list.short"), Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.labList(strings.Join(args, ""), asJSON) },
	}
	run := &cobra.Command{
		Use: "run SCENARIO", Short: a.text.Text("lab.run.short"), Long: a.text.Text("lab.run.long"),
		Example: "  assay lab run dns.value-altered\n  assay lab run dns.value-altered/near", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return a.labRun(ctx, args[0], asJSON) })
		},
	}
	for _, c := range []*cobra.Command{list, run} {
		c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	}
	c.AddCommand(list, run, a.labServeCommand())
	return c
}

// A scenarioView is a scenario as it is listed.
type scenarioView struct {
	ID    string   `json:"id"`
	Cause cause.ID `json:"cause"`
	// Near is set for a near miss: a world that must not show the cause.
	Near bool   `json:"near_miss"`
	Name string `json:"name"`
}

func (a *app) labList(about string, asJSON bool) error {
	all, err := lab.Scenarios()
	if err != nil {
		return err
	}
	views := []scenarioView{}
	for _, s := range all {
		if about == "" || string(s.Cause) == about || strings.HasPrefix(s.ID, about+".") {
			views = append(views, scenarioView{ID: s.ID, Cause: s.Cause, Near: s.Near, Name: s.Name})
		}
	}
	if len(views) == 0 {
		return a.usage("assay lab list", "error.no-scenario", "ID", about)
	}
	if asJSON {
		return a.writeJSON(views)
	}
	p := a.page()
	var rows [][]render.Cell
	last := cause.ID("")
	for _, v := range views {
		if v.Cause != last {
			p.Table(1, 1, rows)
			rows = nil
			p.Blank()
			last = v.Cause
			title := ""
			if t := cause.TextsOf(v.Cause, a.text.Lang()); t != nil {
				title = t.Title
			}
			p.Strong(0, title)
		}
		kind := "lab.shows"
		if v.Near {
			kind = "lab.near"
		}
		rows = append(rows, []render.Cell{render.Plain(v.ID), render.Plain(render.Safe(v.Name)), render.FaintCell(a.text.Text(kind))})
	}
	p.Table(1, 1, rows)
	p.Blank()
	p.Paragraph(0, a.text.Text("lab.more", "Run", "assay lab run "+views[0].ID, "Serve", "assay lab serve "+views[0].ID))
	return a.print(p)
}

// scenario finds a scenario by what was typed.
func (a *app) scenario(id string) (*lab.Scenario, error) {
	s, err := lab.Find(id)
	if err != nil {
		return nil, a.usage("assay lab list", "error.no-scenario", "ID", err)
	}
	return s, nil
}

// labRun reviews the order of a scenario in its world, from all its places, and
// says whether the report is what the scenario wants.
func (a *app) labRun(ctx context.Context, id string, asJSON bool) error {
	s, err := a.scenario(id)
	if err != nil {
		return err
	}
	show := a.lookProgress()
	show.say(a.text.Text("lab.running", "ID", s.ID))
	report, diff, err := trial.Run(ctx, s)
	show.clear()
	if err != nil {
		return err
	}
	report.Localize(a.text.Lang())
	if diff != "" {
		a.exit = exitRefuse
	}
	if asJSON {
		for line := range strings.SplitSeq(diff, "\n") {
			if line != "" {
				fmt.Fprintln(a.err, render.Safe(line))
			}
		}
		return a.writeJSON(report)
	}
	kind := "lab.world"
	if s.Near {
		kind = "lab.world-near"
	}
	p := a.page()
	p.Weak(0, a.text.Text(kind, "ID", s.ID, "Name", render.Safe(s.Name)))
	if err := a.print(p); err != nil {
		return err
	}
	_, err = a.out.Write([]byte(render.Report(report, a.text, render.Options{
		Style: a.style(a.out), Width: a.width(), Zone: time.Local, Next: []string{"assay lab serve " + s.ID},
	})))
	if err != nil {
		return err
	}
	p = a.page()
	p.Blank()
	if diff == "" {
		p.Line(p.State("ok").Text + " " + a.text.Text("lab.as-wanted"))
		return a.print(p)
	}
	p.Line(p.Level(cause.Refuse, p.State("bad").Text+" "+a.text.Text("lab.not-as-wanted")))
	for line := range strings.SplitSeq(diff, "\n") {
		p.Line("  " + render.Safe(line))
	}
	return a.print(p)
}
