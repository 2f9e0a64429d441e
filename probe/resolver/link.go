package resolver

import (
	"context"
	"net/netip"
	"slices"

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
	qtype      uint16
	zone       *zone
	replies    []*reply
	rest       <-chan *reply // replies still to come
	decided    *reply        // whose answer counts; nil: nobody's
	shown      *reply        // which showed reading.cut
	reading    reading
	trust      *trust        // nil where nothing is validated
	result     dnssec.Result // of the answer that decided, or of one that failed
	failed     bool          // the answers there are do not validate
	// noCuts are names that replies gave as zones further down, and that are none.
	noCuts   []string
	searched bool // for a cut that no reply shows
}

// maxNoCuts is how many names that turn out to be no zones are looked at.
const maxNoCuts = 4

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
	k := &link{owner: name, qtype: qtype, zone: z, replies: unanswered}
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
		if child := l.beneath(ctx, k, next); child != nil {
			*k = link{owner: name, qtype: qtype, zone: child}
			continue
		}
		// No zone there: one bad reply must not hide what the others say.
		k.noCuts, k.reading = append(k.noCuts, next), reading{}
	}
	if o.validate {
		k.trust = l.trustOf(ctx, k.zone)
	}
	return k
}

// beneath returns the zone that a reply revealed below the link's.
func (l *Look) beneath(ctx context.Context, k *link, name string) *zone {
	if k.reading.kind == referred {
		m := k.shown.msg
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
// counts. It ends early where the name seems to be in a zone further down; asked
// again, it goes on from there.
func (k *link) ask(ctx context.Context, l *Look, qtype uint16, o options) {
	q := query{name: k.owner, qtype: qtype, plain: o.plain, tcp: o.tcp, subnet: o.subnet}
	accept := func(a *reply) bool { return k.judge(ctx, l, a, qtype, o) }
	done := false
	for _, a := range k.replies {
		if done = accept(a); done {
			break
		}
	}
	switch {
	case done:
	case !o.each || k.zone.registry:
		k.replies = nil
		_, k.replies = l.some(ctx, k.zone, q, accept)
	default:
		if k.rest == nil {
			k.rest = l.each(ctx, k.zone, q)
		}
		for a := range k.rest {
			k.replies = append(k.replies, a)
			if accept(a) {
				break
			}
		}
	}
	if k.failed && k.decided == nil && k.reading.cut == "" && !k.searched {
		k.searched = true
		k.reading = reading{kind: deeper, cut: l.hiddenCut(ctx, k)}
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
		if k.mayCut(found.cut) {
			k.reading, k.shown = found, a
			return true
		}
		if found.kind == referred {
			return false
		}
		found.cut = ""
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

// mayCut is false for names known to be no zones.
func (k *link) mayCut(name string) bool {
	return len(k.noCuts) < maxNoCuts && !slices.Contains(k.noCuts, name)
}

// validate judges a message by the zone's keys; nothing is set where no anchor
// says that it should.
func (l *Look) validate(ctx context.Context, z *zone, m *dns.Msg, name string, qtype uint16) (result dnssec.Result, nothing bool) {
	t := l.trustOf(ctx, z)
	switch t.state {
	case "":
		return result, true
	case signed, unsigned:
		if r, ok := t.keys.Insecure(); ok { // nothing in the message changes that
			return r, false
		}
		return t.keys.Answer(m, name, qtype, l.r.c.Now(), dnssec.NewWork()), false
	}
	return t.result, false
}

// validated takes the answer if it is secure or insecure, by proof.
func (k *link) validated(a *reply, found reading, result dnssec.Result) bool {
	if cut := canonical(result.Cut); result.State == dnssec.Bogus && result.Cut != "" && below(k.zone.name, cut) && k.mayCut(cut) {
		k.reading, k.shown = reading{kind: deeper, cut: cut}, a
		return true
	}
	switch result.State {
	case dnssec.Secure, dnssec.Insecure:
		k.decided, k.reading, k.result, k.failed = a, found.proven(result), result, false
		return true
	}
	if !k.failed {
		k.failed, k.result = true, result
	}
	return false
}

// proven is a reading after validation: where it is secure, the name leads where
// the proof says.
func (r reading) proven(result dnssec.Result) reading {
	if result.State != dnssec.Secure {
		return r
	}
	r.via, r.target = "", ""
	switch result.Found {
	case dnssec.CNAME:
		r.via, r.target = "CNAME", result.Target
	case dnssec.DNAME:
		r.via, r.target = "DNAME", result.Target
	}
	return r
}

// maxHidden is how many labels below a zone are looked at for a hidden cut.
const maxHidden = 8

// hiddenCut looks for a zone cut below a signed zone that nothing in an unsigned
// answer shows: parent and child are on the same servers. The DS questions are
// the parent's to answer.
func (l *Look) hiddenCut(ctx context.Context, k *link) string {
	t := l.trustOf(ctx, k.zone)
	if t.state != signed || k.result.Reason != evidence.ReasonNoSignature && k.result.Reason != evidence.ReasonNoDenial {
		return ""
	}
	var names []string
	for name := k.owner; below(k.zone.name, name); name = above(name) {
		names = append(names, name)
	}
	names = names[max(0, len(names)-maxHidden):]
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
