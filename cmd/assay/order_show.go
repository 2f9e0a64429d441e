package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
	"assay/order"
	"assay/review"
)

func (a *app) orderShowCommand() *cobra.Command {
	var asJSON, reviews, attempts bool
	var limit int
	c := &cobra.Command{
		Use: "show ORDER", Example: "  assay order show ORDER\n  assay order show ORDER --reviews\n  assay order show ORDER --attempts", Short: a.text.Text("order.show.short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				path := "/orders/" + url.PathEscape(args[0])
				if attempts && reviews {
					return a.usage("assay order show "+quoteArgument(args[0])+" --reviews", "error.flags-one", "Flags", "--reviews, --attempts")
				}
				if attempts {
					return a.orderAttempts(ctx, path, asJSON)
				}
				if reviews {
					return a.orderReviews(ctx, path, limit, asJSON)
				}
				return a.orderCall(ctx, client.Call{Method: http.MethodGet, Path: path}, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&reviews, "reviews", false, a.text.Text("flag.reviews"))
	c.Flags().BoolVar(&attempts, "attempts", false, a.text.Text("flag.attempts"))
	c.Flags().IntVar(&limit, "limit", 50, a.text.Text("flag.reviews-limit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// showOrder shows an order. The exit code is that of where it stands: 0 once its
// review passed, else as assay check has it.
func (a *app) showOrder(v *service.View, asJSON bool) error {
	a.exit = orderExit(v)
	if asJSON {
		return a.writeJSON(v)
	}
	p := a.page()
	a.orderHead(p, v)
	if v.State == order.StatePending || v.State == order.StateDraft || v.State == order.StateLetter {
		a.challengeRows(p, v.Challenges)
	}
	if len(v.Findings) > 0 {
		p.Blank()
		p.Findings(v.Findings)
	}
	if next := a.nextCommand(v); next != "" {
		p.Blank()
		p.Line(p.Command(next))
	}
	return a.print(p)
}

func orderExit(v *service.View) int {
	switch v.State {
	case order.StateReady, order.StateIssued:
		return exitPass
	case order.StateFailed, order.StateCancelled, order.StateCancelling:
		return exitRefuse
	}
	if v.Verdict == review.VerdictPass || v.Verdict == "" {
		return exitWait // nothing is wrong, and it is not through yet
	}
	return exitCode(v.Verdict)
}

// orderHead says what the order is, where it stands and what happens next.
func (a *app) orderHead(p *render.Page, v *service.View) {
	text := a.text.Text
	names := make([]string, len(v.Order.Names))
	for i, n := range v.Order.Names {
		names[i] = render.Safe(n)
	}
	p.Strong(0, text("order.title", "ID", v.ID, "Names", strings.Join(names, ", ")))
	column := p.Column(headLabels(v)...)
	p.Row(0, column, text("order.state"), a.stateWord(v.State, v.Reason))
	w := a.waitsFor(v.State, v.Phase, v.Paused)
	if v.Waiting != nil && v.Waiting.For == "applicant" {
		w = text("desk.your-answer")
	}
	if w != "-" {
		p.Row(0, column, text("order.waits"), w)
	}
	if v.NextCheck != nil {
		p.Row(0, column, text("order.next"), a.when(*v.NextCheck))
	}
	if v.Deadline != nil && v.State.Open() {
		p.Row(0, column, text("order.deadline"), a.when(*v.Deadline))
	}
	p.Row(0, column, text("order.rules"), v.Profile+", "+strings.ToUpper(string(v.Order.Product)))
	if words := a.placesWord(v); words != "" {
		p.Row(0, column, text("order.places"), words)
	}
	if c := v.Certificate; c != nil {
		p.Row(0, column, text("order.certificate"), text("order.certificate-until", "State", a.certState(c), "Time", a.when(c.NotAfter), "Serial", c.Serial))
	}
	a.peopleRows(p, v, column)
}

// placesWord says what the places are worth that the newest review looked from;
// "" where nobody looked.
func (a *app) placesWord(v *service.View) string {
	switch {
	case v.MPIC == "":
		return ""
	case v.Lab:
		return a.text.Text("order.places-lab", "Stamp", render.Safe(v.MPIC))
	case v.MPIC == review.StampConformant || v.MPIC == review.StampNotRequired:
		return render.Safe(v.MPIC)
	}
	return a.text.Text("order.places-few", "Stamp", render.Safe(v.MPIC))
}

// headLabels are the labels of what stands above the findings, in one column.
func headLabels(v *service.View) []string {
	labels := []string{"order.state", "order.waits", "order.next", "order.deadline", "order.rules", "order.checks", "order.places", "order.certificate"}
	if v.Waiting != nil {
		labels = append(labels, "desk.since", "desk.due", "desk.urge-from", "desk.claimed")
	}
	return labels
}

// when shows a time in the reader's zone, how long that is from now, and UTC
// where that is another.
func (a *app) when(t time.Time) string {
	left := t.Sub(a.now()).Round(time.Second)
	local := t.Local()
	shown := local.Format("2006-01-02 15:04 MST")
	if _, offset := local.Zone(); offset != 0 {
		shown += t.UTC().Format(" (15:04 UTC)")
	}
	switch {
	case left >= time.Minute:
		return a.text.Text("time.in", "Left", cause.FormatDuration(left.Round(time.Minute), a.text.Lang()), "Time", shown)
	case left <= -time.Minute:
		return a.text.Text("time.ago", "Left", cause.FormatDuration(-left.Round(time.Minute), a.text.Lang()), "Time", shown)
	}
	return a.text.Text("order.now")
}

// challengeRows say what to publish where.
func (a *app) challengeRows(p *render.Page, list []order.Challenge) {
	if len(list) == 0 {
		return
	}
	p.Blank()
	p.Strong(0, a.text.Text("order.publish"))
	column := p.Column("order.record", "order.file", "order.value")
	for i := range list {
		c := &list[i]
		switch {
		case c.Owner != "":
			p.Row(2, column, a.text.Text("order.record"), render.Safe(c.Type+" "+c.Owner))
		case c.URL != "":
			p.Row(2, column, a.text.Text("order.file"), render.Safe(c.URL))
		default:
			p.Row(2, column, a.text.Text("order.name"), render.Safe(c.Name))
		}
		p.Row(2, column, a.text.Text("order.value"), render.Safe(c.Value))
	}
}

// nextCommand is what its owner would do next.
func (a *app) nextCommand(v *service.View) string {
	has := func(action order.Action) bool { return slices.Contains(v.Allowed, action) }
	switch {
	case v.Certificate != nil && v.Certificate.State == order.CertificateValid:
		return "assay cert download " + v.ID + " --format nginx"
	case v.Certificate != nil:
		return "assay cert show " + v.ID
	case v.Waiting != nil && v.Waiting.For == "applicant":
		return "assay order answer " + v.ID + " --note " + a.text.Text("desk.note-example")
	case v.Paused != "":
		return "assay order resume " + v.ID
	case has(order.ActionSubmit):
		return "assay order submit " + v.ID
	case has(order.ActionResubmit):
		return "assay order resubmit " + v.ID
	case v.State.Open():
		return "assay order watch " + v.ID
	}
	return ""
}
