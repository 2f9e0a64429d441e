package lab

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

// Certificates are those that a scenario about deployment is about: they are the
// same in every world.
type Certificates struct {
	// New is the certificate deployed, Old the one before it, Newer one that
	// followed it, each for orchard.net, www.orchard.net and 45.155.10.21.
	New, Old, Newer *tls.Certificate
	// Issuing and Root are the CA's, DER: Issuing issued the three.
	Issuing, Root []byte
}

// deployments are what [Handshake.Deployment] can be.
var deployments = []string{"new", "new-alone", "old", "old-alone", "newer"}

// Deployed makes the certificates, once.
func Deployed() (*Certificates, error) { return deployed() }

var deployed = sync.OnceValues(makeCertificates)

func makeCertificates() (*Certificates, error) {
	root, err := newIssuer()
	if err != nil {
		return nil, err
	}
	template := plainTemplate("Orchard Lab Issuing CA")
	template.SerialNumber, template.IsCA, template.BasicConstraintsValid, template.KeyUsage = big.NewInt(2), true, true, x509.KeyUsageCertSign
	issuing := &signer{key: certificateKey("issuing")}
	made, err := root.sign(template, issuing.key)
	if err != nil {
		return nil, err
	}
	if issuing.certificate, err = x509.ParseCertificate(made.Certificate[0]); err != nil {
		return nil, err
	}
	c := &Certificates{Issuing: made.Certificate[0], Root: root.certificate.Raw}
	for _, each := range []struct {
		into   **tls.Certificate
		name   string
		serial int64
		from   time.Time
	}{
		{&c.Old, "old", 0x01d, Clock.AddDate(0, -2, -20)},
		{&c.New, "new", 0x0e11, Clock.Add(-20 * time.Hour)},
		{&c.Newer, "newer", 0x0e12, Clock.Add(-time.Hour)},
	} {
		t := plainTemplate("orchard.net")
		t.SerialNumber, t.NotBefore, t.NotAfter = big.NewInt(each.serial), each.from, each.from.AddDate(0, 0, 90)
		for _, n := range []string{"orchard.net", "www.orchard.net", AddressWeb1} {
			addName(t, n)
		}
		leaf, err := issuing.sign(t, certificateKey("deployed "+each.name))
		if err != nil {
			return nil, err
		}
		leaf.Certificate = append(leaf.Certificate, c.Issuing)
		*each.into = leaf
	}
	return c, nil
}

// serves is what a handshake shows by its word.
func (c *Certificates) serves(word string) (*tls.Certificate, error) {
	which, alone := strings.CutSuffix(word, "-alone")
	full := map[string]*tls.Certificate{"new": c.New, "old": c.Old, "newer": c.Newer}[which]
	if full == nil {
		return nil, fmt.Errorf("deployment: %q must be one of %s", word, strings.Join(deployments, ", "))
	}
	if alone {
		return &tls.Certificate{Certificate: full.Certificate[:1], PrivateKey: full.PrivateKey}, nil
	}
	return full, nil
}

// digests replaces what a zone says of these certificates: $SPKI_NEW, $SPKI_OLD
// and $SPKI_CA are the SHA-256 of their public keys, $CERT_NEW that of the whole
// certificate, in hexadecimal, for TLSA records.
func digests(text string) (string, error) {
	if !strings.Contains(text, "$SPKI_") && !strings.Contains(text, "$CERT_") {
		return text, nil
	}
	c, err := Deployed()
	if err != nil {
		return "", err
	}
	var pairs []string
	for _, each := range []struct {
		name string
		raw  []byte
	}{{"NEW", c.New.Certificate[0]}, {"OLD", c.Old.Certificate[0]}, {"CA", c.Issuing}} {
		parsed, err := x509.ParseCertificate(each.raw)
		if err != nil {
			return "", err
		}
		spki, whole := sha256.Sum256(parsed.RawSubjectPublicKeyInfo), sha256.Sum256(each.raw)
		pairs = append(pairs, "$SPKI_"+each.name, hex.EncodeToString(spki[:]), "$CERT_"+each.name, hex.EncodeToString(whole[:]))
	}
	return strings.NewReplacer(pairs...).Replace(text), nil
}
