package trial_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/internal/strict"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/probe/dial"
	"assay/review"
)

// The file that the order asks for, as it lies below a web root.
const filePath = ".well-known/pki-validation/fileauth.txt"

// TestNginx: the web causes of the founding document with nginx as operators
// configure it, reviewed as a whole. $DIR is the directory of the web roots: "with"
// has the file, "without" only a home page; $TLS the lines of a certificate.
func TestNginx(t *testing.T) {
	t.Parallel()
	const both = "server { listen $PORT80; listen $PORT443 ssl; $TLS root $DIR/with; }"
	for _, c := range []struct {
		name, profile string
		sites         []string // what runs at 45.155.10.21, 45.155.10.22, …
		world         string
		want          []string
	}{
		{name: "the file over both schemes", sites: []string{both}},

		// S1: HTTPS is on for a part of the site, and the file is there under HTTP only.
		{name: "S1: the TLS server has another root", sites: []string{`
server { listen $PORT80; root $DIR/with; }
server { listen $PORT443 ssl; $TLS root $DIR/without; }`}, want: []string{"wait file.missing-on-https"}},
		{name: "S1: the TLS server shows the application's page for every path", sites: []string{`
server { listen $PORT80; root $DIR/with; }
server { listen $PORT443 ssl; $TLS root $DIR/without; location / { try_files $uri /index.html; } }`}, want: []string{"wait file.missing-on-https"}},
		{name: "S1: no TLS server for this name", sites: []string{`
server { listen $PORT80; root $DIR/with; }
server { listen $PORT443 ssl default_server; $TLS ssl_reject_handshake on; }`}, want: []string{"warn file.https-handshake-fails"}},
		{name: "S1: HTTPS is off", sites: []string{"server { listen $PORT80; root $DIR/with; }"}},
		{name: "S1: the same under a profile that either scheme suffices", profile: "baseline", sites: []string{`
server { listen $PORT80; root $DIR/with; }
server { listen $PORT443 ssl; $TLS root $DIR/without; }`}, want: []string{"info file.missing-on-https"}},

		// S2: an error code instead of the file.
		{name: "S2: no such file", sites: []string{"server { listen $PORT80; listen $PORT443 ssl; $TLS root $DIR/without; }"}, want: []string{"wait file.missing"}},
		{name: "S2: hidden files are denied", sites: []string{`server { listen $PORT80; listen $PORT443 ssl; $TLS root $DIR/with; location ~ /\. { deny all; } }`}, want: []string{"wait file.error-status"}},
		{name: "S2: a password is asked for", sites: []string{`server { listen $PORT80; listen $PORT443 ssl; $TLS root $DIR/with; auth_basic staff; auth_basic_user_file $DIR/none; }`}, want: []string{"wait file.error-status"}},
		{name: "S2: the application behind it is down", sites: []string{`server { listen $PORT80; listen $PORT443 ssl; $TLS location / { proxy_pass http://127.0.0.1:1; } }`}, want: []string{"wait file.error-status"}},
		{name: "S2: the application fails", sites: []string{`server { listen $PORT80; listen $PORT443 ssl; $TLS location / { return 500; } }`}, want: []string{"wait file.error-status"}},
		{name: "S2: hidden files are denied but for this directory", sites: []string{`server { listen $PORT80; listen $PORT443 ssl; $TLS root $DIR/with;
location ~ /\. { deny all; } location ^~ /.well-known/ { allow all; } }`}},

		// S4: the file is reached through a redirect.
		{name: "S4: all of HTTP to HTTPS", sites: []string{`
server { listen $PORT80; return 301 https://$host$request_uri; }
server { listen $PORT443 ssl; $TLS root $DIR/with; }`}, want: []string{"warn file.redirected"}},
		{name: "S4: to another domain", world: `zones: {elsewhere.net: {add: "www A 45.155.10.21"}}`, sites: []string{`
server { listen $PORT80; server_name www.elsewhere.net; root $DIR/with; }
server { listen $PORT80 default_server; return 302 http://www.elsewhere.net$request_uri; }`}, want: []string{"wait file.redirect-other-domain"}},
		{name: "S4: in a circle", sites: []string{`server { listen $PORT80; rewrite ^ $scheme://$host$request_uri permanent; }`}, want: []string{"wait file.redirect-too-many"}},
		{name: "S4: the slash before the path is missing", sites: []string{`server { listen $PORT80; return 301 https://$host.well-known$uri; }`}, want: []string{"wait file.redirect-not-followed"}},
		{name: "S4: to a port that nobody asks", sites: []string{`server { listen $PORT80; return 301 http://$host:8080$request_uri; }`}, want: []string{"wait file.redirect-not-followed"}},
		{name: "S4: all but this directory", sites: []string{`
server { listen $PORT80; location / { return 301 https://$host$request_uri; } location /.well-known/pki-validation/ { root $DIR/with; } }
server { listen $PORT443 ssl; $TLS root $DIR/with; }`}},

		// S3: two edges of a CDN, one for clients abroad.
		{
			name: "S3: the edge abroad lacks the file", world: edgesByView, sites: []string{edge("e1", "with"), edge("e2", "without")},
			want: []string{"wait file.cdn-edge-missing", "wait perspective.quorum-not-met"},
		},
		{name: "S3: both edges have the file", world: edgesByView, sites: []string{edge("e1", "with"), edge("e2", "with")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var change lab.Change
			if err := strict.Decode([]byte(c.world+"\n"), &change); c.world != "" && err != nil {
				t.Fatal(err)
			}
			w, err := lab.New(change, lab.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = w.Close() })
			serveNginx(t, w, c.sites)
			got := webFindings(t, w, c.profile)
			if !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
		})
	}
}

// edgesByView leads clients abroad to the second edge.
const edgesByView = `servers:
  ns1: {views: [{from: abroad, zones: {orchard.net: {remove: ["@ A", "www A"], add: ["@ A 45.155.10.22", "www A 45.155.10.22"]}}}]}
  ns2: {views: [{from: abroad, zones: {orchard.net: {remove: ["@ A", "www A"], add: ["@ A 45.155.10.22", "www A 45.155.10.22"]}}}]}`

// edge is an edge of a CDN that has what lies in a directory.
func edge(name, root string) string {
	return `server { listen $PORT80; listen $PORT443 ssl; $TLS root $DIR/` + root + `;
add_header Via "1.1 cdn-` + name + `" always; add_header X-Cache "MISS from ` + name + `" always; }`
}

// serveNginx runs nginx in the place of the laboratory's web servers until the
// test ends.
func serveNginx(t *testing.T, w *lab.World, sites []string) {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{
		"with/" + filePath: lab.Value + "\n", "with/index.html": home, "without/index.html": home,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, file), text)
	}
	writeCertificate(t, dir)
	var servers strings.Builder
	var open []int
	var held []net.Listener
	for i, site := range sites {
		at := netip.AddrFrom4([4]byte{45, 155, 10, byte(21 + i)})
		for _, port := range []uint16{80, 443} {
			here, placeholder := netip.MustParseAddrPort("127.0.0.1:1"), fmt.Sprintf("$PORT%d", port) // nothing listens on port 1
			if strings.Contains(site, placeholder) {
				// Held until all are chosen: two that are free one after the other may be the same.
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				held = append(held, l)
				free := l.Addr().(*net.TCPAddr).Port
				here = netip.AddrPortFrom(here.Addr(), uint16(free))
				open = append(open, free)
				site = strings.ReplaceAll(site, placeholder, here.String())
			}
			w.DialMap()[dial.Endpoint{Network: "tcp", AddrPort: netip.AddrPortFrom(at, port)}] = here
		}
		servers.WriteString(strings.NewReplacer("$DIR", dir, "$TLS", "ssl_certificate "+dir+"/site.pem; ssl_certificate_key "+dir+"/site.pem;").Replace(site) + "\n")
	}
	conf := filepath.Join(dir, "nginx.conf")
	writeFile(t, conf, fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events { worker_connections 64; }
http { access_log off; default_type text/plain;
client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
%[2]s}
`, dir, servers.String()))
	for _, l := range held {
		_ = l.Close()
	}
	runNginx(t, exec.Command("nginx", "-p", dir, "-c", conf), open)
}

const home = "<!doctype html><html><head><title>Orchard</title></head><body><h1>Apples</h1></body></html>\n"

func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key := filepath.Join(dir, "site.pem")
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
		"-subj", "/CN=orchard.net", "-keyout", key, "-out", key+".crt").CombinedOutput()
	if err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	raw, err := os.ReadFile(key + ".crt")
	if block, _ := pem.Decode(raw); err != nil || block == nil {
		t.Fatalf("no certificate: %v", err)
	}
	f, err := os.OpenFile(key, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(raw); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(key, key); err != nil {
		t.Fatal(err)
	}
}

// runNginx runs it until the test ends, and waits until it listens.
func runNginx(t *testing.T, c *exec.Cmd, ports []int) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.Stderr = log
	if err := c.Start(); err != nil {
		t.Fatalf("Debian package nginx: %v", err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // one process: it has no worker
		_ = c.Wait()
	})
	for end := time.Now().Add(time.Minute); len(ports) > 0; {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", ports[0]))
		if err == nil {
			_ = conn.Close()
			ports = ports[1:]
			continue
		}
		if time.Now().After(end) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("nginx does not listen: %v\n%s", err, text)
		}
		time.Sleep(20 * time.Millisecond) // another process starts
	}
}

// webFindings reviews an order by file and returns what it finds on the network.
func webFindings(t *testing.T, w *lab.World, profileName string) []string {
	t.Helper()
	if profileName == "" {
		profileName = "cloud"
	}
	s := lab.Scenario{Profile: profileName, Mode: "precheck", At: lab.Clock, Order: &order.File{
		Order:  order.Order{Product: order.DV, Names: []string{"orchard.net"}, Method: order.MethodFile, SubmittedAt: lab.Clock.Add(-time.Hour)},
		Expect: map[string]order.Expectation{"orchard.net": {Value: lab.Value}},
	}}
	r, err := trial.Review(context.Background(), &s, w)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range r.Findings {
		if slices.Contains([]string{"dns", "file", "caa", "perspective"}, string(f.Stage)) {
			list = append(list, string(f.Level)+" "+string(f.Cause))
		}
	}
	if blocked := slices.ContainsFunc(r.Findings, func(f review.Finding) bool { return f.Level.Blocks() }); blocked == (r.Verdict == review.VerdictPass) {
		t.Errorf("verdict %s with %v", r.Verdict, list)
	}
	slices.Sort(list)
	return list
}
