package upstream

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"assay/probe/dial"
)

// Defaults and bounds of [Config].
const (
	// DefaultTimeout bounds one request.
	DefaultTimeout = 30 * time.Second
	// DefaultWait is how long Complete waits for the CA.
	DefaultWait = 2 * time.Minute

	maxTimeout  = 5 * time.Minute
	maxWait     = 30 * time.Minute
	maxContacts = 10
	// MaxRoots is the largest file of roots that [ParseRoots] reads, in bytes.
	MaxRoots = 1 << 20
)

// A Config is what an operator sets. The zero value of a field that is not
// marked as needed is right for a public CA.
type Config struct {
	// ID names the issuer in attempts and certificates: a word of lower case
	// letters, digits and hyphens, of 40 characters at most, that never changes.
	// Needed.
	ID string
	// Directory is the address of the CA's directory (RFC 8555 7.1.1):
	// "https://acme-v02.api.letsencrypt.org/directory". Needed.
	Directory string
	// Key is the account's: RSA from 2048 bits, ECDSA on P-256, P-384 or P-521.
	// The account is found by it, or made at the first use. Needed.
	Key crypto.Signer
	// Contact are mail addresses that the CA may write to.
	Contact []string
	// AgreeToTerms says that the operator has read the CA's terms of service and
	// agrees to them. Most CAs make no account without.
	AgreeToTerms bool
	// EAB binds the account to one that the operator has with the CA already
	// (RFC 8555 7.3.4); nil: none. It is used when the account is made.
	EAB *EAB
	// Roots verify the TLS of the CA's server; nil: the system's.
	Roots *x509.CertPool
	// Anchors are the roots that certificates of the CA must lead to; nil: Roots,
	// and where those are nil too the system's.
	Anchors *x509.CertPool
	// Profiles maps plans of orders to the CA's ACME profiles; a plan that is not
	// in it asks for the profile of its own name where the CA offers that.
	Profiles map[string]string
	// AskNotAfter sends the end of validity that was asked for to the CA. Let's
	// Encrypt and others refuse orders with it.
	AskNotAfter bool
	// Timeout bounds one request; 0: [DefaultTimeout].
	Timeout time.Duration
	// Wait bounds how long [CA.Complete] waits for validation and for the
	// certificate before it says that the CA is busy; 0: [DefaultWait].
	Wait time.Duration
	// Dialer judges and dials the CA's addresses. Needed.
	Dialer *dial.Dialer
	// Lookup finds the addresses of a host; nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Agent names the program to the CA (RFC 8555 6.1).
	Agent string
	// Now is the clock; nil: the system's.
	Now func() time.Time

	// pause is the first between two looks, in tests.
	pause time.Duration
	// transport takes the place of the network, in tests.
	transport http.RoundTripper
}

// EAB is an external account binding: what the CA gave the operator.
type EAB struct {
	// KeyID is the key's name.
	KeyID string
	// HMAC is the key itself, a secret.
	HMAC []byte
}

// String hides the key.
func (e *EAB) String() string { return "EAB " + e.KeyID }

// GoString hides the key.
func (e *EAB) GoString() string { return e.String() }

// ParseHMAC reads the key of an external account binding as CAs give it: base64,
// of either alphabet, padded or not. The error does not repeat it.
func ParseHMAC(text string) ([]byte, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("+", "-", "/", "_").Replace(text)
	key, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(key) < 16 || len(key) > 1024 {
		return nil, errors.New("want the HMAC key of the external account binding as the CA gave it: base64 of 16 bytes or more")
	}
	return key, nil
}

var idForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$`)

// Validate returns everything that is wrong, each with the setting's name.
func (c *Config) Validate() error {
	var faults []error
	fault := func(setting string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", setting, err))
		}
	}
	if !idForm.MatchString(c.ID) {
		fault("id", fmt.Errorf("%.60q is no word of lower case letters, digits and hyphens, such as \"letsencrypt\"", c.ID))
	}
	if c.Directory == "" {
		fault("directory", errors.New("needed: the address of the CA's ACME directory, https://…"))
	} else {
		fault("directory", checkURL(c.Directory))
	}
	fault("key", checkKey(c.Key))
	fault("contact", checkContacts(c.Contact))
	if c.EAB != nil {
		fault("eab", c.EAB.check())
	}
	for _, plan := range slices.Sorted(maps.Keys(c.Profiles)) {
		if p := c.Profiles[plan]; p == "" || len(p) > 100 {
			fault("profiles", fmt.Errorf("plan %.60q: want the name of one of the CA's profiles", plan))
		}
	}
	if c.Timeout < 0 || c.Timeout > maxTimeout {
		fault("timeout", fmt.Errorf("%s is out of range: up to %s", c.Timeout, maxTimeout))
	}
	if c.Wait < 0 || c.Wait > maxWait {
		fault("wait", fmt.Errorf("%s is out of range: up to %s", c.Wait, maxWait))
	}
	if c.Dialer == nil && c.transport == nil {
		fault("dialer", errors.New("needed"))
	}
	return errors.Join(faults...)
}

// check: the key identifier is ASCII (RFC 8555 7.3.4).
func (e *EAB) check() error {
	switch {
	case e.KeyID == "" || len(e.KeyID) > 1024 || strings.ContainsFunc(e.KeyID, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the key id is empty or not ASCII; give it as the CA gave it")
	case len(e.HMAC) == 0:
		return errors.New("the key id is there, but not the HMAC key")
	}
	return nil
}

func checkContacts(list []string) error {
	if len(list) > maxContacts {
		return fmt.Errorf("%d addresses; at most %d", len(list), maxContacts)
	}
	for _, text := range list {
		bare := strings.TrimPrefix(text, "mailto:")
		// RFC 8555 7.3: no header fields, one address.
		if a, err := mail.ParseAddress(bare); err != nil || a.Address != bare || strings.ContainsAny(bare, "?,") {
			return fmt.Errorf("%.100q is no mail address", text)
		}
	}
	return nil
}

// contacts are the addresses as ACME wants them.
func (c *Config) contacts() []string {
	list := make([]string, len(c.Contact))
	for i, text := range c.Contact {
		list[i] = "mailto:" + strings.TrimPrefix(text, "mailto:")
	}
	return list
}

// ParseRoots reads certificates in PEM: the roots of a CA that the system does
// not know. Errors count the blocks.
func ParseRoots(text []byte) (*x509.CertPool, error) {
	if len(text) > MaxRoots {
		return nil, fmt.Errorf("larger than %d bytes", MaxRoots)
	}
	pool := x509.NewCertPool()
	n := 0
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		n++
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("block %d is a %.40q, not a CERTIFICATE", n, block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", n, err)
		}
		pool.AddCert(certificate)
	}
	if n == 0 {
		return nil, errors.New("holds no certificate (-----BEGIN CERTIFICATE-----)")
	}
	return pool, nil
}
