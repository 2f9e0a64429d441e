package probe

import (
	"context"
	"fmt"

	"assay/evidence"
	"assay/internal/contain"
	"assay/internal/stack"
	"assay/probe/resolver"
)

// A Look answers the questions of one review. What is learnt of the target's
// zones on the way is shared by them and forgotten with it.
type Look struct {
	p *Prober
	r *resolver.Look
}

// Begin starts looking for one review.
func (p *Prober) Begin() *Look { return &Look{p: p, r: p.resolver.Begin()} }

// Close forgets what was learnt, after waiting for what is still under way.
func (l *Look) Close() { l.r.Close() }

// Answer answers questions, all at once, and returns the observations in their
// order. What could not be asked is an observation that says so.
func (l *Look) Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation {
	list := make([]evidence.Observation, len(questions))
	hosts := &hosts{look: l}
	var all contain.Group
	for i := range questions {
		all.Go(func() {
			stack.Grow8()
			p := contain.Catch(func() { list[i] = l.answer(ctx, questions[i], hosts) })
			if p != nil {
				list[i] = l.p.defect(questions[i])
			}
			all.Note(p)
		})
	}
	p := all.Settle()
	// What panicked beside the questions may have been needed by any of them.
	if aside := l.r.Panic(); aside != nil {
		p = aside
		for i := range list {
			list[i] = l.p.defect(questions[i])
		}
	}
	if p != nil && l.p.onDefect != nil {
		l.p.onDefect(p)
	}
	return list
}

// defect is the observation of a question whose answer a defect of this program
// cost: nothing is known of the target by it.
func (p *Prober) defect(q evidence.Question) evidence.Observation {
	if q.Kind != evidence.KindLookup {
		q.Perspective = p.about.ID
	}
	o := p.observation(q, p.now())
	o.Unknown = evidence.UnknownDefect
	return o.Identify()
}

func (l *Look) answer(ctx context.Context, q evidence.Question, hosts *hosts) evidence.Observation {
	switch {
	case q.Kind == evidence.KindDNS && q.DNS != nil:
		return l.dns(ctx, *q.DNS, hosts)
	case q.Kind == evidence.KindHTTP && q.HTTP != nil:
		return l.http(ctx, *q.HTTP, hosts)
	case q.Kind == evidence.KindTLS && q.TLS != nil:
		return l.tls(ctx, *q.TLS, hosts)
	}
	o := l.p.observation(q, l.p.now())
	o.Unknown = fmt.Sprintf("a probe does not answer questions of kind %q", q.Kind)
	return o.Identify()
}

func (l *Look) dns(ctx context.Context, q evidence.DNSQuestion, hosts *hosts) evidence.Observation {
	began := l.p.now()
	if o, ok := l.p.tops.get(q, began); ok {
		return o
	}
	find := l.r.Answer
	if shared(q) {
		find = hosts.answer
	}
	answer, unknown := find(ctx, q)
	o := l.p.observation(evidence.Question{Kind: evidence.KindDNS, Perspective: l.p.about.ID, DNS: &q}, began)
	o.DNS, o.Unknown = answer, unknown
	o = o.Identify()
	l.p.tops.put(o)
	return o
}
