// Package egress connects to hosts that somebody named: an operator, a tenant,
// another server. A host is looked up once, every address of it is judged before
// it is dialled, and exactly what was judged is dialled. Proxy variables of the
// environment are not read.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"assay/probe/dial"
)

// maxAddresses is how many addresses of a host are tried.
const maxAddresses = 4

// A Dialer connects to hosts by name.
type Dialer struct {
	// Dialer judges addresses and dials them.
	Dialer *dial.Dialer
	// Lookup finds the addresses of a host; nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	// Judge, if set, judges addresses in place of the dialer's guard. The guard
	// still has the last word: it judges again what it dials.
	Judge func(netip.Addr) error
}

// DialContext is for [net/http.Transport]. Its network is always TCP.
func (d *Dialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, err
	}
	found, err := d.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var first error
	for _, a := range found[:min(len(found), maxAddresses)] {
		if err = d.judge(a); err == nil {
			var c net.Conn
			if c, err = d.Dialer.Dial(ctx, "tcp", netip.AddrPortFrom(a, uint16(port))); err == nil {
				return c, nil
			}
		}
		// The guard's word counts more than that another address is down.
		if first == nil || errors.Is(err, dial.ErrGuard) {
			first = err
		}
	}
	if first == nil {
		first = errors.New("the host has no address")
	}
	return nil, first
}

func (d *Dialer) judge(a netip.Addr) error {
	if d.Judge != nil {
		return d.Judge(a)
	}
	return d.Dialer.Guard(a)
}

func (d *Dialer) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if d.Lookup != nil {
		return d.Lookup(ctx, host)
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", strings.TrimSuffix(host, ".")+".")
	var unknown *net.DNSError
	if errors.As(err, &unknown) { // without the address of our resolver
		err = errors.New(unknown.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("looking up %.100q: %w", host, err)
	}
	return found, nil
}
