package egress_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"assay/data"
	"assay/internal/egress"
	"assay/probe/dial"
)

// TestDialContext: what was looked up is judged and dialled; the guard's word
// counts more than a dead address; what the operator allows is reached.
func TestDialContext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	unknown := errors.New("no such host")
	hosts := map[string][]netip.Addr{
		"ca.orchard.net": {netip.MustParseAddr("127.0.0.1")}, "two.orchard.net": {netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.1")},
		"none.orchard.net": {}, "mixed.orchard.net": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("192.168.0.1")},
	}
	for _, c := range []struct {
		name, address string
		allow         []netip.Prefix
		judge         func(netip.Addr) error
		want          error
		fails         bool
	}{
		{name: "allowed", address: "ca.orchard.net:" + port, allow: loopback},
		{name: "the second address", address: "two.orchard.net:" + port, allow: loopback},
		{name: "an address", address: "127.0.0.1:" + port, allow: loopback},
		{name: "guarded", address: "ca.orchard.net:" + port, want: dial.ErrGuard},
		{name: "guarded address", address: "127.0.0.1:" + port, want: dial.ErrGuard},
		{name: "all guarded", address: "mixed.orchard.net:" + port, allow: loopback, want: dial.ErrGuard},
		{name: "judged", address: "ca.orchard.net:" + port, allow: loopback, judge: func(netip.Addr) error { return unknown }, want: unknown},
		{name: "judged, and guarded", address: "ca.orchard.net:" + port, judge: func(netip.Addr) error { return nil }, want: dial.ErrGuard},
		{name: "unknown", address: "what.orchard.net:" + port, want: unknown},
		{name: "no address", address: "none.orchard.net:" + port, fails: true},
		{name: "no port", address: "ca.orchard.net", fails: true},
		{name: "port too high", address: "ca.orchard.net:70000", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := &egress.Dialer{Dialer: &dial.Dialer{Data: data.Embedded(), Allow: c.allow}, Judge: c.judge, Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
				found, ok := hosts[host]
				if !ok {
					return nil, unknown
				}
				return found, nil
			}}
			conn, err := d.DialContext(context.Background(), "tcp", c.address)
			if conn != nil {
				_ = conn.Close()
			}
			if (err != nil) != (c.fails || c.want != nil) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
