package main

import (
	"github.com/spf13/cobra"
)

func (a *app) csrCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "csr",
		Short: a.text.Text("csr.short"),
		Args:  a.subcommandNeeded,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.csrNewCommand(), a.csrInspectCommand())
	return c
}
