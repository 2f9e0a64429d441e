// Command assay reviews orders for TLS certificates: what is wrong with an
// order, how grave that is under a CA's rules, who must act and what to do.
//
//	assay check shop.orchard.net
//	assay check --offline shop.orchard.net --csr shop.csr
//	assay causes csr.reused
//	assay help exit-codes
//
// Each subcommand stands in a file of its own. What is decided is decided in
// the library (package assay and below); here is only reading, asking, showing.
package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"assay/internal/message"
)

func main() {
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		getenv: os.Getenv, now: time.Now,
	}
	os.Exit(a.run(os.Args[1:]))
}

// An app is one run of the program and all it touches of the world.
type app struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	now      func() time.Time

	args  []string // of this run, without the program's name
	text  *message.Printer
	flags rootFlags
	// exit is the code that a command decided on; see exit.go.
	exit int
}

// run runs the command line and returns the exit code. A defect of the program
// ends it with a short message, never with a stack trace.
func (a *app) run(args []string) (code int) {
	defer func() {
		if p := recover(); p != nil {
			code = a.crashed(p)
		}
	}()
	a.args = args
	if err := a.language(args); err != nil {
		return a.fail(err)
	}
	root := a.rootCommand()
	root.SetArgs(args)
	if err := root.Execute(); err != nil {
		return a.fail(err)
	}
	return a.exit
}

// crashed reports a defect. ASSAY_DEBUG=1 shows where it happened.
func (a *app) crashed(p any) int {
	if a.text == nil {
		a.text = message.New("en")
	}
	if a.getenv("ASSAY_DEBUG") == "1" {
		fmt.Fprintf(a.err, "%v\n%s", p, debug.Stack())
	}
	return a.fail(&failure{
		code: exitInternal,
		what: a.text.Text("error.internal", "What", firstLine(fmt.Sprint(p))),
		next: a.text.Text("error.internal.next"),
	})
}
