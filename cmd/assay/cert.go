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
	c.AddCommand(a.certListCommand(), a.certShowCommand(), a.certDownloadCommand(), a.certUploadCommand(), a.certChangeCommand(), a.certDeleteCommand())
	c.AddCommand(a.certAgainCommand("renew"), a.certAgainCommand("reissue"), a.certRevokeCommand(), a.certConfirmCommand(), a.certProofCommand())
	return c
}
