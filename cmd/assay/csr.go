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
	c.AddCommand(a.csrKeepCommand(), a.csrListCommand(), a.csrShowCommand(), a.csrNoteCommand(), a.csrDeleteCommand(), a.csrKeyCommand())
	return c
}
