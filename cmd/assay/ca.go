package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io/fs"

	"github.com/spf13/cobra"

	"assay/internal/issuer/private"
	"assay/internal/secret"
	"assay/internal/service"
)

// caCommand is about the CAs of a service of ours, for whoever has its database.
func (a *app) caCommand() *cobra.Command {
	c := &cobra.Command{Use: "ca", Short: a.text.Text("ca.short"), Long: a.text.Text("ca.long"), RunE: a.subcommandNeeded}
	c.AddCommand(a.caListCommand(), a.caCertCommand(), a.caRootKeyCommand(), a.caImportCommand(), a.caNewCommand(), a.caRetireCommand(), a.caRevokeCommand())
	return c
}

// onAuthorities runs a command on the CAs in a database that is there already: none is
// made where a directory is mistyped.
func (a *app) onAuthorities(c *cobra.Command, f *dbFlags, run func(ctx context.Context, s *service.Service) error) error {
	return a.onDatabase(c, func(ctx context.Context) error {
		d, err := a.depot(f)
		if err != nil {
			return err
		}
		if err := a.madeBefore(ctx, d, "db.missing"); errors.Is(err, fs.ErrNotExist) {
			return a.usage(c.CommandPath()+" --data DIR", "db.missing", "Database", d.name())
		} else if err != nil {
			return a.databaseError(err, d.name())
		}
		h, err := a.openHouse(ctx, &f.databaseFlags)
		if err != nil {
			return err
		}
		defer h.Close()
		s, err := service.New(service.Config{Store: h.Store, Now: a.now, AuditKey: h.auditKey, Secrets: h.secrets})
		if err != nil {
			return a.databaseError(err, d.name())
		}
		if err := run(ctx, s); err != nil {
			return a.authorityError(err, f)
		}
		return nil
	})
}

func (a *app) authorityError(err error, flags *dbFlags) error {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var p *service.Problem
	if errors.As(err, &p) {
		f := &failure{code: exitUsage, what: a.text.Text(p.Message, p.Pairs...), next: "assay ca list" + flags.given()}
		if faults := private.FaultsIn(p); len(faults) > 0 {
			f.what = a.faults(faults)
		}
		if p.Kind == service.Unavailable {
			f.code = exitUnavailable
		}
		return f
	}
	return err
}

func (a *app) caListCommand() *cobra.Command {
	var f dbFlags
	c := &cobra.Command{
		Use: "list", Short: a.text.Text("ca.list.short"), Args: cobra.NoArgs, Example: "  assay ca list --data /var/lib/assay",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
				all, err := s.AllAuthorities(ctx)
				if err != nil {
					return err
				}
				if f.asJSON {
					return a.writeJSON(map[string]any{"items": all})
				}
				return a.showAuthorities(all, &f)
			})
		},
	}
	a.dbFlags(c, &f)
	return c
}

func (a *app) showAuthorities(all []service.AuthorityView, f *dbFlags) error {
	p := a.page()
	if len(all) == 0 {
		p.Paragraph(0, a.text.Text("ca.empty"))
		p.Line(p.Command("assay serve --ca-permit orchard.net" + f.given()))
		return a.print(p)
	}
	column := p.Column("ca.kind", "ca.key", "ca.subject", "ca.until", "ca.fingerprint", "ca.parent")
	for i := range all {
		v := &all[i]
		if i > 0 {
			p.Blank()
		}
		p.Line(p.Bold(v.ID))
		state := a.text.Text("ca.state." + v.State)
		if v.RevokedAt != nil {
			state += " (" + v.Reason + ", " + v.RevokedAt.UTC().Format("2006-01-02 15:04 UTC") + ")"
		}
		p.Row(0, column, a.text.Text("ca.kind"), a.text.Text("ca.kind."+v.Kind)+", "+state)
		p.Row(0, column, a.text.Text("ca.subject"), v.Subject)
		if v.Parent != "" {
			p.Row(0, column, a.text.Text("ca.parent"), v.Parent)
		}
		key := v.Key
		if key == "sealed" || key == "away" {
			key = a.text.Text("ca.key." + key)
		}
		p.Row(0, column, a.text.Text("ca.key"), key)
		p.Row(0, column, a.text.Text("ca.until"), v.NotAfter.UTC().Format("2006-01-02 15:04 UTC"))
		p.Row(0, column, a.text.Text("ca.fingerprint"), v.Fingerprint)
	}
	return a.print(p)
}

func (a *app) caCertCommand() *cobra.Command {
	var f dbFlags
	c := &cobra.Command{
		Use: "cert ID", Short: a.text.Text("ca.cert.short"), Args: cobra.ExactArgs(1), Example: "  assay ca cert root-1 > root.pem",
		RunE: func(c *cobra.Command, args []string) error {
			return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
				all, err := s.AllAuthorities(ctx)
				if err != nil {
					return err
				}
				for _, v := range all {
					if v.ID == args[0] {
						if f.asJSON {
							return a.writeJSON(v)
						}
						_, err := a.out.Write([]byte(v.Certificate))
						return err
					}
				}
				return a.usage("assay ca list"+f.given(), "ca.none", "ID", args[0])
			})
		},
	}
	a.dbFlags(c, &f)
	return c
}

func (a *app) caRootKeyCommand() *cobra.Command {
	var f dbFlags
	var out string
	var keep bool
	c := &cobra.Command{
		Use: "root-key ID --out FILE", Short: a.text.Text("ca.root-key.short"), Long: a.text.Text("ca.root-key.long"), Args: cobra.ExactArgs(1),
		Example: "  assay ca root-key root-1 --out /media/usb/root.key --data /var/lib/assay",
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return a.usage("assay ca root-key root-1 --out root.key", "ca.out")
			}
			return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
				if _, err := s.OpenAuthorities(ctx, service.AuthoritySettings{KeyAt: keyAt}); err != nil {
					return err
				}
				raw, err := s.ExportRootKey(ctx, args[0])
				if err != nil {
					return err
				}
				if err := secret.CreatePrivateFile(out, raw); err != nil {
					return a.usage("assay ca root-key "+quoteArgument(args[0])+" --out FILE"+f.given(), "error.write", "Path", out, "Why", a.why(err))
				}
				// Only what can be read again from there is forgotten here.
				again, err := secret.ReadPrivateFile(out, 64<<10)
				if block, _ := pem.Decode(again); err != nil || block == nil || !bytes.Equal(again, raw) {
					return a.usage("assay ca root-key "+quoteArgument(args[0])+" --out FILE"+f.given(), "error.write", "Path", out, "Why", a.why(err))
				}
				if !keep {
					if err := s.ForgetRootKey(ctx, args[0]); err != nil {
						return err
					}
				}
				return a.done(f.asJSON, map[string]any{"id": args[0], "file": out, "kept": keep}, "ca.root-key.done", "File", out)
			})
		},
	}
	a.dbFlags(c, &f)
	c.Flags().StringVar(&out, "out", "", a.text.Text("flag.ca-out"))
	c.Flags().BoolVar(&keep, "keep", false, a.text.Text("flag.ca-keep"))
	return c
}

// done says that something is done.
func (a *app) done(asJSON bool, v any, id string, pairs ...any) error {
	if asJSON {
		return a.writeJSON(v)
	}
	p := a.page()
	p.Paragraph(0, a.text.Text(id, pairs...))
	return a.print(p)
}

func (a *app) caNewCommand() *cobra.Command {
	var f dbFlags
	var ca caFlags
	var key string
	c := &cobra.Command{
		Use: "new --root ID", Short: a.text.Text("ca.new.short"), Long: a.text.Text("ca.new.long"), Args: cobra.NoArgs,
		Example: "  assay ca new --root root-1 --root-key /media/usb/root.key --ca-permit orchard.net",
	}
	var root string
	c.RunE = func(c *cobra.Command, _ []string) error {
		if len(ca.permit) == 0 {
			return a.usage("assay ca new --root root-1 --ca-permit orchard.net", "ca.permit-needed")
		}
		in, err := a.authoritySettings(&ca)
		if err != nil {
			return err
		}
		raw, err := a.keyFile(key)
		if err != nil {
			return err
		}
		return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
			id, err := s.NewIssuing(ctx, root, raw, in)
			if err != nil {
				return err
			}
			return a.done(f.asJSON, map[string]any{"id": id}, "ca.import.done", "ID", id)
		})
	}
	a.dbFlags(c, &f)
	c.Flags().StringVar(&root, "root", "root-1", a.text.Text("flag.ca-root"))
	c.Flags().StringVar(&key, "root-key", "", a.text.Text("flag.ca-root-key"))
	c.Flags().StringSliceVar(&ca.permit, "ca-permit", nil, a.text.Text("flag.ca-permit"))
	c.Flags().StringVar(&ca.name, "ca-name", "Assay Private CA", a.text.Text("flag.ca-name"))
	c.Flags().StringVar(&ca.url, "ca-url", "", a.text.Text("flag.ca-url"))
	return c
}

func (a *app) caRetireCommand() *cobra.Command {
	var f dbFlags
	c := &cobra.Command{
		Use: "retire ID", Short: a.text.Text("ca.retire.short"), Long: a.text.Text("ca.retire.long"), Args: cobra.ExactArgs(1), Example: "  assay ca retire issuing-1",
		RunE: func(c *cobra.Command, args []string) error {
			return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
				if err := s.RetireAuthority(ctx, args[0]); err != nil {
					return err
				}
				return a.done(f.asJSON, map[string]any{"id": args[0]}, "ca.retire.done", "ID", args[0])
			})
		},
	}
	a.dbFlags(c, &f)
	return c
}
