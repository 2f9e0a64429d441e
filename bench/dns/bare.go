package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"github.com/miekg/dns"

	"assay/lab"
	"assay/probe/dial"
)

// bareLook is the least that a look must do: the same packets, sent and received
// without looking at them, and the same number of signature verifications.
type bareLook struct {
	dialer   *dial.Dialer
	queries  []bareQuery
	key      *dns.DNSKEY
	sig      *dns.RRSIG
	set      []dns.RR
	verifies int
}

type bareQuery struct {
	to  netip.AddrPort
	raw []byte
}

func newBare(d *dial.Dialer, signed bool) (*bareLook, error) {
	b := &bareLook{dialer: d}
	add := func(name string, qtype uint16, addresses ...string) error {
		m := new(dns.Msg)
		m.SetQuestion(name, qtype)
		m.RecursionDesired = false
		m.SetEdns0(1232, true)
		raw, err := m.Pack()
		for _, a := range addresses {
			b.queries = append(b.queries, bareQuery{netip.MustParseAddrPort(a + ":53"), raw})
		}
		return err
	}
	ask := []struct {
		name      string
		qtype     uint16
		addresses []string
	}{
		{"orchard.net.", dns.TypeNS, []string{lab.AddressTLDServer}}, // the delegation
		{"_dnsauth.orchard.net.", dns.TypeTXT, []string{lab.AddressNS1, lab.AddressNS2}},
		{"orchard.net.", dns.TypeCAA, []string{lab.AddressNS1, lab.AddressNS2}},
		{"orchard.net.", dns.TypeNS, []string{lab.AddressNS1, lab.AddressNS2}},
		{"orchard.net.", dns.TypeDNSKEY, []string{lab.AddressNS1}},
	}
	if !signed {
		ask = ask[:4]
	}
	for _, q := range ask {
		if err := add(q.name, q.qtype, q.addresses...); err != nil {
			return nil, err
		}
	}
	// The keys, TXT, NS, and for CAA the NSEC and the SOA record. What net. says of
	// the DS set, or that there is none, was verified with the first look.
	if signed {
		b.verifies = 5
	}
	return b, b.fetch()
}

// fetch gets a signed set of net. to verify: its SOA record.
func (b *bareLook) fetch() error {
	for _, qtype := range []uint16{dns.TypeSOA, dns.TypeDNSKEY} {
		m := new(dns.Msg)
		m.SetQuestion("net.", qtype)
		m.SetEdns0(1232, true)
		raw, err := m.Pack()
		if err != nil {
			return err
		}
		got, err := b.exchange(bareQuery{netip.MustParseAddrPort(lab.AddressTLDServer + ":53"), raw}, make([]byte, 4096))
		if err != nil {
			return err
		}
		if err := m.Unpack(got); err != nil {
			return err
		}
		for _, rr := range m.Answer {
			switch rr := rr.(type) {
			case *dns.SOA:
				b.set = []dns.RR{rr}
			case *dns.RRSIG:
				if rr.TypeCovered == dns.TypeSOA {
					b.sig = rr
				}
			case *dns.DNSKEY:
				if b.sig != nil && rr.KeyTag() == b.sig.KeyTag {
					b.key = rr
				}
			}
		}
	}
	if b.key == nil {
		return fmt.Errorf("net. is not signed")
	}
	return nil
}

func (b *bareLook) exchange(q bareQuery, buf []byte) ([]byte, error) {
	conn, err := b.dialer.Dial(context.Background(), "udp", q.to)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(q.raw); err != nil {
		return nil, err
	}
	n, err := conn.Read(buf)
	return buf[:n], err
}

func (b *bareLook) look() error {
	var all sync.WaitGroup
	errs := make([]error, len(b.queries))
	for i, q := range b.queries {
		all.Go(func() {
			var buf [2048]byte
			_, errs[i] = b.exchange(q, buf[:])
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	for range b.verifies {
		if err := b.sig.Verify(b.key, b.set); err != nil {
			return err
		}
	}
	return nil
}
