package resolver

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// A Step is one exchange, for people who want to see the way to an answer.
type Step struct {
	Server  string // as the delegation names it, no final dot; empty: asked by address
	Address netip.Addr
	// Name and Type are the question, Transport what carried it.
	Name, Type, Transport string
	// Status is the response code or what happened instead, as in evidence.DNSCopy.
	Status string
	RTT    time.Duration
	Size   int // bytes of the response
	// Message is the response, nil without one. It must not be changed.
	Message *dns.Msg
}

func (r *Resolver) step(a *asking, got *received) {
	if r.c.Trace == nil || got.msg == nil && errors.Is(a.ctx.Err(), context.Canceled) {
		return // another server was faster: what this one would have given is not known
	}
	s := Step{
		Server: plain(a.server), Address: a.address, Name: plain(a.q.name), Type: dns.Type(a.q.qtype).String(),
		Transport: a.network, Status: got.status, RTT: got.rtt, Size: got.size, Message: got.msg,
	}
	if got.msg != nil {
		s.Status = rcode(got.msg)
	}
	r.c.Trace(s)
}
