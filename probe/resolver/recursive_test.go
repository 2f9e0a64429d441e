package resolver_test

import (
	"context"
	"strings"
	"testing"

	"assay/evidence"
	"assay/lab"
	"assay/probe/resolver"
)

// TestRecursive: what a recursive resolver says is validated here, over UDP and
// over HTTPS, with the keys that it gives.
func TestRecursive(t *testing.T) {
	t.Parallel()
	alias := signed(lab.Signing{})
	alias.Zones["elsewhere.net"] = lab.ZoneChange{ZoneCopy: lab.ZoneCopy{Add: lab.Strings{`t CNAME _dnsauth.orchard.net.`}}}
	for _, c := range []struct {
		name   string
		change lab.Change
		q, typ string
		want   string
	}{
		{"unsigned", lab.Change{}, "_dnsauth.orchard.net", "TXT", "NOERROR insecure 1 | _dnsauth.orchard.net@orchard.net<net unsigned,insecure"},
		{"signed", signed(lab.Signing{}), "_dnsauth.orchard.net", "TXT", "NOERROR secure 2 | _dnsauth.orchard.net@orchard.net<net signed,secure"},
		{"nodata", signed(lab.Signing{NSEC3: &lab.NSEC3{}}), "orchard.net", "CAA", "NOERROR secure 0 | orchard.net@orchard.net<net signed,secure"},
		{"nxdomain", signed(lab.Signing{}), "x.orchard.net", "CAA", "NXDOMAIN secure 0 | x.orchard.net@orchard.net<net signed,secure"},
		{"unregistered", lab.Change{}, "x.nobody.net", "CAA", "NXDOMAIN secure 0 | x.nobody.net@net< signed,secure"},
		{"expired", signed(lab.Signing{Expired: lab.Strings{"_dnsauth TXT"}}), "_dnsauth.orchard.net", "TXT", "bogus bogus 0 | _dnsauth.orchard.net@orchard.net<net signed,bogus signature-expired =NOERROR/no-aa"},
		{"wrong DS", signed(lab.Signing{DS: "wrong"}), "_dnsauth.orchard.net", "TXT", "bogus bogus 0 | _dnsauth.orchard.net@orchard.net<net bogus,bogus no-matching-key =NOERROR/no-aa"},
		{"chain", alias, "t.elsewhere.net", "TXT", "NOERROR insecure 3 | t.elsewhere.net@elsewhere.net<net unsigned,insecure | _dnsauth.orchard.net@orchard.net<net signed,secure"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.change.Resolvers = map[string]lab.Resolver{"r1": {}}
			c.change.Perspectives = map[string]lab.PerspectiveChange{"P0": {Resolver: "r1"}}
			r := world(t, c.change, nil)
			for _, resolver := range []string{"", "45.155.53.1:53", "https://45.155.53.1/dns-query"} {
				// What each server says is asked of the servers, unless a resolver is named.
				q := evidence.DNSQuestion{Name: c.q, Type: c.typ, Each: resolver != "", Resolver: resolver}
				if got := one(t, r, q); got != c.want {
					t.Errorf("by %q\n got %s\nwant %s", resolver, got, c.want)
				}
			}
		})
	}
}

// TestResolverFails: a resolver that lies is found out, one that is gone is missed.
func TestResolverFails(t *testing.T) {
	t.Parallel()
	change := signed(lab.Signing{})
	change.Resolvers = map[string]lab.Resolver{
		"r1": {Rewrites: lab.Strings{`@ 60 A 198.18.0.9`}},
		"r2": {Faults: []lab.Fault{{Do: "servfail"}}},
		"r3": {Absent: true},
	}
	change.Perspectives = map[string]lab.PerspectiveChange{"P0": {Resolver: "r3", Public: lab.Strings{"r1", "r2"}}}
	r := world(t, change, nil)
	for _, c := range []struct{ resolver, want string }{
		{"45.155.53.1:53", "bogus bogus 0 | x.orchard.net@orchard.net<net signed,bogus signature-missing =NOERROR/no-aa"},
		{"45.155.53.2:53", "SERVFAIL  0"},
		{"45.155.53.3:53", "unreachable  0"},
		{"https://45.155.53.3/dns-query", "unreachable  0"},
		{"10.0.0.1:53", "guard  0"},
		{"nonsense", `unknown: resolver "nonsense" is neither an address with port nor an https URL`},
	} {
		if got := one(t, r, evidence.DNSQuestion{Name: "x.orchard.net", Type: "A", Resolver: c.resolver}); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.resolver, got, c.want)
		}
	}
	missing := r.SelfTest(context.Background())
	if len(missing) != 1 || missing[0].What != "resolver" {
		t.Errorf("missing %+v", missing)
	}
}

// TestWrongCertificate: a DNS-over-HTTPS resolver that cannot show who it is, is
// told from one that is not there.
func TestWrongCertificate(t *testing.T) {
	t.Parallel()
	change := lab.Change{
		Resolvers:    map[string]lab.Resolver{"r1": {}},
		Perspectives: map[string]lab.PerspectiveChange{"P0": {Resolver: "r1", HTTPS: true}},
	}
	r := world(t, change, func(c *resolver.Config) { c.HTTP = nil })
	missing := r.SelfTest(context.Background())
	if len(missing) != 1 || !strings.HasSuffix(missing[0].Detail, ": wrong-certificate") {
		t.Errorf("missing %+v", missing)
	}
}
