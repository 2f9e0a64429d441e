package dnssec

import (
	"math"
	"slices"

	"github.com/miekg/dns"

	"assay/evidence"
)

// outcome is what the denial records of a message prove about a statement.
type outcome int

const (
	unproven outcome = iota
	proven
	// open: nothing can be proven, and the zone's signer says that this is so:
	// an unsigned delegation may be in an opt-out span (RFC 5155 6), or the
	// NSEC3 records iterate too often (RFC 9276 3.2).
	open
)

// denials are the NSEC and NSEC3 records of a message that are signed by the zone.
type denials struct {
	zone  name
	nsec  []nsec
	nsec3 nsec3s
	// good is the result of one of them with the smallest TTL, bad why one was
	// left out.
	good, bad Result
}

// denials verifies the denial records of the authority section.
func (v *validation) denials() *denials {
	d := &denials{zone: v.keys.name, good: Result{TTL: math.MaxInt32}}
	d.nsec3 = nsec3s{zone: d.zone, work: v.work}
	for _, s := range v.authority {
		if s.typ != dns.TypeNSEC && s.typ != dns.TypeNSEC3 || !s.single() {
			continue
		}
		got := v.verify(s)
		if got.State == Secure && got.wildcard(s) {
			// An NSEC expanded from a wildcard says nothing about its owner: it
			// would deny names that it was never made for.
			continue
		}
		if got.State != Secure {
			d.bad = more(d.bad, got.Result)
			continue
		}
		switch rr := s.rrs[0].(type) {
		case *dns.NSEC:
			next, ok := parseName(rr.NextDomain)
			if !ok || !next.under(d.zone) {
				continue
			}
			d.nsec = append(d.nsec, nsec{s.owner, next, rr.TypeBitMap})
		case *dns.NSEC3:
			d.nsec3.add(s.owner, rr)
		}
		ttl := min(d.good.TTL, got.TTL)
		d.good = got.Result
		d.good.TTL = ttl
	}
	return d
}

// result turns an outcome into a result; detail is for what is unproven.
func (d *denials) result(o outcome, detail string) Result {
	switch {
	case o == proven:
		return d.good
	case o == open:
		r := d.good
		r.State = Insecure
		r.Detail = "an opt-out span of NSEC3 records covers the name"
		if len(d.nsec3.list) == 0 {
			r.Detail = "the NSEC3 records iterate more often than is computed"
		}
		return r
	case d.nsec3.exhausted:
		return Result{State: Bogus, Reason: evidence.ReasonTooMuchWork, Detail: detail + ": too many names to hash"}
	case d.bad.Reason != "":
		r := d.bad
		r.Detail = detail + ": " + r.Detail
		return r
	}
	return Result{State: Bogus, Reason: evidence.ReasonNoDenial, Detail: detail}
}

// either asks the NSEC records first, then the NSEC3 records.
func (d *denials) either(byNSEC func() outcome, byNSEC3 func() outcome) outcome {
	if len(d.nsec) > 0 {
		if o := byNSEC(); o != unproven {
			return o
		}
	}
	if len(d.nsec3.list) > 0 {
		return byNSEC3()
	}
	if d.nsec3.excessive {
		return open
	}
	return unproven
}

// nxdomain: the name does not exist, and no wildcard stands in for it.
func (d *denials) nxdomain(n name) outcome {
	return d.either(
		func() outcome { return d.nsecNXDomain(n) },
		func() outcome { return d.nsec3.nxdomain(n) })
}

// nodata: the name, or the wildcard that stands in for it, has no such records
// and is no alias.
func (d *denials) nodata(n name, qtype uint16) outcome {
	return d.either(
		func() outcome { return d.nsecNoData(n, qtype) },
		func() outcome { return d.nsec3.nodata(n, qtype) })
}

// wildcard: nothing exists at the name or between it and base, so that the
// wildcard below base stands in for it.
func (d *denials) wildcard(n, base name) outcome {
	return d.either(
		func() outcome { return d.nsecWildcard(n, base) },
		func() outcome { return d.nsec3.wildcard(n, base) })
}

// types is the type bit map of an NSEC or NSEC3 record.
type types []uint16

func (t types) has(typ uint16) bool { return slices.Contains(t, typ) }

// delegates reports whether the record stands at a delegation, in the parent:
// then it speaks only about the DS set there, not of other types or of names
// below (RFC 6840 4.1).
func (t types) delegates() bool { return t.has(dns.TypeNS) && !t.has(dns.TypeSOA) }

// occludes reports whether names below the owner are not this record's to deny:
// they belong to another zone, or are redirected (RFC 6840 4.1, RFC 6672 5.3.4).
func (t types) occludes() bool { return t.delegates() || t.has(dns.TypeDNAME) }

// lacks reports whether a bit map at the name itself proves that there are no
// records of the type, nor a CNAME (RFC 6840 4.3).
func (t types) lacks(qtype uint16, zone name) bool {
	if t.has(dns.TypeCNAME) {
		return false
	}
	switch qtype {
	case dns.TypeDS:
		// The child's own record says nothing about its DS set (RFC 6840 4.4);
		// only the root has no parent.
		if t.has(dns.TypeSOA) && len(zone.labels) > 0 {
			return false
		}
	case dns.TypeANY:
		return !slices.ContainsFunc(t, func(typ uint16) bool {
			return typ != dns.TypeRRSIG && typ != dns.TypeNSEC && typ != dns.TypeNXNAME
		})
	default:
		if t.delegates() {
			return false
		}
	}
	return !t.has(qtype)
}
