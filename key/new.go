package key

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
)

// Kind is a kind of key that can be made.
type Kind string

// The kinds of key, the one for most uses first.
const (
	KindP256    Kind = "p256"
	KindP384    Kind = "p384"
	KindRSA2048 Kind = "rsa2048"
	KindRSA3072 Kind = "rsa3072"
	KindRSA4096 Kind = "rsa4096"
)

// Kinds lists the kinds of key that [New] makes.
func Kinds() []Kind { return []Kind{KindP256, KindP384, KindRSA2048, KindRSA3072, KindRSA4096} }

// A Private is a private key. It prints as its public half, so that it
// cannot be shown by mistake; only [Private.PEM] gives it away.
type Private struct {
	signer crypto.Signer
}

// New makes a key. random is the source of randomness, crypto/rand.Reader
// outside of tests; the standard library may use its own secure source instead.
// An unknown kind is an error that lists the known ones.
func New(kind Kind, random io.Reader) (*Private, error) {
	var signer crypto.Signer
	var err error
	switch kind {
	case KindRSA2048:
		signer, err = rsa.GenerateKey(random, 2048)
	case KindRSA3072:
		signer, err = rsa.GenerateKey(random, 3072)
	case KindRSA4096:
		signer, err = rsa.GenerateKey(random, 4096)
	case KindP256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), random)
	case KindP384:
		signer, err = ecdsa.GenerateKey(elliptic.P384(), random)
	default:
		return nil, fmt.Errorf("no kind of key is called %q; there are %s", kind, list(Kinds()))
	}
	if err != nil {
		return nil, fmt.Errorf("making a %s key: %w", kind, err)
	}
	return &Private{signer}, nil
}

func list(kinds []Kind) string {
	text := ""
	for i, k := range kinds {
		if i > 0 {
			text += ", "
		}
		text += string(k)
	}
	return text
}

// Hold makes a Private of a key that was there before.
func Hold(signer crypto.Signer) *Private { return &Private{signer} }

// Signer signs with the key.
func (p *Private) Signer() crypto.Signer { return p.signer }

// Public is the public half.
func (p *Private) Public() (*Public, error) {
	spki, err := x509.MarshalPKIXPublicKey(p.signer.Public())
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	return Parse(spki)
}

// PEM returns the key as an unencrypted PKCS #8 block, "PRIVATE KEY". It is for
// a file that only its owner can read and for nothing else.
func (p *Private) PEM() ([]byte, error) {
	raw, err := x509.MarshalPKCS8PrivateKey(p.signer)
	if err != nil {
		return nil, fmt.Errorf("encoding the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), nil
}

// String describes the public half.
func (p *Private) String() string {
	public, err := p.Public()
	if err != nil {
		return "private key"
	}
	return "private key of " + public.Describe()
}

// GoString is [Private.String]: %#v must not show the key either.
func (p *Private) GoString() string { return p.String() }

// Format prints [Private.String] whatever the verb.
func (p *Private) Format(f fmt.State, _ rune) { io.WriteString(f, p.String()) }
