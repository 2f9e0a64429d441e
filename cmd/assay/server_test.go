package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// serverLine and tokenLine are what assay serve prints when it is ready.
var (
	serverLine = regexp.MustCompile(`(?m)^ready (\S+)$`)
	tokenLine  = regexp.MustCompile(`(?m)^assay_\S+$`)
)

// server is the command "server FILE [ARGUMENT…]" of scripts: it starts
//
//	assay serve --listen 127.0.0.1:0 --data service ARGUMENT…
//
// as a process, with its output in FILE and its log in FILE.log, and waits until
// it is ready. $URL is then where it listens; the first token, where it printed
// one, is in the file "token". "server FILE" stops it with SIGTERM; it must end
// well.
func server(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: server FILE [ARGUMENT…]")
	}
	path := ts.MkAbs(args[0])
	running, _ := ts.Value(agentsKey{}).(map[string]*exec.Cmd)
	if c := running[path]; c != nil {
		ts.Check(c.Process.Signal(syscall.SIGTERM))
		ts.Check(c.Wait())
		delete(running, path)
		return
	}
	out, err := os.Create(path)
	ts.Check(err)
	defer out.Close()
	log, err := os.Create(path + ".log")
	ts.Check(err)
	defer log.Close()
	binary, err := exec.LookPath("assay") // testscript puts it first into PATH
	ts.Check(err)
	c := exec.Command(binary, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", "service"}, args[1:]...)...)
	c.Dir, c.Stdout, c.Stderr = filepath.Dir(path), out, log
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
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		raw, err := os.ReadFile(path)
		ts.Check(err)
		// The line is the first of one write: the token stands behind it.
		if m := serverLine.FindSubmatch(raw); m != nil {
			ts.Setenv("URL", string(m[1]))
			if token := tokenLine.Find(raw); token != nil {
				ts.Check(os.WriteFile(ts.MkAbs("token"), append(token, '\n'), 0o600))
			}
			return
		}
		if time.Now().After(end) {
			said, _ := os.ReadFile(path + ".log")
			ts.Fatalf("the server is not ready:\n%s%s", raw, said)
		}
	}
}

// secretOf is the command "secret FILE": $ASSAY_URL and $ASSAY_TOKEN are those of
// a token as "assay token new --json" printed it.
func secretOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: secret FILE")
	}
	var t struct {
		Secret string `json:"secret"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &t))
	ts.Setenv("ASSAY_URL", ts.Getenv("URL"))
	ts.Setenv("ASSAY_TOKEN", t.Secret)
}

// orderOf is the command "order FILE": $ORDER is the first order of a list as
// "assay order list --json" printed it.
func orderOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: order FILE")
	}
	var list []struct {
		ID string `json:"id"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &list))
	if len(list) == 0 {
		ts.Fatalf("no order in %s", args[0])
	}
	ts.Setenv("ORDER", list[0].ID)
}

// told is the command "told STATE": it waits until a notice is in a state.
func told(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: told STATE")
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ts.Check(ts.Exec("assay", "notify", "list", "--state", args[0], "--json"))
		if strings.Contains(ts.ReadFile("stdout"), `"id"`) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no notice is %s", args[0])
		}
	}
}

// looked is the command "looked ORDER": it waits until the service has looked at
// an order that was submitted, which it does at once and by itself.
func looked(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: looked ORDER")
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_ = ts.Exec("assay", "order", "show", args[0], "--json") // its code says where the order stands
		var v struct {
			Review int `json:"review"`
		}
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
		if v.Review > 1 {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the service did not look at %s", args[0])
		}
	}
}
