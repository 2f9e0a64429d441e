package probe

import (
	"context"
	"sync"

	"assay/evidence"
	"assay/probe/host"
	"assay/probe/tls"
	"assay/probe/web"
)

// HTTP answers one question about a URL in a look of its own.
func (p *Prober) HTTP(ctx context.Context, q evidence.HTTPQuestion) evidence.Observation {
	l := p.Begin()
	defer l.Close()
	return l.http(ctx, q, &hosts{look: l})
}

// TLS answers one question about TLS handshakes in a look of its own.
func (p *Prober) TLS(ctx context.Context, q evidence.TLSQuestion) evidence.Observation {
	l := p.Begin()
	defer l.Close()
	return l.tls(ctx, q, &hosts{look: l})
}

func (l *Look) http(ctx context.Context, q evidence.HTTPQuestion, hosts *hosts) evidence.Observation {
	began := l.p.now()
	exchange, err := web.Look(ctx, l.place(hosts), q)
	o := l.p.observation(evidence.Question{Kind: evidence.KindHTTP, Perspective: l.p.about.ID, HTTP: &q}, began)
	if o.HTTP = exchange; err != nil {
		o.Unknown = err.Error()
	}
	return o.Identify()
}

func (l *Look) tls(ctx context.Context, q evidence.TLSQuestion, hosts *hosts) evidence.Observation {
	began := l.p.now()
	exchange, err := tls.Look(ctx, l.place(hosts), q)
	o := l.p.observation(evidence.Question{Kind: evidence.KindTLS, Perspective: l.p.about.ID, TLS: &q}, began)
	if o.TLS = exchange; err != nil {
		o.Unknown = err.Error()
	}
	return o.Identify()
}

// place is where web servers are looked at from: by addresses that this look
// resolves. A handshake takes as long as a connection at most, a whole fetch
// twice as long.
func (l *Look) place(hosts *hosts) host.Place {
	limit := l.p.dialer.Timeout
	p := host.Place{Dialer: l.p.dialer, Resolver: hosts, Now: l.p.now, Handshake: limit, Whole: 2 * limit}
	about := l.p.About()
	for _, family := range []string{"ipv4", "ipv6"} {
		if about.Lacks(family) {
			p.Lacks = append(p.Lacks, family)
		}
	}
	return p
}

// hosts resolves the hosts of questions that are asked at once, each once: what
// both schemes and TLS are asked at are the same addresses.
type hosts struct {
	look *Look
	mu   sync.Mutex
	made map[string]func() evidence.HostLookup
}

// Addresses implements [host.Resolver].
func (h *hosts) Addresses(ctx context.Context, name, qtype string) evidence.HostLookup {
	h.mu.Lock()
	key := qtype + " " + name
	find := h.made[key]
	if find == nil {
		if h.made == nil {
			h.made = map[string]func() evidence.HostLookup{}
		}
		find = sync.OnceValue(func() evidence.HostLookup { return h.look.addresses(ctx, name, qtype) })
		h.made[key] = find
	}
	h.mu.Unlock()
	return find()
}

func (l *Look) addresses(ctx context.Context, name, qtype string) evidence.HostLookup {
	answer, unknown := l.r.Answer(ctx, evidence.DNSQuestion{Name: name, Type: qtype})
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
