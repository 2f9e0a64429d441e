package rest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"assay/csr"
	"assay/internal/service"
	"assay/internal/store"
	"assay/key"
	"assay/order"
)

// sealer keeps nothing secret, but which row something is of.
type sealer struct{}

func (sealer) Seal(row string, b []byte) ([]byte, error) {
	return append([]byte(row+"\x00"), b...), nil
}

func (sealer) Open(row string, b []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(b, []byte(row+"\x00"))
	if !ok {
		return nil, errors.New("of another row")
	}
	return plain, nil
}

// fileRules are who may use the operations about dossiers, letters and calls.
func fileRules() map[string]rule {
	all := service.Roles()
	write := []service.Role{service.RoleApplicant, service.RoleAdministrator}
	verify := []service.Role{service.RoleReviewer, service.RoleAdministrator}
	admin := []service.Role{service.RoleAdministrator}
	organization := `{"kind":"organization","organization":{"name":"Orchard"}}`
	claim := `{"item":"name","value":"Orchard","source":"gsxt.gov.cn","class":"QGIS"}`
	decision := `{"accept":false,"reason":"other","note":"no"}`
	return map[string]rule{
		"new-dossier":       {roles: write, body: organization},
		"list-dossiers":     {roles: all},
		"show-dossier":      {roles: all, object: true},
		"change-dossier":    {roles: write, object: true, body: organization},
		"delete-dossier":    {roles: write, object: true},
		"submit-dossier":    {roles: write, object: true},
		"decide-dossier":    {roles: verify, object: true, body: decision},
		"add-claim":         {roles: verify, object: true, body: claim},
		"withdraw-claim":    {roles: verify, object: true},
		"erase-dossier":     {roles: admin, object: true},
		"upload-letter":     {roles: write, object: true, body: "%PDF-"},
		"list-letters":      {roles: all, object: true},
		"letter-content":    {roles: all, object: true},
		"decide-letter":     {roles: verify, object: true, body: `{"accept":true}`},
		"letter-form":       {roles: all, object: true},
		"add-call":          {roles: verify, object: true, body: `{"number":"+86 755 8601 3388","source":"114","result":"busy"}`},
		"list-calls":        {roles: all, object: true},
		"add-order-claim":   {roles: verify, object: true, body: claim},
		"list-order-claims": {roles: all, object: true},
	}
}

// filed writes a dossier of the account shop of the tenant orchard, and a letter
// of its order, and returns what the path of an operation names.
func (w *world) filed(path, orderID string, n int) string {
	w.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	id := fmt.Sprintf("org-%s-%d", orderID, n)
	seal := func(row, text string) []byte {
		b, err := w.service.Secrets.Seal(row, []byte(text))
		if err != nil {
			w.Fatal(err)
		}
		return b
	}
	sum := sha256.Sum256([]byte("letter"))
	err := w.service.Store.Write(w.Context(), func(tx store.Tx) error {
		return errors.Join(
			tx.InsertDossier(&store.Dossier{ID: id, Tenant: "orchard", Account: "shop", Kind: "organization", State: "draft", Body: seal("dossier:"+id, `{}`), Created: now, Version: 1}),
			tx.InsertClaim(&store.Claim{ID: "clm-" + id, Tenant: "orchard", Dossier: id, Created: now}),
			tx.InsertLetter(&store.Letter{ID: "let-" + orderID, Tenant: "orchard", Order: orderID, State: "pending", SHA256: hex.EncodeToString(sum[:]), Created: now},
				[][]byte{seal("letter:let-"+orderID+":0", "letter")}),
		)
	})
	if err != nil {
		w.Fatal(err)
	}
	if strings.HasPrefix(path, "/dossiers") {
		return id
	}
	return orderID
}

// zeros is a body that never ends, and counts what was read of it.
type zeros struct{ read atomic.Int64 }

func (z *zeros) Read(p []byte) (int, error) {
	clear(p)
	z.read.Add(int64(len(p)))
	return len(p), nil
}

// TestHostileLetters: a stream of ten gigabytes ends at the limit; a web page and
// what is two things at once are no letters; what is one comes back as a download
// that no browser shows.
func TestHostileLetters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{TokenRate: -1, AddressRate: -1}, func(s *service.Service) Service { return s })
	root, err := w.service.Authenticate(t.Context(), w.root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.PutAccount(t.Context(), root, service.AccountView{ID: "root", Verified: true}); err != nil {
		t.Fatal(err)
	}
	v := ovOrder(t, w)
	path := Base + "/orders/" + v.ID + "/letters"
	long := &zeros{}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.http.URL+path, io.LimitReader(long, 10<<30))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.root)
	r.Header.Set("Content-Type", "application/octet-stream")
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("10 GB: %d", resp.StatusCode)
		}
	}
	if n := long.read.Load(); n > 64<<20 {
		t.Errorf("%d bytes of a letter were taken", n)
	}
	pdf := "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%" + strings.Repeat("x", 1500) + "\n%%EOF\n"
	for name, body := range map[string]string{
		"a page": "<!DOCTYPE html><html>" + strings.Repeat("x", 2000), "a page behind a PDF": pdf + "<html><script>",
		"a page in a PDF": strings.Replace(pdf, "1 0 obj", "<script>x</script>", 1), "small": pdf[:60],
	} {
		got := w.ask(http.MethodPost, path, w.root, body, "Content-Type", "application/octet-stream")
		if got.StatusCode != http.StatusBadRequest || got.problem(t).Detail == "" {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
	}
	if got := w.ask(http.MethodPost, path, w.root, pdf, "Content-Type", "text/html"); got.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("as a page: %d", got.StatusCode)
	}
	if got := w.ask(http.MethodPost, path, w.root, pdf, "Content-Type", "application/octet-stream"); got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	var list LetterList
	if err := json.Unmarshal(w.ask(http.MethodGet, path, w.root, "").body, &list); err != nil || len(list.Items) != 1 {
		t.Fatal(err, list)
	}
	got := w.ask(http.MethodGet, path+"/"+list.Items[0].ID+"/content", w.root, "")
	if string(got.body) != pdf || !strings.HasPrefix(got.Header.Get("Content-Disposition"), "attachment") ||
		got.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(got.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%v", got.Header)
	}
	form := w.ask(http.MethodGet, Base+"/orders/"+v.ID+"/letter-form", w.root, "", "Accept-Language", "zh")
	if form.StatusCode != http.StatusOK || !strings.Contains(string(form.body), "&lt;b&gt;") || !strings.Contains(string(form.body), `lang="zh"`) {
		t.Errorf("%d %s", form.StatusCode, form.body)
	}
}

// ovOrder is an order that waits for its letter, of an organization with a
// hostile name.
func ovOrder(t *testing.T, w *world) *service.View {
	t.Helper()
	who := order.Contact{FirstName: "Mei", LastName: "Lin", Title: "IT Manager", Email: "mei.lin@orchard.net", Phone: "13800138000"}
	body, err := json.Marshal(ApplicationBody{Order: &order.Order{
		Product: order.OV, Names: []string{"www.orchard.net"}, CommonName: "www.orchard.net", Method: order.MethodDNS, CSR: csrOf(t, "www.orchard.net"),
		Organization: &order.Organization{
			Name: "Orchard <b>", Department: "IT", Country: "CN", Province: "Guangdong", City: "Shenzhen", Address: "12 Fruit Street, Nanshan",
			Phone: order.Phone{Area: "0755", Number: "86013388"},
		},
		Contacts: &order.Contacts{Administrator: &who, Technical: &who},
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := w.ask(http.MethodPost, Base+"/orders", w.root, string(body), "Content-Type", "application/json")
	v := &service.View{}
	if err := json.Unmarshal(got.body, v); err != nil || got.StatusCode != http.StatusCreated || v.State != order.StateLetter {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	return v
}

// csrOf makes a certificate request.
func csrOf(t *testing.T, names ...string) string {
	t.Helper()
	k, err := key.New(key.Kinds()[0], rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := csr.New(names, csr.Subject{}, k, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestApprovalVersion: a dossier is approved as it was read: without its entity
// tag nothing is, nor with that of another version.
func TestApprovalVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{TokenRate: -1, AddressRate: -1}, func(s *service.Service) Service { return s })
	made := w.ask(http.MethodPost, Base+"/dossiers", w.root, `{"kind":"organization","organization":{"name":"Orchard"}}`, "Content-Type", "application/json")
	var v service.DossierView
	if err := json.Unmarshal(made.body, &v); err != nil || made.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", made.StatusCode, made.body)
	}
	path := Base + "/dossiers/" + v.ID + "/decide"
	for tag, want := range map[string]int{
		"": http.StatusBadRequest, "*": http.StatusBadRequest, `"0"`: http.StatusBadRequest, "x": http.StatusBadRequest,
		`"2"`: http.StatusPreconditionFailed, `"1"`: http.StatusConflict, // it is read as it is, but a draft
	} {
		headers := []string{"Content-Type", "application/json"}
		if tag != "" {
			headers = append(headers, "If-Match", tag)
		}
		got := w.ask(http.MethodPost, path, w.root, `{"accept":true}`, headers...)
		if got.StatusCode != want || got.problem(t).Detail == "" {
			t.Errorf("If-Match %s: %d %s, want %d", tag, got.StatusCode, got.body, want)
		}
	}
}
