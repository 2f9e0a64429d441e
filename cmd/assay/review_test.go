package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"assay/cause"
	"assay/internal/service"
	"assay/lab"
	"assay/order"
	"assay/review"
)

// by is what runs assay as one of the people: both outputs, where it ends with the
// code that is wanted.
func (d *desk) by(t *testing.T, who string) func(code int, args ...string) string {
	return func(code int, args ...string) string {
		t.Helper()
		out, told := d.as(t, who, code, nil, args...)
		return out + told
	}
}

func parsed[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return v
}

// TestServiceReviewer: an order with a word in its name waits for a reviewer, who
// asks, is answered, and approves; the order is ready. A later order of that
// account for that name needs nobody: the approval is its evidence. All of it on
// the command line.
func TestServiceReviewer(t *testing.T) {
	t.Parallel()
	const name = "qqbankqq.orchard.net"
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	d := people(t, s)
	shop, anna, bert := d.by(t, "shop"), d.by(t, "anna"), d.by(t, "bert")
	first := parsed[service.View](t, shop(exitReview, "order", "new", name, "--csr", csrFile(t, s, name), "--method", "dns", "--product", "dv", "--json"))
	record := lab.ZoneCopy{Add: lab.Strings{first.Challenges[0].Owner + `. TXT "` + first.Challenges[0].Value + `"`}}
	s.look(t, lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: record}}}, lab.Options{Value: "none"})
	shop(exitReview, "order", "verify", first.ID)
	s.waits(t, first.ID)

	if out := anna(exitPass, "review", "queue", "--width", "160"); !strings.Contains(out, first.ID) || !strings.Contains(out, string(cause.PolicySensitiveWordInside)) {
		t.Errorf("%s", out)
	}
	anna(exitPass, "review", "claim", first.ID)
	if out := bert(exitData, "review", "claim", first.ID); !strings.Contains(out, "anna") {
		t.Errorf("%s", out)
	}
	anna(exitReview, "review", "ask", first.ID, string(cause.PolicySensitiveWordInside), "--note", "Are you a bank?")
	if out := shop(exitReview, "order", "show", first.ID); !strings.Contains(out, "Are you a bank?") || !strings.Contains(out, "assay order answer") || strings.Contains(out, "anna") {
		t.Errorf("%s", out)
	}
	shop(exitReview, "order", "answer", first.ID, "--note", "A garden by a river.")
	out := anna(exitReview, "review", "show", first.ID)
	for _, want := range []string{"A garden by a river.", "assay review approve " + first.ID, "orchard.net"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	seen := parsed[service.Docket](t, anna(exitReview, "review", "show", first.ID, "--json"))
	anna(exitUsage, "review", "approve", first.ID, seen.Matters[0].Finding, "--note", "which review?")
	shop(exitNoPermission, "review", "approve", first.ID, seen.Matters[0].Finding, "--review", strconv.Itoa(seen.Order.Review), "--note", "mine")
	anna(exitReview, "review", "approve", first.ID, seen.Matters[0].Finding, "--review", strconv.Itoa(seen.Order.Review), "--note", "A river bank.")
	v := s.becomes(t, first.ID, order.StateReady)
	approved(t, v)
	if out := anna(exitPass, "review", "queue", "--width", "160"); strings.Contains(out, first.ID) {
		t.Errorf("%s", out)
	}

	later := parsed[service.View](t, shop(exitWait, "order", "new", name, "--csr", csrFile(t, s, name), "--method", "dns", "--product", "dv", "--json"))
	approved(t, s.becomes(t, later.ID, order.StateReady))

	third := parsed[service.View](t, shop(exitReview, "order", "new", "zzbankzz.orchard.org", "--csr", csrFile(t, s, "zzbankzz.orchard.org"), "--method", "dns", "--product", "dv", "--json"))
	if third.State != order.StatePending {
		t.Errorf("another domain: %s", third.State)
	}
	s.audited(t)
}

// TestServiceFourEyes takes an EV order through the review: two reviewers approve
// the dossiers, and of two who have to agree to the word in its name neither is
// who gathered the evidence and approves last.
func TestServiceFourEyes(t *testing.T) {
	t.Parallel()
	const name = "qqbankqq.orchard.net"
	s := newSite(t)
	s.look(t, bare(), lab.Options{})
	d := people(t, s)
	company := d.file(t, "org.yaml", companyFile+phoneLine+"business_category: Private Organization\njurisdiction_country: CN\nregistration_number: \"91440300MA5FG8H23Q\"\n")
	org := made[service.DossierView](t, d, "shop", 0, "org", "new", "--file", company, "--submit")
	con := made[service.DossierView](t, d, "shop", 0, "contact", "new", "--org", org.ID, "--file", d.file(t, "contact.yaml", personFile), "--submit")
	for _, c := range [][]string{
		{"name", "Orchard Technology (Shenzhen) Co., Ltd.", "gsxt.gov.cn", "QGIS"},
		{"number", "91440300MA5FG8H23Q", "gsxt.gov.cn", "QGIS"},
		{"operational-existence", "since 2009", "gsxt.gov.cn", "QGIS"},
		{"address", "12 Fruit Street, Nanshan, Shenzhen", "gsxt.gov.cn", "QGIS"},
		{"phone", "+86 755 8601 3388", "114", "phone-company"},
	} {
		d.as(t, "anna", 0, nil, "org", "verify", org.ID, "--item", c[0], "--value", c[1], "--source", c[2], "--class", c[3])
	}
	for _, role := range []string{"signer", "approver"} {
		d.as(t, "anna", 0, nil, "contact", "verify", con.ID, "--item", "authority", "--value", role, "--source", "letter of the board", "--class", "letter")
	}
	for _, who := range []string{"anna", "bert"} {
		d.approve(t, who, "org", org.ID)
		d.approve(t, who, "contact", con.ID)
	}
	v := made[service.View](t, d, "shop", ofOrder, "order", "new", "--file", d.identityOf(t, order.EV, name, org.ID, con.ID))
	if v.State != order.StateLetter {
		t.Fatalf("%s %v", v.State, rootCauses(v.Findings))
	}
	d.as(t, "shop", ofOrder, nil, "letter", "upload", v.ID, d.file(t, "letter.pdf", pdf("")))
	letters := made[[]service.LetterView](t, d, "anna", 0, "order", "letter", "show", v.ID)
	d.asAny(t, "anna", "order", "letter", "accept", v.ID, letters[0].ID)
	d.asAny(t, "anna", "order", "call", "add", v.ID, "--number", "+86 755 8601 3388", "--source", "114", "--result", "confirmed", "--answered-by", "front desk")
	record := lab.ZoneCopy{Add: lab.Strings{v.Challenges[0].Owner + `. TXT "` + v.Challenges[0].Value + `"`}}
	s.look(t, lab.Change{Zones: map[string]lab.ZoneChange{"orchard.net": {ZoneCopy: record}}}, lab.Options{Value: "none"})
	d.asAny(t, "shop", "order", "verify", v.ID)
	s.waits(t, v.ID)

	decide := func(who string, code int, note string) (told string) {
		t.Helper()
		docket := made[service.Docket](t, d, who, ofOrder, "review", "show", v.ID)
		args := []string{"review", "approve", v.ID}
		for _, m := range docket.Matters {
			args = append(args, m.Finding)
		}
		_, told = d.as(t, who, code, nil, append(args, "--review", strconv.Itoa(docket.Order.Review), "--note", note)...)
		return told
	}
	decide("bert", ofOrder, "A river bank.")
	if told := decide("bert", exitNoPermission, "I said so."); !strings.Contains(told, "another person") {
		t.Errorf("one agreed twice: %s", told)
	}
	if got := s.must(t, http.MethodGet, "/orders/"+v.ID, nil); got.State != order.StatePending {
		t.Fatalf("one sufficed: %s", got.State)
	}
	if told := decide("anna", exitNoPermission, "So do I."); !strings.Contains(told, "gathered") {
		t.Errorf("who gathered the evidence approved: %s", told)
	}
	decide("cora", ofOrder, "I looked it up, too.")
	ready := s.becomes(t, v.ID, order.StateReady)
	i := slices.IndexFunc(ready.Findings, func(f review.Finding) bool { return f.Approval != nil })
	if i < 0 || ready.Findings[i].Approval.By != "cora" || ready.Findings[i].Approval.AgreedBy != "bert" {
		t.Errorf("%+v", ready.Findings)
	}
	s.audited(t)
}

// approved fails where an order has no approval as evidence.
func approved(t *testing.T, v *service.View) {
	t.Helper()
	i := slices.IndexFunc(v.Findings, func(f review.Finding) bool { return f.Approval != nil })
	if i < 0 || v.Findings[i].Level != cause.Info || v.Findings[i].Approval.By != "anna" || len(v.Findings[i].Evidence) == 0 {
		t.Errorf("order %s: %+v", v.ID, v.Findings)
	}
}

// waits waits until an order waits for a reviewer.
func (s *site) waits(t *testing.T, id string) *service.View {
	t.Helper()
	there := errors.New("there")
	v := s.must(t, http.MethodGet, "/orders/"+id, nil)
	if v.Waiting != nil {
		return v
	}
	err := s.client.Follow(t.Context(), id, v.Version, func(service.Event) error {
		if v = s.must(t, http.MethodGet, "/orders/"+id, nil); v.Waiting != nil || !v.State.Open() {
			return there
		}
		return nil
	})
	if !errors.Is(err, there) || v.Waiting == nil {
		t.Fatalf("order %s is %s %s and waits for no reviewer: %v %v", id, v.State, v.Phase, err, rootCauses(v.Findings))
	}
	return v
}

// csrFile is a file with a new CSR for a name.
func csrFile(t *testing.T, s *site, name string) string {
	t.Helper()
	f, err := os.CreateTemp(s.dir, "*.csr")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(csrOf(t, name, name)); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}
