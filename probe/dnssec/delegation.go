package dnssec

import (
	"fmt"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
)

// Delegation reads a referral to child, or the answer to a DS question for it.
//
//   - Secure with DS records: a signed zone; their TTL in seconds.
//   - Insecure: an unsigned zone, by proof; the TTL of the proof.
//   - Secure without DS records: child is no zone of its own, by proof (only in
//     an answer to a DS question; Found says what it is).
//   - Bogus: none of these is proven.
//   - Indeterminate: the message does not answer, or child is not below the zone.
func (k *Keys) Delegation(m *dns.Msg, child string, at time.Time, w *Work) ([]*dns.DS, int, Result) {
	if r, stop := k.untrusted(); stop {
		return nil, 0, r
	}
	n, ok := parseName(child)
	if !ok || m == nil || !n.below(k.name) {
		return nil, 0, Result{State: Indeterminate, Reason: evidence.ReasonKeysMissing, Detail: fmt.Sprintf("%s is not below zone %s", child, k.zone)}
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, 0, Result{State: Indeterminate, Reason: evidence.ReasonKeysMissing, Detail: "response code " + dns.RcodeToString[m.Rcode] + " to the DS question for " + n.String()}
	}
	v := &validation{keys: k, answer: sets(m.Answer), authority: sets(m.Ns), at: at, work: w.orNew()}
	ds := find(v.answer, n, dns.TypeDS)
	if ds == nil {
		ds = find(v.authority, n, dns.TypeDS)
	}
	if ds != nil {
		return v.signedChild(ds)
	}
	referral := find(v.authority, n, dns.TypeNS) != nil
	r := v.noDS(m, n, referral)
	if r.State == Bogus && r.Cut == "" {
		r.Cut = v.cut(n)
	}
	return nil, r.TTL, r
}

// signedChild takes the DS set of a child.
func (v *validation) signedChild(s *set) ([]*dns.DS, int, Result) {
	got := v.verify(s)
	if got.State == Secure && got.wildcard(s) {
		got.State, got.Reason = Bogus, evidence.ReasonBadSignature
		got.Detail = fmt.Sprintf("the DS set of %s comes from a wildcard", s.owner)
	}
	got.Found = Records
	if got.State != Secure {
		return nil, 0, got.Result
	}
	var list []*dns.DS
	for _, rr := range s.rrs {
		if d, ok := rr.(*dns.DS); ok {
			list = append(list, d)
		}
	}
	return list, got.TTL, got.Result
}

// noDS looks for the proof that a child has no DS set, or is no zone.
func (v *validation) noDS(m *dns.Msg, n name, referral bool) Result {
	if !referral {
		// A name that is an alias, or redirected, is no zone.
		c := read(m, v.answer, v.authority, n, dns.TypeDS)
		if c.found == CNAME || c.found == DNAME {
			r := v.judge(m, c, n, dns.TypeDS)
			r.Found = c.found
			return r
		}
	}
	d := v.denials()
	detail := fmt.Sprintf("that %s has no DS records is not proven", n)
	kind, o := d.child(n)
	r := d.result(o, detail)
	r.Found = kind
	switch {
	case o == unproven:
	case kind == delegated:
		// The zone itself says that this is a delegation without DS: unsigned
		// (RFC 4035 5.2, RFC 6840 4.4).
		r.State, r.Found = Insecure, NoData
	case referral && o == proven:
		return Result{State: Bogus, Reason: evidence.ReasonNoDenial, Found: kind, Detail: fmt.Sprintf("%s is delegated, and denied as a delegation", n)}
	}
	return r
}

// delegated is what child finds at an unsigned delegation.
const delegated Found = "delegation"

// child finds out what a name without DS set is: a delegation, a name that is no
// zone cut (NoData), none at all (NXDomain), or open.
func (d *denials) child(n name) (Found, outcome) {
	var bits types
	if r := d.at(n); r != nil {
		bits = r.types
	} else if len(d.nsec3.list) > 0 {
		if r := d.nsec3.at(n); r != nil {
			bits = r.types
		}
	}
	if bits.delegates() && bits.lacks(dns.TypeDS, d.zone) {
		return delegated, proven
	}
	if o := d.nodata(n, dns.TypeDS); o != unproven {
		return NoData, o
	}
	return NXDomain, d.nxdomain(n)
}
