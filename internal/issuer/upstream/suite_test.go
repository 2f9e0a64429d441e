package upstream

import (
	"context"
	"net/http"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/issuertest"
	"assay/order"
)

// TestIssuer runs the suite of all issuers, on Pebble.
func TestIssuer(t *testing.T) {
	issuertest.Run(t, issuertest.Engine{
		New: func(t testing.TB) *issuertest.Fixture {
			p := newPebble(t, pebbleOptions{alwaysValid: true})
			c := p.ca(t)
			return &issuertest.Fixture{Issuer: c, Request: opens(c), Names: []string{"orchard.net", "www.orchard.net"}, Root: p.root, Now: time.Now}
		},
		Away: func(t testing.TB) *issuertest.Fixture {
			f := newFake(t)
			f.fault = func(w http.ResponseWriter, _ *http.Request, step string, _ []byte) bool {
				if step != "poll" {
					return false
				}
				w.WriteHeader(dropped)
				return true
			}
			c := f.ca(t)
			return &issuertest.Fixture{Issuer: c, Request: opens(c), Names: []string{"orchard.net", "www.orchard.net"}, Root: testHierarchy().root}
		},
		Serially: true,
	})
}

// opens makes requests whose upstream order is open.
func opens(c *CA) func(t testing.TB, csr []byte, names ...string) *issuer.Request {
	return func(t testing.TB, csr []byte, names ...string) *issuer.Request {
		t.Helper()
		r := &issuer.Request{
			Order: "aB3dE5gH", Attempt: 1, Product: order.DV, Names: names, CSR: csr, Method: order.MethodDNS01, Now: time.Now(),
		}
		opened, err := c.Open(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		r.State = opened.State
		return r
	}
}
