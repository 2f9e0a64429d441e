package lab

import (
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"assay/probe/dial"
)

// BenchmarkRespond: one answer from the cache, without the network.
func BenchmarkRespond(b *testing.B) {
	w, err := New(Change{}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	s := w.plan.servers["ns1"]
	raw := packed("_dnsauth.orchard.net.", dns.TypeTXT)
	q, out := query{from: -1}, make([]byte, 0, 65535)
	b.ReportAllocs()
	for b.Loop() {
		if !q.read(raw) || s.respond(&q, out).message == nil {
			b.Fatal("no answer")
		}
	}
}

// BenchmarkUDP: answers over loopback, several clients.
func BenchmarkUDP(b *testing.B) {
	w, err := New(Change{}, Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := w.Start(); err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	to := w.DialMap()[dial.Endpoint{Network: "udp", AddrPort: netip.MustParseAddrPort(AddressNS1 + ":53")}]
	raw := packed("_dnsauth.orchard.net.", dns.TypeTXT)
	var answered atomic.Int64
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		buf := make([]byte, 1500)
		for pb.Next() {
			_, _ = conn.Write(raw)
			if _, err := conn.Read(buf); err == nil {
				answered.Add(1)
			}
		}
	})
	b.ReportMetric(float64(answered.Load())/b.Elapsed().Seconds(), "answers/s")
}

// BenchmarkSignedZones: worlds of ten thousand signed zones, one server.
func BenchmarkSignedZones(b *testing.B) {
	const zones = 10000
	c := Change{Zones: map[string]ZoneChange{}}
	for i := range zones {
		c.Zones[fmt.Sprintf("z%05d.net", i)] = ZoneChange{
			Servers: Strings{"ns1", "ns2"}, ZoneCopy: ZoneCopy{Add: Strings{"_dnsauth TXT $VALUE"}, Sign: &Signing{}},
		}
	}
	var w *World
	for b.Loop() {
		var err error
		if w, err = New(c, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/zones, "B/zone")
	runtime.KeepAlive(w)
}

func packed(name string, qtype uint16) []byte {
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.SetEdns0(1232, true)
	raw, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return raw
}
