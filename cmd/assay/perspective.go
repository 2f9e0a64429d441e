package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"assay/perspective"
)

func (a *app) perspectiveCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "perspective",
		Short: a.text.Text("perspective.short"),
		Long:  a.text.Text("perspective.long"),
		Args:  a.subcommandNeeded,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.perspectiveServeCommand(), a.perspectiveJoinCommand(), a.perspectiveListCommand(), a.perspectiveRemoveCommand())
	return c
}

// defaultPerspectives is the file of joined perspectives where none is named.
const defaultPerspectives = "perspectives.toml"

// fault says in the reader's language why a perspective is not believed.
func (a *app) fault(f *perspective.Fault) string {
	text := a.text.Text("fault." + f.Word)
	if f.Detail == "" {
		return text
	}
	detail := f.Detail
	if id := "fault.detail." + strings.ReplaceAll(detail, " ", "-"); a.text.Has(id) {
		detail = a.text.Text(id)
	}
	return text + a.text.Text("punctuation.colon") + detail
}

// perspectiveError turns an error of the package into one for a person.
func (a *app) perspectiveError(err error, path, next string) error {
	var f *perspective.Fault
	if errors.As(err, &f) {
		return &failure{code: exitUnknown, what: a.fault(f), next: next}
	}
	return a.unreadable(next, "error.open", "Path", path, "Why", strings.TrimPrefix(a.why(err), path+": "))
}

func kilometres(km float64) string { return fmt.Sprintf("%.0f km", km) }
