package dnssec

import (
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
)

func TestTrustKeys(t *testing.T) {
	t.Parallel()
	const zone = "orchard.net."
	ksk, zsk := newKey(t, zone, dns.ECDSAP256SHA256, 257, 0), newKey(t, zone, dns.ECDSAP256SHA256, 256, 0)
	plain := newKey(t, zone, dns.ECDSAP256SHA256, 256, 1) // no SEP flag
	noZone := newKey(t, zone, dns.ECDSAP256SHA256, 1, 0)
	revoked := newKey(t, zone, dns.ECDSAP256SHA256, 257|dns.REVOKE, 0)
	old := newKey(t, zone, dns.RSASHA1, 257, 0)
	protocol := newKey(t, zone, dns.ECDSAP256SHA256, 257, 2)
	protocol.Protocol = 2
	set := func(keys ...testKey) []dns.RR {
		var out []dns.RR
		for _, k := range keys {
			out = append(out, k.DNSKEY)
		}
		return out
	}
	signed := func(s []dns.RR, by testKey, edit ...func(*dns.RRSIG)) []dns.RR {
		return append(slices.Clone(s), by.sign(t, s, edit...))
	}
	// forge signs without the checks of dns.RRSIG.Sign.
	both := set(ksk, zsk)
	good := signed(both, ksk)
	unsupported := &dns.DS{Hdr: ksk.ds(dns.SHA256).Hdr, KeyTag: 1, Algorithm: 99, DigestType: dns.SHA256, Digest: "AA"}
	gost := &dns.DS{Hdr: unsupported.Hdr, KeyTag: ksk.KeyTag(), Algorithm: ksk.Algorithm, DigestType: 3, Digest: "AA"}
	badDigest := ksk.ds(dns.SHA256)
	badDigest.Digest = "00" + badDigest.Digest[2:]
	badSHA256 := *badDigest
	odd := ksk.ds(dns.SHA256)
	odd.Digest = "zz"
	elsewhere := ksk.ds(dns.SHA256)
	elsewhere.Hdr.Name = "other.net."
	expired := func(s *dns.RRSIG) { s.Expiration = uint32(now.Add(-time.Hour).Unix()) }
	for name, c := range map[string]struct {
		ds     []*dns.DS
		set    []dns.RR
		state  State
		reason string
	}{
		"SHA-256":                         {[]*dns.DS{ksk.ds(dns.SHA256)}, good, Secure, ""},
		"SHA-384":                         {[]*dns.DS{ksk.ds(dns.SHA384)}, good, Secure, ""},
		"SHA-1 alone":                     {[]*dns.DS{ksk.ds(dns.SHA1)}, good, Secure, ""},
		"SHA-1 beside a wrong SHA-256":    {[]*dns.DS{ksk.ds(dns.SHA1), &badSHA256}, good, Bogus, evidence.ReasonNoKey},
		"SHA-1 beside an unread digest":   {[]*dns.DS{ksk.ds(dns.SHA1), gost}, good, Secure, ""},
		"one DS of two matches":           {[]*dns.DS{badDigest, zsk.ds(dns.SHA256)}, signed(both, zsk), Secure, ""},
		"a key without SEP flag":          {[]*dns.DS{plain.ds(dns.SHA256)}, signed(set(plain), plain), Secure, ""},
		"unknown algorithm alone":         {[]*dns.DS{unsupported}, good, Insecure, ""},
		"unknown digest alone":            {[]*dns.DS{gost}, good, Insecure, ""},
		"unknown algorithm beside":        {[]*dns.DS{unsupported, ksk.ds(dns.SHA256)}, good, Secure, ""},
		"unknown beside one that fails":   {[]*dns.DS{unsupported, badDigest}, good, Bogus, evidence.ReasonNoKey},
		"unsupported, and no keys":        {[]*dns.DS{unsupported}, nil, Insecure, ""},
		"RSA/SHA-1":                       {[]*dns.DS{old.ds(dns.SHA256)}, signed(set(old), old), Insecure, ""},
		"no DS":                           {nil, good, Indeterminate, evidence.ReasonKeysMissing},
		"no keys":                         {[]*dns.DS{ksk.ds(dns.SHA256)}, nil, Bogus, evidence.ReasonKeysMissing},
		"wrong digest":                    {[]*dns.DS{badDigest}, good, Bogus, evidence.ReasonNoKey},
		"digest that is none":             {[]*dns.DS{odd}, good, Bogus, evidence.ReasonNoKey},
		"DS of another zone":              {[]*dns.DS{elsewhere}, good, Insecure, ""},
		"keys not signed":                 {[]*dns.DS{ksk.ds(dns.SHA256)}, both, Bogus, evidence.ReasonNoSignature},
		"signed by a key without DS":      {[]*dns.DS{ksk.ds(dns.SHA256)}, signed(both, zsk), Bogus, evidence.ReasonNoKey},
		"signature expired":               {[]*dns.DS{ksk.ds(dns.SHA256)}, signed(both, ksk, expired), Bogus, evidence.ReasonExpired},
		"a key added":                     {[]*dns.DS{ksk.ds(dns.SHA256)}, append(set(plain), good...), Bogus, evidence.ReasonBadSignature},
		"no Zone Key flag":                {[]*dns.DS{noZone.ds(dns.SHA256)}, signed(set(noZone), noZone), Bogus, evidence.ReasonNoKey},
		"protocol other than 3":           {[]*dns.DS{protocol.ds(dns.SHA256)}, signed(set(protocol), protocol), Bogus, evidence.ReasonNoKey},
		"revoked key":                     {[]*dns.DS{revoked.ds(dns.SHA256)}, signed(set(revoked), revoked), Bogus, evidence.ReasonNoKey},
		"records of other types are left": {[]*dns.DS{ksk.ds(dns.SHA256)}, append(rrs(t, zone+" A 192.0.2.1"), good...), Secure, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, r := TrustKeys("Orchard.NET", c.ds, c.set, now, NewWork())
			if r.State != c.state || r.Reason != c.reason {
				t.Errorf("%s %s, want %s %s: %s", r.State, r.Reason, c.state, c.reason, r.Detail)
			}
			if k.Zone() != zone || k.Trust() != r || r.State != Secure && r.Detail == "" {
				t.Errorf("%q %+v %+v", k.Zone(), k.Trust(), r)
			}
			if r.State != Secure {
				a := k.Answer(new(dns.Msg), "www.orchard.net", dns.TypeA, now, nil)
				_, _, d := k.Delegation(new(dns.Msg), "www.orchard.net", now, nil)
				if a.State != r.State || d.State != r.State || k.Verify(nil, nil, now, nil).State != r.State {
					t.Errorf("answers of such keys: %+v %+v", a, d)
				}
			}
		})
	}
	w := NewWork()
	w.SHA1 = true
	if _, r := TrustKeys(zone, []*dns.DS{old.ds(dns.SHA256)}, signed(set(old), old), now, w); r.State != Secure {
		t.Errorf("RSA/SHA-1 on demand: %+v", r)
	}
}

// A revoked key signs its own revocation, but no zone data (RFC 5011 2.1).
func TestRevokedKeySignsNothing(t *testing.T) {
	t.Parallel()
	const zone = "orchard.net."
	ksk, revoked := newKey(t, zone, dns.ECDSAP256SHA256, 257, 0), newKey(t, zone, dns.ECDSAP256SHA256, 257|dns.REVOKE, 0)
	set := []dns.RR{ksk.DNSKEY, revoked.DNSKEY}
	k, r := TrustKeys(zone, []*dns.DS{ksk.ds(dns.SHA256)}, append(slices.Clone(set), ksk.sign(t, set)), now, nil)
	if r.State != Secure {
		t.Fatalf("%+v", r)
	}
	www := rrs(t, "www.orchard.net. A 192.0.2.1")
	if r := k.Verify(www, []dns.RR{revoked.sign(t, www)}, now, nil); r.State != Bogus || r.Reason != evidence.ReasonNoKey {
		t.Errorf("%+v", r)
	}
}

// The records are the caller's, and others may look at them at the same time.
func TestVerifyOnlyReads(t *testing.T) {
	t.Parallel()
	const zone = "orchard.net."
	ksk := newKey(t, zone, dns.ECDSAP256SHA256, 257, 0)
	set := []dns.RR{ksk.DNSKEY}
	www := rrs(t, "www.orchard.net. A 192.0.2.1")
	sigs := []dns.RR{ksk.sign(t, set), ksk.sign(t, www)}
	all := slices.Concat(set, www, sigs)
	for _, rr := range all {
		rr.Header().Rdlength = 7 // what packing a record would change
	}
	k, r := TrustKeys(zone, []*dns.DS{ksk.ds(dns.SHA256)}, append(set, sigs[0]), now, nil)
	if r.State != Secure {
		t.Fatalf("%+v", r)
	}
	if r := k.Verify(www, sigs[1:], now, nil); r.State != Secure {
		t.Errorf("%+v", r)
	}
	for _, rr := range all {
		if rr.Header().Rdlength != 7 {
			t.Errorf("%s was written to", rr)
		}
	}
}

func TestAnchors(t *testing.T) {
	t.Parallel()
	ksk, revoked := newKey(t, ".", dns.RSASHA256, 257, 0), newKey(t, ".", dns.RSASHA256, 257|dns.REVOKE, 1)
	ds := Anchors([]dns.RR{ksk.DNSKEY, revoked.DNSKEY, ksk.ds(dns.SHA256), rrs(t, ". NS a.")[0]})
	if len(ds) != 2 || ds[0].Digest != ds[1].Digest || ds[0].KeyTag != ksk.KeyTag() {
		t.Fatalf("%v", ds)
	}
	set := []dns.RR{ksk.DNSKEY}
	k, r := TrustKeys(".", ds, append(set, ksk.sign(t, set)), now, nil)
	if r.State != Secure || k.Zone() != "." {
		t.Errorf("%+v", r)
	}
}

// TestUntrustedKeys makes sure that what is not proven is never insecure.
func TestUntrustedKeys(t *testing.T) {
	t.Parallel()
	m := new(dns.Msg)
	m.Answer = rrs(t, "www.orchard.net. CNAME Shop.Orchard.net.")
	var none *Keys
	if r := none.Answer(m, "www.orchard.net", dns.TypeA, now, nil); r.State != Indeterminate || r.Found != CNAME || r.Target != "shop.orchard.net." {
		t.Errorf("nil: %+v", r)
	}
	if r := none.Verify(nil, nil, now, nil); r.State != Indeterminate {
		t.Errorf("nil: %+v", r)
	}
	if _, _, r := none.Delegation(m, "x", now, nil); r.State != Indeterminate {
		t.Errorf("nil: %+v", r)
	}
	if r := Unsigned("Orchard.net").Answer(m, "www.orchard.net", dns.TypeA, now, nil); r.State != Insecure || r.Found != CNAME {
		t.Errorf("unsigned: %+v", r)
	}
	for _, s := range []State{Secure, Insecure, Indeterminate, ""} {
		if r := Broken("orchard.net", Result{State: s}).Trust(); r.State != Indeterminate {
			t.Errorf("broken %q: %+v", s, r)
		}
	}
	if r := Broken("orchard.net", Result{State: Bogus, Reason: evidence.ReasonExpired}).Answer(m, "www.orchard.net", dns.TypeA, now, nil); r.State != Bogus || r.Reason != evidence.ReasonExpired {
		t.Errorf("broken: %+v", r)
	}
	if r := Unsigned("a..b").Trust(); r.State != Indeterminate {
		t.Errorf("no name: %+v", r)
	}
	if r := Unsigned("orchard.net").Answer(m, "a..b", dns.TypeA, now, nil); r.State != Indeterminate {
		t.Errorf("no name: %+v", r)
	}
}
