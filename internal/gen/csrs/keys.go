package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"math/rand/v2"
)

// draw is a source of numbers that follow from a name.
type draw struct{ *rand.ChaCha8 }

func newDraw(name string) *draw { return &draw{rand.NewChaCha8(sha256.Sum256([]byte(name)))} }

func (d *draw) bits(n int) *big.Int {
	b := make([]byte, (n+7)/8)
	d.Read(b)
	x := new(big.Int).SetBytes(b)
	x.Rsh(x, uint(len(b)*8-n))
	return x
}

// prime returns a prime of n bits whose two highest are set.
func (d *draw) prime(n int) *big.Int {
	p := d.bits(n)
	p.SetBit(p, n-1, 1)
	p.SetBit(p, n-2, 1)
	return next(p)
}

// primeFor returns a prime whose product with a factor has so many bits.
func (d *draw) primeFor(n int, factor int64) *big.Int {
	low := new(big.Int).Lsh(big.NewInt(1), uint(n-1))
	low.Div(low, big.NewInt(factor))
	return next(low.Add(low, d.bits(low.BitLen()-3)))
}

// primeOfCube returns a prime whose cube has 2048 bits.
func (d *draw) primeOfCube() *big.Int {
	for {
		if p := d.prime(683); mul(p, mul(p, p)).BitLen() == 2048 {
			return p
		}
	}
}

// fermatRound returns primes that Fermat's method finds in about that round,
// and not before: the round is ((p+q)/2 − √n), about (p−q)²/(8√n).
func (d *draw) fermatRound(round int64) rsaKey {
	p := d.prime(1024)
	distance := new(big.Int).Sqrt(mul(p, big.NewInt(8*round)))
	return rsaKey{p: p, q: next(new(big.Int).Add(p, distance)), e: f4}
}

// roca returns a prime as the faulty chips make it: k·M + (65537^a mod M), M
// the product of the first 126 primes.
func (d *draw) roca() *big.Int {
	m, count := big.NewInt(1), 0
	for p := int64(2); count < 126; p++ {
		if big.NewInt(p).ProbablyPrime(0) {
			m.Mul(m, big.NewInt(p))
			count++
		}
	}
	for {
		k := d.bits(1024 - m.BitLen())
		k.SetBit(k, 1024-m.BitLen()-1, 1)
		k.SetBit(k, 1024-m.BitLen()-2, 1)
		p := new(big.Int).Exp(f4, d.bits(60), m)
		if p.Add(p, mul(k, m)); p.BitLen() == 1024 && p.Bit(1022) == 1 && p.ProbablyPrime(0) {
			return p
		}
	}
}

// next is the first prime above a number.
func next(x *big.Int) *big.Int {
	p := new(big.Int).Add(x, big.NewInt(1))
	p.SetBit(p, 0, 1)
	for !p.ProbablyPrime(0) {
		p.Add(p, big.NewInt(2))
	}
	return p
}

func mul(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }

// rsaKey is a key of two factors; the second may be no prime: with powers 3 it
// is the square of the first, and 1 leaves a prime modulus.
type rsaKey struct {
	p, q, e *big.Int
	powers  int
}

func (k rsaKey) n() *big.Int { return mul(k.p, k.q) }

func (k rsaKey) phi() *big.Int {
	one := big.NewInt(1)
	p1 := new(big.Int).Sub(k.p, one)
	switch {
	case k.powers == 3: // p²(p−1)
		return mul(k.q, p1)
	case k.q.Cmp(one) == 0:
		return p1
	case k.p.Cmp(k.q) == 0: // p(p−1)
		return mul(k.p, p1)
	}
	return mul(p1, new(big.Int).Sub(k.q, one))
}

func (k rsaKey) public() []byte { return sequence(integer(k.n()), integer(k.e)) }

func (k rsaKey) spki() []byte {
	return sequence(raw("300d06092a864886f70d0101010500"), bits(k.public()))
}

// sign makes a PKCS #1 v1.5 signature with SHA-256 (RFC 8017 8.2.1).
func (k rsaKey) sign(message []byte) []byte {
	size := (k.n().BitLen() + 7) / 8
	digest := sha256.Sum256(message)
	info := append(raw("3031300d060960864801650304020105000420"), digest[:]...)
	padded := make([]byte, size-len(info)-1)
	for i := range padded {
		padded[i] = 0xff
	}
	padded[0], padded[1] = 0, 1
	padded = append(append(padded, 0), info...)
	d := new(big.Int).ModInverse(k.e, k.phi())
	if d == nil {
		return make([]byte, size)
	}
	return new(big.Int).Exp(new(big.Int).SetBytes(padded), d, k.n()).FillBytes(make([]byte, size))
}

func signedRSA(k rsaKey, s subject) string { return k.request(k.spki(), s) }

// unsignedRSA is a request whose key cannot sign: the exponent is even, or the
// modulus is.
func unsignedRSA(d *draw, e, factor *big.Int) string {
	k := rsaKey{p: d.prime(1024), q: d.prime(1024), e: e}
	if factor != nil {
		k.p, k.q = d.primeFor(2048, factor.Int64()), factor
	}
	return k.request(k.spki(), standardNames())
}

func (k rsaKey) request(spki []byte, s subject) string {
	info := s.info(spki)
	return pemText("CERTIFICATE REQUEST", sequence(info, raw("300d06092a864886f70d01010b0500"), bits(k.sign(info))))
}

// ecKey is a P-256 key.
type ecKey struct{ *ecdsa.PrivateKey }

func newECKey(name string) ecKey {
	scalar := sha256.Sum256([]byte(name))
	scalar[0] = 1
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		panic(err)
	}
	return ecKey{k}
}

func (k ecKey) point() (x, y []byte) {
	point, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return point[1:33], point[33:]
}

func (k ecKey) spki() []byte {
	point, _ := k.PublicKey.Bytes()
	return sequence(raw("301306072a8648ce3d020106082a8648ce3d030107"), bits(point))
}

func (k ecKey) request(spki []byte, s subject) string {
	return k.requestWith(spki, s, "300a06082a8648ce3d040302")
}

func (k ecKey) requestWith(spki []byte, s subject, algorithm string) string {
	info := s.info(spki)
	digest := sha256.Sum256(info)
	signature, err := k.Sign(nil, digest[:], crypto.SHA256) // RFC 6979
	if err != nil {
		panic(err)
	}
	return pemText("CERTIFICATE REQUEST", sequence(info, raw(algorithm), bits(signature)))
}

func (k ecKey) private() string {
	der, err := x509.MarshalECPrivateKey(k.PrivateKey)
	if err != nil {
		panic(err)
	}
	return pemText("EC PRIVATE KEY", der)
}

func pemText(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func raw(hexadecimal string) []byte {
	b, err := hex.DecodeString(hexadecimal)
	if err != nil {
		panic(err)
	}
	return b
}
