package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/issuer"
	"assay/internal/secret"
	"assay/internal/service"
)

// keyFile reads a key that only its owner can read; "" is none.
func (a *app) keyFile(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	raw, err := secret.ReadPrivateFile(path, 64<<10)
	if err != nil {
		next := "assay ca --help"
		var file *secret.FileError
		if errors.As(err, &file) && file.Kind == secret.FileOpen {
			next = "chmod 600 " + quoteArgument(path)
		}
		return nil, a.usage(next, "error.open", "Path", path, "Why", a.why(err))
	}
	return raw, nil
}

func caReasonWords() string {
	var words []string
	for _, w := range issuer.CAReasons() {
		words = append(words, w)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

func (a *app) caRevokeCommand() *cobra.Command {
	var f dbFlags
	var key, reason string
	var yes bool
	c := &cobra.Command{
		Use: "revoke ID --reason REASON", Short: a.text.Text("ca.revoke.short"), Long: a.text.Text("ca.revoke.long", "Reasons", caReasonWords()), Args: cobra.ExactArgs(1),
		Example: "  assay ca revoke issuing-1 --reason superseded --root-key /media/usb/root.key",
		RunE: func(c *cobra.Command, args []string) error {
			id := args[0]
			if reason == "" {
				return a.usage("assay ca revoke "+quoteArgument(id)+" --reason superseded"+f.given(), "ca.revoke-why", "Reasons", caReasonWords())
			}
			raw, err := a.keyFile(key)
			if err != nil {
				return err
			}
			return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
				v, err := s.RevocableAuthority(ctx, id)
				if err != nil {
					return err
				}
				if !yes {
					again := "assay ca revoke " + quoteArgument(id) + " --reason " + quoteArgument(reason)
					if key != "" {
						again += " --root-key " + quoteArgument(key)
					}
					if err := a.confirmed(again+" --yes"+f.given(), "ca.revoke-sure", "ID", id, "Subject", v.Subject); err != nil {
						return err
					}
				}
				list, err := s.RevokeAuthority(ctx, id, reason, raw, service.AuthoritySettings{KeyAt: keyAt})
				if err != nil {
					return err
				}
				return a.done(f.asJSON, map[string]any{"id": id, "reason": reason, "list": list}, "ca.revoke.done", "ID", id, "Root", list.Issuer, "Number", list.Number)
			})
		},
	}
	a.dbFlags(c, &f)
	c.Flags().StringVar(&reason, "reason", "", a.text.Text("flag.ca-reason", "Reasons", caReasonWords()))
	c.Flags().StringVar(&key, "root-key", "", a.text.Text("flag.ca-root-key"))
	c.Flags().BoolVar(&yes, "yes", false, a.text.Text("flag.cert-yes"))
	return c
}

func (a *app) crlSignCommand() *cobra.Command {
	var f dbFlags
	var key string
	c := &cobra.Command{
		Use: "sign ROOT", Short: a.text.Text("crl.sign.short"), Long: a.text.Text("crl.sign.long"), Args: cobra.ExactArgs(1),
		Example: "  assay crl sign root-1 --root-key /media/usb/root.key",
		RunE: func(c *cobra.Command, args []string) error {
			raw, err := a.keyFile(key)
			if err != nil {
				return err
			}
			return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
				v, err := s.SignRootList(ctx, args[0], raw, service.AuthoritySettings{KeyAt: keyAt})
				if err != nil {
					return err
				}
				return a.done(f.asJSON, v, "crl.line", a.crlLine(v)...)
			})
		},
	}
	a.dbFlags(c, &f)
	c.Flags().StringVar(&key, "root-key", "", a.text.Text("flag.ca-root-key"))
	return c
}
