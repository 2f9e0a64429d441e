package resolver

import (
	"context"
	"testing"

	"assay/data"
	"assay/evidence"
	"assay/lab"
	"assay/probe/dial"
)

// TestBusy: where one answer is enough two servers are asked, and one while much
// is under way; where every server counts, all are.
func TestBusy(t *testing.T) {
	t.Parallel()
	w, err := lab.New(lab.Change{}, lab.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	p := w.Probe(0)
	config := Config{Dialer: &dial.Dialer{Data: data.Embedded(), Map: p.Map, Source: p.Source}, Now: p.Clock}
	for _, h := range p.Hints {
		config.Roots = append(config.Roots, Root{Name: h.Name, Addresses: h.Addresses})
	}
	r, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	for _, c := range []struct {
		waiting int32
		each    bool
		want    int32
	}{{0, false, 2}, {busy + 1, false, 1}, {0, true, 2}, {busy + 1, true, 2}} {
		l := r.Begin()
		ask := func(q evidence.DNSQuestion) {
			if a, unknown := l.Answer(context.Background(), q); a == nil || a.Status != "NOERROR" {
				t.Fatalf("%+v: %+v, %q", q, a, unknown)
			}
			l.running.Wait() // whoever was slower has asked too
		}
		ask(evidence.DNSQuestion{Name: "orchard.net", Type: "NS", Each: true}) // finds the zone
		before := l.spent.Load()
		r.asking.Add(c.waiting)
		ask(evidence.DNSQuestion{Name: "orchard.net", Type: "A", Each: c.each})
		r.asking.Add(-c.waiting)
		if got := l.spent.Load() - before; got != c.want {
			t.Errorf("%d wait, each %v: %d questions, want %d", c.waiting, c.each, got, c.want)
		}
		l.Close()
	}
	if n := r.asking.Load(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}
