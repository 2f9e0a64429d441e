package config

import (
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"assay/perspective"
	"assay/probe"
	"assay/probe/resolver"
)

// DNS returns the settings of a resolver. now is the clock of signatures and
// TTLs; nil: the system's.
func (n *Network) DNS(now func() time.Time) (resolver.Config, error) {
	c := resolver.Config{Dialer: n.Dialer, Resolver: n.Resolver, Now: now, Try: n.Timeout}
	for _, s := range n.Hints {
		c.Roots = append(c.Roots, resolver.Root{Name: s.Name, Addresses: s.Addresses})
	}
	for _, anchor := range n.Anchors {
		rr, err := dns.NewRR(anchor.DS())
		if err != nil {
			return c, err
		}
		c.Anchors = append(c.Anchors, rr)
	}
	return c, nil
}

// Place returns this machine as a place to look from. now is the clock of
// signatures and TTLs; nil: the system's.
func (n *Network) Place(id string, now func() time.Time) (*perspective.Local, error) {
	c, err := n.DNS(now)
	if err != nil {
		return nil, err
	}
	p, err := probe.New(probe.Config{
		Perspective: id, Region: n.Region, Location: n.Location, Own: n.own(), DNS: c, Public: n.Public, Network: n.Options,
	})
	if err != nil {
		return nil, err
	}
	return perspective.NewLocal(p), nil
}

// maxOwn bounds the addresses of this machine that are noted.
const maxOwn = 32

// own are the public addresses of this machine, sorted. Others tell nothing: no
// public name may point to them.
func (n *Network) own() []string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil // not known, and nothing depends on it but a finding
	}
	var own []string
	for _, at := range addresses {
		prefix, err := netip.ParsePrefix(at.String())
		if err != nil {
			continue
		}
		a := prefix.Addr().Unmap().WithZone("")
		if _, reserved := n.Dialer.Data.Reserved(a); !reserved && a.IsGlobalUnicast() && len(own) < maxOwn {
			own = append(own, a.String())
		}
	}
	slices.Sort(own)
	return slices.Compact(own)
}
