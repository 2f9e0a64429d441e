package private

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"assay/internal/issuer/lint"
)

// KeyFits reports whether a key is that of a certificate; the error says what is wrong.
func KeyFits(c *x509.Certificate, key crypto.Signer) error { return samePublic(c, key) }

// Check examines a hierarchy before anything is signed with it, made here or
// elsewhere: that the key is the issuing certificate's and of a type that can
// sign, that every certificate is of a CA that may sign certificates and lists,
// in force, and signed by the next, up to a self-signed root, and that no bound
// on the length of the path is broken. Every fault is named, not only the first.
func (h Hierarchy) Check(key crypto.Signer, now time.Time) error {
	if h.Issuing == nil || h.Root == nil {
		return errors.New("a hierarchy needs an issuing certificate and a root")
	}
	var faults []error
	add := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	add(samePublic(h.Issuing, key))
	path := h.all()
	for i, c := range path {
		_, err := lint.SchemeOf(c.PublicKey)
		if err != nil {
			add(fmt.Errorf("the certificate of %s: %w", c.Subject, err))
		}
		add(authority(c, i, now))
		if i+1 < len(path) {
			add(signedBy(c, path[i+1]))
		}
	}
	add(signedBy(h.Root, h.Root))
	if len(h.Issuing.ExtKeyUsage)+len(h.Issuing.UnknownExtKeyUsage) > 0 && !allows(h.Issuing, x509.ExtKeyUsageServerAuth) {
		add(fmt.Errorf("the issuing certificate of %s is not for TLS servers: its extended key usage lacks serverAuth", h.Issuing.Subject))
	}
	return errors.Join(faults...)
}

// authority examines one CA certificate that has below CA certificates beneath it.
func authority(c *x509.Certificate, below int, now time.Time) error {
	var faults []error
	add := func(format string, values ...any) {
		faults = append(faults, fmt.Errorf("the certificate of %s "+format, append([]any{c.Subject}, values...)...))
	}
	if !c.BasicConstraintsValid || !c.IsCA {
		add("is no CA's: it lacks basicConstraints CA:TRUE")
	}
	if c.KeyUsage&x509.KeyUsageCertSign == 0 {
		add("may not sign certificates: its key usage lacks keyCertSign")
	}
	if c.KeyUsage&x509.KeyUsageCRLSign == 0 {
		add("may not sign revocation lists: its key usage lacks cRLSign")
	}
	if len(c.SubjectKeyId) == 0 {
		add("has no subject key identifier, which the certificates below it have to name")
	}
	if len(c.RawSubject) <= 2 {
		add("has an empty subject")
	}
	if now.After(c.NotAfter) {
		add("ended at %s", c.NotAfter.UTC().Format(time.RFC3339))
	}
	// Clocks of two machines differ: a minute is no fault.
	if now.Add(time.Minute).Before(c.NotBefore) {
		add("begins only at %s", c.NotBefore.UTC().Format(time.RFC3339))
	}
	if bounded := c.MaxPathLen > 0 || (c.MaxPathLen == 0 && c.MaxPathLenZero); bounded && below > c.MaxPathLen {
		add("allows %d CA certificates below it and has %d", c.MaxPathLen, below)
	}
	for _, e := range c.UnhandledCriticalExtensions {
		add("holds the critical extension %s, which is not understood here", e)
	}
	return errors.Join(faults...)
}

func signedBy(c, above *x509.Certificate) error {
	if err := c.CheckSignatureFrom(above); err != nil {
		return fmt.Errorf("the certificate of %s is not signed by %s: %w", c.Subject, above.Subject, err)
	}
	if string(c.RawIssuer) != string(above.RawSubject) {
		return fmt.Errorf("the certificate of %s names another issuer than %s", c.Subject, above.Subject)
	}
	return nil
}

func allows(c *x509.Certificate, usage x509.ExtKeyUsage) bool {
	for _, u := range c.ExtKeyUsage {
		if u == usage || u == x509.ExtKeyUsageAny {
			return true
		}
	}
	return false
}

// maxChainBytes and maxChain bound what is read of a hierarchy.
const (
	maxChainBytes = 1 << 20
	maxChain      = 10
)

// ReadHierarchy reads the certificates of a hierarchy, PEM: the issuing one
// first, then each one's issuer, the root last. [Hierarchy.Check] examines them.
func ReadHierarchy(text []byte) (Hierarchy, error) {
	if len(text) > maxChainBytes {
		return Hierarchy{}, fmt.Errorf("the file of certificates has %d bytes; %d are possible", len(text), maxChainBytes)
	}
	var certificates []*x509.Certificate
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return Hierarchy{}, fmt.Errorf("the file of certificates holds a %q; only CERTIFICATE is looked for", block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Hierarchy{}, fmt.Errorf("certificate %d of the file cannot be read: %w", len(certificates)+1, err)
		}
		if certificates = append(certificates, c); len(certificates) > maxChain {
			return Hierarchy{}, fmt.Errorf("the file holds more than %d certificates", maxChain)
		}
	}
	if len(certificates) == 0 {
		return Hierarchy{}, errors.New("the file holds no certificate; PEM is needed, beginning with -----BEGIN CERTIFICATE-----")
	}
	last := len(certificates) - 1
	h := Hierarchy{Issuing: certificates[0], Root: certificates[last]}
	if last > 1 {
		h.Intermediates = certificates[1:last]
	}
	return h, nil
}

// ReadKey reads a private key, PEM: PKCS #8, or the older forms of RSA and EC
// keys. An encrypted one has to be decrypted before.
func ReadKey(text []byte) (crypto.Signer, error) {
	if len(text) > maxChainBytes {
		return nil, fmt.Errorf("the key file has %d bytes; %d are possible", len(text), maxChainBytes)
	}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("the file holds no private key; PEM is needed, beginning with -----BEGIN PRIVATE KEY-----")
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("the private key is encrypted: decrypt it first (openssl pkey)")
		default: // "EC PARAMETERS" stand before a key
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the private key (%s) cannot be read: %w", block.Type, scrub(err))
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a key of type %T cannot sign", key)
		}
		return signer, nil
	}
}

// scrub keeps an error's kind and leaves out what it might quote of a key.
func scrub(error) error { return errors.New("it is not what its label says, or damaged") }
