package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"assay/evidence"
	"assay/internal/contain"
)

const (
	selfTest    = 3 * time.Second // bound of the whole self-test
	selfServers = 4               // root servers asked of each kind
)

// SelfTest finds out what does not work here, so that it is not taken for a
// fault of a target: it asks root servers over UDP and TCP, IPv4 and IPv6, and
// the resolver if one decides. What it finds is remembered, see
// [Resolver.Missing], and returned. It takes three seconds at most.
func (r *Resolver) SelfTest(ctx context.Context) []evidence.Missing {
	ctx, cancel := context.WithTimeout(ctx, selfTest)
	defer cancel()
	kinds := []*kindTest{{network: "udp", six: false}, {network: "udp", six: true}, {network: "tcp", six: false}, {network: "tcp", six: true}}
	var missing []evidence.Missing
	var all contain.Group
	for _, k := range kinds {
		all.Go(func() { k.run(ctx, r) })
	}
	if r.c.Resolver != "" {
		all.Go(func() {
			if detail := r.reach(ctx, r.c.Resolver); detail != "" {
				missing = append(missing, evidence.Missing{What: "resolver", Detail: detail})
			}
		})
	}
	if p := all.Settle(); p != nil {
		missing = append(missing, evidence.Missing{What: "self-test", Detail: p.Error()})
	}
	missing = append(missing, conclude(kinds[0], kinds[1], kinds[2], kinds[3])...)
	r.Missing(missing)
	return missing
}

// A kindTest is one transport over one family.
type kindTest struct {
	network string
	six     bool
	tried   bool
	works   bool
	detail  string // the last failure
}

func (k *kindTest) run(ctx context.Context, r *Resolver) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var list []netip.Addr
	for _, s := range r.root.servers {
		for _, a := range s.glue {
			if a.Is6() == k.six && len(list) < selfServers {
				list = append(list, a)
			}
		}
	}
	k.tried = len(list) > 0
	got := make(chan received, len(list))
	var running contain.Group
	for _, a := range list {
		running.Go(func() {
			var g received
			defer func() { got <- g }()
			g = r.exchange(ctx, r.c.Dialer, k.network, netip.AddrPortFrom(a, 53), &query{name: ".", qtype: dns.TypeSOA})
		})
	}
	for _, a := range list {
		g := <-got
		if g.msg != nil && g.msg.Rcode == dns.RcodeSuccess {
			k.works = true
			cancel()
			break
		}
		k.detail = fmt.Sprintf("%s port 53 of %s and %d more root servers: %s", k.network, a, len(list)-1, g.status)
	}
	cancel()
	running.Wait()
}

// conclude says what is missing. A kind without root servers says nothing.
func conclude(udp4, udp6, tcp4, tcp6 *kindTest) []evidence.Missing {
	fails := func(kinds ...*kindTest) (detail string, all bool) {
		for _, k := range kinds {
			if k.works {
				return "", false
			}
			if k.tried {
				detail, all = k.detail, true
			}
		}
		return detail, all
	}
	if detail, all := fails(udp4, udp6, tcp4, tcp6); all {
		return []evidence.Missing{{What: "dns", Detail: detail}}
	}
	var missing []evidence.Missing
	for _, test := range []struct {
		what  string
		kinds []*kindTest
	}{
		{"ipv4", []*kindTest{udp4, tcp4}},
		{"ipv6", []*kindTest{udp6, tcp6}},
		{"udp", []*kindTest{udp4, udp6}},
		{"tcp", []*kindTest{tcp4, tcp6}},
	} {
		if detail, all := fails(test.kinds...); all {
			missing = append(missing, evidence.Missing{What: test.what, Detail: detail})
		}
	}
	return missing
}

// reach asks a resolver for the root's SOA record; "" if it answers.
func (r *Resolver) reach(ctx context.Context, resolver string) string {
	l := r.Begin()
	defer l.Close()
	a := l.recurse(ctx, resolver, query{name: ".", qtype: dns.TypeSOA, recurse: true})
	switch {
	case a.unknown != "":
		return a.unknown
	case a.msg == nil:
		return resolver + ": " + a.status
	case a.msg.Rcode != dns.RcodeSuccess:
		return resolver + ": " + rcode(a.msg)
	}
	return ""
}
