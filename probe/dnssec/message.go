package dnssec

import (
	"github.com/miekg/dns"
)

// A set is an RRset with the signatures that came with it.
type set struct {
	owner name
	typ   uint16
	rrs   []dns.RR
	sigs  []*dns.RRSIG
}

// single reports whether there is one record, perhaps said more than once.
func (s *set) single() bool {
	for i, rr := range s.rrs {
		if i > 0 && !dns.IsDuplicate(rr, s.rrs[0]) {
			return false
		}
	}
	return len(s.rrs) > 0
}

// sets groups the records of a section, in the order of their first record.
// Records of other classes and names that cannot be are left out.
func sets(section []dns.RR) []*set {
	type id struct {
		owner string
		typ   uint16
	}
	list := make([]*set, 0, 4)
	index := make(map[id]*set, 4)
	var owner name
	last, known := "", false
	for _, rr := range section {
		if rr == nil {
			continue
		}
		h := rr.Header()
		if h.Class != dns.ClassINET {
			continue
		}
		if !known || h.Name != last {
			n, ok := parseName(h.Name)
			if !ok {
				continue
			}
			owner, last, known = n, h.Name, true
		}
		typ := h.Rrtype
		sig, isSig := rr.(*dns.RRSIG)
		if isSig {
			typ = sig.TypeCovered
		}
		s := index[id{owner.wire, typ}]
		if s == nil {
			s = &set{owner: owner, typ: typ}
			index[id{owner.wire, typ}] = s
			list = append(list, s)
		}
		if isSig {
			s.sigs = append(s.sigs, sig)
		} else {
			s.rrs = append(s.rrs, rr)
		}
	}
	return list
}

// find is the set of that owner and type, or nil where there are no records.
func find(list []*set, owner name, typ uint16) *set {
	for _, s := range list {
		if s.typ == typ && len(s.rrs) > 0 && s.owner.wire == owner.wire {
			return s
		}
	}
	return nil
}

// claim is what a response says about a name and type, before anything is proven.
type claim struct {
	found  Found
	sets   []*set // the records that say so
	target name   // of a CNAME or DNAME
	long   bool   // the DNAME makes a name that is too long
}

// read finds out what a response claims.
func read(m *dns.Msg, answer, authority []*set, qname name, qtype uint16) claim {
	cname := find(answer, qname, dns.TypeCNAME)
	if cname == nil || len(cname.sigs) == 0 {
		// A CNAME without signature may be made from a DNAME, also where the
		// question is for a CNAME.
		if c, ok := readDNAME(answer, qname); ok {
			return c
		}
	}
	var records []*set
	for _, s := range answer {
		if len(s.rrs) > 0 && s.owner.wire == qname.wire && (s.typ == qtype || qtype == dns.TypeANY) {
			records = append(records, s)
		}
	}
	if records != nil {
		return claim{found: Records, sets: records}
	}
	if cname != nil {
		c := claim{found: CNAME, sets: []*set{cname}}
		c.target, _ = targetOf(cname)
		return c
	}
	switch {
	case m.Rcode == dns.RcodeNameError:
		return claim{found: NXDomain}
	case m.Rcode != dns.RcodeSuccess, !m.Authoritative && isReferral(authority):
		return claim{}
	}
	return claim{found: NoData}
}

// readDNAME looks for a DNAME above the name, and substitutes (RFC 6672 2.2).
func readDNAME(answer []*set, qname name) (claim, bool) {
	for _, s := range answer {
		if s.typ != dns.TypeDNAME || !s.single() || !qname.below(s.owner) {
			continue
		}
		target, ok := targetOf(s)
		if !ok {
			continue
		}
		prefix := qname.wire[:len(qname.wire)-len(s.owner.wire)]
		c := claim{found: DNAME, sets: []*set{s}}
		if len(prefix)+len(target.wire) > 255 {
			c.long = true
		} else {
			c.target = wireName(prefix + target.wire)
		}
		return c, true
	}
	return claim{}, false
}

// targetOf is where the first CNAME or DNAME of a set leads.
func targetOf(s *set) (name, bool) {
	switch rr := s.rrs[0].(type) {
	case *dns.CNAME:
		return parseName(rr.Target)
	case *dns.DNAME:
		return parseName(rr.Target)
	}
	return name{}, false
}

// isReferral reports whether an authority section delegates: NS, no SOA.
func isReferral(authority []*set) bool {
	ns := false
	for _, s := range authority {
		if s.typ == dns.TypeSOA && len(s.rrs) > 0 {
			return false
		}
		ns = ns || s.typ == dns.TypeNS && len(s.rrs) > 0
	}
	return ns
}
