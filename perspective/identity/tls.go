package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"time"

	"assay/perspective/wire"
)

// ErrPeer is returned for a peer that does not show the key it should.
var ErrPeer = errors.New("the other side has not the key it should have")

// Certificate is a self-signed certificate over the key. Nobody reads anything
// in it but the key, so it is made anew at each start and never expires in
// practice.
func (id *Identity) Certificate() (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "assay perspective"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280 4.1.2.5: no expiry
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, id.Private.Public(), id.Private)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: id.Private}, nil
}

// Server is the TLS configuration of an agent: whoever connects must show a key
// that allow accepts.
func (id *Identity) Server(allow func(key string) bool) (*tls.Config, error) {
	c, err := id.config()
	if err != nil {
		return nil, err
	}
	c.ClientAuth = tls.RequireAnyClientCert
	c.NextProtos = []string{"h2", "http/1.1"}
	c.VerifyConnection = func(s tls.ConnectionState) error {
		key, err := PeerKey(&s)
		if err != nil {
			return err
		}
		if !allow(key) {
			return ErrPeer
		}
		return nil
	}
	return c, nil
}

// Client is the TLS configuration of a coordinator that connects to the agent
// with one key and no other.
func (id *Identity) Client(agent ed25519.PublicKey) (*tls.Config, error) {
	c, err := id.config()
	if err != nil {
		return nil, err
	}
	want := wire.FormatKey(agent)
	c.NextProtos = []string{"h2"}
	c.InsecureSkipVerify = true // there is no authority to ask: VerifyConnection compares the key
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if key, err := PeerKey(&s); err != nil || key != want {
			return ErrPeer
		}
		return nil
	}
	return c, nil
}

func (id *Identity) config() (*tls.Config, error) {
	certificate, err := id.Certificate()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate},
		// A resumed session would not show the key again.
		SessionTicketsDisabled: true,
	}, nil
}

// PeerKey is the key that the other side has shown, as text. TLS has made sure
// that it holds it.
func PeerKey(s *tls.ConnectionState) (string, error) {
	if s == nil || len(s.PeerCertificates) == 0 {
		return "", ErrPeer
	}
	key, ok := s.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return "", ErrPeer
	}
	return wire.FormatKey(key), nil
}
