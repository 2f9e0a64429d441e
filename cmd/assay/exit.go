package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/internal/render"
	"assay/key"
	"assay/review"
)

// The exit codes; `assay help exit-codes` and docs/exit-codes.md list them.
const (
	exitPass         = 0
	exitRefuse       = 1
	exitWait         = 2
	exitReview       = 3
	exitUnknown      = 4
	exitUsage        = 64 // EX_USAGE
	exitData         = 65 // EX_DATAERR: an order that could not be judged
	exitUnavailable  = 69 // EX_UNAVAILABLE: the order service cannot be reached
	exitInternal     = 70 // EX_SOFTWARE
	exitNoPermission = 77 // EX_NOPERM: not logged in, or the token may not do this
	exitInterrupted  = 130
)

func exitCode(v review.Verdict) int {
	switch v {
	case review.VerdictPass:
		return exitPass
	case review.VerdictRefuse:
		return exitRefuse
	case review.VerdictWait:
		return exitWait
	case review.VerdictReview:
		return exitReview
	}
	return exitUnknown
}

// levelExit is the exit code of --fail-on for a level that does not block.
func levelExit(l cause.Level) int {
	if l.Blocks() {
		return exitCode(review.Verdict(l))
	}
	return exitRefuse
}

// gravestVerdict is the order in which the verdicts of many orders make one.
func gravestVerdict(a, b review.Verdict) review.Verdict {
	if cause.Level(b).Rank() < cause.Level(a).Rank() {
		return b
	}
	return a
}

// A failure is an error for a person: what went wrong and where, what to do next.
type failure struct {
	code int
	what string // may hold several lines, one for each fault
	next string
	err  error // behind it, where a caller acts on that
}

func (f *failure) Error() string { return f.what }
func (f *failure) Unwrap() error { return f.err }

// usage is a failure of the command line itself.
func (a *app) usage(next, id string, pairs ...any) error {
	return &failure{code: exitUsage, what: a.text.Text(id, pairs...), next: next}
}

// unreadable is a failure of a file or a text that was given.
func (a *app) unreadable(next, id string, pairs ...any) error {
	return &failure{code: exitData, what: a.text.Text(id, pairs...), next: next}
}

// fail prints an error and returns its exit code.
func (a *app) fail(err error) int {
	var f *failure
	var path *fs.PathError
	switch {
	case errors.As(err, &f):
	case errors.As(err, &path) && path.Op == "write":
		// The disk is full: nothing that was typed is wrong.
		f = &failure{code: exitInternal, what: path.Error()}
	default:
		// What is left are the errors of cobra: unknown commands and flags.
		f = &failure{code: exitUsage, what: firstLine(err.Error()), next: "assay help"}
	}
	style := a.style(a.err)
	for i, line := range strings.Split(strings.ReplaceAll(key.Redact(f.what), "\t", "  "), "\n") {
		begin := "      " // below the first line's
		if i == 0 {
			begin = style.Level(cause.Refuse, "assay:")
		}
		fmt.Fprintf(a.err, "%s %s\n", begin, render.Safe(clip(line)))
	}
	if f.next != "" {
		fmt.Fprintf(a.err, "  %s %s\n", a.text.Text("error.next"), style.Command(render.Safe(key.Redact(f.next))))
	}
	return f.code
}

// clip bounds a line of an error: it may quote what was given.
func clip(s string) string {
	const most = 400
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// exitCodesTopic is `assay help exit-codes`.
func (a *app) exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: a.text.Text("exit-codes.short"),
		Long:  a.text.Text("exit-codes.long"),
	}
}
