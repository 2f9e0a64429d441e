package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"assay/internal/certfile"
	"assay/internal/client"
	"assay/internal/render"
	"assay/internal/service"
)

const nextCSRs = "assay csr list"

func csrPath(id string) string { return "/csrs/" + url.PathEscape(id) }

func (a *app) csrKeepCommand() *cobra.Command {
	var in service.CSRRequest
	var asJSON bool
	c := &cobra.Command{
		Use: "keep FILE|-", Short: a.text.Text("csr.keep.short"), Long: a.text.Text("csr.keep.long"), Args: cobra.MaximumNArgs(1),
		Example: "  assay csr keep shop.csr --note \"shop, 2026\"\n  assay csr keep --make shop.orchard.net --key p256",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if (len(args) == 1) == (len(in.Names) > 0) {
					return a.usage("assay csr keep shop.csr", "csr.keep-one")
				}
				if len(args) == 1 {
					text, err := a.readCSR(args[0], "assay csr new NAME")
					if err != nil {
						return err
					}
					in.CSR = text
				}
				return a.csrCall(ctx, client.Call{Method: http.MethodPost, Path: "/csrs", Body: in}, "assay csr inspect FILE", asJSON)
			})
		},
	}
	c.Flags().StringArrayVar(&in.Names, "make", nil, a.text.Text("flag.csr-make"))
	c.Flags().StringVar(&in.KeyType, "key", "", a.text.Text("flag.csr-make-key"))
	c.Flags().StringVar(&in.Note, "note", "", a.text.Text("flag.csr-note"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// csrCall makes a request whose answer is a kept request, and shows it.
func (a *app) csrCall(ctx context.Context, call client.Call, next string, asJSON bool) error {
	var v service.CSRView
	if err := a.noticeCall(ctx, call, &v, next); err != nil {
		return err
	}
	return a.showKept(&v, asJSON)
}

func (a *app) showKept(v *service.CSRView, asJSON bool) error {
	if asJSON {
		return a.writeJSON(v)
	}
	p := a.page()
	p.Strong(0, v.ID+": "+keptName(v))
	column := p.Column("csr.kept-type", "csr.sha256", "csr.note", "csr.kept", "csr.kept-key", "csr.orders")
	row := func(id, text string) {
		if text != "" {
			p.Row(0, column, a.text.Text(id), render.Safe(text))
		}
	}
	row("csr.kept-type", v.KeyType)
	row("csr.sha256", v.SHA256)
	row("csr.note", v.Note)
	if at, err := time.Parse(time.RFC3339, v.CreatedAt); err == nil {
		row("csr.kept", a.when(at))
	}
	if v.HasKey {
		row("csr.kept-key", a.text.Text("cert.has-key"))
	}
	row("csr.orders", strings.Join(v.Orders, ", "))
	if len(v.Findings) > 0 {
		p.Blank()
		p.Findings(v.Findings)
	}
	if v.HasKey {
		p.Blank()
		p.Line(p.Command("assay csr key " + v.ID))
	}
	return a.print(p)
}

func keptName(v *service.CSRView) string {
	text := render.Safe(v.Name)
	if v.Names > 1 {
		text += " +" + itoa(int64(v.Names-1))
	}
	return text
}

func (a *app) csrListCommand() *cobra.Command {
	var asJSON bool
	var limit int
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("csr.list.short"), Args: cobra.NoArgs, Example: "  assay csr list --json",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return a.csrList(ctx, limit, asJSON) })
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, a.text.Text("flag.limit"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) csrList(ctx context.Context, limit int, asJSON bool) error {
	if limit < 1 {
		return a.usage("assay csr list --limit 50", "order.limit")
	}
	items, err := pages[service.CSRView](ctx, a, "/csrs", url.Values{}, limit)
	if err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(items)
	}
	p := a.page()
	if len(items) == 0 {
		p.Line(a.text.Text("csr.none"))
		p.Line(p.Command("assay csr keep shop.csr"))
		return a.print(p)
	}
	rows := [][]render.Cell{a.heads("cert.id", "csr.kept-type", "csr.kept-names", "csr.note")}
	for i := range items {
		v := &items[i]
		rows = append(rows, []render.Cell{render.BoldCell(v.ID), render.Plain(v.KeyType), render.Plain(keptName(v)), render.Plain(render.Safe(v.Note))})
	}
	p.Table(0, 3, rows)
	return a.print(p)
}

func (a *app) csrShowCommand() *cobra.Command {
	var asJSON, asPEM bool
	c := &cobra.Command{
		Use: "show ID", Short: a.text.Text("csr.show.short"), Args: cobra.ExactArgs(1), Example: "  assay csr show ID\n  assay csr show ID --pem > shop.csr",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				var v service.CSRView
				if err := a.noticeCall(ctx, client.Call{Method: http.MethodGet, Path: csrPath(args[0])}, &v, nextCSRs); err != nil {
					return err
				}
				if asPEM {
					_, err := a.out.Write([]byte(v.CSR))
					return err
				}
				return a.showKept(&v, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asPEM, "pem", false, a.text.Text("flag.csr-pem"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) csrNoteCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "note ID TEXT", Short: a.text.Text("csr.note.short"), Args: cobra.ExactArgs(2), Example: "  assay csr note ID \"shop, 2027\"",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				call := client.Call{Method: http.MethodPatch, Path: csrPath(args[0]), Body: map[string]string{"note": args[1]}}
				return a.csrCall(ctx, call, "assay csr show "+args[0], asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) csrDeleteCommand() *cobra.Command {
	return a.oneCommand("delete ID", "csr.delete.short", "  assay csr delete ID", func(ctx context.Context, id string, asJSON bool) error {
		return a.removed(ctx, csrPath(id), "csr.deleted", id, "assay csr show "+id, asJSON)
	})
}

func (a *app) csrKeyCommand() *cobra.Command {
	var out string
	var force, asJSON bool
	c := &cobra.Command{
		Use: "key ID", Short: a.text.Text("csr.key.short"), Long: a.text.Text("csr.key.long"), Args: cobra.ExactArgs(1), Example: "  assay csr key ID --out shop.key",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error { return a.takeKey(ctx, args[0], out, force, asJSON) })
		},
	}
	c.Flags().StringVar(&out, "out", "", a.text.Text("flag.csr-key-out"))
	c.Flags().BoolVar(&force, "force", false, a.text.Text("flag.cert-force"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// takeKey has the key of a kept request handed out, which happens once: the file
// is there before it is asked for.
func (a *app) takeKey(ctx context.Context, id, out string, force, asJSON bool) error {
	var v service.CSRView
	if err := a.noticeCall(ctx, client.Call{Method: http.MethodGet, Path: csrPath(id)}, &v, nextCSRs); err != nil {
		return err
	}
	if out == "" {
		out = fileName(v.Name) + ".key"
	}
	w, err := a.openOut(out, force, "assay csr key "+id+" --out FILE")
	if err != nil {
		return err
	}
	if err := a.noticeCall(ctx, client.Call{Method: http.MethodPost, Path: csrPath(id) + "/key", Version: v.Version}, &v, "assay csr show "+id); err != nil || v.Key == "" {
		w.drop()
		if err == nil {
			err = a.unreadable("assay csr show "+id, "certificate.key-gone")
		}
		return err
	}
	file := &certfile.File{Name: out, Content: []byte(v.Key), Secret: true}
	if !asJSON {
		return a.finishOut(w, file)
	}
	if err := a.placeOut(w, file); err != nil {
		return err
	}
	return a.writeJSON(map[string]string{"id": v.ID, "path": out})
}
