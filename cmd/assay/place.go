package main

import (
	"time"

	"github.com/miekg/dns"

	"assay/internal/config"
	"assay/perspective"
	"assay/probe"
	"assay/probe/resolver"
)

// place is this machine as the primary place to look from. now is the clock of
// signatures and TTLs.
func (a *app) place(n *config.Network, now func() time.Time) (*perspective.Local, error) {
	c, err := resolverConfig(n, now)
	if err != nil {
		return nil, err
	}
	p, err := probe.New(probe.Config{Perspective: "P0", DNS: c, Public: n.Public, Network: n.Options})
	if err != nil {
		return nil, err
	}
	return perspective.NewLocal(p), nil
}

// resolverConfig turns settings into those of the resolver.
func resolverConfig(n *config.Network, now func() time.Time) (resolver.Config, error) {
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
