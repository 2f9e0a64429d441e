package dnssec

import (
	"slices"
	"strings"
	"testing"
	"time"

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

// TestSignatures goes through what can be wrong with a signature.
func TestSignatures(t *testing.T) {
	t.Parallel()
	z := signZone(t, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\nwww A 192.0.2.3", dns.ECDSAP256SHA256, nil)
	k := z.trust(t)
	set := rrs(t, "www.orchard.net. A 192.0.2.3\nwww.orchard.net. A 192.0.2.4")
	at := func(d time.Duration) uint32 { return uint32(now.Add(d).Unix()) }
	other := newKey(t, "orchard.net", dns.ECDSAP256SHA256, 256, 7)
	below := newKey(t, "www.orchard.net", dns.ECDSAP256SHA256, 256, 0)
	with := func(key testKey, edit ...func(*dns.RRSIG)) dns.RR { return key.sign(t, set, edit...) }
	after := func(edit func(*dns.RRSIG)) dns.RR {
		sig := z.zk.sign(t, set)
		edit(sig)
		return sig
	}
	expired := with(z.zk, func(s *dns.RRSIG) { s.Inception, s.Expiration = at(-48*time.Hour), at(-time.Hour) })
	early := with(z.zk, func(s *dns.RRSIG) { s.Inception, s.Expiration = at(time.Hour), at(48*time.Hour) })
	forged := after(func(s *dns.RRSIG) { s.OrigTtl++ })
	stranger := with(other)
	for name, c := range map[string]struct {
		sigs   []dns.RR
		state  State
		reason string
	}{
		"good":                     {[]dns.RR{with(z.zk)}, Secure, ""},
		"by the key signing key":   {[]dns.RR{with(z.ksk)}, Secure, ""},
		"none":                     {nil, Bogus, evidence.ReasonNoSignature},
		"expired":                  {[]dns.RR{expired}, Bogus, evidence.ReasonExpired},
		"early":                    {[]dns.RR{early}, Bogus, evidence.ReasonNotYetValid},
		"forged":                   {[]dns.RR{forged}, Bogus, evidence.ReasonBadSignature},
		"unknown key":              {[]dns.RR{stranger}, Bogus, evidence.ReasonNoKey},
		"one good among bad ones":  {[]dns.RR{stranger, forged, early, expired, with(z.zk)}, Secure, ""},
		"expired tells most":       {[]dns.RR{stranger, forged, early, expired}, Bogus, evidence.ReasonExpired},
		"early before forged":      {[]dns.RR{stranger, forged, early}, Bogus, evidence.ReasonNotYetValid},
		"forged before strange":    {[]dns.RR{stranger, forged}, Bogus, evidence.ReasonBadSignature},
		"to the second":            {[]dns.RR{with(z.zk, func(s *dns.RRSIG) { s.Inception, s.Expiration = at(0), at(0) })}, Secure, ""},
		"a second over":            {[]dns.RR{with(z.zk, func(s *dns.RRSIG) { s.Expiration = at(-time.Second) })}, Bogus, evidence.ReasonExpired},
		"a second early":           {[]dns.RR{with(z.zk, func(s *dns.RRSIG) { s.Inception = at(time.Second) })}, Bogus, evidence.ReasonNotYetValid},
		"ends before it begins":    {[]dns.RR{with(z.zk, func(s *dns.RRSIG) { s.Inception, s.Expiration = at(time.Hour), at(-time.Hour) })}, Bogus, evidence.ReasonBadSignature},
		"of another zone":          {[]dns.RR{with(below)}, Bogus, evidence.ReasonNoKey},
		"of the parent":            {[]dns.RR{with(newKey(t, "net", dns.ECDSAP256SHA256, 256, 0))}, Bogus, evidence.ReasonNoKey},
		"of an unknown algorithm":  {[]dns.RR{after(func(s *dns.RRSIG) { s.Algorithm = 99 })}, Bogus, evidence.ReasonNoKey},
		"with too many labels":     {[]dns.RR{after(func(s *dns.RRSIG) { s.Labels = 4 })}, Bogus, evidence.ReasonBadSignature},
		"with labels above a zone": {[]dns.RR{after(func(s *dns.RRSIG) { s.Labels = 1 })}, Bogus, evidence.ReasonBadSignature},
		"with a wildcard's labels": {[]dns.RR{after(func(s *dns.RRSIG) { s.Labels = 2 })}, Bogus, evidence.ReasonBadSignature},
		"cut short":                {[]dns.RR{after(func(s *dns.RRSIG) { s.Signature = s.Signature[:40] })}, Bogus, evidence.ReasonBadSignature},
		"empty":                    {[]dns.RR{after(func(s *dns.RRSIG) { s.Signature = "" })}, Bogus, evidence.ReasonBadSignature},
		"no base64":                {[]dns.RR{after(func(s *dns.RRSIG) { s.Signature = "!" })}, Bogus, evidence.ReasonBadSignature},
		"covering another type":    {[]dns.RR{after(func(s *dns.RRSIG) { s.TypeCovered = dns.TypeAAAA })}, Bogus, evidence.ReasonNoSignature},
		"of another class":         {[]dns.RR{after(func(s *dns.RRSIG) { s.Hdr.Class = dns.ClassCHAOS })}, Bogus, evidence.ReasonNoSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := k.Verify(set, c.sigs, now, NewWork())
			if r.State != c.state || r.Reason != c.reason {
				t.Errorf("%s %s, want %s %s: %s", r.State, r.Reason, c.state, c.reason, r.Detail)
			}
			if c.state == Secure && (r.KeyTag == 0 || r.ValidUntil.Before(now) || r.ValidFrom.After(now)) {
				t.Errorf("facts of the signature: %+v", r)
			}
		})
	}
	if r := k.Verify(set, []dns.RR{with(below)}, now, NewWork()); r.Cut != "www.orchard.net." {
		t.Errorf("cut %q", r.Cut)
	}
	for name, bad := range map[string][]dns.RR{"nothing": nil, "two sets": append(slices.Clone(set), rrs(t, "x. A 1.2.3.4")...), "nil": {nil}} {
		if r := k.Verify(bad, nil, now, nil); r.State != Bogus {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := k.Verify(rrs(t, "www.elsewhere.net. A 192.0.2.3"), nil, now, nil); r.State != Bogus || r.Reason != evidence.ReasonNoKey {
		t.Errorf("outside: %+v", r)
	}
}

// TestForgedFields are signatures that verify and yet must not count.
func TestForgedFields(t *testing.T) {
	t.Parallel()
	z := signZone(t, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\nwww A 192.0.2.3", dns.ED25519, nil)
	k := z.trust(t)
	set := rrs(t, "www.orchard.net. A 192.0.2.3")
	same := func(*dns.RRSIG) {}
	for name, c := range map[string]struct {
		sig   *dns.RRSIG
		state State
	}{
		"as it should be":         {z.zk.forge(t, "www.orchard.net", set, same), Secure},
		"from a wildcard":         {z.zk.forge(t, "*.orchard.net", set, func(s *dns.RRSIG) { s.Labels = 2 }), Secure},
		"from one above the zone": {z.zk.forge(t, "*.net", set, func(s *dns.RRSIG) { s.Labels = 1 }), Bogus},
		"more labels than owner":  {z.zk.forge(t, "www.orchard.net", set, func(s *dns.RRSIG) { s.Labels = 4 }), Bogus},
		"in another's name":       {z.zk.forge(t, "www.orchard.net", set, func(s *dns.RRSIG) { s.SignerName = "net." }), Bogus},
		"ends before it begins": {z.zk.forge(t, "www.orchard.net", set, func(s *dns.RRSIG) {
			s.Inception, s.Expiration = uint32(now.Unix())-1<<30-10, uint32(now.Unix())+1<<30+10 // 68 years apart
		}), Bogus},
	} {
		r := k.Verify(set, []dns.RR{c.sig}, now, nil)
		if r.State != c.state || r.Wildcard != (name == "from a wildcard") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestTTL is how long validated records may be kept (RFC 4035 5.3.3).
func TestTTL(t *testing.T) {
	t.Parallel()
	z := signZone(t, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\nwww A 192.0.2.3", dns.ED25519, nil)
	k := z.trust(t)
	for _, c := range []struct {
		ttl, original uint32
		left          time.Duration
		want          int
	}{
		{3600, 3600, 24 * time.Hour, 3600},
		{60, 3600, 24 * time.Hour, 60},
		{7200, 3600, 24 * time.Hour, 3600},
		{3600, 3600, time.Minute, 60},
		{3600, 1 << 31, 0, 0},
	} {
		set := rrs(t, "www.orchard.net. A 192.0.2.3\nwww.orchard.net. A 192.0.2.4")
		sig := z.zk.sign(t, set, func(s *dns.RRSIG) {
			s.OrigTtl, s.Expiration = c.original, uint32(now.Add(c.left).Unix())
		})
		set[1].Header().Ttl = c.ttl
		set[0].Header().Ttl = max(c.ttl, 3600)
		if r := k.Verify(set, []dns.RR{sig}, now, nil); r.State != Secure || r.TTL != c.want {
			t.Errorf("%+v: %+v", c, r)
		}
	}
}

// TestWildcardDNAME: names below a name that a wildcard's DNAME was put at.
func TestWildcardDNAME(t *testing.T) {
	t.Parallel()
	z := signZone(t, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\n*.x DNAME new.example.", dns.ED25519, nil)
	star, _ := parseName("*.x.orchard.net")
	m := new(dns.Msg)
	m.Response, m.Authoritative = true, true
	for _, rr := range z.with(star, dns.TypeDNAME) {
		rr = dns.Copy(rr)
		rr.Header().Name = "any.x.orchard.net."
		m.Answer = append(m.Answer, rr)
	}
	if r := z.trust(t).Answer(m, "b.any.x.orchard.net", dns.TypeTXT, now, nil); r.State != Bogus || r.Found != DNAME {
		t.Errorf("%+v", r)
	}
}

// TestSerialTimes looks at signatures around 2106, when 32-bit seconds wrap.
func TestSerialTimes(t *testing.T) {
	t.Parallel()
	wrap := time.Unix(1<<32, 0).UTC()
	z := signZoneAt(t, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\nwww A 192.0.2.3", dns.ECDSAP256SHA256, nil, wrap)
	k := newKeys("orchard.net", Result{State: Secure})
	k.keys = []key{parseKey(z.zk.DNSKEY)}
	m := z.ask(t, "www.orchard.net", dns.TypeA)
	for d, want := range map[time.Duration]string{
		-24 * time.Hour: "", 24 * time.Hour: "", 0: "",
		-8 * 24 * time.Hour: evidence.ReasonNotYetValid, 8 * 24 * time.Hour: evidence.ReasonExpired,
	} {
		r := k.Answer(m, "www.orchard.net", dns.TypeA, wrap.Add(d), NewWork())
		if r.Reason != want {
			t.Errorf("%v: %+v", d, r)
		}
		if !r.ValidFrom.Equal(wrap.Add(-7*24*time.Hour)) || !r.ValidUntil.Equal(wrap.Add(7*24*time.Hour)) {
			t.Errorf("%v: %v to %v", d, r.ValidFrom, r.ValidUntil)
		}
	}
}

// TestLongDNAME makes a name that is too long (RFC 6672 2.2).
func TestLongDNAME(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a23456789012345678901234567890123456789012345678901234567890.", 3)
	z := signZone(t, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\nold DNAME "+long+"muchlonger.example.", dns.ECDSAP256SHA256, nil)
	qname := "b23456789012345678901234567890123456789012345678901234567890.old.orchard.net"
	old, _ := parseName("old.orchard.net")
	m := new(dns.Msg)
	m.Response, m.Authoritative, m.Rcode = true, true, dns.RcodeYXDomain
	m.Answer = z.with(old, dns.TypeDNAME)
	r := z.trust(t).Answer(m, qname, dns.TypeTXT, now, NewWork())
	if r.State != Secure || r.Found != DNAME || r.Target != "" {
		t.Errorf("%+v", r)
	}
	m.Answer = append(m.Answer, rrs(t, qname+". CNAME evil.example.")...)
	if r = z.trust(t).Answer(m, qname, dns.TypeTXT, now, NewWork()); r.State != Bogus {
		t.Errorf("%+v", r)
	}
}
