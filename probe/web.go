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

// hosts are the addresses of hosts, each looked up once for all questions that are
// asked at once: those of both schemes, of TLS, and the DNS question itself.
type hosts struct {
	look *Look
	mu   sync.Mutex
	made map[evidence.DNSQuestion]func() resolved
}

type resolved struct {
	answer  *evidence.DNSAnswer
	unknown string
}

// shared reports whether a DNS question is the look-up of a host's addresses.
func shared(q evidence.DNSQuestion) bool {
	return q == (evidence.DNSQuestion{Name: q.Name, Type: q.Type}) && (q.Type == "A" || q.Type == "AAAA")
}

func (h *hosts) answer(ctx context.Context, q evidence.DNSQuestion) (*evidence.DNSAnswer, string) {
	h.mu.Lock()
	find := h.made[q]
	if find == nil {
		if h.made == nil {
			h.made = map[evidence.DNSQuestion]func() resolved{}
		}
		find = sync.OnceValue(func() resolved {
			answer, unknown := h.look.r.Answer(ctx, q)
			return resolved{answer, unknown}
		})
		h.made[q] = find
	}
	h.mu.Unlock()
	r := find()
	return r.answer, r.unknown
}

// Addresses implements [host.Resolver].
func (h *hosts) Addresses(ctx context.Context, name, qtype string) evidence.HostLookup {
	answer, unknown := h.answer(ctx, evidence.DNSQuestion{Name: name, Type: qtype})
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
