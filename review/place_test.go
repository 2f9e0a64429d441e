package review

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// six are places that conform to the rule for them.
func six() []evidence.Perspective { return someOf(6) }

func someOf(n int) []evidence.Perspective {
	regions := []string{"APNIC", "APNIC", "RIPE", "ARIN", "LACNIC", "AFRINIC"}
	var places []evidence.Perspective
	for i := range n {
		places = append(places, evidence.Perspective{
			ID: "P" + string(rune('0'+i)), Region: regions[i%len(regions)], Location: &evidence.Location{Lat: 0, Lon: 20 * float64(i)},
		})
	}
	return places
}

// TestRegions: what places see differently, and how many may.
func TestRegions(t *testing.T) {
	t.Parallel()
	type fault = func(place, server string, q evidence.DNSQuestion, c *evidence.DNSCopy)
	atV := func(places string, do func(c *evidence.DNSCopy)) fault {
		return func(place, _ string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
			if strings.Contains(places, place) && q.Name == "_dnsauth.orchard.net" {
				do(c)
			}
		}
	}
	deny := func(c *evidence.DNSCopy) { c.Status, c.Answer = "NXDOMAIN", nil }
	silent := func(c *evidence.DNSCopy) {
		*c = evidence.DNSCopy{Server: c.Server, Address: c.Address, Status: "timeout", Tries: 3}
	}
	for _, c := range []struct {
		name, profile string
		fault         fault
		want          []string
	}{
		{"denied abroad", "cloud", atV("P2P3P4P5", deny), []string{"wait dns.differs-by-region@orchard.net", "wait perspective.quorum-not-met@orchard.net <- dns.differs-by-region@orchard.net"}},
		{"denied at one place", "cloud", atV("P4", deny), []string{"warn dns.differs-by-region@orchard.net", "warn perspective.results-differ@orchard.net <- dns.differs-by-region@orchard.net"}},
		{"denied at two places", "cloud", atV("P4P5", deny), []string{"wait dns.differs-by-region@orchard.net", "wait perspective.quorum-not-met@orchard.net <- dns.differs-by-region@orchard.net"}},
		{"denied at the primary alone", "cloud", atV("P0", deny), []string{"wait dns.differs-by-region@orchard.net", "wait perspective.primary-failed@orchard.net"}},
		{"denied at one place, one attempt", "letsencrypt", atV("P4", deny), []string{"warn dns.differs-by-region@orchard.net", "warn perspective.results-differ@orchard.net <- dns.differs-by-region@orchard.net"}},
		{"silent abroad", "cloud", atV("P2P3P4P5", silent), []string{"wait dns.blocked-by-region@orchard.net", "wait perspective.quorum-not-met@orchard.net <- dns.blocked-by-region@orchard.net"}},
		{"silent towards the primary", "cloud", atV("P0", silent), []string{"wait dns.blocked-by-region@orchard.net", "wait perspective.primary-failed@orchard.net"}},
		{"silent everywhere", "cloud", atV("P0P1P2P3P4P5", silent), []string{"wait dns.server-error@orchard.net"}},
		{"denied everywhere", "cloud", atV("P0P1P2P3P4P5", deny), []string{"wait dns.record-missing@orchard.net"}},
		{"one server denied at each place", "cloud", func(place, server string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
			if server == "ns2.orchard.net" && q.Name == "_dnsauth.orchard.net" {
				deny(c)
			}
		}, []string{"wait dns.servers-disagree@orchard.net"}},
	} {
		n := healthy()
		n.fault = c.fault
		o := labOrder()
		if c.profile == "letsencrypt" {
			o.Challenges[0].Method, o.Challenges[0].Owner = order.MethodDNS01, "_dnsauth.orchard.net"
		}
		r := (&trial{net: n, places: six(), profile: c.profile, order: o}).judge(t)
		if diff := cmp.Diff(c.want, network(r)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
		textsComplete(t, r)
	}
}

// TestSubnets: the record is given to clients of one network only.
func TestSubnets(t *testing.T) {
	t.Parallel()
	n := healthy()
	n.orchard().remove("_dnsauth TXT")
	n.fault = func(_, _ string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
		if q.Subnet == "193.0.0.0/24" && q.Name == "_dnsauth.orchard.net" {
			c.Status, c.Answer = "NOERROR", []evidence.Record{{Owner: q.Name, Type: "TXT", Data: `"` + labValue + `"`}}
		}
	}
	r := (&trial{net: n}).judge(t)
	f := finding(t, r, cause.DNSDiffersByRegion)
	if len(network(r)) != 1 || f.Parameters["by"] != "subnet" || r.Verdict != VerdictWait {
		t.Errorf("%v %v", network(r), f.Parameters)
	}
	if !slices.ContainsFunc(f.Reproduce, func(c string) bool { return strings.Contains(c, "+subnet=193.0.0.0/24") }) {
		t.Error(f.Reproduce)
	}
	textsComplete(t, r)
}

// TestBlind: what could not be asked for a reason of ours is unknown, never a
// finding about the target.
func TestBlind(t *testing.T) {
	t.Parallel()
	for name, tr := range map[string]*trial{
		"no port 53": {
			net:    &internet{zones: healthy().zones, unknown: func(string, evidence.DNSQuestion) string { return "dns" }},
			places: []evidence.Perspective{{ID: "P0", Missing: []evidence.Missing{{What: "dns", Detail: "timeout"}}}},
		},
		"the deciding question only": {net: &internet{zones: healthy().zones, unknown: func(_ string, q evidence.DNSQuestion) string {
			if q.Type == "TXT" {
				return "budget"
			}
			return ""
		}}},
		"every server is out of reach": {net: &internet{zones: healthy().zones, fault: func(_, server string, _ evidence.DNSQuestion, c *evidence.DNSCopy) {
			if strings.HasSuffix(server, ".orchard.net") {
				*c = evidence.DNSCopy{Server: c.Server, Address: c.Address, Status: "not-asked", Unknown: "no-ipv6"}
			}
		}}},
		"one server is out of reach and all must have it": {net: &internet{zones: healthy().zones, fault: func(_, server string, _ evidence.DNSQuestion, c *evidence.DNSCopy) {
			if server == "ns2.orchard.net" {
				*c = evidence.DNSCopy{Server: c.Server, Address: c.Address, Status: "not-asked", Unknown: "no-ipv6"}
			}
		}}},
		"the top-level domain is silent": {net: &internet{zones: healthy().zones[:2], fault: func(_, server string, _ evidence.DNSQuestion, c *evidence.DNSCopy) {
			if server == "a.net" {
				*c = evidence.DNSCopy{Server: c.Server, Address: c.Address, Status: "timeout"}
			}
		}}},
		"nobody looks": {net: healthy(), places: []evidence.Perspective{}},
	} {
		r := tr.judge(t)
		if len(network(r)) == 0 || r.Verdict != VerdictUnknown {
			t.Errorf("%s: %s %v", name, r.Verdict, network(r))
		}
		for _, f := range r.Findings {
			if networkStage(f.Stage) && (f.Cause != cause.PerspectiveUnavailable || f.Level != cause.Unknown) {
				t.Errorf("%s: %s %s", name, f.Level, f.ID)
			}
		}
		textsComplete(t, r)
	}
	one := healthy()
	one.fault = func(_, server string, _ evidence.DNSQuestion, c *evidence.DNSCopy) {
		if server == "ns2.orchard.net" {
			*c = evidence.DNSCopy{Server: c.Server, Address: c.Address, Status: "not-asked", Unknown: "no-ipv6"}
		}
	}
	if tr := (&trial{net: one, profile: "baseline"}); len(network(tr.judge(t))) > 0 || tr.facts.undecided() {
		t.Error("one server is enough under the rules of every CA")
	}
}

// TestResolverOnly: where only a resolver is reached its validated answer
// decides, the report says which causes were not looked for, and what needs
// every server is unknown.
func TestResolverOnly(t *testing.T) {
	t.Parallel()
	n := &internet{zones: healthy().zones}
	n.unknown = func(_ string, q evidence.DNSQuestion) string {
		if q.Resolver == "" {
			return "dns"
		}
		return ""
	}
	places := []evidence.Perspective{{ID: "P0", Resolver: "https://resolver.net/dns-query", Missing: []evidence.Missing{{What: "dns"}}}}
	tr := &trial{net: n, profile: "baseline", places: places}
	r := tr.judge(t)
	if len(network(r)) > 0 || tr.facts.undecided() {
		t.Errorf("baseline: %v", network(r))
	}
	i := slices.IndexFunc(r.NotAsked, func(n NotAsked) bool { return n.What == "servers" && n.Why == "no-port-53" })
	if i < 0 || !slices.Contains(r.NotAsked[i].Causes, cause.DNSServersDisagree) {
		t.Errorf("%+v", r.NotAsked)
	}
	n = &internet{zones: n.zones, unknown: n.unknown}
	if r := (&trial{net: n, places: places}).judge(t); r.Verdict != VerdictUnknown {
		t.Errorf("cloud: %s %v", r.Verdict, network(r))
	}
	n = &internet{zones: healthy().zones, unknown: n.unknown}
	n.orchard().remove("_dnsauth TXT")
	if got := network((&trial{net: n, profile: "baseline", places: places}).judge(t)); !slices.Equal(got, []string{"wait dns.record-missing@orchard.net"}) {
		t.Errorf("missing: %v", got)
	}
}

// TestPublicResolversLast: nobody is asked for V who would remember that it is
// not there before every server has it (catalogue B33).
func TestPublicResolversLast(t *testing.T) {
	t.Parallel()
	for _, places := range [][]evidence.Perspective{
		{{ID: "P0", Public: []string{"192.0.2.53:53"}}}, {{ID: "P0", Resolver: "192.0.2.53:53"}},
	} {
		n := healthy()
		z := n.orchard()
		z.own = map[string][]string{"ns2.orchard.net": slices.Clone(z.records)[:4]}
		(&trial{net: n, places: places}).judge(t)
		for _, q := range n.asked {
			if q.DNS.Resolver != "" && q.DNS.Name == "_dnsauth.orchard.net" {
				t.Errorf("asked %s too early", q.DNS.Resolver)
			}
		}
	}
}

// TestReadiness: an order without values (catalogue B31).
func TestReadiness(t *testing.T) {
	t.Parallel()
	o := &order.Order{Product: order.DV, Names: []string{"shop.orchard.net"}}
	for _, c := range []struct {
		name   string
		change func(z *fakeZone)
		want   map[order.Method]Verdict
		found  []string
	}{
		{"ready", func(z *fakeZone) { z.add("shop A 45.155.10.21") }, map[order.Method]Verdict{"dns": VerdictPass, "dns-cname": VerdictPass, "file": VerdictPass}, []string{}},
		{"no address", func(*fakeZone) {}, map[order.Method]Verdict{"dns": VerdictPass, "file": VerdictWait}, []string{"warn dns.no-address@shop.orchard.net"}},
		{"forbidden", func(z *fakeZone) { z.add("shop A 45.155.10.21", `@ CAA 0 issue "other-ca.net"`) }, map[order.Method]Verdict{"dns": VerdictWait, "file": VerdictWait}, []string{"wait caa.inherited-from-parent@shop.orchard.net"}},
		{"one method allowed", func(z *fakeZone) {
			z.add("shop A 45.155.10.21", `@ CAA 0 issue "sectigo.com; validationmethods=ca-tbr-18"`)
		}, map[order.Method]Verdict{"dns": VerdictWait, "file": VerdictPass}, []string{}},
	} {
		n := healthy()
		n.web = giving("/", "home")
		c.change(n.orchard())
		r := (&trial{net: n, order: o}).judge(t)
		if diff := cmp.Diff(c.found, network(r)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.name, diff)
		}
		got := map[order.Method]Verdict{}
		for _, m := range r.Readiness {
			got[m.Method] = m.Verdict
		}
		for m, v := range c.want {
			if got[m] != v {
				t.Errorf("%s by %s: %q, want %q", c.name, m, got[m], v)
			}
		}
		textsComplete(t, r)
	}
	if r := (&trial{net: healthy()}).judge(t); len(r.Readiness) > 0 {
		t.Errorf("an order with its value: %v", r.Readiness)
	}
}

// TestRedactLive: neither values nor what stands in somebody's zone is left.
func TestRedactLive(t *testing.T) {
	t.Parallel()
	n := healthy()
	n.orchard().remove("_dnsauth TXT").add("_dnsauth TXT s3cret-of-somebody", `@ CAA 0 issue "other-ca.net; accounturi=https://other-ca.net/acct/77"`)
	r := (&trial{net: n, places: []evidence.Perspective{{ID: "P0", Public: []string{"192.0.2.53:53"}}}}).judge(t)
	if len(network(r)) != 2 {
		t.Fatal(network(r))
	}
	r.Redact()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{labValue, "s3cret-of-somebody", "acct/77", "192.0.2.53", "_dnsauth.orchard.net TXT"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s is left in %s", secret, raw)
		}
	}
	if !strings.Contains(string(raw), "dns.value-mismatch@orchard.net") {
		t.Error("the finding itself is gone")
	}
}

// TestManyNames: what explains is asked for the first records only, and no
// question is asked twice.
func TestManyNames(t *testing.T) {
	t.Parallel()
	n := healthy()
	o := &order.Order{Product: order.DV}
	for i := range 60 {
		name := "h" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".orchard.net"
		o.Names = append(o.Names, name)
		o.Challenges = append(o.Challenges, order.Challenge{Name: name, Method: order.MethodDNS, Value: labValue})
	}
	r := (&trial{net: n, order: o, profile: "baseline"}).judge(t)
	if got := len(network(r)); got != 60 {
		t.Errorf("%d findings", got)
	}
	seen := map[evidence.DNSQuestion]bool{}
	for _, q := range n.asked {
		if seen[*q.DNS] {
			t.Errorf("twice: %+v", q.DNS)
		}
		seen[*q.DNS] = true
	}
	if len(n.asked) > 60*3+maxExplained*30 {
		t.Errorf("%d questions", len(n.asked))
	}
}

// TestPlainCommands: nothing out of the DNS reaches a command that means
// something to a shell.
func TestPlainCommands(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"a$(reboot).net", "a;b.net", "a b", "-x", "a`b", "a\\065.net", "a*b.net", "a\nb"} {
		if c := dig("ns1.orchard.net", bad, "TXT"); c != "" {
			t.Errorf("%q: %s", bad, c)
		}
		if c := dig(bad, "orchard.net", "TXT"); c != "" {
			t.Errorf("%q as server: %s", bad, c)
		}
	}
	for want, got := range map[string]string{
		"dig @ns1.orchard.net _dnsauth.orchard.net TXT +norec": dig("ns1.orchard.net", "_dnsauth.orchard.net", "TXT"),
		"dig @ns1.orchard.net '*.orchard.net' TXT +norec":      dig("ns1.orchard.net", "*.orchard.net", "TXT"),
		"dig @192.0.2.53 orchard.net A +rec":                   digResolver("192.0.2.53:53", "orchard.net", "A"),
		"dig @2001:db8::53 orchard.net A -p 5353":              digResolver("[2001:db8::53]:5353", "orchard.net", "A"),
		"dig @resolver.net orchard.net A +https":               digResolver("https://resolver.net/dns-query", "orchard.net", "A"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// FuzzTextOf: any RDATA is read, and plain strings come back whole.
func FuzzTextOf(f *testing.F) {
	for _, s := range []string{`"a" "b"`, `"a\"b"`, `"\195\164"`, `"`, `\`, `"\99`, `a b`, `"a;b"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := textOf(s); len(got) > len(s) {
			t.Fatalf("%q: %q", s, got)
		}
		if !strings.ContainsAny(s, "\"\\") {
			if got := textOf(`"` + s + `"`); got != s {
				t.Fatalf("%q: %q", s, got)
			}
		}
	})
}
