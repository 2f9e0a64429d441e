package lint

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A Scheme is how a key of one type signs: the algorithm identifier, byte for
// byte as BR 7.1.3.2 writes it, and the hash.
type Scheme struct {
	// Name as OpenSSL and RFC 5758 call it: "ecdsa-with-SHA256".
	Name       string
	identifier []byte
	hash       crypto.Hash
	algorithm  x509.SignatureAlgorithm
	key        crypto.PublicKey
}

// The algorithm identifiers of BR 7.1.3.2.1 and 7.1.3.2.2.
const (
	sha256RSA   = "300d06092a864886f70d01010b0500"
	ecdsaSHA256 = "300a06082a8648ce3d040302"
	ecdsaSHA384 = "300a06082a8648ce3d040303"
	ecdsaSHA512 = "300a06082a8648ce3d040304"
)

// SchemeOf is the one way in which a key signs here: RSA of 2,048 to 8,192 bits
// with SHA-256, P-256 with SHA-256, P-384 with SHA-384, P-521 with SHA-512. Any
// other key is an error: BR 6.1.5 knows no others.
func SchemeOf(key crypto.PublicKey) (*Scheme, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 8192 || bits%8 != 0 {
			return nil, fmt.Errorf("an RSA key of %d bits cannot be the key of a CA: it needs 2048 to 8192 bits, divisible by 8", bits)
		}
		return scheme("sha256WithRSAEncryption", sha256RSA, crypto.SHA256, x509.SHA256WithRSA, key), nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return scheme("ecdsa-with-SHA256", ecdsaSHA256, crypto.SHA256, x509.ECDSAWithSHA256, key), nil
		case elliptic.P384():
			return scheme("ecdsa-with-SHA384", ecdsaSHA384, crypto.SHA384, x509.ECDSAWithSHA384, key), nil
		case elliptic.P521():
			return scheme("ecdsa-with-SHA512", ecdsaSHA512, crypto.SHA512, x509.ECDSAWithSHA512, key), nil
		}
		return nil, errors.New("an ECDSA key of this curve cannot be the key of a CA: it needs P-256, P-384 or P-521")
	}
	return nil, fmt.Errorf("a key of type %T cannot be the key of a CA: it needs RSA, or ECDSA on P-256, P-384 or P-521", key)
}

func scheme(name, identifier string, hash crypto.Hash, algorithm x509.SignatureAlgorithm, key crypto.PublicKey) *Scheme {
	der, err := hex.DecodeString(identifier)
	if err != nil {
		panic(err) // a constant of this file
	}
	return &Scheme{Name: name, identifier: der, hash: hash, algorithm: algorithm, key: key}
}

// Identifier is the AlgorithmIdentifier, DER.
func (s *Scheme) Identifier() []byte { return s.identifier }

// throwaway makes a key of the same type and size.
func (s *Scheme) throwaway() (crypto.Signer, error) {
	switch k := s.key.(type) {
	case *rsa.PublicKey:
		return rsa.GenerateKey(rand.Reader, k.N.BitLen())
	case *ecdsa.PublicKey:
		return ecdsa.GenerateKey(k.Curve, rand.Reader)
	}
	return nil, fmt.Errorf("key of type %T", s.key)
}

// SignList signs the body of a CRL (RFC 5280 5.1.2), examines the signature and
// returns the whole list. It signs no certificate: that takes a ticket, see
// [Gate.Sign].
func (s *Scheme) SignList(key crypto.Signer, body []byte) ([]byte, error) {
	if certificate(body) {
		return nil, errors.New("this is the body of a certificate: it is signed with its ticket only")
	}
	whole, signature, err := s.seal(key, body)
	if err != nil {
		return nil, err
	}
	if err := (&x509.Certificate{PublicKey: s.key}).CheckSignature(s.algorithm, body, signature); err != nil {
		return nil, fmt.Errorf("the key gave a wrong signature: %w", err)
	}
	return whole, nil
}

// certificate tells bodies of certificates from those of lists: only the former
// begin with a tagged version (RFC 5280 4.1, 5.1).
func certificate(body []byte) bool {
	in := cryptobyte.String(body)
	var content cryptobyte.String
	return !in.ReadASN1(&content, asn1.SEQUENCE) || !content.PeekASN1Tag(asn1.INTEGER)
}

// sign returns SEQUENCE { body, algorithm, signature }.
func (s *Scheme) sign(key crypto.Signer, body []byte) ([]byte, error) {
	whole, _, err := s.seal(key, body)
	return whole, err
}

// seal is sign, and the signature by itself.
func (s *Scheme) seal(key crypto.Signer, body []byte) (whole, signature []byte, err error) {
	h := s.hash.New()
	h.Write(body)
	if signature, err = key.Sign(rand.Reader, h.Sum(nil), s.hash); err != nil {
		return nil, nil, err
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, len(body)+len(signature)+64))
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(body)
		b.AddBytes(s.identifier)
		b.AddASN1BitString(signature)
	})
	whole, err = b.Bytes()
	return whole, signature, err
}
