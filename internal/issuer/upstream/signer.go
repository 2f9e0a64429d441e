package upstream

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync/atomic"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A signer is the account key as JWS wants it. Signatures of ECDSA are two
// numbers of fixed length there (RFC 7518 3.4), not the DER that every
// [crypto.Signer] makes; the client library knows that of keys in memory only,
// and keys may live elsewhere.
type signer struct {
	crypto.Signer
	// failed is the last error of the key: the library does not pass it on.
	failed atomic.Pointer[error]
}

// checkKey: RSA from 2048 bits, and the three curves of RFC 7518.
func checkKey(key crypto.Signer) error {
	if key == nil {
		return errors.New("no account key")
	}
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < 2048 {
			return fmt.Errorf("the account key has %d bits; want 2048 or more", public.N.BitLen())
		}
	case *ecdsa.PublicKey:
		switch name := public.Curve.Params().Name; name {
		case "P-256", "P-384", "P-521":
		default:
			return fmt.Errorf("the account key is on the curve %s; want P-256, P-384 or P-521", name)
		}
	default:
		return fmt.Errorf("the account key is of type %T; want RSA or ECDSA", public)
	}
	return nil
}

func (s *signer) Sign(random io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	signature, err := s.Signer.Sign(random, digest, options)
	if public, ok := s.Public().(*ecdsa.PublicKey); ok && err == nil {
		signature, err = fixedSignature(signature, (public.Curve.Params().BitSize+7)/8)
	}
	if err != nil {
		s.failed.Store(&err)
		return nil, err
	}
	return signature, nil
}

// fixedSignature turns the DER of an ECDSA signature into r and s, size bytes each.
func fixedSignature(der []byte, size int) ([]byte, error) {
	var r, s big.Int
	input, inner := cryptobyte.String(der), cryptobyte.String(nil)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() || !inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() ||
		r.Sign() < 0 || s.Sign() < 0 || r.BitLen() > 8*size || s.BitLen() > 8*size {
		return nil, errors.New("the account key made a signature that is none")
	}
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}

// fault is the last error of the key, once.
func (s *signer) fault() error {
	if err := s.failed.Swap(nil); err != nil {
		return *err
	}
	return nil
}
