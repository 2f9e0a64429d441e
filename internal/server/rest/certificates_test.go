package rest

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"assay/csr"
	"assay/internal/issuer"
	"assay/internal/service"
	"assay/internal/store"
	"assay/key"
	"assay/order"
)

// certificateRules are who may use the operations about certificates and kept
// requests.
func certificateRules() map[string]rule {
	all := service.Roles()
	write := []service.Role{service.RoleApplicant, service.RoleAdministrator}
	revoke := []service.Role{service.RoleApplicant, service.RoleReviewer, service.RoleAdministrator}
	decide := []service.Role{service.RoleReviewer, service.RoleAdministrator}
	return map[string]rule{
		"list-certificates":         {roles: all},
		"upload-certificate":        {roles: write, body: `{"certificate":"x"}`},
		"show-certificate":          {roles: all, object: true},
		"change-certificate":        {roles: write, object: true, body: `{"muted":true}`},
		"delete-certificate":        {roles: write, object: true},
		"renew-certificate":         {roles: write, object: true},
		"reissue-certificate":       {roles: write, object: true, body: `{"names":["www.orchard.net"]}`},
		"revoke-certificate":        {roles: revoke, object: true, body: `{"reason":"superseded"}`},
		"decide-revocation":         {roles: decide, object: true, body: `{"accept":true}`},
		"download-certificate":      {roles: all, object: true},
		"download-certificate-with": {roles: write, object: true, body: `{"format":"pem","key":true}`},
		"list-csrs":                 {roles: all},
		"new-csr":                   {roles: write, body: `{"csr":"x"}`},
		"show-csr":                  {roles: all, object: true},
		"change-csr":                {roles: write, object: true, body: `{"note":"n"}`},
		"delete-csr":                {roles: write, object: true},
		"take-csr-key":              {roles: write, object: true},
	}
}

// made is a certificate that signed itself, in DER, with its key.
func made(t testing.TB, names ...string) ([]byte, *key.Private) {
	t.Helper()
	k, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Signer().Public(), k.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return der, k
}

// certified writes a certificate of the account shop of the tenant orchard, and a
// kept request of the same id.
func (w *world) certified() string {
	w.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	id := fmt.Sprintf("C%x", now.UnixNano())
	der, _ := made(w, "www.orchard.net")
	err := w.service.Store.Write(w.Context(), func(tx store.Tx) error {
		c := &store.Certificate{
			CertificateRow: store.CertificateRow{
				ID: id, Tenant: "orchard", Account: "shop", Source: store.SourceIssued, Issuer: "own", Serial: id, State: order.CertificateValid, Product: order.DV, Profile: "cloud",
				Name: "www.orchard.net", Names: 1, Fingerprint: id, Keyprint: id, NotBefore: now, NotAfter: now.AddDate(0, 0, 90), Created: now,
			},
			DER: der,
		}
		if err := tx.InsertCertificate(c, []store.OrderName{{Name: "www.orchard.net", Domain: "orchard.net"}}); err != nil {
			return err
		}
		// The order of that number, for what orders it again.
		o := &store.Order{OrderRow: store.OrderRow{ID: id, Tenant: "orchard", Account: "shop", State: order.StateIssued, Profile: "cloud", Product: order.DV, Created: now, Changed: now, Version: 1}, Order: &order.Order{Product: order.DV}}
		if err := tx.InsertOrder(o, store.NewOrder{}); err != nil {
			return err
		}
		return tx.InsertCSR(&store.CSR{ID: id, Tenant: "orchard", Account: "shop", DER: der, Digest: id, Created: now, Version: 1})
	})
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// uploadable is the text of a certificate and of the CA above it, and of its key.
func uploadable(t testing.TB, names ...string) (text, secret string) {
	t.Helper()
	ca, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Orchard Root"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	root, err := x509.CreateCertificate(rand.Reader, parent, parent, ca.Signer().Public(), ca.Signer())
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.New(key.KindP256, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour)}
	leaf, err := x509.CreateCertificate(rand.Reader, c, parent, k.Signer().Public(), ca.Signer())
	if err != nil {
		t.Fatal(err)
	}
	for _, der := range [][]byte{leaf, root} {
		text += string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	raw, err := k.PEM()
	if err != nil {
		t.Fatal(err)
	}
	return text, string(raw)
}

func body(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestCertificateLife: a certificate is uploaded once, listed, changed as of what was
// read, downloaded with its key once, and deleted.
func TestCertificateLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, func(s *service.Service) Service { return s })
	text, secret := uploadable(t, "fig.orchard.net")
	in := body(t, service.UploadRequest{Certificate: text, Key: secret, Alias: "fig"})
	var v service.UploadView
	for i, replayed := range []string{"", "true"} {
		got := w.ask(http.MethodPost, Base+"/certificates", w.root, in, "Idempotency-Key", "up")
		if err := json.Unmarshal(got.body, &v); err != nil || got.StatusCode != http.StatusCreated || got.Header.Get("Idempotency-Replayed") != replayed ||
			got.Header.Get("Location") != Base+"/certificates/"+v.Certificate.ID {
			t.Fatalf("%d: %d %s", i, got.StatusCode, got.body)
		}
	}
	if c := v.Certificate; c.Source != store.SourceUploaded || !c.HasKey || c.Name != "fig.orchard.net" || c.Alias != "fig" {
		t.Errorf("%+v", c)
	}
	twice := w.ask(http.MethodPost, Base+"/certificates", w.root, in)
	if body := string(twice.body); twice.StatusCode != http.StatusOK || !strings.Contains(body, "upload.duplicate") || !strings.Contains(body, v.Certificate.ID) {
		t.Errorf("%d %s", twice.StatusCode, body)
	}
	if p := w.ask(http.MethodPost, Base+"/certificates", w.root, `{"certificate":"figs"}`, "Accept-Language", "zh").problem(t); p.Kind != service.Refused || len(p.Findings) != 1 || !strings.Contains(p.Detail, "证书") {
		t.Errorf("%+v", p)
	}
	path := Base + "/certificates/" + v.Certificate.ID
	first := w.ask(http.MethodGet, path, w.root, "")
	if tag := first.Header.Get("ETag"); tag == "" || w.ask(http.MethodGet, path, w.root, "", "If-None-Match", tag).StatusCode != http.StatusNotModified {
		t.Errorf("etag %q", tag)
	}
	if got := w.ask(http.MethodPatch, path, w.root, `{"tags":{"team":"web"},"muted":true}`, "If-Match", first.Header.Get("ETag")); got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), `"team":"web"`) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if p := w.ask(http.MethodPatch, path, w.root, `{"muted":false}`, "If-Match", first.Header.Get("ETag")).problem(t); p.Status != http.StatusPreconditionFailed {
		t.Errorf("%+v", p)
	}
	for query, want := range map[string]int{"": 1, "?source=uploaded&days=100": 1, "?source=issued": 0, "?days=3": 0, "?domain=orchard.net": 1, "?name=fig.orchard.net&state=valid": 1} {
		var page CertificateList
		if got := w.ask(http.MethodGet, Base+"/certificates"+query, w.root, ""); json.Unmarshal(got.body, &page) != nil || len(page.Items) != want || page.Items == nil {
			t.Errorf("%s: %d %s", query, got.StatusCode, got.body)
		}
	}
	w.files(t, path, secret)
	for range 2 {
		if got := w.ask(http.MethodDelete, path, w.root, "", "Idempotency-Key", "gone"); got.StatusCode != http.StatusNoContent {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	}
	if got := w.ask(http.MethodGet, path, w.root, ""); got.StatusCode != http.StatusNotFound {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if log := w.log.String(); strings.Contains(log, secret[40:80]) || strings.Contains(log, "correct") {
		t.Error("the log holds a secret")
	}
}

// files downloads a certificate that was uploaded with its key.
func (w *world) files(t *testing.T, path, secret string) {
	t.Helper()
	got := w.ask(http.MethodGet, path+"/file?format=nginx", w.root, "")
	z, err := zip.NewReader(bytes.NewReader(got.body), int64(len(got.body)))
	if err != nil || got.Header.Get("Content-Type") != "application/zip" || got.Header.Get("Cache-Control") != "no-store" ||
		got.Header.Get("Content-Disposition") != "attachment; filename=fig.orchard.net.nginx.zip" {
		t.Fatalf("%v %v", err, got.Header)
	}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".key") {
			t.Error("the key is in it, and nobody asked for that")
		}
	}
	if got := w.ask(http.MethodGet, path+"/file?format=fullchain", w.root, ""); strings.Count(string(got.body), "BEGIN CERTIFICATE") != 1 {
		t.Errorf("with its root, or without itself: %s", got.body)
	}
	if got := w.ask(http.MethodGet, path+"/file?format=root", w.root, ""); strings.Count(string(got.body), "BEGIN CERTIFICATE") != 1 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	for query, want := range map[string]string{"": "format", "?format=doc": "format", "?format=pem&password=correct": "password", "?format=pkcs12": "private key"} {
		if p := w.ask(http.MethodGet, path+"/file"+query, w.root, "").problem(t); p.Kind != service.Invalid || !strings.Contains(p.Detail, want) || strings.Contains(p.Detail, "correct") {
			t.Errorf("%s: %+v", query, p)
		}
	}
	with := `{"format":"pkcs12","key":true,"password":"correct horse"}`
	if got := w.ask(http.MethodPost, path+"/file", w.root, with); got.StatusCode != http.StatusOK || !strings.Contains(got.Header.Get("Content-Disposition"), ".p12") {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	if p := w.ask(http.MethodPost, path+"/file", w.root, with).problem(t); p.Kind != service.WrongState {
		t.Errorf("the key twice: %+v", p)
	}
}

// ownCA is a CA of the service's own that issues nothing.
type ownCA struct{ issuer.Issuer }

func (ownCA) ID() string     { return "own" }
func (ownCA) Upstream() bool { return false }

// TestRevokeLetter: what is wrong of a revocation is said; one with a reason is done
// for ever.
func TestRevokeLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, func(s *service.Service) Service { return s })
	root, err := w.service.Authenticate(t.Context(), w.root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.NewTenant(t.Context(), root, "orchard", "Orchard"); err != nil {
		t.Fatal(err)
	}
	w.service.Issuer = func(string) issuer.Issuer { return ownCA{} }
	path := Base + "/certificates/" + w.certified()
	reviewer, shop := w.token(service.RoleReviewer, "orchard", "boss"), w.token(service.RoleApplicant, "orchard", "shop")
	if p := w.ask(http.MethodPost, path+"/revoke", shop, `{"reason":"boredom"}`).problem(t); p.Kind != service.Invalid || !strings.Contains(p.Detail, "superseded") {
		t.Errorf("%+v", p)
	}
	if p := w.ask(http.MethodPost, path+"/revocation", reviewer, `{"accept":false}`).problem(t); p.Kind != service.WrongState {
		t.Errorf("%+v", p)
	}
	for range 2 {
		got := w.ask(http.MethodPost, path+"/revoke", shop, `{"reason":"superseded"}`, "Idempotency-Key", "once", "If-Match", `"1"`)
		if got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), `"state":"revoked"`) || !strings.Contains(string(got.body), `"reason":"superseded"`) {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	}
}

// TestKeptRequests: a request is kept, and its key handed out once: not in the
// answer that is kept.
func TestKeptRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, func(s *service.Service) Service { return s })
	if p := w.ask(http.MethodPost, Base+"/csrs", w.root, `{"names":["fig.orchard.net"]}`).problem(t); p.Kind != service.Forbidden {
		t.Errorf("%+v", p)
	}
	w.service.ServerKeys = true
	var v service.CSRView
	got := w.ask(http.MethodPost, Base+"/csrs", w.root, `{"names":["fig.orchard.net"],"note":"n"}`, "Idempotency-Key", "new")
	if err := json.Unmarshal(got.body, &v); err != nil || got.StatusCode != http.StatusCreated || !v.HasKey || v.Key != "" {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	if r, problem := csr.Read(v.CSR); problem != nil || len(r.SANs) != 1 {
		t.Errorf("%v %v", r, problem)
	}
	path := Base + "/csrs/" + v.ID
	if got := w.ask(http.MethodPatch, path, w.root, `{"note":"other"}`, "If-Match", `"1"`); got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), `"note":"other"`) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	first := w.ask(http.MethodPost, path+"/key", w.root, "", "Idempotency-Key", "key")
	again := w.ask(http.MethodPost, path+"/key", w.root, "", "Idempotency-Key", "key")
	if !strings.Contains(string(first.body), "PRIVATE KEY") || again.StatusCode != http.StatusOK || strings.Contains(string(again.body), "PRIVATE KEY") {
		t.Errorf("%d %s\n%d %s", first.StatusCode, first.body, again.StatusCode, again.body)
	}
	if p := w.ask(http.MethodPost, path+"/key", w.root, "").problem(t); p.Kind != service.WrongState {
		t.Errorf("the key twice: %+v", p)
	}
	var page CSRList
	if got := w.ask(http.MethodGet, Base+"/csrs", w.root, ""); json.Unmarshal(got.body, &page) != nil || len(page.Items) != 1 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if got := w.ask(http.MethodDelete, path, w.root, ""); got.StatusCode != http.StatusNoContent {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if got := w.ask(http.MethodGet, path, w.root, ""); got.StatusCode != http.StatusNotFound {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
