// Package lab is a small internet in one process: name servers, web servers and
// a map from public-looking addresses to loopback ports, so that probes can be
// tried against a world whose every fault is chosen.
//
// Today it holds what settled the observation format: [Healthy], two zones and
// a web server in which a DV order passes. Scenarios for each cause build on it.
package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"assay/probe/dial"
)

// A World is what runs: build it, [World.Start] it, probe it through
// [World.DialMap], [World.Close] it.
type World struct {
	// Servers maps the public-looking address of each name server to the zones
	// it serves: zone name (no final dot) to records in presentation form.
	Servers map[string]map[string][]string
	// Sites maps the address of each web server to what it serves.
	Sites map[string]Site

	dialMap dial.Map
	running sync.WaitGroup
	closers []func() error
}

// A Site is a web server: contents by path, over HTTP, HTTPS or both.
type Site struct {
	HTTP, HTTPS map[string]string
	// Names are in the certificate that HTTPS shows.
	Names []string
}

// Addresses of the healthy world. They look public; nothing is ever sent there.
const (
	AddressTLDServer = "45.155.10.1"
	AddressNS1       = "45.155.10.11"
	AddressNS2       = "45.155.10.12"
	AddressWeb1      = "45.155.10.21"
)

// Healthy returns the state H of the catalogue's section G in its smallest
// form: the zone net. delegates orchard.net to ns1 and ns2; both serve the
// validation record; the web server serves the validation file on both schemes.
func Healthy(value, fileName, content string) *World {
	orchard := []string{
		"orchard.net. 3600 IN SOA ns1.orchard.net. hostmaster.orchard.net. 2026112301 7200 3600 1209600 300",
		"orchard.net. 3600 IN NS ns1.orchard.net.",
		"orchard.net. 3600 IN NS ns2.orchard.net.",
		"ns1.orchard.net. 3600 IN A " + AddressNS1,
		"ns2.orchard.net. 3600 IN A " + AddressNS2,
		"orchard.net. 600 IN A " + AddressWeb1,
		fmt.Sprintf("_dnsauth.orchard.net. 600 IN TXT %q", value),
	}
	net := []string{
		"net. 86400 IN SOA a.net. hostmaster.net. 1 7200 3600 1209600 900",
		"orchard.net. 86400 IN NS ns1.orchard.net.",
		"orchard.net. 86400 IN NS ns2.orchard.net.",
		"ns1.orchard.net. 86400 IN A " + AddressNS1,
		"ns2.orchard.net. 86400 IN A " + AddressNS2,
	}
	files := map[string]string{"/.well-known/pki-validation/" + fileName: content}
	return &World{
		Servers: map[string]map[string][]string{
			AddressTLDServer: {"net": net},
			AddressNS1:       {"orchard.net": orchard},
			AddressNS2:       {"orchard.net": orchard},
		},
		Sites: map[string]Site{AddressWeb1: {HTTP: files, HTTPS: files, Names: []string{"orchard.net"}}},
	}
}

// DialMap says where the world's addresses really are.
func (w *World) DialMap() dial.Map { return w.dialMap }

// Start runs every server on loopback. On error nothing is left running.
func (w *World) Start() (err error) {
	w.dialMap = dial.Map{}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	for address, zones := range w.Servers {
		if err := w.serveDNS(address, zones); err != nil {
			return fmt.Errorf("name server %s: %w", address, err)
		}
	}
	for address, site := range w.Sites {
		if site.HTTP != nil {
			if err := w.serveWeb(address, 80, site.HTTP, nil); err != nil {
				return fmt.Errorf("web server %s: %w", address, err)
			}
		}
		if site.HTTPS != nil {
			certificate, err := selfSigned(site.Names)
			if err != nil {
				return err
			}
			if err := w.serveWeb(address, 443, site.HTTPS, certificate); err != nil {
				return fmt.Errorf("web server %s: %w", address, err)
			}
		}
	}
	return nil
}

// Close stops every server and waits for it.
func (w *World) Close() error {
	var errs []error
	for _, c := range w.closers {
		errs = append(errs, c())
	}
	w.running.Wait()
	w.closers = nil
	return errors.Join(errs...)
}

func (w *World) serveDNS(address string, zones map[string][]string) error {
	handler, err := newAuthority(zones)
	if err != nil {
		return err
	}
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stream, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, packet.Close())
	}
	for _, s := range []*dns.Server{{PacketConn: packet, Handler: handler}, {Listener: stream, Handler: handler}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		w.running.Go(func() { _ = s.ActivateAndServe() })
		<-started
		w.closers = append(w.closers, s.Shutdown)
	}
	at := netip.AddrPortFrom(netip.MustParseAddr(address), 53)
	w.dialMap[dial.Endpoint{Network: "udp", AddrPort: at}] = packet.LocalAddr().(*net.UDPAddr).AddrPort()
	w.dialMap[dial.Endpoint{Network: "tcp", AddrPort: at}] = stream.Addr().(*net.TCPAddr).AddrPort()
	return nil
}

func (w *World) serveWeb(address string, port int, files map[string]string, certificate *tls.Certificate) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	at := netip.AddrPortFrom(netip.MustParseAddr(address), uint16(port))
	w.dialMap[dial.Endpoint{Network: "tcp", AddrPort: at}] = listener.Addr().(*net.TCPAddr).AddrPort()
	if certificate != nil {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*certificate}})
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		content, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "text/plain")
		rw.Header().Set("Server", "lab")
		_, _ = rw.Write([]byte(content))
	})}
	w.running.Go(func() { _ = server.Serve(listener) })
	w.closers = append(w.closers, func() error { return server.Shutdown(context.Background()) })
	return nil
}

// selfSigned makes a certificate whose bytes depend only on the names, so that
// observations of it can be compared with golden files.
func selfSigned(names []string) (*tls.Certificate, error) {
	seed := sha256.Sum256([]byte("assay lab " + strings.Join(names, " ")))
	key := ed25519.NewKeyFromSeed(seed[:])
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("lab certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
