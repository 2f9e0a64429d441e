package trial_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/lab"
)

// startUnbound runs unbound as a validating resolver of a world on real loopback
// addresses, until the test ends. It returns where it answers.
func startUnbound(t *testing.T, w *lab.World) string {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	writeFile(t, filepath.Join(dir, "root.hints"), hints(w))
	file := filepath.Join(dir, "unbound.conf")
	writeFile(t, file, fmt.Sprintf(`server:
  directory: %q
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1@%d
  do-ip6: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  root-hints: "root.hints"
  trust-anchor: %q
remote-control:
  control-enable: no
`, dir, port, strings.ReplaceAll(w.Anchors()[0].String(), "\t", " ")))
	return startDaemon(t, exec.Command("unbound", "-d", "-c", file), fmt.Sprintf("127.0.0.1:%d", port), "net.")
}

// startBIND runs BIND as such a resolver.
func startBIND(t *testing.T, w *lab.World) string {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	writeFile(t, filepath.Join(dir, "root.hints"), hints(w))
	ds := w.Anchors()[0]
	file := filepath.Join(dir, "named.conf")
	writeFile(t, file, fmt.Sprintf(`options {
  directory %q; pid-file none; session-keyfile none; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; };
  recursion yes; dnssec-validation yes; empty-zones-enable no; query-source address 127.0.0.1; notify no; servfail-ttl 0;
};
controls { };
trust-anchors { "." static-ds %d %d %d %q; };
zone "." { type hint; file "root.hints"; };
`, dir, port, ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest))
	return startDaemon(t, exec.Command("named", "-g", "-4", "-n", "1", "-c", file), fmt.Sprintf("127.0.0.1:%d", port), "net.")
}

func hints(w *lab.World) string {
	var b strings.Builder
	for _, h := range w.Hints() {
		fmt.Fprintf(&b, ". 86400 NS %s\n%s 86400 A %s\n", h.Name, h.Name, h.Addresses[0])
	}
	return b.String()
}

// startDaemon runs a name server until the test ends, and waits until it answers
// for a zone.
func startDaemon(t *testing.T, cmd *exec.Cmd, at, zone string) string {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatalf("Debian packages bind9 and unbound: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	q := new(dns.Msg)
	q.SetQuestion(zone, dns.TypeSOA)
	for deadline := time.Now().Add(time.Minute); ; {
		reply, _, err := (&dns.Client{Timeout: 2 * time.Second}).Exchange(q, at)
		if err == nil && reply.Rcode == dns.RcodeSuccess {
			return at
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("%s does not answer: %v\n%s", cmd.Path, err, text)
		}
		time.Sleep(50 * time.Millisecond) // another process starts
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
