package probe

import (
	"context"

	"assay/evidence"
	"assay/probe/host"
	"assay/probe/tls"
	"assay/probe/web"
)

// HTTP answers one question about a URL in a look of its own.
func (p *Prober) HTTP(ctx context.Context, q evidence.HTTPQuestion) evidence.Observation {
	l := p.Begin()
	defer l.Close()
	return l.http(ctx, q)
}

// TLS answers one question about TLS handshakes in a look of its own.
func (p *Prober) TLS(ctx context.Context, q evidence.TLSQuestion) evidence.Observation {
	l := p.Begin()
	defer l.Close()
	return l.tls(ctx, q)
}

func (l *Look) http(ctx context.Context, q evidence.HTTPQuestion) evidence.Observation {
	began := l.p.now()
	exchange, err := web.Look(ctx, l.place(), q)
	o := l.p.observation(evidence.Question{Kind: evidence.KindHTTP, Perspective: l.p.about.ID, HTTP: &q}, began)
	if o.HTTP = exchange; err != nil {
		o.Unknown = err.Error()
	}
	return o.Identify()
}

func (l *Look) tls(ctx context.Context, q evidence.TLSQuestion) evidence.Observation {
	began := l.p.now()
	exchange, err := tls.Look(ctx, l.place(), q)
	o := l.p.observation(evidence.Question{Kind: evidence.KindTLS, Perspective: l.p.about.ID, TLS: &q}, began)
	if o.TLS = exchange; err != nil {
		o.Unknown = err.Error()
	}
	return o.Identify()
}

// place is where web servers are looked at from: by addresses that this look
// resolves. A handshake takes as long as a connection at most, a whole fetch
// twice as long.
func (l *Look) place() host.Place {
	limit := l.p.dialer.Timeout
	p := host.Place{Dialer: l.p.dialer, Resolver: addresses{l}, Now: l.p.now, Handshake: limit, Whole: 2 * limit}
	about := l.p.About()
	for _, family := range []string{"ipv4", "ipv6"} {
		if about.Lacks(family) {
			p.Lacks = append(p.Lacks, family)
		}
	}
	return p
}

// addresses resolves hosts with a look's resolver.
type addresses struct{ *Look }

// Addresses implements [host.Resolver].
func (a addresses) Addresses(ctx context.Context, name, qtype string) evidence.HostLookup {
	answer, unknown := a.r.Answer(ctx, evidence.DNSQuestion{Name: name, Type: qtype})
	found := evidence.HostLookup{Type: qtype, Unknown: unknown}
	if answer == nil {
		return found
	}
	found.Status, found.Security = answer.Status, answer.Security
	for _, r := range answer.Answer {
		if r.Type == qtype {
			found.Addresses = append(found.Addresses, r.Data)
		}
	}
	return found
}
