// Command first takes one order all the way, on this machine alone: a small
// internet is started, a service with a CA of its own, and then each step is the
// command that a person would type. It ends with a TLS handshake that is verified
// against that CA's root.
//
//	go run ./examples/first
//
// Nothing leaves the machine and nothing stays on it.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// host is the name that the certificate is for; the small internet has it.
const host = "orchard.net"

// exitWaits is the exit code for an order that waits (docs/exit-codes.md).
const exitWaits = 2

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "first:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "assay-first-")
	if err != nil {
		return err
	}
	j := &journey{dir: dir, out: &oneAtATime{to: out}}
	defer func() { err = errors.Join(err, j.end(), os.RemoveAll(dir)) }()
	j.say("Building assay.")
	if j.binary, err = built(ctx, dir); err != nil {
		return err
	}

	j.say("A service starts, with a CA that may certify %s only. The first start makes its database and keys.", host)
	serve := []string{"serve", "--data", "service", "--listen", "127.0.0.1:0", "--profile", "private", "--ca-permit", host, "--ca-name", "Orchard CA"}
	s, err := j.start(ctx, "ready ", serve...)
	if err != nil {
		return err
	}
	token := ""
	for _, line := range s.lines {
		if strings.HasPrefix(line, "assay_") || strings.HasPrefix(line, "as_") || len(line) > 40 && !strings.ContainsAny(line, " /:") {
			token = line
		}
	}
	if token == "" {
		return fmt.Errorf("the first start printed no token:\n%s", strings.Join(s.lines, "\n"))
	}
	if _, err := j.do(ctx, token, "login", s.url); err != nil {
		return err
	}

	j.say("The applicant makes a key, which stays here, and a request, and orders.")
	if _, err := j.do(ctx, "", "csr", "new", host, "--out", "shop"); err != nil {
		return err
	}
	raw, err := j.do(ctx, "", "order", "new", host, "--csr", "shop.csr", "--method", "dns", "--draft", "--json")
	if err != nil {
		return err
	}
	var v struct {
		ID         string
		Challenges []struct{ Owner, Type, Value string }
	}
	if err := json.Unmarshal(raw, &v); err != nil || len(v.Challenges) == 0 {
		return fmt.Errorf("the order has no value to publish: %w\n%s", err, raw)
	}
	c := v.Challenges[0]
	j.say("To be published: %s %s %q.", c.Owner, c.Type, c.Value)

	j.say("That value is published in a small internet on this machine, and the service looks there from now on.")
	if err := s.stop(); err != nil {
		return err
	}
	if _, err := j.start(ctx, "Ctrl-C", "lab", "serve", "--dir", "lab", "--value", c.Value); err != nil {
		return err
	}
	if s, err = j.start(ctx, "ready ", append(serve, "--config", filepath.Join("lab", "assay.toml"))...); err != nil {
		return err
	}
	if _, err := j.do(ctx, token, "login", s.url); err != nil {
		return err
	}
	for _, step := range [][]string{
		{"order", "submit", v.ID},
		{"order", "watch", v.ID},
		{"cert", "show", v.ID},
		{"cert", "download", v.ID, "--format", "nginx", "--out", "shop.nginx.zip", "--key", "shop.key"},
		{"cert", "download", v.ID, "--format", "fullchain", "--out", "shop.pem"},
		{"cert", "download", v.ID, "--format", "root", "--out", "root.pem"},
	} {
		if _, err := j.do(ctx, "", step...); err != nil {
			return err
		}
	}
	return j.handshake(ctx)
}

func built(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "assay")
	c := exec.CommandContext(ctx, "go", "build", "-o", binary, "assay/cmd/assay")
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// oneAtATime lets what a command prints on both its outputs come one after the other.
type oneAtATime struct {
	writing sync.Mutex
	to      io.Writer
}

func (o *oneAtATime) Write(text []byte) (int, error) {
	o.writing.Lock()
	defer o.writing.Unlock()
	return o.to.Write(text)
}

// A journey is one run: what it started, and where.
type journey struct {
	dir, binary string
	out         io.Writer
	running     []*process
}

func (j *journey) say(format string, args ...any) { fmt.Fprintf(j.out, "\n# "+format+"\n", args...) }

func (j *journey) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, j.binary, args...)
	c.Dir = j.dir
	c.Env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(j.dir, "config"), "XDG_STATE_HOME="+filepath.Join(j.dir, "state"), "ASSAY_URL=", "ASSAY_TOKEN=", "ASSAY_DATABASE=", "ASSAY_KEY_FILE=")
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 10 * time.Second
	fmt.Fprintln(j.out, "$ assay", strings.Join(args, " "))
	return c
}

// do runs a command to its end and shows what it prints.
func (j *journey) do(ctx context.Context, input string, args ...string) ([]byte, error) {
	c := j.command(ctx, args...)
	var printed bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), io.MultiWriter(&printed, j.out), j.out
	if args[len(args)-1] == "--json" {
		c.Stdout = &printed // for this program, not for its reader
	}
	err := c.Run()
	var exit *exec.ExitError
	// An order that still waits for something is what these end with.
	if waits := args[0] == "order" && errors.As(err, &exit) && exit.ExitCode() == exitWaits; err != nil && !waits {
		return nil, fmt.Errorf("assay %s: %w", strings.Join(args, " "), err)
	}
	return printed.Bytes(), nil
}

// A process is a server that runs beside the journey.
type process struct {
	command *exec.Cmd
	ended   chan error
	// url follows the word that says it is ready; lines are all until then.
	url   string
	lines []string
}

// start starts a server and waits for a line that begins with a word.
func (j *journey) start(ctx context.Context, ready string, args ...string) (*process, error) {
	c := j.command(ctx, args...)
	var log bytes.Buffer
	c.Stderr = &log
	stdout, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	p := &process{command: c, ended: make(chan error, 1)}
	j.running = append(j.running, p)
	lines := bufio.NewScanner(stdout)
	found := false
	for lines.Scan() {
		p.lines = append(p.lines, strings.TrimSpace(lines.Text()))
		if rest, ok := strings.CutPrefix(lines.Text(), ready); ok {
			p.url, found = strings.TrimSpace(rest), true
		}
		// What follows a first start's address ends with the command that logs in.
		if found && (ready != "ready " || strings.Contains(lines.Text(), "assay login") || len(p.lines) > 2 && len(j.running) > 1) {
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, stdout)
		p.ended <- c.Wait()
	}()
	if !found {
		return nil, fmt.Errorf("assay %s did not start:\n%s", args[0], log.String())
	}
	return p, nil
}

func (p *process) stop() error {
	if p.command == nil {
		return nil
	}
	err := p.command.Process.Signal(syscall.SIGTERM)
	ended := <-p.ended
	p.command = nil
	var exit *exec.ExitError
	if errors.As(ended, &exit) {
		ended = nil // it was told to
	}
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return errors.Join(err, ended)
}

func (j *journey) end() error {
	var all []error
	for _, p := range j.running {
		all = append(all, p.stop())
	}
	return errors.Join(all...)
}

// handshake serves with the certificate and connects to it: by curl where that is
// there, and by a client of its own.
func (j *journey) handshake(ctx context.Context) error {
	pair, err := tls.LoadX509KeyPair(filepath.Join(j.dir, "shop.pem"), filepath.Join(j.dir, "shop.key"))
	if err != nil {
		return err
	}
	var listening net.ListenConfig
	l, err := listening.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		ErrorLog:          log.New(io.Discard, "", 0), // its clients say what is wrong
		ReadHeaderTimeout: time.Minute, TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "Welcome to the orchard.") }),
	}
	go func() { _ = server.ServeTLS(l, "", "") }()
	defer server.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return err
	}
	j.say("A web server uses it, and a client that knows nothing but the root connects.")
	if curl, err := exec.LookPath("curl"); err == nil {
		args := []string{"--silent", "--show-error", "--fail", "--cacert", "root.pem", "--resolve", host + ":" + port + ":127.0.0.1", "https://" + host + ":" + port + "/"}
		fmt.Fprintln(j.out, "$ curl", strings.Join(args, " "))
		c := exec.CommandContext(ctx, curl, args...)
		c.Dir, c.Stdout, c.Stderr = j.dir, j.out, j.out
		if err := c.Run(); err != nil {
			return fmt.Errorf("curl: %w", err)
		}
	}
	root, err := os.ReadFile(filepath.Join(j.dir, "root.pem"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		return errors.New("root.pem holds no certificate")
	}
	d := &tls.Dialer{Config: &tls.Config{RootCAs: pool, ServerName: host}}
	conn, err := d.DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return fmt.Errorf("the handshake: %w", err)
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	leaf := state.PeerCertificates[0]
	j.say("Verified: %s, issued by %s, serial %x, until %s, over %s.", host, leaf.Issuer.CommonName, leaf.SerialNumber, leaf.NotAfter.Format(time.RFC3339), tls.VersionName(state.Version))
	return nil
}
