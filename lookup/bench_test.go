package lookup_test

import (
	"testing"

	"assay/data"
	"assay/lookup"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// BenchmarkAskAndAnswer is what lookups add to the static review of an order
// where nothing is configured: it should stay a few microseconds.
func BenchmarkAskAndAnswer(b *testing.B) {
	s, err := lookup.Open(lookup.Config{})
	if err != nil {
		b.Fatal(err)
	}
	p, err := profile.Named("cloud")
	if err != nil {
		b.Fatal(err)
	}
	in := review.Input{Profile: p, At: at, Mode: review.Precheck, Scope: review.ScopeOrder}
	c := review.Prepare(&order.Order{Product: order.DV, Names: []string{"www.orchard.net", "orchard.net"}, Method: order.MethodDNS}, data.Embedded())
	b.ReportAllocs()
	for b.Loop() {
		for _, q := range c.Ask(in) {
			s.Answer(*q.Lookup, at)
		}
	}
}
