package lab_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/internal/strict"
	"assay/lab"
	"assay/probe/dial"
)

// world starts the world that a change in YAML makes.
func world(t *testing.T, change string) *lab.World {
	t.Helper()
	return worldAt(t, change, nil)
}

// worldAt starts one with a clock.
func worldAt(t *testing.T, change string, clock func() time.Time) *lab.World {
	t.Helper()
	var c lab.Change
	if change != "" {
		if err := strict.Decode([]byte(change), &c); err != nil {
			t.Fatal(err)
		}
	}
	w, err := lab.New(c, lab.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// A look is one question of TestChanges.
type look struct {
	place   int
	network string
	at      string // address; :port where it is not 53
	name    string
	qtype   string
	edns    bool
	want    string // see picture
}

// exchange asks as a perspective does, and waits long only where it wants more
// than a time-out.
func exchange(t *testing.T, w *lab.World, l look) string {
	t.Helper()
	p := w.Probe(l.place)
	if l.network == "" {
		l.network = "udp"
	}
	to, ok := p.Map[dial.Endpoint{Network: l.network, AddrPort: netip.AddrPortFrom(netip.MustParseAddr(l.at), 53)}]
	if !ok {
		return "unreachable"
	}
	d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.Source, 0)), Timeout: time.Second}
	if l.network == "tcp" {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Source, 0))
	}
	conn, err := d.DialContext(context.Background(), l.network, to.String())
	if err != nil {
		return word(err)
	}
	defer conn.Close()
	q := new(dns.Msg)
	q.SetQuestion(dns.Fqdn(l.name), dns.StringToType[l.qtype])
	if l.edns {
		q.SetEdns0(65535, true)
	}
	patience := 10 * time.Second // on a busy machine
	if l.want == "timeout" {
		patience = 300 * time.Millisecond
	}
	client := &dns.Client{Net: l.network, Timeout: patience, UDPSize: 65535}
	reply, _, err := client.ExchangeWithConnContext(context.Background(), q, &dns.Conn{Conn: conn, UDPSize: 65535})
	if err != nil {
		return word(err)
	}
	return picture(reply)
}

func word(err error) string {
	if w := dial.Failure(err); w != "failed" {
		return w
	}
	return "garbled"
}

// picture is a response in one line: the code, aa and tc, the data of the
// answer, then / and the types of the authority section.
func picture(m *dns.Msg) string {
	words := []string{dns.RcodeToString[m.Rcode]}
	for _, b := range []struct {
		set  bool
		word string
	}{{m.Authoritative, "aa"}, {m.Truncated, "tc"}} {
		if b.set {
			words = append(words, b.word)
		}
	}
	for _, rr := range m.Answer {
		if rr.Header().Rrtype == dns.TypeRRSIG {
			words = append(words, "RRSIG")
			continue
		}
		words = append(words, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	if len(m.Ns) > 0 {
		words = append(words, "/")
	}
	for _, rr := range m.Ns {
		words = append(words, dns.TypeToString[rr.Header().Rrtype])
	}
	return strings.Join(words, " ")
}

const v = `"` + lab.Value + `"`

// TestChanges: what a change says is what the world then does.
func TestChanges(t *testing.T) {
	t.Parallel()
	const owner = "_dnsauth.orchard.net"
	ns1, ns2 := lab.AddressNS1, lab.AddressNS2
	for name, c := range map[string]struct {
		change string
		looks  []look
	}{
		"healthy": {``, []look{
			{at: ns1, name: owner, qtype: "TXT", want: "NOERROR aa " + v},
			{at: ns2, network: "tcp", name: owner, qtype: "TXT", edns: true, want: "NOERROR aa " + v},
			{at: ns1, name: "_DnsAuth.oRCHARD.net", qtype: "TXT", want: "NOERROR aa " + v},
			{at: ns1, name: "orchard.net", qtype: "CAA", want: "NOERROR aa / SOA"},
			{at: ns1, name: "gone.orchard.net", qtype: "TXT", want: "NXDOMAIN aa / SOA"},
			{at: ns1, name: "elsewhere.net", qtype: "TXT", want: "REFUSED"},
			{at: lab.AddressTLDServer, name: owner, qtype: "TXT", want: "NOERROR / NS NS"},
			{at: lab.AddressTLDServer, name: owner, qtype: "TXT", edns: true, want: "NOERROR / NS NS NSEC RRSIG"},
			{at: lab.AddressRoot, name: owner, qtype: "TXT", edns: true, want: "NOERROR / NS DS RRSIG"},
			{at: lab.AddressRoot6, name: "zz", qtype: "TXT", edns: true, want: "NXDOMAIN aa / SOA RRSIG NSEC RRSIG NSEC RRSIG"},
		}},
		"a record removed and others added": {`
zones:
  orchard.net:
    remove: _dnsauth TXT
    add: ['@ CAA 0 issue "other-ca.net"', '*.shop TXT "parked"', 'a.b TXT $VALUE']
    serial: 9`, []look{
			{at: ns1, name: owner, qtype: "TXT", want: "NXDOMAIN aa / SOA"},
			{at: ns1, name: "orchard.net", qtype: "CAA", want: `NOERROR aa 0 issue "other-ca.net"`},
			{at: ns2, name: "any.shop.orchard.net", qtype: "TXT", want: `NOERROR aa "parked"`},
			{at: ns2, name: "b.orchard.net", qtype: "TXT", want: "NOERROR aa / SOA"},
			{at: ns2, name: "orchard.net", qtype: "SOA", want: "NOERROR aa ns1.orchard.net. hostmaster.orchard.net. 9 7200 3600 1209600 300"},
		}},
		"one server lags": {`zones: {orchard.net: {on: {ns2: {remove: _dnsauth TXT, serial: 6}}}}`, []look{
			{at: ns1, name: owner, qtype: "TXT", want: "NOERROR aa " + v},
			{at: ns2, name: owner, qtype: "TXT", want: "NXDOMAIN aa / SOA"},
			{at: ns2, name: "orchard.net", qtype: "SOA", want: "NOERROR aa ns1.orchard.net. hostmaster.orchard.net. 6 7200 3600 1209600 300"},
		}},
		"a new zone": {`zones: {pages.host.net: {add: '@ CAA 0 issue "x.net"'}, org: {}, a.org: {servers: [ns7]}}`, []look{
			{at: lab.AddressTLDServer, name: "pages.host.net", qtype: "CAA", want: "NOERROR / NS"},
			{at: "45.155.40.1", name: "pages.host.net", qtype: "CAA", want: `NOERROR aa 0 issue "x.net"`},
			{at: lab.AddressRoot, name: "a.org", qtype: "A", want: "NOERROR / NS"},
			{at: lab.AddressTLDServer, name: "a.org", qtype: "NS", want: "NOERROR / NS"},
			{at: "45.155.10.17", name: "a.org", qtype: "NS", want: "NOERROR aa ns7.orchard.net."},
			{at: ns1, name: "ns7.orchard.net", qtype: "A", want: "NOERROR aa 45.155.10.17"},
		}},
		"servers of a provider": {`zones: {orchard.net: {servers: [vip1.alidns.com, vip2.alidns.com]}}`, []look{
			{at: lab.AddressTLDServer, name: owner, qtype: "TXT", want: "NOERROR / NS NS"},
			{at: lab.AddressTLDServer, name: "vip1.alidns.com", qtype: "A", want: "NOERROR / NS"},
			{at: "45.155.40.1", name: "vip1.alidns.com", qtype: "A", want: "NOERROR aa 45.155.40.1"},
			{at: "45.155.40.2", name: owner, qtype: "TXT", want: "NOERROR aa " + v},
		}},
		"not registered": {`delegation: {orchard.net: {absent: true}}`, []look{
			{at: lab.AddressTLDServer, name: owner, qtype: "TXT", want: "NXDOMAIN aa / SOA"},
		}},
		"other servers at the parent, without glue": {`delegation: {orchard.net: {ns: [ns5, ns6], glue: {ns5: [], ns6: 10.0.0.5}}}`, []look{
			{at: lab.AddressTLDServer, name: owner, qtype: "TXT", want: "NOERROR / NS NS"},
			{at: "45.155.10.15", name: owner, qtype: "TXT", want: "REFUSED"},
		}},
		"absent and closed": {`servers: {ns1: {absent: true}, ns2: {closed: [tcp, udp]}}`, []look{
			{at: ns1, name: owner, qtype: "TXT", want: "unreachable"},
			{at: ns2, name: owner, qtype: "TXT", want: "refused"},
			{at: ns2, network: "tcp", name: owner, qtype: "TXT", want: "refused"},
		}},
		"views": {`
servers:
  ns1: {views: [{from: abroad, zones: {orchard.net: {remove: _dnsauth TXT}}}]}
  ns2: {faults: [{from: [P2, P3], do: drop}]}`, []look{
			{place: 0, at: ns1, name: owner, qtype: "TXT", want: "NOERROR aa " + v},
			{place: 4, at: ns1, name: owner, qtype: "TXT", want: "NXDOMAIN aa / SOA"},
			{place: 1, at: ns2, name: owner, qtype: "TXT", want: "NOERROR aa " + v},
			{place: 3, at: ns2, name: owner, qtype: "TXT", want: "timeout"},
			{place: 3, at: ns2, network: "tcp", name: owner, qtype: "TXT", want: "timeout"},
		}},
		"a perspective": {`
sites: {w2: {http: {}}}
perspectives:
  abroad: {lacks: ipv6}
  P3: {routes: {ns1: ns2}, lacks: tcp}
servers: {ns2: {faults: [{do: refused}]}}`, []look{
			{place: 0, at: ns1, name: owner, qtype: "TXT", want: "NOERROR aa " + v},
			{place: 0, at: lab.AddressRoot6, name: ".", qtype: "NS", want: "NOERROR aa a.root."},
			{place: 3, at: ns1, name: owner, qtype: "TXT", want: "REFUSED"},
			{place: 3, at: ns1, network: "tcp", name: owner, qtype: "TXT", want: "unreachable"},
			{place: 5, at: lab.AddressRoot6, name: ".", qtype: "NS", want: "unreachable"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := world(t, c.change)
			for _, l := range c.looks {
				if got := exchange(t, w, l); got != l.want {
					t.Errorf("P%d %s %s %s: %s, want %s", l.place, l.at, l.name, l.qtype, got, l.want)
				}
			}
		})
	}
}

// TestFaults: each deed, at one server.
func TestFaults(t *testing.T) {
	t.Parallel()
	const good = "NOERROR aa " + v
	for _, c := range []struct{ fault, network, name, want string }{
		{`do: drop`, "udp", "", "timeout"},
		{`do: servfail, ede: "22: nobody there"`, "udp", "", "SERVFAIL"},
		{`do: refused`, "udp", "", "REFUSED"},
		{`do: formerr`, "udp", "", "FORMERR"},
		{`do: notimp`, "tcp", "", "NOTIMP"},
		{`do: nxdomain`, "udp", "", "NXDOMAIN aa / SOA"},
		{`do: nodata`, "udp", "", "NOERROR aa / SOA"},
		{`do: truncate`, "udp", "", "NOERROR aa tc"},
		{`do: truncate`, "tcp", "", good},
		{`do: lowercase, mixed_case: true`, "udp", "_DNSauth.orchard.net", good},
		{`do: not-authoritative`, "udp", "", "NOERROR " + v},
		{`do: lame`, "udp", "", "NOERROR / NS"},
		{`do: no-edns`, "udp", "", good},
		{`do: no-signatures`, "udp", "", good},
		{`do: garbage, bytes: 60000`, "udp", "", "garbled"},
		{`do: bloat`, "udp", "", good},
		{`do: bloat`, "tcp", "", good},
		{`do: wrong-id`, "udp", "", "timeout"}, // the client waits for the right one
		{`do: answer, answer: ['@ 60 TXT "$VALUE" "more"', '@ TXT "\027[31mred"']`, "udp", "", `NOERROR aa ` + v + ` "more" "\027[31mred"`},
		{`do: spoof, answer: '@ TXT "forged"'`, "udp", "", good},
		{`do: reset`, "tcp", "", "reset"},
		{`do: servfail, type: CAA`, "udp", "", good},
		{`do: servfail, name: orchard.net`, "udp", "", good},
		{`do: servfail, below: orchard.net`, "udp", "", "SERVFAIL"},
		{`do: servfail, network: tcp`, "udp", "", good},
		{`do: servfail, edns: false`, "udp", "", good},
		{`do: servfail, dnssec: true`, "udp", "", "SERVFAIL"},
		{`do: servfail, mixed_case: true`, "udp", "", good},
		{`do: servfail, from: P0`, "udp", "", "SERVFAIL"},
		{`do: servfail, from: abroad`, "udp", "", good},
		{`do: servfail, every: 2`, "udp", "", good},
		{`delay: 1ms`, "udp", "", good},
	} {
		t.Run(c.fault+" "+c.network, func(t *testing.T) {
			t.Parallel()
			w := world(t, `servers: {ns1: {faults: [{`+c.fault+`}]}}`)
			if c.name == "" {
				c.name = "_dnsauth.orchard.net"
			}
			got := exchange(t, w, look{at: lab.AddressNS1, network: c.network, name: c.name, qtype: "TXT", edns: true, want: c.want})
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestAlternating: every second answer differs, and so do the first ones.
func TestAlternating(t *testing.T) {
	t.Parallel()
	w := world(t, `servers: {ns1: {faults: [{every: 2, do: nxdomain}]}, ns2: {faults: [{first: 1, do: servfail}]}}`)
	for at, want := range map[string][]string{
		lab.AddressNS1: {"NOERROR", "NXDOMAIN", "NOERROR", "NXDOMAIN"},
		lab.AddressNS2: {"SERVFAIL", "NOERROR", "NOERROR"},
	} {
		var got []string
		for range want {
			code, _, _ := strings.Cut(exchange(t, w, look{at: at, name: "_dnsauth.orchard.net", qtype: "TXT"}), " ")
			got = append(got, code)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}

// TestDelay: an answer takes the round trip of the perspective's link, over TCP
// twice that for the first one, and a world that stops does not wait for it.
func TestDelay(t *testing.T) {
	t.Parallel()
	w := world(t, `perspectives: {P2: {delay: 40ms}, P3: {delay: 1h}}`)
	for _, c := range []struct {
		place   int
		network string
		least   time.Duration
	}{{2, "udp", 40 * time.Millisecond}, {2, "tcp", 80 * time.Millisecond}} {
		began := time.Now()
		l := look{place: c.place, network: c.network, at: lab.AddressNS1, name: "_dnsauth.orchard.net", qtype: "TXT"}
		if got := exchange(t, w, l); got != "NOERROR aa "+v {
			t.Errorf("P%d %s: %s", c.place, c.network, got)
		}
		if took := time.Since(began); took < c.least {
			t.Errorf("P%d %s: %v, want %v at least", c.place, c.network, took, c.least)
		}
	}
	for _, network := range []string{"udp", "tcp"} {
		l := look{place: 3, network: network, at: lab.AddressNS1, name: "_dnsauth.orchard.net", qtype: "TXT", want: "timeout"}
		if got := exchange(t, w, l); got != l.want {
			t.Errorf("P3 %s: %s", network, got)
		}
	}
}

// TestNonsense: a change that says nothing sensible is refused with its place.
func TestNonsense(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		`zones: {orchard.net: {remove: nobody A}}`:                     "nothing to remove",
		`zones: {orchard.net: {remove: www}}`:                          "selects no records",
		`zones: {orchard.net: {add: 'www NOTYPE x'}}`:                  "NOTYPE",
		`zones: {orchard.net: {add: 'www.other.net. A 1.2.3.4'}}`:      "outside of the zone",
		`zones: {orchard.net: {sign: {ds: maybe}}}`:                    "ds:",
		`delegation: {nowhere.net: {absent: true}}`:                    "no zone",
		`servers: {ns1: {faults: [{do: dance}]}}`:                      "dance",
		`servers: {ns1: {faults: [{from: [mars]}]}}`:                   "mars",
		`servers: {ns1: {address: home}}`:                              "server ns1",
		`servers: {ns1: {views: [{zones: {orchard.net: {}}}]}}`:        "from or subnet",
		`servers: {ns1: {zones: a.org}}`:                               "no zone",
		`perspectives: {P0: {resolver: r1}}`:                           "no resolver",
		`perspectives: {Q: {}}`:                                        "no perspective",
		`resolvers: {r1: {primed: [{question: x}]}}`:                   "name type",
		`resolvers: {ours: {}}`:                                        "needs an address",
		`sites: {shop: {}}`:                                            "needs an address",
		`servers: {ns1: {views: [{subnet: x, zones: {}}]}}`:            "subnet",
		`zones: {"a..b": {servers: [ns1]}}`:                            "no domain name",
		`zones: {orchard.net: {servers: ["a..b"]}}`:                    "no host name",
		`zones: {orchard.net: {sign: {algorithm: 300}}}`:               "algorithm",
		`zones: {orchard.net: {sign: {key_trap: 5000}}}`:               "key_trap",
		`zones: {orchard.net: {sign: {nsec3: {salt: x}}}}`:             "salt",
		`zones: {orchard.net: {sign: {nsec3: {iterations: -1}}}}`:      "iterations",
		`zones: {orchard.net: {sign: {expired: everything}}}`:          "selects no records",
		`resolvers: {r1: {primed: [{question: a A, status: NODATA}]}}`: "NXDOMAIN",
	} {
		var c lab.Change
		err := strict.Decode([]byte(change), &c)
		if err == nil {
			_, err = lab.New(c, lab.Options{})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", change, err, want)
		}
	}
}
