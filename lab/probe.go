package lab

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/probe/dial"
)

// A placeState is one perspective of a world.
type placeState struct {
	id     string
	index  int
	change PerspectiveChange
}

// cities are where P0 to P11 are: the RIR region of the network and a city,
// any two more than 500 km apart. Further places have the regions over again,
// and no location.
var cities = [...]struct {
	region   string
	lat, lon float64
}{
	{"APNIC", 22.5, 114.1},
	{"APNIC", 39.9, 116.4},
	{"RIPE", 50.1, 8.7},
	{"ARIN", 39.0, -77.5},
	{"LACNIC", -23.5, -46.6},
	{"AFRINIC", -26.2, 28.0},
	{"APNIC", 35.7, 139.7},
	{"RIPE", 59.3, 18.1},
	{"ARIN", 47.6, -122.3},
	{"LACNIC", -33.4, -70.7},
	{"AFRINIC", -1.3, 36.8},
	{"APNIC", -33.9, 151.2},
}

// cityOf is where a place is in the healthy world.
func cityOf(i int) PerspectiveChange {
	s := cities[i%len(cities)]
	c := PerspectiveChange{Region: s.region}
	if i < len(cities) {
		c.Location = &evidence.Location{Lat: s.lat, Lon: s.lon}
	}
	return c
}

func newPlaces(w *World, c Change) ([]*placeState, error) {
	ids := []string(c.Places)
	if len(ids) == 0 {
		ids = []string{"P0", "P1", "P2", "P3", "P4", "P5"}
	}
	var list []*placeState
	for _, id := range ids {
		i, err := placeIndex(id)
		if err != nil {
			return nil, fmt.Errorf("places: %w", err)
		}
		list = append(list, &placeState{id: id, index: i, change: cityOf(i)})
	}
	groups := []string{"all", "home", "abroad"}
	one := slices.DeleteFunc(slices.Sorted(maps.Keys(c.Perspectives)), func(w string) bool { return slices.Contains(groups, w) })
	for _, word := range append(groups, one...) {
		if change, ok := c.Perspectives[word]; ok {
			if err := applyPlaces(list, word, change); err != nil {
				return nil, fmt.Errorf("perspectives: %w", err)
			}
		}
	}
	for _, p := range list {
		for _, r := range slices.Concat([]string{p.change.Resolver}, p.change.Public) {
			if r != "" && w.resolvers[r] == nil {
				return nil, fmt.Errorf("perspectives: %s: there is no resolver %q", p.id, r)
			}
		}
	}
	return list, nil
}

func applyPlaces(list []*placeState, word string, c PerspectiveChange) error {
	set, err := parsePlaces([]string{word})
	if err != nil {
		return err
	}
	for _, p := range list {
		if !set.has(p.index) {
			continue
		}
		x := &p.change
		for _, f := range []struct{ into, from *string }{{&x.Resolver, &c.Resolver}, {&x.Region, &c.Region}} {
			if *f.from != "" {
				*f.into = *f.from
			}
		}
		if c.Location != nil {
			x.Location = c.Location
		}
		if len(c.Own) > 0 {
			x.Own = c.Own
		}
		if len(c.Public) > 0 {
			x.Public = c.Public
		}
		if c.Delay > 0 {
			x.Delay = c.Delay
		}
		if len(c.Routes) > 0 {
			x.Routes = c.Routes
		}
		if len(c.Lacks) > 0 {
			x.Lacks = c.Lacks
		}
		x.Stopped, x.HTTPS = x.Stopped || c.Stopped, x.HTTPS || c.HTTPS
	}
	return nil
}

// linkDelay is the round-trip time of the link of the perspective that asks.
func (w *World) linkDelay(i int) time.Duration {
	if i < 0 {
		return 0
	}
	return w.delays[i]
}

// A Host is a name server of the root hints.
type Host struct {
	Name      string // fully qualified
	Addresses []netip.Addr
}

// A Probe is what it takes to look at a world from one perspective.
type Probe struct {
	// Place has the id, the region and the resolvers: address:port, or a URL.
	Place evidence.Perspective
	// Map is the dial map, with the perspective's routes; nil on real addresses.
	Map dial.Map
	// Source is the address to dial from.
	Source netip.Addr
	// Allow are networks that count as public: real addresses are on loopback.
	Allow []netip.Prefix
	// Hints are the root's servers, Anchors its DS records.
	Hints   []Host
	Anchors []*dns.DS
	// Roots are the certificates that its resolvers show over HTTPS.
	Roots *x509.CertPool
	// Clock is the world's clock.
	Clock func() time.Time
	// Delay is the round-trip time of its link.
	Delay time.Duration
	// Stopped is set where nobody looks from there.
	Stopped bool
}

// Probes returns what it takes to look from each perspective, P0 first. The
// world must have started.
func (w *World) Probes() []Probe {
	list := make([]Probe, 0, len(w.places))
	for i := range w.places {
		list = append(list, w.Probe(i))
	}
	return list
}

// Probe returns what it takes to look from the i-th perspective.
func (w *World) Probe(i int) Probe {
	p := w.places[i]
	probe := Probe{
		Place:  evidence.Perspective{ID: p.id, Region: p.change.Region, Location: p.change.Location, Own: p.change.Own, Resolver: w.resolverAddress(p.change.Resolver, p.change.HTTPS)},
		Map:    w.filtered(w.mapFor(p), p.index),
		Source: Source(p.index), Hints: w.Hints(), Anchors: w.Anchors(), Roots: w.roots, Clock: w.options.Clock,
		Stopped: p.change.Stopped, Delay: p.change.Delay,
	}
	for _, r := range p.change.Public {
		probe.Place.Public = append(probe.Place.Public, w.resolverAddress(r, p.change.HTTPS))
	}
	if w.options.Loopback != 0 {
		probe.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
	return probe
}

func (w *World) resolverAddress(name string, overHTTPS bool) string {
	s := w.resolvers[name]
	switch {
	case s == nil:
		return ""
	case overHTTPS:
		return "https://" + netip.AddrPortFrom(s.addresses[0], 443).String() + "/dns-query"
	}
	return netip.AddrPortFrom(s.addresses[0], 53).String()
}

// Hints returns the servers of the root.
func (w *World) Hints() []Host {
	var list []Host
	for _, name := range w.plan.zones["."].servers {
		list = append(list, Host{Name: hostOf(name), Addresses: w.plan.servers[name].addresses})
	}
	return list
}

// Anchors returns the trust anchors: the DS records of the root. None for a
// world whose root is not signed.
func (w *World) Anchors() []*dns.DS {
	if ring := w.plan.zones["."].ring; ring != nil {
		return []*dns.DS{ring.ksk.ds(ttlDelegation)}
	}
	return nil
}

// mapFor is the dial map of a perspective: the world's, but for its routes and
// for the networks it lacks.
func (w *World) mapFor(p *placeState) dial.Map {
	if w.dialMap == nil || len(p.change.Routes)+len(p.change.Lacks) == 0 {
		return w.dialMap
	}
	m := maps.Clone(w.dialMap)
	for from, to := range p.change.Routes {
		for _, a := range w.addressesOf(from) {
			for _, port := range []uint16{53, 80, 443} {
				for _, network := range []string{"udp", "tcp"} {
					at := dial.Endpoint{Network: network, AddrPort: netip.AddrPortFrom(a, port)}
					delete(m, at)
					for _, b := range w.addressesOf(to) {
						if really, ok := w.dialMap[dial.Endpoint{Network: network, AddrPort: netip.AddrPortFrom(b, port)}]; ok {
							m[at] = really
						}
					}
				}
			}
		}
	}
	maps.DeleteFunc(m, func(e dial.Endpoint, _ netip.AddrPort) bool {
		return slices.ContainsFunc(p.change.Lacks, func(what string) bool {
			return what == e.Network && e.Port() == 53 || what == "ipv6" && e.Addr().Is6() || what == "ipv4" && e.Addr().Is4()
		})
	})
	return m
}

func (w *World) addressesOf(name string) []netip.Addr {
	if s := w.sites[name]; s != nil {
		return s.addresses
	}
	if s := w.plan.servers[name]; s != nil {
		return s.addresses
	}
	if s := w.resolvers[name]; s != nil {
		return s.addresses
	}
	return nil
}
