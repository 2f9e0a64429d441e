package host

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"assay/data"
	"assay/evidence"
	"assay/probe/dial"
)

// TestParse: what is a name, what is an address, what is neither.
func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"orchard.net": "orchard.net", "ORCHARD.Net.": "orchard.net", "_acme.orchard.net": "_acme.orchard.net", "localhost": "localhost",
		"bücher.example": "xn--bcher-kva.example", "xn--bcher-kva.example": "xn--bcher-kva.example", "ｏｒｃｈａｒｄ．ｎｅｔ": "orchard.net",
		"192.0.2.1": "address 192.0.2.1", "192.0.2.1.": "address 192.0.2.1", "2001:db8::1": "address 2001:db8::1", "１９２.0.2.1": "address 192.0.2.1",
		"::ffff:127.0.0.1": "address ::ffff:127.0.0.1", "1a.2b": "1a.2b", "1.2.3.4.net": "1.2.3.4.net", "0xa.net": "0xa.net",
		"": "", ".": "", "..": "", "a..b": "", ".net": "", "127.1": "", "2130706433": "", "0x7f000001": "", "0x": "", "a.0x1F": "", "0177.0.0.1": "",
		"1.2.3.4.5": "", "256.1.1.1": "", "fe80::1%eth0": "", "::1::": "", "a b": "", "a\x00b": "", "-a.net": "", "a-.net": "", "a/b": "", "a@b": "", "a:80": "",
		strings.Repeat("a", 64) + ".net": "", strings.Repeat("a.", 130) + "net": "", strings.Repeat("a", 5000): "", "xn--a": "",
	} {
		name, addr, ok := Parse(text)
		got := name
		if addr.IsValid() {
			got = "address " + addr.String()
		}
		if got != want || ok != (want != "") {
			t.Errorf("Parse(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
}

// FuzzParse: a name reads as itself again, and no name is an address to anybody.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"orchard.net", "127.1", "①②⑦.0.0.1", "fe80::1%25eth0", "xn--bcher-kva.de."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, addr, ok := Parse(text)
		if !ok || addr.IsValid() {
			return
		}
		if again, _, ok := Parse(name); !ok || again != name {
			t.Errorf("%q reads as %q, that as %q", text, name, again)
		}
		if net.ParseIP(name) != nil || strings.ContainsAny(name, " /:@%[]\\\r\n") {
			t.Errorf("%q reads as %q", text, name)
		}
	})
}

type fixed map[string][]string

func (f fixed) Addresses(_ context.Context, name, qtype string) evidence.HostLookup {
	if name == "lost" {
		return evidence.HostLookup{Unknown: "budget"}
	}
	return evidence.HostLookup{Status: "NOERROR", Addresses: f[name+" "+qtype]}
}

// TestSet: which addresses are visited, which a redirect goes to.
func TestSet(t *testing.T) {
	t.Parallel()
	place := Place{Dialer: &dial.Dialer{Data: data.Embedded()}, Resolver: fixed{
		"both A": {"10.0.0.5", "45.155.10.21", "45.155.10.22"}, "both AAAA": {"fe80::1", "2a10::1", "2a10::2"},
		"private A": {"10.0.0.5"}, "six AAAA": {"2a10::1"}, "broken A": {"nonsense", "45.155.10.21", "45.155.10.21"},
	}}.WithDefaults()
	for _, c := range []struct {
		name    string
		lacks   []string
		use     []string
		guarded string
		unknown string
	}{
		{"both", nil, []string{"2a10::1", "45.155.10.21"}, "", ""},
		{"both", []string{"ipv6"}, []string{"45.155.10.21"}, "", "no-ipv6"},
		{"private", nil, nil, "10.0.0.5", ""},
		{"six", []string{"ipv6"}, nil, "", "no-ipv6"},
		{"none", nil, nil, "", ""},
		{"lost", nil, nil, "", "budget"},
		{"broken", nil, []string{"45.155.10.21"}, "", ""},
	} {
		p := place
		p.Lacks = c.lacks
		s := NewSet(context.Background(), &p)
		use, guarded, unknown := s.Preferred(c.name)
		var got []string
		for _, a := range use {
			got = append(got, a.String())
		}
		if !slices.Equal(got, c.use) || c.guarded != "" && guarded.String() != c.guarded || unknown != c.unknown {
			t.Errorf("%s without %v: %v, guarded %v, unknown %q", c.name, c.lacks, got, guarded, unknown)
		}
		if hosts := s.Hosts(); len(hosts) != 1 || hosts[0].Lookups[0].Type != "AAAA" || hosts[0].Lookups[1].Type != "A" {
			t.Errorf("%s: %+v", c.name, hosts)
		}
	}
	var mu sync.Mutex
	visited := map[netip.Addr]string{}
	s := NewSet(context.Background(), &place)
	s.Each("both", func(a netip.Addr, unknown string) {
		mu.Lock()
		defer mu.Unlock()
		visited[a] = unknown
	})
	if len(visited) != 6 {
		t.Errorf("visited %v", visited)
	}
	if Before("2a10::1", "45.155.10.21") >= 0 || Before("45.155.10.9", "45.155.10.21") >= 0 || Before("x", "y") >= 0 || Before("1.1.1.1", "::1") <= 0 {
		t.Error("the order of addresses")
	}
}
