package key

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"testing"

	"assay/internal/der"
)

// rsaSPKI encodes an RSA key that the standard library would refuse to.
func rsaSPKI(n, e *big.Int) []byte {
	number := func(x *big.Int) []byte {
		raw, err := asn1.Marshal(x)
		if err != nil {
			panic(err)
		}
		return raw
	}
	content := wrap(der.Sequence, append(number(n), number(e)...))
	return wrap(der.Sequence, append([]byte(algorithmRSA), wrap(der.BitString, append([]byte{0}, content...))...))
}

func ecSPKI(algorithm string, point []byte) []byte {
	return wrap(der.Sequence, append([]byte(algorithm), wrap(der.BitString, append([]byte{0}, point...))...))
}

func spkiOf(t testing.TB, pub any) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return spki
}

func TestParse(t *testing.T) {
	t.Parallel()
	for curve, name := range map[elliptic.Curve]string{elliptic.P224(): "P-224", elliptic.P256(): "P-256", elliptic.P384(): "P-384", elliptic.P521(): "P-521"} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(spkiOf(t, &k.PublicKey))
		if err != nil || p.Encoding != nil || p.Describe() != name || p.Type != ECDSA {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if pub, ok := p.Crypto().(*ecdsa.PublicKey); !ok || !pub.Equal(&k.PublicKey) {
			t.Errorf("%s: another key", name)
		}
	}
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := Parse(spkiOf(t, pub)); err != nil || p.Describe() != "Ed25519" || p.Encoding != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if p := goodKey(t, 2048); p.Describe() != "RSA 2048" || p.Bits() != 2048 || p.E.Int64() != 65537 {
		t.Errorf("%+v", p)
	}
	for _, broken := range [][]byte{nil, {0x30, 0}, {0x30, 0x80}, []byte(algorithmRSA), append(spkiOf(t, pub), 0)} {
		if p, err := Parse(broken); err == nil {
			t.Errorf("%x was read: %+v", broken, p)
		}
	}
}

// TestAlgorithmIdentifiers are the bytes as BR 7.1.3.1 prints them, against
// what the standard library writes.
func TestAlgorithmIdentifiers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ours, printed string }{
		{algorithmRSA, "300d06092a864886f70d0101010500"},
		{algorithmP256, "301306072a8648ce3d020106082a8648ce3d030107"},
		{algorithmP384, "301006072a8648ce3d020106052b81040022"},
		{algorithmP521, "301006072a8648ce3d020106052b81040023"},
	} {
		if hex.EncodeToString([]byte(c.ours)) != c.printed {
			t.Errorf("%x, want %s", c.ours, c.printed)
		}
	}
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, _ := k.PublicKey.Bytes()
	x, y := point[1:33], point[33:]
	join := func(form byte, parts ...[]byte) []byte { return append([]byte{form}, bytes.Join(parts, nil)...) }
	other := bytes.Clone(y)
	other[31] ^= 1
	for name, c := range map[string]struct {
		spki []byte
		part string
	}{
		"right":               {ecSPKI(algorithmP256, point), ""},
		"compressed":          {ecSPKI(algorithmP256, join(2+y[31]&1, x)), "compressed"},
		"hybrid":              {ecSPKI(algorithmP256, join(6+y[31]&1, x, y)), "hybrid"},
		"infinity":            {ecSPKI(algorithmP256, []byte{0}), "infinity"},
		"nothing":             {ecSPKI(algorithmP256, nil), "infinity"},
		"a byte short":        {ecSPKI(algorithmP256, point[:64]), "length"},
		"of another curve":    {ecSPKI(algorithmP384, point), "length"},
		"off the curve":       {ecSPKI(algorithmP256, join(4, x, other)), "off-curve"},
		"zero":                {ecSPKI(algorithmP256, join(4, make([]byte, 64))), "off-curve"},
		"out of range":        {ecSPKI(algorithmP256, join(4, x, bytes.Repeat([]byte{255}, 32))), "range"},
		"the prime itself":    {ecSPKI(algorithmP256, join(4, elliptic.P256().Params().P.Bytes(), y)), "range"},
		"RSA without NULL":    {bytes.Replace(goodKey(t, 1024).SPKI, []byte("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"), []byte("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x04\x00"), 1), "algorithm"},
		"RSA, modulus zero":   {rsaSPKI(new(big.Int), big.NewInt(3)), "structure"},
		"RSA, negative":       {rsaSPKI(big.NewInt(-5), big.NewInt(3)), "structure"},
		"RSA, exponent zero":  {rsaSPKI(big.NewInt(35), new(big.Int)), ""},
		"EC key without name": {ecSPKI("\x30\x09\x06\x07\x2a\x86\x48\xce\x3d\x02\x01", point), "algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Parse(c.spki)
			if err != nil {
				t.Fatal(err)
			}
			part := ""
			if p.Encoding != nil {
				part = p.Encoding.Part
			}
			if part != c.part {
				t.Errorf("%q, want %q: %v", part, c.part, p.Encoding)
			}
		})
	}
}

// TestPrint: the keyprint survives whatever leaves the private key the same.
func TestPrint(t *testing.T) {
	t.Parallel()
	k := goodKey(t, 1024)
	sum := sha256.Sum256(k.N.Bytes())
	if Print(k) != hex.EncodeToString(sum[:]) {
		t.Error("an RSA key is known by its modulus")
	}
	if Print(rsaKey(t, k.N, big.NewInt(3))) != Print(k) {
		t.Error("another exponent changes the keyprint")
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, _ := ec.PublicKey.Bytes()
	whole, _ := Parse(ecSPKI(algorithmP256, point))
	want := sha256.Sum256(append([]byte("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"), point[1:33]...))
	if Print(whole) != hex.EncodeToString(want[:]) {
		t.Error("an EC key is known by curve and X")
	}
	for _, form := range [][]byte{append([]byte{2}, point[1:33]...), append([]byte{3}, point[1:33]...)} {
		if p, _ := Parse(ecSPKI(algorithmP256, form)); Print(p) != Print(whole) {
			t.Error("compression changes the keyprint")
		}
	}
}

// FuzzPublicKey: no bytes break the reader or the tests; it reads what
// crypto/x509 reads, as the same key, and finds an encoding right only where
// crypto/x509 reads it.
func FuzzPublicKey(f *testing.F) {
	f.Add(goodKey(f, 1024).SPKI)
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(spkiOf(f, &k.PublicKey))
	}
	f.Add(rsaSPKI(big.NewInt(15), big.NewInt(11)))
	f.Add(rsaSPKI(pow2(300), pow2(299)))
	f.Add(rsaSPKI(big.NewInt(1), big.NewInt(1)))
	f.Add(ecSPKI(algorithmP256, []byte{0}))
	f.Fuzz(func(t *testing.T, spki []byte) {
		if len(spki) > 4096 {
			return
		}
		standard, standardErr := x509.ParsePKIXPublicKey(spki)
		p, err := Parse(spki)
		if err != nil {
			// crypto/x509 overlooks what follows the last field of a structure.
			if standardErr == nil && !strings.Contains(err.Error(), "follow") {
				t.Errorf("crypto/x509 reads it: %v", err)
			}
			return
		}
		Print(p)
		Examine(p, 110)
		known := p.Type == RSA && p.E != nil && p.E.Sign() > 0 && p.E.IsInt64() || slices.Contains([]string{"P-256", "P-384", "P-521"}, p.Curve)
		if known && p.Encoding == nil && standardErr != nil {
			t.Errorf("crypto/x509 does not read it: %v", standardErr)
		}
		// crypto/x509 overlooks bytes that follow the exponent.
		if standardErr != nil || p.Encoding != nil && p.Encoding.Part == "structure" {
			return
		}
		switch pub := standard.(type) {
		case *rsa.PublicKey:
			if p.N == nil || p.N.Cmp(pub.N) != 0 || p.E.Cmp(big.NewInt(int64(pub.E))) != 0 {
				t.Error("another RSA key")
			}
		case *ecdsa.PublicKey:
			if ours, ok := p.Crypto().(*ecdsa.PublicKey); !ok || !ours.Equal(pub) {
				t.Error("another EC key")
			}
		}
	})
}

// FuzzPrivate: no bytes break the recognition of private keys.
func FuzzPrivate(f *testing.F) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	raw, _ := x509.MarshalECPrivateKey(k)
	f.Add(raw)
	raw, _ = x509.MarshalPKCS8PrivateKey(k)
	f.Add(raw)
	f.Add([]byte(opensshMagic + "\x00\x00\x00\x04none\x00\x00\x00\x04none\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x07ssh-rsa"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p := PublicOf(raw); p != nil {
			Print(p)
			if !IsPrivate(raw) {
				// A version other than 0, 1 and 3 is no key that anything writes.
				if len(raw) > 0 && raw[0] != 0x30 {
					t.Error("a key that is not recognised as private")
				}
			}
		}
	})
}
