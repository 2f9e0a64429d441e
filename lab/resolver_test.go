package lab_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/lab"
	"assay/probe/dial"
)

// TestResolvers: what caching resolvers answer, over the ports and over HTTPS.
func TestResolvers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change string
		at     time.Duration // after the start of the world
		name   string
		qtype  string
		want   string
	}{
		"not in the cache": {`resolvers: {r1: {}}`, 0, "_dnsauth.orchard.net", "TXT", "NOERROR " + v + " 600"},
		"a denial":         {`resolvers: {r1: {}}`, 0, "gone.orchard.net", "TXT", "NXDOMAIN"},
		"through a CNAME to another zone": {`
zones: {orchard.net: {add: 'c CNAME x.elsewhere.net.'}, elsewhere.net: {add: 'x TXT hello'}}
resolvers: {r1: {}}`, 0, "c.orchard.net", "TXT", "NOERROR x.elsewhere.net. \"hello\" 600"},
		"a loop": {`
zones: {orchard.net: {add: ['a CNAME b', 'b CNAME a']}}
resolvers: {r1: {}}`, 0, "a.orchard.net", "TXT", "SERVFAIL"},
		"stale":     {`resolvers: {r1: {primed: [{question: _dnsauth.orchard.net TXT, answer: '@ 600 TXT old', age: 2m}]}}`, 0, "_dnsauth.orchard.net", "TXT", `NOERROR "old" 480`},
		"counting":  {`resolvers: {r1: {primed: [{question: _dnsauth.orchard.net TXT, answer: '@ 600 TXT old'}]}}`, 100 * time.Second, "_dnsauth.orchard.net", "TXT", `NOERROR "old" 500`},
		"over":      {`resolvers: {r1: {primed: [{question: _dnsauth.orchard.net TXT, answer: '@ 600 TXT old'}]}}`, 600 * time.Second, "_dnsauth.orchard.net", "TXT", "NOERROR " + v + " 600"},
		"negative":  {`resolvers: {r1: {primed: [{question: _dnsauth.orchard.net TXT, status: NXDOMAIN, authority: 'orchard.net. 1800 SOA ns1 h 7 7200 3600 1209600 1800'}]}}`, time.Minute, "_dnsauth.orchard.net", "TXT", "NXDOMAIN"},
		"rewriting": {`resolvers: {r1: {rewrites: ['@ 60 A 198.18.0.9', '@ TXT ad']}}`, 0, "gone.orchard.net", "TXT", `NOERROR "ad" 600`},
		"former servers": {`
zones: {orchard.net: {servers: [ns5, ns6], hidden: [ns1], on: {ns1: {remove: _dnsauth TXT, add: '_dnsauth TXT former'}}}}
resolvers: {r1: {primed: [{question: orchard.net NS, answer: '@ 3600 NS ns1.orchard.net.'}, {question: ns1.orchard.net A, answer: '@ 3600 A 45.155.10.11'}]}}`, 0, "_dnsauth.orchard.net", "TXT", `NOERROR "former" 600`},
		"a dead server first": {`
servers: {ns1: {faults: [{do: drop}]}}
resolvers: {r1: {}}`, 0, "_dnsauth.orchard.net", "TXT", "NOERROR " + v + " 600"},
		"as a perspective": {`
servers: {ns1: {faults: [{from: P3, do: refused}]}, ns2: {faults: [{from: P3, do: refused}]}}
resolvers: {r1: {as: P3}}`, 0, "_dnsauth.orchard.net", "TXT", "SERVFAIL"},
		"its own fault": {`resolvers: {r1: {faults: [{do: servfail, type: TXT}]}}`, 0, "_dnsauth.orchard.net", "TXT", "SERVFAIL"},
	} {
		for _, network := range []string{"udp", "tcp", "https"} {
			t.Run(name+" "+network, func(t *testing.T) {
				t.Parallel()
				var passed atomic.Int64
				w := worldAt(t, c.change+"\nperspectives: {P0: {resolver: r1, https: "+fmt.Sprint(network == "https")+"}}",
					func() time.Time { return lab.Clock.Add(time.Duration(passed.Load())) })
				passed.Store(int64(c.at))
				q := new(dns.Msg)
				q.SetQuestion(dns.Fqdn(c.name), dns.StringToType[c.qtype])
				if got := said(recurse(t, w.Probe(0), network, q)); got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		}
	}
}

// recurse asks the resolver that decides at a perspective.
func recurse(t *testing.T, p lab.Probe, network string, q *dns.Msg) *dns.Msg {
	t.Helper()
	resolver := p.Place.Resolver
	if network == "https" {
		return overHTTPS(t, p, resolver, q)
	}
	to := p.Map[dial.Endpoint{Network: network, AddrPort: netip.MustParseAddrPort(resolver)}]
	reply, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(q, to.String())
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func overHTTPS(t *testing.T, p lab.Probe, resolver string, q *dns.Msg) *dns.Msg {
	t.Helper()
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.Roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			to := p.Map[dial.Endpoint{Network: "tcp", AddrPort: netip.MustParseAddrPort(address)}]
			return new(net.Dialer).DialContext(ctx, network, to.String())
		},
	}
	defer transport.CloseIdleConnections()
	raw, err := q.Pack()
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Transport: transport}).Post(resolver, "application/dns-message", bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	reply := new(dns.Msg)
	if err := reply.Unpack(body); err != nil {
		t.Fatalf("%s: %v", response.Status, err)
	}
	return reply
}

// said is a response in one line: the code, the data of the answer, the TTL of texts.
func said(m *dns.Msg) string {
	words := []string{dns.RcodeToString[m.Rcode]}
	for _, rr := range m.Answer {
		words = append(words, strings.TrimPrefix(rr.String(), rr.Header().String()))
		if rr.Header().Rrtype == dns.TypeTXT {
			words = append(words, fmt.Sprint(rr.Header().Ttl))
		}
	}
	return strings.Join(words, " ")
}
