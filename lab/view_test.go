package lab_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/lab"
	"assay/probe/dial"
)

// TestSubnet: a view by EDNS client subnet, and the scope that says so.
func TestSubnet(t *testing.T) {
	t.Parallel()
	w := world(t, `servers: {ns1: {views: [{subnet: 203.0.114.0/24, zones: {orchard.net: {remove: _dnsauth TXT, add: _dnsauth TXT near}}}]}}`)
	to := w.DialMap()[dial.Endpoint{Network: "udp", AddrPort: netip.MustParseAddrPort(lab.AddressNS1 + ":53")}]
	for subnet, want := range map[string]struct {
		answer string
		scope  uint8
	}{
		"203.0.114.77": {`NOERROR aa "near"`, 24},
		"203.0.115.77": {"NOERROR aa " + v, 0},
		"2a10:4155::1": {"NOERROR aa " + v, 0},
	} {
		q := new(dns.Msg)
		q.SetQuestion("_dnsauth.orchard.net.", dns.TypeTXT)
		q.SetEdns0(1232, false)
		e := &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.ParseIP(subnet)}
		if netip.MustParseAddr(subnet).Is6() {
			e.Family = 2
		}
		q.IsEdns0().Option = append(q.IsEdns0().Option, e)
		reply, _, err := (&dns.Client{Timeout: 10 * time.Second}).Exchange(q, to.String())
		if err != nil {
			t.Fatal(err)
		}
		if got := picture(reply); got != want.answer {
			t.Errorf("%s: %s, want %s", subnet, got, want.answer)
		}
		if opt := reply.IsEdns0(); opt == nil || len(opt.Option) != 1 || opt.Option[0].(*dns.EDNS0_SUBNET).SourceScope != want.scope {
			t.Errorf("%s: %v, want scope %d", subnet, opt, want.scope)
		}
	}
}

// TestRecursiveServer: one that is authority and resolver answers both kinds of
// question.
func TestRecursiveServer(t *testing.T) {
	t.Parallel()
	w := world(t, `
zones: {elsewhere.net: {add: x TXT hello}}
servers: {ns1: {recursive: true}}`)
	for name, want := range map[string]string{
		"_dnsauth.orchard.net": "NOERROR aa " + v,
		"x.elsewhere.net":      `NOERROR "hello"`,
	} {
		if got := exchange(t, w, look{at: lab.AddressNS1, name: name, qtype: "TXT"}); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
