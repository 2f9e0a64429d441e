package lab

import (
	"testing"

	"github.com/miekg/dns"
)

// FuzzQuery: a server survives every message, answers with the same id, and
// what it says can be read.
func FuzzQuery(f *testing.F) {
	w, err := New(Change{Zones: map[string]ZoneChange{orchard: {ZoneCopy: ZoneCopy{
		Add:  Strings{"*.w TXT x", "a.b TXT y", "c CNAME d", "e DNAME f", "sub NS ns1.sub", "ns1.sub A 45.155.70.1"},
		Sign: &Signing{NSEC3: &NSEC3{}},
	}}}}, Options{})
	if err != nil {
		f.Fatal(err)
	}
	s := w.plan.servers["ns1"]
	for _, name := range []string{"x.w.orchard.net.", "c.orchard.net.", "q.e.orchard.net.", "a.sub.orchard.net.", "b.orchard.net.", "no.orchard.net.", "."} {
		f.Add(packed(name, dns.TypeTXT))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, tcp := range []bool{false, true} {
			q := query{from: -1, tcp: tcp}
			var reply []byte
			if q.read(msg) {
				reply = s.respond(&q, nil).message
			} else {
				reply = formErr(msg)
			}
			if reply == nil {
				continue
			}
			m := new(dns.Msg)
			if err := m.Unpack(reply); err != nil {
				t.Fatalf("the reply to %x cannot be read: %v", msg, err)
			}
			if reply[0] != msg[0] || reply[1] != msg[1] || !m.Response {
				t.Fatalf("%v is no reply to %x", m, msg)
			}
			if !tcp && len(reply) > max(int(q.size), dns.MinMsgSize) {
				t.Fatalf("%d bytes over UDP for a client that takes %d", len(reply), q.size)
			}
		}
	})
}

// FuzzScenario: what a scenario file says is a world, or an error.
func FuzzScenario(f *testing.F) {
	f.Add([]byte(`shows: [{name: x, world: {zones: {orchard.net: {remove: _dnsauth TXT, add: 'a CNAME b', sign: {nsec3: {}}}}}}]`))
	f.Add([]byte(`near_misses: [{world: {servers: {ns1: {faults: [{do: drop, from: abroad}], views: [{subnet: 1.2.3.0/24, zones: {orchard.net: {ttl: 9}}}]}}}}]`))
	f.Add([]byte(`shows: [{world: {resolvers: {r1: {primed: [{question: a.b A, answer: '@ A 1.2.3.4', age: 1h}]}}, perspectives: {all: {resolver: r1, routes: {ns1: ns2}}}, delegation: {orchard.net: {glue: {ns1: 1.2.3.4}}}}}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := ParseScenarios("dns.record-missing", raw)
		if err != nil || len(list) > 3 {
			return
		}
		for i := range list {
			w, err := New(list[i].World, Options{})
			if err != nil {
				continue
			}
			q := query{from: 0, tcp: true}
			if !q.read(packed("_dnsauth.orchard.net.", dns.TypeTXT)) {
				t.Fatal("the query cannot be read")
			}
			for _, s := range w.servers {
				s.respond(&q, nil)
			}
		}
	})
}
