package main

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
	"assay/order"
)

func (a *app) orderCommand() *cobra.Command {
	c := &cobra.Command{Use: "order", Short: a.text.Text("order.short"), Long: a.text.Text("order.long"), RunE: a.subcommandNeeded}
	c.AddCommand(a.orderNewCommand(), a.orderListCommand(), a.orderShowCommand(), a.orderWatchCommand())
	for _, word := range []string{"submit", "verify", "cancel", "resume", "remind", "delete"} {
		c.AddCommand(a.orderActCommand(word))
	}
	c.AddCommand(a.orderAnswerCommand())
	c.AddCommand(a.orderResubmitCommand(), a.orderLetterCommand(), a.orderCallCommand(), a.orderClaimCommand())
	return c
}

// applicationFlags say what is asked for.
type applicationFlags struct {
	file, csr, product, method, profile, plan, account string
	draft, json                                        bool
	help                                               string // the command that says how
}

func (a *app) applicationFlags(c *cobra.Command, f *applicationFlags) {
	s := c.Flags()
	s.SortFlags = false
	f.help = "assay order " + c.Name() + " --help"
	s.StringVar(&f.csr, "csr", "", a.text.Text("flag.csr"))
	s.StringVar(&f.product, "product", "", a.text.Text("flag.product"))
	s.StringVar(&f.method, "method", "", a.text.Text("flag.method"))
	s.StringVar(&f.file, "file", "", a.text.Text("flag.order"))
	s.StringVar(&f.profile, "profile", "", a.text.Text("flag.order-profile"))
	s.StringVar(&f.plan, "plan", "", a.text.Text("flag.plan"))
	s.StringVar(&f.account, "account", "", a.text.Text("flag.order-account"))
	s.BoolVar(&f.json, "json", false, a.text.Text("flag.json"))
}

func (a *app) orderNewCommand() *cobra.Command {
	var f applicationFlags
	c := &cobra.Command{
		Use: "new NAME… [--csr FILE] [--file ORDER]", Short: a.text.Text("order.new.short"), Long: a.text.Text("order.new.long"),
		Example: "  assay order new shop.orchard.net --csr shop.csr --method dns\n  assay order new --file order.yaml",
		RunE: func(c *cobra.Command, names []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				body, err := a.application(&f, names)
				if err != nil {
					return err
				}
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: "/orders", Body: body}, f.json)
			})
		},
	}
	a.applicationFlags(c, &f)
	c.Flags().BoolVar(&f.draft, "draft", false, a.text.Text("flag.draft"))
	return c
}

// An applicationBody is what POST /orders takes.
type applicationBody struct {
	Profile string       `json:"profile,omitempty"`
	Draft   bool         `json:"draft,omitempty"`
	Order   *order.Order `json:"order"`
}

// application reads an order as assay check does: a file, and flags and names
// over it.
func (a *app) application(f *applicationFlags, names []string) (*applicationBody, error) {
	file, err := a.assemble(&checkFlags{help: f.help, order: f.file, csr: f.csr, product: f.product, method: f.method, plan: f.plan}, names)
	if err != nil {
		return nil, err
	}
	if len(file.Names) == 0 {
		return nil, a.usage("assay order new shop.orchard.net --csr shop.csr", "order.needs-names")
	}
	file.Expect, file.History = nil, nil // those are for a check: the service makes the values and knows the past
	o := file.Resolve()
	if f.account != "" {
		o.Account = f.account
	}
	return &applicationBody{Profile: f.profile, Draft: f.draft, Order: o}, nil
}

// orderCall makes a request whose answer is an order, and shows it.
func (a *app) orderCall(ctx context.Context, call client.Call, asJSON bool) error {
	var v service.View
	if err := a.call(ctx, call, &v); err != nil {
		return err
	}
	return a.showOrder(&v, asJSON)
}

func (a *app) orderListCommand() *cobra.Command {
	var asJSON bool
	var limit int
	filters := map[string]*string{}
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("order.list.short"), Args: cobra.NoArgs,
		Example: "  assay order list --state pending\n  assay order list --domain orchard.net --json",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				q := url.Values{}
				for key, value := range filters {
					if *value != "" {
						q.Set(key, *value)
					}
				}
				return a.orderList(ctx, q, limit, asJSON)
			})
		},
	}
	for _, key := range []string{"state", "account", "name", "domain"} {
		filters[key] = c.Flags().String(key, "", a.text.Text("flag.list-"+key))
	}
	c.Flags().IntVar(&limit, "limit", 50, a.text.Text("flag.limit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// pages reads the pages of a list until there are as many items as asked for.
func pages[T any](ctx context.Context, a *app, path string, q url.Values, limit int) ([]T, error) {
	items := []T{}
	for len(items) < limit {
		var page struct {
			Items []T    `json:"items"`
			Next  string `json:"next"`
		}
		q.Set("limit", strconv.Itoa(min(200, limit-len(items))))
		if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: path, Query: q}, &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("cursor", page.Next)
	}
	return items, nil
}

// orderList lists orders, as many as asked for.
func (a *app) orderList(ctx context.Context, q url.Values, limit int, asJSON bool) error {
	if limit < 1 {
		return a.usage("assay order list --limit 50", "order.limit")
	}
	items, err := pages[service.Summary](ctx, a, "/orders", q, limit)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(items)
	}
	p := a.page()
	if len(items) == 0 {
		p.Line(a.text.Text("order.none"))
		return a.print(p)
	}
	rows := [][]render.Cell{a.heads("order.number", "order.state", "order.name", "order.waits", "order.deadline")}
	for i := range items {
		rows = append(rows, a.orderRow(&items[i]))
	}
	p.Table(0, 2, rows)
	return a.print(p)
}

func (a *app) orderRow(o *service.Summary) []render.Cell {
	name := render.Safe(o.Name)
	if o.Names > 1 {
		name += " +" + strconv.Itoa(o.Names-1)
	}
	end := "-"
	if o.Deadline != nil && o.State.Open() {
		end = a.when(*o.Deadline)
	}
	return []render.Cell{
		render.BoldCell(o.ID), render.Plain(a.stateWord(o.State, o.Reason)), render.Plain(name), render.Plain(a.waitsFor(o.State, o.Phase, o.Paused)), render.Plain(end),
	}
}

func (a *app) stateWord(s order.State, why order.Reason) string {
	if (s == order.StateFailed || s == order.StateCancelling) && why != "" {
		return a.text.Text("order." + string(s) + "." + string(why))
	}
	return a.text.Text("order.state." + string(s))
}

// waitsFor says what an order waits for, and whom.
func (a *app) waitsFor(s order.State, phase order.Phase, paused string) string {
	switch {
	case paused != "":
		return a.text.Text("order.paused")
	case s == order.StateLetter:
		return a.text.Text("order.phase.letter")
	case s.Open() && phase != "":
		return a.text.Text("order.phase." + string(phase))
	}
	return "-"
}

func (a *app) orderActCommand(word string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: word + " ORDER", Short: a.text.Text("order." + word + ".short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				path := "/orders/" + url.PathEscape(args[0])
				if word == "delete" {
					return a.call(ctx, client.Call{Method: http.MethodDelete, Path: path}, nil)
				}
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: path + "/" + word}, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) orderResubmitCommand() *cobra.Command {
	var f applicationFlags
	c := &cobra.Command{
		Use: "resubmit ORDER [NAME…] [--csr FILE] [--file ORDER]", Short: a.text.Text("order.resubmit.short"), Long: a.text.Text("order.resubmit.long"),
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				call := client.Call{Method: http.MethodPost, Path: "/orders/" + url.PathEscape(args[0]) + "/resubmit"}
				if len(args) > 1 || f.file != "" || f.csr != "" {
					body, err := a.application(&f, args[1:])
					if err != nil {
						return err
					}
					call.Body = body
				}
				return a.orderCall(ctx, call, f.json)
			})
		},
	}
	a.applicationFlags(c, &f)
	return c
}
