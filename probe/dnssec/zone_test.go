package dnssec

import (
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The moment of the tests, inside the default validity of signatures.
var now = time.Date(2026, 3, 15, 12, 0, 0, 0, time.UTC)

// A testKey signs.
type testKey struct {
	*dns.DNSKEY
	private crypto.Signer
}

func (k testKey) ds(digest uint8) *dns.DS { return k.ToDS(digest) }

// keyPool keeps generated keys: RSA keys take long.
var keyPool sync.Map

// newKey gives the i-th key of an algorithm, for a zone.
func newKey(t testing.TB, zone string, algorithm uint8, flags uint16, i int) testKey {
	t.Helper()
	type id struct {
		algorithm uint8
		flags     uint16
		i         int
	}
	type pair struct {
		public  string
		private crypto.Signer
	}
	k := &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: dns.Fqdn(zone), Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 3600},
		Flags: flags, Protocol: 3, Algorithm: algorithm,
	}
	bits := map[uint8]int{
		dns.RSASHA1: 1024, dns.RSASHA256: 2048, dns.RSASHA512: 2048,
		dns.ECDSAP256SHA256: 256, dns.ECDSAP384SHA384: 384, dns.ED25519: 256,
	}[algorithm]
	if algorithm == dns.ED25519 { // the same in every process: fuzzing needs it
		seed := sha256.Sum256([]byte{byte(flags >> 8), byte(flags), byte(i)})
		private := ed25519.NewKeyFromSeed(seed[:])
		k.PublicKey = base64.StdEncoding.EncodeToString(private.Public().(ed25519.PublicKey))
		return testKey{k, private}
	}
	made, ok := keyPool.Load(id{algorithm, flags, i})
	if !ok {
		private, err := k.Generate(bits)
		if err != nil {
			t.Fatal(err)
		}
		made, _ = keyPool.LoadOrStore(id{algorithm, flags, i}, pair{k.PublicKey, private.(crypto.Signer)})
	}
	k.PublicKey = made.(pair).public
	return testKey{k, made.(pair).private}
}

// sign signs a set; edit, where given, changes the signature's fields before.
func (k testKey) sign(t testing.TB, set []dns.RR, edit ...func(*dns.RRSIG)) *dns.RRSIG {
	t.Helper()
	sig := &dns.RRSIG{
		KeyTag: k.KeyTag(), SignerName: k.Hdr.Name, Algorithm: k.Algorithm,
	}
	validAround(now)(sig)
	for _, e := range edit {
		e(sig)
	}
	if err := sig.Sign(k.private, set); err != nil {
		t.Fatal(err)
	}
	sig.Hdr.Ttl = set[0].Header().Ttl
	return sig
}

// forge signs what dns.RRSIG.Sign would not, with an Ed25519 key: the fields stay
// as edit leaves them, and the data is that of another owner.
func (k testKey) forge(t testing.TB, owner string, set []dns.RR, edit func(*dns.RRSIG)) *dns.RRSIG {
	t.Helper()
	sig := k.sign(t, set)
	edit(sig)
	n, _ := parseName(owner)
	c, err := canonicalize(n, set)
	if err != nil {
		t.Fatal(err)
	}
	signer, _ := parseName(sig.SignerName)
	raw, err := k.private.Sign(nil, c.signedData(sig, signer), crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	sig.Signature = base64.StdEncoding.EncodeToString(raw)
	return sig
}

func validAround(at time.Time) func(*dns.RRSIG) {
	return func(sig *dns.RRSIG) {
		sig.Inception, sig.Expiration = uint32(at.Add(-7*24*time.Hour).Unix()), uint32(at.Add(7*24*time.Hour).Unix())
	}
}

// rrs parses a zone file fragment.
func rrs(t testing.TB, text string) []dns.RR {
	t.Helper()
	p := dns.NewZoneParser(strings.NewReader(text), ".", "")
	p.SetDefaultTTL(3600)
	var out []dns.RR
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		out = append(out, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// nsec3Options are the parameters of a zone with NSEC3.
type nsec3Options struct {
	iterations uint16
	salt       string
	optOut     bool
}

// A testZone is a signed zone that can answer, as a well-made server would.
type testZone struct {
	name    name
	ksk, zk testKey
	sets    map[string]map[uint16][]dns.RR
	sigs    map[string]map[uint16][]dns.RR
	nsec3   *nsec3Options
	chain   []name // owners with an NSEC, canonical; with NSEC3 all names, ENTs too
}

// signZone signs a zone given as text: everything authoritative, with NSEC or
// NSEC3 records.
func signZone(t testing.TB, origin, text string, algorithm uint8, n3 *nsec3Options) *testZone {
	t.Helper()
	return signZoneAt(t, origin, text, algorithm, n3, now)
}

func signZoneAt(t testing.TB, origin, text string, algorithm uint8, n3 *nsec3Options, at time.Time) *testZone {
	t.Helper()
	apex, ok := parseName(origin)
	if !ok {
		t.Fatal("zone name")
	}
	z := &testZone{
		name: apex, nsec3: n3, sets: map[string]map[uint16][]dns.RR{}, sigs: map[string]map[uint16][]dns.RR{},
		ksk: newKey(t, origin, algorithm, 257, 0), zk: newKey(t, origin, algorithm, 256, 0),
	}
	for _, rr := range rrs(t, "$ORIGIN "+apex.String()+"\n"+text) {
		z.add(rr)
	}
	z.add(z.ksk.DNSKEY)
	z.add(z.zk.DNSKEY)
	z.deny(t)
	for owner, types := range z.sets {
		for typ, set := range types {
			n := wireName(owner)
			if cut, ok := z.cut(n); ok && (n.wire != cut.wire || typ != dns.TypeDS && typ != dns.TypeNSEC) {
				continue
			}
			k := z.zk
			if typ == dns.TypeDNSKEY {
				k = z.ksk
			}
			if z.sigs[owner] == nil {
				z.sigs[owner] = map[uint16][]dns.RR{}
			}
			z.sigs[owner][typ] = []dns.RR{k.sign(t, set, validAround(at))}
		}
	}
	return z
}

func (z *testZone) add(rr dns.RR) {
	n, _ := parseName(rr.Header().Name)
	if z.sets[n.wire] == nil {
		z.sets[n.wire] = map[uint16][]dns.RR{}
	}
	z.sets[n.wire][rr.Header().Rrtype] = append(z.sets[n.wire][rr.Header().Rrtype], rr)
}

// cut is the delegation that a name is at or below.
func (z *testZone) cut(n name) (name, bool) {
	for i := len(z.name.labels) + 1; i <= len(n.labels); i++ {
		if z.sets[n.last(i).wire][dns.TypeNS] != nil {
			return n.last(i), true
		}
	}
	return name{}, false
}

// deny makes the NSEC or NSEC3 chain.
func (z *testZone) deny(t testing.TB) {
	all := map[string]name{}
	for owner := range z.sets {
		n := wireName(owner)
		if cut, ok := z.cut(n); ok {
			if n.wire != cut.wire || z.nsec3 != nil && z.nsec3.optOut && z.sets[owner][dns.TypeDS] == nil {
				continue
			}
		}
		all[owner] = n
		if z.nsec3 != nil { // empty non-terminals have records too
			for i := len(z.name.labels); i < len(n.labels); i++ {
				all[n.last(i).wire] = n.last(i)
			}
		}
	}
	for _, n := range all {
		z.chain = append(z.chain, n)
	}
	slices.SortFunc(z.chain, name.compare)
	if z.nsec3 == nil {
		for i, n := range z.chain {
			next := z.chain[(i+1)%len(z.chain)]
			z.add(&dns.NSEC{
				Hdr:        dns.RR_Header{Name: n.String(), Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: 300},
				NextDomain: next.String(), TypeBitMap: z.bitmap(n, dns.TypeNSEC),
			})
		}
		return
	}
	type entry struct {
		hash string
		n    name
	}
	var list []entry
	for _, n := range z.chain {
		list = append(list, entry{dns.HashName(n.String(), dns.SHA1, z.nsec3.iterations, z.nsec3.salt), n})
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Compare(a.hash, b.hash) })
	var flags uint8
	if z.nsec3.optOut {
		flags = 1
	}
	for i, e := range list {
		z.add(&dns.NSEC3{
			Hdr: dns.RR_Header{
				Name: strings.ToLower(e.hash) + "." + strings.TrimPrefix(z.name.String(), "."), Rrtype: dns.TypeNSEC3, Class: dns.ClassINET, Ttl: 300,
			},
			Hash: dns.SHA1, Flags: flags, Iterations: z.nsec3.iterations, SaltLength: uint8(len(z.nsec3.salt) / 2), Salt: z.nsec3.salt,
			HashLength: 20, NextDomain: list[(i+1)%len(list)].hash, TypeBitMap: z.bitmap(e.n, 0),
		})
	}
	_ = t
}

func (z *testZone) bitmap(n name, self uint16) []uint16 {
	var bits []uint16
	_, cut := z.cut(n)
	for typ := range z.sets[n.wire] {
		if !cut || typ == dns.TypeNS || typ == dns.TypeDS {
			bits = append(bits, typ)
		}
	}
	if len(bits) > 0 && (!cut || z.sets[n.wire][dns.TypeDS] != nil) || self != 0 {
		bits = append(bits, dns.TypeRRSIG)
	}
	if self != 0 {
		bits = append(bits, self)
	}
	slices.Sort(bits)
	return slices.Compact(bits)
}

// trust gives the zone's keys.
func (z *testZone) trust(t testing.TB) *Keys {
	t.Helper()
	k, r := TrustKeys(z.name.String(), []*dns.DS{z.ksk.ds(dns.SHA256)}, z.with(z.name, dns.TypeDNSKEY), now, NewWork())
	if r.State != Secure {
		t.Fatalf("keys of %s: %+v", z.name, r)
	}
	return k
}

// with is a set and its signatures.
func (z *testZone) with(n name, typ uint16) []dns.RR {
	return slices.Concat(z.sets[n.wire][typ], z.sigs[n.wire][typ])
}

// exists tells whether a name exists, also as an empty non-terminal.
func (z *testZone) exists(n name) bool {
	for owner := range z.sets {
		o := wireName(owner)
		hash := z.nsec3 != nil && z.sets[owner][dns.TypeNSEC3] != nil
		if !hash && o.under(n) {
			return true
		}
	}
	return false
}

func (z *testZone) encloser(n name) name {
	for i := 0; ; i++ {
		if z.exists(n.up(i)) {
			return n.up(i)
		}
	}
}
