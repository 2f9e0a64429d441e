package web

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"

	"assay/evidence"
	"assay/probe/host"
)

var update = flag.Bool("update", false, "write docs/ssrf.md")

// An attempt is one way to make a fetch reach a place that it must not: by what
// the name resolves to, by a redirect, or by the URL itself.
type attempt struct {
	title, how string
	// records are what the host evil.orchard.net resolves to; location is where
	// http://orchard.net/ redirects to; url is asked directly.
	records  map[string][]string
	location string
	url      string
}

// attempts is the whole set, in the order of the document.
var attempts = []attempt{
	{title: "private address in the DNS", how: "`A 10.0.0.5`", records: map[string][]string{"A": {"10.0.0.5"}}},
	{title: "private address in the DNS", how: "`A 172.16.0.1`", records: map[string][]string{"A": {"172.16.0.1"}}},
	{title: "private address in the DNS", how: "`A 192.168.1.1`", records: map[string][]string{"A": {"192.168.1.1"}}},
	{title: "shared address space of carriers", how: "`A 100.64.0.1`", records: map[string][]string{"A": {"100.64.0.1"}}},
	{title: "loopback", how: "`A 127.0.0.1`", records: map[string][]string{"A": {"127.0.0.1"}}},
	{title: "loopback, not .1", how: "`A 127.8.9.10`", records: map[string][]string{"A": {"127.8.9.10"}}},
	{title: "this host", how: "`A 0.0.0.0`", records: map[string][]string{"A": {"0.0.0.0"}}},
	{title: "broadcast", how: "`A 255.255.255.255`", records: map[string][]string{"A": {"255.255.255.255"}}},
	{title: "multicast", how: "`A 224.0.0.1`", records: map[string][]string{"A": {"224.0.0.1"}}},
	{title: "benchmarking network", how: "`A 198.18.0.1`", records: map[string][]string{"A": {"198.18.0.1"}}},
	{title: "cloud metadata", how: "`A 169.254.169.254`", records: map[string][]string{"A": {"169.254.169.254"}}},
	{title: "cloud metadata of Alibaba Cloud", how: "`A 100.100.100.200`", records: map[string][]string{"A": {"100.100.100.200"}}},
	{title: "cloud metadata over IPv6", how: "`AAAA fd00:ec2::254`", records: map[string][]string{"AAAA": {"fd00:ec2::254"}}},
	{title: "IPv6 loopback", how: "`AAAA ::1`", records: map[string][]string{"AAAA": {"::1"}}},
	{title: "IPv6 unspecified", how: "`AAAA ::`", records: map[string][]string{"AAAA": {"::"}}},
	{title: "IPv6 link-local", how: "`AAAA fe80::1`", records: map[string][]string{"AAAA": {"fe80::1"}}},
	{title: "IPv6 unique local", how: "`AAAA fc00::5`", records: map[string][]string{"AAAA": {"fc00::5"}}},
	{title: "IPv6 multicast", how: "`AAAA ff02::1`", records: map[string][]string{"AAAA": {"ff02::1"}}},
	{title: "v4-mapped", how: "`AAAA ::ffff:127.0.0.1`", records: map[string][]string{"AAAA": {"::ffff:127.0.0.1"}}},
	{title: "v4-mapped, a public address", how: "`AAAA ::ffff:45.155.10.66`", records: map[string][]string{"AAAA": {"::ffff:45.155.10.66"}}},
	{title: "v4-compatible", how: "`AAAA ::127.0.0.1`", records: map[string][]string{"AAAA": {"::127.0.0.1"}}},
	{title: "v4-translated (SIIT)", how: "`AAAA ::ffff:0:127.0.0.1`", records: map[string][]string{"AAAA": {"::ffff:0:7f00:1"}}},
	{title: "NAT64", how: "`AAAA 64:ff9b::169.254.169.254`", records: map[string][]string{"AAAA": {"64:ff9b::a9fe:a9fe"}}},
	{title: "NAT64, local prefix", how: "`AAAA 64:ff9b:1::10.0.0.5`", records: map[string][]string{"AAAA": {"64:ff9b:1::a00:5"}}},
	{title: "6to4", how: "`AAAA 2002:7f00:1::`", records: map[string][]string{"AAAA": {"2002:7f00:1::"}}},
	{title: "site-local", how: "`AAAA fec0::1`", records: map[string][]string{"AAAA": {"fec0::1"}}},
	{title: "Teredo", how: "`AAAA 2001:0:4136:e378:8000:63bf:3fff:fdd2`", records: map[string][]string{"AAAA": {"2001:0:4136:e378:8000:63bf:3fff:fdd2"}}},
	{title: "documentation prefix", how: "`AAAA 2001:db8::1`", records: map[string][]string{"AAAA": {"2001:db8::1"}}},

	{title: "redirect to a literal", how: "`http://127.0.0.1/`", location: "http://127.0.0.1/"},
	{title: "redirect to a literal", how: "`http://[::1]/`", location: "http://[::1]/"},
	{title: "redirect to a literal", how: "`http://169.254.169.254/latest/meta-data/`", location: "http://169.254.169.254/latest/meta-data/"},
	{title: "redirect to a literal over HTTPS", how: "`https://10.0.0.5/`", location: "https://10.0.0.5/"},
	{title: "v4-mapped literal", how: "`http://[::ffff:127.0.0.1]/`", location: "http://[::ffff:127.0.0.1]/"},
	{title: "v4-mapped literal in hexadecimal", how: "`http://[::ffff:7f00:1]/`", location: "http://[::ffff:7f00:1]/"},
	{title: "literal with zone", how: "`http://[fe80::1%25eth0]/`", location: "http://[fe80::1%25eth0]/"},
	{title: "decimal address", how: "`http://2130706433/`", location: "http://2130706433/"},
	{title: "hexadecimal address", how: "`http://0x7f000001/`", location: "http://0x7f000001/"},
	{title: "octal address", how: "`http://0177.0.0.1/`", location: "http://0177.0.0.1/"},
	{title: "mixed notation", how: "`http://0x7f.1/`", location: "http://0x7f.1/"},
	{title: "short form", how: "`http://127.1/`", location: "http://127.1/"},
	{title: "short form", how: "`http://0/`", location: "http://0/"},
	{title: "number over 32 bits", how: "`http://4294967297/`", location: "http://4294967297/"},
	{title: "literal with final dot", how: "`http://127.0.0.1./`", location: "http://127.0.0.1./"},
	{title: "leading zeros", how: "`http://127.000.000.001/`", location: "http://127.000.000.001/"},
	{title: "digits of another script", how: "`http://①②⑦.⓪.⓪.①/`", location: "http://①②⑦.⓪.⓪.①/"},
	{title: "full-width digits and dots", how: "`http://１２７。０。０。１/`", location: "http://１２７。０。０。１/"},
	{title: "soft hyphen within", how: "`http://127.0.0.1` with U+00AD after 127", location: "http://127\u00ad.0.0.1/"},
	{title: "percent-encoded host", how: "`http://%31%32%37.0.0.1/`", location: "http://%31%32%37.0.0.1/"},
	{title: "localhost", how: "`http://localhost/`", location: "http://localhost/"},
	{title: "localhost in capitals, final dot", how: "`http://LOCALHOST./`", location: "http://LOCALHOST./"},
	{title: "name in the local network", how: "`http://intranet/`", location: "http://intranet/"},
	{title: "redirect to a name with a private address", how: "`http://evil.orchard.net/`, `A 10.0.0.5`", location: "http://evil.orchard.net/", records: map[string][]string{"A": {"10.0.0.5"}}},
	{title: "redirect to a name with a mapped address", how: "`http://evil.orchard.net/`, `AAAA ::ffff:10.0.0.5`", location: "http://evil.orchard.net/", records: map[string][]string{"AAAA": {"::ffff:10.0.0.5"}}},
	{title: "user name that looks like the host", how: "`http://orchard.net@127.0.0.1/`", location: "http://orchard.net@127.0.0.1/"},
	{title: "user name and password", how: "`http://a:b@orchard.net/`", location: "http://a:b@orchard.net/"},
	{title: "backslash before the host", how: "`http:\\\\127.0.0.1\\`", location: "http:\\\\127.0.0.1\\"},
	{title: "backslash and at sign", how: "`http://orchard.net\\@127.0.0.1/`", location: "http://orchard.net\\@127.0.0.1/"},
	{title: "fragment before an at sign", how: "`http://127.0.0.1#@orchard.net/`", location: "http://127.0.0.1#@orchard.net/"},
	{title: "port of a database", how: "`http://orchard.net:6379/`", location: "http://orchard.net:6379/"},
	{title: "port 22", how: "`http://orchard.net:22/`", location: "http://orchard.net:22/"},
	{title: "port with sign", how: "`http://orchard.net:+80/`", location: "http://orchard.net:+80/"},
	{title: "port that wraps to 80", how: "`http://orchard.net:65616/`", location: "http://orchard.net:65616/"},
	{title: "line break into the request", how: "`http://orchard.net/%0d%0aHost:%20evil`", location: "http://orchard.net/%0d%0aHost:%20evil"},
	{title: "line break into the request's query", how: "`http://orchard.net/?a b%0aHost: evil`", location: "http://orchard.net/?a b%0aHost: evil"},
	{title: "other schemes", how: "`file:///etc/passwd`", location: "file:///etc/passwd"},
	{title: "other schemes", how: "`gopher://127.0.0.1:6379/_FLUSHALL`", location: "gopher://127.0.0.1:6379/_FLUSHALL"},
	{title: "other schemes", how: "`dict://127.0.0.1:11211/stat`", location: "dict://127.0.0.1:11211/stat"},
	{title: "other schemes", how: "`ldap://127.0.0.1/`", location: "ldap://127.0.0.1/"},

	{title: "order for a private address", how: "`http://10.0.0.5/`", url: "http://10.0.0.5/"},
	{title: "order for a number", how: "`http://2130706433/`", url: "http://2130706433/"},
	{title: "order with user name", how: "`http://orchard.net@10.0.0.5/`", url: "http://orchard.net@10.0.0.5/"},
	{title: "order with port", how: "`http://orchard.net:8080/`", url: "http://orchard.net:8080/"},
}

// recorder notes every address that a connection was really asked for.
type recorder struct {
	host.Dialer
	mu     sync.Mutex
	dialed []netip.AddrPort
}

func (r *recorder) Dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	if r.Guard(to.Addr()) == nil {
		r.mu.Lock()
		r.dialed = append(r.dialed, to)
		r.mu.Unlock()
	}
	return r.Dialer.Dial(ctx, network, to)
}

// public are the only addresses that a connection may go to here.
var public = map[string]bool{"45.155.10.21:80": true}

// TestSSRF: not one attempt reaches anything but the public web server, and
// docs/ssrf.md says what became of each.
func TestSSRF(t *testing.T) {
	// Nothing reads these; were they read, requests would go elsewhere.
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("ALL_PROXY", "socks5://127.0.0.1:1")
	var doc strings.Builder
	doc.WriteString(documentHead)
	for _, a := range attempts {
		outcome, dialed := a.run(t)
		for _, d := range dialed {
			if !public[d.String()] {
				t.Errorf("%s (%s): connected to %s", a.title, a.how, d)
			}
		}
		if strings.Contains(outcome, "secret") {
			t.Errorf("%s (%s): read the secret", a.title, a.how)
		}
		fmt.Fprintf(&doc, "| %s | %s | %s | %s |\n", a.title, strings.ReplaceAll(a.how, "|", "\\|"), a.way(), outcome)
	}
	rebinding(t, &doc)
	const path = "../../docs/ssrf.md"
	if *update {
		if err := os.WriteFile(path, []byte(doc.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != doc.String() {
		t.Errorf("docs/ssrf.md does not say what happens (%v): go test ./probe/web -run TestSSRF -update", err)
	}
}

func (a attempt) way() string {
	switch {
	case a.location != "":
		return "redirect"
	case a.url != "":
		return "question"
	}
	return "DNS"
}

// run makes one attempt and says what became of it.
func (a attempt) run(t *testing.T) (string, []netip.AddrPort) {
	w := newWorld(t)
	if a.location != "" {
		w.serve("45.155.10.21:80", func(c net.Conn) {
			head := readRequest(c)
			if !strings.HasPrefix(head, "GET / ") {
				ok("public")(&replay{c, strings.NewReader(head)})
				return
			}
			to("302", a.location)(&replay{c, strings.NewReader(head)})
		})
	}
	for qtype, list := range a.records {
		w.names.records["evil.orchard.net "+qtype] = list
	}
	seen := &recorder{Dialer: w.place.Dialer}
	w.place.Dialer = seen
	q := evidence.HTTPQuestion{URL: "http://evil.orchard.net/", Each: true}
	switch {
	case a.location != "":
		q = evidence.HTTPQuestion{URL: "http://orchard.net/", Address: "45.155.10.21"}
	case a.url != "":
		q.URL = a.url
	}
	x, err := Look(context.Background(), w.place, q)
	if err != nil {
		return "not asked: " + strings.ReplaceAll(err.Error(), "|", "\\|"), seen.dialed
	}
	f := x.Fetches[0]
	last := f.Hops[len(f.Hops)-1]
	return outcome(f, last), seen.dialed
}

func outcome(f evidence.Fetch, last evidence.Hop) string {
	switch {
	case f.Stopped == evidence.StoppedGuard, last.Dial.Error == "guard":
		return "guard: " + last.Dial.Address + " is not dialled"
	case f.Stopped != "":
		return "not followed: " + f.Stopped
	case last.Dial.Error == "no-address":
		return "no address: the name is looked up from the root and is not there"
	case last.Dial.Error != "":
		return last.Dial.Error
	}
	return fmt.Sprintf("asked as `%s` of %s", last.URL, last.Dial.Address)
}

// rebinding: a name that gives a public address first and a private one after is
// looked up once a question, and what was judged is what is dialled.
func rebinding(t *testing.T, doc *strings.Builder) {
	w := newWorld(t)
	w.serve("45.155.10.21:80", to("302", "http://evil.orchard.net/again"))
	seen := &recorder{Dialer: w.place.Dialer}
	flip := &flipping{}
	w.place.Dialer, w.place.Resolver = seen, flip
	x, err := Look(context.Background(), w.place, evidence.HTTPQuestion{URL: "http://evil.orchard.net/", Each: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range seen.dialed {
		if !public[d.String()] {
			t.Errorf("rebinding: connected to %s", d)
		}
	}
	if flip.n != 1 || len(seen.dialed) != 2 {
		t.Errorf("rebinding: %d look-ups of A, dialled %v: %+v", flip.n, seen.dialed, x)
	}
	fmt.Fprintf(doc, "| rebinding | `A 45.155.10.21` at the first look-up, `A 127.0.0.1` at the second | DNS | looked up once: what was judged is what is dialled, also for the redirect to itself |\n")
}

// flipping gives a public address once and a private one ever after.
type flipping struct {
	mu sync.Mutex
	n  int
}

func (f *flipping) Addresses(_ context.Context, _, qtype string) evidence.HostLookup {
	f.mu.Lock()
	defer f.mu.Unlock()
	if qtype == "AAAA" {
		return evidence.HostLookup{Status: "NOERROR"}
	}
	f.n++
	return evidence.HostLookup{Status: "NOERROR", Addresses: []string{[]string{"45.155.10.21", "127.0.0.1"}[min(f.n, 2)-1]}}
}

const documentHead = `# What becomes of attempts to reach what must not be reached

Assay fetches URLs that strangers choose: by the name they order, by what its
DNS says, by where its web server redirects to. Every address is judged by the
IANA special-purpose registries before it is dialled, and exactly that address
is dialled; a host is looked up once a question, by Assay's own resolver; only
http and https on ports 80 and 443 are followed. Proxy variables of the
environment are not read.

Each row was tried by a test (` + "`go test ./probe/web -run TestSSRF`" + `), which
wrote this file. "DNS": the name of the order resolves to it. "Redirect": the
web server of the order answers with it. "Question": asked for directly.

| attempt | how | by | outcome |
|---|---|---|---|
`
