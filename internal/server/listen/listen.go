// Package listen opens the service's listeners: plain HTTP on loopback, TLS
// everywhere else, with the operator's certificate or, until there is one, a
// self-signed one whose fingerprint is told.
package listen

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"assay/internal/secret"
)

// Config says where to listen, and as whom.
type Config struct {
	// Address is host and port; an empty host is every address of the machine.
	Address string
	// CertFile and KeyFile are PEM files; both or none. They are read again when
	// they change.
	CertFile, KeyFile string
	// Directory is where a self-signed certificate is kept.
	Directory string
	// Hosts are names and addresses that a self-signed certificate is for.
	Hosts []string
	Now   func() time.Time
	Log   *slog.Logger
}

// A Listener is open.
type Listener struct {
	net.Listener
	// TLS is nil where it speaks plain HTTP.
	TLS *tls.Config
	// Fingerprint is the SHA-256 of a self-signed certificate, in hexadecimal;
	// "": there is none.
	Fingerprint string
}

// URL is the address as clients write it.
func (l *Listener) URL() string {
	if l.TLS != nil {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// Open opens a listener. Without a certificate one on loopback is plain, any
// other gets a self-signed certificate.
func Open(ctx context.Context, c Config) (*Listener, error) {
	if (c.CertFile == "") != (c.KeyFile == "") {
		return nil, errors.New("a certificate needs its key, and a key its certificate: give both files")
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.Address)
	if err != nil {
		return nil, err
	}
	own := &Listener{Listener: l}
	switch {
	case c.CertFile != "":
		own.TLS, err = fromFiles(c)
	case !loopback(l.Addr()):
		own.TLS, own.Fingerprint, err = selfSigned(c)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return own, nil
}

func loopback(a net.Addr) bool {
	ap, err := netip.ParseAddrPort(a.String())
	return err == nil && ap.Addr().Unmap().IsLoopback()
}

// Serve serves a handler on a listener, with time-outs that leave nothing to
// whoever sends or reads slowly. It returns when the server was shut down.
func (l *Listener) Serve(s *http.Server) error {
	var err error
	if l.TLS != nil {
		s.TLSConfig = l.TLS.Clone()
		err = s.ServeTLS(l.Listener, "", "")
	} else {
		err = s.Serve(l.Listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Server is an HTTP server with bounds: headers in 10 s and 32 KiB, a request in
// 30 s, an answer in 60 s (streams set deadlines of their own).
func Server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func config(get func() (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return get() },
	}
}

// fromFiles serves the operator's certificate.
func fromFiles(c Config) (*tls.Config, error) {
	f := &files{config: c}
	if err := f.load(); err != nil {
		return nil, err
	}
	return config(f.get), nil
}

// files is a certificate in two files, read again when either changed.
type files struct {
	config  Config
	mu      sync.Mutex
	current *tls.Certificate
	stamp   string
	looked  time.Time
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = 5 * time.Second

func (f *files) load() error {
	cert, err := readPair(f.config.CertFile, f.config.KeyFile)
	if err != nil {
		return fmt.Errorf("the certificate: %w", err)
	}
	f.current, f.stamp = &cert, f.now()
	return nil
}

// maxPEM bounds a certificate with its chain, and a key: no such file is near it.
const maxPEM = 1 << 20

// readPair reads a certificate and its key.
func readPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := readPEM(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readPEM(keyFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	defer clear(key)
	return tls.X509KeyPair(cert, key)
}

func readPEM(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err == nil && len(raw) > maxPEM {
		err = fmt.Errorf("%s has more than %d bytes: it is another file than expected", path, maxPEM)
	}
	return raw, err
}

// now tells one state of the files from another.
func (f *files) now() string {
	s := ""
	for _, path := range []string{f.config.CertFile, f.config.KeyFile} {
		if info, err := os.Stat(path); err == nil {
			s += fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size(), ";")
		}
	}
	return s
}

func (f *files) get() (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.config.Now()
	if age := now.Sub(f.looked); age >= 0 && age < lookEvery {
		return f.current, nil
	}
	f.looked = now
	if f.now() == f.stamp {
		return f.current, nil
	}
	// Half-written files are no reason to stop serving: the old certificate stays.
	if err := f.load(); err != nil {
		f.config.Log.Warn("the certificate changed and cannot be read; the one before is still served", "error", err.Error())
	} else {
		f.config.Log.Info("the certificate was read again", "file", f.config.CertFile)
	}
	return f.current, nil
}

// selfSigned reads the certificate that was made before, or makes one for ten
// years: clients know it by its fingerprint, so it must stay.
func selfSigned(c Config) (*tls.Config, string, error) {
	certFile, keyFile := filepath.Join(c.Directory, "tls.crt"), filepath.Join(c.Directory, "tls.key")
	if _, err := os.Stat(certFile); errors.Is(err, fs.ErrNotExist) {
		if err := makeSelfSigned(c, certFile, keyFile); err != nil {
			return nil, "", fmt.Errorf("making a self-signed certificate: %w", err)
		}
	}
	cert, err := readPair(certFile, keyFile)
	if err != nil {
		return nil, "", fmt.Errorf("the self-signed certificate (remove %s and a new one is made): %w", certFile, err)
	}
	sum := sha256.Sum256(cert.Certificate[0])
	return config(func() (*tls.Certificate, error) { return &cert, nil }), hex.EncodeToString(sum[:]), nil
}

func makeSelfSigned(c Config, certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	now := c.Now()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Assay"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	for _, h := range c.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else if h != "" {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	// The key first: where the certificate is, its key is.
	if err := os.Remove(keyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := secret.CreatePrivateFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})); err != nil {
		return err
	}
	return secret.CreatePrivateFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
