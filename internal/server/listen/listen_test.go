package listen

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A clock is set by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// open opens a listener and serves on it until the test ends.
func open(t *testing.T, c Config) *Listener {
	t.Helper()
	l, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	s := Server(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), c.Log)
	done := make(chan error, 1)
	go func() { done <- l.Serve(s) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

// shown is the certificate that a listener shows now, as its SHA-256.
func shown(t *testing.T, l *Listener) (fingerprint string, cert *x509.Certificate) {
	t.Helper()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", port), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cert = conn.ConnectionState().PeerCertificates[0]
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:]), cert
}

// pair writes a certificate and its key.
func pair(t *testing.T, c *Config, hosts ...string) {
	t.Helper()
	for _, path := range []string{c.CertFile, c.KeyFile} {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := makeSelfSigned(Config{Hosts: hosts, Now: c.Now}, c.CertFile, c.KeyFile); err != nil {
		t.Fatal(err)
	}
}

func made(t *testing.T) (*Config, *clock, *lines) {
	t.Helper()
	at, log := &clock{at: time.Now()}, &lines{}
	return &Config{Address: "127.0.0.1:0", Directory: t.TempDir(), Now: at.now, Log: slog.New(slog.NewTextHandler(log, nil))}, at, log
}

// TestReload: the operator's certificate is read again when its files change,
// while connections are served, and not at every handshake; one that cannot be
// read does not take the place of the one before.
func TestReload(t *testing.T) {
	t.Parallel()
	c, at, log := made(t)
	c.CertFile, c.KeyFile = filepath.Join(c.Directory, "a.crt"), filepath.Join(c.Directory, "a.key")
	pair(t, c, "one.orchard.net")
	l := open(t, *c)
	if l.Fingerprint != "" || !strings.HasPrefix(l.URL(), "https://127.0.0.1:") {
		t.Errorf("%s %q", l.URL(), l.Fingerprint)
	}
	one, cert := shown(t, l)
	if !slices.Contains(cert.DNSNames, "one.orchard.net") {
		t.Errorf("%v", cert.DNSNames)
	}
	// A client that has a connection keeps it through all of this.
	kept := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}}
	defer kept.CloseIdleConnections()
	ask := func() {
		t.Helper()
		answer, err := kept.Get(l.URL())
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	ask()
	pair(t, c, "two.orchard.net")
	if again, _ := shown(t, l); again != one {
		t.Error("the files are read at every handshake")
	}
	at.pass(lookEvery)
	two, cert := shown(t, l)
	if two == one || !slices.Contains(cert.DNSNames, "two.orchard.net") || log.count("read again") != 1 {
		t.Errorf("not read again: %v", cert.DNSNames)
	}
	ask()
	for _, path := range []string{c.CertFile, c.KeyFile} {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil {
			t.Fatal(err)
		}
		at.pass(lookEvery)
		if still, _ := shown(t, l); still != two {
			t.Errorf("%s: half a file is served", path)
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(c.KeyFile); err != nil {
		t.Fatal(err)
	}
	at.pass(lookEvery)
	if still, _ := shown(t, l); still != two || log.count("cannot be read") == 0 {
		t.Error("a file that is gone")
	}
	pair(t, c, "three.orchard.net")
	at.pass(-time.Hour) // a clock that was set back holds nothing up
	if _, cert := shown(t, l); !slices.Contains(cert.DNSNames, "three.orchard.net") {
		t.Errorf("%v", cert.DNSNames)
	}
	ask()
}

// TestSelfSigned: without a certificate whoever listens beyond this machine gets
// one; its fingerprint is that of what is shown, and stays.
func TestSelfSigned(t *testing.T) {
	t.Parallel()
	c, _, _ := made(t)
	c.Address, c.Hosts = "0.0.0.0:0", []string{"assay.orchard.net", "192.0.2.7", ""}
	l := open(t, *c)
	fingerprint, cert := shown(t, l)
	if l.TLS == nil || l.Fingerprint != fingerprint || len(fingerprint) != 64 {
		t.Errorf("%q, shown is %q", l.Fingerprint, fingerprint)
	}
	for _, host := range []string{"assay.orchard.net", "192.0.2.7", "127.0.0.1", "localhost"} {
		if err := cert.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	info, err := os.Stat(filepath.Join(c.Directory, "tls.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if again := open(t, *c); again.Fingerprint != fingerprint {
		t.Error("another certificate after a restart")
	}
	if err := os.WriteFile(filepath.Join(c.Directory, "tls.crt"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), *c); err == nil || !strings.Contains(err.Error(), "remove "+filepath.Join(c.Directory, "tls.crt")) {
		t.Errorf("a broken file: %v", err)
	}
}

// TestPlain: on loopback nothing is encrypted, nothing is made.
func TestPlain(t *testing.T) {
	t.Parallel()
	c, _, _ := made(t)
	l := open(t, *c)
	if l.TLS != nil || l.Fingerprint != "" || !strings.HasPrefix(l.URL(), "http://127.0.0.1:") {
		t.Errorf("%s %q", l.URL(), l.Fingerprint)
	}
	if files, err := os.ReadDir(c.Directory); err != nil || len(files) != 0 {
		t.Errorf("%v %v", files, err)
	}
}

// TestOpenErrors: what cannot be served on is an error at the start, with the
// address free again.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	c, _, _ := made(t)
	l := open(t, *c)
	for name, bad := range map[string]Config{
		"a key is missing":    {Address: "127.0.0.1:0", CertFile: "a.crt"},
		"no such certificate": {Address: "127.0.0.1:0", CertFile: filepath.Join(c.Directory, "no.crt"), KeyFile: filepath.Join(c.Directory, "no.key")},
		"taken":               {Address: l.Addr().String()},
		"no port":             {Address: "127.0.0.1"},
	} {
		bad.Now, bad.Log = c.Now, c.Log
		if got, err := Open(t.Context(), bad); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestBounded: a file that is no certificate is not read to its end, which may
// never come.
func TestBounded(t *testing.T) {
	t.Parallel()
	c, _, _ := made(t)
	huge := filepath.Join(c.Directory, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, maxPEM+1); err != nil {
		t.Fatal(err)
	}
	c.CertFile, c.KeyFile = filepath.Join(c.Directory, "a.crt"), filepath.Join(c.Directory, "a.key")
	pair(t, c, "one.orchard.net")
	for _, files := range [][2]string{{huge, c.KeyFile}, {c.CertFile, huge}} {
		c := *c
		c.CertFile, c.KeyFile = files[0], files[1]
		l, err := Open(t.Context(), c)
		if err == nil {
			_ = l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), huge+" has more than 1048576 bytes") {
			t.Errorf("%v: %v", files, err)
		}
	}
}
