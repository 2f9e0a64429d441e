package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
	"assay/order"
	"assay/review"
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

var (
	// errOver: nothing more happens to the order by itself.
	errOver    = errors.New("the order is through")
	errDeleted = errors.New("the order was deleted")
)

// isGone reports that the service has no such thing.
func isGone(err error) bool {
	var p *client.Problem
	return errors.As(err, &p) && p.Status == http.StatusNotFound
}

// orderWatch shows an order, then every change of it until it is ready or has
// ended.
func (a *app) orderWatch(ctx context.Context, id string, asJSON bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	show := func() (*service.View, error) {
		var v service.View
		return &v, c.Do(ctx, client.Call{Method: http.MethodGet, Path: "/orders/" + url.PathEscape(id)}, &v)
	}
	v, err := show()
	if err != nil {
		return a.servedAbout(id, err)
	}
	if err := a.watched(nil, v, asJSON); err != nil || over(v) {
		return err
	}
	if v.State == order.StateDraft {
		if _, err := fmt.Fprintln(a.err, a.text.Text("order.watch.draft")); err != nil {
			return err
		}
	}
	left := a.countTo(v)
	defer left.stop()
	err = c.Follow(ctx, id, v.Version, func(e service.Event) error {
		now, err := show()
		switch {
		case err == nil:
			v = now
		case !isGone(err): // what was deleted cannot be shown: it stands where it stood
			return err
		}
		left.stop()
		if err := a.watched(&e, v, asJSON); err != nil {
			return err
		}
		if e.Action == "order.delete" {
			return errDeleted
		}
		if over(v) {
			return errOver
		}
		left = a.countTo(v)
		return nil
	})
	left.stop()
	switch {
	case errors.Is(err, errOver):
		if asJSON {
			return nil
		}
		return a.showOrder(v, false)
	case errors.Is(err, errDeleted):
		a.exit = exitRefuse // it comes to nothing
		return nil
	case ctx.Err() != nil:
		return &failure{code: exitInterrupted, what: a.text.Text("order.watch.interrupted"), next: "assay order watch " + quoteArgument(id)}
	}
	return a.servedAbout(id, err)
}

// over reports whether an order is through: passed, or ended. One that passed and
// has something due gets its certificate in a moment.
func over(v *service.View) bool {
	if v.State == order.StateReady && v.NextCheck != nil {
		return false
	}
	a := orderExit(v)
	return a == exitPass || v.State.Ended()
}

// A watchLine is a line of order watch --json: an event, and where the order
// stands since. The first has no event: it is the order as it was found.
type watchLine struct {
	Version int64          `json:"version"`
	At      time.Time      `json:"at"`
	Action  string         `json:"action,omitempty"`
	Actor   string         `json:"actor,omitempty"`
	Data    map[string]any `json:"data,omitempty"`

	State     order.State    `json:"state"`
	Phase     order.Phase    `json:"phase,omitempty"`
	Reason    order.Reason   `json:"reason,omitempty"`
	Verdict   review.Verdict `json:"verdict,omitempty"`
	Causes    []cause.ID     `json:"causes"`
	Paused    string         `json:"paused,omitempty"`
	NextCheck *time.Time     `json:"next_check,omitempty"`
	Deadline  *time.Time     `json:"deadline,omitempty"`
}

func lineOf(e *service.Event, v *service.View) *watchLine {
	l := &watchLine{
		Version: v.Version, At: v.ChangedAt, State: v.State, Phase: v.Phase, Reason: v.Reason, Verdict: v.Verdict, Causes: []cause.ID{},
		Paused: v.Paused, NextCheck: v.NextCheck, Deadline: v.Deadline,
	}
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Level.Blocks() {
			l.Causes = append(l.Causes, f.Cause)
		}
	}
	if e != nil {
		l.Version, l.At, l.Action, l.Actor, l.Data = e.Version, e.At, e.Action, e.Actor, e.Data
	}
	return l
}

// watched writes the order as it was found, or one change: a line of JSON, or
// what a person reads.
func (a *app) watched(e *service.Event, v *service.View, asJSON bool) error {
	a.exit = orderExit(v)
	if asJSON {
		_, err := a.out.Write(appendJSON(nil, lineOf(e, v)))
		return err
	}
	if e == nil {
		return a.showOrder(v, false)
	}
	p := a.page()
	action := a.text.Text("order.event." + strings.TrimPrefix(e.Action, "order."))
	p.Line(p.Faint(e.At.Local().Format(time.TimeOnly)) + " " + p.Bold(action) + " " + a.stateWord(v.State, v.Reason))
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Level.Blocks() && f.ExplainedBy == "" {
			p.FindingLine("", f, true)
		}
	}
	if v.NextCheck != nil && v.State.Open() {
		p.Weak(2, a.text.Text("order.next")+" "+render.Safe(a.when(*v.NextCheck)))
	}
	return a.print(p)
}

// A countTo is the line on a terminal that says how long it is until the next
// check and the deadline, each second anew.
type countTo struct {
	show *lookProgress
	over chan struct{}
	once sync.Once
	done sync.WaitGroup
}

func (a *app) countTo(v *service.View) *countTo { return a.countOn(a.lookProgress(), v) }

func (a *app) countOn(show *lookProgress, v *service.View) *countTo {
	c := &countTo{show: show, over: make(chan struct{})}
	if text := a.countdownText(v); c.show.visible && text != "" {
		c.show.still(text)
		c.done.Go(func() {
			tick := time.NewTicker(time.Second)
			defer tick.Stop()
			for {
				select {
				case <-c.over:
					return
				case <-tick.C:
					c.show.still(a.countdownText(v))
				}
			}
		})
	}
	return c
}

// stop takes the line away, before anything else is written.
func (c *countTo) stop() {
	c.once.Do(func() {
		close(c.over)
		c.done.Wait()
		c.show.clear()
	})
}

// countdownText says how long it is until the next check and the deadline; ""
// where the order waits for neither.
func (a *app) countdownText(v *service.View) string {
	if !v.State.Open() {
		return ""
	}
	left := func(t time.Time) string {
		return cause.FormatDuration(max(t.Sub(a.now()), 0).Round(time.Second), a.text.Lang())
	}
	var parts []string
	switch {
	case v.Paused != "":
		parts = append(parts, a.text.Text("order.count.paused"))
	case v.NextCheck != nil && v.NextCheck.After(a.now()):
		parts = append(parts, a.text.Text("order.count.next", "Left", left(*v.NextCheck)))
	case v.NextCheck != nil:
		parts = append(parts, a.text.Text("order.count.now"))
	}
	if v.Deadline != nil {
		parts = append(parts, a.text.Text("order.count.deadline", "Left", left(*v.Deadline)))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(append(parts, a.text.Text("order.count.end")), " · ")
}
