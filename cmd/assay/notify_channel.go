package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
)

func (a *app) notifyChannelCommand() *cobra.Command {
	c := &cobra.Command{Use: "channel", Short: a.text.Text("notify.channel.short"), Long: a.text.Text("notify.channel.long"), RunE: a.subcommandNeeded}
	show := a.oneCommand("show CHANNEL", "notify.channel.show.short", "  assay notify channel show CHANNEL", func(ctx context.Context, id string, asJSON bool) error {
		return a.channelCall(ctx, client.Call{Method: http.MethodGet, Path: "/channels/" + url.PathEscape(id)}, nextChannels, asJSON)
	})
	remove := a.oneCommand("remove CHANNEL", "notify.channel.remove.short", "  assay notify channel remove CHANNEL", func(ctx context.Context, id string, asJSON bool) error {
		return a.channelCall(ctx, client.Call{Method: http.MethodDelete, Path: "/channels/" + url.PathEscape(id)}, nextChannels, asJSON)
	})
	c.AddCommand(a.channelAddCommand(), a.channelListCommand(), show, a.channelChangeCommand(), remove)
	return c
}

func (a *app) channelAddCommand() *cobra.Command {
	var r service.ChannelRequest
	var role string
	var asJSON bool
	c := &cobra.Command{
		Use: "add TARGET", Short: a.text.Text("notify.channel.add.short"), Long: a.text.Text("notify.channel.add.long"), Args: cobra.ExactArgs(1),
		Example: "  assay notify channel add web@orchard.net --language zh\n  assay notify channel add https://hooks.orchard.net/assay --event order.ready --event order.refused",
		RunE: func(c *cobra.Command, args []string) error {
			r.Target, r.Role, r.Kind = args[0], service.Role(role), service.KindEmail
			if strings.Contains(r.Target, "://") {
				r.Kind = service.KindWebhook
			}
			return a.interruptible(c, func(ctx context.Context) error {
				return a.channelCall(ctx, client.Call{Method: http.MethodPost, Path: "/channels", Body: r}, "assay notify channel add --help", asJSON)
			})
		},
	}
	f := c.Flags()
	f.StringSliceVar(&r.Events, "event", nil, a.text.Text("flag.notify-event"))
	f.StringVar(&r.Language, "language", "", a.text.Text("flag.notify-language"))
	f.StringVar(&r.Account, "account", "", a.text.Text("flag.notify-account"))
	f.StringVar(&role, "role", "", a.text.Text("flag.notify-role"))
	f.BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) channelChangeCommand() *cobra.Command {
	var r service.ChannelChange
	var asJSON bool
	c := &cobra.Command{
		Use: "change CHANNEL", Short: a.text.Text("notify.channel.change.short"), Args: cobra.ExactArgs(1),
		Example: "  assay notify channel change CHANNEL --language zh --event order.ready",
		RunE: func(c *cobra.Command, args []string) error {
			if len(r.Events) == 0 && r.Language == "" {
				return a.usage("assay notify channel change "+args[0]+" --language zh", "notify.channel.no-change")
			}
			return a.interruptible(c, func(ctx context.Context) error {
				return a.channelCall(ctx, client.Call{Method: http.MethodPatch, Path: "/channels/" + url.PathEscape(args[0]), Body: r}, nextChannels, asJSON)
			})
		},
	}
	c.Flags().StringSliceVar(&r.Events, "event", nil, a.text.Text("flag.notify-event"))
	c.Flags().StringVar(&r.Language, "language", "", a.text.Text("flag.notify-language"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// channelCall makes a request whose answer is a channel, and shows it.
func (a *app) channelCall(ctx context.Context, call client.Call, next string, asJSON bool) error {
	var v service.ChannelView
	if err := a.noticeCall(ctx, call, &v, next); err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(v)
	}
	p := a.page()
	column := p.Column("notify.channel", "notify.target", "notify.account", "notify.role", "notify.events", "notify.language")
	row := func(id, text string) { p.Row(0, column, a.text.Text(id), render.Safe(text)) }
	row("notify.channel", v.ID)
	row("notify.target", v.Kind+" "+v.Target)
	row("notify.account", a.accountOf(&v))
	row("notify.role", string(v.Role))
	row("notify.events", strings.Join(v.Events, ", "))
	row("notify.language", v.Language)
	if v.RemovedAt != nil {
		p.Line(a.text.Text("notify.channel.removed"))
	}
	if v.Secret != "" {
		p.Blank()
		p.Line(p.Bold(v.Secret)) // never wrapped: it is copied
		p.Paragraph(0, a.text.Text("notify.channel.once"))
	}
	if call.Method == http.MethodPost && v.Kind == service.KindWebhook && v.Secret == "" {
		p.Blank()
		p.Paragraph(0, a.text.Text("notify.channel.lost")) // the answer that had it was lost on its way
		p.Line(p.Command("assay notify channel remove " + render.Safe(v.ID)))
	} else if call.Method == http.MethodPost {
		p.Blank()
		p.Line(p.Command("assay notify test " + render.Safe(v.ID)))
	}
	return a.print(p)
}

// accountOf is whose orders a channel tells of.
func (a *app) accountOf(v *service.ChannelView) string {
	if v.Account == "" {
		return a.text.Text("notify.all-accounts")
	}
	return v.Account
}

func (a *app) channelListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("notify.channel.list.short"), Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return a.channelList(ctx, asJSON) })
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) channelList(ctx context.Context, asJSON bool) error {
	all := []service.ChannelView{}
	for cursor := ""; ; {
		var list struct {
			Items []service.ChannelView `json:"items"`
			Next  string                `json:"next"`
		}
		q := url.Values{"limit": {"200"}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: "/channels", Query: q}, &list); err != nil {
			return err
		}
		all = append(all, list.Items...)
		if cursor = list.Next; cursor == "" {
			break
		}
	}
	if asJSON {
		return a.writeJSON(all)
	}
	p := a.page()
	if len(all) == 0 {
		p.Line(a.text.Text("notify.channel.none"))
		p.Line(p.Command("assay notify channel add web@orchard.net"))
		return a.print(p)
	}
	for i := range all {
		v := &all[i]
		p.Line(p.Bold(v.ID) + "  " + render.Safe(v.Kind+" "+v.Target))
		p.Weak(2, render.Safe(a.accountOf(v)+" · "+string(v.Role)+" · "+v.Language+" · "+strings.Join(v.Events, ", ")))
	}
	return a.print(p)
}
