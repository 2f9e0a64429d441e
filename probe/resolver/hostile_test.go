package resolver

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
)

// TestHostile: worlds made to mislead or to exhaust. Each answer must come, and
// nothing be believed that the servers asked have no say in.
func TestHostile(t *testing.T) {
	t.Parallel()
	orchard := func(hosts map[string]*host, lines ...string) {
		for _, a := range []string{addrNS1, addrNS2} {
			hosts[a].zones["orchard.net."] = append(hosts[a].zones["orchard.net."], lines...)
		}
	}
	tld := func(hosts map[string]*host, lines ...string) {
		hosts[addrTLD].zones["net."] = append(hosts[addrTLD].zones["net."], lines...)
	}
	var depth, count atomic.Int32
	for _, c := range []struct {
		name   string
		change func(hosts map[string]*host)
		q, typ string
		want   string // a prefix
	}{
		{"servers in each other's zones", func(h map[string]*host) {
			tld(h, "a.net. 60 IN NS ns.b.net.", "b.net. 60 IN NS ns.a.net.")
		}, "x.a.net", "TXT", "unanswered | x.a.net@a.net<net"},
		{"a server in its own zone without glue", func(h map[string]*host) {
			tld(h, "a.net. 60 IN NS ns.a.net.")
		}, "x.a.net", "TXT", "unanswered | x.a.net@a.net<net"},
		{"a long chain of servers of servers", func(h map[string]*host) {
			for i := range 30 {
				tld(h, fmt.Sprintf("z%d.net. 60 IN NS ns.z%d.net.", i, i+1))
			}
		}, "x.z0.net", "TXT", "unanswered | x.z0.net@z0.net<net"},
		{"servers without glue elsewhere", func(h map[string]*host) {
			tld(h, "a.net. 60 IN NS ns1.orchard.net.", "a.net. 60 IN NS ns2.orchard.net.", "b.net. 60 IN NS host.a.net.")
			for _, a := range []string{addrNS1, addrNS2} {
				h[a].zones["a.net."] = []string{"a.net. 60 IN SOA ns1.orchard.net. h.a.net. 1 1 1 1 1", "host.a.net. 60 IN A " + addrNS3}
			}
			h[addrNS3] = &host{zones: map[string][]string{"b.net.": {`x.b.net. 60 IN TXT "b"`}}}
		}, "x.b.net", "TXT", `NOERROR x.b.net/TXT="b" | x.b.net@b.net<net host.a.net:NOERROR`},
		{"a referral that leads up and round", func(h map[string]*host) {
			h[addrNS1].hook = func(_ dns.ResponseWriter, _, m *dns.Msg) bool {
				*m = referral(m, "net.", "a.tld.net.", addrNS1)
				return false
			}
			h[addrNS2].hook = h[addrNS1].hook
		}, "_dnsauth.orchard.net", "TXT", "unanswered | _dnsauth.orchard.net@orchard.net<net ns1:NOERROR/no-aa ns2:NOERROR/no-aa"},
		{"a referral to itself", func(h map[string]*host) {
			h[addrNS1].hook = func(_ dns.ResponseWriter, _, m *dns.Msg) bool {
				*m = referral(m, "orchard.net.", "ns1.orchard.net.", addrNS1)
				return false
			}
			h[addrNS2].hook = h[addrNS1].hook
		}, "_dnsauth.orchard.net", "TXT", "unanswered | _dnsauth.orchard.net@orchard.net<net ns1:NOERROR/no-aa ns2:NOERROR/no-aa"},
		{"referrals without end", func(h map[string]*host) {
			h[addrNS1].hook = func(_ dns.ResponseWriter, r, m *dns.Msg) bool {
				labels := dns.SplitDomainName(strings.ToLower(r.Question[0].Name))
				*m = referral(m, strings.Join(labels[max(0, len(labels)-2-int(depth.Add(1))):], ".")+".", "ns1.orchard.net.", addrNS1)
				return false
			}
			h[addrNS2].hook = h[addrNS1].hook
		}, strings.Repeat("a.", 110) + "orchard.net", "TXT", "unanswered"},
		{"an answer for another zone rides along", func(h map[string]*host) {
			h[addrNS1].hook = func(_ dns.ResponseWriter, _, m *dns.Msg) bool {
				m.Answer = append(m.Answer, rr("victim.net. 60 IN TXT \"forged\""))
				m.Ns = append(m.Ns, rr("victim.net. 60 IN NS ns1.orchard.net."))
				m.Extra = append(m.Extra, rr("a.tld.net. 60 IN A "+addrNS3))
				return false
			}
			h[addrNS2].hook = h[addrNS1].hook
		}, "alias.orchard.net", "TXT", `NOERROR _dnsauth.orchard.net/TXT="value" alias.orchard.net/CNAME=_dnsauth.orchard.net. | alias.orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR | c:_dnsauth`},
		{"glue for a foreign name is not dialled", func(h map[string]*host) {
			tld(h, "a.net. 60 IN NS ns.elsewhere.org.")
			h[addrTLD].hook = func(_ dns.ResponseWriter, r, m *dns.Msg) bool {
				if len(m.Ns) > 0 && m.Ns[0].Header().Name == "a.net." {
					m.Extra = append(m.Extra, rr("ns.elsewhere.org. 60 IN A "+addrNS3))
				}
				return false
			}
			h[addrNS3] = &host{zones: map[string][]string{"a.net.": {`x.a.net. 60 IN TXT "forged"`}}}
		}, "x.a.net", "TXT", "unanswered | x.a.net@a.net<net"},
		{"a thousand records", func(h map[string]*host) {
			for i := range 1000 {
				orchard(h, fmt.Sprintf(`many.orchard.net. 60 IN TXT "record %d"`, i))
			}
		}, "many.orchard.net", "TXT", `NOERROR many.orchard.net/TXT="record 0" many.orchard.net/TXT="record 1"`},
		{"ten aliases are followed", func(h map[string]*host) {
			for i := range 10 {
				orchard(h, fmt.Sprintf(`c%d.orchard.net. 60 IN CNAME c%d.orchard.net.`, i, i+1))
			}
			orchard(h, `c10.orchard.net. 60 IN TXT "end"`)
		}, "c0.orchard.net", "TXT", `NOERROR c0.orchard.net/CNAME=c1.orchard.net. c1.orchard.net/CNAME=`},
		{"eleven are not", func(h map[string]*host) {
			for i := range 11 {
				orchard(h, fmt.Sprintf(`c%d.orchard.net. 60 IN CNAME c%d.orchard.net.`, i, i+1))
			}
		}, "c0.orchard.net", "TXT", `chain-too-long c0`},
		{"a DNAME that makes a name too long", func(h map[string]*host) {
			long := strings.Repeat(strings.Repeat("x", 60)+".", 3)
			orchard(h, "d.orchard.net. 60 IN DNAME "+long+"orchard.net.")
		}, strings.Repeat("y", 60) + ".d.orchard.net", "TXT", "YXDOMAIN"},
		{"an alias of itself", func(h map[string]*host) { orchard(h, "s.orchard.net. 60 IN CNAME s.orchard.net.") }, "s.orchard.net", "TXT", "chain-loop"},
		{"TTL 0 and another answer each time", func(h map[string]*host) {
			h[addrNS1].hook = func(_ dns.ResponseWriter, r, m *dns.Msg) bool {
				m.Rcode, m.Ns = dns.RcodeSuccess, nil
				m.Answer = []dns.RR{rr(fmt.Sprintf("%s 0 IN CNAME f%d.orchard.net.", r.Question[0].Name, count.Add(1)))}
				return false
			}
			h[addrNS2].hook = h[addrNS1].hook
		}, "flap.orchard.net", "TXT", "chain-too-long"},
		{"text for a terminal", func(h map[string]*host) {
			orchard(h, `esc.orchard.net. 60 IN TXT "\027[2J\000\255"`)
		}, "esc.orchard.net", "TXT", `NOERROR esc.orchard.net/TXT="\027[2J\000\255"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := plainWorld(t, c.change)
			r := w.resolver(nil)
			began := time.Now()
			a := w.answer(r, evidence.DNSQuestion{Name: c.q, Type: c.typ, Each: true})
			if got := summary(a); !strings.HasPrefix(got, c.want) {
				t.Errorf("\n got %.400s\nwant %s", got, c.want)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("took %v", took)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.asked) > 300 {
				t.Errorf("%d packets", len(w.asked))
			}
		})
	}
}

func rr(line string) dns.RR {
	rr, err := dns.NewRR(line)
	if err != nil {
		panic(err)
	}
	return rr
}

func referral(m *dns.Msg, zone, server, address string) dns.Msg {
	r := *m
	r.Authoritative, r.Rcode = false, dns.RcodeSuccess
	r.Answer, r.Ns = nil, []dns.RR{rr(zone + " 60 IN NS " + server)}
	r.Extra = []dns.RR{rr(server + " 60 IN A " + address)}
	return r
}

// TestForged: a thousand forged answers come before the right one. None has the
// right id and the right case of the name.
func TestForged(t *testing.T) {
	t.Parallel()
	w := plainWorld(t, func(h map[string]*host) {
		delete(h, addrNS2)
		h[addrNS1] = &host{raw: func(query []byte) [][]byte {
			q := new(dns.Msg)
			if q.Unpack(query) != nil {
				return nil
			}
			reply := func(text string) []byte {
				m := new(dns.Msg)
				m.SetReply(q)
				m.Authoritative = true
				m.Answer = []dns.RR{rr(q.Question[0].Name + ` 60 IN TXT "` + text + `"`)}
				raw, err := m.Pack()
				if err != nil {
					panic(err)
				}
				return raw
			}
			var out [][]byte
			for i := range 100 {
				forged := reply("forged")
				binary.BigEndian.PutUint16(forged, binary.BigEndian.Uint16(forged)+uint16(i)+1)
				out = append(out, forged)
			}
			short := reply("forged")
			out = append(out, short[:11], nil, make([]byte, 2048), reply("right"))
			return out
		}}
	})
	a := w.answer(w.resolver(nil), evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true})
	if len(a.Answer) != 1 || a.Answer[0].Data != `"right"` {
		t.Errorf("%s", summary(a))
	}
}

// TestFoldedForgery: an answer in the wrong case starts a question over TCP, and
// is itself no answer.
func TestFoldedForgery(t *testing.T) {
	t.Parallel()
	w := plainWorld(t, func(h map[string]*host) {
		for _, a := range []string{addrNS1, addrNS2} {
			h[a].hook = func(rw dns.ResponseWriter, r, m *dns.Msg) bool {
				if rw.LocalAddr().Network() == "udp" {
					m.Question[0].Name = strings.ToLower(m.Question[0].Name)
					m.Answer = []dns.RR{rr(`_dnsauth.orchard.net. 60 IN TXT "forged"`)}
				}
				return false
			}
		}
	})
	a := w.answer(w.resolver(nil), evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true})
	if len(a.Answer) != 1 || a.Answer[0].Data != `"value"` || !slices.Equal(a.Links[0].Copies[0].Defects, []string{"case"}) {
		t.Errorf("%s", summary(a))
	}
}

// TestOneDelegation: the questions of a look share what is learnt on the way,
// and looks share no more than the top-level zone.
func TestOneDelegation(t *testing.T) {
	t.Parallel()
	w := plainWorld(t, nil)
	r := w.resolver(nil)
	ask := func() {
		l := r.Begin()
		defer l.Close()
		done := make(chan struct{})
		for i := range 6 {
			go func() {
				l.Answer(context.Background(), evidence.DNSQuestion{Name: fmt.Sprintf("n%d.orchard.net", i), Type: "TXT", Each: true})
				done <- struct{}{}
			}()
		}
		for range 6 {
			<-done
		}
	}
	ask()
	ask()
	seen := map[string]int{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.asked {
		if strings.HasPrefix(line, addrNS1+" ") || strings.HasPrefix(line, addrNS2+" ") {
			line = "each"
		}
		seen[line]++
	}
	want := map[string]int{addrRoot + " udp NS net.": 1, addrTLD + " udp NS orchard.net.": 2, "each": 24}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("asked %v", seen)
	}
}

// TestKeptForTTL: a top-level delegation is asked for again when its TTL is over.
func TestKeptForTTL(t *testing.T) {
	t.Parallel()
	w := plainWorld(t, nil)
	var now atomic.Int64
	r := w.resolver(func(c *Config) { c.Now = func() time.Time { return time.Unix(now.Load(), 0) } })
	asked := func() (n int) {
		w.answer(r, evidence.DNSQuestion{Name: "orchard.net", Type: "A"})
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, line := range w.asked {
			if line == addrRoot+" udp NS net." {
				n++
			}
		}
		return n
	}
	for i, want := range []int{1, 1, 2} {
		if i == 2 {
			now.Add(86401)
		}
		if got := asked(); got != want {
			t.Errorf("round %d: the root was asked %d times, want %d", i, got, want)
		}
	}
}

// TestServersFamilies: at most two addresses of each family, thirteen servers.
func TestServersFamilies(t *testing.T) {
	t.Parallel()
	var ns, extra []dns.RR
	for i := range 20 {
		ns = append(ns, rr(fmt.Sprintf("z.net. 60 IN NS n%d.z.net.", i)))
		for j := range 5 {
			extra = append(extra, rr(fmt.Sprintf("n%d.z.net. 60 IN A 45.155.11.%d", i, j)), rr(fmt.Sprintf("n%d.z.net. 60 IN AAAA 2a10::%d", i, j)))
		}
	}
	z := newZone("z.net.", &zone{name: "net."}, ns, extra)
	if len(z.servers) != maxServers || len(z.servers[0].glue) != 4 || z.servers[0].glue[2] != netip.MustParseAddr("2a10::") {
		t.Errorf("%d servers, %v", len(z.servers), z.servers[0].glue)
	}
}
