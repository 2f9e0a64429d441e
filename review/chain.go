package review

import (
	"assay/cause"
)

// diverts: V is a CNAME, and the value is not at the end of its chain.
func diverts(f *facts, s *sink, t *target, z *sight) {
	chain := z.chain()
	problem := chainProblem(z)
	if problem == "" {
		problem = "no-value"
	}
	d := s.addTarget(cause.DNSCNAMEDiverts, t).record(t, z.zone()).form(z.first()).
		with("chain", chain).with("zones", chainZones(z)).with("hops", maxHops).with("problem", problem).
		seenBy(z).reproduce(digOne(z.first(), t.owner, t.typ), dig("", t.owner, t.typ, "+trace"))
	if problem == "no-value" || problem == "dangling" {
		d.with("end", z.end())
		if l := z.last(); l != nil && problem == "no-value" {
			d.with("end_zone", l.Zone)
		}
	}
}

// chainProblem says how the chain of an answer is broken, "" where it is whole.
func chainProblem(z *sight) string {
	switch {
	case z.a == nil:
		return ""
	case z.a.Status == "chain-loop":
		return "loop"
	case z.a.Status == "chain-too-long":
		return "too-long"
	case z.state == answered && z.a.Status == "NXDOMAIN" && len(z.chain()) > 1:
		return "dangling"
	}
	return ""
}

// chainZones are the zones of the links of a chain, in their order.
func chainZones(z *sight) []string {
	var zones []string
	for i := range z.a.Links {
		zones = append(zones, z.a.Links[i].Zone)
	}
	return zones
}

// maxHops is the number of CNAMEs of a chain that are followed.
const maxHops = 10
