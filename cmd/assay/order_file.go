package main

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/client"
	"assay/internal/letter"
	"assay/internal/render"
	"assay/internal/service"
)

func orderPath(id string) string { return "/orders/" + url.PathEscape(id) }

// orderLetterCommand is about the confirmation letter of an order.
func (a *app) orderLetterCommand() *cobra.Command {
	c := &cobra.Command{Use: "letter", Short: a.text.Text("letter.short"), Long: a.text.Text("letter.long"), RunE: a.subcommandNeeded}
	c.AddCommand(a.letterFormCommand(), a.letterUploadCommand(), a.letterShowCommand(), a.letterDecideCommand(true), a.letterDecideCommand(false))
	return c
}

// save writes a download to a file, or to standard output.
func (a *app) save(raw []byte, path string) error {
	if path == "" || path == "-" {
		_, err := a.out.Write(raw)
		return err
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return a.usage("assay order letter --help", "error.write", "Path", path, "Why", a.why(err))
	}
	return nil
}

func (a *app) letterFormCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "form ORDER --out FILE", Short: a.text.Text("letter.form.short"), Args: cobra.ExactArgs(1), Example: "  assay order letter form ORDER --out letter.html",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				var b bytes.Buffer
				if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: orderPath(args[0]) + "/letter-form"}, &b); err != nil {
					return err
				}
				return a.save(b.Bytes(), out)
			})
		},
	}
	c.Flags().StringVar(&out, "out", "", a.text.Text("flag.letter-out"))
	return c
}

func (a *app) letterUploadCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "upload ORDER FILE", Short: a.text.Text("letter.upload.short"), Args: cobra.ExactArgs(2), Example: "  assay order letter upload ORDER letter.pdf",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				raw, err := a.read(args[1], letter.MaxBytes, "assay order letter upload --help")
				if err != nil {
					return err
				}
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: orderPath(args[0]) + "/letters", Body: raw, Kind: "application/octet-stream"}, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// letterList shows the letters of an order.
func (a *app) letterList(ctx context.Context, id string, asJSON bool) error {
	var list struct {
		Items []service.LetterView `json:"items"`
	}
	if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: orderPath(id) + "/letters"}, &list); err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(list.Items)
	}
	p := a.page()
	if len(list.Items) == 0 {
		p.Line(a.text.Text("letter.none"))
		p.Line(p.Command("assay order letter form " + id + " --out letter.html"))
		return a.print(p)
	}
	rows := [][]render.Cell{a.heads("letter.id", "dossier.state", "letter.type", "letter.bytes", "dossier.reason")}
	for i := range list.Items {
		l := &list.Items[i]
		rows = append(rows, []render.Cell{
			render.BoldCell(l.ID), render.Plain(a.text.Text("letter.state." + l.State)), render.Plain(l.Type), render.Plain(strconv.Itoa(l.Bytes)),
			render.Plain(render.Safe(strings.TrimSpace(l.Reason + " " + l.Note))),
		})
	}
	p.Table(0, 4, rows)
	return a.print(p)
}

func (a *app) letterShowCommand() *cobra.Command {
	var out string
	var asJSON bool
	c := &cobra.Command{
		Use: "show ORDER [LETTER --out FILE]", Short: a.text.Text("letter.show.short"), Args: cobra.RangeArgs(1, 2),
		Example: "  assay order letter show ORDER\n  assay order letter show ORDER LETTER --out letter.pdf",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if len(args) == 1 {
					return a.letterList(ctx, args[0], asJSON)
				}
				if out == "" { // it is somebody else's, and no text
					return a.usage("assay order letter show ORDER LETTER --out FILE", "letter.needs-out")
				}
				var b bytes.Buffer
				if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: orderPath(args[0]) + "/letters/" + url.PathEscape(args[1]) + "/content"}, &b); err != nil {
					return err
				}
				return a.save(b.Bytes(), out)
			})
		},
	}
	c.Flags().StringVar(&out, "out", "", a.text.Text("flag.letter-out"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) letterDecideCommand(accept bool) *cobra.Command {
	r := service.DecisionRequest{Accept: accept}
	var asJSON bool
	word := map[bool]string{true: "accept", false: "reject"}[accept]
	c := &cobra.Command{
		Use: word + " ORDER LETTER", Short: a.text.Text("letter." + word + ".short"), Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				path := orderPath(args[0]) + "/letters/" + url.PathEscape(args[1]) + "/decide"
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: path, Body: r}, asJSON)
			})
		},
	}
	if !accept {
		c.Flags().StringVar(&r.Reason, "reason", "", a.text.Text("flag.letter-reason", "Words", strings.Join(service.LetterReasons(), ", ")))
	}
	c.Flags().StringVar(&r.Note, "note", "", a.text.Text("flag.file-note"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// orderCallCommand is about the calls that were made for an order.
func (a *app) orderCallCommand() *cobra.Command {
	c := &cobra.Command{Use: "call", Short: a.text.Text("call.short"), RunE: a.subcommandNeeded}
	c.AddCommand(a.callAddCommand(), a.callListCommand())
	return c
}

func (a *app) callAddCommand() *cobra.Command {
	var r service.CallRequest
	var asJSON bool
	c := &cobra.Command{
		Use: "add ORDER", Short: a.text.Text("call.add.short"), Args: cobra.ExactArgs(1),
		Example: "  assay order call add ORDER --number \"+86 755 8601 3388\" --source 114 --result confirmed --answered-by \"Ms Lin\"",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: orderPath(args[0]) + "/calls", Body: r}, asJSON)
			})
		},
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&r.Number, "number", "", a.text.Text("flag.call-number"))
	s.StringVar(&r.Source, "source", "", a.text.Text("flag.call-source"))
	s.StringVar(&r.Result, "result", "", a.text.Text("flag.call-result", "Words", strings.Join(service.CallResults(), ", ")))
	s.StringVar(&r.AnsweredBy, "answered-by", "", a.text.Text("flag.answered-by"))
	s.StringVar(&r.Note, "note", "", a.text.Text("flag.call-note"))
	s.BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) callListCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list ORDER", Short: a.text.Text("call.list.short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				var list struct {
					Items []service.CallView `json:"items"`
				}
				if err := a.call(ctx, client.Call{Method: http.MethodGet, Path: orderPath(args[0]) + "/calls"}, &list); err != nil {
					return err
				}
				if asJSON {
					return a.writeJSON(list.Items)
				}
				rows := [][]render.Cell{a.heads("call.at", "call.number-called", "dossier.source", "call.result", "call.answered-by")}
				for i := range list.Items {
					v := &list.Items[i]
					rows = append(rows, []render.Cell{
						render.Plain(a.when(v.At)), render.Plain(render.Safe(v.Number)), render.Plain(render.Safe(v.Source)), render.Plain(v.Result), render.Plain(render.Safe(v.AnsweredBy)),
					})
				}
				p := a.page()
				if len(list.Items) == 0 {
					p.Line(a.text.Text("call.none"))
				} else {
					p.Table(0, 4, rows)
				}
				return a.print(p)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// orderClaimCommand writes down what a reviewer found for one order alone.
func (a *app) orderClaimCommand() *cobra.Command {
	var r service.ClaimRequest
	var snapshot string
	var asJSON bool
	c := &cobra.Command{
		Use: "claim ORDER", Short: a.text.Text("order.claim.short"), Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if err := a.digestOf(&r, snapshot); err != nil {
					return err
				}
				return a.orderCall(ctx, client.Call{Method: http.MethodPost, Path: orderPath(args[0]) + "/claims", Body: r}, asJSON)
			})
		},
	}
	a.claimFlags(c, &r, &snapshot)
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}
