package review

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

func TestHealthy(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"cloud", "baseline", "private"} {
		tr := &trial{net: healthy(), profile: p}
		r := tr.judge(t)
		if diff := cmp.Diff([]string{}, network(r)); diff != "" || r.Verdict != VerdictPass && p == "cloud" {
			t.Errorf("%s: %s %s", p, r.Verdict, diff)
		}
		// Four of the record, its zone and CAA, two for networks elsewhere.
		if len(tr.net.asked) != 6 {
			t.Errorf("%s: %d questions in a healthy world", p, len(tr.net.asked))
			for _, q := range tr.net.asked {
				t.Logf("%+v", q.DNS)
			}
		}
	}
}

// rows are the changes of catalogue G that concern one place, each with what
// must be found.
func TestRows(t *testing.T) {
	t.Parallel()
	v := labValue
	fault := func(do func(server string, q evidence.DNSQuestion, c *evidence.DNSCopy)) func(*internet) {
		return func(n *internet) {
			n.fault = func(_, server string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
				if server == "ns1.orchard.net" || server == "ns2.orchard.net" {
					do(server, q, c)
				}
			}
		}
	}
	status := func(word string) func(string, evidence.DNSQuestion, *evidence.DNSCopy) {
		return func(_ string, _ evidence.DNSQuestion, c *evidence.DNSCopy) {
			*c = evidence.DNSCopy{Server: c.Server, Address: c.Address, Status: word, Tries: 3}
		}
	}
	zone := func(f func(z *fakeZone)) func(*internet) { return func(n *internet) { f(n.orchard()) } }
	atV := func(records ...string) func(*internet) {
		return zone(func(z *fakeZone) { z.remove("_dnsauth TXT").add(records...) })
	}
	one := func(row string) []string { return []string{row} }
	for _, c := range []struct {
		name   string
		change func(*internet)
		order  func(*order.Order)
		want   []string
	}{
		{"not registered", func(n *internet) { n.orchard().gone = true }, nil, []string{
			"wait dns.domain-not-registered@orchard.net", "wait dns.record-missing@orchard.net <- dns.domain-not-registered@orchard.net",
		}},
		{"refused", fault(status("REFUSED")), nil, []string{
			"wait caa.lookup-failed-insecure@orchard.net <- dns.delegation-broken@orchard.net", "wait dns.delegation-broken@orchard.net",
		}},
		{"dropped", fault(status("timeout")), nil, []string{
			"wait caa.lookup-failed-insecure@orchard.net <- dns.delegation-broken@orchard.net", "wait dns.delegation-broken@orchard.net",
		}},
		{"not authoritative", fault(func(_ string, _ evidence.DNSQuestion, c *evidence.DNSCopy) { c.Authoritative = false }), nil, []string{
			"wait caa.lookup-failed-insecure@orchard.net <- dns.delegation-broken@orchard.net", "wait dns.delegation-broken@orchard.net",
		}},
		{"zone lists another server", zone(func(z *fakeZone) { z.remove("@ NS ns2").add("@ NS ns3.orchard.net.") }), nil, one("warn dns.delegation-inconsistent@orchard.net")},
		{"one server refuses", fault(func(server string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
			if server == "ns2.orchard.net" {
				status("REFUSED")(server, q, c)
			}
		}), nil, one("warn dns.delegation-inconsistent@orchard.net")},
		{"servfail for V", fault(func(s string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
			if q.Name == "_dnsauth.orchard.net" {
				status("SERVFAIL")(s, q, c)
			}
		}), nil, one("wait dns.server-error@orchard.net")},
		{"case", fault(func(_ string, _ evidence.DNSQuestion, c *evidence.DNSCopy) { c.Defects = []string{"case"} }), nil, one("warn dns.protocol-defect@orchard.net")},
		{"no tcp", fault(func(s string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
			if q.Type == "TXT" {
				status("timeout")(s, q, c)
				c.Defects = []string{"tcp"}
			}
		}), nil, one("wait dns.protocol-defect@orchard.net")},
		{"empty non-terminal", func(n *internet) {
			n.orchard().remove("_dnsauth TXT").add("_dnsauth.a.b TXT " + v)
			fault(func(_ string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
				if q.Name == "b.orchard.net" {
					c.Status = "NXDOMAIN"
				}
			})(n)
		}, func(o *order.Order) { o.Names[0], o.Challenges[0].Name = "a.b.orchard.net", "a.b.orchard.net" }, one("warn dns.empty-nonterminal-denied@a.b.orchard.net")},
		{"missing", atV(), nil, one("wait dns.record-missing@orchard.net")},
		{"mismatch", atV("_dnsauth TXT hello"), nil, one("wait dns.value-mismatch@orchard.net")},
		{"quotes", atV(`_dnsauth TXT "\"` + v + `\""`), nil, one("wait dns.value-altered@orchard.net")},
		{"final dot", atV("_dnsauth TXT " + v + "."), nil, one("wait dns.value-altered@orchard.net")},
		{"blank", atV(`_dnsauth TXT " ` + v + `"`), nil, one("wait dns.value-altered@orchard.net")},
		{"upper case", atV("_dnsauth TXT 20261125A7K2M9X4Q8W3E5R6T1"), nil, one("wait dns.value-altered@orchard.net")},
		{"cut", atV("_dnsauth TXT " + v[:len(v)-1]), nil, one("wait dns.value-altered@orchard.net")},
		{"split strings match", atV(`_dnsauth TXT "20261125a7k2m9x4q8" "w3e5r6t1"`), nil, []string{}},
		{"beside another value", zone(func(z *fakeZone) { z.add("_dnsauth TXT old") }), nil, []string{}},
		{"doubled", atV("_dnsauth.orchard.net TXT " + v), nil, one("wait dns.doubled-zone@orchard.net")},
		{"doubled by wildcard", atV("*.orchard.net TXT " + v), nil, one("wait dns.record-missing@orchard.net")},
		{"base name", atV("@ TXT " + v), nil, one("wait dns.wrong-name@orchard.net")},
		{"www", atV("_dnsauth.www TXT " + v), nil, one("wait dns.wrong-name@orchard.net")},
		{"no underscore", atV("dnsauth TXT " + v), nil, one("wait dns.wrong-name@orchard.net")},
		{"other prefix", atV("_acme-challenge TXT " + v), nil, one("wait dns.wrong-name@orchard.net")},
		{"caa instead", atV(`_dnsauth CAA 0 issue "` + v + `"`), nil, one("wait dns.wrong-type@orchard.net")},
		{"text instead of cname", atV("_dnsauth TXT t.assay.net"), func(o *order.Order) {
			o.Challenges[0].Method, o.Challenges[0].Value = order.MethodDNSCNAME, "t.assay.net"
		}, one("wait dns.wrong-type@orchard.net")},
		{"cname right", atV("_dnsauth CNAME T.assay.net."), func(o *order.Order) {
			o.Challenges[0].Method, o.Challenges[0].Value = order.MethodDNSCNAME, "t.assay.net"
		}, []string{}},
		{"cname other", atV("_dnsauth CNAME x.assay.net."), func(o *order.Order) {
			o.Challenges[0].Method, o.Challenges[0].Value = order.MethodDNSCNAME, "t.assay.net"
		}, one("wait dns.value-mismatch@orchard.net")},
		{"value as cname", atV("_dnsauth CNAME " + v + "."), nil, one("wait dns.wrong-type@orchard.net")},
		{"proxy other", atV("_dnsauth CNAME x.assay.net."), func(o *order.Order) {
			o.Challenges[0].Method, o.Challenges[0].Value = order.MethodDNSProxy, "t.assay.net"
		}, one("wait dns.proxy-cname-changed@orchard.net")},
		{"proxy txt", atV("_dnsauth TXT " + v), func(o *order.Order) {
			o.Challenges[0].Method, o.Challenges[0].Value = order.MethodDNSProxy, "t.assay.net"
		}, one("wait dns.proxy-cname-changed@orchard.net")},
		{"proxy gone", atV(), func(o *order.Order) {
			o.Challenges[0].Method, o.Challenges[0].Value = order.MethodDNSProxy, "t.assay.net"
		}, one("wait dns.proxy-cname-changed@orchard.net")},
		{"diverted", atV("_dnsauth CNAME v.elsewhere.net."), nil, one("wait dns.cname-diverts@orchard.net")},
		{"loop", atV("_dnsauth CNAME a", "a.orchard.net. CNAME b.orchard.net.", "b.orchard.net. CNAME a.orchard.net.", "_dnsauth CNAME a.orchard.net."), nil, one("wait dns.cname-diverts@orchard.net")},
		{"cname hidden", func(n *internet) {
			atV("_dnsauth CNAME t.assay.net.")(n)
			n.zones = append(n.zones, &fakeZone{name: "assay.net", servers: []string{"ns.assay.net"}, records: []string{"t TXT " + v}})
			fault(func(_ string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
				if q.Name == "_dnsauth.orchard.net" && q.Type == "TXT" {
					c.Answer = nil
				}
			})(n)
		}, nil, one("wait dns.cname-not-followed@orchard.net")},
		{"cname to the value", func(n *internet) {
			atV("_dnsauth CNAME t.assay.net.")(n)
			n.zones = append(n.zones, &fakeZone{name: "assay.net", servers: []string{"ns.assay.net"}, records: []string{"t TXT " + v}})
		}, nil, []string{}},
		{"wildcard", atV("* TXT parked"), nil, one("wait dns.wildcard-answers@orchard.net")},
		{"wildcard cname", atV("* CNAME parking.elsewhere.net."), nil, one("wait dns.wildcard-answers@orchard.net")},
		{"wildcard has the value", atV("* TXT " + v), nil, []string{}},
		{"one server lags", zone(func(z *fakeZone) {
			z.own = map[string][]string{"ns2.orchard.net": slices.Clone(z.records)[:4]}
		}), nil, one("wait dns.servers-disagree@orchard.net")},
		{"the first server lags", zone(func(z *fakeZone) {
			z.own = map[string][]string{"ns1.orchard.net": slices.Clone(z.records)[:4]}
		}), nil, one("wait dns.servers-disagree@orchard.net")},
		{"undelegated server", zone(func(z *fakeZone) {
			with := slices.Clone(z.records)
			z.remove("_dnsauth TXT").remove("@ SOA").add("@ SOA ns9.orchard.net. h.orchard.net. 7 7200 3600 1209600 300")
			z.hidden, z.own = []string{"ns9.orchard.net"}, map[string][]string{"ns9.orchard.net": with}
		}), nil, one("wait dns.wrong-provider@orchard.net")},
		{"caa forbids", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue "other-ca.net"`) }), nil, one("wait caa.forbids@orchard.net")},
		{"caa nobody", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue ";"`) }), nil, one("wait caa.forbids@orchard.net")},
		{"caa ours", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue "SECTIGO.com"`, `@ CAA 0 iodef "mailto:a@b.net"`) }), nil, []string{}},
		{"caa critical", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue "sectigo.com"`, `@ CAA 128 tbs "x"`) }), nil, one("wait caa.critical-unknown@orchard.net")},
		{"caa grammar", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue "%%%%%"`) }), nil, one("wait caa.malformed@orchard.net")},
		{"caa near miss", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue "sectgio.com"`) }), nil, one("wait caa.malformed@orchard.net")},
		{"caa account", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue "sectigo.com; accounturi=https://a/1"`) }), func(o *order.Order) { o.Account = "a2" }, one("wait caa.parameter-mismatch@orchard.net")},
		{"caa method", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue "sectigo.com; validationmethods=http-01"`) }), nil, one("wait caa.parameter-mismatch@orchard.net")},
		{"caa method listed", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue "sectigo.com; validationmethods=http-01,ca-tbr-7"`) }), nil, []string{}},
		{"caa dropped", fault(func(s string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
			if q.Type == "CAA" {
				status("timeout")(s, q, c)
			}
		}), nil, one("wait caa.lookup-failed-insecure@orchard.net")},
		{"caa of a parent", func(n *internet) {
			n.orchard().remove("_dnsauth TXT").add(`@ CAA 0 issue "other-ca.net"`, "_dnsauth.a.b TXT "+v)
		}, func(o *order.Order) { o.Names[0], o.Challenges[0].Name = "a.b.orchard.net", "a.b.orchard.net" }, one("wait caa.inherited-from-parent@a.b.orchard.net")},
		{"caa of the target", func(n *internet) {
			n.orchard().add("_dnsauth.shop TXT "+v, "shop CNAME pages.host.net.")
			n.zones = append(n.zones, &fakeZone{name: "host.net", servers: []string{"ns.host.net"}, records: []string{"pages A 45.155.10.22", `pages CAA 0 issue "other-ca.net"`}})
		}, func(o *order.Order) { o.Names[0], o.Challenges[0].Name = "shop.orchard.net", "shop.orchard.net" }, one("wait caa.inherited-through-cname@shop.orchard.net")},
		{"caa of the wildcard", zone(func(z *fakeZone) { z.add(`@ CAA 0 issue "sectigo.com"`, `@ CAA 0 issuewild ";"`) }), func(o *order.Order) {
			o.Names[0], o.Challenges[0].Name = "*.orchard.net", "*.orchard.net"
		}, one("wait caa.forbids-wildcard@*.orchard.net")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := &trial{net: healthy(), order: labOrder()}
			c.change(tr.net)
			if c.order != nil {
				c.order(tr.order)
			}
			r := tr.judge(t)
			if diff := cmp.Diff(c.want, network(r)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			blocking := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level.Blocks() })
			if (r.Verdict == VerdictPass) == blocking {
				t.Errorf("verdict %s", r.Verdict)
			}
			textsComplete(t, r)
			for _, f := range r.Findings {
				if networkStage(f.Stage) && (len(f.Evidence) == 0 || len(f.Reproduce) == 0 || len(f.Perspectives) == 0) {
					t.Errorf("%s: evidence %v, commands %v, places %v", f.ID, f.Evidence, f.Reproduce, f.Perspectives)
				}
			}
		})
	}
}

// TestRounds: an explanation is at most two questions away from the failure.
func TestRounds(t *testing.T) {
	t.Parallel()
	for _, record := range []string{"", "_dnsauth TXT hello", "_dnsauth.orchard.net TXT " + labValue, "* TXT parked", "_dnsauth CNAME nothing.net."} {
		n := healthy()
		if n.orchard().remove("_dnsauth TXT"); record != "" {
			n.orchard().add(record)
		}
		tr := &trial{net: n, places: six()}
		tr.judge(t)
		if tr.rounds > 4 {
			t.Errorf("%q: %d rounds", record, tr.rounds)
		}
	}
}

// TestForms: the handling names the fields of the form of the provider that runs
// the zone's servers.
func TestForms(t *testing.T) {
	t.Parallel()
	n := healthy()
	z := n.orchard().remove("_dnsauth TXT").remove("@ NS").add("@ NS ada.ns.cloudflare.com.", "@ NS bob.ns.cloudflare.com.")
	z.servers = []string{"ada.ns.cloudflare.com", "bob.ns.cloudflare.com"}
	f := finding(t, (&trial{net: n}).judge(t), cause.DNSRecordMissing)
	last := f.Handling[len(f.Handling)-1]
	if last != "At Cloudflare (https://dash.cloudflare.com), _dnsauth goes into the field Name and the value into Content." {
		t.Errorf("%q", last)
	}
}
