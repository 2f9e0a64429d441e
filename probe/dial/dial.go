// Package dial is how probes reach an address: the guard first, then the map.
//
// Every address is judged before every dial, and what was judged is what is
// dialled: no name is looked up here, and proxy variables are not read. What
// rules call port 53 or 80 is that port for the guard and in evidence; [Map],
// and the port settings of whoever calls, say where it really is.
package dial

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sort"
	"strings"
	"syscall"
	"time"

	"assay/data"
)

// DefaultTimeout bounds one connection attempt where Dialer.Timeout does not.
const DefaultTimeout = 10 * time.Second

// A Dialer connects from one place. Its zero value dials nothing: Data is needed.
type Dialer struct {
	// Data tells which addresses are not public; dialling those is refused.
	Data *data.Set
	// Allow lists networks that count as public although they are not
	// (--allow-addresses): an operator's own.
	Allow []netip.Prefix
	// Map sends an address and port elsewhere, after the guard; nil on the internet.
	Map Map
	// DNSPort, HTTPPort and HTTPSPort are where ports 53, 80 and 443 really are; 0: there.
	DNSPort, HTTPPort, HTTPSPort uint16
	// Source is the local address to dial from; the zero Addr leaves it to the system.
	Source netip.Addr
	// Timeout bounds one connection attempt; 0 means [DefaultTimeout].
	Timeout time.Duration
}

// ErrGuard is returned for an address that must not be dialled.
var ErrGuard = errors.New("not a public address")

// Guard returns an error that wraps [ErrGuard] for an address that must not be
// dialled, and names the registry row that holds it.
func (d *Dialer) Guard(a netip.Addr) error {
	for _, p := range d.Allow {
		if p.Contains(a.Unmap()) {
			return nil
		}
	}
	if block, reserved := d.Data.Reserved(a); reserved {
		return fmt.Errorf("%w: %s is %s", ErrGuard, a, block.Name)
	}
	return nil
}

// Target says where an address and port is really dialled, after the guard
// judged the address itself. Network is "udp" or "tcp".
func (d *Dialer) Target(network string, to netip.AddrPort) (netip.AddrPort, error) {
	if err := d.Guard(to.Addr()); err != nil {
		return netip.AddrPort{}, err
	}
	if d.Map != nil {
		mapped, ok := d.Map[Endpoint{network, to}]
		if !ok {
			return netip.AddrPort{}, syscall.EHOSTUNREACH
		}
		return mapped, nil
	}
	for _, p := range []struct{ rule, real uint16 }{{53, d.DNSPort}, {80, d.HTTPPort}, {443, d.HTTPSPort}} {
		if to.Port() == p.rule && p.real != 0 {
			return netip.AddrPortFrom(to.Addr(), p.real), nil
		}
	}
	return to, nil
}

// Dial connects to exactly one address and port.
func (d *Dialer) Dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	target, err := d.target(ctx, network, to)
	if err != nil {
		return nil, err
	}
	source := d.sourceFor(target)
	if network == "udp" { // does not wait, so needs no timer
		return dialUDP(source, target)
	}
	// No keep-alive: connections here live for seconds, and have deadlines.
	n := net.Dialer{Timeout: d.timeout(), KeepAlive: -1}
	if source.IsValid() {
		n.LocalAddr = net.TCPAddrFromAddrPort(source)
	}
	return n.DialContext(ctx, network, target.String())
}

// target is [Dialer.Target], which waits in vain where the map drops what is sent.
func (d *Dialer) target(ctx context.Context, network string, to netip.AddrPort) (netip.AddrPort, error) {
	target, err := d.Target(network, to)
	if err == nil && !target.IsValid() {
		err = vanish(ctx, d.timeout())
	}
	return target, err
}

func (d *Dialer) timeout() time.Duration {
	if d.Timeout > 0 {
		return d.Timeout
	}
	return DefaultTimeout
}

// sourceFor is where to dial an address from; not valid where the system chooses.
func (d *Dialer) sourceFor(target netip.AddrPort) netip.AddrPort {
	if d.Source.IsValid() && d.Source.Unmap().Is4() == target.Addr().Unmap().Is4() {
		return netip.AddrPortFrom(d.Source, 0)
	}
	return netip.AddrPort{}
}

func dialUDP(source, target netip.AddrPort) (*net.UDPConn, error) {
	var from *net.UDPAddr
	if source.IsValid() {
		from = net.UDPAddrFromAddrPort(source)
	}
	return net.DialUDP("udp", from, net.UDPAddrFromAddrPort(target))
}

// vanish waits as long as a connection attempt that nothing answers.
func vanish(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	<-ctx.Done()
	return ctx.Err()
}

// Failure names what went wrong with a connection in the words of the
// observation format: "guard", "refused", "timeout", "unreachable", "reset",
// or "failed". It is the one place where Go's network errors are told apart.
func Failure(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrGuard):
		return "guard"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return "failed"
}

// An Endpoint is what rules call an address and port, with its network.
type Endpoint struct {
	Network string // "udp" or "tcp"
	netip.AddrPort
}

// A Map sends what the rules call an address and port somewhere else: a
// laboratory on loopback. With a map, what is not in it is unreachable, and
// what it sends to the zero AddrPort is dropped on the way: no answer ever comes.
type Map map[Endpoint]netip.AddrPort

// Digest identifies the map in evidence by what it maps, not by where to: a
// laboratory has other ports each time.
func (m Map) Digest() string {
	lines := make([]string, 0, len(m))
	for k := range m {
		lines = append(lines, k.Network+" "+k.AddrPort.String())
	}
	sort.Strings(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}
