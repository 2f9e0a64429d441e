package main

import (
	"context"
	"errors"
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
		Example: "  assay audit list --order ORDER\n  assay audit list --limit 0 --json > audit.json",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				q := url.Values{}
				for key, value := range filters {
					if *value != "" {
						q.Set(key, *value)
					}
				}
				return a.auditList(ctx, q, limit, asJSON)
			})
		},
	}
	for _, key := range []string{"order", "actor", "action"} {
		filters[key] = c.Flags().String(key, "", a.text.Text("flag.audit-"+key))
	}
	c.Flags().IntVar(&limit, "limit", 50, a.text.Text("flag.audit-limit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// auditPage is how many entries are asked for at once.
const auditPage = 200

// auditList writes the newest entries, up to limit, 0: all of them, page by page
// as they come: memory holds one page.
func (a *app) auditList(ctx context.Context, q url.Values, limit int, asJSON bool) error {
	if limit < 0 {
		return a.usage("assay audit list --limit 0", "audit.limit")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	out := &jsonList{app: a}
	for shown := 0; ; {
		var page struct {
			Items []service.EntryView `json:"items"`
			Next  string              `json:"next"`
		}
		ask := auditPage
		if limit > 0 {
			ask = min(ask, limit-shown)
		}
		q.Set("limit", strconv.Itoa(ask))
		if err := a.served(c.Do(ctx, client.Call{Method: http.MethodGet, Path: "/audit", Query: q}, &page)); err != nil {
			return err
		}
		if err := a.auditEntries(out, page.Items, shown == 0, asJSON); err != nil {
			return err
		}
		shown += len(page.Items)
		if page.Next == "" || len(page.Items) == 0 || shown == limit {
			return a.auditEnd(out, page.Next != "" && shown == limit, asJSON)
		}
		q.Set("cursor", page.Next)
	}
}

// auditEntries writes one page of entries.
func (a *app) auditEntries(out *jsonList, items []service.EntryView, first, asJSON bool) error {
	if asJSON {
		for i := range items {
			if err := out.add(&items[i]); err != nil {
				return err
			}
		}
		return nil
	}
	rows := [][]render.Cell{}
	if first {
		rows = append(rows, a.heads("audit.place", "audit.at", "audit.actor", "audit.action", "audit.subject"))
	}
	for i := range items {
		e := &items[i]
		place := "-"
		if e.Seq > 0 {
			place = strconv.FormatInt(e.Seq, 10)
		}
		// Padded, so that the pages of a long list stand in the same columns.
		rows = append(rows, []render.Cell{
			render.Plain(render.Pad(place, 6)), render.Plain(e.At.Local().Format(time.DateTime)), render.Plain(render.Pad(render.Safe(e.Actor), 16)),
			render.Plain(render.Pad(render.Safe(e.Action), 14)), render.Plain(render.Safe(e.Subject)),
		})
	}
	p := a.page()
	p.Table(0, 4, rows)
	return a.print(p)
}

// auditEnd ends a list; more says that there are entries which it does not show.
func (a *app) auditEnd(out *jsonList, more, asJSON bool) error {
	if asJSON {
		return out.end()
	}
	if !more {
		return nil
	}
	p := a.page()
	p.Weak(0, a.text.Text("audit.more"))
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
	raw, err := a.read(keyPath, maxKeyText, next)
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
	if err != nil && !asJSON {
		r.Problem = a.exportProblem(err)
	}
	return a.showAudit(r, asJSON)
}

// exportProblem says in the user's language which line of an export is none.
func (a *app) exportProblem(err error) string {
	var line *audit.LineError
	if !errors.As(err, &line) {
		return err.Error()
	}
	why := line.Err.Error()
	switch {
	case errors.Is(line.Err, audit.ErrCut):
		why = a.text.Text("audit.cut")
	case errors.Is(line.Err, audit.ErrLine):
		why = a.text.Text("audit.no-line")
	}
	return a.text.Text("audit.line", "Line", line.Line, "Why", why)
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
