package certfile_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/internal/certfile"
)

// TestServers: nginx, Apache and HAProxy start with the bundle, with the key in
// it or put where the note says, and curl verifies the chain up to the root. Of
// the configuration given only directories and ports are others.
func TestServers(t *testing.T) {
	t.Parallel()
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "apples") }))
	t.Cleanup(backend.Close)
	h := newHierarchy(t, nil, "shop.orchard.net", "*.orchard.net")
	for _, server := range []struct {
		id, keyFile string
		// change replaces what a test cannot have; frame is the rest of the
		// configuration, $CONF the bundle's, $DIR a directory.
		change []string
		frame  string
		start  func(conf, dir string) *exec.Cmd
	}{
		{
			id: "nginx", keyFile: ".key",
			change: []string{"/etc/nginx/ssl", "$DIR", "listen 443", "listen $LISTEN", "[::]:443", "127.0.0.2:$PORT", "/var/www/html", "$DIR"},
			frame: `daemon off; master_process off; pid $DIR/pid; error_log stderr;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $DIR/t1; proxy_temp_path $DIR/t2; fastcgi_temp_path $DIR/t3; uwsgi_temp_path $DIR/t4; scgi_temp_path $DIR/t5;
$CONF}
`,
			start: func(conf, dir string) *exec.Cmd { return exec.Command("nginx", "-p", dir, "-c", conf) },
		},
		{
			id: "apache", keyFile: ".key",
			change: []string{"/etc/apache2/ssl", "$DIR", "*:443", "$LISTEN", "/var/www/html", "$DIR"},
			frame: `ServerRoot $DIR
ServerName localhost
PidFile $DIR/pid
DefaultRuntimeDir $DIR
ErrorLog /dev/stderr
$USER
Listen $LISTEN
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
$CONF`,
			start: func(conf, dir string) *exec.Cmd { return exec.Command("apache2", "-X", "-d", dir, "-f", conf) },
		},
		{
			id: "haproxy", keyFile: ".pem.key",
			change: []string{"/etc/haproxy/certs", "$DIR", "bind :443", "bind $LISTEN", "127.0.0.1:8080", backend.Listener.Addr().String()},
			frame: `defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
$CONF`,
			start: func(conf, _ string) *exec.Cmd { return exec.Command("haproxy", "-db", "-f", conf) },
		},
	} {
		for _, withKey := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, key in the bundle %v", server.id, withKey), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				conf := ""
				for name, file := range unzip(t, makeFile(t, h.set(t, withKey), server.id, certfile.Options{}).Content) {
					text := content(t, file)
					if strings.HasSuffix(name, ".conf") || strings.HasSuffix(name, ".cfg") {
						conf = text
						continue
					}
					writeText(t, filepath.Join(dir, name), text)
				}
				if !withKey {
					// The applicant's own key, from where the note says that it is.
					key, err := h.set(t, true).Make("nginx", certfile.Options{})
					if err != nil {
						t.Fatal(err)
					}
					writeText(t, filepath.Join(dir, "shop.orchard.net"+server.keyFile), content(t, unzip(t, key.Content)["shop.orchard.net.key"]))
				}
				for i := 0; i < len(server.change); i += 2 {
					if !strings.Contains(conf, server.change[i]) {
						t.Fatalf("the configuration has no %q:\n%s", server.change[i], conf)
					}
					conf = strings.ReplaceAll(conf, server.change[i], server.change[i+1])
				}
				port := serve(t, server.id, func(listen, port string) *exec.Cmd {
					text := strings.NewReplacer("$CONF", conf).Replace(server.frame)
					text = strings.NewReplacer("$DIR", dir, "$LISTEN", listen, "$PORT", port, "$USER", runAs(t)).Replace(text)
					path := filepath.Join(dir, "server.conf")
					writeText(t, path, text)
					return server.start(path, dir)
				})
				out := run(t, "curl", "curl", "-sS", "-o", "/dev/null", "-w", "%{ssl_verify_result} %{http_code}", "--noproxy", "*",
					"--cacert", filepath.Join(dir, "shop.orchard.net.root.pem"),
					"--resolve", "shop.orchard.net:"+port+":127.0.0.1", "https://shop.orchard.net:"+port+"/")
				if !strings.HasPrefix(out, "0 ") || strings.HasSuffix(out, " 000") {
					t.Errorf("curl: %s", out)
				}
			})
		}
	}
}

// TestServersTake: nginx beside another server, and Apache, take the configuration for names
// that are long, or no host names.
func TestServersTake(t *testing.T) {
	t.Parallel()
	label := strings.Repeat("a", 60)
	for name, c := range map[string]struct {
		names []string
		ips   []string
		hint  bool // that nginx needs another setting
	}{
		"the longest that nginx takes":   {names: []string{label[:34] + ".orchard.net"}},
		"one that is longer":             {names: []string{label[:35] + ".orchard.net"}, hint: true},
		"a wildcard that is long":        {names: []string{"*." + label + ".orchard.net"}, hint: true},
		"the longest that there is":      {names: []string{label + "." + label + "." + label + "." + label + ".net"}, hint: true},
		"a wildcard before a name":       {names: []string{"*.orchard.net", "orchard.net"}},
		"a wildcard alone":               {names: []string{"*.orchard.net"}},
		"an IPv6 address alone":          {ips: []string{"2001:db8::1"}},
		"an IPv6 and then another":       {ips: []string{"2001:db8::1", "192.0.2.1"}},
		"an address and then a wildcard": {names: []string{"*.orchard.net"}, ips: []string{"2001:db8::1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template := server("x.orchard.net")
			template.Subject.CommonName, template.DNSNames, template.IPAddresses = "x", c.names, nil
			for _, ip := range c.ips {
				template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
			}
			h := newHierarchy(t, nil, "orchard.net")
			leaf := issue(t, template, h.lower, nil)
			set := certfile.Read(certfile.Texts{Certificate: certPEM(leaf, h.lower, h.upper), Key: keyPEM(t, leaf)}, nil, now).Set()
			for id, frame := range map[string]string{
				"nginx": `pid $DIR/pid; error_log stderr; events {}
http { access_log off; client_body_temp_path $DIR/t1; proxy_temp_path $DIR/t2; fastcgi_temp_path $DIR/t3; uwsgi_temp_path $DIR/t4; scgi_temp_path $DIR/t5;
$HINT
$CONFserver { listen 443 ssl; server_name other.net; ssl_certificate $PEM; ssl_certificate_key $KEY; } }
`,
				"apache": `ServerRoot $DIR
ServerName localhost
DefaultRuntimeDir $DIR
ErrorLog /dev/stderr
Listen 127.0.0.1:8443
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
$CONF`,
			} {
				dir, conf, hint := t.TempDir(), "", ""
				fill := []string{"/etc/nginx/ssl", dir, "/etc/apache2/ssl", dir, "/var/www/html", dir, "$DIR", dir}
				for name, file := range unzip(t, makeFile(t, set, id, certfile.Options{}).Content) {
					if len(name) > 120 {
						t.Errorf("a file is called %s", name)
					}
					text, path := content(t, file), filepath.Join(dir, name)
					writeText(t, path, text)
					switch {
					case strings.HasSuffix(name, ".conf"):
						conf = text
					case strings.HasSuffix(name, ".fullchain.pem"):
						fill = append(fill, "$PEM", path)
					case strings.HasSuffix(name, ".key"):
						fill = append(fill, "$KEY", path)
					case strings.HasSuffix(name, ".txt"):
						if _, after, ok := strings.Cut(text, "server_names_hash_bucket_size "); ok {
							value, _, _ := strings.Cut(after, ";")
							hint = "server_names_hash_bucket_size " + value + ";"
						}
					}
				}
				if id == "nginx" && (hint != "" != c.hint || !strings.Contains(conf, hint)) {
					t.Errorf("hint %q, want %v:\n%s", hint, c.hint, conf)
				}
				text := strings.NewReplacer("$HINT", hint, "$CONF", conf).Replace(frame)
				path := filepath.Join(dir, "server.conf")
				writeText(t, path, strings.NewReplacer(fill...).Replace(text))
				check := exec.Command("nginx", "-t", "-p", dir, "-c", path)
				if id == "apache" {
					check = exec.Command("apache2", "-t", "-d", dir, "-f", path)
				}
				if out, err := check.CombinedOutput(); err != nil {
					t.Errorf("%s: %v\n%s\n%s", id, err, out, conf)
				}
			}
		})
	}
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freePort is an address that nothing listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// runAs is what Apache needs to hear of a user where root starts it.
func runAs(t *testing.T) string {
	t.Helper()
	if u, err := user.Current(); err != nil || u.Uid != "0" {
		return ""
	}
	return "User www-data\nGroup www-data"
}

// serve runs a server until the test ends, waits until it listens and returns
// the port. A port that was free may be another's by then: it is tried again.
func serve(t *testing.T, debian string, command func(listen, port string) *exec.Cmd) string {
	t.Helper()
	why := ""
	for range 4 {
		listen := freePort(t)
		_, port, _ := net.SplitHostPort(listen)
		if why = start(t, debian, listen, command(listen, port)); why == "" {
			return port
		}
	}
	t.Fatalf("%s does not listen: %s", debian, why)
	return ""
}

// start runs a server and says why it does not listen, "" where it does.
func start(t *testing.T, debian, listen string, c *exec.Cmd) string {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.Stderr, c.Stdout = log, log
	if err := c.Start(); err != nil {
		t.Fatalf("Debian package %s: %v", strings.Replace(debian, "apache", "apache2", 1), err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Kill() // one process: it has no worker
		<-ended
	})
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		conn, err := net.Dial("tcp", listen)
		if err == nil {
			_ = conn.Close()
			return ""
		}
		select {
		case err := <-ended:
			ended <- err
			text, _ := os.ReadFile(log.Name())
			return fmt.Sprintf("%v\n%s", err, text)
		case <-time.After(20 * time.Millisecond): // another process starts
		}
	}
	text, _ := os.ReadFile(log.Name())
	return string(text)
}
