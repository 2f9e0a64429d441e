package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"assay/internal/service"
)

// crlCommand is about the lists of revoked certificates in a service's database.
func (a *app) crlCommand() *cobra.Command {
	c := &cobra.Command{Use: "crl", Short: a.text.Text("crl.short"), Long: a.text.Text("crl.long"), RunE: a.subcommandNeeded}
	c.AddCommand(a.crlListCommand(), a.crlGetCommand(), a.crlSignCommand())
	return c
}

func (a *app) crlListCommand() *cobra.Command {
	var f dbFlags
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("crl.list.short"), Args: cobra.NoArgs, Example: "  assay crl list --data /var/lib/assay",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
				all, err := s.RevocationLists(ctx)
				if err != nil {
					return err
				}
				if f.asJSON {
					return a.writeJSON(map[string]any{"items": all})
				}
				p := a.page()
				for i := range all {
					p.Paragraph(0, a.text.Text("crl.line", a.crlLine(&all[i])...))
				}
				if len(all) == 0 {
					p.Paragraph(0, a.text.Text("crl.empty"))
				}
				return a.print(p)
			})
		},
	}
	a.dbFlags(c, &f)
	return c
}

// crlLine are what a line about a shard says.
func (a *app) crlLine(v *service.ListView) []any {
	return []any{
		"Issuer", v.Issuer, "Shard", v.Shard, "Number", v.Number, "Revoked", v.Revoked,
		"This", v.ThisUpdate.UTC().Format("2006-01-02 15:04 UTC"), "Next", v.NextUpdate.UTC().Format("2006-01-02 15:04 UTC"),
	}
}

func (a *app) crlGetCommand() *cobra.Command {
	var f dbFlags
	c := &cobra.Command{
		Use: "get CA [SHARD]", Short: a.text.Text("crl.get.short"), Args: cobra.RangeArgs(1, 2), Example: "  assay crl get issuing-1 0 | openssl crl -inform DER -noout -text",
		RunE: func(c *cobra.Command, args []string) error {
			shard := int64(0)
			if len(args) == 2 {
				n, err := strconv.ParseInt(args[1], 10, 32)
				if err != nil || n < 0 {
					return a.usage("assay crl list"+f.given(), "crl.shard", "Value", args[1])
				}
				shard = n
			}
			return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
				list, err := s.StatusSource().List(ctx, args[0], shard)
				if err != nil {
					return a.usage("assay crl list"+f.given(), "crl.none", "Issuer", args[0], "Shard", shard)
				}
				_, err = a.out.Write(list.DER)
				return err
			})
		},
	}
	a.dbFlags(c, &f)
	return c
}
