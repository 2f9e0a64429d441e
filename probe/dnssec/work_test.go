package dnssec

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"assay/evidence"
)

// colliding makes keys that all have one tag, which is a checksum.
func colliding(t *testing.T, zone string, tag uint16, n int) []*dns.DNSKEY {
	t.Helper()
	var keys []*dns.DNSKEY
	for len(keys) < n {
		var raw [32]byte
		if _, err := rand.Read(raw[:]); err != nil {
			t.Fatal(err)
		}
		k := &dns.DNSKEY{
			Hdr:   dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 3600},
			Flags: 256, Protocol: 3, Algorithm: dns.ED25519,
		}
		for range 4 { // carries make the sum miss by a little
			k.PublicKey = base64.StdEncoding.EncodeToString(raw[:])
			miss := tag - k.KeyTag()
			if miss == 0 {
				keys = append(keys, k)
				break
			}
			binary.BigEndian.PutUint16(raw[30:], binary.BigEndian.Uint16(raw[30:])+miss)
		}
	}
	return keys
}

// TestKeyTrap is CVE-2023-50387: many keys of one tag, many signatures.
func TestKeyTrap(t *testing.T) {
	t.Parallel()
	const zone = "orchard.net."
	k := newKeys(zone, Result{State: Secure})
	keys := colliding(t, zone, 4711, 100)
	for _, rr := range keys {
		k.keys = append(k.keys, parseKey(rr))
	}
	www := rrs(t, "www.orchard.net. A 192.0.2.1")
	signer := newKey(t, zone, dns.ED25519, 256, 0)
	var sigs []dns.RR
	for i := range 1000 {
		sig := signer.sign(t, www)
		sig.KeyTag = 4711
		sig.OrigTtl = uint32(i)
		sigs = append(sigs, sig)
	}
	w := NewWork()
	r := k.Verify(www, sigs, now, w)
	if r.State != Bogus || r.Reason != evidence.ReasonTooMuchWork {
		t.Errorf("%+v", r)
	}
	if done := MaxVerifications - w.Verifications; done > MaxFailures {
		t.Errorf("%d verifications", done)
	}
	// Few keys, many signatures.
	k.keys = k.keys[:2:2]
	w = NewWork()
	if r := k.Verify(www, sigs, now, w); r.Reason != evidence.ReasonTooMuchWork || w.Failures != 0 || w.Verifications != MaxVerifications-MaxFailures {
		t.Errorf("%+v %+v", r, w)
	}
	// A good signature after a few bad ones still counts.
	good := newKey(t, zone, dns.ED25519, 256, 1)
	k.keys = append(k.keys, parseKey(good.DNSKEY))
	if r := k.Verify(www, []dns.RR{sigs[0], sigs[1], good.sign(t, www)}, now, NewWork()); r.State != Secure {
		t.Errorf("%+v", r)
	}
	// So does the last of as many keys as may share a tag, and not one more.
	for n, want := range map[int]State{MaxCollisions - 1: Secure, MaxCollisions: Bogus} {
		k.keys = nil
		for _, rr := range append(colliding(t, zone, good.KeyTag(), n), good.DNSKEY) {
			k.keys = append(k.keys, parseKey(rr))
		}
		w = NewWork()
		r := k.Verify(www, []dns.RR{good.sign(t, www)}, now, w)
		if r.State != want || MaxVerifications-w.Verifications != MaxCollisions {
			t.Errorf("%d colliding keys: %+v %+v", n, r, w)
		}
	}
}

// TestHashTrap is the DS side: many keys that might be the one that a DS names.
func TestHashTrap(t *testing.T) {
	t.Parallel()
	const zone = "orchard.net."
	var set []dns.RR
	for _, k := range colliding(t, zone, 4711, 200) {
		set = append(set, k)
	}
	var ds []*dns.DS
	for i := range 50 {
		ds = append(ds, &dns.DS{
			Hdr:    dns.RR_Header{Name: zone, Rrtype: dns.TypeDS, Class: dns.ClassINET, Ttl: 3600},
			KeyTag: 4711, Algorithm: dns.ED25519, DigestType: dns.SHA256, Digest: fmt.Sprintf("%064x", i),
		})
	}
	w := NewWork()
	if _, r := TrustKeys(zone, ds, set, now, w); r.State != Bogus || r.Reason != evidence.ReasonTooMuchWork {
		t.Errorf("%+v", r)
	}
	if w.Digests != 0 || w.Verifications != MaxVerifications {
		t.Errorf("%+v", w)
	}
}

// TestNSEC3Trap is CVE-2023-50868: a closest encloser that must be searched
// through many labels, with as many iterations as are computed.
func TestNSEC3Trap(t *testing.T) {
	t.Parallel()
	z := signZone(t, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\nwww A 192.0.2.3", dns.ED25519, &nsec3Options{iterations: MaxIterations, salt: strings.Repeat("AB", 255)})
	k := z.trust(t)
	deep := strings.Repeat("a.", 110) + "orchard.net"
	w := NewWork()
	r := k.Answer(z.ask(t, deep, dns.TypeTXT), deep, dns.TypeTXT, now, w)
	if r.State != Bogus || r.Reason != evidence.ReasonTooMuchWork || w.Hashes != 0 {
		t.Errorf("%+v %+v", r, w)
	}
	// The names of the reverse tree have 34 labels.
	deep = strings.Repeat("a.", 32) + "orchard.net"
	if r = k.Answer(z.ask(t, deep, dns.TypeTXT), deep, dns.TypeTXT, now, NewWork()); r.State != Secure {
		t.Errorf("%+v", r)
	}
}

// TestManyRecords looks at large messages: work grows with their size only.
func TestManyRecords(t *testing.T) {
	t.Parallel()
	z := signZone(t, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a", dns.ED25519, nil)
	k := z.trust(t)
	var set []dns.RR
	for i := range 3000 {
		set = append(set, rrs(t, fmt.Sprintf("www.orchard.net. TXT %d", i))...)
	}
	m := new(dns.Msg)
	m.Answer = append(set, z.zk.sign(t, set))
	if r := k.Answer(m, "www.orchard.net", dns.TypeTXT, now, nil); r.State != Secure {
		t.Errorf("%+v", r)
	}
	m = new(dns.Msg)
	m.Authoritative = true
	for i := range 1000 { // NSEC records that are good and say nothing
		n := rrs(t, fmt.Sprintf("a%d.orchard.net. NSEC b%d.orchard.net. A", i, i))
		m.Ns = append(m.Ns, n[0], z.zk.sign(t, n))
	}
	w := NewWork()
	if r := k.Answer(m, "zzz.orchard.net", dns.TypeTXT, now, w); r.State != Bogus || r.Reason != evidence.ReasonTooMuchWork || w.Verifications != 0 {
		t.Errorf("%+v", r)
	}
}
