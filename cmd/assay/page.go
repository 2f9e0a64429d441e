package main

import (
	"github.com/spf13/cobra"

	"assay/internal/render"
)

// page is an empty page for standard output.
func (a *app) page() *render.Page {
	return render.NewPage(a.width(), a.style(a.out), a.text)
}

func (a *app) print(p *render.Page) error {
	_, err := a.out.Write([]byte(p.String()))
	return err
}

// subcommandNeeded is what a command does that only has subcommands: it shows them.
func (a *app) subcommandNeeded(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &failure{
			code: exitUsage,
			what: a.text.Text("error.unknown-command", "Command", c.Name()+" "+args[0]),
			next: c.CommandPath() + " --help",
		}
	}
	return c.Help()
}
