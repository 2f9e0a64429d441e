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

func (a *app) tokenCommand() *cobra.Command {
	c := &cobra.Command{Use: "token", Short: a.text.Text("token.short"), Long: a.text.Text("token.long"), RunE: a.subcommandNeeded}
	c.AddCommand(a.tokenNewCommand(), a.tokenListCommand(), a.tokenRevokeCommand(), a.tokenRecoverCommand())
	return c
}

func (a *app) tokenNewCommand() *cobra.Command {
	var r service.TokenRequest
	var role string
	var asJSON bool
	c := &cobra.Command{
		Use: "new --role ROLE", Short: a.text.Text("token.new.short"), Args: cobra.NoArgs,
		Example: "  assay token new --role applicant --account shop\n  assay token new --role auditor --days 30",
		RunE: func(c *cobra.Command, _ []string) error {
			r.Role = service.Role(role)
			return a.interruptible(c, func(ctx context.Context) error {
				t, err := a.newToken(ctx, r)
				if err != nil {
					return err
				}
				if asJSON {
					return a.writeJSON(t)
				}
				p := a.page()
				p.Line(p.Bold(t.Secret))
				p.Paragraph(0, a.text.Text("token.once", "Role", string(t.Role), "Account", render.Safe(t.Account)))
				return a.print(p)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&role, "role", "applicant", a.text.Text("flag.role"))
	f.StringVar(&r.Account, "account", "", a.text.Text("flag.account"))
	f.StringVar(&r.Tenant, "tenant", "", a.text.Text("flag.tenant"))
	f.StringVar(&r.Name, "name", "", a.text.Text("flag.token-name"))
	f.IntVar(&r.Days, "days", 0, a.text.Text("flag.token-days"))
	f.StringSliceVar(&r.Scopes, "scope", nil, a.text.Text("flag.scope"))
	f.BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// newToken makes a token. Where the answer with it was lost on the way, the repeated
// request is answered without it: that one is revoked, since nobody has it, and
// another is made.
func (a *app) newToken(ctx context.Context, r service.TokenRequest) (t service.TokenView, err error) {
	for range 2 {
		t = service.TokenView{}
		if err := a.call(ctx, client.Call{Method: http.MethodPost, Path: "/tokens", Body: r}, &t); err != nil || t.Secret != "" {
			return t, err
		}
		if err = a.revokeToken(ctx, t.ID); err != nil {
			break
		}
	}
	lost := &failure{code: exitUnavailable, what: a.text.Text("token.lost", "ID", render.Safe(t.ID)), next: "assay token new --role " + quoteArgument(string(r.Role))}
	if err != nil { // it lets in still
		lost.next = "assay token revoke " + quoteArgument(t.ID)
	}
	return t, lost
}

func (a *app) revokeToken(ctx context.Context, id string) error {
	return a.noticeCall(ctx, client.Call{Method: http.MethodDelete, Path: "/tokens/" + url.PathEscape(id)}, nil, "assay token list")
}

func (a *app) tokenListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("token.list.short"), Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return a.tokenList(ctx, asJSON) })
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) tokenList(ctx context.Context, asJSON bool) error {
	all := []service.TokenView{}
	for cursor := ""; ; {
		var list struct {
			Items []service.TokenView `json:"items"`
			Next  string              `json:"next"`
		}
		q := url.Values{"limit": {"200"}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: "/tokens", Query: q}, &list); err != nil {
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
	rows := [][]render.Cell{a.heads("token.id", "token.role", "token.account", "token.name", "token.ends")}
	for _, t := range all {
		end := "-"
		if t.ExpiresAt != nil {
			end = t.ExpiresAt.Format(time.DateOnly)
		}
		if t.RevokedAt != nil {
			end = a.text.Text("token.revoked", "At", t.RevokedAt.Format(time.DateOnly))
		}
		rows = append(rows, []render.Cell{
			render.Plain(t.ID), render.Plain(string(t.Role)), render.Plain(render.Safe(t.Account)), render.Plain(render.Safe(t.Name)), render.Plain(end),
		})
	}
	p := a.page()
	p.Table(0, 3, rows)
	return a.print(p)
}

// heads are the heads of a table.
func (a *app) heads(ids ...string) []render.Cell {
	cells := make([]render.Cell, len(ids))
	for i, id := range ids {
		cells[i] = render.FaintCell(a.text.Text(id))
	}
	return cells
}

func (a *app) tokenRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: a.text.Text("token.revoke.short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				// Whoever pastes the whole token means its id.
				id := args[0]
				if parts := strings.Split(id, "_"); len(parts) > 1 {
					id = parts[1]
				}
				return a.revokeToken(ctx, id)
			})
		},
	}
}
