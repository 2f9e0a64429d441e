package main

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/audit"
	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
)

func (a *app) auditCommand() *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: a.text.Text("audit.short"), Long: a.text.Text("audit.long"), RunE: a.subcommandNeeded}
	c.AddCommand(a.auditListCommand(), a.auditExportCommand(), a.auditVerifyCommand())
	return c
}

func (a *app) auditListCommand() *cobra.Command {
	var asJSON bool
	var limit int
	filters := map[string]*string{}
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("audit.list.short"), Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				q := url.Values{"limit": {strconv.Itoa(min(max(limit, 1), 200))}}
				for key, value := range filters {
					if *value != "" {
						q.Set(key, *value)
					}
				}
				return a.auditList(ctx, q, asJSON)
			})
		},
	}
	for _, key := range []string{"order", "actor", "action"} {
		filters[key] = c.Flags().String(key, "", a.text.Text("flag.audit-"+key))
	}
	c.Flags().IntVar(&limit, "limit", 50, a.text.Text("flag.limit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) auditList(ctx context.Context, q url.Values, asJSON bool) error {
	var list struct {
		Items []service.EntryView `json:"items"`
	}
	if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: "/audit", Query: q}, &list); err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(list.Items)
	}
	rows := [][]render.Cell{a.heads("audit.place", "audit.at", "audit.actor", "audit.action", "audit.subject")}
	for i := range list.Items {
		e := &list.Items[i]
		place := "-"
		if e.Seq > 0 {
			place = strconv.FormatInt(e.Seq, 10)
		}
		rows = append(rows, []render.Cell{
			render.Plain(place), render.Plain(e.At.Local().Format(time.DateTime)), render.Plain(render.Safe(e.Actor)),
			render.Plain(render.Safe(e.Action)), render.Plain(render.Safe(e.Subject)),
		})
	}
	p := a.page()
	p.Table(0, 4, rows)
	return a.print(p)
}

func (a *app) auditExportCommand() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: a.text.Text("audit.export.short"), Args: cobra.NoArgs, Example: "  assay audit export > audit.jsonl",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				return a.call(ctx, client.Call{Method: http.MethodGet, Path: "/audit/export"}, a.out)
			})
		},
	}
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var key string
	var asJSON bool
	c := &cobra.Command{
		Use: "verify [FILE]", Short: a.text.Text("audit.verify.short"), Long: a.text.Text("audit.verify.long"), Args: cobra.MaximumNArgs(1),
		Example: "  assay audit verify\n  assay audit verify audit.jsonl --key audit.pub",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if len(args) == 1 {
					return a.verifyExport(args[0], key, asJSON)
				}
				var r service.AuditResult
				if err := a.call(ctx, client.Call{Method: http.MethodPost, Path: "/audit/verify"}, &r); err != nil {
					return err
				}
				return a.showAudit(&r, asJSON)
			})
		},
	}
	c.Flags().StringVar(&key, "key", "", a.text.Text("flag.audit-key"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// verifyExport verifies an exported chain on its own. Without the key everything
// but the signatures could have been made by whoever wrote the file: it is asked for.
func (a *app) verifyExport(path, keyPath string, asJSON bool) error {
	const next = "assay audit verify audit.jsonl --key audit.pub"
	if keyPath == "" {
		return a.usage(next, "audit.needs-key")
	}
	raw, err := a.read(keyPath, 16<<10, next)
	if err != nil {
		return err
	}
	key, err := audit.ParseKey(raw)
	if err != nil {
		return a.unreadable(next, "audit.bad-key", "Path", keyPath, "Why", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return a.usage(next, "error.open", "Path", path, "Why", a.why(err))
	}
	defer f.Close()
	sum, err := audit.VerifyExport(f, key)
	r := &service.AuditResult{Valid: err == nil, Entries: max(0, sum.To-sum.From+1), Heads: sum.Heads, Signed: sum.Signed, Key: audit.Fingerprint(key)}
	if err != nil {
		r.Problem = err.Error()
	}
	return a.showAudit(r, asJSON)
}

func (a *app) showAudit(r *service.AuditResult, asJSON bool) error {
	if !r.Valid {
		a.exit = exitRefuse
	}
	if asJSON {
		return a.writeJSON(r)
	}
	p := a.page()
	if r.Valid {
		p.Strong(0, a.text.Text("audit.valid", "Entries", r.Entries, "Signed", r.Signed, "Heads", r.Heads))
	} else {
		p.Strong(0, a.text.Text("audit.invalid", "Problem", render.Safe(r.Problem)))
	}
	if r.Unsealed > 0 {
		p.Line(a.text.Text("audit.unsealed", "Count", r.Unsealed))
	}
	return a.print(p)
}
