package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"assay/probe/dial"
)

// nobody is where a dial map leads what is refused: a port of loopback on which
// nothing listens (tcpmux).
var nobody = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 1)

// DialMap says where the world's addresses really are, without the routes of any
// perspective; nil for a world on real addresses.
func (w *World) DialMap() dial.Map { return w.dialMap }

// Start runs every server. On error nothing is left running.
func (w *World) Start() (err error) {
	if w.options.Loopback == 0 {
		w.dialMap = dial.Map{}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	for _, s := range w.servers {
		if s.absent {
			continue
		}
		if err := w.startServer(s); err != nil {
			return fmt.Errorf("server %s: %w", s.name, err)
		}
	}
	return w.startSites()
}

// ServeResolver runs a recursive resolver of the world on a loopback address,
// UDP and TCP, for programs that know nothing of the dial map: dig @127.0.0.1 -p
// PORT. With port 0 it takes any. It returns where it listens, and ends with the
// world.
func (w *World) ServeResolver(at netip.AddrPort) (netip.AddrPort, error) {
	if !at.Addr().IsLoopback() {
		return netip.AddrPort{}, fmt.Errorf("%s is no loopback address", at.Addr())
	}
	recursor, err := newRecursor(w, Resolver{})
	if err != nil {
		return netip.AddrPort{}, err
	}
	s := &server{name: "resolver", recursor: recursor, views: []view{{zones: map[string]*zone{}}}, linkDelay: w.linkDelay}
	for try := 0; ; try++ {
		listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err != nil {
			return netip.AddrPort{}, err
		}
		got := listener.Addr().(*net.TCPAddr).AddrPort()
		conn, err := w.listenUDP(s, got)
		if err != nil { // the port is free on TCP only
			if err = errors.Join(err, listener.Close()); at.Port() == 0 && try < 10 {
				continue
			}
			return netip.AddrPort{}, err
		}
		w.closers = append(w.closers, listener.Close)
		w.running.Go(func() { w.accept(s, listener) })
		return conn, nil
	}
}

func (w *World) listenUDP(s *server, at netip.AddrPort) (netip.AddrPort, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return netip.AddrPort{}, err
	}
	_ = conn.SetReadBuffer(4 << 20) // as much of it as the system allows: bursts of questions
	w.closers = append(w.closers, conn.Close)
	w.running.Go(func() { s.serveUDP(conn) })
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), nil
}

// startServer listens once for all addresses of a server, on real addresses
// once for each.
func (w *World) startServer(s *server) error {
	for _, at := range w.listenAt(s.addresses) {
		if !slices.Contains(s.closed, "udp") {
			really, err := w.listenUDP(s, netip.AddrPortFrom(at.listen, at.port(53)))
			if err != nil {
				return err
			}
			w.lead("udp", at.addresses, 53, really)
		} else {
			w.lead("udp", at.addresses, 53, nobody)
		}
		if slices.Contains(s.closed, "tcp") {
			w.lead("tcp", at.addresses, 53, nobody)
			continue
		}
		listener, err := w.listenTCP(at, 53)
		if err != nil {
			return err
		}
		w.running.Go(func() { w.accept(s, listener) })
	}
	if w.resolvers[s.name] == s {
		return w.startDoH(s)
	}
	return nil
}

// A spot is a loopback address that stands for addresses of the world.
type spot struct {
	listen    netip.Addr
	addresses []netip.Addr
}

// port returns the port to listen on: any, but on a real address the real one.
func (s spot) port(real uint16) uint16 {
	if len(s.addresses) == 1 && s.addresses[0] == s.listen {
		return real
	}
	return 0
}

func (w *World) listenAt(addresses []netip.Addr) []spot {
	if w.options.Loopback == 0 {
		return []spot{{netip.AddrFrom4([4]byte{127, 0, 0, 1}), addresses}}
	}
	var list []spot
	for _, a := range addresses {
		list = append(list, spot{a, []netip.Addr{a}})
	}
	return list
}

// lead adds entries to the dial map.
func (w *World) lead(network string, addresses []netip.Addr, port uint16, to netip.AddrPort) {
	if w.dialMap == nil {
		return
	}
	for _, a := range addresses {
		w.dialMap[dial.Endpoint{Network: network, AddrPort: netip.AddrPortFrom(a, port)}] = to
	}
}

func (w *World) listenTCP(at spot, port uint16) (*net.TCPListener, error) {
	listener, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(at.listen, at.port(port))))
	if err != nil {
		return nil, err
	}
	w.closers = append(w.closers, listener.Close)
	w.lead("tcp", at.addresses, port, listener.Addr().(*net.TCPAddr).AddrPort())
	return listener, nil
}

func (w *World) accept(s *server, listener *net.TCPListener) {
	for {
		conn, err := listener.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if !w.keep(conn) {
			_ = conn.Close()
			return
		}
		w.running.Go(func() {
			defer w.drop(conn)
			s.serveTCP(conn, w.stop)
		})
	}
}

// keep remembers a connection, so that Close can end it; false when the world
// has stopped.
func (w *World) keep(c closer) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.stop:
		return false
	default:
	}
	w.conns[c] = struct{}{}
	return true
}

func (w *World) drop(c closer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
}
