package service

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/csr"
	"assay/internal/issuer"
	"assay/internal/issuer/status"
	"assay/internal/store"
	"assay/key"
	"assay/lab"
	"assay/order"
)

// issuedFor is a certificate of the account shop.
func (h *caHouse) issuedFor(t *testing.T, a Application) *View {
	t.Helper()
	v := h.ready(t, a)
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateIssued {
		t.Fatalf("%s %s %v", v.State, v.Paused, causesIn(v))
	}
	return v
}

// seen does what is due for certificates now.
func (h *house) seen(t *testing.T) {
	t.Helper()
	for {
		n, _, err := h.certificatesDue(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

func (h *caHouse) listed(t *testing.T) *x509.RevocationList {
	t.Helper()
	if _, err := h.publish(context.Background()); err != nil {
		t.Fatal(err)
	}
	l, err := h.StatusSource().List(context.Background(), "issuing-1", 0)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(l.DER)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.CheckSignatureFrom(h.IssuerCertificates()["issuing-1"]); err != nil {
		t.Error(err)
	}
	return list
}

func (h *caHouse) told(t *testing.T, subject string) (list []string) {
	t.Helper()
	entries, err := h.Store.Entries(context.Background(), store.EntryFilter{Tenant: RootTenant, Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Backward(entries) {
		if e.Subject == subject {
			list = append(list, e.Action)
		}
	}
	return list
}

// refusedFor are the causes for which an order was refused.
func refusedFor(err error) (list []cause.ID) {
	var p *Problem
	if errors.As(err, &p) && p.Report != nil {
		for i := range p.Report.Findings {
			list = append(list, p.Report.Findings[i].Cause)
		}
	}
	return list
}

// TestRevoke: a revocation is in the row, in the list and in what OCSP says; the
// list's number grows; there is no way back.
func TestRevoke(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	v := h.issuedFor(t, dv(t, "orchard.net"))
	c := h.certified(t, v)
	before := h.listed(t)
	if len(before.RevokedCertificateEntries) != 0 {
		t.Fatalf("%d entries", len(before.RevokedCertificateEntries))
	}
	owner := h.who[RoleApplicant]
	stranger := owner
	stranger.Account = "stranger"
	if _, err := h.Revoke(ctx, stranger, v.ID, 0, RevocationRequest{}); !problemIs(err, NotFound) {
		t.Errorf("by another account: %v", err)
	}
	if _, err := h.Revoke(ctx, owner, v.ID, 0, RevocationRequest{Reason: "whim"}); !problemIs(err, Invalid) {
		t.Errorf("without a reason there is: %v", err)
	}
	h.pass(time.Second)
	r, err := h.Revoke(ctx, owner, v.ID, 0, RevocationRequest{Reason: "superseded"})
	if err != nil || r.State != order.CertificateRevoked || r.Reason != "superseded" || r.RevokedAt == nil {
		t.Fatalf("%+v, %v", r, err)
	}
	after := h.listed(t)
	if len(after.RevokedCertificateEntries) != 1 || after.RevokedCertificateEntries[0].ReasonCode != int(issuer.Superseded) || after.Number.Cmp(before.Number) <= 0 {
		t.Errorf("%d entries, number %v after %v", len(after.RevokedCertificateEntries), after.Number, before.Number)
	}
	known, err := h.StatusSource().Status(ctx, c.Issuer, c.Serial)
	if err != nil || known.Revoked.IsZero() || known.Reason != issuer.Superseded {
		t.Errorf("%+v, %v", known, err)
	}
	if _, err := h.StatusSource().Status(ctx, c.Issuer, "0102"); !errors.Is(err, status.ErrUnknown) {
		t.Errorf("a serial number that was never given out: %v", err)
	}
	for _, again := range []func() error{
		func() error { _, err := h.Revoke(ctx, owner, v.ID, 0, RevocationRequest{}); return err },
		func() error { _, err := h.Renew(ctx, owner, v.ID, RenewalRequest{}); return err },
	} {
		if err := again(); !problemIs(err, WrongState) {
			t.Errorf("after it was revoked: %v", err)
		}
	}
	if v = h.read(t, v.ID); v.CloudStatus != 10 || v.Certificate.State != order.CertificateRevoked {
		t.Errorf("status %d", v.CloudStatus)
	}
	if got := h.told(t, "certificate:"+v.ID); !slices.Equal(got, []string{"certificate.revoke"}) {
		t.Errorf("%v", got)
	}
	if _, err := h.DeleteCertificate(ctx, owner, v.ID, 0); err != nil {
		t.Errorf("a revoked one is deleted: %v", err)
	}
	if list := h.listed(t); len(list.RevokedCertificateEntries) != 1 {
		t.Error("a deleted certificate left the list")
	}
}

// TestKeyCompromise: whoever has the key may revoke, and the key is nobody's any
// more: other certificates with it are revoked too, and no order with it passes.
func TestKeyCompromise(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	k, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := csr.New([]string{"orchard.net"}, csr.Subject{}, k, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := dv(t, "orchard.net")
	a.Order.CSR = text
	v := h.issuedFor(t, a)
	c := h.certified(t, v)
	// Another certificate with the same key, as a private CA lets there be.
	twin := *c
	twin.ID, twin.Serial, twin.Fingerprint = "twin", "77", "77"
	h.do(t, func(tx store.Tx) error { return tx.InsertCertificate(&twin, nil) })
	proof := func(name string, k *key.Private) string {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}, k.Signer())
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	}
	other, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	auditor := h.who[RoleAuditor] // who may not revoke without a proof
	for name, wrong := range map[string]string{
		"nothing": "", "no request": "x", "another key": proof("revoke "+c.Serial, other), "another certificate": proof("revoke 00", k), "the order's own request": text,
	} {
		if _, err := h.Revoke(ctx, auditor, v.ID, 0, RevocationRequest{Proof: wrong}); !problemIs(err, Invalid) && !problemIs(err, Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := h.Revoke(ctx, auditor, v.ID, 0, RevocationRequest{Proof: proof("revoke "+c.Serial, k)})
	if err != nil || r.State != order.CertificateRevoked || r.Reason != "key-compromise" {
		t.Fatalf("%+v, %v", r, err)
	}
	h.seen(t)
	if other, err := h.Store.Certificate(ctx, "", "twin"); err != nil || other.State != order.CertificateRevoked || other.Reason != int(issuer.KeyCompromise) {
		t.Errorf("the other one with this key: %v, %v", other.State, err)
	}
	if list := h.listed(t); len(list.RevokedCertificateEntries) != 2 {
		t.Errorf("%d entries", len(list.RevokedCertificateEntries))
	}
	again := dv(t, "pear.orchard.net")
	again.Order.CSR, err = csr.New([]string{"pear.orchard.net"}, csr.Subject{}, k, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Apply(ctx, h.who[RoleApplicant], again)
	if !slices.Contains(refusedFor(err), cause.KeyKnownCompromised) {
		t.Errorf("an order with that key: %v", findings(err))
	}
}

// TestEnd: the end of a certificate is told on the days that were set, once each,
// not where nobody wants to hear it or another one came; and then it has expired.
func TestEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(c *store.Certificate)
		ending int
	}{
		"told":     {func(*store.Certificate) {}, 5},
		"muted":    {func(c *store.Certificate) { c.Muted = true }, 0},
		"replaced": {func(c *store.Certificate) { c.ReplacedBy = "x" }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newCAHouse(t)
			v := h.issuedFor(t, dv(t, "orchard.net"))
			h.do(t, func(tx store.Tx) error {
				row, err := tx.CertificateNow("", v.ID)
				if err != nil {
					return err
				}
				c.change(row)
				return tx.UpdateCertificate(row)
			})
			end := v.Certificate.NotAfter
			for h.clock().Before(end.Add(2 * day)) {
				h.pass(12 * time.Hour)
				h.seen(t)
			}
			got := h.told(t, "certificate:"+v.ID)
			ending := 0
			for _, a := range got {
				if a == "certificate.ending" {
					ending++
				}
			}
			if ending != c.ending || got[len(got)-1] != "certificate.expire" {
				t.Errorf("%v", got)
			}
			if v = h.read(t, v.ID); v.CloudStatus != 3 {
				t.Errorf("status %d", v.CloudStatus)
			}
			if due, err := h.Store.CertificateDueOf(context.Background(), v.ID); err != nil || len(due) != 0 {
				t.Errorf("still due: %v, %v", due, err)
			}
		})
	}
}

// TestRenewal: a certificate is ordered anew by itself at the time for it, with
// what still counts; the new one takes its place. Without the switch nothing happens.
func TestRenewal(t *testing.T) {
	t.Parallel()
	for name, auto := range map[string]bool{"by itself": true, "switched off": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, ctx := newCAHouse(t), context.Background()
			a := dv(t, "orchard.net")
			a.Order.Validity = &order.Validity{Days: 15}
			v := h.issuedFor(t, a)
			owner := h.who[RoleApplicant]
			if _, err := h.ChangeCertificate(ctx, owner, v.ID, 0, CertificateChange{AutoRenew: &auto}); err != nil {
				t.Fatal(err)
			}
			c, err := h.Certificate(ctx, owner, v.ID)
			if err != nil || auto != (c.RenewAt != nil) {
				t.Fatalf("%+v, %v", c, err)
			}
			h.pass(10*day + time.Hour) // two thirds
			h.seen(t)
			if c, err = h.Certificate(ctx, owner, v.ID); err != nil || auto != (c.Renewal != "") {
				t.Fatalf("renewal %q, %v", c.Renewal, err)
			}
			if !auto {
				return
			}
			next := h.read(t, c.Renewal)
			h.world(t, next, lab.Change{})
			h.once(t)
			h.once(t)
			if next = h.read(t, next.ID); next.State != order.StateIssued || next.Order.Kind != order.Renewal {
				t.Fatalf("%s %v", next.State, causesIn(next))
			}
			h.certified(t, next)
			if !next.Certificate.AutoRenew || !next.Certificate.NotAfter.After(v.Certificate.NotAfter) {
				t.Errorf("%+v", next.Certificate)
			}
			if c, err = h.Certificate(ctx, owner, v.ID); err != nil || c.ReplacedBy != next.ID || c.RenewAt != nil {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

// TestRenewalSpoiled: a renewal of which nothing came that takes the old one's place is
// ordered again.
func TestRenewalSpoiled(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	a := dv(t, "orchard.net")
	a.Order.Validity = &order.Validity{Days: 15}
	v, auto := h.issuedFor(t, a), true
	owner := h.who[RoleApplicant]
	if _, err := h.ChangeCertificate(ctx, owner, v.ID, 0, CertificateChange{AutoRenew: &auto}); err != nil {
		t.Fatal(err)
	}
	spoiled := h.issuedFor(t, dv(t, "orchard.net"))
	h.do(t, func(tx store.Tx) error {
		c, err := tx.CertificateNow("", v.ID)
		if err != nil {
			return err
		}
		c.Renews = spoiled.ID
		return tx.UpdateCertificate(c)
	})
	h.pass(10*day + time.Hour)
	h.seen(t)
	c, err := h.Certificate(ctx, owner, v.ID)
	if err != nil || c.Renewal == spoiled.ID || c.Renewal == "" || c.ReplacedBy != "" {
		t.Errorf("renewal %q, replaced by %q, %v", c.Renewal, c.ReplacedBy, err)
	}
}

// TestSeries: an order of several years is a chain of certificates, each with a
// review of its own, of which the last ends when it was to.
func TestSeries(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	a := dv(t, "orchard.net")
	a.Order.Validity, a.Order.ServiceUntil = &order.Validity{Days: 12}, h.clock().Add(25*day)
	v := h.issuedFor(t, a)
	until := a.Order.ServiceUntil
	count := 1
	for v.Certificate.AutoRenew {
		due, err := h.Certificate(context.Background(), h.who[RoleApplicant], v.ID)
		if err != nil || due.RenewAt == nil {
			t.Fatalf("%+v, %v", due, err)
		}
		h.pass(due.RenewAt.Sub(h.clock()) + time.Minute)
		h.seen(t)
		c, err := h.Certificate(context.Background(), h.who[RoleApplicant], v.ID)
		if err != nil || c.Renewal == "" {
			t.Fatalf("%+v, %v", c, err)
		}
		v = h.read(t, c.Renewal)
		h.world(t, v, lab.Change{})
		h.once(t)
		h.once(t)
		if v = h.read(t, v.ID); v.State != order.StateIssued {
			t.Fatalf("%s %v", v.State, causesIn(v))
		}
		h.certified(t, v)
		if count++; count > 9 {
			t.Fatal("it has no end")
		}
	}
	if count < 2 || v.Certificate.NotAfter.After(until) || v.Certificate.NotAfter.Before(until.Add(-day)) {
		t.Errorf("%d certificates, the last until %v, ordered until %v", count, v.Certificate.NotAfter, until)
	}
	a.Order.ServiceUntil = h.clock().AddDate(11, 0, 0)
	if _, err := h.Apply(context.Background(), h.who[RoleApplicant], a); !problemIs(err, Invalid) {
		t.Errorf("of eleven years: %v", err)
	}
}

// TestReissue: a reissued certificate has another key and the end of the one that
// it replaces.
func TestReissue(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	v := h.issuedFor(t, dv(t, "orchard.net"))
	h.pass(10 * day)
	next, err := h.Reissue(ctx, h.who[RoleApplicant], v.ID, RenewalRequest{CSR: request(t, "orchard.net")})
	if err != nil {
		t.Fatal(err, findings(err))
	}
	h.world(t, next, lab.Change{})
	h.once(t)
	h.once(t)
	if next = h.read(t, next.ID); next.State != order.StateIssued || next.Order.Kind != order.Reissue {
		t.Fatalf("%s %v", next.State, causesIn(next))
	}
	if c := h.certified(t, next); !c.NotAfter.Equal(v.Certificate.NotAfter) || c.Keyprint == v.Certificate.Keyprint {
		t.Errorf("until %v, was until %v", c.NotAfter, v.Certificate.NotAfter)
	}
	// The rule of the cloud does not say which one to reissue.
	var p *Problem
	if _, err := h.Reissue(ctx, h.who[RoleApplicant], v.ID, RenewalRequest{CSR: request(t, "orchard.net")}); !errors.As(err, &p) || p.Instead != next.ID {
		t.Errorf("of what was replaced: %v %v", err, findings(err))
	}
	if _, err := h.Reissue(ctx, h.who[RoleApplicant], "nothing", RenewalRequest{}); !problemIs(err, NotFound) {
		t.Errorf("of no certificate: %v", err)
	}
	if _, err := h.Renew(ctx, h.who[RoleApplicant], next.ID, RenewalRequest{Names: []string{"x.net"}}); !problemIs(err, Invalid) {
		t.Errorf("a renewal with other names: %v", err)
	}
	_, err = h.Renew(ctx, h.who[RoleApplicant], next.ID, RenewalRequest{})
	if !slices.Contains(refusedFor(err), cause.LimitReissueOrRenewalClosed) {
		t.Errorf("a renewal months before the end, by the cloud's rules: %v", err)
	}
}

// TestRevocationLetter: of OV a letter is waited for; a reviewer accepts it, and
// without it the certificate stays.
func TestRevocationLetter(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	v := h.issuedFor(t, dv(t, "orchard.net"))
	organized := func() {
		c, err := h.Store.Certificate(ctx, "", v.ID)
		if err != nil {
			t.Fatal(err)
		}
		ov := *c
		ov.ID, ov.Product, ov.Serial, ov.Fingerprint = "ov", order.OV, "99", "99"
		h.do(t, func(tx store.Tx) error { return tx.InsertCertificate(&ov, nil) })
	}
	organized()
	owner, reviewer := h.who[RoleApplicant], h.who[RoleReviewer]
	reviewer.Account = "reviewer"
	ask := func() {
		t.Helper()
		r, err := h.Revoke(ctx, owner, "ov", 0, RevocationRequest{Reason: "cessation-of-operation"})
		if err != nil || r.State != order.CertificateRevocationLetter || r.AskedAt == nil {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	ask()
	same := reviewer
	same.Account = "shop"
	if _, err := h.ConfirmRevocation(ctx, same, "ov", 0, true); !problemIs(err, Forbidden) {
		t.Errorf("by who asked: %v", err)
	}
	h.pass(letterDays*day + time.Minute)
	h.seen(t)
	if c, err := h.Certificate(ctx, owner, "ov"); err != nil || c.State != order.CertificateValid || c.AskedAt != nil {
		t.Fatalf("without a letter: %+v, %v", c, err)
	}
	ask()
	if c, err := h.ConfirmRevocation(ctx, reviewer, "ov", 0, false); err != nil || c.State != order.CertificateValid {
		t.Fatalf("rejected: %+v, %v", c, err)
	}
	ask()
	if c, err := h.ConfirmRevocation(ctx, reviewer, "ov", 0, true); err != nil || c.State != order.CertificateRevoked || c.Reason != "cessation-of-operation" {
		t.Fatalf("accepted: %+v, %v", c, err)
	}
	if !strings.Contains(strings.Join(h.told(t, "certificate:ov"), " "), "revoke-letter") {
		t.Error(h.told(t, "certificate:ov"))
	}
}

// TestEndsWithin: of what ends soon the revoked is left out, unless it is asked for.
func TestEndsWithin(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	owner := h.who[RoleApplicant]
	v, stays := h.issuedFor(t, dv(t, "orchard.net")), h.issuedFor(t, dv(t, "pear.orchard.net"))
	if _, err := h.Revoke(ctx, owner, v.ID, 0, RevocationRequest{Reason: "superseded"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    CertificateQuery
		want []string
	}{
		{CertificateQuery{Days: 4000}, []string{stays.ID}},
		{CertificateQuery{Days: 4000, Domain: "orchard.net"}, []string{stays.ID}},
		{CertificateQuery{Days: 4000, State: order.CertificateRevoked}, []string{v.ID}},
		{CertificateQuery{}, []string{stays.ID, v.ID}},
	} {
		list, _, err := h.Certificates(ctx, owner, c.q)
		var got []string
		for i := range list {
			got = append(got, list[i].ID)
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, %v", c.q, got, err)
		}
	}
}

// TestLists: each shard has at most as many places as it may, whatever process
// gives them; lists are signed again by the clock; what has expired leaves them,
// one list later.
func TestLists(t *testing.T) {
	t.Parallel()
	h, ctx := newCAHouse(t), context.Background()
	count := map[int]int{}
	other := h.twin(t)
	mine, theirs := &block{}, &block{}
	for n := range 2*shardPlaces + 150 {
		s, b := h.Service, mine
		if n%3 == 0 {
			s, b = other, theirs
		}
		shard, err := s.nextShard(ctx, "issuing-1", b)
		if err != nil {
			t.Fatal(err)
		}
		count[shard]++
	}
	for shard, n := range count {
		if n > shardPlaces {
			t.Errorf("shard %d has %d places", shard, n)
		}
	}
	v := h.issuedFor(t, dv(t, "orchard.net"))
	if _, err := h.Revoke(ctx, h.who[RoleApplicant], v.ID, 0, RevocationRequest{}); err != nil {
		t.Fatal(err)
	}
	list := func() *x509.RevocationList {
		t.Helper()
		if _, err := h.publish(ctx); err != nil {
			t.Fatal(err)
		}
		c, err := h.Store.Certificate(ctx, "", v.ID)
		if err != nil {
			t.Fatal(err)
		}
		l, err := h.StatusSource().List(ctx, c.Issuer, c.Shard)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParseRevocationList(l.DER)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	first := list()
	h.pass(crlEvery + time.Minute)
	second := list()
	if second.Number.Cmp(first.Number) <= 0 || !second.ThisUpdate.After(first.ThisUpdate) || len(second.RevokedCertificateEntries) != 1 {
		t.Errorf("not signed again: %v after %v", second.Number, first.Number)
	}
	h.pass(v.Certificate.NotAfter.Sub(h.clock()) + time.Minute)
	if l := list(); len(l.RevokedCertificateEntries) != 1 {
		t.Error("what has just expired is not in the list after its end")
	}
	h.pass(crlEvery + time.Minute)
	if l := list(); len(l.RevokedCertificateEntries) != 0 {
		t.Error("what has expired stays in the list")
	}
}
