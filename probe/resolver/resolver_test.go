package resolver

import (
	"fmt"
	"strings"
	"testing"

	"assay/evidence"
)

// summary is an answer in one line: status, the answer's records, then each
// link with its zone, parent, and what each server gave.
func summary(a *evidence.DNSAnswer) string {
	var b strings.Builder
	b.WriteString(a.Status)
	for _, r := range a.Answer {
		fmt.Fprintf(&b, " %s/%s=%s", r.Owner, r.Type, r.Data)
	}
	for _, k := range a.Links {
		fmt.Fprintf(&b, " | %s%s@%s<%s", map[string]string{"CNAME": "c:", "DNAME": "d:"}[k.Via], k.Owner, k.Zone, k.Parent)
		if k.Trust != "" {
			fmt.Fprintf(&b, " %s,%s", k.Trust, k.Security)
		}
		if k.Reason != "" {
			fmt.Fprintf(&b, "(%s)", k.Reason)
		}
		for _, c := range k.Copies {
			fmt.Fprintf(&b, " %s:%s", strings.TrimSuffix(c.Server, "."+k.Zone), c.Status)
			if c.Unknown != "" {
				b.WriteString("/" + c.Unknown)
			}
			if !c.Authoritative && c.Status == "NOERROR" {
				b.WriteString("/no-aa")
			}
			for _, d := range c.Defects {
				b.WriteString("!" + d)
			}
		}
	}
	return b.String()
}

func TestResolve(t *testing.T) {
	t.Parallel()
	w := plainWorld(t, nil)
	r := w.resolver(nil)
	for _, c := range []struct {
		name, typ string
		want      string
	}{
		{"_dnsauth.orchard.net", "TXT", `NOERROR _dnsauth.orchard.net/TXT="value" | _dnsauth.orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR`},
		{"orchard.net", "CAA", `NOERROR | orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR`},
		{"none.orchard.net", "TXT", `NXDOMAIN | none.orchard.net@orchard.net<net ns1:NXDOMAIN ns2:NXDOMAIN`},
		{"b.orchard.net", "TXT", `NOERROR | b.orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR`},
		{"unregistered.net", "TXT", `NXDOMAIN | unregistered.net@net< a.tld:NXDOMAIN`},
		{"nowhere", "A", `NXDOMAIN | nowhere@< a.root:NXDOMAIN`},
		{"alias.orchard.net", "TXT", `NOERROR _dnsauth.orchard.net/TXT="value" alias.orchard.net/CNAME=_dnsauth.orchard.net. | alias.orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR | c:_dnsauth.orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR`},
		{"_dnsauth.tree.orchard.net", "TXT", `NOERROR _dnsauth.orchard.net/TXT="value" _dnsauth.tree.orchard.net/CNAME=_dnsauth.orchard.net. tree.orchard.net/DNAME=orchard.net. | _dnsauth.tree.orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR | d:_dnsauth.orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR`},
		{"loop1.orchard.net", "A", `chain-loop loop1.orchard.net/CNAME=loop2.orchard.net. loop2.orchard.net/CNAME=loop1.orchard.net. | loop1.orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR | c:loop2.orchard.net@orchard.net<net ns1:NOERROR ns2:NOERROR`},
	} {
		a := w.answer(r, evidence.DNSQuestion{Name: c.name, Type: c.typ, Each: true})
		if got := summary(a); got != c.want {
			t.Errorf("%s %s:\n got %s\nwant %s", c.name, c.typ, got, c.want)
		}
	}
}
