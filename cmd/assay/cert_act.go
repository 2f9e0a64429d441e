package main

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/client"
	"assay/internal/service"
)

// certAgainCommand orders a certificate again: "renew" or "reissue".
func (a *app) certAgainCommand(word string) *cobra.Command {
	var asJSON bool
	var request string
	use := word + " ID [--csr FILE]"
	if word == "reissue" {
		use = "reissue ID [NAME…] [--csr FILE]"
	}
	c := &cobra.Command{
		Use: use, Short: a.text.Text("cert." + word + ".short"), Long: a.text.Text("cert." + word + ".long"), Args: cobra.MinimumNArgs(1),
		Example: "  assay cert " + word + " ID --csr new.csr",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				if word == "renew" && len(args) > 1 {
					return a.usage("assay cert reissue "+strings.Join(quoteAll(args), " "), "cert.renew-names")
				}
				in := service.RenewalRequest{Names: args[1:]}
				if request != "" {
					text, err := a.readCSR(request, "assay csr new NAME")
					if err != nil {
						return err
					}
					in.CSR = text
				}
				var v service.View
				if err := a.certAgain(ctx, word, args[0], in, &v); err != nil {
					return err
				}
				return a.showOrder(&v, asJSON)
			})
		},
	}
	c.Flags().StringVar(&request, "csr", "", a.text.Text("flag.csr"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	return c
}

// certAgain orders a certificate again; of one that was replaced the error says which
// one to take.
func (a *app) certAgain(ctx context.Context, word, id string, in service.RenewalRequest, into *service.View) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	err = c.Do(ctx, client.Call{Method: http.MethodPost, Path: certPath(id) + "/" + word, Body: in}, into)
	next := "assay cert show " + id
	var p *client.Problem
	if errors.As(err, &p) && p.Instead != "" {
		next = "assay cert " + word + " " + quoteArgument(p.Instead)
	}
	err = a.served(err)
	var f *failure
	if errors.As(err, &f) && f.code == exitData {
		f.next = next
	}
	return err
}

// certChangeFlags are what is written on a certificate.
type certChangeFlags struct {
	alias                            string
	tags                             []string
	renew, noRenew, mute, loud, json bool
}

func (a *app) certChangeCommand() *cobra.Command {
	var f certChangeFlags
	c := &cobra.Command{
		Use: "change ID", Short: a.text.Text("cert.change.short"), Args: cobra.ExactArgs(1),
		Example: "  assay cert change ID --alias shop --tag team=web\n  assay cert change ID --tag team= --auto-renew --mute",
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				return a.changeCert(ctx, args[0], &f, c.Flags().Changed("alias"))
			})
		},
	}
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.alias, "alias", "", a.text.Text("flag.cert-alias"))
	s.StringArrayVar(&f.tags, "tag", nil, a.text.Text("flag.cert-tag"))
	s.BoolVar(&f.renew, "auto-renew", false, a.text.Text("flag.cert-auto-renew"))
	s.BoolVar(&f.noRenew, "no-auto-renew", false, a.text.Text("flag.cert-no-auto-renew"))
	s.BoolVar(&f.mute, "mute", false, a.text.Text("flag.cert-mute"))
	s.BoolVar(&f.loud, "unmute", false, a.text.Text("flag.cert-unmute"))
	s.BoolVar(&f.json, "json", false, a.text.Text("flag.json"))
	return c
}

func (a *app) changeCert(ctx context.Context, id string, f *certChangeFlags, alias bool) error {
	const next = "assay cert change --help"
	call := client.Call{Method: http.MethodPatch, Path: certPath(id)}
	var in service.CertificateChange
	if alias {
		in.Alias = &f.alias
	}
	switch {
	case f.renew && f.noRenew || f.mute && f.loud:
		return a.usage(next, "cert.change-both")
	case f.renew || f.noRenew:
		in.AutoRenew = &f.renew
	}
	if f.mute || f.loud {
		in.Muted = &f.mute
	}
	if len(f.tags) > 0 {
		// Those that are not named stay, so the change is of what was read.
		var v service.CertificateView
		if err := a.noticeCall(ctx, client.Call{Method: http.MethodGet, Path: certPath(id)}, &v, nextCerts); err != nil {
			return err
		}
		tags := map[string]string{}
		maps.Copy(tags, v.Tags)
		for _, t := range f.tags {
			k, value, ok := strings.Cut(t, "=")
			switch {
			case !ok || k == "":
				return a.usage("assay cert change "+id+" --tag team=web", "cert.tag-form", "Value", t)
			case value == "":
				delete(tags, k)
			default:
				tags[k] = value
			}
		}
		in.Tags, call.Version = &tags, v.Version
	}
	if in == (service.CertificateChange{}) {
		return a.usage(next, "cert.change-nothing")
	}
	call.Body = in
	return a.certCall(ctx, call, f.json)
}

func (a *app) certDeleteCommand() *cobra.Command {
	return a.oneCommand("delete ID", "cert.delete.short", "  assay cert delete ID", func(ctx context.Context, id string, asJSON bool) error {
		return a.removed(ctx, certPath(id), "cert.deleted", id, "assay cert show "+id, asJSON)
	})
}

// removed deletes something, and says so.
func (a *app) removed(ctx context.Context, path, text, id, next string, asJSON bool) error {
	if err := a.noticeCall(ctx, client.Call{Method: http.MethodDelete, Path: path}, nil, next); err != nil {
		return err
	}
	if asJSON {
		return a.writeJSON(map[string]string{"id": id, "state": "deleted"})
	}
	p := a.page()
	p.Line(a.text.Text(text, "ID", id))
	return a.print(p)
}
