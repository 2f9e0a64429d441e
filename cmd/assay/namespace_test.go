package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assay/review"
)

// The places of TestNamespaces: P0 and P1 at home, P2 and P3 abroad, and one for
// the servers.
var (
	homePlaces   = []string{"45.155.60.10", "45.155.60.11"}
	abroadPlaces = []string{"45.155.60.12", "45.155.60.13"}
)

const (
	splitValue = "20261125a7k2m9x4q8w3e5r6t1"
	splitPath  = ".well-known/pki-validation/fileauth.txt"
)

// TestNamespaces is the causes S3 and S8 of the founding document with real
// programs in network namespaces: BIND answers clients abroad from another view,
// nginx is a CDN whose edge abroad lacks the file, and a site that shuts clients
// abroad out. Agents look from each place, as processes, and the review is the
// command line's.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	n := newNamespaces(t, map[string][]string{
		"servers": {"45.155.10.1", "45.155.10.2", "45.155.10.11", "45.155.10.12", "45.155.10.21", "45.155.10.22", "45.155.10.23"},
		"p0":      homePlaces[:1], "p1": homePlaces[1:], "p2": abroadPlaces[:1], "p3": abroadPlaces[1:],
	})
	if n == nil {
		t.Log("left out: " + withoutNamespaces + " is set")
		return
	}
	n.serveNames()
	n.serveSites()
	n.joinAgents()
	for _, c := range []struct {
		name, host, method string
		want               []string
	}{
		{"the record is seen at home only", "orchard.net", "dns", []string{"wait dns.differs-by-region", "wait perspective.quorum-not-met"}},
		{"the edge abroad lacks the file", "orchard.net", "file", []string{"wait file.cdn-edge-missing", "wait perspective.quorum-not-met"}},
		{"visitors from abroad are shut out", "wall.orchard.net", "file", []string{"wait file.blocked-by-region", "wait perspective.quorum-not-met"}},
		{"the record is seen everywhere", "all.orchard.net", "dns", nil},
		{"the file is seen everywhere", "all.orchard.net", "file", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := n.check(t, c.host, c.method)
			var got []string
			for _, f := range report.Findings {
				if slices.Contains([]string{"dns", "file", "caa", "perspective"}, string(f.Stage)) && f.Level.Blocks() {
					got = append(got, string(f.Level)+" "+string(f.Cause))
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
			for _, f := range report.Findings {
				parameter := map[string]string{
					"dns.differs-by-region": "perspectives", "file.cdn-edge-missing": "bad", "file.blocked-by-region": "bad",
				}[string(f.Cause)]
				if parameter != "" && fmt.Sprint(f.Parameters[parameter]) != "[P2 P3]" {
					t.Errorf("%s: %v", f.Cause, f.Parameters)
				}
			}
		})
	}
}

// serveNames runs BIND: the root and net. are signed, orchard.net. is served by
// two views.
func (n *namespaces) serveNames() {
	const head = "$TTL 600\n@ SOA ns hostmaster 7 7200 3600 1209600 300\n"
	n.write("net.zone", "$ORIGIN net.\n"+head+"@ NS a.nic\na.nic A 45.155.10.2\norchard NS ns1.orchard\norchard NS ns2.orchard\nns1.orchard A 45.155.10.11\nns2.orchard A 45.155.10.12\n")
	n.write("root.zone", "$ORIGIN .\n"+head+"@ NS a.root\na.root A 45.155.10.1\nnet NS a.nic.net\na.nic.net A 45.155.10.2\n")
	for _, zone := range [][2]string{{"net", "net.zone"}, {".", "root.zone"}} { // the child first: its parent takes its DS
		n.run("dnssec-keygen", "-q", "-a", "13", "-f", "KSK", zone[0])
		n.run("dnssec-keygen", "-q", "-a", "13", zone[0])
		n.run("dnssec-signzone", "-q", "-S", "-g", "-o", zone[0], zone[1])
	}
	shared := "$ORIGIN orchard.net.\n" + head + `@ NS ns1
@ NS ns2
ns1 A 45.155.10.11
ns2 A 45.155.10.12
wall A 45.155.10.23
all A 45.155.10.21
_dnsauth.all TXT "` + splitValue + "\"\n"
	n.write("home.zone", shared+"@ A 45.155.10.21\nwww A 45.155.10.21\n_dnsauth TXT \""+splitValue+"\"\n")
	n.write("abroad.zone", shared+"@ A 45.155.10.22\nwww A 45.155.10.22\n")
	conf := n.write("named.conf", `options {
  directory "`+n.dir+`"; pid-file none; session-keyfile none; listen-on { any; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; empty-zones-enable no;
};
controls { };
view "root" { match-destinations { 45.155.10.1; }; zone "." { type primary; file "root.zone.signed"; }; };
view "net" { match-destinations { 45.155.10.2; }; zone "net" { type primary; file "net.zone.signed"; }; };
view "home" { match-clients { `+strings.Join(homePlaces, "; ")+`; }; zone "orchard.net" { type primary; file "home.zone"; }; };
view "abroad" { match-clients { any; }; zone "orchard.net" { type primary; file "abroad.zone"; }; };
`)
	n.start("servers", n.command("servers", "named", "-g", "-4", "-n", "1", "-c", conf), func(output string) bool { return strings.Contains(output, " running\n") })
	n.write("root.hints", ". 86400 NS a.root.\na.root. 86400 A 45.155.10.1\n")
	n.write("assay.toml", "root-hints = \"root.hints\"\ntrust-anchors = \"dsset-.\"\n")
}

// serveSites runs nginx: two edges of a CDN, of which the second lacks the file,
// and a site that denies clients abroad.
func (n *namespaces) serveSites() {
	n.write("with/"+splitPath, splitValue+"\n")
	n.write("without/index.html", "<html><title>Orchard</title></html>\n")
	n.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
		"-subj", "/CN=orchard.net", "-keyout", "site.key", "-out", "site.crt")
	edge := `server {
  listen %[1]s:80; listen %[1]s:443 ssl; root ` + n.dir + `/%[2]s;
  ssl_certificate ` + n.dir + `/site.crt; ssl_certificate_key ` + n.dir + `/site.key;
  %[3]s
}
`
	through := func(edge string) string {
		return `add_header Via "1.1 cdn-` + edge + `" always; add_header X-Cache "MISS from ` + edge + `" always;`
	}
	conf := n.write("nginx.conf", `daemon off; master_process off; pid `+n.dir+`/nginx.pid; error_log stderr; user root;
events { worker_connections 256; }
http {
access_log off; default_type text/plain;
client_body_temp_path `+n.dir+`/t1; proxy_temp_path `+n.dir+`/t2; fastcgi_temp_path `+n.dir+`/t3; uwsgi_temp_path `+n.dir+`/t4; scgi_temp_path `+n.dir+`/t5;
`+fmt.Sprintf(edge, "45.155.10.21", "with", through("e1"))+
		fmt.Sprintf(edge, "45.155.10.22", "without", through("e2"))+
		fmt.Sprintf(edge, "45.155.10.23", "with", "deny "+strings.Join(abroadPlaces, "; deny ")+"; allow all;")+"}\n")
	n.start("servers", n.command("servers", "nginx", "-p", n.dir, "-c", conf), func(string) bool {
		return n.command("p0", "openssl", "s_client", "-connect", "45.155.10.23:443").Run() == nil
	})
}

// joinAgents runs an agent at each place but the first, which joins them.
func (n *namespaces) joinAgents() {
	for i, at := range []string{homePlaces[1], abroadPlaces[0], abroadPlaces[1]} {
		id, region := fmt.Sprintf("P%d", i+1), []string{"APNIC", "RIPE", "ARIN"}[i]
		c := n.assay(strings.ToLower(id), "perspective", "serve", "--id", id, "--region", region, "--listen", at+":8443",
			"--state", filepath.Join(n.dir, id), "--config", filepath.Join(n.dir, "assay.toml"))
		output := n.start(id, c, joinLine.MatchString)
		code := joinLine.FindStringSubmatch(output)[1]
		if out, err := n.assay("p0", "perspective", "join", code, "--file", filepath.Join(n.dir, "perspectives.toml")).CombinedOutput(); err != nil {
			n.t.Fatalf("%s: %v\n%s", id, err, out)
		}
	}
}

// assay is the command line at a place.
func (n *namespaces) assay(place string, words ...string) *exec.Cmd {
	n.t.Helper()
	binary, err := exec.LookPath("assay") // testscript puts it first into PATH
	if err != nil {
		n.t.Fatal(err)
	}
	c := n.command(place, append([]string{binary}, words...)...)
	c.Env = append(os.Environ(), "HOME="+n.dir, "LANG=C", "XDG_DATA_HOME="+n.dir, "XDG_CONFIG_HOME="+n.dir)
	return c
}

// check reviews an order from P0 and the agents.
func (n *namespaces) check(t *testing.T, host, method string) *review.Report {
	t.Helper()
	c := n.assay("p0", "check", host, "--method", method, "--expect", splitValue, "--json",
		"--config", filepath.Join(n.dir, "assay.toml"), "--perspectives", filepath.Join(n.dir, "perspectives.toml"))
	var complaint strings.Builder
	c.Stderr = &complaint
	out, _ := c.Output() // the exit code is the verdict's
	var report review.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s\n%s", err, complaint.String(), out)
	}
	if len(report.Perspectives) != 4 {
		t.Fatalf("looked from %d places: %s", len(report.Perspectives), complaint.String())
	}
	return &report
}
