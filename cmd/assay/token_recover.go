package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"assay/internal/service"
)

func (a *app) tokenRecoverCommand() *cobra.Command {
	var f dbFlags
	c := &cobra.Command{
		Use: "recover", Short: a.text.Text("token.recover.short"), Long: a.text.Text("token.recover.long"), Args: cobra.NoArgs,
		Example: "  assay token recover --data /var/lib/assay",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onDatabase(c, func(ctx context.Context) error {
				d, err := a.depot(&f)
				if err != nil {
					return err
				}
				t, err := a.recoverToken(ctx, d, &f.databaseFlags)
				if err != nil {
					return a.databaseError(err, d.name())
				}
				return a.showRecovered(t, f.asJSON)
			})
		},
	}
	a.dbFlags(c, &f)
	return c
}

// recoverToken makes a token in a database that is there already: nothing is
// served, and nothing is made that a first start would make.
func (a *app) recoverToken(ctx context.Context, d *depot, f *databaseFlags) (service.TokenView, error) {
	if err := a.madeBefore(ctx, d, "token.no-first"); err != nil {
		return service.TokenView{}, err
	}
	h, err := a.openHouse(ctx, f)
	if err != nil {
		return service.TokenView{}, err
	}
	defer h.Close()
	s, err := service.New(service.Config{Store: h.Store, Now: a.now, AuditKey: h.auditKey})
	if err != nil {
		return service.TokenView{}, err
	}
	t, err := s.Recover(ctx)
	var p *service.Problem
	if errors.As(err, &p) && p.Kind == service.NotFound {
		return t, a.usage("assay serve"+d.dataFlag(), "token.no-first", "Database", d.name())
	}
	return t, err
}

func (a *app) showRecovered(t service.TokenView, asJSON bool) error {
	if asJSON {
		return a.writeJSON(t)
	}
	p := a.page()
	p.Line(p.Bold(t.Secret))
	p.Paragraph(0, a.text.Text("token.recovered"))
	p.Line(p.Command("assay login http://127.0.0.1:8080"))
	return a.print(p)
}
