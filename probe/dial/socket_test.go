package dial_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"assay/data"
	"assay/probe/dial"
)

// TestSockets: a socket that is used again has another port, talks to the new
// address only, and holds nothing of what came before.
func TestSockets(t *testing.T) {
	t.Parallel()
	a, b := listen(t), listen(t)
	d := &dial.Dialer{Data: data.Embedded(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	var s dial.Sockets
	ports := map[string]bool{}
	for range 20 {
		for _, server := range []*net.UDPConn{a, b} {
			c, err := s.Dial(context.Background(), d, server.LocalAddr().(*net.UDPAddr).AddrPort())
			if err != nil {
				t.Fatal(err)
			}
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := c.Write([]byte("question")); err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 100)
			_ = server.SetReadDeadline(time.Now().Add(10 * time.Second))
			n, from, err := server.ReadFromUDPAddrPort(buf)
			if err != nil || string(buf[:n]) != "question" {
				t.Fatal(err, string(buf[:n]))
			}
			ports[from.String()] = true
			// Of two answers one is read: the other must not be there next time.
			for _, text := range []string{server.LocalAddr().String(), "late"} {
				if _, err := server.WriteToUDPAddrPort([]byte(text), from); err != nil {
					t.Fatal(err)
				}
			}
			if n, err = c.Read(buf); err != nil || string(buf[:n]) != server.LocalAddr().String() {
				t.Fatalf("%q %v", buf[:n], err)
			}
			c.Keep()
		}
	}
	if len(ports) < 10 {
		t.Errorf("40 exchanges used %d ports", len(ports))
	}
}

// TestSocketsRefused: that one address refuses says nothing about the next.
func TestSocketsRefused(t *testing.T) {
	t.Parallel()
	a := listen(t)
	d := &dial.Dialer{Data: data.Embedded(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Source: netip.MustParseAddr("127.0.0.10")}
	var s dial.Sockets
	nobody, err := s.Dial(context.Background(), d, netip.MustParseAddrPort("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nobody.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	nobody.Keep() // the refusal is on its way, or here
	c, err := s.Dial(context.Background(), d, a.LocalAddr().(*net.UDPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	_ = a.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 100)
	if _, from, err := a.ReadFromUDPAddrPort(buf); err != nil || from.Addr() != d.Source {
		t.Fatal(from, err)
	}
}

func listen(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestExchange: what is sent is answered, silence ends with the deadline, and that
// nobody listens shows; each on a socket that was used before.
func TestExchange(t *testing.T) {
	t.Parallel()
	echo := listen(t)
	go func() {
		buf := make([]byte, 100)
		for {
			n, from, err := echo.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if string(buf[:n]) != "silence" {
				_, _ = echo.WriteToUDPAddrPort(buf[:n], from)
				_, _ = echo.WriteToUDPAddrPort([]byte("late"), from)
			}
		}
	}()
	d := &dial.Dialer{Data: data.Embedded(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	var s dial.Sockets
	for _, c := range []struct {
		send, got, failure string
		patience           time.Duration
		nobody             bool
	}{
		{"first", "first", "", 10 * time.Second, false},
		{"silence", "", "timeout", time.Millisecond, false},
		{"nobody", "", "refused", 10 * time.Second, true},
		{"last", "last", "", 10 * time.Second, false},
	} {
		to := echo.LocalAddr().(*net.UDPAddr).AddrPort()
		if c.nobody {
			to = netip.MustParseAddrPort("127.0.0.1:1")
		}
		conn, err := s.Dial(context.Background(), d, to)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(c.patience))
		buf := make([]byte, 100)
		n, err := conn.Exchange([]byte(c.send), buf)
		if string(buf[:n]) != c.got || dial.Failure(err) != c.failure {
			t.Errorf("%s: %q, %v", c.send, buf[:n], err)
		}
		conn.Keep()
	}
}
