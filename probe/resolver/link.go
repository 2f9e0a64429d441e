package resolver

import (
	"context"
	"net/netip"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/probe/dnssec"
)

// maxChain is how many CNAME or DNAME records are followed.
const maxChain = 10

// options say how a chain is resolved.
type options struct {
	each     bool // every server of the zone, not only until one decides
	validate bool
	plain    bool
	tcp      bool
	subnet   netip.Prefix
}

// A link is one name of a chain and what the zone it is in says about it.
type link struct {
	owner, via string
	zone       *zone
	replies    []*reply
	rest       <-chan *reply // replies still to come
	decided    *reply        // whose answer counts; nil: nobody's
	reading    reading
	trust      *trust        // nil where nothing is validated
	result     dnssec.Result // of the answer that decided, or of one that failed
	failed     bool          // the answers there are do not validate
}

// follow resolves a name and the chain that it leads to. The status is the
// response code at its end or why there is none, as in evidence.DNSAnswer.
func (l *Look) follow(ctx context.Context, name string, qtype uint16, o options) (links []*link, status string) {
	seen := map[string]bool{}
	via := ""
	for {
		k := l.link(ctx, name, qtype, o)
		k.via = via
		links = append(links, k)
		seen[name] = true
		switch {
		case k.failed:
			return links, "bogus"
		case k.decided == nil:
			return links, "unanswered"
		case k.reading.via == "":
			return links, k.code()
		}
		name, via = k.reading.target, k.reading.via
		switch {
		case name == "":
			return links, "YXDOMAIN"
		case seen[name]:
			return links, "chain-loop"
		case len(links) > maxChain:
			return links, "chain-too-long"
		}
	}
}

// code is the response code that counts. Where a proof says something else than
// the code that came with it, the proof is right.
func (k *link) code() string {
	if k.result.State == dnssec.Secure {
		switch k.result.Found {
		case dnssec.NXDomain:
			return "NXDOMAIN"
		case dnssec.NoData, dnssec.Records:
			return "NOERROR"
		}
	}
	return rcode(k.decided.msg)
}

// link puts a question to the servers of the zone that holds the name, going
// down as long as they refer further down.
func (l *Look) link(ctx context.Context, name string, qtype uint16, o options) *link {
	at := name
	if qtype == dns.TypeDS && name != "." {
		at = above(name) // the parent's record (RFC 4035 3.1.4.1)
	}
	z, unanswered := l.locate(ctx, at)
	k := &link{owner: name, zone: z, replies: unanswered}
	for {
		if z := k.zone; o.validate && !z.trust.known() {
			l.running.Go(func() { l.trustOf(ctx, z) })
		}
		if len(unanswered) == 0 {
			k.ask(ctx, l, qtype, o)
		}
		next := k.reading.cut
		if k.decided != nil || next == "" {
			break
		}
		child := l.beneath(ctx, k, next)
		if child == nil {
			break
		}
		*k = link{owner: name, zone: child}
	}
	if o.validate {
		k.trust = l.trustOf(ctx, k.zone)
	}
	return k
}

// beneath returns the zone that a reply revealed below the link's.
func (l *Look) beneath(ctx context.Context, k *link, name string) *zone {
	if m := k.replies[len(k.replies)-1].msg; k.reading.kind == referred {
		child := newZone(name, k.zone, m.Ns, m.Extra)
		child.referral = m
		return l.adopt(child)
	}
	if known := l.deepest(name); known != nil && known.name == name {
		return known
	}
	return l.descend(ctx, k.zone, name).child
}

// ask puts the question to the zone's servers and takes the first answer that
// counts. It ends early where the name turns out to be in a zone further down.
func (k *link) ask(ctx context.Context, l *Look, qtype uint16, o options) {
	q := query{name: k.owner, qtype: qtype, plain: o.plain, tcp: o.tcp, subnet: o.subnet}
	accept := func(a *reply) bool { return k.judge(ctx, l, a, qtype, o) }
	if !o.each || k.zone.registry {
		_, k.replies = l.some(ctx, k.zone, q, func(a *reply) bool {
			k.replies = append(k.replies, a)
			return accept(a)
		})
	} else {
		k.rest = l.each(ctx, k.zone, q)
		for a := range k.rest {
			k.replies = append(k.replies, a)
			if accept(a) {
				break
			}
		}
	}
	if k.failed && k.decided == nil && k.reading.cut == "" {
		k.reading.cut = l.hiddenCut(ctx, k)
		k.reading.kind = deeper
	}
}

// judge reads a reply and says whether waiting for others is over.
func (k *link) judge(ctx context.Context, l *Look, a *reply, qtype uint16, o options) bool {
	found := read(a.msg, k.zone.name, k.owner, qtype)
	if found.cut == k.owner && qtype == dns.TypeDS {
		return false // the child's servers, or a referral that does not help
	}
	switch found.kind {
	case useless:
		return false
	case referred, deeper:
		k.reading = found
		return true
	}
	if o.validate {
		result, nothing := l.validate(ctx, k.zone, a.msg, k.owner, qtype)
		if !nothing {
			return k.validated(a, found, result)
		}
	}
	k.decided, k.reading = a, found
	return true
}

// validate judges a message by the zone's keys; nothing is set where no anchor
// says that it should.
func (l *Look) validate(ctx context.Context, z *zone, m *dns.Msg, name string, qtype uint16) (result dnssec.Result, nothing bool) {
	t := l.trustOf(ctx, z)
	switch t.state {
	case "":
		return result, true
	case signed, unsigned:
		return t.keys.Answer(m, name, qtype, l.r.c.Now(), dnssec.NewWork()), false
	}
	return t.result, false
}

// validated takes the answer if it is secure or insecure, by proof.
func (k *link) validated(a *reply, found reading, result dnssec.Result) bool {
	if result.State == dnssec.Bogus && result.Cut != "" && below(k.zone.name, canonical(result.Cut)) {
		k.reading = reading{kind: deeper, cut: canonical(result.Cut)}
		return true
	}
	switch result.State {
	case dnssec.Secure, dnssec.Insecure:
		k.decided, k.reading, k.result, k.failed = a, found, result, false
		if result.State == dnssec.Secure {
			k.reading.via, k.reading.target = "", ""
			switch result.Found {
			case dnssec.CNAME:
				k.reading.via, k.reading.target = "CNAME", result.Target
			case dnssec.DNAME:
				k.reading.via, k.reading.target = "DNAME", result.Target
			}
		}
		return true
	}
	if !k.failed {
		k.failed, k.result = true, result
	}
	return false
}

// hiddenCut looks for a zone cut below a signed zone that nothing in an unsigned
// answer shows: parent and child are on the same servers. The DS questions are
// the parent's to answer.
func (l *Look) hiddenCut(ctx context.Context, k *link) string {
	t := l.trustOf(ctx, k.zone)
	if t.state != signed || k.result.Reason != evidence.ReasonNoSignature && k.result.Reason != evidence.ReasonNoDenial {
		return ""
	}
	var names []string
	for name := k.owner; below(k.zone.name, name) && len(names) < 8; name = above(name) {
		names = append(names, name)
	}
	cuts := make([]bool, len(names))
	done := make(chan struct{}, len(names))
	for i, name := range names {
		l.running.Go(func() {
			defer func() { done <- struct{}{} }()
			probe := &zone{name: name, parent: k.zone}
			ds, _, result := l.delegation(ctx, probe, k.zone, t)
			cuts[i] = result.State == dnssec.Insecure || result.State == dnssec.Secure && len(ds) > 0
		})
	}
	for range names {
		<-done
	}
	for i := len(names) - 1; i >= 0; i-- {
		if cuts[i] {
			return names[i]
		}
	}
	return ""
}
