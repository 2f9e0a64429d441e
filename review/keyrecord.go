package review

import (
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// keyHits are the entries of lists and records of the given kinds that the key
// matched.
func (f *facts) keyHits(kinds ...string) []evidence.Hit {
	answer, ok := f.records(evidence.TopicKeys)
	if !ok {
		return nil
	}
	var hits []evidence.Hit
	for _, h := range answer.Hits {
		if slices.Contains(kinds, h.Kind) {
			hits = append(hits, h)
		}
	}
	return hits
}

func debianWeak(f *facts, s *sink) {
	for _, h := range f.keyHits("debian-weak") {
		s.add(cause.KeyDebianWeak, "key").with("list", h.List).with("entry", h.Entry).from(f, evidence.TopicKeys)
		return
	}
}

// knownCompromised reports each list that holds the key, once.
func knownCompromised(f *facts, s *sink) {
	lists := map[string]bool{}
	for _, h := range f.keyHits("compromised", "blocked", "revoked") {
		if lists[h.List] {
			continue
		}
		lists[h.List] = true
		d := s.add(cause.KeyKnownCompromised, "key").
			with("list", h.List).with("entry", h.Entry).with("reason", h.Reason).from(f, evidence.TopicKeys)
		if !h.Date.IsZero() {
			d.with("date", h.Date)
		}
	}
}

// belongsToService: a key of the CA or of an account must never stand in a
// certificate (RFC 8555 11.1). Of another account only that it is one is shown.
func belongsToService(f *facts, s *sink) {
	hits := f.keyHits("account-key", "ca-key", "service-key")
	if len(hits) == 0 {
		return
	}
	h := hits[0]
	d := s.add(cause.KeyBelongsToService, "key").with("kind", h.Kind).from(f, evidence.TopicKeys)
	if h.Kind == "account-key" && h.Subject != "" && h.Subject == f.Order.Account {
		d.with("account", h.Subject)
	}
}

// generatedByService: a CA must not make the key of a TLS certificate, nor
// accept one it made (BR 6.1.1.3).
func generatedByService(f *facts, s *sink) {
	hits := f.keyHits("generated")
	if len(hits) == 0 && f.Order.CSROrigin != "service" {
		return
	}
	d := s.add(cause.KeyGeneratedByService, "key")
	if len(hits) == 0 {
		d.with("rule", "asked")
		return
	}
	d.with("rule", "recorded").from(f, evidence.TopicKeys)
	if !hits[0].Date.IsZero() {
		d.with("date", hits[0].Date)
	}
}

// generatedOnDemand is the same for an order whose key does not exist yet.
func generatedOnDemand(f *facts, s *sink) {
	if !f.keyReadable() && f.Order.CSROrigin == "service" {
		s.add(cause.KeyGeneratedByService, "key").with("rule", "asked")
	}
}

// keyReused and csrReused compare with every order ever submitted (catalogue
// B9). An order with the very same request raises only the narrower cause.
func keyReused(f *facts, s *sink) {
	f.reused(s, cause.KeyReused, "key", func(p *evidence.PastOrder) bool {
		return strings.EqualFold(p.Keyprint, f.keyprint())
	})
}

func csrReused(f *facts, s *sink) {
	f.reused(s, cause.CSRReused, "csr", func(p *evidence.PastOrder) bool {
		return strings.EqualFold(p.CSRSHA256, f.csr.SHA256)
	})
}

// reused reports the latest own order that matches, and apart from it the
// latest of another account: of that one only that it exists and when.
func (f *facts) reused(s *sink, id cause.ID, subject string, match func(*evidence.PastOrder) bool) {
	answer, ok := f.records(evidence.TopicOrders)
	if !ok || f.keepsOriginal(answer.Orders, match) {
		return
	}
	var own, other *evidence.PastOrder
	for i := range answer.Orders {
		p := &answer.Orders[i]
		if !match(p) || p.Own && p.Order != "" && p.Order == f.Order.ID {
			continue
		}
		latest := &other
		if p.Own {
			latest = &own
		}
		if *latest == nil || p.SubmittedAt.After((*latest).SubmittedAt) {
			*latest = p
		}
	}
	if own != nil {
		f.earlier(s.add(id, subject), own).with("rule", "own").with("order", own.Order)
	}
	if other != nil {
		f.earlier(s.add(id, subject, "other"), other).with("rule", "other")
	}
}

func (f *facts) earlier(d *draft, p *evidence.PastOrder) *draft {
	if !p.SubmittedAt.IsZero() {
		d.with("submitted", p.SubmittedAt.UTC())
	}
	return d.concerning("reuse").from(f, evidence.TopicOrders)
}

// keepsOriginal reports whether the order deliberately keeps the request or key
// of the one it replaces: an own order that matches and came far enough to have
// a certificate. Records that do not say how an order ended are taken at their
// word. What names no such order is judged as any other.
func (f *facts) keepsOriginal(earlier []evidence.PastOrder, match func(*evidence.PastOrder) bool) bool {
	o := f.Order
	if o.CSROrigin != "original" || o.Replaces == "" || o.Kind != order.Reissue && o.Kind != order.Renewal {
		return false
	}
	return slices.ContainsFunc(earlier, func(p evidence.PastOrder) bool {
		return p.Own && p.Order == o.Replaces && match(&p) && cameThrough(&p)
	})
}

// cameThrough reports whether there can be a certificate of an earlier order.
func cameThrough(p *evidence.PastOrder) bool {
	switch p.State {
	case "failed", "cancelled":
		return false
	case "open":
		return p.Validated
	}
	return true
}
