package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/evidence"
	"assay/internal/certfile"
	"assay/internal/deploy"
	"assay/internal/render"
	"assay/perspective"
)

func (a *app) certLookCommand() *cobra.Command {
	var f certFlags
	var names []string
	var asJSON bool
	var network *networkFlags
	c := &cobra.Command{
		Use:     "look FILE|-",
		Short:   a.text.Text("cert.look.short"),
		Long:    a.text.Text("cert.look.long"),
		Example: "  assay cert look shop.pem --chain intermediates.pem\n  assay cert look shop.pem --name www.orchard.net --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.interruptible(c, func(ctx context.Context) error {
				return a.lookAtCert(ctx, &f, network, args[0], names, asJSON)
			})
		},
	}
	c.Flags().StringVar(&f.chain, "chain", "", a.text.Text("flag.cert-chain"))
	c.Flags().StringVar(&f.known, "known", "", a.text.Text("flag.cert-known"))
	c.Flags().StringVar(&f.profile, "profile", "cloud", a.text.Text("flag.profile"))
	c.Flags().StringArrayVar(&names, "name", nil, a.text.Text("flag.cert-name"))
	c.Flags().BoolVar(&asJSON, "json", false, a.text.Text("flag.json"))
	network = a.network(c)
	return c
}

// lookAtCert looks at a certificate in use. One that no server can use is not
// looked for.
func (a *app) lookAtCert(ctx context.Context, f *certFlags, network *networkFlags, path string, names []string, asJSON bool) error {
	u, upload, err := a.readUpload(f, path, "assay cert look --help")
	if err != nil {
		return err
	}
	if upload.Verdict.Blocks() || u.Leaf == nil {
		upload.Localize(a.text.Lang())
		a.exit = exitCode(upload.Verdict)
		if asJSON {
			return a.writeJSON(upload)
		}
		p := a.page()
		a.showUpload(p, upload)
		return a.print(p)
	}
	if len(names) == 0 {
		names = u.Facts.Leaf.Names
	}
	r, err := a.lookFrom(ctx, f, network, deploymentOf(u, names))
	if err != nil {
		return err
	}
	r.Localize(a.text.Lang())
	a.exit = lookExit(r)
	if asJSON {
		return a.writeJSON(r)
	}
	return a.showLook(r)
}

// lookFrom looks from this machine.
func (a *app) lookFrom(ctx context.Context, f *certFlags, network *networkFlags, d *evidence.Deployment) (*deploy.Result, error) {
	p, err := a.profile(f.profile)
	if err != nil {
		return nil, err
	}
	set, err := a.dataSet()
	if err != nil {
		return nil, err
	}
	n, err := a.resolve(network, set)
	if err != nil {
		return nil, err
	}
	place, err := a.place(n, a.now)
	if err != nil {
		return nil, err
	}
	show := a.lookProgress()
	defer show.clear()
	show.say(a.text.Text("progress.self-test"))
	place.SelfTest(ctx)
	show.say(a.text.Count("progress.certificate", len(d.Names)))
	w := deploy.Watcher{Places: []perspective.Place{place}, Profile: p, Now: a.now}
	r, err := w.Watch(ctx, d)
	if err != nil {
		return nil, err
	}
	return r, ctx.Err()
}

func deploymentOf(u *certfile.Upload, names []string) *evidence.Deployment {
	d := &evidence.Deployment{Names: names, Leaf: u.Leaf.Raw}
	for _, c := range u.Chain {
		d.Chain = append(d.Chain, c.Raw)
	}
	if u.Root != nil {
		d.Root = u.Root.Raw
	}
	return d
}

// lookExit is 2 (wait) where something is not in place yet, and 4 where nobody
// showed anything.
func lookExit(r *deploy.Result) int {
	switch {
	case len(r.Findings) > 0:
		return exitWait
	case !slices.ContainsFunc(r.Addresses, shows):
		return exitUnknown
	}
	return exitPass
}

func shows(at deploy.Address) bool { return at.State == deploy.Current || at.State == deploy.Other }

func (a *app) showLook(r *deploy.Result) error {
	p := a.page()
	lang := a.text.Lang()
	heads := []render.Cell{}
	for _, id := range []string{"cert.look.name", "cert.look.address", "cert.look.shows", "cert.look.until"} {
		heads = append(heads, render.FaintCell(a.text.Text(id)))
	}
	rows := [][]render.Cell{heads}
	for _, at := range r.Addresses {
		until := ""
		if at.NotAfter != nil {
			until = cause.FormatValue(*at.NotAfter, lang)
		}
		rows = append(rows, []render.Cell{
			render.Plain(render.Safe(at.Name)), render.Plain(render.Safe(at.Address)),
			render.Plain(a.text.Text("cert.look."+string(at.State), "Problem", render.Safe(at.Problem))), render.Plain(until),
		})
	}
	p.Table(1, 0, rows)
	if len(r.Skipped) > 0 {
		p.Paragraph(1, a.text.Text("cert.look.skipped", "Names", render.Safe(strings.Join(r.Skipped, ", "))))
	}
	switch {
	case !slices.ContainsFunc(r.Addresses, shows):
		p.Paragraph(1, a.text.Text("cert.look.nothing"))
	case len(r.Findings) == 0 && !slices.ContainsFunc(r.Addresses, func(at deploy.Address) bool { return at.State == deploy.Other }):
		p.Paragraph(1, a.text.Text("cert.look.in-use"))
	}
	p.Findings(r.Findings)
	return a.print(p)
}
