// Package key reads public keys and tests whether they are any good: what
// algorithm and curve they are of, whether they are encoded as the Baseline
// Requirements demand byte for byte (BR 7.1.3.1), and whether an RSA modulus
// falls to the attacks that real keys have fallen to.
//
// Everything here is a pure function of the key. No function ever returns a
// factor or a private exponent: only which test a key failed.
package key

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"

	"assay/internal/der"
)

// MaxRSABits bounds the moduli that are examined at all. The longest key that
// any profile accepts is half of it; a modulus beyond it is only ever refused
// for its length.
const MaxRSABits = 16384

// Type is the family of a key.
type Type string

// The types that have rules. Others carry the name of their algorithm.
const (
	RSA     Type = "RSA"
	ECDSA   Type = "ECDSA"
	Ed25519 Type = "Ed25519"
)

// Public is a public key as it stood in a SubjectPublicKeyInfo. Its byte slices
// share memory with the input of [Parse].
type Public struct {
	// SPKI is the whole SubjectPublicKeyInfo (RFC 5280 4.1.2.7), and Algorithm
	// its AlgorithmIdentifier, both as DER.
	SPKI, Algorithm []byte
	// Type is RSA, ECDSA, or the name of another algorithm ("Ed25519", "DSA",
	// "ML-DSA-65"); its OID where it has no name here.
	Type Type
	// OID is the algorithm's object identifier.
	OID string
	// Curve is the curve of an ECDSA key: "P-256", a name such as "secp256k1",
	// or the OID where it has none here. Empty with Explicit.
	Curve, CurveOID string
	// Explicit is set where the curve is given by its parameters, not its name.
	Explicit bool
	// N and E are the modulus and exponent of an RSA key.
	N, E *big.Int
	// Point is the public point as encoded; X its coordinate, where it has one.
	Point, X []byte
	// Encoding is what is wrong with the encoding, nil where nothing is. A key
	// that could not be read at all has no N or usable point.
	Encoding *EncodingError

	crypto any
}

// An EncodingError is a difference between the encoding of a key and the one
// that is allowed.
type EncodingError struct {
	// Part is "algorithm" (the AlgorithmIdentifier differs from the bytes of BR
	// 7.1.3.1), "structure" (the key cannot be read), or what is wrong with a
	// point: "compressed", "hybrid", "infinity", "length", "range", "off-curve".
	Part string
	// Expected and Seen are hexadecimal where bytes can be compared; Seen is cut
	// to its first 40 bytes.
	Expected, Seen string
	// Detail says more, in English.
	Detail string
}

func (e *EncodingError) Error() string { return "key encoding: " + e.Part + ": " + e.Detail }

// Bits is the length of an RSA modulus, 0 for other keys.
func (p *Public) Bits() int {
	if p.N == nil {
		return 0
	}
	return p.N.BitLen()
}

// Describe names the key for a reader: "RSA 2048", "P-256", "Ed25519".
func (p *Public) Describe() string {
	switch {
	case p.Type == RSA && p.N != nil:
		return fmt.Sprintf("RSA %d", p.Bits())
	case p.Explicit:
		return "ECDSA with explicit curve parameters"
	case p.Type == ECDSA && p.Curve != "":
		return p.Curve
	}
	return string(p.Type)
}

// Crypto returns the key for the standard library: *rsa.PublicKey (exponents
// of up to 31 bits), *ecdsa.PublicKey or ed25519.PublicKey; nil where the
// library has no such key. The point of a compressed key is decompressed.
func (p *Public) Crypto() any { return p.crypto }

// Parse reads a DER SubjectPublicKeyInfo. An error means that it is not one;
// a key of an unknown type, or one that is encoded wrongly inside, is returned
// with what is known of it.
func Parse(spki []byte) (*Public, error) {
	p := &Public{}
	if err := p.parse(spki); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Public) parse(spki []byte) error {
	outer := der.NewReader(spki)
	whole, err := outer.Expect(der.Sequence, "SubjectPublicKeyInfo")
	if err != nil {
		return err
	}
	if err := outer.Done("SubjectPublicKeyInfo"); err != nil {
		return err
	}
	in := whole.Inside()
	algorithm, err := in.Expect(der.Sequence, "AlgorithmIdentifier")
	if err != nil {
		return err
	}
	bitString, err := in.Expect(der.BitString, "subjectPublicKey")
	if err != nil {
		return err
	}
	if err := in.Done("subjectPublicKey"); err != nil {
		return err
	}
	inside := algorithm.Inside()
	oid, err := inside.Expect(der.OID, "algorithm")
	if err != nil {
		return err
	}
	if !der.ValidOID(oid.Body) {
		return &der.Error{Offset: oid.Offset, Message: "algorithm is not an object identifier"}
	}
	var parameters der.Element
	if !inside.Empty() {
		if parameters, err = inside.Next(); err != nil {
			return err
		}
	}
	p.SPKI, p.Algorithm = whole.Raw, algorithm.Raw
	content, err := bitString.Bits("subjectPublicKey")
	if err != nil {
		p.fail("structure", err.Message)
	}
	extra := !inside.Empty()
	switch string(oid.Body) {
	case oidRSA:
		p.Type, p.OID = RSA, "1.2.840.113549.1.1.1"
		p.parseRSA(content)
	case oidEC:
		p.Type, p.OID = ECDSA, "1.2.840.10045.2.1"
		p.parseEC(&parameters, content)
	case oidEd25519:
		p.Type, p.OID = Ed25519, "1.3.101.112"
		if len(content) != ed25519.PublicKeySize || parameters.Raw != nil {
			p.fail("structure", "an Ed25519 key has 32 bytes and no parameters")
		} else {
			p.crypto = ed25519.PublicKey(content)
		}
	default:
		p.OID = der.OIDString(oid.Body)
		if p.Type = otherTypes[p.OID]; p.Type == "" {
			p.Type = Type(p.OID)
		}
	}
	if extra {
		p.fail("structure", "something follows the parameters of the algorithm")
	}
	p.checkAlgorithm()
	return nil
}

// fail keeps the first thing that is wrong.
func (p *Public) fail(part, detail string) {
	if p.Encoding == nil {
		p.Encoding = &EncodingError{Part: part, Detail: detail}
	}
}

// checkAlgorithm compares the AlgorithmIdentifier with the bytes of BR 7.1.3.1.
// They are known only for RSA and the curves of BR 6.1.5.
func (p *Public) checkAlgorithm() {
	expected := ""
	switch {
	case p.Type == RSA:
		expected = algorithmRSA
	case p.Type == ECDSA:
		expected = curves[p.CurveOID].algorithm
	}
	if expected == "" || string(p.Algorithm) == expected {
		return
	}
	p.Encoding = &EncodingError{
		Part: "algorithm", Detail: "the AlgorithmIdentifier differs from the only one allowed",
		Expected: hex.EncodeToString([]byte(expected)), Seen: cutHex(p.Algorithm),
	}
}

func cutHex(b []byte) string {
	if len(b) > 40 {
		return hex.EncodeToString(b[:40]) + "…"
	}
	return hex.EncodeToString(b)
}

func (p *Public) parseRSA(content []byte) {
	r := der.NewReader(content)
	n, e, err := rsaNumbers(&r)
	if err != nil {
		p.fail("structure", err.Message)
		return
	}
	p.N, p.E = new(big.Int).SetBytes(n), new(big.Int).SetBytes(e)
	if p.N.Sign() == 0 {
		p.fail("structure", "the modulus is zero")
		p.N, p.E = nil, nil
		return
	}
	if p.E.IsInt64() && p.E.Int64() <= math.MaxInt32 {
		p.crypto = &rsa.PublicKey{N: p.N, E: int(p.E.Int64())}
	}
}

// rsaNumbers reads RSAPublicKey (RFC 8017 A.1.1).
func rsaNumbers(r *der.Reader) (n, e []byte, err *der.Error) {
	whole, err := r.Expect(der.Sequence, "RSAPublicKey")
	if err != nil {
		return nil, nil, err
	}
	if err = r.Done("RSAPublicKey"); err != nil {
		return nil, nil, err
	}
	in := whole.Inside()
	for _, number := range []struct {
		what string
		into *[]byte
	}{{"the modulus", &n}, {"the exponent", &e}} {
		element, err := in.Expect(der.Integer, number.what)
		if err != nil {
			return nil, nil, err
		}
		if *number.into, err = element.Unsigned(number.what); err != nil {
			return nil, nil, err
		}
	}
	return n, e, in.Done("the exponent")
}

func (p *Public) parseEC(parameters *der.Element, point []byte) {
	p.Point = point
	switch {
	case parameters.Tag == der.OID && der.ValidOID(parameters.Body):
	case parameters.Tag == der.Sequence:
		p.Explicit = true
		return
	default:
		p.fail("algorithm", "the curve is not named")
		return
	}
	p.CurveOID = der.OIDString(parameters.Body)
	c, known := curves[p.CurveOID]
	if p.Curve = c.name; p.Curve == "" {
		p.Curve = p.CurveOID
	}
	if !known || c.bytes == 0 {
		return
	}
	p.parsePoint(c)
}

// parsePoint checks a point as SP 800-56A 5.6.2.3.3 does, which for curves of
// cofactor 1 is the full validation, and X9.62's forms of it.
func (p *Public) parsePoint(c curve) {
	point := p.Point
	if len(point) == 0 || len(point) == 1 && point[0] == 0 {
		p.fail("infinity", "the point at infinity is no public key")
		return
	}
	switch form := point[0]; {
	case (form == 2 || form == 3) && len(point) == 1+c.bytes:
		p.X = point[1:]
		p.Encoding = &EncodingError{Part: "compressed", Detail: "the point is compressed", Expected: "04", Seen: cutHex(point[:1])}
		if c.curve == nil {
			return
		}
		if x, y := elliptic.UnmarshalCompressed(c.curve, point); x == nil {
			p.Encoding = &EncodingError{Part: "off-curve", Detail: "no point of the curve has this coordinate"}
		} else {
			// The key is parsed in its uncompressed form, which checks the point.
			full := make([]byte, 1+2*c.bytes)
			full[0] = 4
			x.FillBytes(full[1 : 1+c.bytes])
			y.FillBytes(full[1+c.bytes:])
			if parsed, err := ecdsa.ParseUncompressedPublicKey(c.curve, full); err == nil {
				p.crypto = parsed
			}
		}
	case (form == 6 || form == 7) && len(point) == 1+2*c.bytes:
		p.X = point[1 : 1+c.bytes]
		p.Encoding = &EncodingError{Part: "hybrid", Detail: "the point is in the hybrid form", Expected: "04", Seen: cutHex(point[:1])}
	case form != 4 || len(point) != 1+2*c.bytes:
		p.Encoding = &EncodingError{
			Part: "length", Detail: fmt.Sprintf("the point has %d bytes, want %d beginning with 04", len(point), 1+2*c.bytes),
		}
	default:
		p.X = point[1 : 1+c.bytes]
		if c.curve != nil {
			p.checkPoint(c)
		}
	}
}

func (p *Public) checkPoint(c curve) {
	pub, err := ecdsa.ParseUncompressedPublicKey(c.curve, p.Point)
	if err == nil {
		p.crypto = pub
		return
	}
	field := c.curve.Params().P.FillBytes(make([]byte, c.bytes))
	if bytes.Compare(p.X, field) >= 0 || bytes.Compare(p.Point[1+c.bytes:], field) >= 0 {
		p.Encoding = &EncodingError{Part: "range", Detail: "a coordinate is not below the field's prime"}
		return
	}
	p.Encoding = &EncodingError{Part: "off-curve", Detail: "the point does not lie on the curve"}
}

// Print returns the keyprint: the SHA-256, in hexadecimal, of the minimal
// big-endian modulus of an RSA key; of the DER of the curve's OID followed by
// the X coordinate (of the curve's length) of an EC key; of the whole
// SubjectPublicKeyInfo for any other key. It stays the same where somebody
// re-encodes a key, changes its exponent or the sign of its point.
func Print(p *Public) string {
	h := sha256.New()
	switch {
	case p.N != nil:
		h.Write(p.N.Bytes())
	case p.X != nil && p.CurveOID != "":
		// The AlgorithmIdentifier is SEQUENCE { ecPublicKey, curve OID }.
		r := der.NewReader(p.Algorithm)
		if outer, err := r.Next(); err == nil {
			in := outer.Inside()
			in.Next()
			if oid, err := in.Next(); err == nil {
				h.Write(oid.Raw)
			}
		}
		h.Write(p.X)
	default:
		h.Write(p.SPKI)
	}
	return hex.EncodeToString(h.Sum(nil))
}
