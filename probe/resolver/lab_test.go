package resolver_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/data"
	"assay/evidence"
	"assay/lab"
	"assay/probe/dial"
	"assay/probe/resolver"
)

// world starts a laboratory and a resolver at its first perspective.
func world(t testing.TB, c lab.Change, change func(*resolver.Config)) *resolver.Resolver {
	t.Helper()
	w, err := lab.New(c, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return of(t, w, change)
}

func of(t testing.TB, w *lab.World, change func(*resolver.Config)) *resolver.Resolver {
	t.Helper()
	p := w.Probe(0)
	config := resolver.Config{
		Dialer: &dial.Dialer{Data: data.Embedded(), Map: p.Map, Source: p.Source, Allow: p.Allow},
		Now:    p.Clock, Try: 500 * time.Millisecond, Resolver: p.Place.Resolver, Trusted: p.Place.Public,
		HTTP: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.Roots}, ForceAttemptHTTP2: true},
	}
	for _, h := range p.Hints {
		config.Roots = append(config.Roots, resolver.Root{Name: h.Name, Addresses: h.Addresses})
	}
	for _, ds := range p.Anchors {
		config.Anchors = append(config.Anchors, dns.RR(ds))
	}
	if change != nil {
		change(&config)
	}
	r, err := resolver.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// one asks one question in a look of its own and gives the answer in one line.
func one(t testing.TB, r *resolver.Resolver, q evidence.DNSQuestion) string {
	t.Helper()
	l := r.Begin()
	defer l.Close()
	a, unknown := l.Answer(context.Background(), q)
	if a == nil {
		return "unknown: " + unknown
	}
	return line(a)
}

func line(a *evidence.DNSAnswer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %d", a.Status, a.Security, len(a.Answer))
	for _, k := range a.Links {
		fmt.Fprintf(&b, " | %s@%s<%s %s,%s", k.Owner, k.Zone, k.Parent, k.Trust, k.Security)
		if k.Reason != "" {
			fmt.Fprintf(&b, " %s", k.Reason)
		}
		if k.FaultZone != "" {
			fmt.Fprintf(&b, " at %s", k.FaultZone)
		}
		for _, c := range k.Copies {
			fmt.Fprintf(&b, " %s=%s", strings.TrimSuffix(c.Server, "."+k.Zone), c.Status)
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

func zones(name string, z lab.ZoneChange) lab.Change {
	return lab.Change{Zones: map[string]lab.ZoneChange{name: z}}
}

func signed(s lab.Signing) lab.Change {
	return zones("orchard.net", lab.ZoneChange{ZoneCopy: lab.ZoneCopy{Sign: &s}})
}

// TestTrust: how zones hang on the anchor, and what their answers are worth.
func TestTrust(t *testing.T) {
	t.Parallel()
	const ok = " ns1=NOERROR ns2=NOERROR"
	sub := lab.Change{Zones: map[string]lab.ZoneChange{
		"orchard.net":       {ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{}}},
		"inner.orchard.net": {ZoneCopy: lab.ZoneCopy{Add: lab.Strings{`@ TXT "x"`, `www A 45.155.10.21`}}, Servers: lab.Strings{"ns1", "ns2"}},
	}}
	subSigned := lab.Change{Zones: map[string]lab.ZoneChange{
		"orchard.net":         {ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{}}},
		"inner.orchard.net":   {ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{NSEC3: &lab.NSEC3{}}}, Servers: lab.Strings{"ns1", "ns2"}},
		"a.inner.orchard.net": {ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{}, Add: lab.Strings{`@ TXT "x"`}}, Servers: lab.Strings{"ns1", "ns2"}},
	}}
	alias := signed(lab.Signing{})
	alias.Zones["elsewhere.net"] = lab.ZoneChange{ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{}, Add: lab.Strings{`t TXT "x"`, `t2 CNAME _dnsauth.orchard.net.`}}}
	alias.Zones["plain.net"] = lab.ZoneChange{ZoneCopy: lab.ZoneCopy{Add: lab.Strings{`t CNAME t2.elsewhere.net.`}}}
	served := func(s lab.Signing, ns1, ns2 []lab.Fault) lab.Change {
		c := signed(s)
		c.Servers = map[string]lab.ServerChange{"ns1": {Faults: ns1}, "ns2": {Faults: ns2}}
		return c
	}
	noKeys := []lab.Fault{{Type: lab.Strings{"DNSKEY"}, Do: "drop"}}
	stripped := []lab.Fault{{Do: "no-signatures"}}
	slow := []lab.Fault{{Type: lab.Strings{"TXT"}, Delay: 200 * time.Millisecond}}
	hint := []lab.Fault{{Type: lab.Strings{"TXT"}, Do: "answer", Answer: lab.Strings{
		`@ 600 TXT "forged"`, `@ 600 RRSIG TXT 13 3 600 20350101000000 20200101000000 1 _dnsauth.orchard.net. AAAA`,
	}}}
	subOptOut := lab.Change{Zones: map[string]lab.ZoneChange{
		"orchard.net":       {ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{NSEC3: &lab.NSEC3{OptOut: true}}}},
		"inner.orchard.net": {ZoneCopy: lab.ZoneCopy{Add: lab.Strings{`@ TXT "x"`}}, Servers: lab.Strings{"ns1", "ns2"}},
	}}
	intoBogus := signed(lab.Signing{DS: "wrong"})
	intoBogus.Zones["elsewhere.net"] = lab.ZoneChange{ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{}, Add: lab.Strings{`t CNAME _dnsauth.orchard.net.`}}}
	iterates := signed(lab.Signing{NSEC3: &lab.NSEC3{Iterations: 200}})
	for _, c := range []struct {
		name   string
		change lab.Change
		q, typ string
		want   string
	}{
		{"unsigned child on the same servers, opt-out", subOptOut, "inner.orchard.net", "TXT", "NOERROR insecure 1 | inner.orchard.net@inner.orchard.net<orchard.net unsigned,insecure ns1.orchard.net=NOERROR ns2.orchard.net=NOERROR"},
		{"from signed to bogus", intoBogus, "t.elsewhere.net", "TXT", "bogus bogus 0 | t.elsewhere.net@elsewhere.net<net signed,secure ns1=NOERROR | _dnsauth.orchard.net@orchard.net<net bogus,bogus no-matching-key" + ok},
		{"many iterations, a record", iterates, "_dnsauth.orchard.net", "TXT", "NOERROR secure 2 | _dnsauth.orchard.net@orchard.net<net signed,secure" + ok},
		{"many iterations, none", iterates, "orchard.net", "CAA", "NOERROR insecure 0 | orchard.net@orchard.net<net signed,insecure" + ok},
		{"unsupported DS, no keys", served(lab.Signing{DS: "unsupported"}, noKeys, noKeys), "_dnsauth.orchard.net", "TXT", "NOERROR insecure 2 | _dnsauth.orchard.net@orchard.net<net unsigned,insecure" + ok},
		{"no keys", served(lab.Signing{}, noKeys, noKeys), "_dnsauth.orchard.net", "TXT", "bogus indeterminate 0 | _dnsauth.orchard.net@orchard.net<net indeterminate,indeterminate keys-unavailable" + ok},
		{"one server strips signatures", served(lab.Signing{}, stripped, slow), "_dnsauth.orchard.net", "TXT", "NOERROR secure 2 | _dnsauth.orchard.net@orchard.net<net signed,secure" + ok},
		{"one server claims a zone that is none", served(lab.Signing{}, hint, slow), "_dnsauth.orchard.net", "TXT", "NOERROR secure 2 | _dnsauth.orchard.net@orchard.net<net signed,secure" + ok},
		{"all servers claim a zone that is none", served(lab.Signing{}, hint, hint), "_dnsauth.orchard.net", "TXT", "bogus bogus 0 | _dnsauth.orchard.net@orchard.net<net signed,bogus no-matching-key" + ok},
		{"unsigned", lab.Change{}, "_dnsauth.orchard.net", "TXT", "NOERROR insecure 1 | _dnsauth.orchard.net@orchard.net<net unsigned,insecure" + ok},
		{"signed", signed(lab.Signing{}), "_dnsauth.orchard.net", "TXT", "NOERROR secure 2 | _dnsauth.orchard.net@orchard.net<net signed,secure" + ok},
		{"signed nodata", signed(lab.Signing{}), "orchard.net", "CAA", "NOERROR secure 0 | orchard.net@orchard.net<net signed,secure" + ok},
		{"signed nxdomain", signed(lab.Signing{NSEC3: &lab.NSEC3{}}), "x.orchard.net", "CAA", "NXDOMAIN secure 0 | x.orchard.net@orchard.net<net signed,secure ns1=NXDOMAIN ns2=NXDOMAIN"},
		{"unregistered", lab.Change{}, "x.nobody.net", "CAA", "NXDOMAIN secure 0 | x.nobody.net@net< signed,secure a.tld-servers=NXDOMAIN"},
		{"island", signed(lab.Signing{DS: "absent"}), "_dnsauth.orchard.net", "TXT", "NOERROR insecure 2 | _dnsauth.orchard.net@orchard.net<net unsigned,insecure" + ok},
		{"unsupported DS", signed(lab.Signing{DS: "unsupported"}), "_dnsauth.orchard.net", "TXT", "NOERROR insecure 2 | _dnsauth.orchard.net@orchard.net<net unsigned,insecure" + ok},
		{"expired", signed(lab.Signing{Expired: lab.Strings{"_dnsauth TXT"}}), "_dnsauth.orchard.net", "TXT", "bogus bogus 0 | _dnsauth.orchard.net@orchard.net<net signed,bogus signature-expired" + ok},
		{"not yet", signed(lab.Signing{NotYet: lab.Strings{"all"}}), "_dnsauth.orchard.net", "TXT", "bogus bogus 0 | _dnsauth.orchard.net@orchard.net<net bogus,bogus signature-not-yet-valid" + ok},
		{"unsigned set", signed(lab.Signing{Unsigned: lab.Strings{"_dnsauth TXT"}}), "_dnsauth.orchard.net", "TXT", "bogus bogus 0 | _dnsauth.orchard.net@orchard.net<net signed,bogus signature-missing" + ok},
		{"wrong DS", signed(lab.Signing{DS: "wrong"}), "_dnsauth.orchard.net", "TXT", "bogus bogus 0 | _dnsauth.orchard.net@orchard.net<net bogus,bogus no-matching-key" + ok},
		{"no denial", signed(lab.Signing{NoDenial: true}), "orchard.net", "CAA", "bogus bogus 0 | orchard.net@orchard.net<net signed,bogus denial-unproven" + ok},
		{"key trap", signed(lab.Signing{KeyTrap: 40}), "_dnsauth.orchard.net", "TXT", "bogus bogus 0 | _dnsauth.orchard.net@orchard.net<net signed,bogus too-much-work" + ok},
		{"fault in the parent", zones("net", lab.ZoneChange{ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{DS: "wrong"}}}), "_dnsauth.orchard.net", "TXT", "bogus bogus 0 | _dnsauth.orchard.net@orchard.net<net bogus,bogus no-matching-key at net" + ok},
		{"unsigned child on the same servers", sub, "inner.orchard.net", "TXT", "NOERROR insecure 1 | inner.orchard.net@inner.orchard.net<orchard.net unsigned,insecure ns1.orchard.net=NOERROR ns2.orchard.net=NOERROR"},
		{"unsigned child on the same servers, nodata", sub, "www.inner.orchard.net", "CAA", "NOERROR insecure 0 | www.inner.orchard.net@inner.orchard.net<orchard.net unsigned,insecure ns1.orchard.net=NOERROR ns2.orchard.net=NOERROR"},
		{"signed grandchild on the same servers", subSigned, "a.inner.orchard.net", "TXT", "NOERROR secure 2 | a.inner.orchard.net@a.inner.orchard.net<inner.orchard.net signed,secure ns1.orchard.net=NOERROR ns2.orchard.net=NOERROR"},
		{"signed grandchild on the same servers, nodata", subSigned, "a.inner.orchard.net", "CAA", "NOERROR secure 0 | a.inner.orchard.net@a.inner.orchard.net<inner.orchard.net signed,secure ns1.orchard.net=NOERROR ns2.orchard.net=NOERROR"},
		{"DS of a child is the parent's", subSigned, "inner.orchard.net", "DS", "NOERROR secure 2 | inner.orchard.net@orchard.net<net signed,secure" + ok},
		{"no DS at all", lab.Change{}, "orchard.net", "DS", "NOERROR secure 0 | orchard.net@net< signed,secure a.tld-servers=NOERROR"},
		{"from unsigned to signed", alias, "t.plain.net", "TXT", "NOERROR insecure 5 | t.plain.net@plain.net<net unsigned,insecure ns1=NOERROR | t2.elsewhere.net@elsewhere.net<net signed,secure ns1=NOERROR | _dnsauth.orchard.net@orchard.net<net signed,secure" + ok},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := world(t, c.change, nil)
			if got := one(t, r, evidence.DNSQuestion{Name: c.q, Type: c.typ, Each: true}); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestAnchors: a zone with an anchor of its own is trusted whatever its parents
// say, also as a DNSKEY; without any anchor nothing is validated.
func TestAnchors(t *testing.T) {
	t.Parallel()
	w, err := lab.New(signed(lab.Signing{DS: "wrong"}), lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	l := of(t, w, nil).Begin()
	defer l.Close()
	keys, unknown := l.Answer(context.Background(), evidence.DNSQuestion{Name: "orchard.net", Type: "DNSKEY", Address: lab.AddressNS1})
	if keys == nil {
		t.Fatal(unknown)
	}
	var anchors []dns.RR
	for _, r := range keys.Answer {
		if r.Type == "DNSKEY" && strings.HasPrefix(r.Data, "257 ") {
			rr, err := dns.NewRR(r.Owner + ". DNSKEY " + r.Data)
			if err != nil {
				t.Fatal(err)
			}
			anchors = append(anchors, rr)
		}
	}
	q := evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true}
	want := "NOERROR secure 2 | _dnsauth.orchard.net@orchard.net<net signed,secure ns1=NOERROR ns2=NOERROR"
	if got := one(t, of(t, w, func(c *resolver.Config) { c.Anchors = append(c.Anchors, anchors...) }), q); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	want = "NOERROR  2 | _dnsauth.orchard.net@orchard.net<net , ns1=NOERROR ns2=NOERROR"
	if got := one(t, of(t, w, func(c *resolver.Config) { c.Anchors = nil }), q); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if _, err := resolver.New(resolver.Config{
		Dialer: &dial.Dialer{Data: data.Embedded()}, Roots: []resolver.Root{{Name: "a"}},
		Anchors: []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeTXT}}},
	}); err == nil {
		t.Error("a TXT record is taken as an anchor")
	}
}

// TestRegistries: public suffixes of two labels, on the servers of the top-level
// zone or on their own, cost no round of their own where the servers are the same.
func TestRegistries(t *testing.T) {
	t.Parallel()
	shop := lab.ZoneChange{Servers: lab.Strings{"ns1", "ns2"}, ZoneCopy: lab.ZoneCopy{Add: lab.Strings{`@ TXT "x"`}}}
	for _, c := range []struct {
		name   string
		co     *lab.ZoneChange
		want   string
		parent string
	}{
		{"no zone", nil, "signed", "uk"},
		{"same servers", &lab.ZoneChange{Servers: lab.Strings{"tld"}, ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{}}}, "signed", "co.uk"},
		{"own servers", &lab.ZoneChange{Servers: lab.Strings{"ns5"}, ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{}}}, "signed", "co.uk"},
		{"same servers, unsigned", &lab.ZoneChange{Servers: lab.Strings{"tld"}}, "unsigned", "co.uk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			signedShop := shop
			signedShop.Sign = &lab.Signing{}
			change := lab.Change{Zones: map[string]lab.ZoneChange{
				"uk":         {Servers: lab.Strings{"tld"}, ZoneCopy: lab.ZoneCopy{Sign: &lab.Signing{}}},
				"shop.co.uk": signedShop,
			}}
			if c.co != nil {
				change.Zones["co.uk"] = *c.co
			}
			r := world(t, change, nil)
			security := map[string]string{"signed": "secure 2", "unsigned": "insecure 2"}[c.want]
			want := fmt.Sprintf("NOERROR %s | shop.co.uk@shop.co.uk<%s %s,%s ns1.orchard.net=NOERROR ns2.orchard.net=NOERROR", security, c.parent, c.want, strings.Fields(security)[0])
			if got := one(t, r, evidence.DNSQuestion{Name: "shop.co.uk", Type: "TXT", Each: true}); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
			if got := one(t, r, evidence.DNSQuestion{Name: "nobody.co.uk", Type: "TXT", Each: true}); !strings.HasPrefix(got, "NXDOMAIN ") {
				t.Errorf("not registered: %s", got)
			}
		})
	}
}
