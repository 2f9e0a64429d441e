package review

import (
	"assay/cause"
)

// caaLookup: the question for CAA brought no answer before any set was found.
// A CA may take that as permission only where the failure is not its own, was
// tried again, and the zone is proven unsigned (BR 4.2.2.1; catalogue B20).
func caaLookup(f *facts, s *sink, n *nameFact, c *caaFact) {
	z := c.failed
	if z == nil {
		return
	}
	if z.state == endless {
		f.caaChain(s, n, z)
	}
	l := z.last()
	if z.state == bogus {
		l = brokenLink(z)
	}
	rcode, security := z.a.Status, "unproven"
	var extended []string
	owner, zone := z.asked(), n.Base
	if l != nil {
		owner, zone = l.Owner, l.Zone
		if z.state == unanswered {
			rcode, extended = commonStatus(l)
			if rcode == "" {
				rcode = z.a.Status
			}
		} else {
			_, extended = commonStatus(l)
		}
		if l.Trust == "signed" || l.Trust == "bogus" {
			security = "signed"
		}
	}
	if z.state == bogus {
		rcode = "bogus"
	}
	id, insecure := f.caaFailure(z)
	d := s.addName(id, n).concerning(n.subject()+"\x00caa-lookup").with("base", n.Base).with("owner", owner).
		with("zone", zone).with("servers", serverNames(l)).with("rcode", rcode).with("extended", extended).
		with("other_types", f.otherTypes(n, zone)).seenBy(z).reproduce(digAll(l, owner, "CAA")...)
	if insecure {
		d.with("tries", tries(z))
	} else {
		d.with("security", security)
	}
}

// caaFailure is the row for a question for CAA that brought no answer.
func (f *facts) caaFailure(z *sight) (id cause.ID, insecure bool) {
	if l := z.last(); z.state == unanswered && l != nil && l.Trust == "unsigned" && tries(z) > 1 && len(f.primary().Missing) == 0 {
		return cause.CAALookupFailedInsecure, true
	}
	return cause.CAALookupFailed, false
}

// otherTypes is what questions for other types brought in the same zone.
func (f *facts) otherTypes(n *nameFact, zone string) []string {
	var list []string
	apex := f.resolve(f.primary(), apexQuestion(f.domainOf(n.Base)))
	if apex.a != nil && apex.a.Asked == zone {
		list = append(list, "NS: "+apex.a.Status)
	}
	for _, t := range f.targets() {
		if z := f.here(t); z.a != nil && z.zone() == zone && t.base == n.Base && !contains(list, t.typ+": "+z.a.Status) {
			list = append(list, t.typ+": "+z.a.Status)
		}
	}
	return list
}

// caaChain: the chain of CNAMEs that fails the CAA question is the fault.
func (f *facts) caaChain(s *sink, n *nameFact, z *sight) {
	for _, t := range f.targets() {
		if t.address && t.base == n.Base {
			return // said about the addresses
		}
	}
	t := f.newTarget(n, f.methodFor(n))
	t.base, t.owner, t.about = z.asked(), z.asked(), n.subject()+"\x00caa-chain"
	if t.method == "" {
		t.method = "caa" // the chain fails every method
	}
	chainBroken(f, s, t, z, chainProblem(z))
}
