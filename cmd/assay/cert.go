package main

import (
	"github.com/spf13/cobra"
)

func (a *app) certCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "cert",
		Short: a.text.Text("cert.short"),
		Args:  a.subcommandNeeded,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.certInspectCommand(), a.certBundleCommand(), a.certLookCommand())
	return c
}
