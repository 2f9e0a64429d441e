package dial

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

// maxIdle bounds the sockets that are kept open for the next datagram.
const maxIdle = 512

// Sockets keeps UDP sockets open between exchanges: opening and closing one costs
// more than a question and its answer. Each exchange still has a port of its own
// that the system chooses at random (RFC 5452 4.5): a socket that is used again is
// disconnected, which gives its port back, emptied, and connected anew. Where the
// system cannot do that, each exchange opens a socket. The zero value is ready; it
// is safe for concurrent use. What it keeps is closed with it, by the collector.
type Sockets struct {
	mu   sync.Mutex
	idle map[socketKey][]*net.UDPConn
	n    int
}

// socketKey is what stays with a socket.
type socketKey struct {
	source netip.Addr
	four   bool
}

// A Socket is connected to one address.
type Socket struct {
	*net.UDPConn
	from *Sockets
	key  socketKey
}

// Dial is [Dialer.Dial] for datagrams.
func (s *Sockets) Dial(ctx context.Context, d *Dialer, to netip.AddrPort) (*Socket, error) {
	target, err := d.target(ctx, "udp", to)
	if err != nil {
		return nil, err
	}
	source := d.sourceFor(target)
	key := socketKey{source.Addr(), target.Addr().Unmap().Is4()}
	for conn := s.take(key); conn != nil; conn = s.take(key) {
		if reconnect(conn, target) == nil {
			return &Socket{conn, s, key}, nil
		}
		_ = conn.Close()
	}
	conn, err := dialUDP(source, target)
	if err != nil {
		return nil, err
	}
	return &Socket{conn, s, key}, nil
}

func (s *Sockets) take(key socketKey) *net.UDPConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.idle[key]
	if len(list) == 0 {
		return nil
	}
	conn := list[len(list)-1]
	s.idle[key], s.n = list[:len(list)-1], s.n-1
	return conn
}

// Keep gives the socket back for another exchange: nobody may use it any more, or
// set a deadline on it. Otherwise it is closed.
func (s *Socket) Keep() {
	if !canReconnect || !s.from.put(s.key, s.UDPConn) {
		_ = s.Close()
	}
}

func (s *Sockets) put(key socketKey, conn *net.UDPConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n >= maxIdle {
		return false
	}
	if s.idle == nil {
		s.idle = map[socketKey][]*net.UDPConn{}
	}
	s.idle[key], s.n = append(s.idle[key], conn), s.n+1
	return true
}
