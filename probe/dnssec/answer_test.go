package dnssec

import (
	"fmt"
	"testing"

	"github.com/miekg/dns"
)

const orchard = `
@ SOA ns1 hostmaster 1 7200 3600 1209600 120
@ NS ns1
@ NS ns2.elsewhere.net.
@ MX 10 Mail
@ CAA 0 issue "ca.example"
ns1 A 192.0.2.1
mail A 192.0.2.2
www A 192.0.2.3
www AAAA 2001:db8::3
shop CNAME www
out CNAME host.elsewhere.net.
_dnsauth.www TXT "2026"
a.deep.ent TXT "below an empty non-terminal"
*.wild TXT "anything"
*.wild A 192.0.2.4
nearer.wild A 192.0.2.5
*.alias CNAME www
old DNAME new.elsewhere.net.
signed NS ns.signed
signed DS 4711 13 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766
ns.signed A 192.0.2.6
unsigned NS ns.unsigned
ns.unsigned A 192.0.2.7
x.unsigned2.quiet NS ns.unsigned
`

// denialKinds are the ways in which the zones of these tests deny.
var denialKinds = map[string]*nsec3Options{
	"nsec": nil, "nsec3": {}, "nsec3 salt": {iterations: 5, salt: "AABBCCDD"}, "opt-out": {optOut: true},
}

// each runs a test for every kind of denial.
func each(t *testing.T, f func(t *testing.T, z *testZone, k *Keys)) {
	for kind, n3 := range denialKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			z := signZone(t, "orchard.net", orchard, dns.ECDSAP256SHA256, n3)
			f(t, z, z.trust(t))
		})
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	const always = ""
	cases := []struct {
		name   string
		typ    uint16
		found  Found
		target string
		optOut State // where it differs under opt-out
	}{
		{"orchard.net", dns.TypeSOA, Records, "", always},
		{"orchard.net", dns.TypeMX, Records, "", always},
		{"ORCHARD.net.", dns.TypeCAA, Records, "", always},
		{"orchard.net", dns.TypeDNSKEY, Records, "", always},
		{"orchard.net", dns.TypeTXT, NoData, "", always},
		{"www.orchard.net", dns.TypeA, Records, "", always},
		{"www.orchard.net", dns.TypeCAA, NoData, "", always},
		{"www.orchard.net", dns.TypeDS, NoData, "", always},
		{"shop.orchard.net", dns.TypeA, CNAME, "www.orchard.net.", always},
		{"shop.orchard.net", dns.TypeCNAME, Records, "", always},
		{"out.orchard.net", dns.TypeTXT, CNAME, "host.elsewhere.net.", always},
		{"_dnsauth.www.orchard.net", dns.TypeTXT, Records, "", always},
		{"ent.orchard.net", dns.TypeTXT, NoData, "", always},
		{"deep.ent.orchard.net", dns.TypeTXT, NoData, "", always},
		{"a.deep.ent.orchard.net", dns.TypeTXT, Records, "", always},
		{"b.deep.ent.orchard.net", dns.TypeTXT, NXDomain, "", Insecure},
		{"nothing.orchard.net", dns.TypeTXT, NXDomain, "", Insecure},
		{"a.b.c.d.orchard.net", dns.TypeTXT, NXDomain, "", Insecure},
		{"below.www.orchard.net", dns.TypeTXT, NXDomain, "", Insecure},
		{"any.wild.orchard.net", dns.TypeTXT, Records, "", Insecure},
		{"a.b.wild.orchard.net", dns.TypeTXT, Records, "", Insecure},
		{"any.wild.orchard.net", dns.TypeCAA, NoData, "", Insecure},
		{"*.wild.orchard.net", dns.TypeTXT, Records, "", always},
		{"*.wild.orchard.net", dns.TypeCAA, NoData, "", always},
		{"wild.orchard.net", dns.TypeTXT, NoData, "", always},
		{"nearer.wild.orchard.net", dns.TypeTXT, NoData, "", always},
		{"x.nearer.wild.orchard.net", dns.TypeTXT, NXDomain, "", Insecure},
		{"x.alias.orchard.net", dns.TypeA, CNAME, "www.orchard.net.", Insecure},
		{"a.b.old.orchard.net", dns.TypeTXT, DNAME, "a.b.new.elsewhere.net.", always},
		{"a.b.old.orchard.net", dns.TypeCNAME, Records, "a.b.new.elsewhere.net.", always},
		{"old.orchard.net", dns.TypeTXT, NoData, "", always},
		{"old.orchard.net", dns.TypeDNAME, Records, "", always},
		{"signed.orchard.net", dns.TypeDS, Records, "", always},
		{"unsigned.orchard.net", dns.TypeDS, NoData, "", Insecure},
		{"quiet.orchard.net", dns.TypeTXT, NoData, "", Insecure},
	}
	each(t, func(t *testing.T, z *testZone, k *Keys) {
		for _, c := range cases {
			want := Secure
			if c.optOut != always && z.nsec3 != nil && z.nsec3.optOut {
				want = c.optOut
			}
			t.Run(fmt.Sprintf("%s %s", c.name, dns.Type(c.typ)), func(t *testing.T) {
				m := z.ask(t, c.name, c.typ)
				r := k.Answer(m, c.name, c.typ, now, NewWork())
				if r.State != want || r.Found != c.found || r.Target != c.target {
					t.Errorf("%s %s %q, want %s %s %q: %+v\n%s", r.State, r.Found, r.Target, want, c.found, c.target, r, m)
				}
				ttl := 3600
				switch {
				case c.found == NoData || c.found == NXDomain:
					ttl = 120 // the SOA's last field
				case r.Wildcard:
					ttl = 300 // of the denial
				}
				if r.TTL != ttl {
					t.Errorf("TTL %d, want %d", r.TTL, ttl)
				}
			})
		}
	})
}
