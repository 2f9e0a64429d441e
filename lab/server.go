package lab

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// maxCached bounds the packed answers that a server keeps.
const maxCached = 1 << 16

// A server is one name server or resolver.
type server struct {
	name      string
	addresses []netip.Addr
	closed    []string
	absent    bool

	views     []view // the last one is for everybody
	faults    []*fault
	recursor  *recursor // nil: no recursion
	linkDelay func(place int) time.Duration

	mu     sync.Mutex
	cached map[string][]byte
}

// A view is what a server has for some clients.
type view struct {
	from    places
	subnets []netip.Prefix
	zones   map[string]*zone
}

func (s *server) view(q *query) int {
	for i, v := range s.views {
		for _, p := range v.subnets {
			if q.subnet.IsValid() && p.Overlaps(q.subnet) {
				return i
			}
		}
		if len(v.subnets) > 0 && v.from == 0 {
			continue
		}
		if v.from.has(q.from) {
			return i
		}
	}
	return len(s.views) - 1
}

// respond decides what to do with a query. The message returned may lie in buf.
func (s *server) respond(q *query, buf []byte) outcome {
	for _, f := range s.faults {
		if f.matches(q) {
			return f.commit(q, s)
		}
	}
	if s.recursor != nil || q.subnet.IsValid() || q.raw[2]&0x78 != 0 {
		return outcome{message: q.finish(q.pack(s.reply(q)))}
	}
	var scratch [maxName + 16]byte
	key := q.key(scratch[:0], s.view(q))
	s.mu.Lock()
	packed, ok := s.cached[string(key)]
	s.mu.Unlock()
	if !ok {
		packed = q.pack(s.reply(q))
		s.mu.Lock()
		if s.cached == nil || len(s.cached) >= maxCached {
			s.cached = map[string][]byte{}
		}
		s.cached[string(key)] = packed
		s.mu.Unlock()
	}
	return outcome{message: q.finish(append(buf[:0], packed...))}
}

// reply makes the right answer.
func (s *server) reply(q *query) *dns.Msg {
	m := q.reply()
	switch {
	case q.version > 0:
		m.Rcode = dns.RcodeBadVers
		return m
	case m.Opcode != dns.OpcodeQuery:
		m.Rcode = dns.RcodeNotImplemented
		return m
	case q.qclass != dns.ClassINET, q.qtype == dns.TypeAXFR, q.qtype == dns.TypeIXFR:
		m.Rcode = dns.RcodeRefused
		return m
	}
	name, i := q.name(), s.view(q)
	if s.recursor != nil && zoneAbove(s.views[i].zones, name) == nil {
		m.RecursionAvailable = true
		if q.raw[2]&1 == 0 {
			m.Rcode = dns.RcodeRefused
			return m
		}
		s.recursor.answer(m, name, q.qtype, q.do)
		return m
	}
	answer(s.views[i].zones, m, name, q.qtype, q.do)
	if q.subnet.IsValid() {
		q.echoSubnet(m, len(s.views[i].subnets) > 0)
	}
	return m
}

// echoSubnet says for which networks the answer is meant (RFC 7871 7.2).
func (q *query) echoSubnet(m *dns.Msg, tailored bool) {
	e := &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: uint8(q.subnet.Bits()), Address: q.subnet.Addr().AsSlice()}
	if q.subnet.Addr().Is6() {
		e.Family = 2
	}
	if tailored {
		e.SourceScope = e.SourceNetmask
	}
	if opt := m.IsEdns0(); opt != nil {
		opt.Option = append(opt.Option, e)
	}
}

// serveUDP answers until the socket is closed. Answers without delay are sent
// from this goroutine.
func (s *server) serveUDP(conn *net.UDPConn) {
	var q query
	in, out := make([]byte, 65535), make([]byte, 0, 65535)
	for {
		n, client, err := conn.ReadFromUDPAddrPort(in)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error that an earlier answer caused
		}
		q.from, q.tcp = placeOf(client.Addr()), false
		var o outcome
		if q.read(in[:n]) {
			o = s.respond(&q, out)
		} else {
			o.message = formErr(in[:n])
		}
		s.send(conn, client, o, s.linkDelay(q.from))
	}
}

func (s *server) send(conn *net.UDPConn, client netip.AddrPort, o outcome, link time.Duration) {
	if o.message == nil && o.before == nil {
		return
	}
	write := func(before, message []byte) {
		for _, m := range [][]byte{before, message} {
			if m != nil {
				_, _ = conn.WriteToUDPAddrPort(m, client)
			}
		}
	}
	if delay := link + o.delay; delay > 0 {
		before, message := append([]byte(nil), o.before...), append([]byte(nil), o.message...)
		if len(before) == 0 {
			before = nil
		}
		time.AfterFunc(delay, func() { write(before, message) })
		return
	}
	if o.before != nil {
		write(o.before, o.message)
		return
	}
	_, _ = conn.WriteToUDPAddrPort(o.message, client)
}

// tcpIdle is how long a TCP connection may be silent.
const tcpIdle = 10 * time.Second

// serveTCP answers the queries of one connection in their order (RFC 7766). The
// link's round trip is waited for once for the handshake, which loopback does
// not delay, and once for each query.
func (s *server) serveTCP(conn *net.TCPConn, stop <-chan struct{}) {
	defer conn.Close()
	q := query{tcp: true, from: -1}
	if a, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
		q.from = placeOf(a.Addr())
	}
	link := s.linkDelay(q.from)
	wait := 2 * link
	var head [2]byte
	for {
		_ = conn.SetDeadline(time.Now().Add(tcpIdle))
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		in := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(conn, in); err != nil {
			return
		}
		var o outcome
		if q.read(in) {
			o = s.respond(&q, nil)
		} else {
			o.message = formErr(in)
		}
		if !pause(wait+o.delay, stop) {
			return
		}
		wait = link
		if o.reset {
			_ = conn.SetLinger(0)
			return
		}
		for _, m := range [][]byte{o.before, o.message} {
			if m == nil {
				continue
			}
			if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...)); err != nil {
				return
			}
		}
	}
}

// pause waits, and reports false when the world stops meanwhile.
func pause(d time.Duration, stop <-chan struct{}) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}
