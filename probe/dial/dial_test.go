package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"assay/data"
)

// TestDial: what is dialled is what was judged; the rest fails with its word.
func TestDial(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := func(text string) Endpoint { return Endpoint{"tcp", netip.MustParseAddrPort(text)} }
	d := &Dialer{Data: data.Embedded(), Timeout: 200 * time.Millisecond, Map: Map{
		at("45.155.10.21:80"): l.Addr().(*net.TCPAddr).AddrPort(), at("45.155.10.22:80"): {},
		at("10.0.0.5:80"): l.Addr().(*net.TCPAddr).AddrPort(),
	}}
	for address, want := range map[string]string{
		"45.155.10.21:80": "", "45.155.10.22:80": "timeout", "45.155.10.23:80": "unreachable", "45.155.10.21:81": "unreachable",
		"10.0.0.5:80": "guard", "127.0.0.1:80": "guard", "[::ffff:45.155.10.21]:80": "guard", "[::1]:80": "guard",
	} {
		conn, err := d.Dial(context.Background(), "tcp", netip.MustParseAddrPort(address))
		if got := Failure(err); got != want {
			t.Errorf("%s: %q (%v), want %q", address, got, err, want)
		}
		if conn != nil {
			_ = conn.Close()
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := d.Dial(ctx, "tcp", netip.MustParseAddrPort("45.155.10.22:80")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	d.Allow = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if conn, err := d.Dial(context.Background(), "tcp", netip.MustParseAddrPort("10.0.0.5:80")); err != nil {
		t.Errorf("allowed by the operator: %v", err)
	} else {
		_ = conn.Close()
	}
}

// TestFailure: every error of the network has its word.
func TestFailure(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"": nil, "refused": &net.OpError{Err: syscall.ECONNREFUSED}, "reset": &net.OpError{Err: syscall.ECONNRESET},
		"unreachable": syscall.ENETUNREACH, "timeout": context.DeadlineExceeded, "guard": ErrGuard, "failed": errors.New("x"),
	} {
		if got := Failure(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
