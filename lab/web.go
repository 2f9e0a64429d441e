package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// quiet drops what net/http would log of clients that misbehave.
var quiet = log.New(io.Discard, "", 0)

func (w *World) startWeb(at spot, port uint16, handler http.Handler, certificate *tls.Certificate) error {
	var listener net.Listener
	listener, err := w.listenTCP(at, port)
	if err != nil {
		return err
	}
	if certificate != nil {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*certificate}, NextProtos: []string{"http/1.1"}})
	}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second, Handler: w.delayed(handler),
		ErrorLog: log.New(io.Discard, "", 0), // a client that hangs up is no news here
	}
	w.running.Go(func() { _ = server.Serve(listener) })
	// Close, not Shutdown: a client's idle connections are no reason to wait.
	w.closers = append([]func() error{server.Close}, w.closers...)
	return nil
}

// delayed waits for the link's round trip before each answer.
func (w *World) delayed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err == nil && !pause(w.linkDelay(placeOf(from.Addr())), w.stop) {
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// startDoH serves a resolver over HTTPS (RFC 8484).
func (w *World) startDoH(s *server) error {
	addresses := make([]net.IP, 0, len(s.addresses))
	for _, a := range s.addresses {
		addresses = append(addresses, a.AsSlice())
	}
	certificate, err := selfSigned([]string{hostOf(s.name)}, addresses)
	if err != nil {
		return err
	}
	w.roots.AddCert(certificate.Leaf)
	for _, at := range w.listenAt(s.addresses) {
		if err := w.startWeb(at, 443, s.overHTTPS(), certificate); err != nil {
			return err
		}
	}
	return nil
}

// overHTTPS answers DNS messages sent by GET or POST.
func (s *server) overHTTPS() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/dns-query", func(rw http.ResponseWriter, r *http.Request) {
		in, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 65535))
		if r.Method == http.MethodGet {
			in, err = base64.RawURLEncoding.DecodeString(r.URL.Query().Get("dns"))
		}
		q := query{tcp: true, from: -1}
		if a, parseErr := netip.ParseAddrPort(r.RemoteAddr); parseErr == nil {
			q.from = placeOf(a.Addr())
		}
		if err != nil || !q.read(in) {
			http.Error(rw, "not a DNS message", http.StatusBadRequest)
			return
		}
		o := s.respond(&q, nil)
		if o.message == nil || !pauseFor(r.Context(), o.delay) {
			<-r.Context().Done() // no answer
			return
		}
		rw.Header().Set("Content-Type", "application/dns-message")
		_, _ = rw.Write(o.message)
	})
	return mux
}

func pauseFor(ctx context.Context, d time.Duration) bool { return pause(d, ctx.Done()) }

// selfSigned makes a certificate whose bytes depend only on its names, so that
// observations of it can be compared with golden files.
func selfSigned(names []string, addresses []net.IP) (*tls.Certificate, error) {
	seed := sha256.Sum256([]byte("assay lab " + strings.Join(names, " ")))
	key := ed25519.NewKeyFromSeed(seed[:])
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: addresses,
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("lab certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("lab certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}
