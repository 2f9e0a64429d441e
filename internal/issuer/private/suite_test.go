package private

import (
	"testing"

	"assay/internal/issuer"
	"assay/internal/issuer/issuertest"
	"assay/order"
)

func TestSuite(t *testing.T) {
	t.Parallel()
	fixture := func(t testing.TB, gone bool) *issuertest.Fixture {
		w := newWorld(t, Constraints{DNS: []string{"orchard.com"}})
		config := w.config()
		if gone {
			config.Key = away{w.issuingKey}
		}
		p := profileOf(t, "baseline")
		return &issuertest.Fixture{
			Issuer: newAuthority(t, config), Root: w.root, Names: []string{"www.orchard.com", "*.mail.orchard.com"},
			Request: func(_ testing.TB, csr []byte, names ...string) *issuer.Request {
				return &issuer.Request{Order: "1", Attempt: 1, Profile: p, Product: order.DV, Names: names, CSR: csr, Now: at}
			},
		}
	}
	issuertest.Run(t, issuertest.Engine{
		New:  func(t testing.TB) *issuertest.Fixture { return fixture(t, false) },
		Away: func(t testing.TB) *issuertest.Fixture { return fixture(t, true) },
	})
}
