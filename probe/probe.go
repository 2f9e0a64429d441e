// Package probe answers questions by looking at the network. It is the only
// package that dials; it reports what it saw and judges nothing.
//
// Today it answers one DNS question to one server and one HTTP fetch at one
// address: what the observation format was settled with. The iterative
// validating resolver, redirects, TLS-ALPN and perspectives build on it.
package probe

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
	"assay/evidence"
)

// A Prober looks from one place.
type Prober struct {
	// Perspective is the id of the place, "P0" for the primary.
	Perspective string
	// Data tells which addresses are not public; dialling those is refused.
	Data *data.Set
	// Map says where an address and port is really dialled, after the guard
	// judged the address itself. Nil on the internet.
	Map DialMap
	// Now is the clock.
	Now func() time.Time
	// Timeout bounds one connection attempt and one exchange; 0 means 10 s.
	Timeout time.Duration
}

// A DialMap sends what the rules call an address and port somewhere else: a
// laboratory on loopback. Keys are "udp" or "tcp", a space, and address:port.
type DialMap map[string]string

// Digest identifies the map in evidence.
func (m DialMap) Digest() string {
	lines := make([]string, 0, len(m))
	for k := range m {
		lines = append(lines, k)
	}
	sort.Strings(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ErrGuard is returned for an address that must not be dialled.
var ErrGuard = errors.New("not a public address")

// dial connects to exactly one address and port; no name is looked up here, so
// what the guard judged is what is dialled.
func (p *Prober) dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	if block, reserved := p.Data.Reserved(to.Addr()); reserved {
		return nil, fmt.Errorf("%w: %s is %s", ErrGuard, to.Addr(), block.Name)
	}
	target := to.String()
	if p.Map != nil {
		mapped, ok := p.Map[network+" "+target]
		if !ok {
			return nil, syscall.EHOSTUNREACH
		}
		target = mapped
	}
	d := net.Dialer{Timeout: p.timeout()}
	return d.DialContext(ctx, network, target)
}

func (p *Prober) timeout() time.Duration {
	if p.Timeout > 0 {
		return p.Timeout
	}
	return 10 * time.Second
}

// observation starts the answer to a question.
func (p *Prober) observation(q evidence.Question, began time.Time) evidence.Observation {
	o := evidence.Observation{Question: q, At: began.UTC(), Millis: float64(p.Now().Sub(began).Microseconds()) / 1000}
	if p.Map != nil {
		o.Network = &evidence.NetworkOptions{DialMap: p.Map.Digest()}
	}
	return o
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
