package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"assay/lab"
	"assay/probe/dial"
)

// bare is the least that a review by file over both schemes must do: the same
// packets, sent and received without looking at them, the same two connections
// and requests, the same handshake. What is left above it is Assay's own.
type bare struct {
	dialer  *dial.Dialer
	sockets dial.Sockets
	packets []packet
}

type packet struct {
	to  netip.AddrPort
	raw []byte
}

func newBare(d *dial.Dialer) (*bare, error) {
	b := &bare{dialer: d}
	for _, q := range []struct {
		name      string
		qtype     uint16
		subnet    string
		addresses []string
	}{
		{"orchard.net.", dns.TypeNS, "", []string{lab.AddressTLDServer}}, // the delegation
		{"orchard.net.", dns.TypeA, "", []string{lab.AddressNS1}},
		{"orchard.net.", dns.TypeAAAA, "", []string{lab.AddressNS1}},
		{"orchard.net.", dns.TypeA, "202.96.128.0/24", []string{lab.AddressNS1}},
		{"orchard.net.", dns.TypeA, "193.0.0.0/24", []string{lab.AddressNS1}},
		{"orchard.net.", dns.TypeCAA, "", []string{lab.AddressNS1, lab.AddressNS2}},
		{"net.", dns.TypeCAA, "", []string{lab.AddressTLDServer}},
		{"orchard.net.", dns.TypeNS, "", []string{lab.AddressNS1, lab.AddressNS2}},
	} {
		m := new(dns.Msg)
		m.SetQuestion(q.name, q.qtype)
		m.RecursionDesired = false
		m.SetEdns0(1232, true)
		if q.subnet != "" {
			p, err := netip.ParsePrefix(q.subnet)
			if err != nil {
				return nil, err
			}
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_SUBNET{
				Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: uint8(p.Bits()), Address: p.Addr().AsSlice(),
			})
		}
		raw, err := m.Pack()
		if err != nil {
			return nil, err
		}
		for _, a := range q.addresses {
			to, err := netip.ParseAddr(a)
			if err != nil {
				return nil, err
			}
			b.packets = append(b.packets, packet{netip.AddrPortFrom(to, 53), raw})
		}
	}
	return b, nil
}

// do does it once, all at the same time.
func (b *bare) do() error {
	var all sync.WaitGroup
	faults := make([]error, len(b.packets)+2)
	for i, p := range b.packets {
		all.Go(func() { faults[i] = b.exchange(p) })
	}
	all.Go(func() { faults[len(b.packets)] = b.fetch(80) })
	all.Go(func() { faults[len(b.packets)+1] = b.fetch(443) })
	all.Wait()
	return errors.Join(faults...)
}

func (b *bare) exchange(p packet) error {
	conn, err := b.sockets.Dial(context.Background(), b.dialer, p.to)
	if err != nil {
		return err
	}
	var buf [2048]byte
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err = conn.Exchange(p.raw, buf[:]); err == nil {
		conn.Keep()
	}
	return err
}

const bareRequest = "GET " + lab.FilePath + "fileauth.txt HTTP/1.1\r\nHost: orchard.net\r\nConnection: close\r\n\r\n"

func (b *bare) fetch(port uint16) error {
	web, err := netip.ParseAddr(lab.AddressWeb1)
	if err != nil {
		return err
	}
	conn, err := b.dialer.Dial(context.Background(), "tcp", netip.AddrPortFrom(web, port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if port == 443 {
		secure := tls.Client(conn, &tls.Config{
			InsecureSkipVerify: true, ServerName: "orchard.net", // as the review: nothing is secret, a certificate is only seen
			CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		})
		defer secure.Close()
		conn = secure
	}
	if _, err := io.WriteString(conn, bareRequest); err != nil {
		return err
	}
	var buf [4096]byte
	n, err := io.ReadFull(conn, buf[:])
	if !strings.Contains(string(buf[:n]), lab.Value) {
		return fmt.Errorf("port %d: %w: %q", port, err, buf[:n])
	}
	return nil
}
