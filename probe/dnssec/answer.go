package dnssec

import (
	"fmt"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
)

// Answer judges what a response from the zone's servers says about one name and
// type: records, also those from a wildcard; a CNAME or DNAME there (Found,
// Target); or that there are none, by NSEC or NSEC3. It does not follow CNAMEs.
// Names that opt-out leaves open are Insecure.
func (k *Keys) Answer(m *dns.Msg, qname string, qtype uint16, at time.Time, w *Work) Result {
	n, ok := parseName(qname)
	if !ok || m == nil {
		return Result{State: Indeterminate, Detail: "not a question"}
	}
	answer, authority := sets(m.Answer), sets(m.Ns)
	c := read(m, answer, authority, n, qtype)
	r, stop := k.untrusted()
	if !stop {
		v := &validation{keys: k, answer: answer, authority: authority, at: at, work: w.orNew()}
		r = v.judge(m, c, n, qtype)
		if r.State == Bogus && r.Cut == "" {
			r.Cut = v.cut(n)
		}
	}
	if r.Found == Nothing {
		r.Found = c.found
	}
	if c.found == CNAME || c.found == DNAME {
		r.Target = ""
		if !c.long && c.target.wire != "" {
			r.Target = c.target.String()
		}
	}
	return r
}

// A validation is one message under scrutiny.
type validation struct {
	keys              *Keys
	answer, authority []*set
	at                time.Time
	work              *Work
}

func (v *validation) verify(s *set) verdict {
	return v.keys.verify(s, v.keys.keys, v.at, v.work)
}

func (v *validation) judge(m *dns.Msg, c claim, n name, qtype uint16) Result {
	switch {
	case !n.under(v.keys.name):
		return Result{State: Indeterminate, Detail: fmt.Sprintf("%s is not in zone %s", n, v.keys.zone)}
	case c.found == Nothing:
		return Result{State: Indeterminate, Detail: "response code " + dns.RcodeToString[m.Rcode] + " answers nothing"}
	case qtype == dns.TypeRRSIG:
		return Result{State: Indeterminate, Reason: evidence.ReasonNoSignature, Detail: "signatures are not signed"}
	case qtype == dns.TypeDS && n.wire == v.keys.name.wire && len(n.labels) > 0:
		// The DS set belongs to the parent; what the zone itself says counts for
		// nothing (RFC 4035 5.2, RFC 6840 4.4).
		return Result{State: Bogus, Reason: evidence.ReasonNoKey, Detail: "only the parent of " + v.keys.zone + " can say what its DS records are"}
	case c.found == DNAME:
		return v.dname(c, n, qtype)
	case c.found == NoData || c.found == NXDomain:
		return v.negative(c, n, qtype)
	}
	out := v.positive(c.sets[0])
	for _, s := range c.sets[1:] { // only for ANY
		if out.State == Bogus {
			break
		}
		if r := v.positive(s); r.State != Secure {
			out = r
		}
	}
	return out
}

// positive judges records at the name itself.
func (v *validation) positive(s *set) Result {
	got := v.verify(s)
	if got.State != Secure || !got.wildcard(s) {
		return got.Result
	}
	// From a wildcard: it must be proven that nothing nearer exists (RFC 4035 5.3.4).
	got.Wildcard = true
	d := v.denials()
	outcome := d.wildcard(s.owner, s.owner.last(got.labels))
	r := d.result(outcome, fmt.Sprintf("%s %s comes from a wildcard, and it is not proven that the name itself does not exist", s.owner, dns.Type(s.typ)))
	if r.State != Bogus {
		got.State, got.Detail = r.State, r.Detail
		got.TTL = min(got.TTL, r.TTL)
		return got.Result
	}
	r.Wildcard = true
	return r
}

// dname judges a DNAME above the name. The CNAME that servers make of it is not
// signed: it must be what the substitution gives (RFC 6672 5.3.1). Where the
// question is for a CNAME it is the answer.
func (v *validation) dname(c claim, n name, qtype uint16) Result {
	s := c.sets[0]
	got := v.verify(s)
	if got.State != Secure {
		return got.Result
	}
	fail := Result{State: Bogus, Reason: evidence.ReasonBadSignature}
	if got.wildcard(s) {
		fail.Detail = fmt.Sprintf("the DNAME at %s comes from a wildcard", s.owner)
		return fail
	}
	if made := find(v.answer, n, dns.TypeCNAME); made != nil {
		target, ok := targetOf(made)
		if !made.single() || !ok || c.long || target.wire != c.target.wire {
			fail.Detail = fmt.Sprintf("the CNAME at %s is not what the DNAME at %s makes", n, s.owner)
			return fail
		}
		if qtype == dns.TypeCNAME {
			got.Found = Records
		}
	}
	return got.Result
}

// negative judges that there are no such records, or no such name.
func (v *validation) negative(c claim, n name, qtype uint16) Result {
	d := v.denials()
	found, outcome := c.found, unproven
	if c.found == NXDomain {
		outcome = d.nxdomain(n)
	}
	if outcome == unproven {
		// Some servers answer NXDOMAIN for a name that only has names below it,
		// and prove rightly that it exists: what is proven counts.
		if outcome = d.nodata(n, qtype); outcome == proven {
			found = NoData
		}
	}
	r := d.result(outcome, fmt.Sprintf("%s of %s %s is not proven", c.found, n, dns.Type(qtype)))
	r.Found = found
	if r.State == Bogus {
		return r
	}
	// The SOA says how long the answer may be kept: it must be genuine too.
	if soa := find(v.authority, v.keys.name, dns.TypeSOA); soa != nil {
		got := v.verify(soa)
		if got.State != Secure {
			got.Found = found
			return got.Result
		}
		r.TTL = min(r.TTL, got.TTL)
		if rr, ok := soa.rrs[0].(*dns.SOA); ok {
			r.TTL = min(r.TTL, int(rr.Minttl)) // RFC 2308 5
		}
	}
	return r
}

// cut is a zone below the keys' that holds the name and whose SOA or NS set the
// response shows.
func (v *validation) cut(n name) string {
	for _, s := range v.authority {
		if (s.typ == dns.TypeSOA || s.typ == dns.TypeNS) && len(s.rrs) > 0 &&
			s.owner.below(v.keys.name) && n.under(s.owner) {
			return s.owner.String()
		}
	}
	return ""
}
