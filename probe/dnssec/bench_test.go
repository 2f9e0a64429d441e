package dnssec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// BenchmarkAnswer validates a positive answer, one signature, and prints how
// many times that is a bare verification of a signature by the standard library.
func BenchmarkAnswer(b *testing.B) {
	for name, algorithm := range map[string]uint8{"P256": dns.ECDSAP256SHA256, "RSA2048": dns.RSASHA256, "Ed25519": dns.ED25519} {
		b.Run(name, func(b *testing.B) {
			z := signZone(b, "orchard.net", "@ SOA a b 1 2 3 4 5\n@ NS a\n_dnsauth.www TXT 2026", algorithm, nil)
			k := z.trust(b)
			m := unpacked(b, z.ask(b, "_dnsauth.www.orchard.net", dns.TypeTXT))
			b.ReportAllocs()
			for b.Loop() {
				if r := k.Answer(m, "_dnsauth.www.orchard.net", dns.TypeTXT, now, NewWork()); r.State != Secure {
					b.Fatalf("%+v", r)
				}
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/bare(b, z, m), "x-bare-verify")
		})
	}
}

// BenchmarkDenial validates an NXDOMAIN by NSEC3: four signatures.
func BenchmarkDenial(b *testing.B) {
	z := signZone(b, "orchard.net", orchard, dns.ECDSAP256SHA256, &nsec3Options{})
	k := z.trust(b)
	m := unpacked(b, z.ask(b, "nothing.orchard.net", dns.TypeTXT))
	w := NewWork()
	k.Answer(m, "nothing.orchard.net", dns.TypeTXT, now, w)
	signatures := MaxVerifications - w.Verifications
	b.ReportAllocs()
	for b.Loop() {
		if r := k.Answer(m, "nothing.orchard.net", dns.TypeTXT, now, NewWork()); r.State != Secure {
			b.Fatalf("%+v", r)
		}
	}
	www := z.ask(b, "www.orchard.net", dns.TypeA)
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/bare(b, z, www)/float64(signatures), "x-bare-verify")
}

func unpacked(b *testing.B, m *dns.Msg) *dns.Msg {
	wire, err := m.Pack()
	if err != nil {
		b.Fatal(err)
	}
	out := new(dns.Msg)
	if err := out.Unpack(wire); err != nil {
		b.Fatal(err)
	}
	return out
}

// bare measures the verification alone, in nanoseconds.
func bare(b *testing.B, z *testZone, m *dns.Msg) float64 {
	b.Helper()
	s := sets(m.Answer)[0]
	sig := s.sigs[0]
	raw, err := base64.StdEncoding.DecodeString(sig.Signature)
	if err != nil {
		b.Fatal(err)
	}
	c, err := canonicalize(s.owner, s.rrs)
	if err != nil {
		b.Fatal(err)
	}
	data := c.signedData(sig, z.name)
	var verify func() bool
	switch public := parseKey(z.zk.DNSKEY).public.(type) {
	case *ecdsa.PublicKey:
		der := appendInteger(appendInteger(make([]byte, 2, 80), raw[:32]), raw[32:])
		der[0], der[1] = 0x30, byte(len(der)-2)
		verify = func() bool { sum := sha256.Sum256(data); return ecdsa.VerifyASN1(public, sum[:], der) }
	case *rsaKey:
		verify = func() bool {
			sum := sha256.Sum256(data)
			return rsa.VerifyPKCS1v15(public.std, crypto.SHA256, sum[:], raw) == nil
		}
	case ed25519.PublicKey:
		verify = func() bool { return ed25519.Verify(public, data, raw) }
	}
	const rounds = 2000
	began := time.Now()
	for range rounds {
		if !verify() {
			b.Fatal("the bare verification fails")
		}
	}
	return float64(time.Since(began)) / rounds
}
