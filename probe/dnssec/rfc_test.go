package dnssec

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// An example is a response of an RFC, put together from the records of a file.
type example struct {
	section           string
	name              string
	typ               uint16
	rcode             int
	answer, authority string // "owner TYPE; …"
	state             State
	found             Found
}

// TestExamplesRFC4035 takes the responses of RFC 4035 appendix B.
func TestExamplesRFC4035(t *testing.T) {
	t.Parallel()
	at := time.Date(2004, 5, 1, 12, 0, 0, 0, time.UTC)
	z := readExamples(t, "testdata/rfc4035.zone")
	if k := z["example. DNSKEY"][0].(*dns.DNSKEY); k.KeyTag() != 38519 {
		t.Fatal("key tag", k.KeyTag())
	}
	z.run(t, at, []example{
		{"B.1", "x.w.example", dns.TypeMX, 0, "x.w.example. MX", "example. NS", Secure, Records},
		{"B.1 additional", "xx.example", dns.TypeA, 0, "xx.example. A", "", Secure, Records},
		{"B.1 additional", "xx.example", dns.TypeAAAA, 0, "xx.example. AAAA", "", Secure, Records},
		{"B.1 additional", "ns1.example", dns.TypeA, 0, "ns1.example. A", "", Secure, Records},
		{"B.2", "ml.example", dns.TypeA, dns.RcodeNameError, "", "example. SOA; b.example. NSEC; example. NSEC", Secure, NXDomain},
		{"B.2 without the wildcard's denial", "ml.example", dns.TypeA, dns.RcodeNameError, "", "example. SOA; b.example. NSEC", Bogus, NXDomain},
		{"B.2 for a name below the delegation", "x.b.example", dns.TypeA, dns.RcodeNameError, "", "example. SOA; b.example. NSEC; example. NSEC", Bogus, NXDomain},
		{"B.3", "ns1.example", dns.TypeMX, 0, "", "example. SOA; ns1.example. NSEC", Secure, NoData},
		{"B.3 for a type that exists", "ns1.example", dns.TypeA, 0, "", "example. SOA; ns1.example. NSEC", Bogus, NoData},
		{"B.6", "a.z.w.example", dns.TypeMX, 0, "a.z.w.example. MX", "example. NS; x.y.w.example. NSEC", Secure, Records},
		{"B.6 without denial", "a.z.w.example", dns.TypeMX, 0, "a.z.w.example. MX", "example. NS", Bogus, Records},
		{"B.7", "a.z.w.example", dns.TypeAAAA, 0, "", "example. SOA; x.y.w.example. NSEC; *.w.example. NSEC", Secure, NoData},
		{"B.7 without the wildcard", "a.z.w.example", dns.TypeAAAA, 0, "", "example. SOA; x.y.w.example. NSEC", Bogus, NoData},
		// The parent's matter: the example only shows what the child's server says.
		{"B.8", "example", dns.TypeDS, 0, "", "example. SOA; example. NSEC", Bogus, NoData},
	})
	k := z.keys()
	ds, ttl, r := k.Delegation(z.message("", "a.example. NS; a.example. DS", 0), "a.example", at, NewWork())
	if r.State != Secure || len(ds) != 1 || ds[0].KeyTag != 57855 || ttl != 3600 {
		t.Errorf("B.4: %d %d %+v", len(ds), ttl, r)
	}
	ds, ttl, r = k.Delegation(z.message("", "b.example. NS; b.example. NSEC", 0), "b.example", at, NewWork())
	if r.State != Insecure || len(ds) != 0 || ttl != 3600 {
		t.Errorf("B.5: %d %d %+v", len(ds), ttl, r)
	}
	if _, _, r = k.Delegation(z.message("", "b.example. NS", 0), "b.example", at, NewWork()); r.State != Bogus {
		t.Errorf("B.5 without denial: %+v", r)
	}
}

// TestExamplesRFC5155 takes the responses of RFC 5155 appendix B. Its zone has
// opt-out everywhere, so that what rests on a covered name is insecure (9.2).
func TestExamplesRFC5155(t *testing.T) {
	t.Parallel()
	at := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	z := readExamples(t, "testdata/rfc5155.zone")
	if k := z["example. DNSKEY"][0].(*dns.DNSKEY); k.KeyTag() != 40430 {
		t.Fatal("key tag", k.KeyTag())
	}
	const (
		apex = "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. NSEC3" // and covers c.x.w.example
		xw   = "b4um86eghhds6nea196smvmlo4ors995.example. NSEC3"
		a    = "35mthgpgcu1qg68fab165klnsnk3dpvl.example. NSEC3" // covers *.x.w.example, c.example
		ns1  = "2t7b4g4vsa5smi47k61mv5bv1a22bojr.example. NSEC3"
		yw   = "ji6neoaepv8b5o6k4ev33abha8ht9fgc.example. NSEC3"
		zw   = "q04jkcevqvmu85r014c7dkba38o0ji5r.example. NSEC3" // covers z.w.example
		w    = "k8udemvp1j2f7eg6jebps17vp3n8i58h.example. NSEC3"
		star = "r53bq7cc2uvmubfu5ocmm6pers9tk9en.example. NSEC3"
		soa  = "example. SOA; "
	)
	z.run(t, at, []example{
		{"B.1", "a.c.x.w.example", dns.TypeA, dns.RcodeNameError, "", soa + apex + ";" + xw + ";" + a, Insecure, NXDomain},
		{"B.1 without the closest encloser", "a.c.x.w.example", dns.TypeA, dns.RcodeNameError, "", soa + apex + ";" + a, Bogus, NXDomain},
		{"B.1 without the next closer name", "a.c.x.w.example", dns.TypeA, dns.RcodeNameError, "", soa + xw + ";" + a, Bogus, NXDomain},
		{"B.2", "ns1.example", dns.TypeMX, 0, "", soa + ns1, Secure, NoData},
		{"B.2.1", "y.w.example", dns.TypeA, 0, "", soa + yw, Secure, NoData},
		{"B.4", "a.z.w.example", dns.TypeMX, 0, "a.z.w.example. MX", "example. NS; " + zw, Insecure, Records},
		{"B.4 without denial", "a.z.w.example", dns.TypeMX, 0, "a.z.w.example. MX", "example. NS", Bogus, Records},
		{"B.4 additional", "ai.example", dns.TypeA, 0, "ai.example. A", "", Secure, Records},
		{"B.4 additional", "ai.example", dns.TypeAAAA, 0, "ai.example. AAAA", "", Secure, Records},
		{"B.4 additional", "ns1.example", dns.TypeA, 0, "ns1.example. A", "", Secure, Records},
		{"B.5", "a.z.w.example", dns.TypeAAAA, 0, "", soa + w + ";" + zw + ";" + star, Insecure, NoData},
		{"B.5 for the type that the wildcard has", "a.z.w.example", dns.TypeMX, 0, "", soa + w + ";" + zw + ";" + star, Bogus, NoData},
		{"B.6, the parent's matter", "example", dns.TypeDS, 0, "", soa + apex, Bogus, NoData},
		{"no DS in the zone", "ai.example", dns.TypeDS, 0, "", soa + "gjeqe526plbf1g8mklp59enfd789njgi.example. NSEC3", Secure, NoData},
		{"below a delegation", "x.a.example", dns.TypeA, dns.RcodeNameError, "", soa + apex + ";" + a + ";" + xw, Bogus, NXDomain},
	})
	k := z.keys()
	if _, _, r := k.Delegation(z.message("", "c.example. NS; "+a+";"+apex, 0), "c.example", at, NewWork()); r.State != Insecure {
		t.Errorf("B.3: %+v", r)
	}
	if _, _, r := k.Delegation(z.message("", "c.example. NS; "+apex, 0), "c.example", at, NewWork()); r.State != Bogus {
		t.Errorf("B.3 without the covering record: %+v", r)
	}
}

// examples are the sets of an RFC with their signatures, by "owner TYPE".
type examples map[string][]dns.RR

func readExamples(t *testing.T, file string) examples {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	z := examples{}
	for _, rr := range rrs(t, string(text)) {
		typ := rr.Header().Rrtype
		if sig, ok := rr.(*dns.RRSIG); ok {
			typ = sig.TypeCovered
		}
		id := rr.Header().Name + " " + dns.TypeToString[typ]
		z[id] = append(z[id], rr)
	}
	return z
}

// keys trusts all keys of the example zone.
func (z examples) keys() *Keys {
	k := newKeys("example.", Result{State: Secure})
	for _, rr := range z["example. DNSKEY"] {
		k.keys = append(k.keys, parseKey(rr.(*dns.DNSKEY)))
	}
	return k
}

func (z examples) message(answer, authority string, rcode int) *dns.Msg {
	m := new(dns.Msg)
	m.Response, m.Authoritative, m.Rcode = true, true, rcode
	for _, s := range strings.Split(answer, ";") {
		m.Answer = append(m.Answer, z[strings.TrimSpace(s)]...)
	}
	for _, s := range strings.Split(authority, ";") {
		m.Ns = append(m.Ns, z[strings.TrimSpace(s)]...)
	}
	return m
}

func (z examples) run(t *testing.T, at time.Time, list []example) {
	t.Helper()
	for _, e := range list {
		r := z.keys().Answer(z.message(e.answer, e.authority, e.rcode), e.name, e.typ, at, NewWork())
		if r.State != e.state || r.Found != e.found {
			t.Errorf("%s: %s %s, want %s %s: %s", e.section, r.State, r.Found, e.state, e.found, r.Detail)
		}
	}
}
