package review

import (
	"slices"
	"testing"

	"assay/caa"
	"assay/cause"
	"assay/data"
	"assay/order"
	"assay/profile"
)

// factsFor are facts of an order under a profile whose issuer domains are given.
func factsFor(t testing.TB, name string, o *order.Order, mode Mode, issuers ...string) *facts {
	t.Helper()
	p, err := profile.Named(name)
	if err != nil {
		t.Fatal(err)
	}
	if issuers != nil {
		p, err = profile.Parse([]byte("name = \"t\"\ninherits = \"" + name + "\"\n[caa]\nissuers = [\"" + issuers[0] + "\"]\n"))
		if err != nil {
			t.Fatal(err)
		}
	}
	return Prepare(o, data.Embedded()).facts(Input{Profile: p, At: labClock, Mode: mode, Scope: ScopeNetwork})
}

func set(t testing.TB, texts ...string) []caa.Record {
	t.Helper()
	var records []caa.Record
	for _, text := range texts {
		r, ok := caa.Parse(text)
		if !ok {
			t.Fatal(text)
		}
		records = append(records, r)
	}
	return records
}

// TestPermission: the examples of RFC 8659 section 4 (as corrected by its
// errata), seen by "ca1.example.net" and by others, and the rules around them.
func TestPermission(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		set      []string
		issuer   string
		wildcard bool
		want     bool
		problem  string
	}{
		{nil, "ca1.example.net", false, true, ""},
		{[]string{`0 issue "ca1.example.net"`}, "ca1.example.net", false, true, ""},
		{[]string{`0 issue "ca1.example.net"`}, "ca9.example.org", false, false, ""},
		{[]string{`0 issue "ca1.example.net"`, `0 issue "ca2.example.org"`}, "ca2.example.org", false, true, ""},
		{[]string{`0 iodef "mailto:security@example.com"`}, "ca1.example.net", false, true, ""},
		{[]string{`0 issue ";"`}, "ca1.example.net", false, false, ""},
		{[]string{`0 issue ""`}, "ca1.example.net", false, false, ""},
		{[]string{`0 issue "ca1.example.net; account=230123"`}, "ca1.example.net", false, true, ""},
		{[]string{`0 issue "%%%%%"`}, "ca1.example.net", false, false, "grammar"},
		{[]string{`0 issue "ca1.example.net"`, `0 issuewild "ca2.example.org"`}, "ca1.example.net", false, true, ""},
		{[]string{`0 issue "ca1.example.net"`, `0 issuewild "ca2.example.org"`}, "ca1.example.net", true, false, ""},
		{[]string{`0 issue "ca1.example.net"`, `0 issuewild "ca2.example.org"`}, "ca2.example.org", true, true, ""},
		{[]string{`0 issue "ca1.example.net"`, `0 issuewild "ca2.example.org"`}, "ca2.example.org", false, false, ""},
		{[]string{`0 issue "ca1.example.net"`}, "ca1.example.net", true, true, ""},
		{[]string{`0 issuewild ";"`}, "ca1.example.net", false, true, ""},
		{[]string{`0 issuewild ";"`}, "ca1.example.net", true, false, ""},
		{[]string{`0 issuemail ";"`, `128 issuevmc ";"`}, "ca1.example.net", false, true, ""},
		{[]string{`0 IsSuE "CA1.Example.NET"`}, "ca1.example.net", false, true, ""},
		{[]string{`0 issue "ca1.example.net."`}, "ca1.example.net", false, false, "final-dot"},
		{[]string{`0 issue "ca1.exampel.net"`}, "ca1.example.net", false, false, "near-miss"},
		{[]string{`0 issue "www.ca1.example.net"`}, "ca1.example.net", false, false, "near-miss"},
		{[]string{`0 issue "%%%%%"`, `0 issue "ca1.example.net"`}, "ca1.example.net", false, true, ""},
	} {
		f := factsFor(t, "baseline", labOrder(), Attempt, c.issuer)
		p := f.permission(set(t, c.set...), c.wildcard, order.MethodDNS)
		if p.permitted != c.want || p.problem != c.problem {
			t.Errorf("%v by %s, wildcard %v: %+v", c.set, c.issuer, c.wildcard, p)
		}
	}
}

// TestParameters: RFC 8657, and the labels of BR 4.2.2.1.2.
func TestParameters(t *testing.T) {
	t.Parallel()
	le := func(account string) *order.Order {
		return &order.Order{Product: order.DV, Names: []string{"orchard.net"}, Account: account}
	}
	const uri = "https://acme-v02.api.letsencrypt.org/acme/acct/7"
	for _, c := range []struct {
		value   string
		account string
		mode    Mode
		method  order.Method
		want    string // parameter/problem, "" permitted
	}{
		{"letsencrypt.org; accounturi=" + uri, "7", Attempt, order.MethodDNS01, ""},
		{"letsencrypt.org; accounturi=" + uri, uri, Attempt, order.MethodDNS01, ""},
		{"letsencrypt.org; accounturi=" + uri, "8", Attempt, order.MethodDNS01, "accounturi/other-account"},
		{"letsencrypt.org; accounturi=" + uri, "", Attempt, order.MethodDNS01, "accounturi/other-account"},
		{"letsencrypt.org; accounturi=" + uri, "", Precheck, order.MethodDNS01, ""},
		{"letsencrypt.org; accounturi=" + uri + "; accounturi=" + uri, "7", Attempt, order.MethodDNS01, "accounturi/repeated"},
		{"letsencrypt.org; AccountURI=" + uri, "7", Attempt, order.MethodDNS01, ""},
		{"letsencrypt.org; validationmethods=dns-01", "7", Attempt, order.MethodDNS01, ""},
		{"letsencrypt.org; validationmethods=http-01,dns-01", "7", Attempt, order.MethodDNS01, ""},
		{"letsencrypt.org; validationmethods=ca-tbr-19", "7", Attempt, order.MethodHTTP01, ""},
		{"letsencrypt.org; validationmethods=http-01", "7", Attempt, order.MethodDNS01, "validationmethods/other-method"},
		{"letsencrypt.org; validationmethods=", "7", Attempt, order.MethodDNS01, "validationmethods/other-method"},
		{"letsencrypt.org; validationmethods=dns-01; validationmethods=dns-01", "7", Attempt, order.MethodDNS01, "validationmethods/repeated"},
		{"letsencrypt.org; validationmethods=DNS-01", "7", Attempt, order.MethodDNS01, "validationmethods/other-method"},
		{"letsencrypt.org; unknown=x", "7", Attempt, order.MethodDNS01, ""},
		{"letsencrypt.org; policy=ev;", "7", Attempt, order.MethodDNS01, "/parameters"},
		{"letsencrypt.org; a-b=1", "7", Attempt, order.MethodDNS01, "/parameters"},
		{"LetsEncrypt.org", "7", Attempt, order.MethodDNS01, "/near-miss"},
	} {
		f := factsFor(t, "letsencrypt", le(c.account), c.mode)
		p := f.permission([]caa.Record{{Tag: "issue", Value: c.value}}, false, c.method)
		got := ""
		if !p.permitted {
			got = p.parameter + "/" + p.problem
		}
		if got != c.want {
			t.Errorf("%s, account %q, %s: %q, want %q", c.value, c.account, c.method, got, c.want)
		}
	}
	f := factsFor(t, "baseline", le("acct:7@ca.net"), Attempt, "ca.net")
	for value, want := range map[string]bool{
		"ca.net; validationmethods=CA-TBR-7": true, "ca.net; a-b=1": true, "ca.net; a=1;": true, "ca.net; accounturi=acct:7@ca.net": true, "ca.net; accounturi=acct:8@ca.net": false,
	} {
		if p := f.permission([]caa.Record{{Tag: "issue", Value: value}}, false, order.MethodDNS); p.permitted != want {
			t.Errorf("%s: %+v", value, p)
		}
	}
}

// TestIssuerUnknown: a profile without issuer domains says unknown, not pass.
func TestIssuerUnknown(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Verdict{"baseline": VerdictUnknown, "private": VerdictPass} {
		n := healthy()
		n.orchard().add(`@ CAA 0 issue "other-ca.net"`)
		o := labOrder()
		r := (&trial{net: n, profile: name, order: o, toml: "name = \"t\"\ninherits = \"" + name + "\"\naccept_absent = [\"keys.compromised\", \"keys.debian\", \"names.blocked\", \"names.unsafe\", \"parties.denied\", \"clock\"]\n"}).judge(t)
		unknown := slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Cause == cause.PolicyInputUnavailable && f.Subject == "caa.issuers" })
		noted := slices.ContainsFunc(r.NotAsked, func(n NotAsked) bool { return n.What == "caa.issuers" })
		if unknown != (want == VerdictUnknown) || noted == unknown {
			t.Errorf("%s: %v, noted %v", name, unknown, noted)
		}
		textsComplete(t, r)
	}
}

// TestPersistent: what a record of dns-persist-01 has to say (BR 3.2.2.4.22,
// with its worked examples of persistUntil).
func TestPersistent(t *testing.T) {
	t.Parallel()
	const base = "ca.net; accounturi=https://ca.net/acct/7"
	for _, c := range []struct {
		record, name string
		want         bool
	}{
		{base, "orchard.net", true},
		{"CA.net;accounturi=https://ca.net/acct/7", "orchard.net", true},
		{base + "; persistUntil=1795593600", "orchard.net", true}, // 2026-11-25T08:00:00Z, the clock
		{base + "; persistUntil=1795593599", "orchard.net", false},
		{base + "; persistUntil=never", "orchard.net", false},
		{base + "; unknown=x", "orchard.net", true},
		{base + "; accounturi=https://ca.net/acct/7", "orchard.net", false},
		{base + ";", "orchard.net", false},
		{"ca.net; accounturi=https://ca.net/acct/8", "orchard.net", false},
		{"ca.net", "orchard.net", false},
		{"other-ca.net; accounturi=https://ca.net/acct/7", "orchard.net", false},
		{base, "*.orchard.net", false},
		{base + "; policy=wildcard", "*.orchard.net", true},
		{base + "; policy=WildCard", "orchard.net", true},
	} {
		n := healthy()
		n.orchard().add(`_validation-persist TXT "` + c.record + `"`)
		o := &order.Order{Product: order.DV, Names: []string{c.name}, Account: "https://ca.net/acct/7", Challenges: []order.Challenge{{Name: c.name, Method: order.MethodDNSPersist}}}
		tr := &trial{net: n, order: o, toml: "name = \"t\"\ninherits = \"baseline\"\n[caa]\nissuers = [\"ca.net\"]\n"}
		r := tr.judge(t)
		if tr.facts.undecided() == c.want || (len(network(r)) == 0) != c.want {
			t.Errorf("%s for %s: undecided %v %v", c.record, c.name, tr.facts.undecided(), network(r))
		}
		textsComplete(t, r)
	}
}

// TestAccountLabel: the vector of the draft.
func TestAccountLabel(t *testing.T) {
	t.Parallel()
	if got := accountLabel("https://example.com/acme/acct/ExampleAccount"); got != "_ujmmovf2vn55tgye" {
		t.Error(got)
	}
	n := healthy()
	n.orchard().add("_ujmmovf2vn55tgye._acme-challenge TXT " + labValue)
	o := labOrder()
	o.Account, o.Challenges[0].Method = "https://example.com/acme/acct/ExampleAccount", order.MethodDNSAccount
	if tr := (&trial{net: n, order: o, profile: "baseline"}); len(network(tr.judge(t))) > 0 || tr.facts.undecided() {
		t.Error("not found")
	}
	o.Account = ""
	if tr := (&trial{net: n, order: o, profile: "baseline"}); tr.judge(t) == nil || !tr.facts.undecided() {
		t.Error("decided without knowing the account")
	}
}

// TestADN: the target of a CNAME stands for a name only where the profile says
// so, never for a wildcard; pruning ends at the registrable domain.
func TestADN(t *testing.T) {
	t.Parallel()
	const on = "name = \"t\"\ninherits = \"cloud\"\n[dns]\nadn_by_cname = true\n"
	for _, c := range []struct {
		name, toml, at string
		method         order.Method
		want           bool
	}{
		{"shop.orchard.net", on, "_dnsauth.pages.host.net.", order.MethodDNS, true},
		{"shop.orchard.net", on, "_dnsauth.host.net.", order.MethodDNS, true},
		{"shop.orchard.net", "", "_dnsauth.pages.host.net.", order.MethodDNS, false},
		{"*.shop.orchard.net", on, "_dnsauth.pages.host.net.", order.MethodDNS, false},
		{"shop.orchard.net", on, "_dnsauth.net.", order.MethodDNS, false},
		{"shop.orchard.net", on, "_dnsauth.other.net.", order.MethodDNS, false},
	} {
		n := healthy()
		n.orchard().add("shop CNAME pages.host.net.")
		n.zones = append(n.zones, &fakeZone{name: "host.net", servers: []string{"ns.host.net"}, records: []string{"pages A 45.155.10.22"}},
			&fakeZone{name: "other.net", servers: []string{"ns.other.net"}, records: []string{"@ A 45.155.10.22"}})
		z := n.zone(c.at[len("_dnsauth.") : len(c.at)-1])
		z.records = append(z.records, c.at+" TXT "+labValue)
		o := labOrder()
		o.Names[0], o.Challenges[0].Name, o.Challenges[0].Method = c.name, c.name, c.method
		if r := (&trial{net: n, order: o, toml: c.toml}).judge(t); (r.Verdict == VerdictPass) != c.want {
			t.Errorf("%+v: %s %v", c, r.Verdict, network(r))
		}
	}
}
