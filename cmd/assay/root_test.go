package main

import (
	"bytes"
	"testing"
	"time"

	"assay/internal/message"
)

// TestOneCommand: a command made alone has its name and the help that it has
// beside all the others.
func TestOneCommand(t *testing.T) {
	t.Parallel()
	made := func(out *bytes.Buffer, args ...string) *app {
		return &app{
			in: out, out: out, err: out, getenv: func(string) string { return "" }, now: time.Now,
			text: message.New("en"), args: args,
		}
	}
	help := func(args ...string) string {
		var out bytes.Buffer
		a := made(&out)
		if code := a.run(args); code != 0 {
			t.Errorf("%v: exit code %d", args, code)
		}
		return out.String()
	}
	all := made(new(bytes.Buffer)).commands()
	if len(all) < 14 {
		t.Errorf("only %d commands", len(all))
	}
	for _, c := range all {
		alone := made(new(bytes.Buffer), c.Name()).commands()
		if len(alone) != 1 || alone[0].Name() != c.Name() {
			t.Errorf("%s: %d commands alone", c.Name(), len(alone))
		}
		if a, b := help(c.Name(), "--help"), help("help", c.Name()); a != b || a == "" {
			t.Errorf("%s --help:\n%s\nhelp %s:\n%s", c.Name(), a, c.Name(), b)
		}
	}
}
