package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"assay/internal/client"
)

// listening is where the service answers.
type listening struct {
	net.Listener
	url         string
	fingerprint string // of a self-signed certificate
}

// listen opens the address. Off loopback, and wherever a certificate is given,
// it speaks TLS; without a certificate it makes a self-signed one, whose
// fingerprint clients pin until a real one is set.
func (a *app) listen(f *serviceFlags, dir string) (*listening, error) {
	host, _, err := net.SplitHostPort(f.listen)
	if err != nil {
		return nil, a.usage("assay serve --listen 127.0.0.1:8080", "perspective.listen", "Address", f.listen, "Why", err)
	}
	inner, err := net.Listen("tcp", f.listen)
	if err != nil {
		return nil, a.usage("assay serve --listen 127.0.0.1:0", "perspective.listen", "Address", f.listen, "Why", err)
	}
	l := &listening{Listener: inner, url: "http://" + inner.Addr().String()}
	if f.cert == "" && loopbackHost(host) {
		return l, nil
	}
	source, fingerprint, err := a.certificateSource(f, dir)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	l.fingerprint, l.url = fingerprint, "https://"+inner.Addr().String()
	l.Listener = tls.NewListener(inner, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: source,
	})
	return l, nil
}

func loopbackHost(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

type getCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error)

func (a *app) certificateSource(f *serviceFlags, dir string) (getCertificate, string, error) {
	if f.cert != "" {
		r := &reloading{cert: f.cert, key: f.key}
		if _, err := r.get(nil); err != nil {
			return nil, "", a.usage("assay serve --tls-cert cert.pem --tls-key key.pem", "serve.certificate", "Path", f.cert, "Why", err)
		}
		return r.get, "", nil
	}
	path := filepath.Join(dir, "self-signed.pem")
	c, err := selfSigned(path, a.now())
	if err != nil {
		return nil, "", a.usage("assay serve --tls-cert cert.pem --tls-key key.pem", "serve.certificate", "Path", path, "Why", err)
	}
	leaf, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		return nil, "", err
	}
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c, nil }, client.Fingerprint(leaf), nil
}

// reloading reads a certificate again when its file changed, so that a renewed
// one needs no restart.
type reloading struct {
	cert, key string

	lock    sync.Mutex
	loaded  *tls.Certificate
	changed time.Time
	looked  time.Time
}

func (r *reloading) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.loaded != nil && time.Since(r.looked) < 10*time.Second {
		return r.loaded, nil
	}
	r.looked = time.Now()
	info, err := os.Stat(r.cert)
	if err == nil && r.loaded != nil && info.ModTime().Equal(r.changed) {
		return r.loaded, nil
	}
	c, e := tls.LoadX509KeyPair(r.cert, r.key)
	if err = errors.Join(err, e); err != nil {
		if r.loaded != nil {
			return r.loaded, nil // half written: the old one is good until it is whole
		}
		return nil, err
	}
	r.loaded, r.changed = &c, info.ModTime()
	return r.loaded, nil
}

// selfSigned reads or makes the certificate of the first days.
func selfSigned(path string, now time.Time) (*tls.Certificate, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if raw, err = makeSelfSigned(now); err == nil {
			err = os.WriteFile(path, raw, 0o600)
		}
	}
	if err != nil {
		return nil, err
	}
	c, err := tls.X509KeyPair(raw, raw)
	if err != nil {
		return nil, fmt.Errorf("remove it to have another made: %w", err)
	}
	return &c, nil
}

func makeSelfSigned(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "assay"
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Assay, self-signed"}, DNSNames: []string{host, "localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...), nil
}
