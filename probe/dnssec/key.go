package dnssec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"math/big"
	"strings"

	"github.com/miekg/dns"
)

// supportedAlgorithm reports whether signatures of an algorithm are verified.
// RSA/MD5, DSA and GOST are not (RFC 9904), nor Ed448, which the standard library
// lacks: zones that have no other are insecure. RSA/SHA-1 only on demand (RFC 9905).
func supportedAlgorithm(algorithm uint8, sha1 bool) bool {
	switch algorithm {
	case dns.RSASHA256, dns.RSASHA512, dns.ECDSAP256SHA256, dns.ECDSAP384SHA384, dns.ED25519:
		return true
	case dns.RSASHA1, dns.RSASHA1NSEC3SHA1:
		return sha1
	}
	return false
}

// supportedDigest reports whether a DS digest type is read. SHA-1 still is: what
// a DS needs is that nobody finds a second key for a digest, and that holds.
func supportedDigest(digest uint8) bool {
	return digest == dns.SHA1 || digest == dns.SHA256 || digest == dns.SHA384
}

// A key is a zone key that may be trusted.
type key struct {
	tag       uint16
	algorithm uint8
	public    crypto.PublicKey // *rsaKey, *ecdsa.PublicKey or ed25519.PublicKey; nil if malformed
	good      *memory
}

// zoneKey reports whether a DNSKEY may verify data: protocol 3 and the Zone Key
// flag (RFC 4034 2.1), not revoked (RFC 5011 2.1). The SEP flag does not matter.
func zoneKey(rr *dns.DNSKEY) bool {
	return rr.Protocol == 3 && rr.Flags&dns.ZONE != 0 && rr.Flags&dns.REVOKE == 0
}

func parseKey(rr *dns.DNSKEY) key {
	k := key{tag: rr.KeyTag(), algorithm: rr.Algorithm, good: new(memory)}
	raw, err := base64.StdEncoding.DecodeString(rr.PublicKey)
	if err != nil {
		return k
	}
	switch rr.Algorithm {
	case dns.RSASHA1, dns.RSASHA1NSEC3SHA1, dns.RSASHA256:
		k.public = parseRSA(raw, 512)
	case dns.RSASHA512:
		k.public = parseRSA(raw, 1024) // RFC 5702 2.2
	case dns.ECDSAP256SHA256:
		k.public = parsePoint(elliptic.P256(), raw)
	case dns.ECDSAP384SHA384:
		k.public = parsePoint(elliptic.P384(), raw)
	case dns.ED25519:
		if len(raw) == ed25519.PublicKeySize {
			k.public = ed25519.PublicKey(raw)
		}
	}
	return k
}

// verify reports whether sig is the key's signature of data.
func (k *key) verify(data, sig []byte) bool {
	sum := digest(data, sig)
	if k.good.has(sum) {
		return true
	}
	if !k.compute(data, sig) {
		return false
	}
	k.good.add(sum)
	return true
}

func (k *key) compute(data, sig []byte) bool {
	switch public := k.public.(type) {
	case *rsaKey:
		switch k.algorithm {
		case dns.RSASHA256:
			sum := sha256.Sum256(data)
			return public.verify(crypto.SHA256, sum[:], sig)
		case dns.RSASHA512:
			sum := sha512.Sum512(data)
			return public.verify(crypto.SHA512, sum[:], sig)
		}
		sum := sha1.Sum(data)
		return public.verify(crypto.SHA1, sum[:], sig)
	case *ecdsa.PublicKey:
		if public.Curve == elliptic.P256() {
			sum := sha256.Sum256(data)
			return verifyECDSA(public, 32, sum[:], sig)
		}
		sum := sha512.Sum384(data)
		return verifyECDSA(public, 48, sum[:], sig)
	case ed25519.PublicKey:
		return ed25519.Verify(public, data, sig)
	}
	return false
}

func parsePoint(curve elliptic.Curve, raw []byte) crypto.PublicKey {
	public, err := ecdsa.ParseUncompressedPublicKey(curve, append([]byte{4}, raw...))
	if err != nil {
		return nil
	}
	return public
}

// verifyECDSA takes the fixed-width r and s of RFC 6605 4.
func verifyECDSA(public *ecdsa.PublicKey, width int, sum, sig []byte) bool {
	if len(sig) != 2*width {
		return false
	}
	der := make([]byte, 2, 2+2*(3+width)) // at most 104 bytes: every length is one byte
	der = appendInteger(appendInteger(der, sig[:width]), sig[width:])
	der[0], der[1] = 0x30, byte(len(der)-2)
	return ecdsa.VerifyASN1(public, sum, der)
}

// appendInteger appends a DER INTEGER that is not negative.
func appendInteger(der, raw []byte) []byte {
	for len(raw) > 1 && raw[0] == 0 {
		raw = raw[1:]
	}
	if raw[0]&0x80 != 0 {
		der = append(der, 2, byte(len(raw)+1), 0)
	} else {
		der = append(der, 2, byte(len(raw)))
	}
	return append(der, raw...)
}

// An rsaKey is an RSA key of DNSSEC. Moduli below 1024 bits and exponents above
// 31 bits exist in the DNS, and validators take them, but crypto/rsa does not:
// for those there is n and e.
type rsaKey struct {
	std  *rsa.PublicKey
	n, e *big.Int
}

const (
	maxModulus  = 4096 // bits; RFC 3110, RFC 5702 2
	maxExponent = 35   // bits, as BIND: a larger one only costs
)

// parseRSA reads the key format of RFC 3110 2.
func parseRSA(raw []byte, minModulus int) crypto.PublicKey {
	if len(raw) < 3 {
		return nil
	}
	length, raw := int(raw[0]), raw[1:]
	if length == 0 {
		length, raw = int(raw[0])<<8|int(raw[1]), raw[2:]
	}
	if length == 0 || length >= len(raw) {
		return nil
	}
	e, n := new(big.Int).SetBytes(raw[:length]), new(big.Int).SetBytes(raw[length:])
	if n.BitLen() < minModulus || n.BitLen() > maxModulus || n.Bit(0) == 0 ||
		e.BitLen() > maxExponent || e.Bit(0) == 0 || e.BitLen() < 2 {
		return nil
	}
	k := &rsaKey{n: n, e: e}
	if n.BitLen() >= 1024 && e.BitLen() <= 31 {
		k.std = &rsa.PublicKey{N: n, E: int(e.Int64())}
	}
	return k
}

func (k *rsaKey) verify(hash crypto.Hash, sum, sig []byte) bool {
	if k.std != nil {
		return rsa.VerifyPKCS1v15(k.std, hash, sum, sig) == nil
	}
	return k.verifyOdd(hash, sum, sig)
}

// verifyOdd is RSASSA-PKCS1-v1_5 (RFC 8017 8.2.2) for the keys that crypto/rsa
// does not take: everything here is public, so that nothing needs constant time.
func (k *rsaKey) verifyOdd(hash crypto.Hash, sum, sig []byte) bool {
	size := (k.n.BitLen() + 7) / 8
	info := digestInfo[hash] + string(sum)
	s := new(big.Int).SetBytes(sig)
	if len(sig) != size || s.Cmp(k.n) >= 0 || size < len(info)+11 {
		return false
	}
	want := "\x00\x01" + strings.Repeat("\xff", size-len(info)-3) + "\x00" + info
	return string(s.Exp(s, k.e, k.n).FillBytes(make([]byte, size))) == want
}

// digestInfo is the DER before a digest (RFC 8017 9.2, note 1).
var digestInfo = map[crypto.Hash]string{
	crypto.SHA1:   "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
	crypto.SHA256: "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
	crypto.SHA512: "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
}
