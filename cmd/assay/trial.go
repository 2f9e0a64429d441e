package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
)

// profileTryCommand is `assay profile try`: what a change of rules would change.
func (a *app) profileTryCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "try FILE", Short: a.text.Text("profile.try.short"), Long: a.text.Text("profile.try.long"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				raw, err := a.read(args[0], maxProfileBytes, "assay profile show cloud")
				if err != nil {
					return err
				}
				var t service.Trial
				if err := a.call(ctx, client.Call{Method: http.MethodPost, Path: "/profiles/try", Body: raw}, &t); err != nil {
					return err
				}
				return a.showTrial(&t, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) forecastCommand() *cobra.Command {
	var asJSON bool
	var at string
	c := &cobra.Command{
		Use: "forecast --at DATE", Short: a.text.Text("forecast.short"), Long: a.text.Text("forecast.long"), Args: cobra.NoArgs,
		Example: "  assay forecast --at 2027-03-15",
		RunE: func(c *cobra.Command, _ []string) error {
			if at == "" {
				return a.usage("assay forecast --at 2027-03-15", "forecast.needs-date")
			}
			given := at
			if _, err := time.Parse(time.DateOnly, at); err == nil {
				at += "T00:00:00Z" // rules change at midnight UTC
			}
			if _, err := time.Parse(time.RFC3339, at); err != nil {
				return a.usage("assay forecast --at 2027-03-15", "forecast.date", "At", given)
			}
			return a.interruptible(c, func(ctx context.Context) error {
				var t service.Trial
				if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: "/forecast", Query: url.Values{"at": {at}}}, &t); err != nil {
					return err
				}
				return a.showTrial(&t, asJSON)
			})
		},
	}
	c.Flags().StringVar(&at, "at", "", a.text.Text("flag.forecast-at"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// showTrial lists the orders whose verdict would be another, and why. It exits
// with 1 where there are any.
func (a *app) showTrial(t *service.Trial, asJSON bool) error {
	if len(t.Changed) > 0 {
		a.exit = exitRefuse
	}
	if asJSON {
		return a.writeJSON(t)
	}
	p := a.page()
	p.Strong(0, a.text.Text("trial.summary", "Judged", t.Judged, "Changed", len(t.Changed)+t.More))
	if t.Renewals > 0 {
		p.Weak(0, a.text.Text("trial.renewals", "Count", t.Renewals))
	}
	for i := range t.Changed {
		c := &t.Changed[i]
		p.Blank()
		was, would := a.text.Text("verdict."+string(c.Was)), a.text.Text("verdict."+string(c.Would))
		name := render.Safe(c.Name)
		if c.Renewal {
			name += " (" + a.text.Text("trial.renewal") + ")"
		}
		p.Line(p.Bold(c.Order) + " " + name + "  " + was + " → " + p.Verdict(c.Would, would))
		for j := range c.Added {
			p.FindingLine("", &c.Added[j], true)
		}
		if len(c.Gone) > 0 {
			gone := make([]string, len(c.Gone))
			for j, id := range c.Gone {
				gone[j] = string(id)
			}
			p.Weak(2, a.text.Text("trial.gone", "Causes", strings.Join(gone, ", ")))
		}
	}
	if t.More > 0 {
		p.Blank()
		p.Line(a.text.Text("trial.more", "Count", t.More))
	}
	if t.Unfinished {
		p.Blank()
		p.Line(a.text.Text("trial.unfinished"))
	}
	return a.print(p)
}
