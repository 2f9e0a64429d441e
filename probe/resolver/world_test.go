package resolver

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"assay/data"
	"assay/evidence"
	"assay/probe/dial"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a few name servers on loopback, behind a dial map.
type world struct {
	t       *testing.T
	dialMap dial.Map
	mu      sync.Mutex
	asked   []string // "address network type name"
}

// A host is a name server: zones as zone file lines, and what it does instead.
type host struct {
	zones map[string][]string
	// hook may answer itself (true) or change m, the answer that is about to be given.
	hook func(w dns.ResponseWriter, r, m *dns.Msg) bool
	// raw, if set, gives the bytes to send over UDP for a query.
	raw   func(query []byte) [][]byte
	noTCP bool
}

const (
	addrRoot = "45.155.10.1"
	addrTLD  = "45.155.10.2"
	addrNS1  = "45.155.10.11"
	addrNS2  = "45.155.10.12"
	addrNS3  = "45.155.10.13"
)

// newWorld starts servers. root, net. and the rest are given by address.
func newWorld(t *testing.T, hosts map[string]*host) *world {
	t.Helper()
	w := &world{t: t, dialMap: dial.Map{}}
	for address, h := range hosts {
		w.serve(netip.MustParseAddr(address), h)
	}
	return w
}

// plainWorld is a root, net. and orchard.net on two servers; change is applied first.
func plainWorld(t *testing.T, change func(hosts map[string]*host)) *world {
	t.Helper()
	orchard := []string{
		"orchard.net. 3600 IN SOA ns1.orchard.net. h.orchard.net. 7 7200 3600 1209600 300",
		"orchard.net. 3600 IN NS ns1.orchard.net.", "orchard.net. 3600 IN NS ns2.orchard.net.",
		"ns1.orchard.net. 3600 IN A " + addrNS1, "ns2.orchard.net. 3600 IN A " + addrNS2,
		"orchard.net. 600 IN A 45.155.10.21", `_dnsauth.orchard.net. 600 IN TXT "value"`,
		"a.b.orchard.net. 600 IN A 45.155.10.22",
		"alias.orchard.net. 600 IN CNAME _dnsauth.orchard.net.",
		"loop1.orchard.net. 600 IN CNAME loop2.orchard.net.", "loop2.orchard.net. 600 IN CNAME loop1.orchard.net.",
		"tree.orchard.net. 600 IN DNAME orchard.net.",
	}
	hosts := map[string]*host{
		addrRoot: {zones: map[string][]string{".": {
			". 86400 IN SOA a.root. h.root. 1 1800 900 604800 86400", ". 86400 IN NS a.root.", "a.root. 86400 IN A " + addrRoot,
			"net. 86400 IN NS a.tld.net.", "a.tld.net. 86400 IN A " + addrTLD,
		}}},
		addrTLD: {zones: map[string][]string{"net.": {
			"net. 86400 IN SOA a.tld.net. h.net. 1 1800 900 604800 900", "net. 86400 IN NS a.tld.net.", "a.tld.net. 86400 IN A " + addrTLD,
			"orchard.net. 86400 IN NS ns1.orchard.net.", "orchard.net. 86400 IN NS ns2.orchard.net.",
			"ns1.orchard.net. 86400 IN A " + addrNS1, "ns2.orchard.net. 86400 IN A " + addrNS2,
		}}},
		addrNS1: {zones: map[string][]string{"orchard.net.": orchard}},
		addrNS2: {zones: map[string][]string{"orchard.net.": append([]string(nil), orchard...)}},
	}
	if change != nil {
		change(hosts)
	}
	return newWorld(t, hosts)
}

func (w *world) serve(address netip.Addr, h *host) {
	w.t.Helper()
	packet, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		w.t.Fatal(err)
	}
	at := netip.AddrPortFrom(address, 53)
	w.dialMap[dial.Endpoint{Network: "udp", AddrPort: at}] = packet.LocalAddr().(*net.UDPAddr).AddrPort()
	if h.raw != nil {
		var done sync.WaitGroup
		done.Go(func() { serveRaw(packet, h.raw) })
		w.t.Cleanup(func() { _ = packet.Close(); done.Wait() })
		return
	}
	zones := map[string]map[string][]dns.RR{}
	for zone, lines := range h.zones {
		zones[zone] = map[string][]dns.RR{}
		for _, line := range lines {
			rr, err := dns.NewRR(line)
			if err != nil {
				w.t.Fatal(line, err)
			}
			zones[zone][rr.Header().Name] = append(zones[zone][rr.Header().Name], rr)
		}
	}
	handler := dns.HandlerFunc(func(rw dns.ResponseWriter, r *dns.Msg) {
		network := rw.LocalAddr().Network()
		name := strings.ToLower(r.Question[0].Name)
		w.mu.Lock()
		w.asked = append(w.asked, address.String()+" "+network+" "+dns.TypeToString[r.Question[0].Qtype]+" "+name)
		w.mu.Unlock()
		m := new(dns.Msg)
		m.SetReply(r)
		fill(m, zones, name, r.Question[0].Qtype)
		if h.hook != nil && h.hook(rw, r, m) {
			return
		}
		if opt := r.IsEdns0(); opt != nil {
			m.SetEdns0(1232, true)
		}
		if network == "udp" {
			m.Truncate(1232)
		}
		_ = rw.WriteMsg(m)
	})
	servers := []*dns.Server{{PacketConn: packet, Handler: handler}}
	if !h.noTCP {
		stream, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.t.Fatal(err)
		}
		w.dialMap[dial.Endpoint{Network: "tcp", AddrPort: at}] = stream.Addr().(*net.TCPAddr).AddrPort()
		servers = append(servers, &dns.Server{Listener: stream, Handler: handler})
	}
	for _, s := range servers {
		started, done := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(done); _ = s.ActivateAndServe() }()
		<-started
		w.t.Cleanup(func() { _ = s.Shutdown(); <-done })
	}
}

func serveRaw(conn *net.UDPConn, raw func([]byte) [][]byte) {
	buf := make([]byte, 4096)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		for _, out := range raw(append([]byte(nil), buf[:n]...)) {
			_, _ = conn.WriteToUDPAddrPort(out, from)
		}
	}
}

// fill answers as RFC 1034 4.3.2 says.
func fill(m *dns.Msg, zones map[string]map[string][]dns.RR, name string, qtype uint16) {
	zone := ""
	for z := range zones {
		if within(z, name) && len(z) > len(zone) && (qtype != dns.TypeDS || z != name) {
			zone = z
		}
	}
	if zone == "" {
		m.Rcode = dns.RcodeRefused
		return
	}
	owners := zones[zone]
	cut := ""
	for at := name; below(zone, at); at = above(at) {
		for _, rr := range owners[at] {
			if rr.Header().Rrtype == dns.TypeNS {
				cut = at
			}
		}
	}
	if cut != "" && (qtype != dns.TypeDS || cut != name) {
		for _, rr := range owners[cut] {
			if ns, ok := rr.(*dns.NS); ok {
				m.Ns = append(m.Ns, rr)
				m.Extra = append(m.Extra, owners[ns.Ns]...)
			}
		}
		return
	}
	m.Authoritative = true
	exists := false
	for at := above(name); within(zone, at); at = above(at) {
		for _, rr := range owners[at] {
			if d, ok := rr.(*dns.DNAME); ok && substitute(name, at, d.Target) == "" {
				m.Answer, m.Rcode = append(m.Answer, rr), dns.RcodeYXDomain
				return
			} else if ok {
				m.Answer = append(m.Answer, rr, &dns.CNAME{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeCNAME, Class: 1}, Target: substitute(name, at, d.Target)})
				return
			}
		}
		if at == "." {
			break
		}
	}
	for owner, list := range owners {
		exists = exists || within(name, owner)
		if owner == name {
			for _, rr := range list {
				if t := rr.Header().Rrtype; t == qtype || t == dns.TypeCNAME {
					m.Answer = append(m.Answer, rr)
				}
			}
		}
	}
	if len(m.Answer) == 0 {
		for _, rr := range owners[zone] {
			if rr.Header().Rrtype == dns.TypeSOA {
				m.Ns = append(m.Ns, rr)
			}
		}
		if !exists {
			m.Rcode = dns.RcodeNameError
		}
	}
}

// resolver makes a resolver for the world, with time-outs fit for tests.
func (w *world) resolver(change func(*Config)) *Resolver {
	w.t.Helper()
	c := Config{
		Dialer: &dial.Dialer{Data: data.Embedded(), Map: w.dialMap},
		Roots:  []Root{{Name: "a.root", Addresses: []netip.Addr{netip.MustParseAddr(addrRoot)}}},
		Try:    400 * time.Millisecond, Question: 5 * time.Second,
	}
	if change != nil {
		change(&c)
	}
	r, err := New(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// answer asks one question in a look of its own.
func (w *world) answer(r *Resolver, q evidence.DNSQuestion) *evidence.DNSAnswer {
	w.t.Helper()
	l := r.Begin()
	defer l.Close()
	a, unknown := l.Answer(context.Background(), q)
	if a == nil {
		w.t.Fatalf("%+v: unknown: %s", q, unknown)
	}
	return a
}
