package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError is an error about a flag, in the user's language.
func (a *app) flagError(c *cobra.Command, err error) error {
	next := c.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	var alone *pflag.ValueRequiredError
	var value *pflag.InvalidValueError
	var form *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &unknown):
		return a.usage(next, "error.flag-unknown", "Flag", dashed(unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames()))
	case errors.As(err, &alone):
		return a.usage(next, "error.flag-alone", "Flag", dashed(alone.GetSpecifiedName(), alone.GetSpecifiedShortnames()))
	case errors.As(err, &value):
		f := value.GetFlag()
		return a.usage(next, "error.flag-value", "Flag", "--"+f.Name, "Value", value.GetValue(), "Why", a.flagWhy(f, value.Unwrap()))
	case errors.As(err, &form):
		return a.usage(next, "error.flag-form", "Flag", form.GetSpecifiedFlag())
	}
	return &failure{code: exitUsage, what: firstLine(err.Error()), next: next}
}

// dashed is a flag as it was given.
func dashed(name, shorthands string) string {
	if shorthands != "" {
		return "-" + name
	}
	return "--" + name
}

// flagWhy says what is wrong with the value of a flag. The types of package pflag say
// that in the words of Go.
func (a *app) flagWhy(f *pflag.Flag, err error) string {
	if kind := f.Value.Type(); slices.Contains([]string{"bool", "int", "int64", "intSlice", "float64", "duration"}, kind) {
		return a.text.Text("flag.want." + kind)
	}
	return firstLine(err.Error())
}

// countArguments has a command and those below it say in the user's language how many
// arguments there should be.
func (a *app) countArguments(c *cobra.Command) {
	if count := c.Args; count != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := count(c, args)
			var f *failure
			if err == nil || errors.As(err, &f) {
				return err
			}
			return a.usage(c.CommandPath()+" --help", "error.arguments", "Count", len(args), "Use", c.Parent().CommandPath()+" "+c.Use)
		}
	}
	for _, below := range c.Commands() {
		a.countArguments(below)
	}
}
