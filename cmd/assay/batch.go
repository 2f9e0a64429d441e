package main

import "github.com/spf13/cobra"

func (a *app) batch(c *cobra.Command, f *checkFlags, names []string) error { return nil }
