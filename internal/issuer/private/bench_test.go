package private

import "testing"

// BenchmarkIssue is the whole way from a request to a certificate.
func BenchmarkIssue(b *testing.B) {
	a := newAuthority(b, newWorld(b, Constraints{}).config())
	r := request(b, "baseline", "www.orchard.com", "orchard.com")
	for b.Loop() {
		p, err := a.Prepare(b.Context(), r)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.Complete(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
}
