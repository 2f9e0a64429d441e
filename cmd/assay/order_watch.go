package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
)

func (a *app) orderWatchCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "watch ORDER", Short: a.text.Text("order.watch.short"), Long: a.text.Text("order.watch.long"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return a.orderWatch(ctx, args[0], asJSON) })
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// errOver: nothing more happens to the order by itself.
var errOver = errors.New("the order is through")

// orderWatch shows an order, then every change of it until it is ready or has
// ended.
func (a *app) orderWatch(ctx context.Context, id string, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	show := func() (*service.View, error) {
		var v service.View
		return &v, a.served(c.Do(ctx, client.Call{Method: http.MethodGet, Path: "/orders/" + url.PathEscape(id)}, &v))
	}
	v, err := show()
	if err != nil {
		return err
	}
	if asJSON {
		a.exit = orderExit(v)
	} else if err := a.showOrder(v, false); err != nil {
		return err
	}
	if over(v) {
		return nil
	}
	err = c.Follow(ctx, id, v.Version, func(e service.Event) error {
		var err error
		if v, err = show(); err != nil {
			return err
		}
		if err := a.tellEvent(&e, v, asJSON); err != nil {
			return err
		}
		if over(v) {
			return errOver
		}
		return nil
	})
	switch {
	case errors.Is(err, errOver):
		if asJSON {
			return nil
		}
		return a.showOrder(v, false)
	case ctx.Err() != nil:
		return &failure{code: exitInterrupted, what: a.text.Text("order.watch.interrupted"), next: "assay order watch " + id}
	}
	return a.served(err)
}

// over reports whether an order is through: passed, or ended.
func over(v *service.View) bool {
	a := orderExit(v)
	return a == exitPass || v.State.Ended()
}

// tellEvent writes one change: a line of JSON, or a line for a person.
func (a *app) tellEvent(e *service.Event, v *service.View, asJSON bool) error {
	a.exit = orderExit(v)
	if asJSON {
		_, err := a.out.Write(appendJSON(nil, e))
		return err
	}
	p := a.page()
	action := a.text.Text("order.event." + strings.TrimPrefix(e.Action, "order."))
	p.Line(p.Faint(e.At.Local().Format(time.TimeOnly)) + " " + p.Bold(action) + " " + a.stateWord(v.State, v.Reason))
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Level.Blocks() && f.ExplainedBy == "" {
			p.FindingLine(a.text.Text("level."+string(f.Level)), f, true)
		}
	}
	if v.NextCheck != nil && v.State.Open() {
		p.Weak(2, a.text.Text("order.next")+" "+render.Safe(a.when(*v.NextCheck)))
	}
	return a.print(p)
}
