package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// TestBINDResolves: to BIND as a validating resolver with the world's hints and
// anchor, on real loopback addresses, the world looks like the internet.
func TestBINDResolves(t *testing.T) {
	t.Parallel()
	signed := func(s Signing) ZoneCopy {
		return ZoneCopy{Sign: &s, Add: Strings{"www A 45.155.70.1", "*.wild TXT wild", "alias CNAME www.orchard.net.", "d DNAME wild"}}
	}
	c := Change{Zones: map[string]ZoneChange{
		"orchard.net":     {ZoneCopy: ZoneCopy{Add: Strings{"www A 45.155.70.2", "to CNAME www.nsec.net."}}},
		"nsec.net":        {ZoneCopy: signed(Signing{})},
		"nsec3.net":       {ZoneCopy: signed(Signing{NSEC3: &NSEC3{Iterations: 2, Salt: "ab"}, Algorithm: 14})},
		"out.org":         {ZoneCopy: signed(Signing{NSEC3: &NSEC3{OptOut: true}, Algorithm: 15})},
		"rsa.org":         {ZoneCopy: signed(Signing{Algorithm: 8})},
		"island.net":      {ZoneCopy: signed(Signing{DS: "absent"})},
		"expired.net":     {ZoneCopy: signed(Signing{Expired: Strings{"www A"}})},
		"early.net":       {ZoneCopy: signed(Signing{NotYet: Strings{"all"}})},
		"unsigned.net":    {ZoneCopy: signed(Signing{Unsigned: Strings{"www A"}})},
		"corrupt.net":     {ZoneCopy: signed(Signing{Corrupt: Strings{"www A"}})},
		"wrong.net":       {ZoneCopy: signed(Signing{DS: "wrong"})},
		"mute.net":        {ZoneCopy: signed(Signing{NoDenial: true})},
		"unknown.net":     {ZoneCopy: signed(Signing{Algorithm: 200})},
		"sub.nsec3.net":   {ZoneCopy: signed(Signing{}), Servers: Strings{"ns1.nsec3.net"}},
		"plain.nsec.net":  {ZoneCopy: ZoneCopy{Add: Strings{"www A 45.155.70.3"}}},
		"under.out.org":   {ZoneCopy: ZoneCopy{Add: Strings{"www A 45.155.70.4"}}},
		"elsewhere.other": {ZoneCopy: ZoneCopy{Add: Strings{"www A 45.155.70.5"}}, Servers: Strings{"ns1", "ns2.provider.com"}},
	}}
	const block = 201 // no other test may use it
	w, err := New(c, Options{Clock: time.Now, Loopback: block})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatalf("this test listens on port 53 of 127.%d.x.y: %v", block, err)
	}
	t.Cleanup(func() { _ = w.Close() })
	bind := startRecursive(t, w)
	for _, l := range []struct{ question, want string }{
		{"_dnsauth.orchard.net TXT", "NOERROR"},
		{"nothing.orchard.net TXT", "NXDOMAIN"},
		{"orchard.net CAA", "NOERROR"},
		{"www.nsec.net A", "NOERROR ad"},
		{"nothing.nsec.net A", "NXDOMAIN ad"},
		{"www.nsec.net CAA", "NOERROR ad"},
		{"a.wild.nsec.net TXT", "NOERROR ad"},
		{"x.d.nsec.net TXT", "NOERROR ad"},
		{"alias.nsec.net A", "NOERROR"},
		{"www.nsec3.net A", "NOERROR ad"},
		{"nothing.nsec3.net A", "NXDOMAIN ad"},
		{"www.nsec3.net CAA", "NOERROR ad"},
		{"a.wild.nsec3.net TXT", "NOERROR ad"},
		{"a.wild.nsec3.net A", "NOERROR ad"},
		{"www.sub.nsec3.net A", "NOERROR ad"},
		{"www.out.org A", "NOERROR ad"},
		{"nothing.out.org A", "NXDOMAIN"},
		{"www.under.out.org A", "NOERROR"},
		{"www.rsa.org A", "NOERROR ad"},
		{"nothing.rsa.org A", "NXDOMAIN ad"},
		{"www.island.net A", "NOERROR"},
		{"www.unknown.net A", "NOERROR"},
		{"www.plain.nsec.net A", "NOERROR"},
		{"to.orchard.net A", "NOERROR"},
		{"www.elsewhere.other A", "NOERROR"},
		{"nothing TXT", "NXDOMAIN ad"},
		{"net SOA", "NOERROR ad"},
		{"www.expired.net A", "SERVFAIL"},
		{"nothing.expired.net A", "NXDOMAIN ad"},
		{"www.early.net A", "SERVFAIL"},
		{"www.unsigned.net A", "SERVFAIL"},
		{"www.corrupt.net A", "SERVFAIL"},
		{"www.wrong.net A", "SERVFAIL"},
		{"nothing.mute.net A", "SERVFAIL"},
		{"www.mute.net A", "NOERROR ad"},
	} {
		name, qtype, _ := strings.Cut(l.question, " ")
		q := new(dns.Msg)
		q.SetQuestion(dns.Fqdn(name), dns.StringToType[qtype])
		q.SetEdns0(1232, true)
		reply, _, err := (&dns.Client{Timeout: 10 * time.Second}).Exchange(q, bind)
		if err != nil {
			t.Fatal(err)
		}
		got := dns.RcodeToString[reply.Rcode]
		if reply.AuthenticatedData {
			got += " ad"
		}
		if got != l.want {
			t.Errorf("%s: %s, want %s", l.question, got, l.want)
		}
	}
}

// startRecursive runs BIND as a resolver of a world until the test ends.
func startRecursive(t *testing.T, w *World) string {
	t.Helper()
	dir := t.TempDir()
	var hints strings.Builder
	for _, h := range w.Hints() {
		fmt.Fprintf(&hints, ". 86400 NS %s\n%s 86400 A %s\n", h.Name, h.Name, h.Addresses[0])
	}
	if err := os.WriteFile(filepath.Join(dir, "root.hints"), []byte(hints.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ds := w.Anchors()[0]
	port := freePort(t)
	config := fmt.Sprintf(`options {
	directory %q; listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; }; pid-file none; session-keyfile none;
	recursion yes; dnssec-validation yes; empty-zones-enable no; query-source address 127.0.0.1; notify no;
};
controls { };
trust-anchors { "." static-ds %d %d %d %q; };
zone "." { type hint; file "root.hints"; };
`, dir, port, ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest)
	file := filepath.Join(dir, "named.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)).String()
	runNamed(t, exec.Command("named", "-g", "-n", "1", "-4", "-c", file), address, "net.")
	return address
}
