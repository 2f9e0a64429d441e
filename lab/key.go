package lab

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/miekg/dns"
)

// A key is a DNSSEC key. Keys, and the signatures made with them, depend on
// nothing but the seed, so that what the laboratory sends can be compared with
// golden files. They are worth nothing outside of it.
type key struct {
	record *dns.DNSKEY
	signer crypto.Signer // nil: an algorithm that cannot be checked
	tag    uint16
}

// The flags of a DNSKEY (RFC 4034 2.1.1): a zone key, and one that a DS names.
const (
	flagZone   = dns.ZONE
	flagSecure = dns.ZONE | dns.SEP
)

// keyTTL is the TTL of DNSKEY sets in seconds.
const keyTTL = 3600

// newKey derives the key of a zone for a role and an algorithm.
func newKey(zone string, flags uint16, algorithm uint8) (*key, error) {
	seed := fmt.Sprintf("assay lab key %s %d %d", zone, flags, algorithm)
	k := &key{record: &dns.DNSKEY{
		Hdr:   dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: keyTTL},
		Flags: flags, Protocol: 3, Algorithm: algorithm,
	}}
	var public []byte
	switch algorithm {
	case dns.RSASHA256:
		private := rsaKey(seed, 1024)
		k.signer, public = private, rsaPublic(private.E, private.N)
	case dns.ECDSAP256SHA256, dns.ECDSAP384SHA384:
		curve := elliptic.P256()
		if algorithm == dns.ECDSAP384SHA384 {
			curve = elliptic.P384()
		}
		private, err := ecdsaKey(seed, curve)
		if err != nil {
			return nil, err
		}
		point, err := private.PublicKey.Bytes()
		if err != nil {
			return nil, fmt.Errorf("laboratory key: %w", err)
		}
		k.signer, public = plainECDSA{private}, point[1:] // without the octet that says "uncompressed" (RFC 6605 4)
	case dns.ED25519:
		sum := sha256.Sum256([]byte(seed))
		private := ed25519.NewKeyFromSeed(sum[:])
		k.signer, public = private, private.Public().(ed25519.PublicKey)
	default:
		public = stream(seed, 64)
	}
	k.record.PublicKey = base64.StdEncoding.EncodeToString(public)
	k.tag = k.record.KeyTag()
	return k, nil
}

// ds returns the DS record that names the key, SHA-256.
func (k *key) ds(ttl uint32) *dns.DS {
	ds := k.record.ToDS(dns.SHA256)
	ds.Hdr.Ttl = ttl
	ds.Digest = strings.ToLower(ds.Digest)
	return ds
}

// plainECDSA signs without randomness (RFC 6979).
type plainECDSA struct{ *ecdsa.PrivateKey }

func (k plainECDSA) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return k.PrivateKey.Sign(nil, digest, opts)
}

func ecdsaKey(seed string, curve elliptic.Curve) (*ecdsa.PrivateKey, error) {
	size := (curve.Params().BitSize + 7) / 8
	// A hash is no valid scalar once in 2^32 times for P-256.
	for try := range 10 {
		if private, err := ecdsa.ParseRawPrivateKey(curve, stream(fmt.Sprint(seed, try), size)); err == nil {
			return private, nil
		}
	}
	return nil, fmt.Errorf("laboratory key: no scalar from %q", seed)
}

func rsaKey(seed string, bits int) *rsa.PrivateKey {
	p, q := prime(seed+" p", bits/2), prime(seed+" q", bits/2)
	one, e := big.NewInt(1), big.NewInt(65537)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537},
		D:         new(big.Int).ModInverse(e, phi), Primes: []*big.Int{p, q},
	}
	k.Precompute()
	return k
}

// prime returns the first prime p from a number that depends on the seed, its
// two upper bits set, for which 65537 is invertible modulo p-1.
func prime(seed string, bits int) *big.Int {
	n := new(big.Int).SetBytes(stream(seed, bits/8))
	n.SetBit(n, bits-1, 1).SetBit(n, bits-2, 1).SetBit(n, 0, 1)
	two, e := big.NewInt(2), big.NewInt(65537)
	for ; ; n.Add(n, two) {
		if n.ProbablyPrime(8) && new(big.Int).Mod(n, e).Int64() != 1 {
			return n
		}
	}
}

// rsaPublic encodes an RSA key (RFC 3110 2).
func rsaPublic(e int, n *big.Int) []byte {
	exponent := big.NewInt(int64(e)).Bytes()
	return append(append([]byte{byte(len(exponent))}, exponent...), n.Bytes()...)
}

// stream returns n bytes that depend on the seed.
func stream(seed string, n int) []byte {
	var b []byte
	for i := uint32(0); len(b) < n; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint32([]byte(seed), i))
		b = append(b, sum[:]...)
	}
	return b[:n]
}

// trapKeys returns n RSA keys that nobody has the private half of and that all
// have the key tag of the first, so that a validator can only try every
// signature with every key (CVE-2023-50387).
func trapKeys(zone string, n int) []*dns.DNSKEY {
	var list []*dns.DNSKEY
	var want uint16
	for i := range n {
		modulus := stream(fmt.Sprintf("assay lab trap %s %d", zone, i), 128)
		modulus[0] |= 0x80
		modulus[127] |= 1
		k := &dns.DNSKEY{
			Hdr:   dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: keyTTL},
			Flags: flagZone, Protocol: 3, Algorithm: dns.RSASHA256,
		}
		tag := func() uint16 {
			k.PublicKey = base64.StdEncoding.EncodeToString(rsaPublic(65537, new(big.Int).SetBytes(modulus)))
			return k.KeyTag()
		}
		if i == 0 {
			want = tag()
		}
		// The tag is a sum of 16-bit words: one word in the middle sets it, but
		// for the carry, which a second round takes in.
		for range 4 {
			if got := tag(); got != want {
				word := binary.BigEndian.Uint16(modulus[64:])
				binary.BigEndian.PutUint16(modulus[64:], word+want-got)
			}
		}
		if tag() == want && !bytes.Equal(modulus[64:66], []byte{0, 0}) {
			list = append(list, k)
		}
	}
	return list
}
