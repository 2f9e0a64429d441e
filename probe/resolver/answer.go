package resolver

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/probe/dnssec"
)

// Answer answers one question. A failure of the target is an answer; unknown,
// where it is not empty, says why the question could not be asked for a reason
// that lies with us: "stopped", "budget", "no-ipv4", … or what is wrong with it.
func (l *Look) Answer(ctx context.Context, q evidence.DNSQuestion) (answer *evidence.DNSAnswer, unknown string) {
	l.asked.Add(1)
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, l.r.c.Question)
	defer cancel()
	ask, err := l.parse(q)
	if err != nil {
		return nil, err.Error()
	}
	switch {
	case ask.resolver != "":
		answer, unknown = l.recursive(ctx, ask)
	case q.Address != "":
		answer, unknown = l.direct(ctx, ask, []netip.Addr{ask.address})
	case q.Server != "":
		answer, unknown = l.named(ctx, ask)
	case q.Apex:
		answer, unknown = l.apex(ctx, ask)
	default:
		answer, unknown = l.resolve(ctx, ask, ask.name)
	}
	if outer.Err() != nil {
		return nil, "stopped"
	}
	if unknown != "" {
		return nil, unknown
	}
	answer.Asked = ask.asked
	return answer, ""
}

// asked is a question as it is put.
type asked struct {
	options
	name, asked string
	qtype       uint16
	server      string
	address     netip.Addr
	resolver    string
	apex        bool
}

func (l *Look) parse(q evidence.DNSQuestion) (*asked, error) {
	qtype, ok := dns.StringToType[q.Type]
	if !ok {
		return nil, fmt.Errorf("record type %q is not known", q.Type)
	}
	a := &asked{name: canonical(q.Name), qtype: qtype, server: canonical(q.Server), resolver: q.Resolver, apex: q.Apex}
	a.each, a.validate, a.plain, a.tcp = q.Each, true, q.Plain, q.Transport == "tcp"
	if q.Random {
		label, err := l.label()
		if err != nil {
			return nil, err
		}
		a.name = canonical(strings.TrimSuffix(label+"."+plain(a.name), "."))
		a.asked = plain(a.name)
	}
	if !fits(a.name) {
		return nil, fmt.Errorf("%q is no domain name", q.Name)
	}
	var err error
	if q.Address != "" {
		if a.address, err = netip.ParseAddr(q.Address); err != nil {
			return nil, fmt.Errorf("server address: %w", err)
		}
	}
	if q.Subnet != "" {
		if a.subnet, err = netip.ParsePrefix(q.Subnet); err != nil {
			return nil, fmt.Errorf("client subnet: %w", err)
		}
	}
	if a.resolver == "" && q.Address == "" && q.Server == "" && !(q.Each && l.reachesServers()) {
		a.resolver = l.r.c.Resolver
	}
	return a, nil
}

// reachesServers reports whether name servers can be asked from here. What every
// one of them says is asked of themselves, also where a resolver decides: only
// so is its stale answer told from theirs.
func (l *Look) reachesServers() bool {
	lacks := l.r.lacks.Load()
	return len(l.r.c.Roots) > 0 && !lacks.has("dns") && !(lacks.has("udp") && lacks.has("tcp"))
}

// label makes a label that nobody has created.
func (l *Look) label() (string, error) {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	raw := make([]byte, 16)
	if _, err := io.ReadFull(rand.Reader, raw); err != nil {
		return "", fmt.Errorf("random label: %w", err)
	}
	for i, b := range raw {
		raw[i] = letters[int(b)%len(letters)]
	}
	return string(raw), nil
}

// resolve answers a question from the root.
func (l *Look) resolve(ctx context.Context, a *asked, name string) (*evidence.DNSAnswer, string) {
	links, status := l.follow(ctx, name, a.qtype, a.options)
	for _, k := range links {
		if k.rest != nil {
			for late := range k.rest {
				k.replies = append(k.replies, late)
			}
		}
	}
	last := links[len(links)-1]
	if unknown := last.unknown(); unknown != "" {
		return nil, unknown
	}
	answer := &evidence.DNSAnswer{Status: status, Links: make([]evidence.DNSLink, len(links))}
	counts := status != "bogus" && status != "unanswered"
	for i, k := range links {
		answer.Links[i] = k.evidence(l)
		answer.Security = weakest(answer.Security, answer.Links[i].Security)
		if counts && k.decided != nil {
			answer.Answer = append(answer.Answer, k.records(k.decided.msg)...)
		}
	}
	sortRecords(answer.Answer)
	if counts {
		answer.Authority = records(last.decided.msg.Ns, last.zone.name, true)
		answer.Extended = extended(last.decided.msg)
	}
	return answer, ""
}

// unknown says why a link has no answer, where no server was even asked.
func (k *link) unknown() string {
	word := ""
	for _, a := range k.replies {
		if a.unknown == "" {
			return ""
		}
		word = a.unknown
	}
	return word
}

// records are the ones of a link that count: at its name, and the DNAME above it.
// Of a secure answer those are what was proven, and nothing that rides along.
func (k *link) records(m *dns.Msg) []evidence.Record {
	var list []evidence.Record
	for _, rr := range m.Answer {
		h := rr.Header()
		t := h.Rrtype
		if sig, ok := rr.(*dns.RRSIG); ok {
			t = sig.TypeCovered
		}
		if h.Class == dns.ClassINET && within(k.zone.name, h.Name) && k.counts(h.Name, t) {
			list = append(list, record(rr))
		}
	}
	return list
}

func (k *link) counts(owner string, rrtype uint16) bool {
	proven := k.result.State == dnssec.Secure && k.qtype != dns.TypeANY
	switch {
	case rrtype == dns.TypeDNAME && below(owner, k.owner):
		return !proven || k.reading.via == "DNAME" || k.qtype == dns.TypeCNAME
	case owner != k.owner:
		return false
	case !proven:
		return true
	case k.reading.via != "":
		return rrtype == dns.TypeCNAME
	}
	return rrtype == k.qtype
}

// evidence writes the link as plain data.
func (k *link) evidence(l *Look) evidence.DNSLink {
	e := evidence.DNSLink{
		Owner: plain(k.owner), Via: k.via, Zone: plain(k.zone.name), Servers: k.zone.evidence(l),
		DelegationTTL: max(k.zone.ttl, 0), Copies: copies(k.replies, k.zone.name),
	}
	if k.zone.parent != nil {
		e.Parent = plain(k.zone.parent.name)
	}
	if k.decided != nil {
		e.Decided = k.decided.address.String()
	}
	t := k.trust
	if t == nil || t.state == "" {
		return e
	}
	e.Trust, e.DSTTL = t.state, t.dsTTL
	if t.above != "" {
		e.Parent = plain(t.above)
	}
	result, fault := k.result, k.zone.name
	if t.state == bogus || t.state == indeterminate {
		result, fault = t.result, t.fault
	}
	e.Security = string(result.State)
	if result.State == dnssec.Bogus || result.State == dnssec.Indeterminate {
		e.Reason, e.KeyTag = result.Reason, int(result.KeyTag)
		e.ValidFrom, e.ValidUntil = instant(result.ValidFrom), instant(result.ValidUntil)
		if fault != k.zone.name {
			e.FaultZone = plain(fault)
		}
	}
	return e
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// weakest combines the states of links; an empty one says nothing.
func weakest(a, b string) string {
	rank := []string{"", string(dnssec.Secure), string(dnssec.Insecure), string(dnssec.Indeterminate), string(dnssec.Bogus)}
	if slices.Index(rank, b) > slices.Index(rank, a) {
		return b
	}
	return a
}

// copies writes what each server gave, sorted. Equal sections are shared.
func copies(replies []*reply, zone string) []evidence.DNSCopy {
	list := make([]evidence.DNSCopy, len(replies))
	for i, a := range replies {
		list[i] = a.copy(zone)
		if i > 0 {
			list[i].Answer = shared(list[0].Answer, list[i].Answer)
			list[i].Authority = shared(list[0].Authority, list[i].Authority)
		}
	}
	slices.SortStableFunc(list, func(a, b evidence.DNSCopy) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Address, b.Address))
	})
	return list
}

func shared(first, other []evidence.Record) []evidence.Record {
	if slices.Equal(first, other) {
		return first
	}
	return other
}

// apex puts the question at the apex of the zone that holds the name. A zone
// further down on the same servers shows in the answer to a SOA question.
func (l *Look) apex(ctx context.Context, a *asked) (*evidence.DNSAnswer, string) {
	z, _ := l.locate(ctx, a.name)
	var below *link
	got := make(chan struct{})
	if z.registry || z.name == a.name {
		close(got)
	} else {
		l.running.Go(func() {
			defer close(got)
			below = l.link(ctx, a.name, dns.TypeSOA, options{})
		})
	}
	answer, unknown := l.resolve(ctx, a, z.name)
	<-got
	a.asked = plain(z.name)
	if below != nil && below.zone != z {
		a.asked = plain(below.zone.name)
		return l.resolve(ctx, a, below.zone.name)
	}
	return answer, unknown
}

// named asks a server by its name, at each of its addresses.
func (l *Look) named(ctx context.Context, a *asked) (*evidence.DNSAnswer, string) {
	found := l.addressesOf(ctx, a.server)
	if len(found.list) == 0 {
		return &evidence.DNSAnswer{Status: cmp.Or(found.problem, "unanswered")}, ""
	}
	return l.direct(ctx, a, found.list)
}

// direct asks one server, at each of the addresses given. The first address
// that gave a usable answer, or else the first, is the answer.
func (l *Look) direct(ctx context.Context, a *asked, list []netip.Addr) (*evidence.DNSAnswer, string) {
	q := query{name: a.name, qtype: a.qtype, plain: a.plain, tcp: a.tcp, subnet: a.subnet}
	replies := make([]*reply, len(list))
	done := make(chan struct{}, len(list))
	for i, address := range list {
		l.running.Go(func() {
			replies[i] = l.ask(ctx, a.server, address, q, payer{domain: l.target(a.name)})
			done <- struct{}{}
		})
	}
	for range list {
		<-done
	}
	first := replies[0]
	for _, r := range replies {
		if r.msg != nil && (first.msg == nil || first.failed() && !r.failed()) {
			first = r
		}
	}
	if first.unknown != "" && first.msg == nil {
		return nil, first.unknown
	}
	answer := first.answer()
	if a.server != "." {
		answer.Copies = copies(replies, "")
	}
	return answer, ""
}

// answer is the reply of a single server as evidence.
func (a *reply) answer() *evidence.DNSAnswer {
	e := &evidence.DNSAnswer{Status: a.status, Transport: a.transport, Bytes: a.size}
	if m := a.msg; m != nil {
		e.Status, e.Authoritative, e.Truncated, e.AuthenticatedData = rcode(m), m.Authoritative, m.Truncated, m.AuthenticatedData
		e.Answer, e.Authority, e.Additional = records(m.Answer, "", true), records(m.Ns, "", true), records(m.Extra, "", true)
		e.Extended = extended(m)
	}
	return e
}
