package resolver

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"assay/probe/dnssec"
)

// TestRecordsThatCount: of a secure answer only what was proven is evidence.
func TestRecordsThatCount(t *testing.T) {
	t.Parallel()
	m := new(dns.Msg)
	for _, text := range []string{
		"x.orchard.net. TXT a", "x.orchard.net. RRSIG TXT 13 3 600 20350101000000 20200101000000 1 orchard.net. AAAA",
		"x.orchard.net. CNAME forged.net.", "x.orchard.net. CAA 0 issue \"forged.net\"", "orchard.net. DNAME example.net.",
		"forged.net. TXT b", "y.orchard.net. TXT c",
	} {
		m.Answer = append(m.Answer, rr(text))
	}
	secure := dnssec.Result{State: dnssec.Secure, Found: dnssec.Records}
	for name, c := range map[string]struct {
		k    link
		want []string
	}{
		"records":     {link{qtype: dns.TypeTXT, result: secure}, []string{"TXT", "RRSIG"}},
		"alias":       {link{qtype: dns.TypeTXT, result: secure, reading: reading{via: "CNAME"}}, []string{"CNAME"}},
		"by a DNAME":  {link{qtype: dns.TypeTXT, result: secure, reading: reading{via: "DNAME"}}, []string{"CNAME", "DNAME"}},
		"not secure":  {link{qtype: dns.TypeTXT}, []string{"TXT", "RRSIG", "CNAME", "CAA", "DNAME"}},
		"other types": {link{qtype: dns.TypeCAA, result: secure}, []string{"CAA"}},
	} {
		c.k.owner, c.k.zone = "x.orchard.net.", &zone{name: "orchard.net."}
		var got []string
		for _, r := range c.k.records(m) {
			got = append(got, r.Type)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
