package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assay/data"
	"assay/evidence"
	"assay/probe/dial"
	"assay/probe/host"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is servers on loopback behind public-looking addresses.
type world struct {
	t     *testing.T
	place host.Place
	dials dial.Map
	names names
}

// names is the resolver of a world: "name type" to addresses.
type names struct {
	mu      sync.Mutex
	records map[string][]string
	asked   []string
}

func (n *names) Addresses(_ context.Context, name, qtype string) evidence.HostLookup {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, name+" "+qtype)
	addresses, ok := n.records[name+" "+qtype]
	if !ok {
		return evidence.HostLookup{Status: "NXDOMAIN", Security: "insecure"}
	}
	return evidence.HostLookup{Status: "NOERROR", Security: "insecure", Addresses: addresses}
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, dials: dial.Map{}, names: names{records: map[string][]string{}}}
	w.place = host.Place{
		Dialer:   &dial.Dialer{Data: data.Embedded(), Map: w.dials, Timeout: 2 * time.Second},
		Resolver: &w.names, Handshake: 2 * time.Second, Whole: 5 * time.Second,
		Random: func() string { return "r4nd0mr4nd0mr4nd" },
	}
	return w
}

// limits shortens the timeouts.
func (w *world) limits(connect, handshake, whole time.Duration) {
	w.place.Dialer.(*dial.Dialer).Timeout = connect
	w.place.Handshake, w.place.Whole = handshake, whole
}

// serve runs a server at an address ("45.155.10.21:80") that treats each
// connection so. The connection is closed afterwards.
func (w *world) serve(address string, each func(net.Conn)) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	var running sync.WaitGroup
	var open sync.Map
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(c, nil)
			running.Go(func() {
				defer open.Delete(c)
				defer c.Close()
				each(c)
			})
		}
	})
	w.t.Cleanup(func() {
		_ = l.Close()
		open.Range(func(c, _ any) bool { _ = c.(net.Conn).Close(); return true })
		running.Wait()
	})
	w.dials[dial.Endpoint{Network: "tcp", AddrPort: netip.MustParseAddrPort(address)}] = l.Addr().(*net.TCPAddr).AddrPort()
}

// hole drops what is sent to an address.
func (w *world) hole(address string) {
	w.dials[dial.Endpoint{Network: "tcp", AddrPort: netip.MustParseAddrPort(address)}] = netip.AddrPort{}
}

// refuse runs nothing at an address.
func (w *world) refuse(address string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	_ = l.Close()
	w.dials[dial.Endpoint{Network: "tcp", AddrPort: netip.MustParseAddrPort(address)}] = l.Addr().(*net.TCPAddr).AddrPort()
}

func (w *world) look(q evidence.HTTPQuestion) *evidence.HTTPExchange {
	w.t.Helper()
	x, err := Look(context.Background(), w.place, q)
	if err != nil {
		w.t.Fatalf("%s: %v", q.URL, err)
	}
	return x
}

// request reads a request's head, "" where none comes.
func readRequest(c net.Conn) string {
	var b strings.Builder
	buf := make([]byte, 1)
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		if _, err := c.Read(buf); err != nil {
			return ""
		}
		b.Write(buf)
	}
	return b.String()
}

// answer gives the same bytes to every request.
func answer(text string) func(net.Conn) {
	return func(c net.Conn) {
		if readRequest(c) != "" {
			_, _ = c.Write([]byte(text))
		}
	}
}

// ok is a plain answer with a body.
func ok(body string) func(net.Conn) {
	return answer("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + body)
}

// to redirects.
func to(status, location string) func(net.Conn) {
	return answer("HTTP/1.1 " + status + " Moved\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n")
}

// secure speaks TLS first.
func secure(t *testing.T, then func(net.Conn)) func(net.Conn) {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	return func(c net.Conn) {
		s := tls.Server(c, config)
		if s.Handshake() == nil {
			then(s)
			_ = s.Close()
		}
	}
}

func selfSigned(tb testing.TB) tls.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, DNSNames: []string{"orchard.net"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// counter counts connections.
func counter(n *atomic.Int32, then func(net.Conn)) func(net.Conn) {
	return func(c net.Conn) { n.Add(1); then(c) }
}
