package private

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The rules that a hierarchy, its file and its key can break.
const (
	RuleChainSize       = "chain-size"       // Bytes, Most
	RuleChainOther      = "chain-other"      // Value is the label
	RuleChainUnreadable = "chain-unreadable" // Number, Value is why
	RuleChainMany       = "chain-many"       // Most
	RuleChainNone       = "chain-none"

	RuleKeySize       = "key-size" // Bytes, Most
	RuleKeyNone       = "key-none"
	RuleKeyEncrypted  = "key-encrypted"
	RuleKeyUnreadable = "key-unreadable" // Value is the label
	RuleKeyFits       = "key-fits"       // of Subject
	RuleKeyType       = "key-type"       // of Subject; Value is the type

	RuleNoCA       = "no-ca"
	RuleNoCertSign = "no-cert-sign"
	RuleNoCRLSign  = "no-crl-sign"
	RuleNoKeyID    = "no-key-id"
	RuleNoSubject  = "no-subject"
	RuleEnded      = "ended"    // At
	RuleEarly      = "early"    // At
	RulePathLength = "path"     // Most, Number
	RuleCritical   = "critical" // Value is the extension
	RuleUsage      = "usage"
	RuleSigned     = "signed" // Value is the subject above it, Why is how it fails
	RuleRoot       = "root"
)

// A Fault is one reason why a hierarchy, or its key, cannot be used.
type Fault struct {
	// Rule is one of the rules above, which say what else is set.
	Rule string
	// Subject is that of the certificate, "" where it is about none.
	Subject string
	Value   string
	Why     string
	// Number is counted, Most may be.
	Number, Most int
	At           time.Time
}

// Error is for logs; programs have texts for rules.
func (f *Fault) Error() string {
	text := map[string]string{
		RuleChainSize:       fmt.Sprintf("the file of certificates has %d bytes; %d are possible", f.Number, f.Most),
		RuleChainOther:      fmt.Sprintf("the file of certificates holds a %q; only CERTIFICATE is looked for", f.Value),
		RuleChainUnreadable: fmt.Sprintf("certificate %d of the file cannot be read: %s", f.Number, f.Why),
		RuleChainMany:       fmt.Sprintf("the file holds more than %d certificates", f.Most),
		RuleChainNone:       "the file holds no certificate; PEM is needed, beginning with -----BEGIN CERTIFICATE-----",
		RuleKeySize:         fmt.Sprintf("the key file has %d bytes; %d are possible", f.Number, f.Most),
		RuleKeyNone:         "the file holds no private key; PEM is needed, beginning with -----BEGIN PRIVATE KEY-----",
		RuleKeyEncrypted:    "the private key is encrypted: decrypt it first (openssl pkey)",
		RuleKeyUnreadable:   fmt.Sprintf("the private key (%s) is not what its label says, or damaged", f.Value),
		RuleKeyFits:         "has another key than the one that is given",
		RuleKeyType:         fmt.Sprintf("has a key of %s: that of a CA is RSA of 2048 to 8192 bits, or ECDSA on P-256, P-384 or P-521", f.Value),
		RuleNoCA:            "is no CA's: it lacks basicConstraints CA:TRUE",
		RuleNoCertSign:      "may not sign certificates: its key usage lacks keyCertSign",
		RuleNoCRLSign:       "may not sign revocation lists: its key usage lacks cRLSign",
		RuleNoKeyID:         "has no subject key identifier, which the certificates below it have to name",
		RuleNoSubject:       "has an empty subject",
		RuleEnded:           "ended at " + f.At.UTC().Format(time.RFC3339),
		RuleEarly:           "begins only at " + f.At.UTC().Format(time.RFC3339),
		RulePathLength:      fmt.Sprintf("allows %d CA certificates below it and has %d", f.Most, f.Number),
		RuleCritical:        fmt.Sprintf("holds the critical extension %s, which is not understood here", f.Value),
		RuleUsage:           "does not let those below it be for TLS servers: its extended key usage lacks serverAuth",
		RuleSigned:          fmt.Sprintf("is not signed by %s, which is next in the chain: %s", f.Value, f.Why),
		RuleRoot:            "is the last of the chain and not self-signed, as a root is",
	}[f.Rule]
	if f.Subject == "" {
		return text
	}
	return "the certificate of " + f.Subject + " " + text
}

// Faults are all reasons at once.
type Faults []*Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "; ")
}

// err is nil where there are none.
func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// FaultsIn finds the faults that an error rests on.
func FaultsIn(err error) Faults {
	var all Faults
	var one *Fault
	switch {
	case errors.As(err, &all):
		return all
	case errors.As(err, &one):
		return Faults{one}
	}
	return nil
}

// keyType says what the key of a certificate is: "RSA 1024".
func keyType(c *x509.Certificate) string {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	}
	return c.PublicKeyAlgorithm.String()
}
