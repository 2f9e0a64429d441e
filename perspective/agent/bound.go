package agent

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"assay/perspective/wire"
)

// A bucket holds tokens that come back with time. Its zero value is full.
type bucket struct {
	used float64
	at   time.Time
}

// take takes a token of a bucket that gains rate of them a second and holds size.
func (b *bucket) take(now time.Time, rate, size float64) bool {
	if d := now.Sub(b.at).Seconds(); d > 0 {
		b.used = max(0, b.used-d*rate)
		b.at = now
	}
	if b.used+1 > size {
		return false
	}
	b.used++
	return true
}

// maxNonces bounds a generation of nonces: four times what the default rate lets
// through in it.
const maxNonces = 1 << 17

// nonces remembers those used as long as a request with them would be accepted:
// one made a minute ahead is for two minutes. There are two generations, and the
// older one is forgotten as a whole.
type nonces struct {
	now, before map[string]struct{}
	since       time.Time
}

// add remembers a nonce. It is false for one that is remembered already, and
// where there is no room: what might be a repetition is never accepted.
func (n *nonces) add(nonce string, at time.Time) bool {
	const generation = 2*wire.MaxSkew + time.Second
	if age := at.Sub(n.since); n.now == nil || age >= generation {
		n.before = n.now
		if age >= 2*generation {
			n.before = nil
		}
		n.now, n.since = map[string]struct{}{}, at
	}
	_, used := n.now[nonce]
	_, usedBefore := n.before[nonce]
	if used || usedBefore || len(n.now) >= maxNonces {
		return false
	}
	n.now[nonce] = struct{}{}
	return true
}

// The connections at a time, and those from one address (one network of IPv6).
const (
	maxConnections     = 1024
	maxConnectionsFrom = 64
)

// limit closes connections that are too many as soon as they come.
func limit(l net.Listener) net.Listener {
	return &limited{Listener: l, from: map[netip.Prefix]int{}}
}

type limited struct {
	net.Listener

	mu   sync.Mutex
	all  int
	from map[netip.Prefix]int
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		network := networkOf(conn.RemoteAddr())
		l.mu.Lock()
		ok := l.all < maxConnections && l.from[network] < maxConnectionsFrom
		if ok {
			l.all++
			l.from[network]++
		}
		l.mu.Unlock()
		if ok {
			return &counted{Conn: conn, gone: sync.OnceFunc(func() { l.gone(network) })}, nil
		}
		conn.Close()
	}
}

func (l *limited) gone(network netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.from[network]--; l.from[network] == 0 {
		delete(l.from, network)
	}
}

func networkOf(a net.Addr) netip.Prefix {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

type counted struct {
	net.Conn
	gone   func()
	served atomic.Bool // a request was read: its peer heard what it has to
	closed sync.Once
}

// Bounds of parting from a peer that is refused in the handshake.
const (
	partingTime  = time.Second
	partingBytes = 64 << 10
)

// Close parts from a peer that was refused in the handshake when that has read why: in
// TLS 1.3 it may have sent a request already, and to close with that unread resets the
// connection, which may take the alert with it.
func (c *counted) Close() (err error) {
	c.closed.Do(func() {
		half, ok := c.Conn.(interface{ CloseWrite() error })
		if c.served.Load() || !ok || half.CloseWrite() != nil {
			c.gone()
			err = c.Conn.Close()
			return
		}
		go func() {
			defer c.gone()
			defer c.Conn.Close()
			if c.Conn.SetDeadline(time.Now().Add(partingTime)) == nil {
				_, _ = io.CopyN(io.Discard, c.Conn, partingBytes)
			}
		}()
	})
	return err
}

// served marks connections from which requests are read.
func served(conn net.Conn, state http.ConnState) {
	secure, ok := conn.(*tls.Conn)
	if !ok || state != http.StateActive {
		return
	}
	if c, ok := secure.NetConn().(*counted); ok {
		c.served.Store(true)
	}
}
