package resolver

import (
	"bytes"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// seeds are messages as servers send them, as answers to a TXT question for
// www.orchard.net with the id 0x1234.
func seeds(f *testing.F) (sent []byte, end int) {
	f.Helper()
	q := query{name: "www.orchard.net.", qtype: dns.TypeTXT, exact: true}
	random := bytes.Repeat([]byte{0x12, 0x34}, 17)
	sent, end, err := q.pack(make([]byte, 512), random)
	if err != nil {
		f.Fatal(err)
	}
	for _, change := range []func(m *dns.Msg){
		func(m *dns.Msg) { m.Answer = []dns.RR{rr(`www.orchard.net. 60 IN TXT "x"`)} },
		func(m *dns.Msg) { m.Answer = []dns.RR{rr(`www.orchard.net. 60 IN CNAME a.elsewhere.net.`)} },
		func(m *dns.Msg) { m.Answer = []dns.RR{rr(`orchard.net. 60 IN DNAME elsewhere.net.`)} },
		func(m *dns.Msg) {
			m.Rcode, m.Ns = dns.RcodeNameError, []dns.RR{rr(`orchard.net. 60 IN SOA a. b. 1 2 3 4 5`)}
		},
		func(m *dns.Msg) {
			m.Authoritative = false
			m.Ns = []dns.RR{rr(`www.orchard.net. 60 IN NS ns.www.orchard.net.`), rr(`www.orchard.net. 60 IN DS 1 13 2 AA`)}
			m.Extra = []dns.RR{rr(`ns.www.orchard.net. 60 IN A 192.0.2.1`), rr(`ns.victim.net. 60 IN A 192.0.2.2`)}
		},
		func(m *dns.Msg) { m.Question, m.Rcode = nil, dns.RcodeFormatError },
	} {
		m := new(dns.Msg)
		m.SetQuestion("www.orchard.net.", dns.TypeTXT)
		m.Id, m.Response, m.Authoritative = 0x1234, true, true
		m.SetEdns0(1232, true)
		change(m)
		raw, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add(make([]byte, 12))
	f.Add(bytes.Repeat([]byte{0xc0, 0x0c}, 100))
	return sent, end
}

// FuzzResponse: whatever bytes come, nothing panics, and nothing is taken that
// the servers of the zone asked have no say in.
func FuzzResponse(f *testing.F) {
	sent, end := seeds(f)
	const apex, name = "orchard.net.", "www.orchard.net."
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := compare(sent, end, raw)
		if m == foreign {
			return
		}
		if m != bare && !strings.EqualFold(string(raw[headerSize:end]), string(sent[headerSize:end])) {
			t.Fatal("another question")
		}
		msg, err := unpack(raw, end, m)
		if err != nil {
			return
		}
		found := read(msg, apex, name, dns.TypeTXT)
		switch found.kind {
		case useless:
			return
		case answered, denied:
			if !msg.Authoritative {
				t.Errorf("taken without authority: %+v", found)
			}
		case referred, deeper:
			if !below(apex, found.cut) || !within(found.cut, name) {
				t.Errorf("cut %q", found.cut)
			}
		}
		for _, rr := range records(msg.Answer, apex, true) {
			if !within(apex, canonical(rr.Owner)) {
				t.Errorf("record of %q", rr.Owner)
			}
		}
		if found.cut == "" {
			return
		}
		z := newZone(found.cut, &zone{name: apex}, msg.Ns, msg.Extra)
		if len(z.servers) > maxServers {
			t.Errorf("%d servers", len(z.servers))
		}
		for _, s := range z.servers {
			if len(s.glue) > 2*maxAddresses || len(s.glue) > 0 && !within(apex, s.name) {
				t.Errorf("glue of %q: %v", s.name, s.glue)
			}
		}
	})
}

// FuzzQuery: any name that fits makes a question, and its case is all that the
// mixing changes.
func FuzzQuery(f *testing.F) {
	f.Add("_dnsauth.orchard.net", []byte("0123456789"))
	f.Add(`a\.b.\000\255.net`, []byte{})
	f.Add("", []byte{1})
	f.Fuzz(func(t *testing.T, name string, seed []byte) {
		name = canonical(name)
		if !fits(name) {
			return
		}
		random := make([]byte, 34)
		copy(random, seed)
		pack := func(exact bool) []byte {
			q := query{name: name, qtype: dns.TypeTXT, exact: exact}
			msg, end, err := q.pack(make([]byte, headerSize+maxQuery), random)
			if err != nil {
				t.Fatal(err)
			}
			reply := bytes.Clone(msg)
			reply[2] |= 0x80
			if compare(msg, end, reply) != exactly {
				t.Error("its own answer does not match")
			}
			return msg
		}
		if mixed, exact := pack(false), pack(true); !equalFold(mixed, exact) {
			t.Errorf("%x\n%x", mixed, exact)
		}
	})
}
