package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"assay": program})
}

// aheadEnv is how far the clock of a program is ahead, for tests of what takes
// days: a duration. Only the program as tests run it knows it.
const aheadEnv = "ASSAY_TEST_AHEAD"

// program is the program, with the clock that a test gives it.
func program() {
	ahead, err := time.ParseDuration(os.Getenv(aheadEnv))
	if err != nil {
		main()
		return
	}
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		getenv: os.Getenv, now: func() time.Time { return time.Now().Add(ahead) },
	}
	os.Exit(a.run(os.Args[1:]))
}

// TestScripts runs testdata/script/*.txtar: the command line as people use it.
// Beside the usual commands of testscript there are
//
//	exits CODE assay …     run, and compare the exit code
//	bigfile NAME BYTES     a file of that size, without content
//	lines NAME COUNT TEXT  a file of that many lines, %d being their number
//	world [CHANGE.yaml]    a laboratory to look at, see [world]
//	agent FILE [ARG…]      start or stop a remote perspective, see [agents]
//	server FILE [ARG…]     start or stop an order service, see [server]
//	order FILE             $ORDER is the first that "order list --json" printed
//	looked ORDER           wait until the service has looked at it
//	told STATE             wait until a notice is in a state
//	secret FILE            use the token that "token new --json" printed
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("LANG", "C.UTF-8")
			env.Setenv("TZ", "UTC")
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
			csr, err := filepath.Abs("../../review/testdata/csr")
			if err != nil {
				return err
			}
			env.Setenv("CSR", csr)
			env.Values[agentsKey{}] = map[string]*exec.Cmd{}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   exits,
			"bigfile": bigfile,
			"lines":   lines,
			"world":   world,
			"agent":   agents,
			"server":  server,
			"secret":  secretOf,
			"order":   orderOf,
			"looked":  looked,
			"told":    told,
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE command …")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func bigfile(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(f.Truncate(size))
	ts.Check(f.Close())
}

func lines(ts *testscript.TestScript, neg bool, args []string) {
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b bytes.Buffer
	for i := range count {
		b.WriteString(strings.ReplaceAll(args[2], "%d", strconv.Itoa(i)))
		b.WriteByte('\n')
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}
