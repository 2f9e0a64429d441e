package lab

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Host names of the healthy world.
const (
	hostRoot = "a.root."
	hostTLD  = "a.tld-servers.net."
	hostNS1  = "ns1.orchard.net."
	orchard  = "orchard.net."
)

// A plan is a world on paper: which server has which copy of which zone.
type plan struct {
	change  Change
	options Options
	now     time.Time
	servers map[string]*server   // by short name
	zones   map[string]*zonePlan // by origin

	delegations map[string]Delegation // by origin
	children    map[string][]string   // origins of the zones right below a zone, sorted
	hosts       map[string][]string   // short names of the servers whose host names lie in a zone, sorted
}

// A zonePlan is a zone before its copies are made.
type zonePlan struct {
	origin  string
	change  ZoneChange
	servers []string // short names, in the NS set
	hidden  []string
	ring    *keyring
	signing *Signing
	copies  map[string]*zoneCopy // by short name of a server; "" for the others
}

// A zoneCopy is a copy with the records it was made from, for views to edit.
type zoneCopy struct {
	*zone
	rrs []dns.RR
}

// draw makes the plan of a world.
func draw(c Change, o Options) (*plan, error) {
	p := &plan{change: c, options: o, now: o.Clock(), servers: map[string]*server{}, zones: map[string]*zonePlan{}}
	p.listZones()
	p.listServers()
	if err := p.checkNames(); err != nil {
		return nil, err
	}
	if err := p.giveAddresses(); err != nil {
		return nil, err
	}
	for _, origin := range slices.Sorted(maps.Keys(p.zones)) {
		if err := p.zones[origin].prepare(p); err != nil {
			return nil, fmt.Errorf("zone %s: %w", origin, err)
		}
	}
	if err := p.index(); err != nil {
		return nil, err
	}
	for _, origin := range slices.Sorted(maps.Keys(p.zones)) {
		if err := p.zones[origin].fill(p); err != nil {
			return nil, fmt.Errorf("zone %s: %w", origin, err)
		}
	}
	return p, p.equip()
}

// checkNames refuses zones and servers whose names are no domain names.
func (p *plan) checkNames() error {
	for _, name := range slices.Sorted(maps.Keys(p.servers)) {
		if _, ok := dns.IsDomainName(hostOf(name)); !ok || name == "" {
			return fmt.Errorf("servers: %q is no host name", name)
		}
	}
	for _, at := range slices.Sorted(maps.Keys(p.zones)) {
		if _, ok := dns.IsDomainName(at); !ok {
			return fmt.Errorf("zones: %q is no domain name", at)
		}
	}
	return nil
}

// index finds what lies in which zone.
func (p *plan) index() error {
	p.delegations, p.children, p.hosts = map[string]Delegation{}, map[string][]string{}, map[string][]string{}
	for name, d := range p.change.Delegation {
		at := origin(name)
		if p.zones[at] == nil {
			return fmt.Errorf("delegation: there is no zone %q", name)
		}
		p.delegations[at] = d
	}
	for _, at := range slices.Sorted(maps.Keys(p.zones)) {
		if at != "." {
			above := p.above(parent(at))
			p.children[above] = append(p.children[above], at)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.servers)) {
		at := p.above(hostOf(name))
		p.hosts[at] = append(p.hosts[at], name)
	}
	return nil
}

func origin(zone string) string { return dns.Fqdn(strings.ToLower(zone)) }

// hostOf returns the host name of a server, fully qualified.
func hostOf(short string) string {
	switch {
	case short == "root":
		return hostRoot
	case short == "tld":
		return hostTLD
	case strings.Contains(short, "."):
		return dns.Fqdn(strings.ToLower(short))
	}
	return short + "." + orchard
}

// listZones lists the zones of the healthy world and of the change, and the top
// level above each.
func (p *plan) listZones() {
	signed := &Signing{}
	p.zones["."] = &zonePlan{origin: ".", servers: []string{"root"}, signing: signed}
	p.zones["net."] = &zonePlan{origin: "net.", servers: []string{"tld"}, signing: signed}
	p.zones[orchard] = &zonePlan{origin: orchard, servers: []string{"ns1", "ns2"}}
	for name, change := range p.change.Zones {
		at := origin(name)
		z := p.zones[at]
		if z == nil {
			z = &zonePlan{origin: at, servers: []string{"ns1." + strings.TrimSuffix(at, ".")}}
			if dns.CountLabel(at) == 1 {
				z.servers, z.signing = []string{"tld"}, signed
			}
			p.zones[at] = z
		}
		z.change = change
		if len(change.Servers) > 0 {
			z.servers = change.Servers
		}
		z.hidden = change.Hidden
		if change.Sign != nil {
			z.signing = change.Sign
			if change.Sign.Off {
				z.signing = nil
			}
		}
	}
	for at := range p.zones {
		p.topLevel(at)
	}
}

// topLevel adds the zone of the top-level domain above a name where it lacks.
func (p *plan) topLevel(name string) {
	labels := dns.SplitDomainName(name)
	if len(labels) < 2 {
		return
	}
	if top := labels[len(labels)-1] + "."; p.zones[top] == nil {
		p.zones[top] = &zonePlan{origin: top, servers: []string{"tld"}, signing: &Signing{}}
	}
}

// listServers lists every server that is named anywhere, and gives a zone to
// each whose host name has none: a provider's own domain.
func (p *plan) listServers() {
	add := func(names ...string) {
		for _, n := range names {
			if p.servers[n] == nil {
				p.servers[n] = &server{name: n}
			}
		}
	}
	add("root", "tld")
	for _, z := range p.zones {
		add(z.servers...)
		add(z.hidden...)
		add(slices.Collect(maps.Keys(z.change.On))...)
	}
	for _, d := range p.change.Delegation {
		add(d.NS...)
	}
	add(slices.Collect(maps.Keys(p.change.Servers))...)
	for _, name := range slices.Sorted(maps.Keys(p.servers)) {
		host := hostOf(name)
		if above := p.above(host); host == hostRoot || host == hostTLD || dns.CountLabel(above) > 1 {
			continue
		}
		labels := dns.SplitDomainName(host)
		at := strings.Join(labels[max(0, len(labels)-2):], ".") + "."
		p.zones[at] = &zonePlan{origin: at, servers: []string{name}}
		p.topLevel(at)
	}
}

// above returns the origin of the deepest zone that holds a name.
func (p *plan) above(name string) string {
	for at := name; at != "."; at = parent(at) {
		if p.zones[at] != nil {
			return at
		}
	}
	return "."
}

// giveAddresses gives every server the addresses that the change says, its
// fixed one, or the next free one.
func (p *plan) giveAddresses() error {
	free := netip.MustParseAddr("45.155.40.1")
	for _, name := range slices.Sorted(maps.Keys(p.servers)) {
		list := p.change.Servers[name].Address
		if len(list) == 0 {
			list = fixedAddress(name)
		}
		if len(list) == 0 {
			list = Strings{free.String()}
			free = free.Next()
		}
		for _, text := range list {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return fmt.Errorf("server %s: %w", name, err)
			}
			if p.options.Loopback != 0 && a.Is6() {
				continue // loopback has one IPv6 address only
			}
			p.servers[name].addresses = append(p.servers[name].addresses, p.options.place(a))
		}
	}
	return nil
}

// fixedAddress returns the addresses of the servers, sites and resolvers that
// the documentation of [Change] lists.
func fixedAddress(name string) Strings {
	switch name {
	case "root":
		return Strings{AddressRoot, AddressRoot6}
	case "tld":
		return Strings{AddressTLDServer}
	}
	for prefix, base := range map[string]string{"ns": "45.155.10.1", "w": "45.155.10.2", "r": "45.155.53."} {
		if n, ok := strings.CutPrefix(name, prefix); ok && len(n) == 1 && "1" <= n && n <= "9" {
			return Strings{base + n}
		}
	}
	return nil
}

// addressRecords are the A and AAAA records of a host.
func addressRecords(host string, addresses []netip.Addr, ttl uint32) []dns.RR {
	var list []dns.RR
	for _, a := range addresses {
		if a.Is4() {
			list = append(list, &dns.A{Hdr: dns.RR_Header{Name: host, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: ttl}, A: a.AsSlice()})
		} else {
			list = append(list, &dns.AAAA{Hdr: dns.RR_Header{Name: host, Rrtype: dns.TypeAAAA, Class: dns.ClassINET, Ttl: ttl}, AAAA: a.AsSlice()})
		}
	}
	return list
}
