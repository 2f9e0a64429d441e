package resolver

import (
	"context"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/probe/dnssec"
)

// How a zone hangs on the trust anchor, in the words of evidence.DNSLink.Trust.
const (
	signed        = "signed"
	unsigned      = "unsigned"
	bogus         = "bogus"
	indeterminate = "indeterminate"
)

// A trust is how a zone hangs on the trust anchor.
type trust struct {
	// state is empty where no anchor is at or above the zone: nothing is validated.
	state string
	keys  *dnssec.Keys // where state is signed or unsigned
	ttl   int          // seconds that it may be kept
	dsTTL int
	until time.Time
	// result says why it is bogus or indeterminate, fault in which zone.
	result dnssec.Result
	fault  string
	above  string // the zone that delegates it, where that became clear only here
}

// trustOf finds out how a zone hangs on the anchor, once for all who ask.
func (l *Look) trustOf(ctx context.Context, z *zone) *trust {
	for {
		t, err := z.trust.get(ctx, &l.waits, func(ctx context.Context) *trust { return l.establish(ctx, z) })
		if err != nil || t == nil {
			return missing(z)
		}
		if z.parent != nil || z.resolver != "" {
			return t
		}
		// The root outlives the look: its keys are kept for their TTL, and only
		// where they are good.
		good := t.state != bogus && t.state != indeterminate
		if good && l.r.c.Now().Before(t.until) {
			return t
		}
		z.trust.drop(func(kept *trust) bool { return kept == t })
		if !good {
			return t
		}
	}
}

// missing is the trust in a zone about which nothing could be had.
func missing(z *zone) *trust {
	return &trust{
		state: indeterminate, fault: z.name,
		result: dnssec.Result{State: dnssec.Indeterminate, Reason: evidence.ReasonKeysMissing},
	}
}

func (l *Look) establish(ctx context.Context, z *zone) *trust {
	if anchor := l.r.anchors[z.name]; len(anchor) > 0 {
		return l.keysOf(ctx, z, anchor, l.dnskey(ctx, z), maxKept)
	}
	if z.parent == nil {
		return &trust{ttl: maxKept, until: l.r.c.Now().Add(maxKept * time.Second)}
	}
	// The keys are asked for at the same time as the parent's, where a DS set
	// announces them.
	var set *keySet
	got := make(chan struct{})
	if announced(z.referral) && l.mayBeSigned(z.parent) {
		l.running.Go(func() {
			defer close(got)
			set = l.dnskey(ctx, z)
		})
	} else {
		close(got)
	}
	above, parent, said := l.chained(ctx, z)
	ds, ttl, result := said.ds, said.ttl, said.result
	switch {
	case parent.state != signed:
		inherited := *parent
		inherited.above = ""
		if parent.state == unsigned {
			inherited.keys = dnssec.Unsigned(z.name)
		}
		return &inherited
	case result.State == dnssec.Secure && len(ds) > 0:
		if _, r := dnssec.TrustKeys(z.name, ds, nil, l.r.c.Now(), nil); r.State == dnssec.Insecure {
			// No algorithm that is supported: whatever its keys are.
			return &trust{state: unsigned, keys: dnssec.Unsigned(z.name), ttl: ttl, dsTTL: ttl, above: above.name}
		}
		if <-got; set == nil {
			set = l.dnskey(ctx, z)
		}
		t := l.keysOf(ctx, z, ds, set, ttl)
		t.above = above.name
		return t
	case result.State == dnssec.Insecure:
		return &trust{state: unsigned, keys: dnssec.Unsigned(z.name), ttl: ttl, dsTTL: ttl, above: above.name}
	case result.State == dnssec.Indeterminate:
		return &trust{state: indeterminate, result: result, fault: above.name}
	}
	if result.State == dnssec.Secure { // proof that the zone is no zone
		result = dnssec.Result{State: dnssec.Bogus, Reason: evidence.ReasonNoDenial}
	}
	return &trust{state: bogus, result: result, fault: above.name}
}

// chained finds what the zone above says of a zone's keys. That is its parent, or
// a zone in between on the parent's servers, which shows only in the answer.
func (l *Look) chained(ctx context.Context, z *zone) (above *zone, parent *trust, said delegated) {
	above = z.parent
	parent = l.trustOf(ctx, above)
	for parent.state == signed {
		if above.resolver != "" {
			return above, parent, l.delegationOf(ctx, z, above, parent)
		}
		said.ds, said.ttl, said.result = l.delegation(ctx, z, above, parent)
		cut := canonical(said.result.Cut)
		if said.result.State != dnssec.Bogus || said.result.Cut == "" || !below(above.name, cut) || !below(cut, z.name) {
			break
		}
		between := l.descend(ctx, above, cut).child
		if between == nil || between.name != cut {
			break
		}
		above, parent = between, l.trustOf(ctx, between)
	}
	return above, parent, said
}

// announced reports whether a referral has a DS set.
func announced(m *dns.Msg) bool {
	if m != nil {
		for _, rr := range m.Ns {
			if rr.Header().Rrtype == dns.TypeDS {
				return true
			}
		}
	}
	return false
}

// mayBeSigned is false where a zone is known not to be.
func (l *Look) mayBeSigned(z *zone) bool {
	t, known := z.trust.peek()
	return len(l.r.anchors) > 0 && (!known || t.state == signed)
}

// delegated is what a parent says of a zone's keys.
type delegated struct {
	ds     []*dns.DS
	ttl    int
	result dnssec.Result
}

// delegation validates the DS set of a zone, or the proof that it has none, from
// the referral or else from an answer to a DS question.
func (l *Look) delegation(ctx context.Context, z, above *zone, parent *trust) ([]*dns.DS, int, dnssec.Result) {
	now := l.r.c.Now()
	if z.referral != nil {
		ds, ttl, result := parent.keys.Delegation(z.referral, z.name, now, dnssec.NewWork())
		if result.State == dnssec.Secure || result.State == dnssec.Insecure {
			return ds, ttl, result
		}
	}
	var ds []*dns.DS
	var ttl int
	result := dnssec.Result{State: dnssec.Indeterminate, Reason: evidence.ReasonKeysMissing}
	q := query{name: z.name, qtype: dns.TypeDS}
	l.some(ctx, above, q, func(a *reply) bool {
		if a.failed() {
			return false
		}
		list, seconds, r := parent.keys.Delegation(a.msg, z.name, now, dnssec.NewWork())
		if r.State == dnssec.Secure || r.State == dnssec.Insecure || result.State == dnssec.Indeterminate {
			ds, ttl, result = list, seconds, r
		}
		return r.State == dnssec.Secure || r.State == dnssec.Insecure
	})
	return ds, ttl, result
}

// A keySet is what a zone's servers gave for its keys.
type keySet struct {
	records []dns.RR
	denied  bool // a server said that there are none
	asked   func(accept func([]dns.RR) bool)
}

// dnskey asks for a zone's keys.
func (l *Look) dnskey(ctx context.Context, z *zone) *keySet {
	set := &keySet{}
	set.asked = func(accept func([]dns.RR) bool) {
		l.some(ctx, z, query{name: z.name, qtype: dns.TypeDNSKEY}, func(a *reply) bool {
			switch read(a.msg, z.name, z.name, dns.TypeDNSKEY).kind {
			case answered:
				return accept(a.msg.Answer)
			case denied:
				set.denied = true
			}
			return false
		})
	}
	set.asked(func(records []dns.RR) bool { set.records = records; return true })
	return set
}

// keysOf decides which of a zone's keys to trust. Where one server's set fails
// the others are asked.
func (l *Look) keysOf(ctx context.Context, z *zone, ds []*dns.DS, set *keySet, dsTTL int) *trust {
	if set.records == nil && !set.denied {
		t := missing(z)
		t.dsTTL = dsTTL
		return t
	}
	now := l.r.c.Now()
	keys, result := dnssec.TrustKeys(z.name, ds, set.records, now, dnssec.NewWork())
	if result.State == dnssec.Bogus && set.records != nil {
		set.asked(func(records []dns.RR) bool {
			k, r := dnssec.TrustKeys(z.name, ds, records, now, dnssec.NewWork())
			if r.State == dnssec.Secure || r.State == dnssec.Insecure {
				keys, result = k, r
				return true
			}
			return false
		})
	}
	t := &trust{keys: keys, dsTTL: dsTTL, ttl: min(dsTTL, result.TTL), result: result, fault: z.name}
	switch result.State {
	case dnssec.Secure:
		t.state = signed
	case dnssec.Insecure:
		t.state, t.ttl = unsigned, dsTTL
	case dnssec.Bogus:
		t.state = bogus
	default:
		t.state = indeterminate
	}
	t.until = now.Add(kept(t.ttl))
	return t
}
