package private

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"assay/internal/issuer/lint"
)

// KeyFits reports whether a key is that of a certificate; the error says what is wrong.
func KeyFits(c *x509.Certificate, key crypto.Signer) error {
	if err := samePublic(c, key); err != nil {
		return fmt.Errorf("%w: %w", &Fault{Rule: RuleKeyFits, Subject: c.Subject.String()}, err)
	}
	return nil
}

// Check examines a hierarchy before it is taken into use, made here or elsewhere: that
// the key is the issuing certificate's and of a type that can sign, that every
// certificate is of a CA that may sign certificates and lists, and signed by the next, up
// to a self-signed root, that no bound on the length of the path is broken, and that
// what is signed now is believed ([Hierarchy.Issues]). The error is [Faults]: every fault,
// not only the first.
func (h Hierarchy) Check(key crypto.Signer, now time.Time) error {
	if h.Issuing == nil || h.Root == nil {
		return errIncomplete
	}
	return append(h.unsound(key), h.useless(now)...).err()
}

// Issues reports whether what is signed at a time is believed: every certificate of the
// path is in force and lets those below it be for TLS servers. The error is [Faults].
func (h Hierarchy) Issues(now time.Time) error { return h.useless(now).err() }

var errIncomplete = errors.New("a hierarchy needs an issuing certificate and a root")

// unsound are the faults for which neither certificates nor lists can be signed, ever.
func (h Hierarchy) unsound(key crypto.Signer) (faults Faults) {
	if samePublic(h.Issuing, key) != nil {
		faults = append(faults, &Fault{Rule: RuleKeyFits, Subject: h.Issuing.Subject.String()})
	}
	path := h.all()
	for i, c := range path {
		if _, err := lint.SchemeOf(c.PublicKey); err != nil {
			faults = append(faults, &Fault{Rule: RuleKeyType, Subject: c.Subject.String(), Value: keyType(c)})
		}
		faults = append(faults, authority(c, i)...)
		if i+1 < len(path) {
			if f := signedBy(c, path[i+1]); f != nil {
				faults = append(faults, f)
			}
		}
	}
	if signedBy(h.Root, h.Root) != nil {
		faults = append(faults, &Fault{Rule: RuleRoot, Subject: h.Root.Subject.String()})
	}
	return faults
}

// useless are the faults for which nobody believes what is signed at a time.
func (h Hierarchy) useless(now time.Time) (faults Faults) {
	for _, c := range h.all() {
		if now.After(c.NotAfter) {
			faults = append(faults, &Fault{Rule: RuleEnded, Subject: c.Subject.String(), At: c.NotAfter})
		}
		// Clocks of two machines differ: a minute is no fault.
		if now.Add(time.Minute).Before(c.NotBefore) {
			faults = append(faults, &Fault{Rule: RuleEarly, Subject: c.Subject.String(), At: c.NotBefore})
		}
		if !allows(c, x509.ExtKeyUsageServerAuth) {
			faults = append(faults, &Fault{Rule: RuleUsage, Subject: c.Subject.String()})
		}
	}
	return faults
}

// InForce is when every certificate of the path is in force.
func (h Hierarchy) InForce() (from, until time.Time) {
	from, until = h.Issuing.NotBefore, h.Issuing.NotAfter
	for _, c := range h.all() {
		until = earlier(until, c.NotAfter)
		if c.NotBefore.After(from) {
			from = c.NotBefore
		}
	}
	return from.UTC(), until.UTC()
}

// allows reports whether every certificate of the path lets those below it have a use.
func (h Hierarchy) allows(usage x509.ExtKeyUsage) bool {
	return !slices.ContainsFunc(h.all(), func(c *x509.Certificate) bool { return !allows(c, usage) })
}

// authority examines one CA certificate that has below CA certificates beneath it.
func authority(c *x509.Certificate, below int) (faults Faults) {
	add := func(rule string) {
		faults = append(faults, &Fault{Rule: rule, Subject: c.Subject.String()})
	}
	if !c.BasicConstraintsValid || !c.IsCA {
		add(RuleNoCA)
	}
	if c.KeyUsage&x509.KeyUsageCertSign == 0 {
		add(RuleNoCertSign)
	}
	if c.KeyUsage&x509.KeyUsageCRLSign == 0 {
		add(RuleNoCRLSign)
	}
	if len(c.SubjectKeyId) == 0 {
		add(RuleNoKeyID)
	}
	if len(c.RawSubject) <= 2 {
		add(RuleNoSubject)
	}
	if bounded := c.MaxPathLen > 0 || (c.MaxPathLen == 0 && c.MaxPathLenZero); bounded && below > c.MaxPathLen {
		faults = append(faults, &Fault{Rule: RulePathLength, Subject: c.Subject.String(), Most: c.MaxPathLen, Number: below})
	}
	for _, e := range c.UnhandledCriticalExtensions {
		faults = append(faults, &Fault{Rule: RuleCritical, Subject: c.Subject.String(), Value: e.String()})
	}
	return faults
}

func signedBy(c, above *x509.Certificate) *Fault {
	err := c.CheckSignatureFrom(above)
	if err == nil && string(c.RawIssuer) != string(above.RawSubject) {
		err = errors.New("it names another issuer")
	}
	if err != nil {
		return &Fault{Rule: RuleSigned, Subject: c.Subject.String(), Value: above.Subject.String(), Why: err.Error()}
	}
	return nil
}

// allows reports whether a CA certificate lets those below it have a use; one that names
// none lets them have any.
func allows(c *x509.Certificate, usage x509.ExtKeyUsage) bool {
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.Contains(c.ExtKeyUsage, usage) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// maxChainBytes and maxChain bound what is read of a hierarchy.
const (
	maxChainBytes = 1 << 20
	maxChain      = 10
)

// ReadHierarchy reads the certificates of a hierarchy, PEM: the issuing one
// first, then each one's issuer, the root last. [Hierarchy.Check] examines them. The error
// is a [Fault].
func ReadHierarchy(text []byte) (Hierarchy, error) {
	if len(text) > maxChainBytes {
		return Hierarchy{}, &Fault{Rule: RuleChainSize, Number: len(text), Most: maxChainBytes}
	}
	var certificates []*x509.Certificate
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return Hierarchy{}, &Fault{Rule: RuleChainOther, Value: block.Type}
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Hierarchy{}, &Fault{Rule: RuleChainUnreadable, Number: len(certificates) + 1, Why: err.Error()}
		}
		if certificates = append(certificates, c); len(certificates) > maxChain {
			return Hierarchy{}, &Fault{Rule: RuleChainMany, Most: maxChain}
		}
	}
	if len(certificates) == 0 {
		return Hierarchy{}, &Fault{Rule: RuleChainNone}
	}
	last := len(certificates) - 1
	h := Hierarchy{Issuing: certificates[0], Root: certificates[last]}
	if last > 1 {
		h.Intermediates = certificates[1:last]
	}
	return h, nil
}

// ReadKey reads a private key, PEM: PKCS #8, or the older forms of RSA and EC
// keys. An encrypted one has to be decrypted before. The error is a [Fault].
func ReadKey(text []byte) (crypto.Signer, error) {
	if len(text) > maxChainBytes {
		return nil, &Fault{Rule: RuleKeySize, Number: len(text), Most: maxChainBytes}
	}
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, &Fault{Rule: RuleKeyNone}
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
			return nil, &Fault{Rule: RuleKeyEncrypted}
		default: // "EC PARAMETERS" stand before a key
			continue
		}
		if err != nil {
			return nil, &Fault{Rule: RuleKeyUnreadable, Value: block.Type} // nothing that err might quote of the key
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a key of type %T cannot sign", key)
		}
		return signer, nil
	}
}
