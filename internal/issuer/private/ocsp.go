package private

import (
	"context"
	"crypto"
	_ "crypto/sha1" // the hash of requests of RFC 5019
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"

	"assay/internal/issuer"
)

// A Status is what an OCSP response says of one serial number.
type Status struct {
	// Serial in hexadecimal.
	Serial string
	// Revoked is when it was revoked; zero: it is good.
	Revoked time.Time
	Reason  issuer.Reason
	// Unknown says that no such certificate was issued: neither good nor revoked.
	Unknown bool
	// ThisUpdate and NextUpdate bound its life; BR 4.9.10 allows 8 hours to 10
	// days. ThisUpdate is cut to the minute, as the time of production is.
	ThisUpdate, NextUpdate time.Time
	// Hash is the one by which the request named the issuer: SHA-1 (also for 0),
	// SHA-256, SHA-384 or SHA-512. The response has to use the same.
	Hash crypto.Hash
}

// SignOCSP signs an OCSP response (RFC 6960, RFC 5019) with the issuing key
// itself: there is no responder's certificate to renew, to steal and to send
// along. A key that does not sign is [*issuer.Unavailable].
func (a *Authority) SignOCSP(ctx context.Context, s Status) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return SignOCSP(a.hierarchy.Issuing, a.key, s)
}

// SignOCSP signs an OCSP response as a CA, which may be a root.
func SignOCSP(ca *x509.Certificate, key crypto.Signer, s Status) ([]byte, error) {
	serial, err := decodeSerial(s.Serial)
	if err != nil {
		return nil, err
	}
	switch s.Hash {
	case 0, crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512:
	default:
		return nil, fmt.Errorf("OCSP responses name their issuer by SHA-1, SHA-256, SHA-384 or SHA-512, not by %s", s.Hash)
	}
	template := ocsp.Response{
		Status: ocsp.Good, SerialNumber: new(big.Int).SetBytes(serial), IssuerHash: s.Hash,
		ThisUpdate: s.ThisUpdate.UTC().Truncate(time.Minute), NextUpdate: s.NextUpdate.UTC().Truncate(time.Second),
	}
	switch {
	case s.Unknown:
		template.Status = ocsp.Unknown
	case !s.Revoked.IsZero():
		if !known(s.Reason) {
			return nil, fmt.Errorf("serial number %s: %d is no reason that a certificate can be revoked for", s.Serial, s.Reason)
		}
		template.Status, template.RevokedAt, template.RevocationReason = ocsp.Revoked, s.Revoked.UTC(), int(s.Reason)
	}
	response, err := ocsp.CreateResponse(ca, ca, template, key)
	if err != nil {
		return nil, &issuer.Unavailable{Problem: "key-offline", Err: fmt.Errorf("sign the OCSP response for serial number %s: %w", s.Serial, err)}
	}
	return response, nil
}
