package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"assay/internal/issuer/private"
	"assay/internal/service"
)

func (a *app) caImportCommand() *cobra.Command {
	var f dbFlags
	var ca caFlags
	var chain, key, place string
	c := &cobra.Command{
		Use: "import ID --chain FILE (--key FILE | --key-at PLACE)", Short: a.text.Text("ca.import.short"), Long: a.text.Text("ca.import.long"), Args: cobra.ExactArgs(1),
		Example: "  assay ca import company --chain chain.pem --key issuing.key",
		RunE: func(c *cobra.Command, args []string) error {
			if chain == "" || (key == "") == (place == "") {
				return a.usage("assay ca import company --chain chain.pem --key issuing.key", "ca.import.needs")
			}
			in, err := a.authoritySettings(&ca)
			if err != nil {
				return err
			}
			certificates, err := a.read(chain, maxTextBytes, "assay ca import --help")
			if err != nil {
				return err
			}
			raw, err := a.keyFile(key)
			if err != nil {
				return err
			}
			return a.onAuthorities(c, &f, func(ctx context.Context, s *service.Service) error {
				url, err := s.ImportAuthority(ctx, args[0], certificates, raw, place, in)
				if err != nil {
					return a.importError(err, chain, key, place, &f)
				}
				text := "ca.import.done"
				if url == "" {
					text = "ca.import.no-url"
				}
				return a.done(f.asJSON, map[string]any{"id": args[0], "url": url}, text, "ID", args[0])
			})
		},
	}
	a.dbFlags(c, &f)
	c.Flags().StringVar(&chain, "chain", "", a.text.Text("flag.ca-chain"))
	c.Flags().StringVar(&key, "key", "", a.text.Text("flag.ca-key"))
	c.Flags().StringVar(&place, "key-at", "", a.text.Text("flag.ca-key-at"))
	c.Flags().StringVar(&ca.url, "ca-url", "", a.text.Text("flag.ca-url"))
	return c
}

// importError says why a CA is not imported, and what shows more of it.
func (a *app) importError(err error, chain, key, place string, flags *dbFlags) error {
	var p *service.Problem
	faults := private.FaultsIn(err)
	if errors.As(err, &p) && p.Message == "ca.id" {
		with := " --key " + quoteArgument(key)
		if place != "" {
			with = " --key-at " + quoteArgument(place)
		}
		return a.usage("assay ca import company --chain "+quoteArgument(chain)+with+flags.given(), p.Message, p.Pairs...)
	}
	if len(faults) == 0 {
		return err
	}
	return &failure{code: exitUsage, what: a.faults(faults), next: inspection(faults, quoteArgument(chain), quoteArgument(key)), err: err}
}

// faults says what is wrong with a CA: the reason, or a line for each.
func (a *app) faults(all private.Faults) string {
	lines := make([]string, len(all))
	for i, f := range all {
		lines[i] = a.text.Text("ca.fault."+f.Rule, "Subject", f.Subject, "Value", f.Value, "Why", f.Why,
			"Number", f.Number, "Most", f.Most, "At", f.At.UTC().Format("2006-01-02 15:04 UTC"))
	}
	if len(lines) == 1 {
		return a.text.Text("ca.failed", "Why", lines[0])
	}
	return strings.Join(append([]string{a.text.Text("ca.faults")}, lines...), "\n")
}

// inspection is the command that shows what the first fault is about.
func inspection(faults private.Faults, chain, key string) string {
	switch rule := faults[0].Rule; rule {
	case private.RuleKeyNone, private.RuleKeyUnreadable, private.RuleKeySize:
		return "openssl pkey -noout -text_pub -in " + key
	case private.RuleKeyEncrypted:
		return "openssl pkey -in " + key + " -out decrypted.key"
	case private.RuleChainNone, private.RuleChainSize:
		return "openssl x509 -inform DER -in " + chain + " -out chain.pem"
	case private.RuleKeyFits, private.RuleSigned, private.RuleRoot, private.RuleChainOther, private.RuleChainUnreadable, private.RuleChainMany:
		order := func(f *private.Fault) bool { return f.Rule == private.RuleSigned || f.Rule == private.RuleRoot }
		if rule == private.RuleKeyFits && !slices.ContainsFunc(faults, order) {
			return "openssl x509 -noout -subject -pubkey -in " + chain
		}
		return "openssl crl2pkcs7 -nocrl -certfile " + chain + " | openssl pkcs7 -print_certs -noout"
	}
	return "openssl crl2pkcs7 -nocrl -certfile " + chain + " | openssl pkcs7 -print_certs -noout -text"
}
