package host

import (
	"context"
	"crypto/rand"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"assay/evidence"
	"assay/probe/dial"
)

// A Resolver finds the addresses of a host from the root, validated, as the
// place's own DNS questions are answered; within one review it shares what was
// learnt of the zones on the way.
type Resolver interface {
	// Addresses looks one type up, "A" or "AAAA", through CNAMEs. The name is in
	// A-label form, lower case, without final dot. It does not fail: what went
	// wrong is the Status, or Unknown.
	Addresses(ctx context.Context, name, qtype string) evidence.HostLookup
}

// A Dialer reaches addresses, behind the guard; *dial.Dialer is one.
type Dialer interface {
	// Guard returns an error for an address that must not be dialled.
	Guard(netip.Addr) error
	// Dial judges the address and connects to exactly that one.
	Dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error)
}

var _ Dialer = (*dial.Dialer)(nil)

// A Place is what looking at hosts needs. It is safe for concurrent use.
type Place struct {
	Dialer   Dialer
	Resolver Resolver
	// Lacks lists families that do not work here: "ipv4", "ipv6".
	Lacks []string
	// Handshake bounds a TLS handshake, Whole a whole fetch with its redirects;
	// 0 means 10 s and 20 s.
	Handshake, Whole time.Duration
	// Now is the clock that durations are taken with; nil: the system's.
	Now func() time.Time
	// Random makes 16 characters of [a-z0-9]; nil: from the system's randomness.
	Random func() string
}

// WithDefaults fills in what is not set.
func (p Place) WithDefaults() Place {
	if p.Handshake <= 0 {
		p.Handshake = 10 * time.Second
	}
	if p.Whole <= 0 {
		p.Whole = 20 * time.Second
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Random == nil {
		p.Random = func() string { return strings.ToLower(rand.Text()[:16]) }
	}
	return p
}

// Unknown says why an address is not dialled from here, "" where it is.
func (p *Place) Unknown(a netip.Addr) string {
	if family := Family(a); slices.Contains(p.Lacks, family) {
		return "no-" + family
	}
	return ""
}

// Dial connects to an address and says what happened in the words of the
// observation format. The connection ends with ctx.
func (p *Place) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, evidence.Dial) {
	d := evidence.Dial{Address: to.String()}
	conn, err := p.Dialer.Dial(ctx, "tcp", to)
	if err != nil {
		d.Error = dial.Failure(err)
		return nil, d
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	return conn, d
}
