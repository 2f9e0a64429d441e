package config

import (
	"encoding"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"assay/data"
	"assay/evidence"
)

var now = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

// TestParse: a whole file, and everything that may be wrong with one, with the
// place and the way out.
func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       *Config // nil: an error
		err        []string
	}{
		{name: "nothing", text: "", want: &Config{}},
		{name: "everything", text: `
root-hints = "root.hints"
trust-anchors = "/etc/root.key"
resolver = "192.0.2.1:53"
public-resolvers = ["192.0.2.2", "https://dns.example.net"]
allow-addresses = ["10.1.0.0/16", "10.2.0.1"]
dial-map = "map"
dns-port = 5353
http-port = 8080
https-port = 8443
source-address = "192.0.2.9"
timeout = "1500ms"
region = "RIPE"
location = "52.37,4.90"
`, want: &Config{
			RootHints: "/etc/assay/root.hints", TrustAnchors: "/etc/root.key", DialMap: "/etc/assay/map",
			Resolver:        value[Resolver](t, "192.0.2.1:53"),
			PublicResolvers: value[Resolvers](t, "192.0.2.2:53,https://dns.example.net/dns-query"),
			AllowAddresses:  value[Prefixes](t, "10.1.0.0/16,10.2.0.1/32"),
			DNSPort:         5353, HTTPPort: 8080, HTTPSPort: 8443,
			SourceAddress: value[Address](t, "192.0.2.9"), Timeout: Duration{1500 * time.Millisecond},
			Region: "RIPE", Location: Location{&evidence.Location{Lat: 52.37, Lon: 4.9}},
		}},
		{name: "unknown keys, all of them", text: "http_port = 1\nwhat = 2\n", err: []string{
			"assay.toml:1:1: http_port: there is no such setting; did you mean http-port?",
			"assay.toml:2:1: what: there is no such setting; there are root-hints, trust-anchors,",
		}},
		{name: "table", text: "[network]\ntimeout = \"1s\"", err: []string{"assay.toml:1:2: network: there is no such setting"}},
		{name: "port too high", text: "\n http-port = 70000", err: []string{"assay.toml:2:14: http-port: want a port, a number from 1 to 65535"}},
		{name: "port as text", text: "http-port = \"80\"", err: []string{"assay.toml:1:13: http-port: want a port"}},
		{name: "address as number", text: "source-address = 4", err: []string{"assay.toml:1:18: source-address: want an address in quotation marks"}},
		{name: "network with bits", text: "allow-addresses = [\"10.0.0.0/8\", \"10.1.2.3/16\"]", err: []string{"assay.toml:1:34: allow-addresses: \"10.1.2.3/16\" has bits beyond its prefix: did you mean 10.1.0.0/16?"}},
		{name: "host as resolver", text: "resolver = \"dns.example.net\"", err: []string{"assay.toml:1:12: resolver: \"dns.example.net\" is no resolver: give an address and port"}},
		{name: "plain http", text: "resolver = \"http://dns.example.net/\"", err: []string{"needs https://"}},
		{name: "a bad resolver in the list", text: "public-resolvers = [\"192.0.2.1\", \"x\"]", err: []string{"assay.toml:1:34: public-resolvers: \"x\" is no resolver"}},
		{name: "duration without unit", text: "timeout = \"3\"", err: []string{"assay.toml:1:11: timeout: \"3\" is no duration"}},
		{name: "duration out of range", text: "timeout = \"2h\"", err: []string{"timeout: 2h0m0s is out of range: from 10ms to 1m0s"}},
		{name: "latitude alone", text: "location = \"52.37\"", err: []string{"assay.toml:1:12: location: \"52.37\" is no place on the earth"}},
		{name: "beyond the pole", text: "location = \"91,0\"", err: []string{"no place on the earth"}},
		{name: "no number", text: "location = \"NaN,0\"", err: []string{"no place on the earth"}},
		{name: "location as number", text: "location = 52.37", err: []string{"location: want latitude and longitude in degrees, in quotation marks"}},
		{name: "not TOML", text: "resolver = \n", err: []string{"assay.toml:1:12: "}},
		{name: "twice", text: "dns-port = 1\ndns-port = 2", err: []string{"assay.toml:2:1: dns-port: key dns-port is already defined"}},
		{name: "too large", text: strings.Repeat("#", MaxBytes+1), err: []string{"larger than"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse([]byte(c.text), "/etc/assay/assay.toml")
			if c.want == nil {
				if err == nil {
					t.Fatalf("accepted: %+v", got)
				}
				for _, want := range c.err {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("error %q, want %q", err, want)
					}
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v %v, want %+v", got, err, c.want)
			}
		})
	}
}

func value[T any, P interface {
	*T
	encoding.TextUnmarshaler
}](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := P(&v).UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestForms: the hint for every setting exists.
func TestForms(t *testing.T) {
	t.Parallel()
	for _, key := range Keys() {
		if forms()[key] == "" {
			t.Errorf("%s has no form", key)
		}
	}
}

func TestOver(t *testing.T) {
	t.Parallel()
	c := &Config{DNSPort: 1, HTTPPort: 2}
	c.Over(&Config{DNSPort: 5, HTTPSPort: 7}, func(key string) bool { return key == "dns-port" })
	if !reflect.DeepEqual(c, &Config{DNSPort: 5, HTTPPort: 2}) {
		t.Errorf("%+v", c)
	}
}

// TestNetwork: what is written into the evidence, and what is not.
func TestNetwork(t *testing.T) {
	t.Parallel()
	set := data.Embedded()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var iana strings.Builder
	for _, a := range set.Anchors() {
		iana.WriteString(a.DS() + "\n")
	}
	lab := file("lab.hints", ". NS a.lab.\na.lab. A 45.155.10.1\n")
	for _, c := range []struct {
		name  string
		c     Config
		stamp evidence.NetworkOptions
		err   string
	}{
		{name: "the internet"},
		{name: "ports that are the internet's", c: Config{DNSPort: 53, HTTPPort: 80}},
		{name: "time-outs are nobody's business", c: Config{Timeout: Duration{time.Second}}},
		{name: "IANA's anchors by another path", c: Config{TrustAnchors: file("root.ds", iana.String())}},
		{name: "one of IANA's anchors", c: Config{TrustAnchors: file("one.ds", set.Anchors()[1].DS())}},
		{name: "ports", c: Config{DNSPort: 5353, HTTPSPort: 8443}, stamp: evidence.NetworkOptions{Ports: "dns=5353 https=8443"}},
		{name: "exempt", c: Config{AllowAddresses: value[Prefixes](t, "10.1.0.0/16,fd00::/8")}, stamp: evidence.NetworkOptions{Exempt: "10.1.0.0/16,fd00::/8"}},
		{name: "resolver", c: Config{Resolver: value[Resolver](t, "192.0.2.1")}, stamp: evidence.NetworkOptions{Resolver: "192.0.2.1:53"}},
		{name: "source alone", c: Config{SourceAddress: value[Address](t, "127.0.0.1")}},
		{
			name:  "source beside others",
			c:     Config{SourceAddress: value[Address](t, "127.0.0.1"), DNSPort: 5353},
			stamp: evidence.NetworkOptions{Source: "127.0.0.1", Ports: "dns=5353"},
		},
		{name: "hints", c: Config{RootHints: lab}, stamp: evidence.NetworkOptions{RootHints: digest([]string{"a.lab 45.155.10.1"})}},
		{
			name:  "map",
			c:     Config{DialMap: file("map", "# lab\nudp 45.155.10.1:53 127.0.0.1:4000\n")},
			stamp: evidence.NetworkOptions{DialMap: digest([]string{"udp 45.155.10.1:53"})},
		},
		{name: "where it is, is no laboratory", c: Config{Region: "APNIC", Location: value[Location](t, "1,2")}},
		{name: "no region", c: Config{Region: "EU"}, err: "region: \"EU\" is no region: there are ARIN"},
		{name: "no file", c: Config{RootHints: filepath.Join(dir, "none")}, err: "none: root-hints: no such file or directory"},
		{name: "bad hints", c: Config{RootHints: file("bad", ". NS a.\n")}, err: "bad: root-hints: gives no address of a"},
		{name: "bad anchors", c: Config{TrustAnchors: lab}, err: "lab.hints: trust-anchors: line 1: want a DS or DNSKEY record"},
		{name: "bad map", c: Config{DialMap: file("badmap", "udp 45.155.10.1 127.0.0.1:4000\n")}, err: `badmap: dial-map: line 1: "45.155.10.1" is no address with a port`},
		{name: "empty map", c: Config{DialMap: file("emptymap", "# nothing\n")}, err: "dial-map: has no entry"},
		{name: "an address of another machine", c: Config{SourceAddress: value[Address](t, "192.0.2.77")}, err: "--source-address: 192.0.2.77 is not an address of this machine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n, err := c.c.Network(set, now)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var stamp evidence.NetworkOptions
			if n.Options != nil {
				stamp = *n.Options
			}
			if stamp != c.stamp || (n.Options == nil) != (c.stamp == evidence.NetworkOptions{}) {
				t.Errorf("stamp %+v, want %+v", stamp, c.stamp)
			}
		})
	}
}

// TestForeignSnapshot: imported anchors of the root that are not IANA's count
// as a laboratory; those that `assay data update` fetched do not.
func TestForeignSnapshot(t *testing.T) {
	t.Parallel()
	other := ". IN DS 1 13 2 " + strings.Repeat("AB", 32) + "\n"
	for _, c := range []struct {
		source  string
		foreign bool
	}{{"", true}, {data.RootAnchorsURL, false}} {
		dir := t.TempDir()
		text := other
		if c.source != "" {
			text = "# assay snapshot\n# source: " + c.source + "\n\n" + other
		}
		if _, err := data.Import(dir, data.RootAnchors, strings.NewReader(text), now); err != nil {
			t.Fatal(err)
		}
		set, err := data.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		n, err := (&Config{}).Network(set, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Options != nil && n.Options.Anchors != ""; got != c.foreign {
			t.Errorf("source %q: stamped %v", c.source, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("resolver = \"192.0.2.1\"\nallow-addresses=[\"10.0.0.0/8\"]\ntimeout=\"1s\"")
	f.Add("dns-port = -1\n[x.y]\nz=1")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse([]byte(text), "assay.toml")
		if (c == nil) == (err == nil) {
			t.Errorf("%v %v", c, err)
		}
		if err != nil && !strings.Contains(err.Error(), "assay.toml") {
			t.Errorf("no place in %q", err)
		}
	})
}
