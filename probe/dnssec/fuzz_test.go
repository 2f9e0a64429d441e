package dnssec

import (
	"testing"

	"github.com/miekg/dns"
)

// FuzzMessage reads hostile bytes with the keys of real zones: nothing panics,
// work stays in its budget, and what is secure is what the zone's owner signed.
func FuzzMessage(f *testing.F) {
	zones := []*testZone{
		signZone(f, "orchard.net", orchard, dns.ED25519, nil),
		signZone(f, "orchard.net", orchard, dns.ED25519, &nsec3Options{iterations: 2, salt: "AB"}),
	}
	var keys []*Keys
	for _, z := range zones {
		keys = append(keys, z.trust(f))
		for _, q := range []struct {
			name string
			typ  uint16
		}{
			{"orchard.net", dns.TypeDNSKEY},
			{"www.orchard.net", dns.TypeA},
			{"www.orchard.net", dns.TypeCAA},
			{"any.wild.orchard.net", dns.TypeTXT},
			{"x.old.orchard.net", dns.TypeTXT},
			{"nothing.orchard.net", dns.TypeTXT},
			{"signed.orchard.net", dns.TypeNS},
			{"unsigned.orchard.net", dns.TypeNS},
		} {
			wire, err := z.ask(f, q.name, q.typ).Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(wire)
		}
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		m := new(dns.Msg)
		if m.Unpack(wire) != nil || len(m.Question) != 1 {
			return
		}
		q := m.Question[0]
		for i, k := range keys {
			w := NewWork()
			r := k.Answer(m, q.Name, q.Qtype, now, w)
			if r.State == Secure {
				zones[i].check(t, q, r)
			}
			_, _, _ = k.Delegation(m, q.Name, now, w)
			ksk := zones[i].ksk
			if _, r := TrustKeys(q.Name, []*dns.DS{ksk.ds(dns.SHA256)}, m.Answer, now, w); r.State == Secure && q.Name != "orchard.net." {
				if n, _ := parseName(q.Name); n.wire != zones[i].name.wire {
					t.Errorf("keys of %s", q.Name)
				}
			}
			if w.Verifications < 0 || w.Failures < 0 || w.Hashes < 0 || w.Digests < 0 {
				t.Errorf("%+v", w)
			}
		}
	})
}

// check compares a secure result with the zone itself.
func (z *testZone) check(t *testing.T, q dns.Question, r Result) {
	t.Helper()
	n, _ := parseName(q.Name)
	source := n
	if !z.exists(n) {
		source = z.encloser(n).wildcard()
	}
	has := z.sets[source.wire]
	switch r.Found {
	case Records:
		if q.Qtype == dns.TypeCNAME && r.Target != "" {
			break // made from a DNAME
		}
		if has[q.Qtype] == nil && q.Qtype != dns.TypeANY {
			t.Errorf("%s %s: records that the zone has not: %+v", q.Name, dns.Type(q.Qtype), r)
		}
	case CNAME:
		if has[dns.TypeCNAME] == nil {
			t.Errorf("%s: no CNAME there: %+v", q.Name, r)
		}
	case NoData:
		if has[q.Qtype] != nil {
			t.Errorf("%s %s: denied: %+v", q.Name, dns.Type(q.Qtype), r)
		}
	case NXDomain:
		if z.exists(n) || z.exists(source) {
			t.Errorf("%s: denied: %+v", q.Name, r)
		}
	}
}
