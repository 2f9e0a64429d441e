// Package pgtest starts a private PostgreSQL server for tests and benchmarks:
// its own data directory, a Unix socket, fsync on.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Server is a running PostgreSQL. It ends with this process.
type Server struct {
	dir     string
	bin     string
	as      *syscall.Credential
	process *os.Process
	ended   chan error
	names   atomic.Int64
}

// Main runs the tests of a package with a server of its own; call it from
// TestMain and exit with what it returns.
func Main(m *testing.M, into **Server) int {
	s, err := Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting PostgreSQL:", err)
		return 1
	}
	*into = s
	code := m.Run()
	if err := s.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, "stopping PostgreSQL:", err)
		return 1
	}
	return code
}

// Start makes a server and starts it. It needs the programs of the Debian
// package postgresql and, as root, its user: PostgreSQL refuses to run as root.
func Start() (*Server, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return nil, errors.New("no /usr/lib/postgresql/*/bin/postgres: install the Debian package postgresql")
	}
	slices.Sort(found)
	s := &Server{bin: filepath.Dir(found[len(found)-1])}
	// The path of a socket may have 107 bytes: not below a test's own directory.
	if s.dir, err = os.MkdirTemp("/tmp", "pgtest"); err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := s.drop(); err != nil {
			return nil, errors.Join(err, os.RemoveAll(s.dir))
		}
	}
	init := s.command("initdb", "--pgdata", s.data(), "--username", "assay", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")
	if out, err := init.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(s.dir))
	}
	if err := s.Up(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	return s, nil
}

// drop lets the server run as the user postgres.
func (s *Server) drop() error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.SysProcAttr = attributes(s.as)
	return c
}

// Up starts the server and waits until it answers.
func (s *Server) Up() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c := s.command("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=64MB")
	c.Stdout, c.Stderr = log, log
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		// The thread that starts it must live as long: the kernel ends the server
		// when that ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.Start()
		started <- err
		if err == nil {
			ended <- c.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.process, s.ended = c.Process, ended
	return s.answers()
}

// answers asks until the server is ready.
func (s *Server) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := pgx.Connect(ctx, s.URL("postgres"))
		if err == nil {
			return c.Close(ctx)
		}
		select {
		case <-tick.C:
		case end := <-s.ended:
			s.ended <- end
			raw, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("it ended: %w: %s", end, raw)
		case <-ctx.Done():
			return err
		}
	}
}

// Down stops the server at once and breaks its connections; hard: as a crash does.
func (s *Server) Down(hard bool) error {
	signal := syscall.SIGINT // "fast" shutdown
	if hard {
		signal = syscall.SIGQUIT // "immediate": recovery at the next start
	}
	if err := s.process.Signal(signal); err != nil {
		return err
	}
	err := <-s.ended
	var exit *exec.ExitError
	if errors.As(err, &exit) && hard {
		return nil
	}
	return err
}

// Remove stops the server and removes its data.
func (s *Server) Remove() error {
	return errors.Join(s.Down(true), os.RemoveAll(s.dir))
}

// Pid is the server's process.
func (s *Server) Pid() int { return s.process.Pid }

// URL is the address of a database.
func (s *Server) URL(database string) string {
	return "postgres://assay@/" + database + "?" + url.Values{"host": {s.dir}}.Encode()
}

// Make makes an empty database and returns its address.
func (s *Server) Make(ctx context.Context) (string, error) {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer c.Close(ctx)
	name := fmt.Sprintf("t%d", s.names.Add(1))
	_, err = c.Exec(ctx, "CREATE DATABASE "+name)
	return s.URL(name), err
}

// Database is Make for a test.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	at, err := s.Make(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Exec runs a statement as the owner of the server, beside the store.
func (s *Server) Exec(t testing.TB, at, query string, args ...any) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, query, args...); err != nil {
		t.Fatalf("%s: %v", strings.TrimSpace(query), err)
	}
}
