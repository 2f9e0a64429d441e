package dnssec

import (
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"assay/evidence"
)

func TestDelegation(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, z *testZone, k *Keys) {
		optOut := z.nsec3 != nil && z.nsec3.optOut
		noZone, noName := Secure, Secure
		if optOut {
			noZone, noName = Insecure, Insecure
		}
		for _, c := range []struct {
			child string
			qtype uint16 // NS gives a referral, DS the answer to a DS question
			ds    int
			state State
		}{
			{"signed.orchard.net", dns.TypeNS, 1, Secure},
			{"SIGNED.orchard.net", dns.TypeDS, 1, Secure},
			{"unsigned.orchard.net", dns.TypeNS, 0, Insecure},
			{"unsigned.orchard.net", dns.TypeDS, 0, Insecure},
			{"x.unsigned2.quiet.orchard.net", dns.TypeNS, 0, Insecure},
			{"www.orchard.net", dns.TypeDS, 0, Secure},
			{"ent.orchard.net", dns.TypeDS, 0, Secure},
			{"shop.orchard.net", dns.TypeDS, 0, Secure},
			{"x.old.orchard.net", dns.TypeDS, 0, Secure},
			{"any.wild.orchard.net", dns.TypeDS, 0, noZone},
			{"nothing.orchard.net", dns.TypeDS, 0, noName},
			{"a.b.nothing.orchard.net", dns.TypeDS, 0, noName},
		} {
			m := z.ask(t, c.child, c.qtype)
			ds, ttl, r := k.Delegation(m, c.child, now, NewWork())
			if r.State != c.state || len(ds) != c.ds {
				t.Errorf("%s %s: %d DS, %s %s, want %d, %s: %s\n%s", c.child, dns.Type(c.qtype), len(ds), r.State, r.Reason, c.ds, c.state, r.Detail, m)
			}
			if ttl <= 0 || ttl > 3600 {
				t.Errorf("%s: TTL %d", c.child, ttl)
			}
		}
	})
}

func TestDelegationPitfalls(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, z *testZone, k *Keys) {
		optOut := z.nsec3 != nil && z.nsec3.optOut
		child := signZone(t, "signed.orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\n@ A 192.0.2.1", dns.ECDSAP256SHA256, z.nsec3)
		twin := signZone(t, "unsigned.orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\n@ A 192.0.2.1", dns.ECDSAP256SHA256, z.nsec3)
		referral := func(child string) *dns.Msg { return z.ask(t, child, dns.TypeNS).Copy() }
		bare := func(m *dns.Msg) *dns.Msg { // without DS and denial
			m.Ns = slices.DeleteFunc(m.Ns, func(rr dns.RR) bool { return rr.Header().Rrtype != dns.TypeNS })
			return m
		}
		with := func(m *dns.Msg, from *testZone) *dns.Msg {
			allDenials(from, m)
			return m
		}
		invented := func(name string) *dns.Msg {
			m := new(dns.Msg)
			m.Response = true
			m.Ns = rrs(t, name+". NS ns.evil.example.")
			return m
		}
		expired := referral("signed.orchard.net")
		for i, rr := range expired.Ns {
			if sig, ok := rr.(*dns.RRSIG); ok {
				sig = dns.Copy(sig).(*dns.RRSIG)
				sig.Expiration = sig.Inception
				expired.Ns[i] = sig
			}
		}
		wildcardDS := signZone(t, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\n*.x DS 1 13 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766", dns.ECDSAP256SHA256, nil)
		expanded := new(dns.Msg)
		star, _ := parseName("*.x.orchard.net")
		for _, rr := range wildcardDS.with(star, dns.TypeDS) {
			rr = dns.Copy(rr)
			rr.Header().Name = "any.x.orchard.net."
			expanded.Ns = append(expanded.Ns, rr)
		}
		// An apex record that the parent's own key signed.
		apexBits := bare(referral("unsigned.orchard.net"))
		if z.nsec3 == nil {
			n := rrs(t, "unsigned.orchard.net. NSEC www.orchard.net. NS SOA RRSIG NSEC")
			apexBits.Ns = append(apexBits.Ns, n[0], z.zk.sign(t, n))
		}
		failed := new(dns.Msg)
		failed.Rcode = dns.RcodeServerFailure
		whether := func(yes bool, a, b State) State {
			if yes {
				return a
			}
			return b
		}
		for _, c := range []struct {
			name, child string
			m           *dns.Msg
			state       State
			reason      string
		}{
			{"DS stripped", "signed.orchard.net", bare(referral("signed.orchard.net")), Bogus, evidence.ReasonNoDenial},
			{"DS stripped, with every denial of the zone", "signed.orchard.net", with(bare(referral("signed.orchard.net")), z), Bogus, evidence.ReasonNoDenial},
			{"denial stripped", "unsigned.orchard.net", bare(referral("unsigned.orchard.net")), Bogus, evidence.ReasonNoDenial},
			{"DS expired", "signed.orchard.net", expired, Bogus, evidence.ReasonExpired},
			{"DS from a wildcard", "any.x.orchard.net", expanded, Bogus, evidence.ReasonBadSignature},
			// The child's own apex record has the SOA bit: it says nothing about its DS (RFC 6840 4.4).
			{"denial by the child's apex", "signed.orchard.net", with(bare(referral("signed.orchard.net")), child), Bogus, evidence.ReasonNoKey},
			{"denial by a zone of the same name", "unsigned.orchard.net", with(bare(referral("unsigned.orchard.net")), twin), Bogus, evidence.ReasonNoKey},
			{"the apex's bits, by the parent's key", "unsigned.orchard.net", apexBits, Bogus, evidence.ReasonNoDenial},
			// A delegation that the zone does not know, below a name that it does.
			{"invented below a host", "x.www.orchard.net", with(invented("x.www.orchard.net"), z), whether(optOut, Insecure, Bogus), ""},
			{"invented at a host", "www.orchard.net", with(invented("www.orchard.net"), z), Bogus, evidence.ReasonNoDenial},
			{"invented at an empty non-terminal", "deep.ent.orchard.net", with(invented("deep.ent.orchard.net"), z), Bogus, evidence.ReasonNoDenial},
			{"invented below a delegation", "x.signed.orchard.net", with(invented("x.signed.orchard.net"), z), Bogus, evidence.ReasonNoDenial},
			{"upwards", "net", invented("net"), Indeterminate, evidence.ReasonKeysMissing},
			{"to itself", "orchard.net", invented("orchard.net"), Indeterminate, evidence.ReasonKeysMissing},
			{"server failure", "signed.orchard.net", failed, Indeterminate, evidence.ReasonKeysMissing},
		} {
			ds, _, r := k.Delegation(c.m, c.child, now, NewWork())
			if len(ds) != 0 || r.State != c.state || c.reason != "" && r.Reason != c.reason {
				t.Errorf("%s: %d DS, %s %s, want %s %s: %s", c.name, len(ds), r.State, r.Reason, c.state, c.reason, r.Detail)
			}
		}
		// Parent and child on the same servers: the child answers for itself, and
		// the response shows where its zone begins.
		m := child.ask(t, "signed.orchard.net", dns.TypeA)
		if r := k.Answer(m, "signed.orchard.net", dns.TypeA, now, NewWork()); r.State != Bogus || r.Cut != "signed.orchard.net." {
			t.Errorf("child's answer: %+v", r)
		}
		m = child.ask(t, "nothing.signed.orchard.net", dns.TypeA)
		if r := k.Answer(m, "nothing.signed.orchard.net", dns.TypeA, now, NewWork()); r.State != Bogus || r.Cut != "signed.orchard.net." {
			t.Errorf("child's denial: %+v", r)
		}
	})
}

// TestDelegationBesideWildcard: in an opt-out zone the record that covers an
// unsigned delegation can be that of a wildcard with a CNAME. It is no delegation
// and says nothing about one.
func TestDelegationBesideWildcard(t *testing.T) {
	t.Parallel()
	z := signZone(t, "orchard.net.", strings.Join([]string{
		"orchard.net. 300 IN SOA ns1.orchard.net. hostmaster.orchard.net. 1 7200 3600 1209600 300",
		"orchard.net. 3600 IN NS ns1.orchard.net.",
		"*.orchard.net. 300 IN CNAME www.other.example.",
		"c.orchard.net. 3600 IN NS ns.other.example.",
	}, "\n"), dns.ED25519, &nsec3Options{optOut: true})
	m := z.ask(t, "b.c.orchard.net.", dns.TypeTXT)
	wildcard := z.hashOwner(z.name.wildcard())
	n, _ := parseName("c.orchard.net.")
	if covers := z.cover3(n); len(covers) == 0 || covers[0].Header().Name != wildcard.String() {
		t.Fatalf("the case is lost: %s is not covered by the record of the wildcard", n)
	}
	if _, _, r := z.trust(t).Delegation(m, "c.orchard.net.", now, NewWork()); r.State != Insecure {
		t.Errorf("%+v\n%s", r, m)
	}
}
