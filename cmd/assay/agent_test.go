package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// agents is the command "agent FILE ARGUMENT…" of scripts: it starts
//
//	assay perspective serve ARGUMENT…
//
// as a process, with its output in FILE, and waits until it says that it looks.
// $CODE is then its join code, if it printed one. "agent FILE" stops it with
// SIGTERM; it must end well.
func agents(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: agent FILE [ARGUMENT…]")
	}
	path := ts.MkAbs(args[0])
	running, _ := ts.Value(agentsKey{}).(map[string]*exec.Cmd)
	if running == nil {
		ts.Fatalf("no place for agents")
	}
	if len(args) == 1 {
		c := running[path]
		ts.Check(c.Process.Signal(syscall.SIGTERM))
		ts.Check(c.Wait())
		delete(running, path)
		return
	}
	out, err := os.Create(path)
	ts.Check(err)
	defer out.Close()
	binary, err := exec.LookPath("assay") // testscript puts it first into PATH
	ts.Check(err)
	c := exec.Command(binary, append([]string{"perspective", "serve"}, args[1:]...)...)
	c.Dir, c.Stdout, c.Stderr = filepath.Dir(path), out, out
	for _, name := range []string{"HOME", "LANG", "PATH", "TZ", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "ASSAY_CONFIG"} {
		c.Env = append(c.Env, name+"="+ts.Getenv(name))
	}
	ts.Check(c.Start())
	running[path] = c
	ts.Defer(func() {
		if running[path] == c {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	})
	ts.Setenv("CODE", "")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		raw, err := os.ReadFile(path)
		ts.Check(err)
		if m := joinLine.FindSubmatch(raw); m != nil {
			ts.Setenv("CODE", string(m[1]))
			return
		}
		if strings.Contains(string(raw), "joined by") && !strings.Contains(string(raw), "joined by  0") {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the agent does not say that it looks:\n%s", raw)
		}
	}
}

type agentsKey struct{}

var joinLine = regexp.MustCompile(`(?m)^assay perspective join (assay1[0-9a-z]+)$`)
