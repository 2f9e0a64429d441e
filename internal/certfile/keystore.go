package certfile

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"strconv"

	keystore "github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"
)

// makePKCS12 makes a PKCS #12 file (RFC 7292) of key, certificate and chain.
func (s *Set) makePKCS12(o *Options) ([]byte, error) {
	encoder := pkcs12.Modern2023
	if o.Legacy {
		encoder = pkcs12.LegacyDES
	}
	raw, err := encoder.WithRand(o.Random).Encode(s.key.Signer(), s.leaf, s.chain, o.Password)
	if err != nil {
		return nil, &Error{What: Unreadable, Format: "pkcs12", Err: err}
	}
	return raw, nil
}

// makeJKS makes a Java keystore: with the key one entry that holds it and the
// chain; without, each certificate as one that is trusted.
func (s *Set) makeJKS(o *Options) ([]byte, error) {
	store := keystore.New(keystore.WithOrderedAliases(), keystore.WithCustomRandomNumberGenerator(o.Random))
	created := s.leaf.NotBefore
	if s.key != nil {
		raw, err := x509.MarshalPKCS8PrivateKey(s.key.Signer())
		if err != nil {
			return nil, &Error{What: Unreadable, Format: "jks", Err: err}
		}
		entry := keystore.PrivateKeyEntry{CreationTime: created, PrivateKey: raw}
		for _, c := range s.all() {
			entry.CertificateChain = append(entry.CertificateChain, keystore.Certificate{Type: "X509", Content: c.Raw})
		}
		if err := store.SetPrivateKeyEntry(s.Name(), entry, []byte(o.Password)); err != nil {
			return nil, &Error{What: Unreadable, Format: "jks", Err: err}
		}
	} else {
		trusted := s.all()
		if s.root != nil {
			trusted = append(trusted, s.root)
		}
		for i, c := range trusted {
			alias := s.Name()
			switch {
			case c == s.root:
				alias = "root"
			case i > 0:
				alias = "issuer-" + strconv.Itoa(i)
			}
			entry := keystore.TrustedCertificateEntry{CreationTime: created, Certificate: keystore.Certificate{Type: "X509", Content: c.Raw}}
			if err := store.SetTrustedCertificateEntry(alias, entry); err != nil {
				return nil, &Error{What: Unreadable, Format: "jks", Err: err}
			}
		}
	}
	var b bytes.Buffer
	if err := store.Store(&b, []byte(o.Password)); err != nil {
		return nil, &Error{What: Unreadable, Format: "jks", Err: err}
	}
	return b.Bytes(), nil
}

// all is the certificate and those above it, without the root.
func (s *Set) all() []*x509.Certificate { return append([]*x509.Certificate{s.leaf}, s.chain...) }

// Object identifiers of PKCS #7.
var (
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
)

// makePKCS7 makes the degenerate form of SignedData (RFC 2315 9.1) that carries
// certificates and is signed by nobody: what Windows calls .p7b.
func (s *Set) makePKCS7(*Options) ([]byte, error) {
	type contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"optional"`
	}
	type signedData struct {
		Version      int
		Digests      []asn1.RawValue `asn1:"set"`
		Content      contentInfo
		Certificates asn1.RawValue
		Signers      []asn1.RawValue `asn1:"set"`
	}
	var certificates []byte
	for _, c := range s.all() {
		certificates = append(certificates, c.Raw...)
	}
	inner, err := asn1.Marshal(signedData{
		Version: 1, Digests: []asn1.RawValue{}, Content: contentInfo{Type: oidData},
		Certificates: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: certificates},
		Signers:      []asn1.RawValue{},
	})
	if err != nil {
		return nil, &Error{What: Unreadable, Format: "pkcs7", Err: err}
	}
	raw, err := asn1.Marshal(contentInfo{
		Type: oidSignedData, Content: asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: inner},
	})
	if err != nil {
		return nil, &Error{What: Unreadable, Format: "pkcs7", Err: err}
	}
	return raw, nil
}
