package main

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"assay/lab"
	"assay/probe/dial"
)

const (
	// domains is how many registrable domains the orders' names are under: orders of one
	// are compared with each other, and applicants seldom share one. A run of ten seconds
	// has some 4,000 orders.
	domains = 4000
	// pairs is how many pairs of name servers have them, for the same reason.
	pairs = 10
	// wait is how long a question for a value waits for its client.
	wait = time.Second
)

// zones are the domains that the orders are for, below the top-level zone of a
// laboratory, and what is published in them.
type zones struct {
	world    *lab.World
	servers  []*dns.Server
	settings string // how to look at them

	mu        sync.Mutex
	published map[string]*record
}

// A record is a value that was published, or that a question waits for.
type record struct {
	ready chan struct{}
	value string
}

func domain(i int) string { return fmt.Sprintf("orchard%d.net", i%domains) }

// address is where name server "a" or "b" of a pair is.
func address(pair int, which string) netip.Addr {
	return netip.AddrFrom4([4]byte{45, 155, 20 + which[0] - 'a', byte(1 + pair)})
}

// newZones starts the laboratory and the server, and writes how to look at them.
func newZones(dir string) (*zones, error) {
	z := &zones{published: map[string]*record{}}
	var lines lab.Strings
	for pair := range pairs {
		for _, which := range []string{"a", "b"} {
			lines = append(lines, fmt.Sprintf("%s%d.orchard.net. A %s", which, pair, address(pair, which)),
				fmt.Sprintf("$GENERATE %d-%d/%d orchard$ NS %s%d.orchard.net.", pair, domains-1, pairs, which, pair))
		}
	}
	var err error
	z.world, err = lab.New(lab.Change{Places: lab.Strings{"P0"}, Zones: map[string]lab.ZoneChange{"net": {ZoneCopy: lab.ZoneCopy{Add: lines}}}}, lab.Options{Clock: time.Now})
	if err != nil {
		return nil, err
	}
	if err := z.world.Start(); err != nil {
		return nil, err
	}
	probe := z.world.Probe(0)
	probe.Map = maps.Clone(probe.Map)
	for pair := range pairs {
		for _, which := range []string{"a", "b"} {
			at, err := z.serve()
			if err != nil {
				return nil, errors.Join(err, z.close())
			}
			for _, network := range []string{"udp", "tcp"} {
				probe.Map[dial.Endpoint{Network: network, AddrPort: netip.AddrPortFrom(address(pair, which), 53)}] = at
			}
		}
	}
	z.settings, err = probe.WriteSettings(dir)
	return z, err
}

// serve starts one name server. Each has sockets of its own: the questions of many orders
// come at once, and the system drops what one socket cannot keep until it is read.
func (z *zones) serve() (netip.AddrPort, error) {
	packets, connections, err := both()
	if err != nil {
		return netip.AddrPort{}, err
	}
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: z}, {Listener: connections, Handler: z}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }()
		<-started
		z.servers = append(z.servers, s)
	}
	return netip.ParseAddrPort(packets.LocalAddr().String())
}

// both listens at one port for UDP and TCP: one that is free for the one may be in use
// for the other.
func both() (packets net.PacketConn, connections net.Listener, err error) {
	for range 20 {
		if packets, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			return nil, nil, err
		}
		if connections, err = net.Listen("tcp", packets.LocalAddr().String()); err == nil {
			return packets, connections, nil
		}
		err = errors.Join(err, packets.Close())
	}
	return nil, nil, err
}

func (z *zones) close() (err error) {
	for _, s := range z.servers {
		err = errors.Join(err, s.Shutdown())
	}
	return errors.Join(err, z.world.Close())
}

// record is what belongs to an owner name, whether it is published yet or not.
func (z *zones) record(owner string) *record {
	z.mu.Lock()
	defer z.mu.Unlock()
	r := z.published[owner]
	if r == nil {
		r = &record{ready: make(chan struct{})}
		z.published[owner] = r
	}
	return r
}

// publish publishes a TXT record, once for each owner.
func (z *zones) publish(owner, value string) {
	r := z.record(owner)
	r.value = value
	close(r.ready)
}

// ServeDNS answers for the domains, as an authoritative server does.
func (z *zones) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	if o := q.IsEdns0(); o != nil {
		m.SetEdns0(1232, o.Do())
	}
	defer func() { _ = w.WriteMsg(m) }()
	if len(q.Question) != 1 {
		m.Rcode = dns.RcodeFormatError
		return
	}
	m.Authoritative = true
	name, question := strings.ToLower(q.Question[0].Name), q.Question[0]
	labels := dns.SplitDomainName(name)
	if len(labels) < 2 || labels[len(labels)-1] != "net" {
		m.Authoritative, m.Rcode = false, dns.RcodeRefused
		return
	}
	apex := strings.Join(labels[len(labels)-2:], ".") + "."
	header := func(owner string, typ uint16) dns.RR_Header {
		return dns.RR_Header{Name: owner, Rrtype: typ, Class: dns.ClassINET, Ttl: 600}
	}
	soa := &dns.SOA{Hdr: header(apex, dns.TypeSOA), Ns: "a0.orchard.net.", Mbox: "host.orchard.net.", Serial: 7, Refresh: 7200, Retry: 3600, Expire: 1209600, Minttl: 300}
	switch {
	case name == apex && question.Qtype == dns.TypeSOA:
		m.Answer = append(m.Answer, soa)
	case name == apex && question.Qtype == dns.TypeNS:
		pair := 0
		if _, err := fmt.Sscanf(apex, "orchard%d.net.", &pair); err == nil {
			pair %= pairs
		}
		for _, which := range []string{"a", "b"} {
			m.Answer = append(m.Answer, &dns.NS{Hdr: header(apex, dns.TypeNS), Ns: fmt.Sprintf("%s%d.orchard.net.", which, pair)})
		}
	case strings.HasPrefix(name, "_dnsauth.host-") && question.Qtype == dns.TypeTXT:
		r := z.record(name)
		select {
		case <-r.ready:
			m.Answer = append(m.Answer, &dns.TXT{Hdr: header(question.Name, dns.TypeTXT), Txt: []string{r.value}})
		case <-time.After(wait):
			m.Rcode = dns.RcodeServerFailure
		}
	default:
		if name != apex && !strings.Contains(name, "host-") {
			m.Rcode = dns.RcodeNameError
		}
		m.Ns = append(m.Ns, soa)
	}
}
