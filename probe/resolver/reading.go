package resolver

import (
	"strings"

	"github.com/miekg/dns"
)

// A kind is what a message from a zone's server says about a name and type.
type kind int

const (
	useless  kind = iota // no message, an error, no authority: see the copy
	answered             // records, or a CNAME or DNAME
	denied               // none, by the zone's authority: NODATA or NXDOMAIN
	referred             // the name is in a zone that is delegated away
	deeper               // the same servers are an authority for a zone further down
)

// A reading is a message understood.
type reading struct {
	kind kind
	// cut is the zone that it refers to or is authoritative for (referred, deeper).
	cut string
	// via is "CNAME" or "DNAME" where the name leads elsewhere, to target; an
	// empty target is a name that a DNAME made too long.
	via, target string
}

// read understands a message from a server of zone that was asked for name and
// type. Only what the zone may speak of is looked at: names at or under it.
func read(m *dns.Msg, zone, name string, qtype uint16) reading {
	if m == nil || m.Truncated || !decides(m.Rcode) {
		return reading{}
	}
	if found, ok := readAnswer(m, zone, name, qtype); ok {
		if !m.Authoritative {
			return reading{}
		}
		if cut := apexAbove(m.Ns, dns.TypeNS, zone, name); cut != "" {
			found.kind, found.cut = deeper, cut
		}
		return found
	}
	soa := ""
	for _, rr := range m.Ns {
		if h := rr.Header(); h.Rrtype == dns.TypeSOA && within(zone, h.Name) && within(h.Name, name) {
			soa = h.Name
		}
	}
	if soa == "" && m.Rcode == dns.RcodeSuccess {
		if cut := apexAbove(m.Ns, dns.TypeNS, zone, name); cut != "" {
			return reading{kind: referred, cut: cut}
		}
	}
	switch {
	case !m.Authoritative:
		return reading{}
	case soa != "" && soa != zone:
		return reading{kind: deeper, cut: soa}
	case soa == "" && refersAway(m, zone):
		return reading{}
	}
	return reading{kind: denied}
}

// readAnswer looks for the name in the answer section.
func readAnswer(m *dns.Msg, zone, name string, qtype uint16) (reading, bool) {
	found, cname, dname := false, "", ""
	for _, rr := range m.Answer {
		h := rr.Header()
		if h.Class != dns.ClassINET || !within(zone, h.Name) {
			continue
		}
		if h.Name == name && (h.Rrtype == qtype || qtype == dns.TypeANY) {
			found = true
		}
		switch rr := rr.(type) {
		case *dns.CNAME:
			if target := strings.ToLower(rr.Target); h.Name == name && (cname == "" || target < cname) {
				cname = target
			}
		case *dns.DNAME:
			if below(h.Name, name) {
				dname = substitute(name, h.Name, strings.ToLower(rr.Target))
				if dname == "" {
					return reading{kind: answered, via: "DNAME"}, true
				}
			}
		}
	}
	switch {
	case found:
		return reading{kind: answered}, true
	case dname != "":
		return reading{kind: answered, via: "DNAME", target: dname}, true
	case cname != "":
		return reading{kind: answered, via: "CNAME", target: cname}, true
	}
	return reading{}, false
}

// substitute replaces the end of a name by the target of a DNAME (RFC 6672 2.2);
// "" if the result is too long.
func substitute(name, owner, target string) string {
	prefix := strings.TrimSuffix(name, owner)
	if owner == "." {
		prefix = name
	}
	made := prefix + strings.TrimPrefix(target, ".")
	if !fits(made) {
		return ""
	}
	return made
}

// apexAbove returns the owner of records of a type that lies below the zone, at
// or above the name: a zone cut. "" if there is none.
func apexAbove(section []dns.RR, rrtype uint16, zone, name string) string {
	for _, rr := range section {
		if h := rr.Header(); h.Rrtype == rrtype && below(zone, h.Name) && within(h.Name, name) {
			return h.Name
		}
	}
	return ""
}

// refersAway reports an NS set that leads up or sideways: a lame server's referral.
func refersAway(m *dns.Msg, zone string) bool {
	for _, rr := range m.Ns {
		if h := rr.Header(); h.Rrtype == dns.TypeNS && h.Name != zone {
			return true
		}
	}
	return false
}
