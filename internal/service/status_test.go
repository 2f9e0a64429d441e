package service

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"assay/internal/issuer/status"
	"assay/internal/store"
)

// A blind store does not answer what became of a serial number.
type blind struct {
	store.Store
	away atomic.Bool
}

func (b *blind) Serial(ctx context.Context, issuer, serial string) (store.SerialStatus, error) {
	if b.away.Load() {
		return store.SerialStatus{}, errors.New("the database does not answer")
	}
	return b.Store.Serial(ctx, issuer, serial)
}

// responder is a server that answers OCSP from a service.
func (h *caHouse) responder(t *testing.T, s *Service) *status.Handler {
	t.Helper()
	r, err := status.New(status.Config{Source: s.StatusSource(), Now: h.clock})
	if err == nil {
		err = r.SetIssuers(h.IssuerCertificates())
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOCSPWhileAway: a server that cannot look at the database goes on answering what it
// signed before, to the end of that and no longer; it signs nothing for what it did not
// sign before. What one server revoked another one says within 15 seconds.
func TestOCSPWhileAway(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	asked, never := h.certified(t, h.issuedFor(t, dv(t, "orchard.net"))), h.certified(t, h.issuedFor(t, dv(t, "fig.orchard.net")))
	b := &blind{Store: h.Store}
	h.Store = b
	one, other := h.responder(t, h.Service), h.responder(t, h.Service)
	h.OnRevoked = one.Forget
	above := h.IssuerCertificates()["issuing-1"]
	answer := func(r *status.Handler, c *store.Certificate) string {
		t.Helper()
		leaf, err := x509.ParseCertificate(c.DER)
		if err != nil {
			t.Fatal(err)
		}
		request, err := ocsp.CreateRequest(leaf, above, nil)
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/ocsp", bytes.NewReader(request)))
		said, err := ocsp.ParseResponse(w.Body.Bytes(), above)
		switch {
		case err != nil:
			return err.Error()
		case said.Status == ocsp.Good:
			return "good"
		}
		return "revoked"
	}
	const later = "ocsp: error from server: try later"
	if got := answer(other, asked); got != "good" {
		t.Fatal(got)
	}
	b.away.Store(true)
	h.pass(4*day - time.Hour)
	if got := answer(other, asked); got != "good" {
		t.Errorf("signed before, and in force: %s", got)
	}
	if got := answer(other, never); got != later {
		t.Errorf("never asked for before: %s", got)
	}
	h.pass(time.Hour)
	if got := answer(other, asked); got != later {
		t.Errorf("signed before, and over: %s", got)
	}
	b.away.Store(false)
	if a, b := answer(one, asked), answer(other, asked); a != "good" || b != "good" {
		t.Fatal(a, b)
	}
	if _, err := h.Revoke(context.Background(), h.who[RoleAdministrator], asked.ID, 0, RevocationRequest{Reason: "superseded"}); err != nil {
		t.Fatal(err)
	}
	if got := answer(one, asked); got != "revoked" {
		t.Errorf("by the server that revoked: %s", got)
	}
	h.pass(15 * time.Second)
	b.away.Store(true)
	if got := answer(one, asked); got != "revoked" {
		t.Errorf("by the server that revoked, which cannot look: %s", got)
	}
	b.away.Store(false)
	if got := answer(other, asked); got != "revoked" {
		t.Errorf("by the other server: %s", got)
	}
}
