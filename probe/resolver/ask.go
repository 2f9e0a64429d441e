package resolver

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/internal/contain"
	"assay/internal/stack"
	"assay/probe/dial"
)

// A reply is what one address of one server gave for one question, after
// retries and simpler forms of the question.
type reply struct {
	received
	server  string
	address netip.Addr
	unknown string // why it was not asked, for a reason that lies with us
	defects []string
	tries   int
	stopped bool // nobody waited for it any more
}

// failed reports whether there is no message that decides anything: none at all,
// one that is cut short, or an error code.
func (a *reply) failed() bool {
	return a.msg == nil || a.msg.Truncated || !decides(a.msg.Rcode)
}

// decides reports whether a response code is an answer: RFC 6672 2.2 has one for
// a name that a DNAME makes too long.
func decides(code int) bool {
	return code == dns.RcodeSuccess || code == dns.RcodeNameError || code == dns.RcodeYXDomain
}

// A peer is what a look knows of one address: whether anything ever came from
// it. Of the questions waiting for a silent address, one tries again for all.
type peer struct {
	mu       sync.Mutex
	answered bool
	plain    bool          // it answers only without EDNS
	silent   bool          // the scout got nothing at every try
	scout    chan struct{} // closed when the question that tries again is done
}

// retry says whether a question that got no answer may ask again, waiting for
// the question that already does. done ends a scout's duty.
func (p *peer) retry(ctx context.Context) (again bool, done func()) {
	p.mu.Lock()
	if p.answered || p.silent {
		defer p.mu.Unlock()
		return p.answered, nil
	}
	if p.scout == nil {
		p.scout = make(chan struct{})
		p.mu.Unlock()
		return true, func() {
			p.mu.Lock()
			p.silent = !p.answered
			p.mu.Unlock()
			close(p.scout)
		}
	}
	wait := p.scout
	p.mu.Unlock()
	select {
	case <-wait:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered, nil
}

func (p *peer) heard(plain bool) {
	p.mu.Lock()
	p.answered, p.plain = true, p.plain || plain
	p.mu.Unlock()
}

func (p *peer) onlyPlain() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plain
}

// ask puts a question to one address until there is an answer to it:
//
//   - silence or garbage: again, Config.Tries times; the last time without EDNS
//   - FORMERR, NOTIMP, BADVERS: without EDNS
//   - the name in another case: in lower case, over TCP, which is harder to forge
//   - cut short: over TCP
//   - another error: once more
func (l *Look) ask(ctx context.Context, server string, address netip.Addr, q query, pays payer) (got *reply) {
	stack.Grow8()
	defer func() { // somebody waits for the reply
		if p := contain.Recovered(recover()); p != nil {
			l.running.Note(p)
			got = &reply{server: server, address: address, unknown: evidence.UnknownDefect}
			got.status = "not-asked"
		}
	}()
	return l.put(ctx, &asking{
		reply: reply{server: server, address: address}, q: q, pays: pays,
		to: netip.AddrPortFrom(address, 53), dialer: l.r.c.Dialer,
	})
}

func (l *Look) put(ctx context.Context, a *asking) *reply {
	a.l, a.ctx, a.network, a.peer = l, ctx, "udp", l.peer(a.address)
	l.r.asking.Add(1)
	defer l.r.asking.Add(-1)
	if l.transport(a.q, a.address, &a.reply, &a.network) {
		a.run()
	}
	if a.status == "guard" {
		a.tries, a.transport = 0, ""
	}
	a.stopped = ctx.Err() != nil && a.msg == nil
	return &a.reply
}

// transport chooses UDP or TCP by what works here; false: neither does.
func (l *Look) transport(q query, address netip.Addr, a *reply, network *string) bool {
	lacks := l.r.lacks.Load()
	family := "ipv4"
	if address.Unmap().Is6() {
		family = "ipv6"
	}
	switch {
	case lacks.has(family):
		a.unknown = "no-" + family
	case lacks.has("dns") && !q.recurse, lacks.has("udp") && lacks.has("tcp"):
		a.unknown = "no-udp"
	case q.tcp && lacks.has("tcp"):
		a.unknown = "no-tcp"
	case q.tcp || lacks.has("udp"):
		*network = "tcp"
	}
	if a.unknown != "" {
		a.status = "not-asked"
	}
	return a.unknown == ""
}

// asking is one question on its way to an answer of one address.
type asking struct {
	reply
	l       *Look
	ctx     context.Context
	q       query
	to      netip.AddrPort
	dialer  *dial.Dialer
	pays    payer
	network string
	peer    *peer
	retried bool // after an error code
	broke   bool // no budget for another try
}

func (a *asking) run() {
	var done func()
	defer func() {
		if done != nil {
			done()
		}
	}()
	for {
		a.received = a.once()
		if a.broke || a.ctx.Err() != nil {
			return
		}
		if a.msg != nil {
			a.peer.heard(false)
			if a.settle() {
				return
			}
			continue
		}
		if a.status != "timeout" && a.status != "garbled" || a.tries >= a.l.r.c.Tries {
			return
		}
		if done == nil {
			again := false
			if again, done = a.peer.retry(a.ctx); !again {
				return
			}
		}
		if !a.q.plain && a.network == "udp" && (a.tries == a.l.r.c.Tries-1 && a.status == "timeout" || a.peer.onlyPlain()) {
			if a.withoutEDNS() {
				return
			}
		}
	}
}

// once sends the question once, if the budgets allow.
func (a *asking) once() received {
	if !a.l.spend(a.address, a.pays, a.q.recurse) {
		a.broke = true
		if a.tries == 0 {
			a.unknown = "budget"
			return received{status: "not-asked"}
		}
		return a.received
	}
	a.tries++
	got := a.l.r.exchange(a.ctx, a.dialer, a.network, a.to, &a.q)
	a.l.r.step(a, &got)
	return got
}

// settle decides whether a message is the answer, or which simpler question to
// ask next.
func (a *asking) settle() bool {
	code := a.msg.Rcode
	switch {
	case a.match == folded && !a.q.exact:
		return a.inLowerCase()
	case !a.q.plain && (code == dns.RcodeFormatError || code == dns.RcodeNotImplemented || code == dns.RcodeBadVers):
		return a.errorWithoutEDNS()
	case a.msg.Truncated && a.network == "udp":
		return a.overTCP()
	case !decides(code) && !a.retried:
		a.retried = true
		return a.tries >= a.l.r.c.Tries
	}
	return true
}

// inLowerCase asks again because the server changed the case of the name. An
// answer that only ignores case is worth less against forgery, so TCP first.
func (a *asking) inLowerCase() bool {
	a.defect("case")
	a.q.exact = true
	folded, network := a.received, a.network
	if a.network == "udp" && !a.l.lacksTCP() {
		a.network = "tcp"
		if a.received = a.once(); a.msg != nil {
			return a.settle()
		}
		a.network = network
	}
	if a.received = a.once(); a.msg == nil {
		a.received = folded
		return true
	}
	return a.settle()
}

// errorWithoutEDNS asks again without EDNS after an error that may mean it.
func (a *asking) errorWithoutEDNS() bool {
	first := a.received
	a.q.plain = true
	got := a.once()
	if got.msg == nil || got.msg.Rcode == first.msg.Rcode {
		a.received, a.retried = first, true
		return true
	}
	a.received = got
	a.defect("edns")
	return a.settle()
}

// withoutEDNS asks a silent server without EDNS. Where that is answered, the
// question with EDNS is put once more, so that two lost packets are no defect.
func (a *asking) withoutEDNS() bool {
	with := a.q
	a.q.plain = true
	a.received = a.once()
	if a.msg == nil {
		return a.tries >= a.l.r.c.Tries || a.status != "timeout" && a.status != "garbled"
	}
	if !a.peer.onlyPlain() {
		got, without := a.q, a.received
		a.q = with
		if again := a.once(); again.msg != nil {
			a.received = again
			a.peer.heard(false)
			return a.settle()
		}
		a.q, a.received = got, without
	}
	a.peer.heard(true)
	a.defect("edns")
	return a.settle()
}

// overTCP asks again because the answer was cut short.
func (a *asking) overTCP() bool {
	if a.l.lacksTCP() {
		a.unknown = "no-tcp"
		return true
	}
	short := a.received
	a.network = "tcp"
	if got := a.once(); got.msg != nil && !a.broke {
		a.received = got
		return a.settle()
	}
	a.received = short
	if a.ctx.Err() == nil && !a.broke {
		a.defect("tcp")
	}
	return true
}

func (a *asking) defect(word string) {
	for _, d := range a.defects {
		if d == word {
			return
		}
	}
	a.defects = append(a.defects, word)
}

// copy is the reply as evidence.
func (a *reply) copy(zone string) evidence.DNSCopy {
	c := evidence.DNSCopy{
		Server: plain(a.server), Address: a.address.String(), Status: a.status, Unknown: a.unknown,
		Transport: a.transport, Defects: a.defects, Tries: a.tries, Millis: millis(a.rtt),
	}
	if a.msg != nil {
		c.Status, c.Authoritative, c.Truncated = rcode(a.msg), a.msg.Authoritative, a.msg.Truncated
		c.Answer, c.Authority = records(a.msg.Answer, zone, false), records(a.msg.Ns, zone, false)
		c.Extended = extended(a.msg)
	}
	return c
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
