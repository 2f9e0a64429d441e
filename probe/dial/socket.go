package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
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
	idle map[socketKey][]*Socket
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
	raw  syscall.RawConn
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
	for kept := s.take(key); kept != nil; kept = s.take(key) {
		if reconnect(kept.raw, target) == nil {
			return kept, nil
		}
		_ = kept.Close()
	}
	conn, err := dialUDP(source, target)
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &Socket{conn, raw, s, key}, nil
}

func (s *Sockets) take(key socketKey) *Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.idle[key]
	if len(list) == 0 {
		return nil
	}
	last := list[len(list)-1]
	s.idle[key], s.n = list[:len(list)-1], s.n-1
	return last
}

// Keep gives the socket back for another exchange: nobody may use it any more, or
// set a deadline on it. Otherwise it is closed.
func (s *Socket) Keep() {
	if !canReconnect || !s.from.put(s) {
		_ = s.Close()
	}
}

func (s *Sockets) put(socket *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n >= maxIdle {
		return false
	}
	if s.idle == nil {
		s.idle = map[socketKey][]*Socket{}
	}
	s.idle[socket.key], s.n = append(s.idle[socket.key], socket), s.n+1
	return true
}
