package review

import (
	"net/netip"
	"slices"

	"assay/cause"
	"assay/evidence"
)

// addressRules are about the addresses that a file or TLS method connects to.
// Where no method was chosen they only warn (condition no-method): the name can
// still be validated by DNS.
var addressRules = []rule{
	{
		causes: []cause.ID{cause.DNSNoAddress, cause.DNSAddressChainBroken, cause.DNSReservedAddress},
		needs:  needLook | needNames, run: eachTarget(addresses),
	},
}

// ipv6 is the AAAA answer of a target that is an address.
func (f *facts) ipv6(t *target) *sight { return f.resolveAnyhow(f.primary(), t.question("AAAA")) }

func addresses(f *facts, s *sink, t *target) {
	if !t.address {
		return
	}
	z, six := f.here(t), f.ipv6(t)
	for _, one := range []*sight{z, six} {
		if problem := chainProblem(one); problem != "" {
			chainBroken(f, s, t, one, problem)
			return
		}
	}
	if !f.registered(t, z) && z.state == answered && z.a.Status == "NXDOMAIN" {
		return
	}
	records := slices.Concat(z.records(), six.records())
	public, reserved, blocks := f.sortAddresses(records)
	switch {
	case z.state != answered || six.state != answered:
	case len(records) == 0:
		noAddress(f, s, t, z, six)
	}
	if len(reserved) == 0 {
		return
	}
	conditions := f.noMethod(t)
	if len(public) > 0 {
		conditions = append(conditions, "some")
	}
	s.addTarget(cause.DNSReservedAddress, t, conditions...).with("owner", t.owner).
		with("host", hostIn(t.owner, zoneOr(z, t))).with("zone", zoneOr(z, t)).
		with("addresses", reserved).with("blocks", blocks).with("public_addresses", public).
		seenBy(z, six).reproduce(digOne(z.first(), t.owner, "A"), digOne(z.first(), t.owner, "AAAA"))
}

// noMethod is the condition that no method was chosen.
func (f *facts) noMethod(t *target) []string {
	if t.method == "" {
		return []string{"no-method"}
	}
	return nil
}

func zoneOr(z *sight, t *target) string {
	if zone := z.zone(); zone != "" && below(t.owner, zone) {
		return zone
	}
	return t.domain
}

// sortAddresses tells public addresses from those of the special-purpose
// registries, and names the rows.
func (f *facts) sortAddresses(records []evidence.Record) (public, reserved, blocks []string) {
	for i := range records {
		a, err := netip.ParseAddr(records[i].Data)
		if err != nil {
			continue
		}
		if block, ok := f.Data.Reserved(a); ok {
			reserved = append(reserved, a.String())
			if !slices.Contains(blocks, block.Name) {
				blocks = append(blocks, block.Name)
			}
		} else {
			public = append(public, a.String())
		}
	}
	return public, reserved, blocks
}

// chainBroken: the chain from the name leads to no address.
func chainBroken(f *facts, s *sink, t *target, z *sight, problem string) {
	d := s.addTarget(cause.DNSAddressChainBroken, t, f.noMethod(t)...).with("owner", t.base).
		with("host", hostIn(t.base, zoneOr(z, t))).with("zone", zoneOr(z, t)).with("chain", z.chain()).
		with("zones", chainZones(z)).with("hops", maxHops).with("problem", problem).
		seenBy(z).reproduce(digOne(z.first(), t.base, z.typ), dig("", t.base, z.typ, "+trace"))
	if problem == "dangling" {
		d.with("end", z.end())
	}
}

// noAddress: neither A nor AAAA. A wildcard that seems to cover the name does
// not where a record exists at the name or below it (RFC 4592 2.2.2).
func noAddress(f *facts, s *sink, t *target, z, six *sight) {
	d := s.addTarget(cause.DNSNoAddress, t, f.noMethod(t)...).with("owner", t.owner).
		with("host", hostIn(t.owner, zoneOr(z, t))).with("zone", zoneOr(z, t)).with("rcode", z.rcode()).
		seenBy(z, six).reproduce(digOne(z.first(), t.owner, "A"), digOne(z.first(), t.owner, "AAAA"))
	if end := z.end(); end != t.owner {
		d.with("end", end)
		return
	}
	if z.a.Status != "NOERROR" || t.base == t.domain {
		return
	}
	random := f.probe(evidence.DNSQuestion{Name: parentOf(t.owner), Type: "A", Random: true})
	if len(random.records()) == 0 {
		return
	}
	hidden := "below"
	for _, o := range f.targets() {
		if other := f.here(o); !o.address && o.base == t.base && len(other.records()) > 0 {
			hidden = o.owner
		}
	}
	d.with("wildcard", "*."+parentOf(t.owner)).with("hidden_by", hidden).seenBy(random)
}
