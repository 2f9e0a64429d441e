package config

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"reflect"
	"time"

	"assay/internal/issuer/upstream"
	"assay/probe/dial"
)

// Issuer is the table [issuer]: who signs the certificates of `assay serve`.
//
//	[issuer]
//	kind = "acme"
//	id = "letsencrypt"
//	directory = "https://acme-v02.api.letsencrypt.org/directory"
//	contact = ["ca@orchard.net"]
//	agree-to-terms = true
//
//	[issuer.profiles]
//	free = "classic"
//
// What is said of ACME below is for kind = "acme" only. docs/upstream.md tells what
// happens then.
type Issuer struct {
	// Kind is "private", a CA of this service, or "acme", another CA.
	// Default: private.
	Kind string `toml:"kind"`
	// ID names the issuer in attempts and certificates: a word of lower case
	// letters, digits and hyphens that never changes. Needed for acme.
	ID string `toml:"id"`
	// Directory is the address of the CA's ACME directory. Needed for acme.
	Directory string `toml:"directory"`
	// Contact are mail addresses that the CA may write to. Default: none.
	Contact []string `toml:"contact"`
	// AgreeToTerms says that you have read the CA's terms of service and agree to
	// them. Most CAs make no account without. Default: false.
	AgreeToTerms bool `toml:"agree-to-terms"`
	// EABKeyID and EABHMACFile bind the account to one that you have with the CA
	// already: the key's id, and a file that holds the HMAC key as the CA gave it.
	// Both are needed only when the account is made. Default: none.
	EABKeyID    string `toml:"eab-key-id"`
	EABHMACFile string `toml:"eab-hmac-file"`
	// RootsFile holds, in PEM, the roots that the TLS certificate of the CA's server
	// leads to, where the system does not know them. Default: the system's.
	RootsFile string `toml:"roots-file"`
	// ChainRootsFile holds, in PEM, the roots that the CA's certificates lead to.
	// Default: those of roots-file, else the system's.
	ChainRootsFile string `toml:"chain-roots-file"`
	// AskNotAfter sends the end of validity that an order asks for to the CA. Let's
	// Encrypt refuses orders with it. Default: false.
	AskNotAfter bool `toml:"ask-not-after"`
	// Timeout bounds one request to the CA, up to 5 minutes. Default: 30s.
	Timeout string `toml:"timeout"`
	// Wait bounds how long one attempt waits for the CA, up to 30 minutes; it is
	// then taken up again later. Default: 2m.
	Wait string `toml:"wait"`
	// Profiles maps plans of orders to ACME profiles of the CA. Default: a plan asks
	// for the profile of its own name, where the CA has one.
	Profiles map[string]string `toml:"profiles"`
}

// Kinds of issuers.
const (
	IssuerPrivate = "private"
	IssuerACME    = "acme"
)

// IssuerKeys lists the settings of the table [issuer].
func IssuerKeys() []string {
	t := reflect.TypeFor[Issuer]()
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("toml")
	}
	return keys
}

// files are the settings that are paths.
func (i *Issuer) files() []*string { return []*string{&i.EABHMACFile, &i.RootsFile, &i.ChainRootsFile} }

// CheckKind says whether the kind is one; the error is an [*Error].
func (i *Issuer) CheckKind() error {
	switch i.Kind {
	case "", IssuerPrivate, IssuerACME:
		return nil
	}
	return &Error{Where: "[issuer]", Key: "kind", What: fmt.Sprintf("%.40q is no kind of issuer: want %q or %q", i.Kind, IssuerPrivate, IssuerACME)}
}

// Upstream reads the files that the settings name and returns the issuer that
// they describe. key is the account's key, which the caller keeps. All errors are
// returned at once.
func (i *Issuer) Upstream(key crypto.Signer, d *dial.Dialer) (*upstream.Config, error) {
	c := &upstream.Config{
		ID: i.ID, Directory: i.Directory, Key: key, Contact: i.Contact, AgreeToTerms: i.AgreeToTerms, Profiles: i.Profiles, AskNotAfter: i.AskNotAfter, Dialer: d,
	}
	var faults []error
	fault := func(setting string, err error) {
		if err != nil {
			faults = append(faults, &Error{Where: "[issuer]", Key: setting, What: reason(err)})
		}
	}
	var err error
	c.Roots, err = readRoots(i.RootsFile)
	fault("roots-file", err)
	c.Anchors, err = readRoots(i.ChainRootsFile)
	fault("chain-roots-file", err)
	c.EAB, err = i.eab()
	fault("eab-hmac-file", err)
	c.Timeout, err = duration(i.Timeout)
	fault("timeout", err)
	c.Wait, err = duration(i.Wait)
	fault("wait", err)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if err := c.Validate(); err != nil {
		return nil, &Error{Where: "[issuer]", What: err.Error()}
	}
	return c, nil
}

func readRoots(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := readFile(path, upstream.MaxRoots)
	if err != nil {
		return nil, err
	}
	return upstream.ParseRoots([]byte(text))
}

// maxHMAC bounds the file of the HMAC key.
const maxHMAC = 4 << 10

func (i *Issuer) eab() (*upstream.EAB, error) {
	switch {
	case i.EABKeyID == "" && i.EABHMACFile == "":
		return nil, nil
	case i.EABKeyID == "":
		return nil, errors.New("eab-key-id is needed beside it")
	case i.EABHMACFile == "":
		return nil, errors.New("needed beside eab-key-id")
	}
	text, err := readFile(i.EABHMACFile, maxHMAC)
	if err != nil {
		return nil, err
	}
	key, err := upstream.ParseHMAC(text)
	if err != nil {
		return nil, err
	}
	return &upstream.EAB{KeyID: i.EABKeyID, HMAC: key}, nil
}

func duration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%.40q is no duration: want one such as \"30s\" or \"2m\"", text)
	}
	return d, nil
}
