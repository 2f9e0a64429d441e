package challenge

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"testing"
	"time"
)

func certificate(tb testing.TB) []byte {
	tb.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	digest, err := asn1.Marshal(make([]byte, 32))
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"Orchard.net"}, EmailAddresses: []string{"a@orchard.net"},
		IPAddresses: []net.IP{net.ParseIP("2001:db8::1"), net.IPv4(192, 0, 2, 1).To4()}, NotBefore: time.Unix(1e9, 0), NotAfter: time.Unix(2e9, 0),
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}, Critical: true, Value: digest}},
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return der
}

// TestRead: every fact; the faults of challenge certificates are tried with
// handshakes in probe/tls.
func TestRead(t *testing.T) {
	t.Parallel()
	der := certificate(t)
	c, err := Read(der)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Names) != 3 || c.Names[0].String() != "Orchard.net" || c.Names[1].String() != "2001:db8::1" || c.Names[2].String() != "192.0.2.1" || c.Others != 1 {
		t.Errorf("names %v, %d others", c.Names, c.Others)
	}
	if len(c.Identifiers) != 1 || !c.Identifiers[0].Critical || len(c.Identifiers[0].Digest) != 32 || !c.SelfIssued || !c.SelfSigned {
		t.Errorf("%+v", c)
	}
	forged := append([]byte{}, der...)
	forged[len(forged)-1] ^= 1
	if c, err := Read(forged); err != nil || c.SelfSigned || !c.SelfIssued {
		t.Errorf("forged: %+v, %v", c, err)
	}
	for name, raw := range map[string][]byte{
		"nothing": nil, "cut": der[:len(der)-1], "more": append(append([]byte{}, der...), 0), "an empty sequence": {0x30, 0}, "too long": make([]byte, maxDER+1),
	} {
		if _, err := Read(raw); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

// FuzzRead: whatever a server shows, reading it ends, in bounds.
func FuzzRead(f *testing.F) {
	f.Add(certificate(f))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := Read(der)
		if err == nil && (len(c.Names)+c.Others > maxNames || len(c.Identifiers) > maxExtensions) {
			t.Errorf("%+v", c)
		}
	})
}
