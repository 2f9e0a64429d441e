package dnssec

import (
	"slices"
	"testing"

	"github.com/miekg/dns"

	"assay/evidence"
)

// A pitfall is a response that a careless validator would believe.
type pitfall struct {
	name   string
	denial *nsec3Options
	qname  string
	typ    uint16
	edit   func(t *testing.T, z *testZone, m *dns.Msg)
	state  State
	reason string
}

func TestPitfalls(t *testing.T) {
	t.Parallel()
	n3, opt := &nsec3Options{}, &nsec3Options{optOut: true}
	for _, p := range []pitfall{
		{"record changed", nil, "www.orchard.net", dns.TypeA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Answer[0].(*dns.A).A[3]++
		}, Bogus, evidence.ReasonBadSignature},
		{"record left out", nil, "orchard.net", dns.TypeNS, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Answer = m.Answer[1:]
		}, Bogus, evidence.ReasonBadSignature},
		{"record added", nil, "www.orchard.net", dns.TypeA, func(t *testing.T, _ *testZone, m *dns.Msg) {
			m.Answer = append(m.Answer, rrs(t, "www.orchard.net. A 192.0.2.66")...)
		}, Bogus, evidence.ReasonBadSignature},
		{"record twice is the same set", nil, "www.orchard.net", dns.TypeA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Answer = append(m.Answer, dns.Copy(m.Answer[0]))
		}, Secure, ""},
		{"case of names is free", nil, "www.orchard.net", dns.TypeA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			for _, rr := range m.Answer {
				rr.Header().Name = "WwW.Orchard.NET."
			}
			m.Answer[1].(*dns.RRSIG).SignerName = "ORCHARD.net."
		}, Secure, ""},
		{"TTL raised is still the set", nil, "www.orchard.net", dns.TypeA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Answer[0].Header().Ttl = 1 << 30
		}, Secure, ""},
		{"signature left out", nil, "www.orchard.net", dns.TypeA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Answer = m.Answer[:1]
		}, Bogus, evidence.ReasonNoSignature},
		{"answer of another zone", nil, "www.orchard.net", dns.TypeA, func(t *testing.T, _ *testZone, m *dns.Msg) {
			other := signZone(t, "www.orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\n@ A 192.0.2.3", dns.ECDSAP256SHA256, nil)
			m.Answer = other.with(other.name, dns.TypeA)
		}, Bogus, evidence.ReasonNoKey},
		{"all of another name's records", nil, "www.orchard.net", dns.TypeA, func(_ *testing.T, z *testZone, m *dns.Msg) {
			n, _ := parseName("mail.orchard.net")
			m.Answer = z.with(n, dns.TypeA)
		}, Bogus, evidence.ReasonNoDenial},
		{"nothing said", nil, "www.orchard.net", dns.TypeCAA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Ns = nil
		}, Bogus, evidence.ReasonNoDenial},
		{"SOA alone", nil, "www.orchard.net", dns.TypeCAA, func(_ *testing.T, z *testZone, m *dns.Msg) {
			m.Ns = nil
			z.soa(m)
		}, Bogus, evidence.ReasonNoDenial},
		{"SOA changed", nil, "www.orchard.net", dns.TypeCAA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Ns[0] = dns.Copy(m.Ns[0])
			m.Ns[0].(*dns.SOA).Minttl = 1 << 30
		}, Bogus, evidence.ReasonBadSignature},
		{"NODATA by the record of another name", nil, "www.orchard.net", dns.TypeCAA, func(_ *testing.T, z *testZone, m *dns.Msg) {
			n, _ := parseName("mail.orchard.net")
			m.Ns = nil
			z.soa(m)
			z.put(m, z.with(n, dns.TypeNSEC))
		}, Bogus, evidence.ReasonNoDenial},
		// RFC 4035 5.3.4: a wildcard's records need the denial of the name.
		{"wildcard without denial", nil, "any.wild.orchard.net", dns.TypeTXT, noAuthority, Bogus, evidence.ReasonNoDenial},
		{"wildcard without denial, NSEC3", n3, "any.wild.orchard.net", dns.TypeTXT, noAuthority, Bogus, evidence.ReasonNoDenial},
		{"wildcard used for a name that exists", nil, "nearer.wild.orchard.net", dns.TypeTXT, expandWild, Bogus, evidence.ReasonNoDenial},
		{"wildcard used for a name that exists, NSEC3", n3, "nearer.wild.orchard.net", dns.TypeTXT, expandWild, Bogus, evidence.ReasonNoDenial},
		{"wildcard used below a nearer name", nil, "x.nearer.wild.orchard.net", dns.TypeTXT, expandWild, Bogus, evidence.ReasonNoDenial},
		{"wildcard used below a nearer name, NSEC3", n3, "x.nearer.wild.orchard.net", dns.TypeTXT, expandWild, Bogus, evidence.ReasonNoDenial},
		// The NSEC of a wildcard, expanded: its signature is good for any name.
		{"NSEC from a wildcard", nil, "any.wild.orchard.net", dns.TypeCAA, func(_ *testing.T, z *testZone, m *dns.Msg) {
			m.Ns = nil
			z.soa(m)
			wild, _ := parseName("*.wild.orchard.net")
			for _, rr := range z.with(wild, dns.TypeNSEC) {
				rr = dns.Copy(rr)
				rr.Header().Name = "any.wild.orchard.net."
				m.Ns = append(m.Ns, rr)
			}
		}, Bogus, evidence.ReasonNoDenial},
		// RFC 6840 4.1: the parent's record at a delegation denies nothing but DS.
		{"parent's NSEC against the child's apex", nil, "unsigned.orchard.net", dns.TypeTXT, nodata, Bogus, evidence.ReasonNoDenial},
		{"parent's NSEC3 against the child's apex", n3, "unsigned.orchard.net", dns.TypeTXT, nodata, Bogus, evidence.ReasonNoDenial},
		{"parent's NSEC against a name of the child", nil, "x.unsigned.orchard.net", dns.TypeTXT, nxdomain, Bogus, evidence.ReasonNoDenial},
		{"parent's NSEC3 against a name of the child", n3, "x.unsigned.orchard.net", dns.TypeTXT, nxdomain, Bogus, evidence.ReasonNoDenial},
		{"parent's NSEC against a name of a signed child", nil, "x.signed.orchard.net", dns.TypeTXT, nxdomain, Bogus, evidence.ReasonNoDenial},
		{"parent's NSEC3 against a name of a signed child, opt-out", opt, "x.signed.orchard.net", dns.TypeTXT, nxdomain, Bogus, evidence.ReasonNoDenial},
		// RFC 6672 5.3.4.1: below a DNAME nothing is denied.
		{"NSEC of a DNAME against a name below", nil, "x.old.orchard.net", dns.TypeTXT, nxdomain, Bogus, evidence.ReasonNoDenial},
		{"NSEC3 of a DNAME against a name below", n3, "x.old.orchard.net", dns.TypeTXT, nxdomain, Bogus, evidence.ReasonNoDenial},
		// RFC 6840 4.3: an alias has the data of its target.
		{"NODATA where there is a CNAME", nil, "shop.orchard.net", dns.TypeTXT, nodata, Bogus, evidence.ReasonNoDenial},
		{"NODATA where there is a CNAME, NSEC3", n3, "shop.orchard.net", dns.TypeTXT, nodata, Bogus, evidence.ReasonNoDenial},
		{"NODATA where the wildcard is a CNAME", nil, "x.alias.orchard.net", dns.TypeTXT, nodata, Bogus, evidence.ReasonNoDenial},
		{"NODATA where the wildcard is a CNAME, NSEC3", n3, "x.alias.orchard.net", dns.TypeTXT, nodata, Bogus, evidence.ReasonNoDenial},
		{"NODATA where the wildcard has the type", nil, "any.wild.orchard.net", dns.TypeTXT, nodata, Bogus, evidence.ReasonNoDenial},
		{"NODATA where the wildcard has the type, NSEC3", n3, "any.wild.orchard.net", dns.TypeTXT, nodata, Bogus, evidence.ReasonNoDenial},
		{"NXDOMAIN where a wildcard stands in", nil, "any.wild.orchard.net", dns.TypeTXT, nxdomain, Bogus, evidence.ReasonNoDenial},
		{"NXDOMAIN where a wildcard stands in, NSEC3", n3, "any.wild.orchard.net", dns.TypeTXT, nxdomain, Bogus, evidence.ReasonNoDenial},
		{"NXDOMAIN of an empty non-terminal", nil, "deep.ent.orchard.net", dns.TypeTXT, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Rcode = dns.RcodeNameError // what is proven is NODATA
		}, Secure, ""},
		{"NXDOMAIN of a name that exists", nil, "www.orchard.net", dns.TypeA, nxdomain, Bogus, evidence.ReasonNoDenial},
		{"NXDOMAIN of a name that exists, NSEC3", n3, "www.orchard.net", dns.TypeA, nxdomain, Bogus, evidence.ReasonNoDenial},
		{"NOERROR with the proof of NXDOMAIN", nil, "nothing.orchard.net", dns.TypeA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Rcode = dns.RcodeSuccess
		}, Bogus, evidence.ReasonNoDenial},
		{"NXDOMAIN without the wildcard's denial", n3, "nothing.orchard.net", dns.TypeA, func(_ *testing.T, z *testZone, m *dns.Msg) {
			star, _ := parseName("*.orchard.net")
			cover := z.cover3(star)[0]
			m.Ns = slices.DeleteFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Name == cover.Header().Name })
		}, Bogus, evidence.ReasonNoDenial},
		{"NXDOMAIN of a name in another zone", nil, "www.elsewhere.net", dns.TypeA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Rcode = dns.RcodeNameError
		}, Indeterminate, ""},
		// RFC 6672 5.3.1: what is synthesised from a DNAME is checked.
		{"CNAME that is not the DNAME's", nil, "x.old.orchard.net", dns.TypeTXT, func(t *testing.T, _ *testZone, m *dns.Msg) {
			m.Answer[len(m.Answer)-1].(*dns.CNAME).Target = "evil.example."
		}, Bogus, evidence.ReasonBadSignature},
		{"DNAME without its CNAME", nil, "x.old.orchard.net", dns.TypeTXT, func(t *testing.T, _ *testZone, m *dns.Msg) {
			m.Answer = m.Answer[:len(m.Answer)-1]
		}, Secure, ""},
		{"CNAME alone, not signed", nil, "x.old.orchard.net", dns.TypeTXT, func(t *testing.T, _ *testZone, m *dns.Msg) {
			m.Answer = m.Answer[len(m.Answer)-1:]
		}, Bogus, evidence.ReasonNoSignature},
		// RFC 5155 8.1, 8.2.
		{"NSEC3 with unknown flags", n3, "www.orchard.net", dns.TypeCAA, resignNSEC3(func(rr *dns.NSEC3) { rr.Flags = 4 }), Bogus, evidence.ReasonNoDenial},
		{"NSEC3 with an unknown hash", n3, "www.orchard.net", dns.TypeCAA, resignNSEC3(func(rr *dns.NSEC3) { rr.Hash = 2 }), Bogus, evidence.ReasonNoDenial},
		{"NSEC3 that iterates too often", n3, "www.orchard.net", dns.TypeCAA, resignNSEC3(func(rr *dns.NSEC3) { rr.Iterations = MaxIterations + 1 }), Insecure, ""},
		{"NSEC3 of two salts", n3, "www.orchard.net", dns.TypeCAA, func(t *testing.T, z *testZone, m *dns.Msg) {
			resignNSEC3(func(rr *dns.NSEC3) { rr.Salt, rr.SaltLength = "AA", 1 })(t, z, m)
			mail, _ := parseName("mail.orchard.net")
			m.Ns = append(z.with(z.hashOwner(mail), dns.TypeNSEC3), m.Ns...)
		}, Bogus, evidence.ReasonNoDenial},
		{"NSEC3 made to iterate too often", n3, "www.orchard.net", dns.TypeCAA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			for i, rr := range m.Ns {
				if rr.Header().Rrtype == dns.TypeNSEC3 {
					m.Ns[i] = dns.Copy(rr)
					m.Ns[i].(*dns.NSEC3).Iterations = MaxIterations + 1
				}
			}
		}, Bogus, evidence.ReasonBadSignature},
		{"DS set of the zone's own making", nil, "orchard.net", dns.TypeDS, func(t *testing.T, z *testZone, m *dns.Msg) {
			ds := []dns.RR{z.ksk.ds(dns.SHA256)}
			m.Answer = append(ds, z.zk.sign(t, ds))
		}, Bogus, evidence.ReasonNoKey},
		{"server failure", nil, "www.orchard.net", dns.TypeCAA, func(_ *testing.T, _ *testZone, m *dns.Msg) {
			m.Ns, m.Rcode = nil, dns.RcodeServerFailure
		}, Indeterminate, ""},
		{"referral", nil, "www.orchard.net", dns.TypeCAA, func(t *testing.T, _ *testZone, m *dns.Msg) {
			m.Ns, m.Authoritative = rrs(t, "www.orchard.net. NS ns.evil.example."), false
		}, Indeterminate, ""},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			z := signZone(t, "orchard.net", orchard, dns.ECDSAP256SHA256, p.denial)
			m := z.ask(t, p.qname, p.typ).Copy()
			p.edit(t, z, m)
			r := z.trust(t).Answer(m, p.qname, p.typ, now, NewWork())
			if r.State != p.state || r.Reason != p.reason {
				t.Errorf("%s %s, want %s %s: %s\n%s", r.State, r.Reason, p.state, p.reason, r.Detail, m)
			}
			if r.State == Secure && (r.TTL <= 0 || r.TTL > 3600) {
				t.Errorf("TTL %d", r.TTL)
			}
			if r.State != Secure && r.State != Insecure && r.Detail == "" {
				t.Error("no detail")
			}
		})
	}
}

func noAuthority(_ *testing.T, _ *testZone, m *dns.Msg) { m.Ns = nil }

// expandWild answers with the wildcard's records and every denial of the zone.
func expandWild(_ *testing.T, z *testZone, m *dns.Msg) {
	wild, _ := parseName("*.wild.orchard.net")
	m.Answer, m.Ns, m.Rcode = nil, nil, 0
	for _, rr := range z.with(wild, dns.TypeTXT) {
		rr = dns.Copy(rr)
		rr.Header().Name = m.Question[0].Name
		m.Answer = append(m.Answer, rr)
	}
	allDenials(z, m)
}

// nodata and nxdomain claim it, with every denial record that the zone has.
func nodata(_ *testing.T, z *testZone, m *dns.Msg) {
	m.Answer, m.Ns, m.Rcode, m.Authoritative = nil, nil, 0, true
	z.soa(m)
	allDenials(z, m)
}

func nxdomain(t *testing.T, z *testZone, m *dns.Msg) {
	nodata(t, z, m)
	m.Rcode = dns.RcodeNameError
}

func allDenials(z *testZone, m *dns.Msg) {
	for owner := range z.sets {
		z.put(m, z.with(wireName(owner), dns.TypeNSEC))
		z.put(m, z.with(wireName(owner), dns.TypeNSEC3))
	}
}

// resignNSEC3 changes the NSEC3 records of a message, signed by the zone itself.
func resignNSEC3(edit func(*dns.NSEC3)) func(*testing.T, *testZone, *dns.Msg) {
	return func(t *testing.T, z *testZone, m *dns.Msg) {
		var out []dns.RR
		for _, rr := range m.Ns {
			sig, isSig := rr.(*dns.RRSIG)
			n3, ok := rr.(*dns.NSEC3)
			switch {
			case ok:
				n3 = dns.Copy(n3).(*dns.NSEC3)
				edit(n3)
				out = append(out, n3, z.zk.sign(t, []dns.RR{n3}))
			case !isSig || sig.TypeCovered != dns.TypeNSEC3:
				out = append(out, rr)
			}
		}
		m.Ns = out
	}
}
