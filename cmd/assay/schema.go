package main

import (
	"strings"

	"github.com/spf13/cobra"

	"assay/schema"
)

func (a *app) schemaCommand() *cobra.Command {
	names := schema.Names()
	return &cobra.Command{
		Use:       "schema " + strings.Join(names, "|"),
		Short:     a.text.Text("schema.short"),
		Long:      a.text.Text("schema.long"),
		Example:   "  assay schema order > order.schema.json",
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return a.usage("assay schema order", "error.schema", "Names", strings.Join(names, ", "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			raw, err := schema.Get(args[0])
			if err != nil {
				return a.usage("assay schema order", "error.schema", "Names", strings.Join(names, ", "))
			}
			_, err = a.out.Write(raw)
			return err
		},
	}
}
