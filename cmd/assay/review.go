package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
)

func (a *app) reviewCommand() *cobra.Command {
	c := &cobra.Command{Use: "review", Short: a.text.Text("desk.short"), Long: a.text.Text("desk.long"), RunE: a.subcommandNeeded}
	c.AddCommand(
		a.reviewQueueCommand(), a.reviewShowCommand(), a.reviewHoldCommand("claim"), a.reviewHoldCommand("release"), a.reviewApproveCommand(),
		a.reviewRemarkCommand("refuse"), a.reviewRemarkCommand("ask"), a.reviewWithdrawCommand(),
	)
	return c
}

func (a *app) reviewQueueCommand() *cobra.Command {
	var asJSON, mine bool
	var limit int
	filters := map[string]*string{}
	c := &cobra.Command{
		Use: "queue", Short: a.text.Text("desk.queue.short"), Args: cobra.NoArgs,
		Example: "  assay review queue\n  assay review queue --mine\n  assay review queue --state asked --product ov --json",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				q := url.Values{}
				for key, value := range filters {
					if *value != "" {
						q.Set(key, *value)
					}
				}
				if mine {
					var who service.Whoami
					if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: "/whoami"}, &who); err != nil {
						return err
					}
					q.Set("claimed_by", who.Account)
				}
				return a.reviewQueue(ctx, q, limit, asJSON)
			})
		},
	}
	for _, key := range []string{"state", "product", "account"} {
		filters[key] = c.Flags().String(key, "", a.text.Text("flag.queue-"+key))
	}
	c.Flags().BoolVar(&mine, "mine", false, a.text.Text("flag.queue-mine"))
	c.Flags().IntVar(&limit, "limit", 50, a.text.Text("flag.limit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// reviewQueue lists orders that wait, as many as asked for.
func (a *app) reviewQueue(ctx context.Context, q url.Values, limit int, asJSON bool) error {
	if limit < 1 {
		return a.usage("assay review queue --limit 50", "order.limit")
	}
	items, err := pages[service.QueueItem](ctx, a, "/review-queue", q, limit)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(items)
	}
	p := a.page()
	if len(items) == 0 {
		p.Line(a.text.Text("desk.none"))
		return a.print(p)
	}
	rows := [][]render.Cell{a.heads("order.number", "desk.product", "order.name", "desk.causes", "desk.left", "desk.claimed")}
	for i := range items {
		rows = append(rows, a.queueRow(&items[i]))
	}
	p.Table(0, 3, rows)
	p.Blank()
	p.Line(p.Command("assay review show " + items[0].Order))
	return a.print(p)
}

func (a *app) queueRow(i *service.QueueItem) []render.Cell {
	name := render.Safe(i.Name)
	if i.Names > 1 {
		name += " +" + strconv.Itoa(i.Names-1)
	}
	left := i.DueAt.Sub(a.now()).Round(time.Minute)
	due := render.Plain(cause.FormatDuration(left, a.text.Lang()))
	switch {
	case i.State == "asked":
		due = render.Plain(a.text.Text("desk.asked"))
	case left < 0:
		due = render.BoldCell(a.text.Text("desk.late", "By", cause.FormatDuration(-left, a.text.Lang())))
	}
	by := "-"
	if i.ClaimedBy != "" {
		by = render.Safe(i.ClaimedBy)
	}
	return []render.Cell{
		render.BoldCell(i.Order), render.Plain(strings.ToUpper(string(i.Product))), render.Plain(name), render.Plain(strings.Join(i.Causes, ", ")), due, render.Plain(by),
	}
}

func (a *app) reviewShowCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show ORDER", Short: a.text.Text("desk.show.short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				var d service.Docket
				if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: "/orders/" + url.PathEscape(args[0]) + "/docket"}, &d); err != nil {
					return err
				}
				return a.showDocket(&d, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// showDocket shows an order to a reviewer: what is to be decided, the findings
// with their evidence, what was decided, and the commands that decide.
func (a *app) showDocket(d *service.Docket, asJSON bool) error {
	a.exit = orderExit(d.Order)
	if asJSON {
		return a.writeJSON(d)
	}
	text := a.text.Text
	p := a.page()
	a.orderHead(p, d.Order)
	column := p.Column(headLabels(d.Order)...)
	p.Row(0, column, text("desk.account"), render.Safe(d.Order.Account))
	if i := d.Item; i != nil && i.ClaimedBy != "" {
		p.Row(0, column, text("desk.claimed"), text("desk.claimed-until", "By", render.Safe(i.ClaimedBy), "Until", a.when(*i.ClaimedUntil)))
	}
	p.Row(0, column, text("desk.review"), strconv.Itoa(d.Order.Review))
	if len(d.Order.Findings) > 0 {
		p.Blank()
		p.Findings(d.Order.Findings)
	}
	a.decisionRows(p, d.Decisions)
	if len(d.Matters) == 0 {
		return a.print(p)
	}
	p.Blank()
	p.Strong(0, text("desk.matters"))
	for i := range d.Matters {
		m := &d.Matters[i]
		p.Item(2, p.Bullet(), render.Safe(m.Finding))
		p.Weak(4, a.scopeWords(m.Scope))
		switch {
		case m.AgreedBy != "":
			p.Weak(4, text("desk.agreed", "By", render.Safe(m.AgreedBy)))
		case m.FourEyes:
			p.Weak(4, text("desk.four-eyes"))
		}
	}
	p.Blank()
	p.Line(p.Command("assay review approve " + d.Order.ID + " " + quoted(d.Matters[0].Finding) + " --review " + strconv.Itoa(d.Order.Review) + " --note " + text("desk.note-example")))
	p.Line(p.Command("assay review ask " + d.Order.ID + " " + string(d.Matters[0].Cause) + " --note " + text("desk.note-example")))
	p.Line(p.Command("assay review refuse " + d.Order.ID + " " + string(d.Matters[0].Cause) + " --note " + text("desk.note-example")))
	return a.print(p)
}

// quoted is an argument as it has to be written in a shell.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@._-/:", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(render.Safe(s), "'", `'\''`) + "'"
}

func (a *app) scopeWords(scope string) string {
	if scope == "order" {
		return a.text.Text("desk.scope-order")
	}
	return a.text.Text("desk.scope", "Domain", render.Safe(scope))
}

// decisionRows shows what people decided, asked and answered, the oldest first.
func (a *app) decisionRows(p *render.Page, list []service.DecisionView) {
	if len(list) == 0 {
		return
	}
	p.Blank()
	p.Strong(0, a.text.Text("desk.decisions"))
	for i := len(list) - 1; i >= 0; i-- {
		d := &list[i]
		head := a.when(d.At) + "  " + a.text.Text("desk.kind."+d.Kind)
		if d.By != "" {
			head += " " + render.Safe(d.By)
		}
		if d.AgreedBy != "" {
			head += ", " + a.text.Text("desk.with", "By", render.Safe(d.AgreedBy))
		}
		if d.Withdrawn {
			head += " (" + a.text.Text("desk.withdrawn") + ")"
		}
		p.Item(2, p.Bullet(), head)
		if about := strings.Trim(d.Cause+" "+d.Subject, " "); about != "" {
			p.Weak(4, render.Safe(about))
		}
		p.Paragraph(4, flat(d.Note))
		if d.Kind == "approve" || d.Kind == "agree" {
			p.Weak(4, d.ID)
		}
	}
}

// flat is a note in one paragraph.
func flat(note string) string { return render.Safe(strings.Join(strings.Fields(note), " ")) }

func (a *app) reviewHoldCommand(word string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: word + " ORDER", Short: a.text.Text("desk." + word + ".short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				var i service.QueueItem
				if err := a.call(ctx, client.Call{Method: http.MethodPost, Path: "/orders/" + url.PathEscape(args[0]) + "/" + word}, &i); err != nil {
					return err
				}
				if asJSON {
					return a.writeJSON(i)
				}
				p := a.page()
				if i.ClaimedUntil == nil {
					p.Line(a.text.Text("desk.released", "Order", i.Order))
					return a.print(p)
				}
				p.Line(a.text.Text("desk.yours", "Order", i.Order, "Until", a.when(*i.ClaimedUntil)))
				p.Line(p.Command("assay review show " + i.Order))
				return a.print(p)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) reviewApproveCommand() *cobra.Command {
	var asJSON bool
	var in service.ApprovalRequest
	c := &cobra.Command{
		Use: "approve ORDER FINDING… --review N --note TEXT", Short: a.text.Text("desk.approve.short"), Long: a.text.Text("desk.approve.long"), Args: cobra.MinimumNArgs(1),
		Example: "  assay review approve ORDER policy.sensitive-word@bank.orchard.net --review 2 --note \"The bank of a river.\"",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if in.Findings = args[1:]; len(in.Findings) == 0 || in.Review < 1 {
					return a.usage("assay review show "+args[0], "desk.approve.needs")
				}
				if err := a.needsNote(c, in.Note); err != nil {
					return err
				}
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: "/orders/" + url.PathEscape(args[0]) + "/approve", Body: &in}, asJSON)
			})
		},
	}
	c.Flags().IntVar(&in.Review, "review", 0, a.text.Text("flag.approve-review"))
	c.Flags().StringVar(&in.Note, "note", "", a.text.Text("flag.note"))
	c.Flags().BoolVar(&in.OrderOnly, "order-only", false, a.text.Text("flag.order-only"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// needsNote refuses a decision without a word on why.
func (a *app) needsNote(c *cobra.Command, note string) error {
	if strings.TrimSpace(note) == "" {
		return a.usage(c.CommandPath()+" --help", "desk.needs-note")
	}
	return nil
}

func (a *app) reviewRemarkCommand(word string) *cobra.Command {
	var asJSON bool
	var note string
	c := &cobra.Command{
		Use: word + " ORDER CAUSE --note TEXT", Short: a.text.Text("desk." + word + ".short"), Args: cobra.ExactArgs(2),
		Example: "  assay review " + word + " ORDER policy.sensitive-word --note " + a.text.Text("desk.note-example"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if err := a.needsNote(c, note); err != nil {
					return err
				}
				body := service.Remark{Cause: cause.ID(args[1]), Note: note}
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: "/orders/" + url.PathEscape(args[0]) + "/" + word, Body: &body}, asJSON)
			})
		},
	}
	c.Flags().StringVar(&note, "note", "", a.text.Text("flag.note"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) reviewWithdrawCommand() *cobra.Command {
	var asJSON bool
	var note string
	c := &cobra.Command{
		Use: "withdraw ORDER APPROVAL --note TEXT", Short: a.text.Text("desk.withdraw.short"), Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if err := a.needsNote(c, note); err != nil {
					return err
				}
				body := map[string]string{"decision": args[1], "note": note}
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: "/orders/" + url.PathEscape(args[0]) + "/withdraw", Body: body}, asJSON)
			})
		},
	}
	c.Flags().StringVar(&note, "note", "", a.text.Text("flag.note"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// orderAnswerCommand answers a reviewer's question.
func (a *app) orderAnswerCommand() *cobra.Command {
	var asJSON bool
	var note string
	c := &cobra.Command{
		Use: "answer ORDER --note TEXT", Short: a.text.Text("order.answer.short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if err := a.needsNote(c, note); err != nil {
					return err
				}
				body := map[string]string{"note": note}
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: "/orders/" + url.PathEscape(args[0]) + "/answer", Body: body}, asJSON)
			})
		},
	}
	c.Flags().StringVar(&note, "note", "", a.text.Text("flag.note"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// peopleRows say what an order waits for of people, or what a person refused it for.
func (a *app) peopleRows(p *render.Page, v *service.View, column int) {
	text := a.text.Text
	if r := v.Refusal; r != nil {
		p.Blank()
		p.Strong(0, text("desk.refused", "When", a.when(r.At)))
		a.remarkRows(p, r)
	}
	w := v.Waiting
	switch {
	case w == nil:
	case w.For == "applicant" && w.Question != nil:
		p.Blank()
		p.Strong(0, text("desk.question", "When", a.when(w.Question.At)))
		a.remarkRows(p, w.Question)
	case w.For == "reviewer":
		p.Row(0, column, text("desk.since"), a.when(w.Since))
		if w.Due != nil {
			p.Row(0, column, text("desk.due"), a.when(*w.Due))
		}
		if w.UrgeFrom != nil {
			p.Row(0, column, text("desk.urge-from"), a.when(*w.UrgeFrom))
		}
	}
}

// remarkRows show what a reviewer told the applicant.
func (a *app) remarkRows(p *render.Page, d *service.DecisionView) {
	if id := cause.ID(d.Cause); cause.Lookup(id) != nil {
		p.Weak(2, cause.TextsOf(id, a.text.Lang()).Title+" ("+d.Cause+")")
	}
	p.Paragraph(2, flat(d.Note))
}
