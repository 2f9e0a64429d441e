package main

import (
	"context"
	"errors"
	"reflect"
	"time"

	"assay/cause"
	"assay/internal/render"
	"assay/internal/schedule"
	"assay/profile"
	"assay/review"
)

// watch follows an order until it passes, the deadline ends, or nothing that
// can still change decides. The exit code is that of the last verdict.
func (a *app) watch(ctx context.Context, f *checkFlags, names []string) error {
	p, err := a.prepare(ctx, f, names)
	if err != nil {
		return err
	}
	defer p.source.Close()
	p.reviewer.Now = func() time.Time { return a.now().UTC().Truncate(time.Second) }
	w := &follower{
		app: a, flags: f, names: names, profile: p.reviewer.Profile,
		look: func(ctx context.Context) (*review.Report, error) { return a.look(ctx, p) },
		wait: a.countdown,
	}
	report, err := w.follow(ctx)
	if report == nil {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return &failure{code: exitInterrupted, what: a.text.Text("watch.interrupted", "Verdict", a.text.Text("verdict."+string(report.Verdict)))}
	}
	a.exit = outcome(report, p.failOn)
	return err
}

// A follower looks at one order again and again, and says what changed.
type follower struct {
	app     *app
	flags   *checkFlags
	names   []string
	profile *profile.Profile
	// look reviews the order; wait returns at a time, or when the context ends.
	look func(context.Context) (*review.Report, error)
	wait func(ctx context.Context, next, deadline time.Time) error

	looks int
}

// An event is a line of --watch --json: a look at which something had changed.
type event struct {
	Look    int            `json:"look"`
	At      time.Time      `json:"at"`
	Verdict review.Verdict `json:"verdict"`
	// Added and Changed are findings as they are now, Removed the ids of those
	// that are gone.
	Added   []review.Finding `json:"added"`
	Changed []review.Finding `json:"changed"`
	Removed []string         `json:"removed"`
	// Next is when the order is looked at next; absent in the last line, which
	// has the whole report and why it is the last: "passed", "deadline", "final".
	Next   *time.Time     `json:"next,omitempty"`
	End    string         `json:"end,omitempty"`
	Report *review.Report `json:"report,omitempty"`

	was     review.Verdict
	removed []review.Finding
}

// follow returns the last report.
func (w *follower) follow(ctx context.Context) (*review.Report, error) {
	var last *review.Report
	plan := schedule.Plan{}
	for {
		report, err := w.look(ctx)
		if err != nil {
			return last, err
		}
		if w.flags.redact {
			report.Redact()
		}
		if w.looks++; w.looks == 1 {
			plan.Began, plan.Deadline = report.At, w.deadline(report)
		}
		plan.Last = report.At
		plan = plan.From(report)
		next, more := plan.Next()
		end := ending(report, more)
		if err := w.tell(last, report, next, end); err != nil {
			return report, err
		}
		if end != "" {
			return report, nil
		}
		last = report
		if err := w.wait(ctx, next, plan.Deadline); err != nil {
			return last, err
		}
	}
}

// deadline is the order's, or for one that was not submitted what it would be.
func (w *follower) deadline(r *review.Report) time.Time {
	if r.Deadline != nil {
		return *r.Deadline
	}
	hours := w.profile.Deadline.Hours
	if hours == 0 {
		hours = longestHours
	}
	return r.At.Add(time.Duration(hours) * time.Hour)
}

// longestHours is how long an order without deadline is followed: as long as a
// random value may live (BR 3.2.2.4).
const longestHours = 720

func ending(r *review.Report, more bool) string {
	switch {
	case r.Verdict == review.VerdictPass:
		return "passed"
	case schedule.Final(r):
		return "final"
	case !more:
		return "deadline"
	}
	return ""
}

// tell records a look and says what changed since the last.
func (w *follower) tell(last, now *review.Report, next time.Time, end string) error {
	e := compare(last, now)
	e.Look, e.End = w.looks, end
	if end == "" {
		e.Next = &next
	} else {
		e.Report = now
	}
	quiet := last != nil && end == "" && e.was == e.Verdict && len(e.Added)+len(e.Changed)+len(e.Removed) == 0
	if quiet {
		return nil
	}
	if err := w.app.record(w.flags.record, now); err != nil {
		return err
	}
	if w.flags.json {
		_, err := w.app.out.Write(appendJSON(nil, e))
		return err
	}
	if last == nil {
		_, err := w.app.out.Write([]byte(render.Report(now, w.app.text, render.Options{
			Style: w.app.style(w.app.out), Width: w.app.width(), Zone: time.Local,
		})))
		if err != nil || end == "" {
			return err
		}
	}
	return w.app.print(w.page(e, last != nil))
}

// compare says what differs between two reports of one order.
func compare(last, now *review.Report) *event {
	e := &event{At: now.At, Verdict: now.Verdict, Added: []review.Finding{}, Changed: []review.Finding{}, Removed: []string{}}
	if last == nil {
		e.Added = append(e.Added, now.Findings...)
		return e
	}
	e.was = last.Verdict
	was := map[string]*review.Finding{}
	for i := range last.Findings {
		was[last.Findings[i].ID] = &last.Findings[i]
	}
	for _, f := range now.Findings {
		before := was[f.ID]
		delete(was, f.ID)
		switch {
		case before == nil:
			e.Added = append(e.Added, f)
		case before.Level != f.Level || before.ExplainedBy != f.ExplainedBy || !sameFacts(before.Parameters, f.Parameters):
			e.Changed = append(e.Changed, f)
		}
	}
	for _, f := range last.Findings {
		if was[f.ID] != nil {
			e.Removed = append(e.Removed, f.ID)
			e.removed = append(e.removed, f)
		}
	}
	return e
}

// sameFacts compares parameters without times and durations, which run on while
// nothing changes.
func sameFacts(a, b cause.Parameters) bool {
	if len(a) != len(b) {
		return false
	}
	for key, v := range a {
		switch v.(type) {
		case time.Time, time.Duration:
			continue
		}
		if !reflect.DeepEqual(v, b[key]) {
			return false
		}
	}
	return true
}

// page lays out an event: time and verdict, what is new, what is gone, the end.
func (w *follower) page(e *event, changed bool) *render.Page {
	text, p := w.app.text, w.app.page()
	p.Blank()
	if changed {
		verdict := p.Verdict(e.Verdict, text.Text("verdict."+string(e.Verdict)))
		if e.was != e.Verdict {
			verdict = text.Text("verdict."+string(e.was)) + p.Faint(" → ") + verdict
		}
		p.Line(p.Faint(e.At.In(time.Local).Format("15:04:05")) + "  " + verdict + "  " + p.Faint(text.Text("watch.look", "Look", e.Look)))
		for i := range e.Added {
			p.FindingLine(text.Text("watch.new"), &e.Added[i], true)
		}
		for i := range e.Changed {
			p.FindingLine(text.Text("watch.changed"), &e.Changed[i], true)
		}
		for i := range e.removed {
			e.removed[i].Level = cause.Pass
			p.FindingLine(text.Text("watch.gone"), &e.removed[i], false)
		}
	}
	if e.End != "" {
		p.Blank()
		p.Paragraph(0, text.Text("watch.end."+e.End))
	}
	return p
}

// countdown waits until a time; on a terminal it shows how long that is.
func (a *app) countdown(ctx context.Context, next, deadline time.Time) error {
	show := a.lookProgress()
	defer show.clear()
	for {
		left := next.Sub(a.now())
		if left <= 0 {
			return ctx.Err()
		}
		show.still(a.text.Text("watch.next", "Left", cause.FormatDuration(left.Round(time.Second), a.text.Lang()), "Time", next.In(time.Local).Format("15:04:05"),
			"Deadline", cause.FormatDuration(deadline.Sub(a.now()).Round(time.Second), a.text.Lang())))
		timer := time.NewTimer(min(left, time.Second))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
