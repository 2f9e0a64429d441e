package config

import (
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

// Place returns this machine as a place to look from.
func (n *Network) Place(id string, now func() time.Time) (*perspective.Local, error) {
	c, err := n.DNS(now)
	if err != nil {
		return nil, err
	}
	p, err := probe.New(probe.Config{Perspective: id, DNS: c, Public: n.Public, Network: n.Options})
	if err != nil {
		return nil, err
	}
	return perspective.NewLocal(p), nil
}
