package dnssec

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// TestCanonicalTypes verifies sets of many types that another implementation
// signed, with names in mixed case.
func TestCanonicalTypes(t *testing.T) {
	t.Parallel()
	k := newKeys("orchard.net", Result{State: Secure})
	signer := newKey(t, "orchard.net", dns.ED25519, 256, 0)
	k.keys = []key{parseKey(signer.DNSKEY)}
	for _, text := range []string{
		"A 192.0.2.9", "AAAA 2001:db8::1", `TXT "b" "A"`, `TXT "\000\255\"\\"`, "NS Ns.Orchard.NET.", "CNAME Www.Orchard.net.",
		"SOA Ns.A. Host\\.Master.B. 1 2 3 4 5", "MX 10 Mail.X.", "PTR A.B.", "SRV 1 2 3 Host.X.", `NAPTR 1 2 "S" "Sip" "!a!B!" Re.X.`,
		`NAPTR 1 2 "" "" "" .`, "DNAME New.X.", "RP Mb.X. Tx.X.", "AFSDB 1 Host.X.", "RT 1 Host.X.", "KX 1 Host.X.", "PX 1 A.X. B.X.",
		"MINFO R.X. E.X.", "MB M.X.", "MG M.X.", "MR M.X.", `HINFO "Cpu" "Os"`, `CAA 128 issue "Ca.Example; a=B"`,
		"DS 1 13 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766", "TLSA 3 1 1 AABB", "SSHFP 1 1 AABB",
		`URI 1 2 "https://X/"`, "LOC 1 N 2 E 3m", `SVCB 1 Svc.X. alpn="h2"`, "HTTPS 0 Alias.X.", "NSEC Next.Orchard.net. A TXT CAA",
		"NSEC3PARAM 1 0 0 -", "TYPE65280 \\# 3 AABBCC", `SPF "v"`, "OPENPGPKEY AABB", "EUI48 00-11-22-33-44-55", "CSYNC 1 3 A NS",
		"NID 1 0014:4fff:ff20:ee64", "LP 1 Loc.X.", "APL 1:192.0.2.0/24", "ZONEMD 1 1 1 " + "AABBCCDDEEFF00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF00112233445566778899",
	} {
		set := rrs(t, "WWW.orchard.net. "+text)
		if more := rrs(t, "www.Orchard.net. 60 "+text); len(more) == 1 && set[0].Header().Rrtype != dns.TypeCNAME {
			set = append(set, more...) // the same record again
		}
		m := new(dns.Msg)
		m.Answer = append(set, signer.sign(t, set))
		m.Compress = true
		wire, err := m.Pack()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got := new(dns.Msg)
		if err := got.Unpack(wire); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		last := len(got.Answer) - 1
		if r := k.Verify(got.Answer[:last], got.Answer[last:], now, nil); r.State != Secure {
			t.Errorf("%s: %+v", text, r)
		}
	}
}

// TestCanonicalOrder takes the order of RFC 4034 6.1.
func TestCanonicalOrder(t *testing.T) {
	t.Parallel()
	var names []name
	for _, s := range []string{
		".", "example", "a.example", "yljkjljk.a.example", "Z.a.example", "zABC.a.EXAMPLE", "z.example", `\001.z.example`, "*.z.example", `\200.z.example`,
	} {
		n, ok := parseName(s)
		if !ok {
			t.Fatal(s)
		}
		names = append(names, n)
	}
	if !slices.IsSortedFunc(names, name.compare) {
		t.Errorf("%v", names)
	}
	for i, n := range names {
		for j, m := range names {
			if c := n.compare(m); (c < 0) != (i < j) || (c == 0) != (i == j) {
				t.Errorf("%v %v: %d", n, m, c)
			}
		}
	}
}

func TestParseName(t *testing.T) {
	t.Parallel()
	long := make([]byte, 0, 300)
	for len(long) < 256 {
		long = append(long, "abcdefg."...)
	}
	for _, bad := range []string{"a..b", ".a", string(long), "a" + string(make([]byte, 64)) + ".b"} {
		if n, ok := parseName(bad); ok {
			t.Errorf("%q: %v", bad, n)
		}
	}
	n, ok := parseName(`A\.b.\067\.D.net`)
	if !ok || n.String() != `a\.b.c\.d.net.` || len(n.labels) != 3 {
		t.Errorf("%v %v", n, ok)
	}
}

// TestSmallRSA takes the keys that crypto/rsa does not: short moduli, and the
// exponent 2^32+1 that BIND once made.
func TestSmallRSA(t *testing.T) {
	t.Parallel()
	data := []byte("what is signed")
	for _, c := range []struct {
		bits int
		e    *big.Int
	}{{512, big.NewInt(65537)}, {768, big.NewInt(3)}, {1024, big.NewInt(1<<32 + 1)}, {2048, big.NewInt(1<<32 + 1)}} {
		n, d := rsaPair(t, c.bits, c.e)
		raw := append([]byte{byte(len(c.e.Bytes()))}, c.e.Bytes()...)
		k := parseKey(&dns.DNSKEY{Algorithm: dns.RSASHA256, PublicKey: base64.StdEncoding.EncodeToString(append(raw, n.Bytes()...))})
		if k.public == nil {
			t.Fatalf("%d bits, e=%v: not read", c.bits, c.e)
		}
		// Sign with plain arithmetic: the encoded message to the power of d.
		size := (c.bits + 7) / 8
		sign := func(data []byte) *big.Int {
			sum := sha256.Sum256(data)
			info := digestInfo[crypto.SHA256] + string(sum[:])
			em := append([]byte{0, 1}, slices.Repeat([]byte{0xff}, size-len(info)-3)...)
			em = append(append(em, 0), info...)
			return new(big.Int).Exp(new(big.Int).SetBytes(em), d, n)
		}
		sig := sign(data).FillBytes(make([]byte, size))
		if !k.verify(data, sig) {
			t.Errorf("%d bits, e=%v: good signature refused", c.bits, c.e)
		}
		for name, bad := range map[string][]byte{
			"changed": append([]byte{sig[0] ^ 1}, sig[1:]...), "short": sig[1:], "long": append([]byte{0}, sig...),
			"zero": make([]byte, size), "the modulus": n.FillBytes(make([]byte, size)),
		} {
			if k.verify(data, bad) {
				t.Errorf("%d bits, e=%v: %s signature taken", c.bits, c.e, name)
			}
		}
		for i := range 100 { // a signature plus the modulus, where there is room for it
			other := []byte{byte(i)}
			if s := sign(other); s.Add(s, n).BitLen() <= 8*size && k.verify(other, s.FillBytes(make([]byte, size))) {
				t.Errorf("%d bits, e=%v: signature above the modulus taken", c.bits, c.e)
			}
		}
		if k.verify([]byte("something else"), sig) {
			t.Errorf("%d bits: other data taken", c.bits)
		}
	}
}

func rsaPair(t *testing.T, bits int, e *big.Int) (n, d *big.Int) {
	t.Helper()
	one := big.NewInt(1)
	for {
		p, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		q, err := rand.Prime(rand.Reader, bits/2)
		if err != nil {
			t.Fatal(err)
		}
		n = new(big.Int).Mul(p, q)
		phi := new(big.Int).Mul(p.Sub(p, one), q.Sub(q, one))
		if d = new(big.Int).ModInverse(e, phi); d != nil && n.BitLen() == bits {
			return n, d
		}
	}
}

// TestMalformedKeys makes sure that keys that cannot be verify nothing.
func TestMalformedKeys(t *testing.T) {
	t.Parallel()
	sig := make([]byte, 64)
	b64 := base64.StdEncoding.EncodeToString
	rsaKey, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	even := append([]byte{1, 3}, rsaKey.N.Bytes()...)
	even[len(even)-1] &^= 1
	for name, k := range map[string]*dns.DNSKEY{
		"empty":            {Algorithm: dns.RSASHA256},
		"no base64":        {Algorithm: dns.RSASHA256, PublicKey: "!"},
		"exponent missing": {Algorithm: dns.RSASHA256, PublicKey: b64([]byte{0, 0, 0})},
		"exponent cut":     {Algorithm: dns.RSASHA256, PublicKey: b64([]byte{9, 1, 1})},
		"exponent 1":       {Algorithm: dns.RSASHA256, PublicKey: b64(append([]byte{1, 1}, rsaKey.N.Bytes()...))},
		"exponent huge":    {Algorithm: dns.RSASHA256, PublicKey: b64(append([]byte{6, 255, 255, 255, 255, 255, 255}, rsaKey.N.Bytes()...))},
		"modulus even":     {Algorithm: dns.RSASHA256, PublicKey: b64(even)},
		"modulus small":    {Algorithm: dns.RSASHA256, PublicKey: b64(append([]byte{1, 3}, rsaKey.N.Bytes()[:32]...))},
		"modulus huge":     {Algorithm: dns.RSASHA256, PublicKey: b64(append([]byte{1, 3}, slices.Repeat([]byte{255}, 513)...))},
		"512 bits, SHA512": {Algorithm: dns.RSASHA512, PublicKey: b64(append([]byte{1, 3}, slices.Repeat([]byte{255}, 64)...))},
		"point off curve":  {Algorithm: dns.ECDSAP256SHA256, PublicKey: b64(slices.Repeat([]byte{1}, 64))},
		"point short":      {Algorithm: dns.ECDSAP384SHA384, PublicKey: b64(slices.Repeat([]byte{1}, 64))},
		"Ed25519 short":    {Algorithm: dns.ED25519, PublicKey: b64(slices.Repeat([]byte{1}, 31))},
		"unknown":          {Algorithm: 99, PublicKey: b64(slices.Repeat([]byte{1}, 32))},
	} {
		parsed := parseKey(k)
		if parsed.public != nil || parsed.verify([]byte("x"), sig) {
			t.Errorf("%s: %+v", name, parsed)
		}
	}
	ec := parseKey(newKey(t, "x", dns.ECDSAP256SHA256, 256, 0).DNSKEY)
	for _, bad := range [][]byte{nil, sig[:63], sig, slices.Repeat([]byte{255}, 64)} {
		if ec.verify([]byte("x"), bad) {
			t.Errorf("%x taken", bad)
		}
	}
}
