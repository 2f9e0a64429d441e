package lab_test

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"assay/lab"
)

// TestServeResolver: dig, which knows nothing of dial maps, sees the world.
func TestServeResolver(t *testing.T) {
	t.Parallel()
	w := world(t, `zones: {orchard.net: {add: '$GENERATE 1-1000 many TXT "record $"'}}`)
	at, err := w.ServeResolver(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  string
		lines int
		last  string
	}{
		{"+short _dnsauth.orchard.net TXT", 1, v},
		{"+short +tcp net NS", 1, "a.tld-servers.net."},
		{"+short many.orchard.net TXT", 1000, ""}, // over UDP first, then TCP
	} {
		args := append([]string{"@127.0.0.1", "-p", fmt.Sprint(at.Port()), "+tries=1"}, strings.Fields(c.args)...)
		out, err := exec.Command("dig", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("dig (Debian package bind9-dnsutils): %v\n%s", err, out)
		}
		got := strings.Split(strings.TrimSpace(string(out)), "\n")
		if c.lines > 1 && strings.HasPrefix(got[0], ";;") {
			got = got[1:] // ";; Truncated, retrying in TCP mode."
		}
		if len(got) != c.lines || c.last != "" && got[len(got)-1] != c.last {
			t.Errorf("dig %s: %d lines, the last %q", c.args, len(got), got[len(got)-1])
		}
	}
	if _, err := w.ServeResolver(netip.MustParseAddrPort("192.0.2.1:53")); err == nil {
		t.Error("it listens for the whole network")
	}
	if _, err := w.ServeResolver(at); err == nil {
		t.Error("two resolvers on one port")
	}
}

// TestMany: a thousand servers and zones, signed, in one world.
func TestMany(t *testing.T) {
	t.Parallel()
	c := lab.Change{Zones: map[string]lab.ZoneChange{}}
	for i := range 1000 {
		c.Zones[fmt.Sprintf("z%04d.net", i)] = lab.ZoneChange{
			Servers:  lab.Strings{"ns1", "ns2"},
			ZoneCopy: lab.ZoneCopy{Add: lab.Strings{"_dnsauth TXT $VALUE"}, Sign: &lab.Signing{}},
		}
	}
	w, err := lab.New(c, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, name := range []string{"z0000", "z0999"} {
		got := exchange(t, w, look{at: lab.AddressNS1, name: "_dnsauth." + name + ".net", qtype: "TXT", edns: true})
		if got != "NOERROR aa "+v+" RRSIG" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		w, err := lab.New(lab.Change{}, lab.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Start(); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
