package service

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/csr"
	"assay/internal/store"
	"assay/key"
	"assay/order"
	"assay/review"
)

// elsewhere is a certificate of a CA, and its key, as somebody has them: the texts of
// the certificate, of what stands above it, and of the key.
func (h *house) elsewhere(t *testing.T, names ...string) (leaf, above, secret string) {
	t.Helper()
	ca, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: h.now().Add(-day), NotAfter: h.now().Add(3650 * day), IsCA: true, BasicConstraintsValid: true}
	root.Subject.CommonName = "Elsewhere Root"
	k, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(4711), NotBefore: h.now().Add(-day), NotAfter: h.now().Add(89 * day), DNSNames: names}
	for _, made := range []struct {
		template *x509.Certificate
		key      *key.Private
		text     *string
	}{{root, ca, &above}, {c, k, &leaf}} {
		der, err := x509.CreateCertificate(rand.Reader, made.template, root, made.key.Signer().Public(), ca.Signer())
		if err != nil {
			t.Fatal(err)
		}
		*made.text = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	raw, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	return leaf, above, string(raw)
}

// TestUpload: a certificate from elsewhere is kept once with its key, followed to its
// end, and completes the chains of later ones.
func TestUpload(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.Secrets = plain{}
	p := h.who[RoleApplicant]
	ctx := context.Background()
	leaf, above, secret := h.elsewhere(t, "fig.orchard.net")
	_, err := h.Upload(ctx, p, UploadRequest{Certificate: leaf})
	var refused *Problem
	if !errors.As(err, &refused) || refused.Kind != Refused || !slices.Contains(causesOf(refused.Report), "upload.chain-incomplete") {
		t.Fatalf("%v", err)
	}
	v, err := h.Upload(ctx, p, UploadRequest{Certificate: leaf, Chain: above})
	if err != nil || v.Known || v.Certificate.HasKey || v.Certificate.Issuer != "" || v.Certificate.Serial != "1267" || len(v.Findings) != 0 {
		t.Fatalf("%+v, %v", v, err)
	}
	due, err := h.Store.CertificateDueOf(ctx, v.Certificate.ID)
	if err != nil || len(due) != 1 || due[0].Kind != store.DueEnd || !due[0].At.Equal(v.Certificate.NotAfter.Add(time.Second-30*day)) {
		t.Errorf("%+v, %v", due, err)
	}
	// Again: it is there, and now its key is, too; the chain is known.
	again, err := h.Upload(ctx, p, UploadRequest{Certificate: leaf, Key: secret})
	if err != nil || !again.Known || again.Certificate.ID != v.Certificate.ID || !again.Certificate.HasKey || len(again.Findings) == 0 {
		t.Fatalf("%+v, %v", again, err)
	}
	f, err := h.Download(ctx, p, v.Certificate.ID, DownloadRequest{Format: "nginx", Key: true})
	if err != nil || !f.Secret || !strings.Contains(string(f.Content), "PRIVATE KEY") {
		t.Fatalf("%v", err)
	}
	if _, err := h.Renew(ctx, p, v.Certificate.ID, RenewalRequest{}); !problemIs(err, WrongState) {
		t.Errorf("renewed: %v", err)
	}
	if _, err := h.DeleteCertificate(ctx, p, v.Certificate.ID, 0); err != nil {
		t.Error(err)
	}
	anew, err := h.Upload(ctx, p, UploadRequest{Certificate: leaf, Chain: above})
	if err != nil || anew.Known || anew.Certificate.ID == v.Certificate.ID {
		t.Errorf("%+v, %v", anew, err)
	}
	if _, _, other := h.elsewhere(t, "x.orchard.net"); true {
		if _, err := h.Upload(ctx, p, UploadRequest{Certificate: leaf, Chain: above, Key: other}); !problemIs(err, Refused) {
			t.Errorf("another key: %v", err)
		}
	}
}

// TestUploadAtOnce: of many uploads of one certificate at once one is kept.
func TestUploadAtOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	leaf, above, _ := h.elsewhere(t, "fig.orchard.net")
	var running sync.WaitGroup
	var lock sync.Mutex
	ids, fresh := map[string]bool{}, 0
	for range 8 {
		running.Go(func() {
			v, err := h.Upload(context.Background(), h.who[RoleApplicant], UploadRequest{Certificate: leaf, Chain: above})
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				t.Error(err)
				return
			}
			ids[v.Certificate.ID] = true
			if !v.Known {
				fresh++
			}
		})
	}
	running.Wait()
	if len(ids) != 1 || fresh != 1 {
		t.Errorf("%v, %d new", ids, fresh)
	}
}

// TestUploadOfTwoAccounts: each of two accounts that have one certificate finds its own
// again, and an administrator finds one.
func TestUploadOfTwoAccounts(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	one := h.who[RoleApplicant]
	two := one
	two.Account = "bakery"
	leaf, above, _ := h.elsewhere(t, "fig.orchard.net")
	ids := map[string]string{}
	for i, p := range []Principal{one, two, one, two, h.who[RoleAdministrator]} {
		v, err := h.Upload(ctx, p, UploadRequest{Certificate: leaf, Chain: above})
		if err != nil {
			t.Fatalf("%d, %s: %v", i, p.Account, err)
		}
		if before := ids[p.Account]; v.Known != (i >= 2) || before != "" && before != v.Certificate.ID {
			t.Errorf("%d, %s: %s, known %v", i, p.Account, v.Certificate.ID, v.Known)
		}
		ids[p.Account] = v.Certificate.ID
	}
	if ids[one.Account] == ids[two.Account] {
		t.Errorf("both have %s", ids[one.Account])
	}
}

// TestNamesLookedFor: a certificate, and an order, is found by a name however it is written.
func TestNamesLookedFor(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	p := h.who[RoleApplicant]
	leaf, above, _ := h.elsewhere(t, "xn--mnchen-3ya.orchard.net", "www.orchard.net")
	if _, err := h.Upload(ctx, p, UploadRequest{Certificate: leaf, Chain: above}); err != nil {
		t.Fatal(err, findings(err))
	}
	a := dv(t, "xn--mnchen-3ya.orchard.net")
	a.Draft = true
	h.apply(t, p, a)
	for _, c := range []struct {
		name, domain string
		want         int
	}{
		{name: "xn--mnchen-3ya.orchard.net", want: 1},
		{name: "münchen.orchard.net", want: 1},
		{name: "MÜNCHEN.Orchard.net.", want: 1},
		{domain: "Orchard.NET.", want: 1},
		{name: "munchen.orchard.net", want: 0},
		{name: "!", want: 0},
		{domain: "!", want: 0},
		{name: " ", want: 0},
	} {
		list, _, err := h.Certificates(ctx, p, CertificateQuery{Name: c.name, Domain: c.domain})
		if err != nil || len(list) != c.want {
			t.Errorf("certificates, %q %q: %d, %v", c.name, c.domain, len(list), err)
		}
		orders, _, err := h.Orders(ctx, p, ListQuery{Name: c.name, Domain: c.domain})
		if err != nil || len(orders) != c.want {
			t.Errorf("orders, %q %q: %d, %v", c.name, c.domain, len(orders), err)
		}
	}
	if got := nameAsKept("2001:DB8:0::1"); got != "2001:db8::1" {
		t.Errorf("%q", got)
	}
}

// TestUploadOfBlockedKey: that the key of an uploaded certificate, or of a kept request, is
// known to be compromised is said, and hinders nobody from keeping it.
func TestUploadOfBlockedKey(t *testing.T) {
	t.Parallel()
	h, ctx := newHouse(t), context.Background()
	p := h.who[RoleApplicant]
	leaf, above, _ := h.elsewhere(t, "fig.orchard.net")
	upload := func() *UploadView {
		t.Helper()
		v, err := h.Upload(ctx, p, UploadRequest{Certificate: leaf, Chain: above})
		if err != nil {
			t.Fatal(err, findings(err))
		}
		return v
	}
	v := upload()
	if len(v.Findings) != 0 {
		t.Errorf("before: %+v", v.Findings)
	}
	text := request(t, "fig.orchard.net")
	r, _ := csr.Read(text)
	keep := func() *CSRView {
		t.Helper()
		v, err := h.NewCSR(ctx, p, CSRRequest{CSR: text})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	kept := keep()
	if len(kept.Findings) != 0 {
		t.Errorf("before: %+v", kept.Findings)
	}
	err := h.Store.Write(ctx, func(tx store.Tx) error {
		return errors.Join(tx.BlockKey(v.Certificate.Keyprint, "x", h.now()), tx.BlockKey(key.Print(r.Key), "x", h.now()))
	})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := h.CSR(ctx, p, kept.ID)
	if err != nil {
		t.Fatal(err)
	}
	for what, list := range map[string][]review.Finding{"the upload": upload().Findings, "csr keep": keep().Findings, "csr show": shown.Findings} {
		i := slices.IndexFunc(list, func(f review.Finding) bool { return f.Cause == cause.KeyKnownCompromised })
		if i < 0 || list[i].Level != cause.Warn || list[i].Parameters["date"] == nil {
			t.Errorf("%s: %+v", what, list)
		}
	}
}

// TestUploadedKeyBlocked: a key that is compromised does not revoke what others issued.
func TestUploadedKeyBlocked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ctx := context.Background()
	leaf, above, _ := h.elsewhere(t, "fig.orchard.net")
	v, err := h.Upload(ctx, h.who[RoleApplicant], UploadRequest{Certificate: leaf, Chain: above})
	if err != nil {
		t.Fatal(err)
	}
	err = h.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.BlockKey(v.Certificate.Keyprint, "other", h.now()); err != nil {
			return err
		}
		return tx.DueByKey(v.Certificate.Keyprint, "other", h.now())
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := h.certificatesDue(ctx); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if c, err := h.Certificate(ctx, h.who[RoleApplicant], v.Certificate.ID); err != nil || c.State != order.CertificateValid {
		t.Errorf("%+v, %v", c, err)
	}
}
