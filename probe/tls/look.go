package tls

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"assay/evidence"
	"assay/probe/host"
)

// Look answers a question. An error means that it could not be asked for a
// reason that lies with us.
func Look(ctx context.Context, p host.Place, q evidence.TLSQuestion) (*evidence.TLSExchange, error) {
	p = p.WithDefaults()
	name, addr, ok := host.Parse(q.Name)
	if !ok {
		return nil, fmt.Errorf("not the name of a host: %q", q.Name)
	}
	if q.Port < 1 || q.Port > 65535 {
		return nil, fmt.Errorf("not a port: %d", q.Port)
	}
	l := &look{place: &p, q: q, serverName: name}
	if addr.IsValid() {
		l.serverName = reverse(addr)
	}
	switch {
	case q.Address != "":
		only, err := netip.ParseAddr(q.Address)
		if err != nil {
			return nil, fmt.Errorf("address: %w", err)
		}
		l.visit(ctx, only, p.Unknown(only))
	case addr.IsValid():
		l.visit(ctx, addr, p.Unknown(addr))
	case q.Each:
		hosts := host.NewSet(ctx, &p)
		hosts.Each(name, func(a netip.Addr, unknown string) { l.visit(ctx, a, unknown) })
		l.seen.Hosts = hosts.Hosts()
	default:
		return nil, errors.New("neither each address nor one")
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	slices.SortFunc(l.seen.Handshakes, func(a, b evidence.Handshake) int { return host.Before(a.Address, b.Address) })
	return &l.seen, nil
}

type look struct {
	place      *host.Place
	q          evidence.TLSQuestion
	serverName string
	mu         sync.Mutex
	seen       evidence.TLSExchange
}

func (l *look) visit(ctx context.Context, a netip.Addr, unknown string) {
	h := evidence.Handshake{Address: a.String(), Family: host.Family(a), Unknown: unknown}
	if unknown == "" {
		l.handshake(ctx, netip.AddrPortFrom(a, uint16(l.q.Port)), &h)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen.Handshakes = append(l.seen.Handshakes, h)
}

func (l *look) handshake(ctx context.Context, to netip.AddrPort, h *evidence.Handshake) {
	ctx, cancel := context.WithTimeout(ctx, l.place.Whole)
	defer cancel()
	began := l.place.Now()
	since := func() float64 { return float64(l.place.Now().Sub(began).Microseconds()) / 1000 }
	conn, d := l.place.Dial(ctx, to)
	h.Dial, h.Phases = d, map[string]float64{"connect": since()}
	if conn == nil {
		return
	}
	defer conn.Close()
	c, info, failure := Handshake(ctx, conn, Options{ServerName: l.serverName, ALPN: l.q.ALPN, Timeout: l.place.Handshake})
	h.Info, h.Failure = info, failure
	h.Phases["tls"] = since()
	if c != nil {
		leaf := c.ConnectionState().PeerCertificates[0].Raw
		if len(leaf) <= maxDER {
			info.Certificates[0].DER = leaf
		}
	}
	if failure.Error == evidence.ErrorCertificate {
		h.Info = l.raw(ctx, to)
	}
}

// raw takes the leaf of a server whose certificate crypto/tls cannot read
// (extensions repeated, for one) from a TLS 1.2 handshake, where certificates
// are sent in the clear. Nil where the server speaks only TLS 1.3.
func (l *look) raw(ctx context.Context, to netip.AddrPort) *evidence.TLSInfo {
	conn, _ := l.place.Dial(ctx, to)
	if conn == nil {
		return nil
	}
	defer conn.Close()
	tap := &tap{Conn: conn}
	_, _, f := Handshake(ctx, tap, Options{
		ServerName: l.serverName, ALPN: l.q.ALPN, Timeout: l.place.Handshake, Max: tls.VersionTLS12,
	})
	hello := readServerMessages(tap.read)
	if f.Error != evidence.ErrorCertificate || len(hello.leaf) == 0 || len(hello.leaf) > maxDER {
		return nil
	}
	sum := sha256.Sum256(hello.leaf)
	return &evidence.TLSInfo{Version: tls.VersionName(hello.version), ALPN: hello.alpn, Certificates: []evidence.Certificate{
		{SHA256: hex.EncodeToString(sum[:]), DER: hello.leaf},
	}}
}

// reverse is the reverse name of an address, the server name for tls-alpn-01 of
// an IP address (RFC 8738 6).
func reverse(a netip.Addr) string {
	a = a.Unmap()
	var b strings.Builder
	raw := a.AsSlice()
	slices.Reverse(raw)
	for _, c := range raw {
		if a.Is4() {
			fmt.Fprintf(&b, "%d.", c)
		} else {
			fmt.Fprintf(&b, "%x.%x.", c&15, c>>4)
		}
	}
	if a.Is4() {
		return b.String() + "in-addr.arpa"
	}
	return b.String() + "ip6.arpa"
}
