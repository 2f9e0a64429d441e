package trial_test

import (
	"fmt"
	"strings"

	"assay/lab"
)

// An oracleCase is a question and what is found: the state, the response code
// and the number of records of the answer, as found.String writes it. Where
// unbound or BIND find something else, their field says what, and why.
type oracleCase struct {
	question, want     string
	unbound, bind, why string
}

// oracleRecords are in each of the zones that are asked all of oracleOwners.
var oracleRecords = lab.Strings{
	"www A 45.155.70.1", "www A 45.155.70.2", "www TXT one", `@ CAA 0 issue "assay.net"`, "@ MX 10 www",
	"alias CNAME www", "chain CNAME alias", "gone CNAME nothing", "across CNAME www.plain.net.", "safe CNAME www.nsec.net.",
	"broken CNAME www.expired.net.", "loopa CNAME loopb", "loopb CNAME loopa", "self CNAME self",
	"*.wild TXT wild", "exact.wild TXT exact", "*.wildalias CNAME www", "_dnsauth.a.b TXT deep",
	"d DNAME t", "x.t TXT moved", "dgone DNAME nothing", "dout DNAME nsec.net.",
	`$GENERATE 1-90 many TXT "record $ of a set that needs TCP"`,
}

// oracleOwners are asked in an unsigned zone, in zones with NSEC and NSEC3, and
// in one with opt-out: what is found there, in this order.
var oracleOwners = []struct{ question, unsigned, signed, optOut string }{
	{"www A", "insecure NOERROR 2", "secure NOERROR 2", ""},
	{"www TXT", "insecure NOERROR 1", "secure NOERROR 1", ""},
	{"WwW A", "insecure NOERROR 2", "secure NOERROR 2", ""},
	{"@ CAA", "insecure NOERROR 1", "secure NOERROR 1", ""},
	{"@ TXT", "insecure NOERROR 0", "secure NOERROR 0", ""},
	{"www CAA", "insecure NOERROR 0", "secure NOERROR 0", ""},
	{"nothing TXT", "insecure NXDOMAIN 0", "secure NXDOMAIN 0", "insecure NXDOMAIN 0"},
	{"a.b.c.nothing TXT", "insecure NXDOMAIN 0", "secure NXDOMAIN 0", "insecure NXDOMAIN 0"},
	{"b TXT", "insecure NOERROR 0", "secure NOERROR 0", ""},
	{"_dnsauth.a.b TXT", "insecure NOERROR 1", "secure NOERROR 1", ""},
	{"any.wild TXT", "insecure NOERROR 1", "secure NOERROR 1", "insecure NOERROR 1"},
	{"deep.any.wild TXT", "insecure NOERROR 1", "secure NOERROR 1", "insecure NOERROR 1"},
	{"any.wild CAA", "insecure NOERROR 0", "secure NOERROR 0", "insecure NOERROR 0"},
	{"x.exact.wild TXT", "insecure NXDOMAIN 0", "secure NXDOMAIN 0", "insecure NXDOMAIN 0"},
	{"wild TXT", "insecure NOERROR 0", "secure NOERROR 0", ""},
	{"any.wildalias A", "insecure NOERROR 3", "secure NOERROR 3", "insecure NOERROR 3"},
	{"alias A", "insecure NOERROR 3", "secure NOERROR 3", ""},
	{"alias CNAME", "insecure NOERROR 1", "secure NOERROR 1", ""},
	{"chain A", "insecure NOERROR 4", "secure NOERROR 4", ""},
	{"chain CAA", "insecure NOERROR 2", "secure NOERROR 2", ""},
	{"gone TXT", "insecure NXDOMAIN 1", "secure NXDOMAIN 1", "insecure NXDOMAIN 1"},
	{"across A", "insecure NOERROR 3", "insecure NOERROR 3", ""},
	{"safe A", "insecure NOERROR 3", "secure NOERROR 3", ""},
	{"broken A", "bogus", "bogus", ""},
	{"x.d TXT", "insecure NOERROR 3", "secure NOERROR 3", ""},
	{"x.d CAA", "insecure NOERROR 2", "secure NOERROR 2", ""},
	{"q.d TXT", "insecure NXDOMAIN 2", "secure NXDOMAIN 2", "insecure NXDOMAIN 2"},
	{"d DNAME", "insecure NOERROR 1", "secure NOERROR 1", ""},
	{"q.dgone TXT", "insecure NXDOMAIN 2", "secure NXDOMAIN 2", "insecure NXDOMAIN 2"},
	{"www.dout A", "insecure NOERROR 4", "secure NOERROR 4", ""},
	{"loopa TXT", "failed", "failed", ""},
	{"self TXT", "failed", "failed", ""},
	{"many TXT", "insecure NOERROR 90", "secure NOERROR 90", ""},
}

// oracleTable is every question.
func oracleTable() []oracleCase {
	table := oracleSpecial
	for _, zone := range []string{"plain.net", "nsec.net", "nsec3.org", "out.org"} {
		for _, o := range oracleOwners {
			c := oracleCase{question: strings.TrimPrefix(strings.Replace(o.question, " ", "."+zone+" ", 1), "@."), want: o.signed}
			switch {
			case zone == "plain.net":
				c.want = o.unsigned
			case zone == "out.org" && o.optOut != "":
				c.want = o.optOut
			}
			table = append(table, c)
		}
	}
	return table
}

const dnameWhy = "the CNAME that a DNAME makes is never signed (RFC 6672 5.3.1); unbound 1.17 wants a signature where it is itself what was asked for"

// oracleSpecial are questions in zones of which each has one thing wrong.
var oracleSpecial = []oracleCase{
	// The top of the tree.
	{question: ". NS", want: "secure NOERROR 1"},
	{question: ". DNSKEY", want: "secure NOERROR 2"},
	{question: "net SOA", want: "secure NOERROR 1"},
	{question: "net DS", want: "secure NOERROR 1"},
	{question: "nothing TXT", want: "secure NXDOMAIN 0"},
	{question: "nothing.net TXT", want: "secure NXDOMAIN 0"},
	// Delegations.
	{question: "nsec.net DS", want: "secure NOERROR 1"},
	{question: "plain.net DS", want: "secure NOERROR 0"},
	{question: "nsec.net NS", want: "secure NOERROR 1"},
	{question: "nsec.net DNSKEY", want: "secure NOERROR 2"},
	{question: "www.rsa.net A", want: "secure NOERROR 2"},
	{question: "www.p384.net A", want: "secure NOERROR 2"},
	{question: "www.ed25519.net A", want: "secure NOERROR 2"},
	{question: "www.sub.nsec3.org A", want: "secure NOERROR 2"},
	{question: "nothing.sub.nsec3.org A", want: "secure NXDOMAIN 0"},
	{question: "www.plain.nsec.net A", want: "insecure NOERROR 2"},
	{question: "www.under.out.org A", want: "insecure NOERROR 2"},
	{question: "under.out.org DS", want: "insecure NOERROR 0"},
	{question: "www.signed.plain.net A", want: "insecure NOERROR 2"},
	{question: "www.undelegated.net A", want: "secure NXDOMAIN 0"},
	{question: "www.elsewhere.other A", want: "insecure NOERROR 2"},
	{question: "www.signed.out.org A", want: "secure NOERROR 2"},
	// Chains and sizes.
	{question: "c1.long.net A", want: "insecure NOERROR 11"},
	{question: "c1.longer.net A", want: "failed"},
	{question: "x.d.nsec.net CNAME", want: "secure NOERROR 2", unbound: "bogus", why: dnameWhy},
	{question: "x.d.nsec3.org CNAME", want: "secure NOERROR 2", unbound: "bogus", why: dnameWhy},
	{question: "x.d.plain.net CNAME", want: "insecure NOERROR 2"},
	{
		question: strings.Repeat("x", 60) + ".dlong.nsec.net A", want: "secure YXDOMAIN 1", unbound: "insecure YXDOMAIN 1",
		why: "the signed DNAME proves it (RFC 6672 2.2, 5.3.4); unbound validates no answer with this code",
	},
	{question: strings.Repeat("x", 60) + ".dlong.plain.net A", want: "insecure YXDOMAIN 1"},
	{question: "huge.plain.net TXT", want: "insecure NOERROR 90"},
	{question: "huge.nsec.net TXT", want: "secure NOERROR 90"},
	{
		question: "crowd.nsec.net TXT", want: "secure NOERROR 300", bind: "failed",
		why: "BIND takes at most 100 records in a set (max-records-per-type, against CVE-2024-1737); RFC 2181 5 bounds no set",
	},
	// Servers.
	{question: "www.halfdead.net A", want: "insecure NOERROR 2"},
	{question: "www.dead.net A", want: "failed"},
	{question: "www.halfsilent.net A", want: "insecure NOERROR 2"},
	{question: "www.silent.net A", want: "failed"},
	{question: "www.halflame.net A", want: "insecure NOERROR 2"},
	{question: "www.lame.net A", want: "failed"},
	{question: "www.refused.net A", want: "failed"},
	{question: "www.halfrefused.net A", want: "insecure NOERROR 2"},
	{question: "www.servfail.net A", want: "failed"},
	{question: "www.halfservfail.net A", want: "insecure NOERROR 2"},
	{question: "www.formerr.net A", want: "insecure NOERROR 2"},
	{question: "www.spoofed.net A", want: "insecure NOERROR 2"},
	{question: "www.lowercase.net A", want: "insecure NOERROR 2"},
	{question: "www.tight.net A", want: "failed"},
	{
		question: "www.knot.net A", want: "insecure NOERROR 2", bind: "failed",
		why: "each of two zones is served from the other: only the glue of siblings leads there, which RFC 9471 2.3 lets the parent give and nobody has to follow; BIND does not",
	},
	{question: "www.truncated.net A", want: "insecure NOERROR 2"},
	{question: "www.garbage.net A", want: "failed"},
	// Signed, and no validator can say by what.
	{question: "www.island.net A", want: "insecure NOERROR 2"},
	{question: "www.unknown.net A", want: "insecure NOERROR 2"},
	{question: "www.unsupported.net A", want: "insecure NOERROR 2"},
	// Signatures.
	{question: "www.expired.net A", want: "bogus"},
	{question: "www.expired.net TXT", want: "secure NOERROR 1"},
	{
		question: "www.early.net A", want: "bogus", unbound: "secure NOERROR 2",
		why: "valid from tomorrow: RFC 4035 5.3.1 wants the inception not to be in the future; unbound lets clocks differ by up to a day (val-sig-skew-max)",
	},
	{question: "www.unsigned.net A", want: "bogus"},
	{question: "www.unsigned.net TXT", want: "secure NOERROR 1"},
	{question: "www.moved.net A", want: "bogus"},
	{question: "nothing.moved.net A", want: "bogus"},
	{question: "www.corrupt.net A", want: "bogus"},
	{question: "www.wrong.net A", want: "bogus"},
	{question: "nothing.wrong.net A", want: "bogus"},
	{question: "www.oldkeys.net A", want: "bogus"},
	{question: "www.sub.oldkeys.net A", want: "bogus"},
	{question: "www.keytrap.net A", want: "bogus"},
	{question: "www.stripped.net A", want: "bogus"},
	{question: "www.halfstripped.net A", want: "secure NOERROR 2"},
	{question: "www.forged.net A", want: "bogus"},
	{question: "www.noedns.net A", want: "bogus"},
	{question: "www.under.bad A", want: "bogus"},
	// Denial.
	{question: "nothing.mute.net TXT", want: "bogus"},
	{question: "www.mute.net CAA", want: "bogus"},
	{question: "www.mute.net A", want: "secure NOERROR 2"},
	{question: "any.wild.mute.net TXT", want: "bogus"},
	{question: "nothing.olddenial.net TXT", want: "bogus"},
	{question: "www.denied.net A", want: "bogus"},
	{question: "nothing.iterated50.net TXT", want: "secure NXDOMAIN 0"},
	{question: "nothing.iterated150.net TXT", want: "secure NXDOMAIN 0"},
	{question: "nothing.iterated151.net TXT", want: "insecure NXDOMAIN 0"},
	{question: "nothing.iterated2500.net TXT", want: "insecure NXDOMAIN 0"},
	{question: "www.iterated2500.net A", want: "secure NOERROR 2"},
}

// oracleWorld has the zones that the questions are about.
func oracleWorld() lab.Change {
	zones := map[string]lab.ZoneChange{}
	zone := func(name string, sign *lab.Signing, servers ...string) {
		zones[name] = lab.ZoneChange{ZoneCopy: lab.ZoneCopy{Add: oracleRecords, Sign: sign}, Servers: servers}
	}
	for name, s := range map[string]lab.Signing{
		"nsec.net": {}, "nsec3.org": {NSEC3: &lab.NSEC3{Iterations: 2, Salt: "ab"}}, "out.org": {NSEC3: &lab.NSEC3{OptOut: true}},
		"rsa.net": {Algorithm: 8}, "p384.net": {Algorithm: 14}, "ed25519.net": {Algorithm: 15},
		"sub.nsec3.org": {}, "signed.out.org": {}, "signed.plain.net": {},
		"island.net": {DS: "absent", Expired: lab.Strings{"all"}}, "unknown.net": {Algorithm: 200}, "unsupported.net": {DS: "unsupported"},
		"expired.net": {Expired: lab.Strings{"www A"}}, "early.net": {NotYet: lab.Strings{"all"}},
		"unsigned.net": {Unsigned: lab.Strings{"www A"}}, "moved.net": {Unsigned: lab.Strings{"all"}, NoDenial: true},
		"corrupt.net": {Corrupt: lab.Strings{"www A"}}, "wrong.net": {DS: "wrong"},
		"oldkeys.net": {Expired: lab.Strings{"@ DNSKEY"}}, "sub.oldkeys.net": {}, "keytrap.net": {KeyTrap: 60},
		"bad": {DS: "wrong"}, "mute.net": {NoDenial: true}, "olddenial.net": {Expired: lab.Strings{"denial"}},
		"iterated50.net": iterated(50), "iterated150.net": iterated(150), "iterated151.net": iterated(151), "iterated2500.net": iterated(2500),
	} {
		zone(name, &s)
	}
	for _, name := range []string{"plain.net", "plain.nsec.net", "under.out.org", "under.bad"} {
		zone(name, nil)
	}
	zone("elsewhere.other", nil, "ns1", "ns2.provider.com")
	zone("knot.net", nil, "ns1.bow.net")
	zone("bow.net", nil, "ns1.knot.net")
	zone("tight.net", nil, "ns1.taut.net")
	zone("taut.net", nil, "ns1.tight.net")
	chain := func(name string, n int) {
		zones[name] = lab.ZoneChange{ZoneCopy: lab.ZoneCopy{Add: lab.Strings{
			fmt.Sprintf("$GENERATE 1-%d c$ CNAME c${1,0,d}", n), fmt.Sprintf("c%d A 45.155.70.1", n+1),
		}}}
	}
	chain("long.net", 10)
	chain("longer.net", 30)
	for _, name := range []string{"plain.net", "nsec.net"} {
		z := zones[name]
		label := strings.Repeat("y", 63)
		z.Add = append(z.Add[:len(z.Add):len(z.Add)],
			"dlong DNAME "+label+"."+label+"."+label+".t",
			`$GENERATE 1-90 huge TXT "$" "`+strings.Repeat("z", 250)+`" "`+strings.Repeat("z", 250)+`"`,
			`$GENERATE 1-300 crowd TXT "record $"`)
		zones[name] = z
	}
	zone("undelegated.net", nil)
	undelegated := zones["undelegated.net"]
	undelegated.Delegated = new(bool)
	zones["undelegated.net"] = undelegated

	servers := map[string]lab.ServerChange{}
	for name, f := range map[string]lab.Fault{
		"silent.net": {Do: "drop"}, "lame.net": {Do: "lame"}, "refused.net": {Do: "refused"}, "servfail.net": {Do: "servfail"},
		"spoofed.net": {Do: "spoof", Answer: lab.Strings{"@ A 45.155.70.9"}}, "lowercase.net": {Do: "lowercase"},
		"truncated.net": {Do: "truncate"}, "garbage.net": {Do: "garbage"}, "formerr.net": {Do: "formerr", EDNS: new(true)},
	} {
		zone(name, nil, "ns1."+name, "ns2."+name)
		for _, n := range []string{"ns1.", "ns2."} {
			servers[n+name] = lab.ServerChange{Faults: []lab.Fault{f}}
		}
		if half := "half" + name; name != "spoofed.net" {
			zone(half, nil, "ns1."+half, "ns2."+half)
			servers["ns1."+half] = lab.ServerChange{Faults: []lab.Fault{f}}
		}
	}
	for name, f := range map[string]lab.Fault{
		"stripped.net": {Do: "no-signatures"}, "forged.net": {Do: "answer", Type: lab.Strings{"A"}, Answer: lab.Strings{"@ A 45.155.70.9"}},
		"denied.net": {Do: "nxdomain", Type: lab.Strings{"A"}}, "noedns.net": {Do: "no-edns"},
	} {
		zone(name, &lab.Signing{}, "ns1."+name)
		f.Below = lab.Strings{"www." + name}
		servers["ns1."+name] = lab.ServerChange{Faults: []lab.Fault{f}}
	}
	zone("halfstripped.net", &lab.Signing{}, "ns1.halfstripped.net", "ns2.halfstripped.net")
	servers["ns1.halfstripped.net"] = lab.ServerChange{Faults: []lab.Fault{{Do: "no-signatures"}}}
	zone("dead.net", nil, "ns1.dead.net", "ns2.dead.net")
	zone("halfdead.net", nil, "ns1.halfdead.net", "ns2.halfdead.net")
	for _, n := range []string{"ns1.dead.net", "ns2.dead.net", "ns1.halfdead.net"} {
		servers[n] = lab.ServerChange{Closed: lab.Strings{"udp", "tcp"}}
	}
	none := lab.Strings{}
	return lab.Change{
		Zones: zones, Servers: servers, Places: lab.Strings{"P0"},
		Delegation: map[string]lab.Delegation{
			"tight.net": {Glue: map[string]lab.Strings{"ns1.taut.net": none}},
			"taut.net":  {Glue: map[string]lab.Strings{"ns1.tight.net": none}},
		},
	}
}

func iterated(n int) lab.Signing {
	return lab.Signing{NSEC3: &lab.NSEC3{Iterations: n, Salt: "ab"}}
}
