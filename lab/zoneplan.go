package lab

import (
	"fmt"
	"net/netip"

	"github.com/miekg/dns"
)

// The TTLs of what a world generates, in seconds.
const (
	ttlInfrastructure = 3600  // SOA, NS and addresses of servers in their own zone
	ttlDelegation     = 86400 // what a parent says
)

// prepare makes the keys, which the parent's DS records come from.
func (z *zonePlan) prepare(p *plan) error {
	if z.signing == nil {
		return nil
	}
	var err error
	z.ring, err = newKeyring(z.origin, *z.signing, p.now)
	return err
}

// fill makes the records of the zone: its own, those for the zones below, and
// what the change removes and adds; then the copies.
func (z *zonePlan) fill(p *plan) error {
	rrs := z.own(p)
	for _, child := range p.children[z.origin] {
		below, err := p.zones[child].delegation(p, z.origin)
		if err != nil {
			return err
		}
		rrs = append(rrs, below...)
	}
	common, err := z.copy(p, &zoneCopy{rrs: rrs, zone: &zone{keys: z.ring}}, z.change.unsigned())
	if err != nil {
		return err
	}
	z.copies = map[string]*zoneCopy{"": common}
	for short, c := range z.change.On {
		if z.copies[short], err = z.copy(p, common, c); err != nil {
			return fmt.Errorf("on %s: %w", short, err)
		}
	}
	return nil
}

// unsigned is the change but for signing, which concerns every copy.
func (c *ZoneChange) unsigned() ZoneCopy {
	content := c.ZoneCopy
	content.Sign = nil
	return content
}

// own are the records that a zone starts with.
func (z *zonePlan) own(p *plan) []dns.RR {
	first, minimum := z.origin, uint32(300)
	if len(z.servers) > 0 {
		first = hostOf(z.servers[0])
	}
	if dns.CountLabel(z.origin) < 2 {
		minimum = 900
	}
	rrs := []dns.RR{&dns.SOA{
		Hdr: dns.RR_Header{Name: z.origin, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttlInfrastructure},
		Ns:  first, Mbox: absolute("hostmaster", z.origin), Serial: 7, Refresh: 7200, Retry: 3600, Expire: 1209600, Minttl: minimum,
	}}
	for _, short := range z.servers {
		rrs = append(rrs, nsRecord(z.origin, short, ttlInfrastructure))
	}
	for _, short := range p.hosts[z.origin] {
		rrs = append(rrs, addressRecords(hostOf(short), p.servers[short].addresses, ttlInfrastructure)...)
	}
	if z.origin == orchard {
		rrs = append(rrs,
			&dns.A{Hdr: dns.RR_Header{Name: orchard, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: defaultTTL}, A: netip.MustParseAddr(AddressWeb1).AsSlice()},
			&dns.A{Hdr: dns.RR_Header{Name: "www." + orchard, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: defaultTTL}, A: netip.MustParseAddr(AddressWeb1).AsSlice()},
			&dns.TXT{Hdr: dns.RR_Header{Name: "_dnsauth." + orchard, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: defaultTTL}, Txt: []string{p.options.Value}})
	}
	return rrs
}

func nsRecord(owner, short string, ttl uint32) dns.RR {
	return &dns.NS{Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: ttl}, Ns: hostOf(short)}
}

// delegation is what the zone above says of this one.
func (z *zonePlan) delegation(p *plan, above string) ([]dns.RR, error) {
	d := p.delegations[z.origin]
	if d.Absent || z.change.Delegated != nil && !*z.change.Delegated {
		return nil, nil
	}
	servers, ttl := z.servers, uint32(ttlDelegation)
	if len(d.NS) > 0 {
		servers = d.NS
	}
	if d.TTL > 0 {
		ttl = uint32(d.TTL)
	}
	var rrs []dns.RR
	for _, short := range servers {
		rrs = append(rrs, nsRecord(z.origin, short, ttl))
		host := hostOf(short)
		if !dns.IsSubDomain(above, host) || p.above(host) == above {
			continue // the address is known elsewhere, or there already
		}
		addresses := p.servers[short].addresses
		if glue, ok := d.Glue[short]; ok {
			addresses = nil
			for _, text := range glue {
				a, err := netip.ParseAddr(text)
				if err != nil {
					return nil, fmt.Errorf("glue of %s: %w", short, err)
				}
				addresses = append(addresses, a)
			}
		}
		rrs = append(rrs, addressRecords(host, addresses, ttl)...)
	}
	if z.ring == nil {
		return rrs, nil
	}
	ds, err := z.ring.ds()
	return append(rrs, ds...), err
}

// copy makes a copy of the zone from another one and what differs.
func (z *zonePlan) copy(p *plan, from *zoneCopy, c ZoneCopy) (*zoneCopy, error) {
	rrs, err := c.edit(z.origin, from.rrs, p.options.Value)
	if err != nil {
		return nil, err
	}
	if p.options.Loopback != 0 {
		relocate(rrs, p.options)
	}
	made, err := newZone(z.origin, rrs)
	if err != nil {
		return nil, err
	}
	made.keys = from.keys
	if c.Sign != nil {
		if made.keys, err = newKeyring(z.origin, *c.Sign, p.now); err != nil {
			return nil, err
		}
		if c.Sign.Off {
			made.keys = nil
		}
	}
	if made.keys != nil && made.soa != nil {
		made.addKeys()
	}
	return &zoneCopy{zone: made, rrs: rrs}, nil
}

// relocate moves the addresses of a world to where they really are.
func relocate(rrs []dns.RR, o Options) {
	for _, rr := range rrs {
		if a, ok := rr.(*dns.A); ok {
			if from, ok := netip.AddrFromSlice(a.A); ok {
				a.A = o.place(from.Unmap()).AsSlice()
			}
		}
	}
}
