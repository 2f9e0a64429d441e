package main

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
	"assay/internal/store"
)

const (
	nextChannels = "assay notify channel list"
	nextNotices  = "assay notify list"
)

func (a *app) notifyCommand() *cobra.Command {
	c := &cobra.Command{Use: "notify", Short: a.text.Text("notify.short"), Long: a.text.Text("notify.long"), RunE: a.subcommandNeeded}
	c.AddCommand(a.notifyChannelCommand(), a.notifyTestCommand(), a.notifyListCommand(), a.notifyShowCommand(), a.notifyPreviewCommand(), a.notifyRetryCommand())
	return c
}

// noticeCall is [app.call]; where that fails for what was named, next says where to
// find what there is.
func (a *app) noticeCall(ctx context.Context, call client.Call, into any, next string) error {
	err := a.call(ctx, call, into)
	var f *failure
	if errors.As(err, &f) && f.code == exitData {
		f.next = next
	}
	return err
}

// oneCommand is a command about one thing that the service names.
func (a *app) oneCommand(use, short, example string, run func(ctx context.Context, id string, asJSON bool) error) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: use, Short: a.text.Text(short), Args: cobra.ExactArgs(1), Example: example,
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return run(ctx, args[0], asJSON) })
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) notifyTestCommand() *cobra.Command {
	return a.oneCommand("test CHANNEL", "notify.test.short", "  assay notify test CHANNEL", func(ctx context.Context, id string, asJSON bool) error {
		var t service.ChannelTest
		if err := a.noticeCall(ctx, client.Call{Method: http.MethodPost, Path: "/channels/" + url.PathEscape(id) + "/test"}, &t, nextChannels); err != nil {
			return err
		}
		if !t.Delivered {
			a.exit = exitRefuse
		}
		if asJSON {
			return a.writeJSON(t)
		}
		p := a.page()
		text := "notify.test.failed"
		if t.Delivered {
			text = "notify.test.done"
		}
		p.Paragraph(0, a.text.Text(text, "Detail", render.Safe(t.Detail), "Milliseconds", t.Milliseconds))
		return a.print(p)
	})
}

func (a *app) notifyListCommand() *cobra.Command {
	var asJSON bool
	var limit int
	filters := map[string]*string{}
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("notify.list.short"), Args: cobra.NoArgs,
		Example: "  assay notify list --order ORDER\n  assay notify list --state dead --json",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				q := url.Values{}
				for key, value := range filters {
					if *value != "" {
						q.Set(key, *value)
					}
				}
				return a.notifyList(ctx, q, limit, asJSON)
			})
		},
	}
	for _, key := range []string{"order", "certificate", "channel", "state"} {
		filters[key] = c.Flags().String(key, "", a.text.Text("flag.notify-"+key))
	}
	c.Flags().IntVar(&limit, "limit", 50, a.text.Text("flag.limit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// notifyList reads pages until there are as many notices as asked for.
func (a *app) notifyList(ctx context.Context, q url.Values, limit int, asJSON bool) error {
	if limit < 1 {
		return a.usage("assay notify list --limit 50", "order.limit")
	}
	items := []service.NoticeView{}
	for len(items) < limit {
		var page struct {
			Items []service.NoticeView `json:"items"`
			Next  string               `json:"next"`
		}
		q.Set("limit", strconv.Itoa(min(200, limit-len(items))))
		if err := a.noticeCall(ctx, client.Call{Method: http.MethodGet, Path: "/notices", Query: q}, &page, nextNotices+" --help"); err != nil {
			return err
		}
		items = append(items, page.Items...)
		if page.Next == "" {
			break
		}
		q.Set("cursor", page.Next)
	}
	if asJSON {
		return a.writeJSON(items)
	}
	p := a.page()
	if len(items) == 0 {
		p.Line(a.text.Text("notify.none"))
		return a.print(p)
	}
	// The name of a notice is long: it has a line of its own, with why it is not sent.
	for i := range items {
		n := &items[i]
		event, about := render.Pad(render.Safe(n.Event), 15), render.Pad(render.Safe(cmp.Or(n.Order, n.Certificate)), 16)
		p.Line(n.At.Local().Format(time.DateTime) + "  " + event + "  " + about + "  " + p.Bold(a.noticeState(n)))
		line := render.Safe(n.ID)
		if n.Reason != "" {
			line += " · " + render.Safe(n.Reason)
		}
		p.Weak(2, line)
	}
	return a.print(p)
}

func (a *app) noticeState(n *service.NoticeView) string {
	if n.State == string(store.NoticeDue) && n.Attempts > 0 {
		return a.text.Text("notify.state.again")
	}
	return a.text.Text("notify.state." + n.State)
}

func (a *app) notifyShowCommand() *cobra.Command {
	return a.oneCommand("show NOTICE", "notify.show.short", "  assay notify show NOTICE", func(ctx context.Context, id string, asJSON bool) error {
		return a.noticeShown(ctx, http.MethodGet, "/notices/"+url.PathEscape(id), asJSON)
	})
}

func (a *app) notifyRetryCommand() *cobra.Command {
	return a.oneCommand("retry NOTICE", "notify.retry.short", "  assay notify list --state dead\n  assay notify retry NOTICE", func(ctx context.Context, id string, asJSON bool) error {
		return a.noticeShown(ctx, http.MethodPost, "/notices/"+url.PathEscape(id)+"/retry", asJSON)
	})
}

// noticeShown makes a request whose answer is a notice, and shows it.
func (a *app) noticeShown(ctx context.Context, method, path string, asJSON bool) error {
	var n service.NoticeView
	if err := a.noticeCall(ctx, client.Call{Method: method, Path: path}, &n, nextNotices); err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(n)
	}
	p := a.page()
	p.Strong(0, render.Safe(n.Event)+" · "+a.noticeState(&n))
	column := p.Column("notify.order", "notify.certificate", "notify.channel", "notify.at", "notify.next", "notify.reason")
	row := func(id, text string) {
		if text != "" {
			p.Row(0, column, a.text.Text(id), render.Safe(text))
		}
	}
	row("notify.order", n.Order)
	if n.Order == "" {
		row("notify.certificate", n.Certificate)
	}
	row("notify.channel", n.Channel)
	row("notify.at", a.when(n.At))
	if n.DueAt != nil {
		row("notify.next", a.when(*n.DueAt))
	}
	row("notify.reason", n.Reason)
	if len(n.Tries) > 0 {
		p.Blank()
		rows := [][]render.Cell{a.heads("notify.attempt", "notify.at", "notify.took", "notify.detail")}
		for _, t := range n.Tries {
			rows = append(rows, []render.Cell{
				render.Plain(strconv.Itoa(t.Attempt)), render.Plain(t.At.Local().Format(time.DateTime)), render.Plain(strconv.FormatInt(t.Milliseconds, 10) + " ms"),
				render.Plain(render.Safe(t.Detail)),
			})
		}
		p.Table(0, 3, rows)
	}
	if n.State == string(store.NoticeDead) {
		p.Blank()
		p.Line(p.Command("assay notify retry " + render.Safe(n.ID)))
	}
	return a.print(p)
}

func (a *app) notifyPreviewCommand() *cobra.Command {
	var asJSON, html bool
	var event, lang string
	c := &cobra.Command{
		Use: "preview (ORDER | CERTIFICATE)", Short: a.text.Text("notify.preview.short"), Args: cobra.ExactArgs(1),
		Example: "  assay notify preview ORDER --event order.reminder --language zh\n  assay notify preview CERTIFICATE --event certificate.ending --html > notice.html",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				q := url.Values{}
				for key, value := range map[string]string{"event": event, "language": lang} {
					if value != "" {
						q.Set(key, value)
					}
				}
				var v service.NoticePreview
				err := a.call(ctx, client.Call{Method: http.MethodGet, Path: "/orders/" + url.PathEscape(args[0]) + "/notice", Query: q}, &v)
				switch {
				case err != nil:
					return err
				case asJSON:
					return a.writeJSON(v)
				case html:
					_, err := a.out.Write([]byte(v.HTML))
					return err
				}
				p := a.page()
				p.Strong(0, render.Safe(v.Subject))
				p.Blank()
				for line := range strings.SplitSeq(strings.TrimSpace(v.Text), "\n") {
					p.Line(render.Safe(line))
				}
				return a.print(p)
			})
		},
	}
	c.Flags().StringVar(&event, "event", "", a.text.Text("flag.notify-preview-event"))
	c.Flags().StringVar(&lang, "language", "", a.text.Text("flag.notify-language"))
	c.Flags().BoolVar(&html, "html", false, a.text.Text("flag.notify-html"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}
