package csr

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	_ "crypto/md5" // requests signed with these are verified, so that a report
	"crypto/rsa"
	_ "crypto/sha1" // can tell a weak signature from a wrong one
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"math/big"
	"sync"

	"assay/internal/der"
	"assay/key"
)

// An Algorithm is a signature algorithm.
type Algorithm struct {
	// OID with dots.
	OID string
	// Name is what crypto/x509 calls it ("SHA256-RSA", "ECDSA-SHA384"); for
	// algorithms it does not know a name in the same style, or the OID.
	Name string
	// Weak is set for hashes that can be forged: MD2, MD4, MD5, SHA-1.
	Weak bool

	key  key.Type
	hash crypto.Hash
	pss  bool
	salt int // bytes, of pss
}

var algorithms = map[string]Algorithm{
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02": {OID: "1.2.840.113549.1.1.2", Name: "MD2-RSA", Weak: true, key: key.RSA},
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x03": {OID: "1.2.840.113549.1.1.3", Name: "MD4-RSA", Weak: true, key: key.RSA},
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04": {OID: "1.2.840.113549.1.1.4", Name: "MD5-RSA", Weak: true, key: key.RSA, hash: crypto.MD5},
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05": {OID: "1.2.840.113549.1.1.5", Name: "SHA1-RSA", Weak: true, key: key.RSA, hash: crypto.SHA1},
	"\x2b\x0e\x03\x02\x1d":                 {OID: "1.3.14.3.2.29", Name: "SHA1-RSA", Weak: true, key: key.RSA, hash: crypto.SHA1},
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b": {OID: "1.2.840.113549.1.1.11", Name: "SHA256-RSA", key: key.RSA, hash: crypto.SHA256},
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c": {OID: "1.2.840.113549.1.1.12", Name: "SHA384-RSA", key: key.RSA, hash: crypto.SHA384},
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d": {OID: "1.2.840.113549.1.1.13", Name: "SHA512-RSA", key: key.RSA, hash: crypto.SHA512},
	"\x2a\x86\x48\xce\x3d\x04\x01":         {OID: "1.2.840.10045.4.1", Name: "ECDSA-SHA1", Weak: true, key: key.ECDSA, hash: crypto.SHA1},
	"\x2a\x86\x48\xce\x3d\x04\x03\x02":     {OID: "1.2.840.10045.4.3.2", Name: "ECDSA-SHA256", key: key.ECDSA, hash: crypto.SHA256},
	"\x2a\x86\x48\xce\x3d\x04\x03\x03":     {OID: "1.2.840.10045.4.3.3", Name: "ECDSA-SHA384", key: key.ECDSA, hash: crypto.SHA384},
	"\x2a\x86\x48\xce\x3d\x04\x03\x04":     {OID: "1.2.840.10045.4.3.4", Name: "ECDSA-SHA512", key: key.ECDSA, hash: crypto.SHA512},
	"\x2b\x65\x70":                         {OID: "1.3.101.112", Name: "Ed25519", key: key.Ed25519},
	"\x2a\x86\x48\xce\x38\x04\x03":         {OID: "1.2.840.10040.4.3", Name: "DSA-SHA1", Weak: true, key: "DSA"},
	"\x60\x86\x48\x01\x65\x03\x04\x03\x02": {OID: "2.16.840.1.101.3.4.3.2", Name: "DSA-SHA256", key: "DSA"},
	// Those that crypto/x509 does not know.
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e": {OID: "1.2.840.113549.1.1.14", Name: "SHA224-RSA", key: key.RSA, hash: crypto.SHA224},
	"\x2a\x86\x48\xce\x3d\x04\x03\x01":     {OID: "1.2.840.10045.4.3.1", Name: "ECDSA-SHA224", key: key.ECDSA, hash: crypto.SHA224},
	"\x60\x86\x48\x01\x65\x03\x04\x03\x09": {OID: "2.16.840.1.101.3.4.3.9", Name: "ECDSA-SHA3-224", key: key.ECDSA, hash: crypto.SHA3_224},
	"\x60\x86\x48\x01\x65\x03\x04\x03\x0a": {OID: "2.16.840.1.101.3.4.3.10", Name: "ECDSA-SHA3-256", key: key.ECDSA, hash: crypto.SHA3_256},
	"\x60\x86\x48\x01\x65\x03\x04\x03\x0b": {OID: "2.16.840.1.101.3.4.3.11", Name: "ECDSA-SHA3-384", key: key.ECDSA, hash: crypto.SHA3_384},
	"\x60\x86\x48\x01\x65\x03\x04\x03\x0c": {OID: "2.16.840.1.101.3.4.3.12", Name: "ECDSA-SHA3-512", key: key.ECDSA, hash: crypto.SHA3_512},
	"\x60\x86\x48\x01\x65\x03\x04\x03\x0d": {OID: "2.16.840.1.101.3.4.3.13", Name: "SHA3-224-RSA", key: key.RSA, hash: crypto.SHA3_224},
	"\x60\x86\x48\x01\x65\x03\x04\x03\x0e": {OID: "2.16.840.1.101.3.4.3.14", Name: "SHA3-256-RSA", key: key.RSA, hash: crypto.SHA3_256},
	"\x60\x86\x48\x01\x65\x03\x04\x03\x0f": {OID: "2.16.840.1.101.3.4.3.15", Name: "SHA3-384-RSA", key: key.RSA, hash: crypto.SHA3_384},
	"\x60\x86\x48\x01\x65\x03\x04\x03\x10": {OID: "2.16.840.1.101.3.4.3.16", Name: "SHA3-512-RSA", key: key.RSA, hash: crypto.SHA3_512},
	// Known by name, not verified here.
	"\x2a\x81\x1c\xcf\x55\x01\x83\x75": {OID: "1.2.156.10197.1.501", Name: "SM2-SM3", key: key.ECDSA},
}

const oidPSS = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"

func algorithmOf(oid, parameters []byte) Algorithm {
	if string(oid) == oidPSS {
		return pssOf(parameters)
	}
	if a, ok := algorithms[string(oid)]; ok {
		return a
	}
	text := der.OIDString(oid)
	return Algorithm{OID: text, Name: text}
}

// pssHashes are the hashes of RSASSA-PSS that are verified.
var pssHashes = map[string]struct {
	hash crypto.Hash
	name string
	weak bool
}{
	"\x2b\x0e\x03\x02\x1a":                 {crypto.SHA1, "SHA1-RSAPSS", true},
	"\x60\x86\x48\x01\x65\x03\x04\x02\x04": {crypto.SHA224, "SHA224-RSAPSS", false},
	"\x60\x86\x48\x01\x65\x03\x04\x02\x01": {crypto.SHA256, "SHA256-RSAPSS", false},
	"\x60\x86\x48\x01\x65\x03\x04\x02\x02": {crypto.SHA384, "SHA384-RSAPSS", false},
	"\x60\x86\x48\x01\x65\x03\x04\x02\x03": {crypto.SHA512, "SHA512-RSAPSS", false},
}

const (
	oidSHA1 = "\x2b\x0e\x03\x02\x1a"
	oidMGF1 = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08"
)

// pssOf reads RSASSA-PSS-params (RFC 8017 A.2.3): one hash for everything, with
// a salt of any length (OpenSSL takes the longest unless told otherwise).
func pssOf(parameters []byte) Algorithm {
	a := Algorithm{OID: "1.2.840.113549.1.1.10", Name: "RSASSA-PSS", key: key.RSA, pss: true}
	p, ok := readPSS(parameters)
	if !ok {
		// SHA-1 is what is meant where no hash is named.
		a.Weak = !bytes.Contains(parameters, []byte("\xa0"))
		return a
	}
	h, known := pssHashes[p.hash]
	a.Weak = h.weak
	if known && p.mask == p.hash {
		a.hash, a.Name, a.salt = h.hash, h.name, p.salt
	}
	return a
}

// pssParameters are RSASSA-PSS-params with their defaults filled in.
type pssParameters struct {
	hash, mask string // OIDs: of the message, and of MGF1
	salt       int
}

func readPSS(raw []byte) (p pssParameters, ok bool) {
	p = pssParameters{hash: oidSHA1, mask: oidSHA1, salt: 20}
	outer := der.NewReader(raw)
	sequence, err := outer.Expect(der.Sequence, "the parameters")
	if err != nil || outer.Done("the parameters") != nil {
		return p, false
	}
	last := byte(0)
	for in := sequence.Inside(); !in.Empty(); {
		field, err := in.Next()
		if err != nil || field.Tag <= last {
			return p, false
		}
		last = field.Tag
		inside := field.Inside()
		one, err := inside.Next()
		if err != nil || !inside.Empty() || !p.set(field.Tag, &one) {
			return p, false
		}
	}
	return p, true
}

func (p *pssParameters) set(tag byte, value *der.Element) (ok bool) {
	switch tag {
	case 0xa0:
		p.hash, _, ok = algorithmID(value)
	case 0xa1:
		oid, rest, found := algorithmID(value)
		if found && oid == oidMGF1 && rest != nil {
			p.mask, _, ok = algorithmID(rest)
		}
	case 0xa2, 0xa3:
		n, err := value.Unsigned("a number")
		ok = err == nil && len(n) <= 2
		number := int(new(big.Int).SetBytes(n).Int64())
		if tag == 0xa3 {
			return ok && number == 1 // trailerFieldBC
		}
		p.salt = number
	}
	return ok
}

// algorithmID reads an AlgorithmIdentifier whose parameters are absent, NULL,
// or, where they are returned, something else.
func algorithmID(e *der.Element) (oid string, parameters *der.Element, ok bool) {
	if e.Tag != der.Sequence {
		return "", nil, false
	}
	in := e.Inside()
	id, err := in.Expect(der.OID, "an algorithm")
	if err != nil {
		return "", nil, false
	}
	if in.Empty() {
		return string(id.Body), nil, true
	}
	rest, err := in.Next()
	if err != nil || !in.Empty() {
		return "", nil, false
	}
	if rest.Tag == der.Null {
		return string(id.Body), nil, true
	}
	return string(id.Body), &rest, true
}

// A Verification is the result of checking a request's own signature.
type Verification struct {
	// OK is set where the signature was made with the private key of the
	// request's public key.
	OK bool
	// Reason is why it is not: "wrong", "mismatch" (the algorithm is for
	// another type of key), "algorithm" (one that cannot be verified here),
	// "key" (the public key cannot be used to verify anything).
	Reason string
}

// Verify checks the signature (RFC 2986 4.2) once and keeps the result. It says
// nothing about whether the algorithm is strong enough.
func (r *Request) Verify() Verification {
	if r.verified == nil {
		reason := verified.of(r)
		r.verified = &Verification{OK: reason == "", Reason: reason}
	}
	return *r.verified
}

// verified are the newest answers of this process: an order's request is read for
// each look at it, and its signature costs more than all else of it.
var verified = answers{known: map[string]string{}}

// mostAnswers bounds what is kept: some 100 KB.
const mostAnswers = 512

type answers struct {
	mu    sync.Mutex
	known map[string]string // what [Request.verify] said, by SHA256
	// ring holds the digests in the order in which they came.
	ring [mostAnswers]string
	next int
}

// of is [Request.verify], which says the same of the same bytes for ever.
func (a *answers) of(r *Request) string {
	a.mu.Lock()
	reason, ok := a.known[r.SHA256]
	a.mu.Unlock()
	if ok {
		return reason
	}
	reason = r.verify()
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, ok := a.known[r.SHA256]; !ok {
		delete(a.known, a.ring[a.next])
		a.ring[a.next], a.known[r.SHA256] = r.SHA256, reason
		a.next = (a.next + 1) % mostAnswers
	}
	return reason
}

func (r *Request) verify() string {
	a, k := r.Signature, r.Key
	switch k.Type {
	case key.RSA, key.ECDSA, key.Ed25519:
	default:
		return "key"
	}
	switch {
	case a.key == "", a.key == k.Type && a.hash == 0 && a.key != key.Ed25519:
		if _, usable := k.Crypto().(*ecdsa.PublicKey); k.Type == key.ECDSA && !usable {
			return "key" // of a curve that nothing is verified with: that is what is wrong
		}
		return "algorithm"
	case a.key != k.Type:
		return "mismatch"
	case a.key == key.Ed25519:
		pub, ok := k.Crypto().(ed25519.PublicKey)
		return reason(ok, func() bool { return r.parameters == nil && ed25519.Verify(pub, r.signed, r.signature) })
	}
	h := a.hash.New()
	h.Write(r.signed)
	digest := h.Sum(nil)
	if a.key == key.ECDSA {
		pub, ok := k.Crypto().(*ecdsa.PublicKey)
		return reason(ok, func() bool { return ecdsa.VerifyASN1(pub, digest, r.signature) })
	}
	return r.verifyRSA(digest)
}

func reason(usable bool, verify func() bool) string {
	switch {
	case !usable:
		return "key"
	case verify():
		return ""
	}
	return "wrong"
}

func (r *Request) verifyRSA(digest []byte) string {
	n, e := r.Key.N, r.Key.E
	if n == nil || n.BitLen() > key.MaxRSABits || n.BitLen() < 128 {
		return "key"
	}
	pub, ok := r.Key.Crypto().(*rsa.PublicKey)
	ordinary := ok && n.BitLen() >= 1024 && n.Bit(0) == 1 && e.Bit(0) == 1 && pub.E >= 3
	switch {
	case ordinary && r.Signature.pss:
		return reason(true, func() bool {
			// A salt of 0 bytes is 0 here too, which means any length.
			return rsa.VerifyPSS(pub, r.Signature.hash, digest, r.signature, &rsa.PSSOptions{SaltLength: r.Signature.salt}) == nil
		})
	case ordinary:
		return reason(true, func() bool { return rsa.VerifyPKCS1v15(pub, r.Signature.hash, digest, r.signature) == nil })
	case r.Signature.pss || e.Sign() == 0 || n.BitLen() > 4096 && e.BitLen() > 64:
		return "key"
	}
	return reason(true, func() bool { return plainPKCS1(n, e, r.Signature.hash, digest, r.signature) })
}

// hashPrefixes are the DigestInfo headers of RFC 8017 9.2, note 1.
var hashPrefixes = map[crypto.Hash]string{
	crypto.MD5:    "\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10",
	crypto.SHA1:   "\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
	crypto.SHA224: "\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c",
	crypto.SHA256: "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
	crypto.SHA384: "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
	crypto.SHA512: "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",

	crypto.SHA3_224: "\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x07\x05\x00\x04\x1c",
	crypto.SHA3_256: "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x08\x05\x00\x04\x20",
	crypto.SHA3_384: "\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x09\x05\x00\x04\x30",
	crypto.SHA3_512: "\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x0a\x05\x00\x04\x40",
}

// plainPKCS1 verifies with keys that the standard library will not touch (short
// ones, even ones, exponents beyond 31 bits), so that a request made with such
// a key is refused for its key and not also for a signature that is right.
func plainPKCS1(n, e *big.Int, hash crypto.Hash, digest, signature []byte) bool {
	size := (n.BitLen() + 7) / 8
	s := new(big.Int).SetBytes(signature)
	padding := size - 3 - len(hashPrefixes[hash]) - len(digest)
	if len(signature) != size || s.Cmp(n) >= 0 || padding < 8 {
		return false
	}
	want := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, padding)...)
	want = append(append(append(want, 0), hashPrefixes[hash]...), digest...)
	return bytes.Equal(new(big.Int).Exp(s, e, n).FillBytes(make([]byte, size)), want)
}
