package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"assay/cause"
	"assay/internal/config"
	"assay/internal/message"
)

// settings are a value of each setting of [serve] by the file, by the
// environment and by a flag, and its default, as a flag shows them.
var settings = map[string]struct{ file, shown, environment, flag, otherwise string }{
	"data":          {`"/file/data"`, "/file/data", "/env/data", "/flag/data", ""},
	"database":      {`"/file/a.db"`, "/file/a.db", "/env/a.db", "postgres://a@b/c", ""},
	"listen":        {`["127.0.0.1:1", "[::1]:1"]`, "[127.0.0.1:1,[::1]:1]", "127.0.0.1:2", "127.0.0.1:3", "[127.0.0.1:8080]"},
	"public-url":    {`"https://file.orchard.net"`, "https://file.orchard.net", "https://env.orchard.net", "https://flag.orchard.net", ""},
	"trusted-proxy": {`["10.1.0.0/16", "10.2.0.0/16"]`, "10.1.0.0/16,10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", ""},
	"metrics-from":  {`["10.5.0.0/16"]`, "10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16", ""},
	"tls-cert":      {`"/file/tls.crt"`, "/file/tls.crt", "/env/tls.crt", "/flag/tls.crt", ""},
	"tls-key":       {`"/file/tls.key"`, "/file/tls.key", "/env/tls.key", "/flag/tls.key", ""},
	"key-file":      {`"/file/a.key"`, "/file/a.key", "/env/a.key", "/flag/a.key", ""},
	"profile":       {`"baseline"`, "baseline", "letsencrypt", "private", "cloud"},
	"profiles":      {`["baseline", "private"]`, "[baseline,private]", "letsencrypt", "cloud", "[]"},
	"perspectives":  {`"/file/p.toml"`, "/file/p.toml", "/env/p.toml", "/flag/p.toml", ""},
	"lists":         {`"/file/l.toml"`, "/file/l.toml", "/env/l.toml", "/flag/l.toml", ""},
	"log":           {`"json"`, "json", "text", "json", "text"},
	"rate":          {`1.5`, "1.5", "2.5", "-1", "0"},
	"workers":       {`3`, "3", "4", "5", "64"},
	"drafts":        {`30`, "30", "31", "32", "500"},
	"keep-reviews":  {`30`, "30", "31", "32", "0"},

	"smtp":               {`"smtp://a@file.orchard.net"`, "smtp://a@file.orchard.net", "smtps://env.orchard.net", "smtp://localhost", ""},
	"smtp-from":          {`"a@file.net"`, "a@file.net", "b@env.net", "c@flag.net", ""},
	"smtp-password-file": {`"/file/smtp"`, "/file/smtp", "/env/smtp", "/flag/smtp", ""},
	"webhook-networks":   {`["10.8.0.0/16"]`, "10.8.0.0/16", "10.9.0.0/16", "10.10.0.0/16", ""},

	"notice-days": {`[60, 15]`, "[60,15]", "45", "0", "[30,14,7,3,1]"},

	"letter-scan": {`"scan file"`, "scan file", "scan env", "scan flag", ""},
	"letter-max":  {`2000`, "2000", "3000", "4000", "0"},

	"ca-permit":     {`["file.net", "10.1.0.0/16"]`, "[file.net,10.1.0.0/16]", "env.net", "flag.net", "[]"},
	"ca-name":       {`"File CA"`, "File CA", "Env CA", "Flag CA", "Assay Private CA"},
	"ca-url":        {`"http://file.orchard.net"`, "http://file.orchard.net", "http://env.orchard.net", "http://flag.orchard.net", ""},
	"status-listen": {`"127.0.0.1:4"`, "127.0.0.1:4", "127.0.0.1:5", "127.0.0.1:6", ""},
	"server-keys":   {`true`, "true", "false", "true", "false"},
}

// settled are the settings as assay serve takes them from a file, an environment
// and flags.
func settled(t *testing.T, file string, env map[string]string, args ...string) (*app, *serviceFlags, error) {
	t.Helper()
	a := &app{in: &bytes.Buffer{}, out: &bytes.Buffer{}, err: &bytes.Buffer{}, now: time.Now, text: message.New(cause.English)}
	a.getenv = func(name string) string { return env[name] }
	f := &serviceFlags{}
	c := &cobra.Command{Use: "serve"}
	a.serviceFlags(c, f)
	if file != "" {
		path := filepath.Join(t.TempDir(), "assay.toml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	if err := c.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	_, err := a.settle(f)
	return a, f, err
}

// TestNoticeDays: days that no notice can have are refused, 0 is none at all.
func TestNoticeDays(t *testing.T) {
	t.Parallel()
	for text, fits := range map[string]bool{"0": true, "60,30,15,7,1": true, "36525": true, "-1": false, "36526": false, "x": false} {
		_, f, err := settled(t, "", map[string]string{"ASSAY_SERVE_NOTICE_DAYS": text})
		if (err == nil) != fits {
			t.Errorf("%s: %v, %v", text, f.notices.days, err)
		}
	}
}

// TestServeSettings: every setting can be made by the file, by the environment
// and by a flag; a flag wins over the environment, that over the file.
func TestServeSettings(t *testing.T) {
	t.Parallel()
	file, env, args := "[serve]\n", map[string]string{}, []string{}
	for _, key := range config.ServeKeys() {
		v, ok := settings[key]
		if !ok {
			t.Fatalf("no value for %s: every setting is tested", key)
		}
		file += key + " = " + v.file + "\n"
		env["ASSAY_SERVE_"+strings.ToUpper(strings.ReplaceAll(key, "-", "_"))] = v.environment
		args = append(args, "--"+key+"="+v.flag)
	}
	if len(settings) != len(config.ServeKeys()) {
		t.Errorf("%d values for %d settings", len(settings), len(config.ServeKeys()))
	}
	list := func(key, text string) string {
		if key == "listen" || key == "profiles" || key == "ca-permit" || key == "notice-days" {
			return "[" + text + "]"
		}
		return text
	}
	for name, c := range map[string]struct {
		file string
		env  map[string]string
		args []string
		want func(key string) string
	}{
		"nothing is set":         {"", nil, nil, func(key string) string { return settings[key].otherwise }},
		"the file":               {file, nil, nil, func(key string) string { return settings[key].shown }},
		"environment over file":  {file, env, nil, func(key string) string { return list(key, settings[key].environment) }},
		"flags over environment": {file, env, args, func(key string) string { return list(key, settings[key].flag) }},
	} {
		a, f, err := settled(t, c.file, c.env, c.args...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for key := range settings {
			if got := f.set.Lookup(key).Value.String(); got != c.want(key) {
				t.Errorf("%s: %s is %q, want %q", name, key, got, c.want(key))
			}
		}
		api, err := a.restConfig(f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := len(api.TrustedProxies); (got == 0) != (c.want("trusted-proxy") == "") || len(api.MetricsFrom) != min(got, 1) || (api.PublicURL == nil) != (got == 0) || api.TokenRate != f.rate {
			t.Errorf("%s: the API has %+v", name, api)
		}
	}
	_, f, err := settled(t, "", map[string]string{"ASSAY_DATABASE": "/own/a.db", "ASSAY_KEY_FILE": "/own/a.key", "ASSAY_SERVE_DATABASE": "/x"})
	if err != nil || f.database != "/own/a.db" || f.keyFile != "/own/a.key" {
		t.Errorf("%q %q %v", f.database, f.keyFile, err)
	}
}

// TestServeBadSettings: a value that cannot be is an error that names where it
// was set and what would be right.
func TestServeBadSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		env        map[string]string
		args       []string
		says       string
	}{
		{name: "no such setting", file: "[serve]\nlisen = [\"x\"]\n", says: "serve.lisen: there is no such setting; there are data, database, listen"},
		{name: "no network in the file", file: "[serve]\ntrusted-proxy = [\"ten\"]\n", says: "[serve] trusted-proxy"},
		{name: "no number in the environment", env: map[string]string{"ASSAY_SERVE_WORKERS": "many"}, says: "ASSAY_SERVE_WORKERS"},
		{name: "no worker", args: []string{"--workers", "0"}, says: "--workers"},
		{name: "no draft", args: []string{"--drafts", "0"}, says: "--drafts"},
		{name: "a rate that is no number", args: []string{"--rate", "NaN"}, says: "--rate"},
		{name: "a negative rate", args: []string{"--rate", "-2"}, says: "--rate"},
		{name: "a rate without end", args: []string{"--rate", "Inf"}, says: "--rate"},
		{name: "days before", args: []string{"--keep-reviews", "-1"}, says: "--keep-reviews"},
		{name: "a log", env: map[string]string{"ASSAY_SERVE_LOG": "xml"}, says: "text, json"},
		{name: "half a certificate", file: "[serve]\ntls-cert = \"a.crt\"\n", says: "--tls-key"},
		{name: "nowhere", args: []string{"--listen", ""}, says: "--listen"},
	} {
		_, _, err := settled(t, c.file, c.env, c.args...)
		f, ok := err.(*failure) //nolint:errorlint // what settle gives
		if !ok || f.code != exitUsage || !strings.Contains(f.what+f.next, c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, url := range []string{"assay.orchard.net", "ftp://assay.orchard.net", "https://a@assay.orchard.net", "https://assay.orchard.net/?a", "https://"} {
		a, f, err := settled(t, "", nil, "--public-url", url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.restConfig(f); err == nil {
			t.Errorf("%s is taken", url)
		}
	}
}

// TestServeMail: what is said of the mail server fits together, and its password is
// read each time it is needed.
func TestServeMail(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "smtp")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("correct horse\n")
	from := []string{"--smtp-from", "Assay <assay@orchard.net>"}
	for _, c := range []struct {
		name string
		env  map[string]string
		args []string
		says string // "": it is right
	}{
		{"no mail", nil, nil, ""},
		{"a sender alone", nil, from, "--smtp"},
		{"no sender", nil, []string{"--smtp", "smtp://localhost"}, "--smtp-from"},
		{"a sender that is none", nil, []string{"--smtp", "smtp://localhost", "--smtp-from", "assay"}, "--smtp-from"},
		{"no server", nil, append([]string{"--smtp", "mail.orchard.net"}, from...), "smtp://mail.orchard.net"},
		{"a password in the address", nil, append([]string{"--smtp", "smtp://a:hush@mail.orchard.net"}, from...), "file of its own"},
		{"a user without a password", nil, append([]string{"--smtp", "smtp://a@mail.orchard.net"}, from...), "ASSAY_SMTP_PASSWORD"},
		{"a password without a user", nil, append([]string{"--smtp", "smtp://mail.orchard.net", "--smtp-password-file", secret}, from...), "smtp://user@"},
		{"a file that is not there", nil, append([]string{"--smtp", "smtp://a@mail.orchard.net", "--smtp-password-file", secret + "x"}, from...), "--smtp-password-file"},
		{"on this machine", nil, append([]string{"--smtp", "smtp://localhost"}, from...), ""},
		{"a password in the environment", map[string]string{"ASSAY_SMTP_PASSWORD": "hush"}, append([]string{"--smtp", "smtp://a@mail.orchard.net"}, from...), ""},
		{"a password in a file", nil, append([]string{"--smtp", "smtps://a@mail.orchard.net", "--smtp-password-file", secret}, from...), ""},
	} {
		a, f, err := settled(t, "", c.env, c.args...)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		m, err := a.mailer(&f.notices)
		wrong, _ := err.(*failure) //nolint:errorlint // what the command line gives
		switch {
		case c.says == "" && err != nil, c.says != "" && (wrong == nil || !strings.Contains(wrong.what+wrong.next, c.says) || strings.Contains(wrong.what, "hush")):
			t.Errorf("%s: %v", c.name, err)
		case c.name == "a password in a file":
			write("another")
			if p, err := m.Password(); p != "another" || err != nil || m.Port != 465 {
				t.Errorf("%q, %v, port %d", p, err, m.Port)
			}
		}
	}
}

var (
	secureLine      = regexp.MustCompile(`(?m)^ready https://\S+:(\d+)$`)
	fingerprintLine = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
)

// TestServeSelfSigned: a server beyond loopback prints the fingerprint of its own
// certificate, which a client pins: that one and no other. The fingerprint is
// the same after a restart.
func TestServeSelfSigned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "LANG=C.UTF-8", "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_STATE_HOME="+dir, "ASSAY_CONFIG=")
	serve := func() (port, fingerprint, token string, stop func()) {
		t.Helper()
		out := &syncBuffer{}
		c := exec.Command(binary, "serve", "--data", filepath.Join(dir, "data"), "--listen", "0.0.0.0:0")
		c.Env, c.Stdout, c.Stderr = env, out, out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill() })
		for end := time.Now().Add(time.Minute); !secureLine.MatchString(out.String()); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not ready: %s", out)
			}
		}
		token = firstToken.FindString(out.String())
		return secureLine.FindStringSubmatch(out.String())[1], fingerprintLine.FindString(out.String()), token, func() {
			if err := c.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if err := c.Wait(); err != nil {
				t.Errorf("%v %s", err, out)
			}
		}
	}
	assay := func(stdin string, args ...string) (int, string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, binary, args...)
		c.Env, c.Stdin = env, strings.NewReader(stdin)
		out, err := c.CombinedOutput()
		if c.ProcessState == nil {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), string(out)
	}
	port, fingerprint, token, stop := serve()
	if len(fingerprint) != 64 || token == "" {
		t.Fatalf("fingerprint %q", fingerprint)
	}
	url := "https://127.0.0.1:" + port
	colons := regexp.MustCompile(`..`).FindAllString(strings.ToUpper(fingerprint), -1)
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"pinned":               {[]string{"--fingerprint", fingerprint}, exitPass},
		"as other programs do": {[]string{"--fingerprint", strings.Join(colons, ":")}, exitPass},
		"another":              {[]string{"--fingerprint", strings.Repeat("0", 64)}, exitUnavailable},
		"no fingerprint":       {nil, exitUnavailable},
	} {
		code, out := assay(token, slices.Concat([]string{"login", url}, c.args)...)
		if code != c.code || strings.Contains(out, token) {
			t.Errorf("%s: %d %s", name, code, out)
		}
		if name == "another" && !strings.Contains(out, "another certificate") {
			t.Errorf("%s: %s", name, out)
		}
	}
	if code, out := assay("", "order", "list"); code != exitPass {
		t.Errorf("%d %s", code, out)
	}
	stop()
	_, again, second, stop := serve()
	defer stop()
	if again != fingerprint || second != "" {
		t.Errorf("after a restart: %s, was %s; a second token %v", again, fingerprint, second != "")
	}
}
