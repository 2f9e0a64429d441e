package service

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"slices"
	"testing"
	"time"

	"assay/cause"
	"assay/csr"
	"assay/internal/issuer"
	"assay/internal/store"
	"assay/key"
	"assay/order"
)

// copied writes a certificate like that of an order under another id.
func (h *caHouse) copied(t *testing.T, from, id string, change func(c *store.Certificate)) {
	t.Helper()
	c, err := h.Store.Certificate(context.Background(), "", from)
	if err != nil {
		t.Fatal(err)
	}
	other := *c
	other.ID, other.Serial, other.Fingerprint = id, "77"+id, id
	change(&other)
	h.do(t, func(tx store.Tx) error { return tx.InsertCertificate(&other, nil) })
}

func (h *caHouse) stateOf(t *testing.T, id string) (order.CertificateState, int) {
	t.Helper()
	c, err := h.Store.Certificate(context.Background(), "", id)
	if err != nil {
		t.Fatal(err)
	}
	return c.State, c.Reason
}

// TestCompromiseEndsLetter: no letter is waited for where the key is compromised.
func TestCompromiseEndsLetter(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	v := h.issuedFor(t, dv(t, "orchard.net"))
	h.copied(t, v.ID, "6f76", func(c *store.Certificate) { c.Product = order.OV })
	if _, err := h.Revoke(ctx, h.who[RoleApplicant], "6f76", 0, RevocationRequest{Reason: "superseded"}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Revoke(ctx, h.who[RoleAdministrator], v.ID, 0, RevocationRequest{Reason: "key-compromise"}); err != nil {
		t.Fatal(err)
	}
	h.seen(t)
	if state, reason := h.stateOf(t, "6f76"); state != order.CertificateRevoked || reason != int(issuer.KeyCompromise) {
		t.Errorf("%s, reason %d", state, reason)
	}
}

// TestWordAlone: an owner who says without showing it that a key is compromised
// harms no other account that has it.
func TestWordAlone(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	v := h.issuedFor(t, dv(t, "orchard.net"))
	h.copied(t, v.ID, "aa", func(c *store.Certificate) { c.Account = "victim" })
	if _, err := h.Revoke(ctx, h.who[RoleApplicant], v.ID, 0, RevocationRequest{Reason: "key-compromise"}); err != nil {
		t.Fatal(err)
	}
	h.seen(t)
	if state, _ := h.stateOf(t, "aa"); state != order.CertificateValid {
		t.Errorf("another account's certificate is %s", state)
	}
	if state, _ := h.stateOf(t, v.ID); state != order.CertificateRevoked {
		t.Errorf("the own is %s", state)
	}
	if at, err := h.Store.Blocked(ctx, v.Certificate.Keyprint); err != nil || !at.IsZero() {
		t.Errorf("blocked %v, %v", at, err)
	}
}

// TestWordAndPublic: who uploads a certificate that everybody can read has not shown to
// have its key, and keeps it from being blocked neither while it is there nor afterwards.
func TestWordAndPublic(t *testing.T) {
	t.Parallel()
	for _, delete := range []bool{false, true} {
		h, ctx := newCAHouse(t), context.Background()
		owner := h.who[RoleApplicant]
		a := dv(t, "orchard.net")
		v := h.issuedFor(t, a)
		f, err := h.Download(ctx, owner, v.ID, DownloadRequest{Format: "fullchain"})
		if err != nil {
			t.Fatal(err)
		}
		stranger := owner
		stranger.Account = "stranger"
		u, err := h.Upload(ctx, stranger, UploadRequest{Certificate: string(f.Content)})
		if err != nil {
			t.Fatal(err, findings(err))
		}
		if delete {
			if _, err := h.DeleteCertificate(ctx, stranger, u.Certificate.ID, 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.Revoke(ctx, owner, v.ID, 0, RevocationRequest{Reason: "key-compromise"}); err != nil {
			t.Fatal(err)
		}
		if at, err := h.Store.Blocked(ctx, v.Certificate.Keyprint); err != nil || at.IsZero() {
			t.Errorf("deleted %v: blocked %v, %v", delete, at, err)
		}
		if _, err := h.Apply(ctx, owner, a); !slices.Contains(refusedFor(err), cause.KeyKnownCompromised) {
			t.Errorf("deleted %v: an order with that key: %v", delete, err)
		}
	}
}

// TestWordAndRequest: who keeps a request that the key signed is one whom an owner's word
// alone must not harm; an administrator's does.
func TestWordAndRequest(t *testing.T) {
	t.Parallel()
	for role, blocked := range map[Role]bool{RoleApplicant: false, RoleAdministrator: true} {
		h, ctx := newCAHouse(t), context.Background()
		a := dv(t, "orchard.net")
		v := h.issuedFor(t, a)
		other := h.who[RoleApplicant]
		other.Account = "bakery"
		if _, err := h.NewCSR(ctx, other, CSRRequest{CSR: a.Order.CSR}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Revoke(ctx, h.who[role], v.ID, 0, RevocationRequest{Reason: "key-compromise"}); err != nil {
			t.Fatal(err)
		}
		if at, err := h.Store.Blocked(ctx, v.Certificate.Keyprint); err != nil || at.IsZero() == blocked {
			t.Errorf("%s: blocked %v, %v", role, at, err)
		}
	}
}

// TestLateProof: a key that is shown to be compromised is blocked also where its
// certificate was revoked for another reason before.
func TestLateProof(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	k, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := dv(t, "orchard.net")
	if a.Order.CSR, err = csr.New([]string{"orchard.net"}, csr.Subject{}, k, rand.Reader); err != nil {
		t.Fatal(err)
	}
	v := h.issuedFor(t, a)
	if _, err := h.Revoke(ctx, h.who[RoleApplicant], v.ID, 0, RevocationRequest{Reason: "superseded"}); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "revoke " + v.Certificate.Serial}}, k.Signer())
	if err != nil {
		t.Fatal(err)
	}
	proof := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	if _, err := h.Revoke(ctx, h.who[RoleAuditor], v.ID, 0, RevocationRequest{Proof: proof}); err != nil {
		t.Fatal(err)
	}
	if at, err := h.Store.Blocked(ctx, v.Certificate.Keyprint); err != nil || at.IsZero() {
		t.Errorf("blocked %v, %v", at, err)
	}
}

// TestBlockedMeanwhile: a key that is blocked while its certificate is signed has a
// certificate, which is revoked.
func TestBlockedMeanwhile(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	v := h.ready(t, dv(t, "orchard.net"))
	h.ca.set(nil, func() error {
		return h.Store.Write(context.Background(), func(tx store.Tx) error { return tx.BlockKey(keyOf(v.Order), "x", h.clock()) })
	})
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateIssued {
		t.Fatal(v.State)
	}
	h.seen(t)
	if state, reason := h.stateOf(t, v.ID); state != order.CertificateRevoked || reason != int(issuer.KeyCompromise) {
		t.Errorf("%s, reason %d", state, reason)
	}
}

// An other is our own CA as if it were another one.
type other struct {
	*hand
	revoked []*issuer.Revocation
	fails   error
}

func (*other) Upstream() bool { return true }
func (*other) ID() string     { return "elsewhere" }

func (o *other) Open(_ context.Context, r *issuer.Request) (*issuer.Opened, error) {
	return &issuer.Opened{Reference: r.Order, State: []byte(`{}`)}, nil
}

func (o *other) Prepare(context.Context, *issuer.Request) (*issuer.Prepared, error) {
	return &issuer.Prepared{State: []byte(`{}`)}, nil
}

func (o *other) Resume(context.Context, *issuer.Request, *issuer.Attempt) (*issuer.Prepared, error) {
	return &issuer.Prepared{State: []byte(`{}`)}, nil
}

func (o *other) Revoke(_ context.Context, r *issuer.Revocation) error {
	o.revoked = append(o.revoked, r)
	return o.fails
}

// TestUpstreamIsTold: a revocation has happened when the CA that issued knows of it,
// also where a letter came first; one that the service cannot reach is not said to be.
func TestUpstreamIsTold(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	v := h.issuedFor(t, dv(t, "orchard.net"))
	ca := &other{hand: h.ca, fails: errors.New("503")}
	h.Issuer = func(string) issuer.Issuer { return ca }
	h.copied(t, v.ID, "6f76", func(c *store.Certificate) { c.Product, c.Issuer = order.OV, "elsewhere" })
	h.copied(t, v.ID, "676f6e65", func(c *store.Certificate) { c.Issuer = "gone" })
	if _, err := h.Revoke(ctx, h.who[RoleApplicant], "6f76", 0, RevocationRequest{}); err != nil {
		t.Fatal(err)
	}
	reviewer := h.who[RoleReviewer]
	reviewer.Account = "reviewer"
	if c, err := h.ConfirmRevocation(ctx, reviewer, "6f76", 0, true); err != nil || c.State != order.CertificateRevoking {
		t.Fatalf("%+v, %v", c, err)
	}
	h.seen(t)
	if state, _ := h.stateOf(t, "6f76"); state != order.CertificateRevoking || len(ca.revoked) != 1 {
		t.Fatalf("%s, told %d times", state, len(ca.revoked))
	}
	ca.fails = nil
	h.pass(time.Hour)
	h.seen(t)
	if state, _ := h.stateOf(t, "6f76"); state != order.CertificateRevoked || len(ca.revoked) != 2 {
		t.Fatalf("%s, told %d times", state, len(ca.revoked))
	}
	if _, err := h.Revoke(ctx, h.who[RoleAdministrator], "676f6e65", 0, RevocationRequest{}); !problemIs(err, WrongState) {
		t.Errorf("of a CA that is gone: %v", err)
	}
}

// TestServerKey: a key that was made here is refused where the profile says so.
func TestServerKey(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	owner := h.who[RoleApplicant]
	if _, err := h.NewCSR(ctx, owner, CSRRequest{Names: []string{"orchard.net"}}); !problemIs(err, Forbidden) {
		t.Fatalf("where the operator has not switched it on: %v", err)
	}
	h.ServerKeys = true
	c, err := h.NewCSR(ctx, owner, CSRRequest{Names: []string{"orchard.net"}})
	if err != nil || !c.HasKey {
		t.Fatalf("%+v, %v", c, err)
	}
	a := dv(t, "orchard.net")
	a.Order.CSR = c.CSR
	if _, err := h.Apply(ctx, owner, a); !slices.Contains(refusedFor(err), cause.KeyGeneratedByService) {
		t.Errorf("an order with it: %v", refusedFor(err))
	}
	stranger := owner
	stranger.Account = "stranger"
	kept, err := h.NewCSR(ctx, stranger, CSRRequest{CSR: request(t, "orchard.net")})
	if err != nil {
		t.Fatal(err)
	}
	b := dv(t, "orchard.net")
	b.Order.CSR = kept.CSR
	if _, err := h.Apply(ctx, owner, b); err != nil {
		t.Fatal(err, refusedFor(err))
	}
	if seen, err := h.CSR(ctx, stranger, kept.ID); err != nil || len(seen.Orders) != 0 {
		t.Errorf("somebody is shown another account's orders: %v, %v", seen.Orders, err)
	}
}

// TestHostileRequest: a request that is kept may hold any character; what is stored and
// shown of it is text.
func TestHostileRequest(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	k, err := key.New(key.Kinds()[0], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for what, template := range map[string]*x509.CertificateRequest{
		"a common name": {Subject: pkix.Name{CommonName: "a\x00b\u0085.orchard.net"}},
		"a name":        {DNSNames: []string{"a\x00b\x7f.orchard.net"}},
	} {
		der, err := x509.CreateCertificateRequest(rand.Reader, template, k.Signer())
		if err != nil {
			t.Fatal(err)
		}
		v, err := b.NewCSR(ctx, b.who[RoleApplicant], CSRRequest{CSR: csr.Encode(der)})
		if err != nil {
			t.Fatal(what, err)
		}
		row, err := b.Store.CSR(ctx, RootTenant, v.ID)
		if want := "a\uFFFDb\uFFFD.orchard.net"; err != nil || row.Name != want {
			t.Errorf("%s: %q, %v", what, row.Name, err)
		}
	}
}
