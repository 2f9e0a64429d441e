package dnssec

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
)

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
