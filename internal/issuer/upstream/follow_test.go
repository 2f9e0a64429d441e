package upstream

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"

	"assay/internal/issuer"
	"assay/order"
)

// TestSent: a certificate may come of an order from the moment on that the CA has the
// CSR, and not before.
func TestSent(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]bool{"pending": false, "ready": false, "invalid": false, "processing": true, "valid": true} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.processing = 9
			ca, r := opened(t, f)
			f.order.status = status
			if sent, err := ca.Sent(context.Background(), r); err != nil || sent != want {
				t.Errorf("%v %v", sent, err)
			}
		})
	}
	f := newFake(t)
	ca, r := opened(t, f)
	f.order.status = "deactivated"
	if _, err := ca.Sent(context.Background(), r); !errors.As(err, new(*issuer.Unavailable)) {
		t.Errorf("a state that there is not: %v", err)
	}
	f.fault = func(w http.ResponseWriter, _ *http.Request, step string, _ []byte) bool {
		if step == "poll" {
			f.problem(w, 404, "malformed", "No such order")
		}
		return step == "poll"
	}
	if _, err := ca.Sent(context.Background(), r); !errors.As(err, new(*issuer.Refusal)) {
		t.Errorf("an order that is gone: %v", err)
	}
	r.State = nil
	if _, err := ca.Sent(context.Background(), r); err == nil {
		t.Error("without an order")
	}
}

// TestGiveUp: what the CA waits for is deactivated, once, and what is valid stays.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ca, r := opened(t, f)
	f.order.authz["0"] = "valid"
	for range 2 {
		if err := ca.GiveUp(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	if f.order.authz["0"] != "valid" || f.order.authz["1"] != "deactivated" || f.order.status != "invalid" || string(f.payloads["authorization"]) == "" {
		t.Errorf("%v, the order is %s", f.order.authz, f.order.status)
	}
	f.order.status = "processing"
	f.steps = nil
	if err := ca.GiveUp(context.Background(), r); err != nil || slices.Contains(f.steps, "authorization") {
		t.Errorf("an order that has the CSR: %v %v", err, f.steps)
	}
}

// opened is an order at the CA.
func opened(t *testing.T, f *fakeCA) (*CA, *issuer.Request) {
	t.Helper()
	ca := f.ca(t)
	r := requestFor(order.MethodDNS01, "a.orchard.net", "b.orchard.net")
	o, err := ca.Open(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.State = o.State
	return ca, r
}
