package trace

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/probe/resolver"
)

func message(t *testing.T, rcode int, aa bool, answer, authority []string) *dns.Msg {
	t.Helper()
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Rcode: rcode, Authoritative: aa}}
	for _, section := range []struct {
		lines []string
		into  *[]dns.RR
	}{{answer, &m.Answer}, {authority, &m.Ns}} {
		for _, line := range section.lines {
			rr, err := dns.NewRR(line)
			if err != nil {
				t.Fatal(err)
			}
			*section.into = append(*section.into, rr)
		}
	}
	return m
}

func step(server, address, name, typ string, m *dns.Msg) resolver.Step {
	s := resolver.Step{Server: server, Address: netip.MustParseAddr(address), Name: name, Type: typ, Transport: "udp", Status: "timeout", RTT: 1500 * time.Microsecond, Message: m}
	if m != nil {
		s.Status = dns.RcodeToString[m.Rcode]
	}
	return s
}

// TestTrace: exchanges that arrived in any order are told zone by zone; a
// server of two zones is put where the question belongs.
func TestTrace(t *testing.T) {
	t.Parallel()
	soa := "orchard.net. 300 IN SOA ns1.orchard.net. h. 7 1 1 1 300"
	var r Recorder
	for _, s := range []resolver.Step{
		step("ns1.orchard.net", "45.155.10.11", "v.orchard.net", "TXT", message(t, dns.RcodeSuccess, true, []string{"v.orchard.net. 60 TXT \"x\""}, nil)),
		step("ns2.orchard.net", "45.155.10.12", "v.orchard.net", "TXT", nil),
		step("a.net", "45.155.10.2", "orchard.net", "NS", message(t, dns.RcodeSuccess, false, nil, []string{
			"orchard.net. 60 NS ns2.orchard.net.", "orchard.net. 60 NS NS1.orchard.net.", "orchard.net. 60 NS a.net.", "orchard.net. 60 DS 77 13 2 " + strings.Repeat("AB", 32),
		})),
		step("a.net", "45.155.10.2", "orchard.net", "DS", message(t, dns.RcodeSuccess, true, nil, []string{soa})),
		step("a.net", "45.155.10.2", "v.orchard.net", "TXT", message(t, dns.RcodeNameError, true, nil, []string{soa})),
		step("a.root", "45.155.10.1", "net", "NS", message(t, dns.RcodeSuccess, false, nil, []string{"net. 60 NS a.net."})),
		step("ns1.orchard.net", "45.155.10.11", "v.orchard.net", "CAA", message(t, dns.RcodeSuccess, true, []string{"v.orchard.net. 60 CNAME w.net."}, nil)),
		step("ns1.orchard.net", "45.155.10.11", "v.orchard.net", "A", message(t, dns.RcodeRefused, false, nil, nil)),
		step("ns1.orchard.net", "45.155.10.11", "v.orchard.net", "AAAA", message(t, dns.RcodeSuccess, true, nil, []string{soa})),
	} {
		r.Step(s)
	}
	answer := &evidence.DNSAnswer{Links: []evidence.DNSLink{{Zone: "orchard.net", Trust: "bogus"}}}
	got := r.Trace("v.orchard.net", "TXT", answer, []string{"a.root"}, "")
	var lines []string
	for _, z := range got.Zones {
		lines = append(lines, fmt.Sprintf("%q signed=%v ds=%v trust=%s", z.Name, z.Signed, z.DS, z.Trust))
		for _, e := range z.Exchanges {
			lines = append(lines, fmt.Sprintf("  %s %s %s: %s %s %s %s %.1f", e.Server, e.Name, e.Type, e.Status, e.Kind, e.Cut, strings.Join(e.Data, "+"), e.Millis))
		}
	}
	want := []string{
		`"" signed=true ds=[] trust=`,
		`  a.root net NS: NOERROR referral net a.net 1.5`,
		`"net" signed=false ds=[] trust=`,
		`  a.net orchard.net NS: NOERROR referral orchard.net a.net+ns1.orchard.net+ns2.orchard.net 1.5`,
		`  a.net orchard.net DS: NOERROR no-data   1.5`,
		`"orchard.net" signed=true ds=[77] trust=bogus`,
		`  ns1.orchard.net v.orchard.net TXT: NOERROR answer  "x" 1.5`,
		`  ns2.orchard.net v.orchard.net TXT: timeout error   1.5`,
		`  a.net v.orchard.net TXT: NXDOMAIN no-name   1.5`,
		`  ns1.orchard.net v.orchard.net CAA: NOERROR alias  w.net. 1.5`,
		`  ns1.orchard.net v.orchard.net A: REFUSED error   1.5`,
		`  ns1.orchard.net v.orchard.net AAAA: NOERROR no-data   1.5`,
	}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	through := r.Trace("v.orchard.net", "TXT", nil, nil, "192.0.2.1:53")
	if len(through.Zones) != 1 || through.Zones[0].Resolver != "192.0.2.1:53" || len(through.Zones[0].Exchanges) != 9 {
		t.Errorf("%+v", through)
	}
}
