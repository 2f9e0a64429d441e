package certfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"

	"assay/evidence"
	"assay/key"
)

// ReadKey reads the text of an unencrypted private key: PKCS #8, PKCS #1 or
// SEC 1 in PEM. The problem is the first thing that is wrong; it holds nothing of
// the text. A key is returned beside a problem where it can be read in spite of it.
func ReadKey(text string) (*key.Private, *evidence.Unreadable) {
	r := readField("key", text)
	k := r.key()
	if len(r.problems) > 0 {
		return k, &r.problems[0]
	}
	return k, nil
}

// key finds the one private key among the blocks and notes what else there is.
func (r *reading) key() *key.Private {
	var found *key.Private
	seen := 0
	for i := range r.blocks {
		b := &r.blocks[i]
		switch b.kind() {
		case kindKey:
			if seen++; seen > 1 {
				r.problem("second-key", b.line, "")
				continue
			}
			found = r.parseKey(b)
		case kindParameters:
		case kindCertificate:
			r.problem("certificate-given", b.line, "")
		case kindRequest:
			r.problem("csr-given", b.line, "")
		case kindPKCS7:
			r.problem("pkcs7", b.line, "")
		case kindDamaged:
			r.problem("der", b.line, "")
		default:
			r.problem("other", b.line, knownLabel(b.label))
		}
	}
	if seen == 0 && len(r.problems) == 0 {
		r.problem("no-key", 0, "")
	}
	return found
}

// parseKey parses a block; the library's errors are not kept, for they could
// quote it.
func (r *reading) parseKey(b *block) *key.Private {
	switch {
	case b.sealed || b.label == "ENCRYPTED PRIVATE KEY":
		r.problem("encrypted", b.line, "")
		return nil
	case b.label == "OPENSSH PRIVATE KEY":
		r.problem("openssh", b.line, "")
		return nil
	}
	var parsed any
	var err error
	if parsed, err = x509.ParsePKCS8PrivateKey(b.raw); err != nil {
		if parsed, err = x509.ParsePKCS1PrivateKey(b.raw); err != nil {
			parsed, err = x509.ParseECPrivateKey(b.raw)
		}
	}
	if err != nil {
		r.problem("der", b.line, "")
		return nil
	}
	switch parsed.(type) {
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		return key.Hold(parsed.(crypto.Signer))
	}
	r.problem("key-type", b.line, "")
	return nil
}
