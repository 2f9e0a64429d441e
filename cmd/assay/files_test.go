package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"assay/internal/client"
	"assay/internal/service"
	"assay/lab"
	"assay/order"
)

// A desk is a site with people who use its command line.
type desk struct {
	*site
	tokens map[string]string
}

// people are an applicant and three reviewers.
func people(t *testing.T, s *site) *desk {
	t.Helper()
	d := &desk{site: s, tokens: map[string]string{}}
	d.must(t, http.MethodPut, "/accounts/shop", map[string]bool{"verified": true})
	for account, role := range map[string]service.Role{"shop": service.RoleApplicant, "anna": service.RoleReviewer, "bert": service.RoleReviewer, "cora": service.RoleReviewer} {
		var v service.TokenView
		if err := s.client.Do(t.Context(), client.Call{Method: http.MethodPost, Path: "/tokens", Body: service.TokenRequest{Role: role, Account: account}}, &v); err != nil {
			t.Fatal(err)
		}
		d.tokens[account] = v.Secret
	}
	return d
}

// file writes a file to use in a command.
func (d *desk) file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// as runs "assay ARGUMENT…" as somebody; what it prints on both outputs.
func (d *desk) as(t *testing.T, who string, code int, stdin io.Reader, args ...string) (out, told string) {
	t.Helper()
	binary, err := exec.LookPath("assay")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, binary, args...)
	var stdout, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr, c.WaitDelay = stdin, &stdout, &stderr, time.Second
	c.Env = append(os.Environ(), "ASSAY_URL="+d.url, "ASSAY_TOKEN="+d.tokens[who], "LANG=C.UTF-8", "HOME="+d.dir)
	err = c.Run()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	if got := c.ProcessState.ExitCode(); got != code && (code != ofOrder || got > exitUnknown) {
		t.Fatalf("%s: assay %v: code %d, want %d\n%s%s", who, args, got, code, &stdout, &stderr)
	}
	return stdout.String(), stderr.String()
}

// made is what a command with --json printed.
func made[T any](t *testing.T, d *desk, who string, code int, args ...string) (v T) {
	t.Helper()
	out, _ := d.as(t, who, code, nil, append(args, "--json")...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("assay %v: %v\n%s", args, err, out)
	}
	return v
}

const (
	companyFile = "name: Orchard Technology (Shenzhen) Co., Ltd.\ndepartment: IT\ncountry: CN\nprovince: Guangdong\ncity: Shenzhen\naddress: 12 Fruit Street, Nanshan\n"
	phoneLine   = "phone: {area: \"0755\", number: \"86013388\"}\n"
	personFile  = "first_name: Mei\nlast_name: Lin\ntitle: IT Manager\nemail: mei.lin@orchard.net\nphone: \"13800138000\"\n"
)

func pdf(body string) string {
	return "%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n% " + body + strings.Repeat("x", 2000) + "\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
}

// identity is the order file of an organization with dossiers.
func (d *desk) identity(t *testing.T, organization, contact string) string {
	t.Helper()
	return d.identityOf(t, order.OV, "orchard.net", organization, contact)
}

func (d *desk) identityOf(t *testing.T, p order.Product, name, organization, contact string) string {
	t.Helper()
	csr := strings.ReplaceAll(csrOf(t, name, name), "\n", "\n  ")
	return d.file(t, "order.yaml", "product: "+string(p)+"\nnames: ["+name+"]\nmethod: dns\norganization: {profile_id: "+organization+"}\ncontacts: {administrator_id: "+contact+"}\ncsr: |\n  "+csr+"\n")
}

// TestServiceOrganization takes an OV order through all that people do: refused
// without a phone, corrected, its letter uploaded, the company called, claims
// approved, ready. The next one of the account needs nobody. All by the command
// line of the real program.
func TestServiceOrganization(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	// A scanner that finds something in what says INFECTED, and is out of order on
	// what says BROKEN.
	scanner := filepath.Join(s.dir, "scanner")
	if err := os.WriteFile(scanner, []byte("#!/bin/sh\nall=$(cat | tr -d '\\000')\ncase $all in *INFECTED*) exit 1;; *BROKEN*) exit 2;; esac\nexit 0\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.args = []string{"--letter-scan", scanner, "--letter-max", "1000000"}
	s.look(t, bare(), lab.Options{})
	d := people(t, s)

	// Without a phone: refused as an order, and as a dossier.
	bad := d.file(t, "bad.yaml", "product: ov\nnames: [orchard.net]\nmethod: dns\norganization:\n  "+strings.ReplaceAll(companyFile, "\n", "\n  ")+
		"\ncontacts:\n  administrator:\n    "+strings.ReplaceAll(personFile, "\n", "\n    ")+"\n  technical:\n    "+strings.ReplaceAll(personFile, "\n", "\n    ")+
		"\ncsr: |\n  "+strings.ReplaceAll(csrOf(t, "orchard.net", "orchard.net"), "\n", "\n  ")+"\n")
	out, told := d.as(t, "shop", exitRefuse, nil, "order", "new", "--file", bad)
	if !strings.Contains(out+told, "organization.phone-empty") {
		t.Errorf("refused without a phone:\n%s%s", out, told)
	}
	org := made[service.DossierView](t, d, "shop", 0, "org", "new", "--file", d.file(t, "org.yaml", companyFile))
	out, told = d.as(t, "shop", exitRefuse, nil, "org", "submit", org.ID)
	if !strings.Contains(out+told, "organization.phone-empty") {
		t.Errorf("a dossier without a phone:\n%s%s", out, told)
	}
	d.as(t, "shop", 0, nil, "org", "change", org.ID, "--file", d.file(t, "org.yaml", companyFile+phoneLine))
	d.as(t, "shop", 0, nil, "org", "submit", org.ID)
	con := made[service.DossierView](t, d, "shop", 0, "contact", "new", "--org", org.ID, "--file", d.file(t, "contact.yaml", personFile), "--submit")
	if con.State != "submitted" {
		t.Fatalf("%+v", con)
	}
	// Nobody decides on the own account; an applicant decides on nothing.
	d.as(t, "shop", exitNoPermission, nil, "org", "verify", org.ID, "--approve", "--version", "3")

	file := d.identity(t, org.ID, con.ID)
	v := made[service.View](t, d, "shop", ofOrder, "order", "new", "--file", file)
	if v.State != order.StateLetter {
		t.Fatalf("%s %v", v.State, rootCauses(v.Findings))
	}
	form := filepath.Join(d.dir, "letter.html")
	d.as(t, "shop", 0, nil, "order", "letter", "form", v.ID, "--out", form)
	if raw, err := os.ReadFile(form); err != nil || !bytes.Contains(raw, []byte("Orchard Technology")) || !bytes.Contains(raw, []byte("Mei Lin")) {
		t.Errorf("the form: %v %s", err, raw)
	}
	d.hostile(t, v.ID)
	d.as(t, "shop", ofOrder, nil, "letter", "upload", v.ID, d.file(t, "letter.pdf", pdf("")))

	// The reviewer finds out, calls, accepts, approves.
	d.as(t, "anna", exitUsage, nil, "org", "verify", org.ID)
	snapshot := d.file(t, "page.html", "what the register shows")
	for _, c := range [][]string{
		{"name", "Orchard Technology (Shenzhen) Co., Ltd.", "gsxt.gov.cn", "QGIS"},
		{"address", "12 Fruit Street, Nanshan, Shenzhen", "gsxt.gov.cn", "QGIS"},
		{"phone", "+86 755 8601 3388", "114", "phone-company"},
	} {
		d.as(t, "anna", 0, nil, "org", "verify", org.ID, "--item", c[0], "--value", c[1], "--source", c[2], "--class", c[3], "--snapshot", snapshot)
	}
	d.approve(t, "anna", "org", org.ID)
	out, _ = d.as(t, "shop", 0, nil, "org", "show", org.ID)
	if !strings.Contains(out, "approved") || !strings.Contains(out, "gsxt.gov.cn") || !strings.Contains(out, "OV") {
		t.Errorf("the dossier approved:\n%s", out)
	}
	if _, told = d.as(t, "anna", exitData, nil, d.approval(t, "anna", "org", org.ID)...); !strings.Contains(told, "assay org show "+org.ID) {
		t.Errorf("approved twice by one: %s", told)
	}
	d.unseen(t, org.ID)
	d.approve(t, "anna", "contact", con.ID)
	letters := made[[]service.LetterView](t, d, "anna", 0, "order", "letter", "show", v.ID)
	saved := filepath.Join(d.dir, "saved.pdf")
	d.as(t, "anna", 0, nil, "order", "letter", "show", v.ID, letters[0].ID, "--out", saved)
	if raw, err := os.ReadFile(saved); err != nil || string(raw) != pdf("") {
		t.Errorf("the letter read: %d bytes, %v", len(raw), err)
	}
	d.as(t, "anna", ofOrder, nil, "order", "call", "add", v.ID, "--number", "+86 755 8601 3388", "--source", "114", "--result", "no-answer")
	d.asAny(t, "anna", "order", "letter", "accept", v.ID, letters[0].ID)
	d.asAny(t, "anna", "order", "call", "add", v.ID, "--number", "+86 755 8601 3388", "--source", "114", "--result", "confirmed", "--answered-by", "front desk")
	if calls := made[[]service.CallView](t, d, "shop", 0, "order", "call", "list", v.ID); len(calls) != 2 || calls[0].Result != "confirmed" {
		t.Errorf("%+v", calls)
	}

	s.look(t, lab.Change{}, lab.Options{Value: v.Challenges[0].Value})
	if v = *s.verify(t, v.ID); v.State != order.StateReady {
		t.Fatalf("all done: %s %v", v.State, rootCauses(v.Findings))
	}

	// The next one needs nobody.
	next := made[service.View](t, d, "shop", ofOrder, "order", "new", "--file", d.identity(t, org.ID, con.ID))
	s.look(t, lab.Change{}, lab.Options{Value: next.Challenges[0].Value})
	if got := s.verify(t, next.ID); got.State != order.StateReady {
		t.Errorf("the next one: %s %v", got.State, rootCauses(got.Findings))
	}
	s.audited(t)
	if raw, err := os.ReadFile(filepath.Join(s.dir, "data", "assay.db")); err == nil && bytes.Contains(raw, []byte("mei.lin@orchard.net")) {
		t.Error("the administrator's address can be read in the database")
	}
}

var approval = regexp.MustCompile(`(?m)^\W*assay ((?:org|contact) verify \S+ --approve --version \d+)$`)

// approval is the command that approves a dossier as somebody reads it: it is
// shown with it.
func (d *desk) approval(t *testing.T, who, word, id string) []string {
	t.Helper()
	out, _ := d.as(t, who, 0, nil, word, "show", id)
	m := approval.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no command that approves it:\n%s", out)
	}
	return strings.Fields(m[1])
}

func (d *desk) approve(t *testing.T, who, word, id string) {
	t.Helper()
	d.as(t, who, 0, nil, d.approval(t, who, word, id)...)
}

// unseen has a contact become somebody else between the look and the approval: it
// is not approved.
func (d *desk) unseen(t *testing.T, org string) {
	t.Helper()
	con := made[service.DossierView](t, d, "shop", 0, "contact", "new", "--org", org, "--file", d.file(t, "contact.yaml", personFile), "--submit").ID
	if _, told := d.as(t, "anna", exitUsage, nil, "contact", "verify", con, "--approve"); !strings.Contains(told, "--version") || !strings.Contains(told, "assay contact show "+con) {
		t.Errorf("no version: %s", told)
	}
	read := d.approval(t, "anna", "contact", con)
	d.as(t, "bert", 0, nil, "contact", "verify", con, "--refuse", "mismatch", "--note", "who is this?")
	d.as(t, "shop", 0, nil, "contact", "change", con, "--file", d.file(t, "contact.yaml", strings.ReplaceAll(personFile, "mei.lin@", "mei@")))
	d.as(t, "shop", 0, nil, "contact", "submit", con)
	if _, told := d.as(t, "anna", exitData, nil, read...); !strings.Contains(told, "assay contact show "+con) {
		t.Errorf("another than was read: %s", told)
	}
	if v := made[service.DossierView](t, d, "anna", 0, "contact", "show", con); v.State != "submitted" || v.Parent != org {
		t.Errorf("approved unseen: %+v", v)
	}
	if out, _ := d.as(t, "anna", 0, nil, "contact", "show", con); !strings.Contains(out, "mei@orchard.net") {
		t.Errorf("what is approved is not shown:\n%s", out)
	}
}

// ofOrder is any code that says how an order is.
const ofOrder = -1

// endless is a PDF that does not end.
type endless struct {
	left  int64
	taken atomic.Int64
}

func (e *endless) Read(p []byte) (int, error) {
	at := e.taken.Load()
	if at >= e.left {
		return 0, io.EOF
	}
	n := copy(p, "%PDF-1.4\n")
	if at > 0 {
		for i := range p {
			p[i] = 'x'
		}
		n = len(p)
	}
	e.taken.Add(int64(n))
	return n, nil
}

// asAny is as, where the code says how the order is, which is looked at meanwhile.
func (d *desk) asAny(t *testing.T, who string, args ...string) {
	t.Helper()
	out := made[service.View](t, d, who, ofOrder, args...)
	if out.ID == "" {
		t.Errorf("%v: no order", args)
	}
}

// hostile tries to upload what is no letter: each is refused with what is wrong
// with it, and the order has none after.
func (d *desk) hostile(t *testing.T, id string) {
	t.Helper()
	page := "<!DOCTYPE html><html><script>alert(1)</script></html>" + strings.Repeat(" ", 2000)
	for name, c := range map[string]struct{ content, says string }{
		"page.html":   {page, "no jpg, png or pdf"},
		"page.pdf":    {page, "no jpg, png or pdf"},
		"both.pdf":    {pdf("<html><script>alert(1)</script></html>"), "web page"},
		"archive.pdf": {pdf("") + "\n%PK\x05\x06" + strings.Repeat("\x00", 18), "follows the end"},
		"acts.pdf":    {strings.Replace(pdf(""), "/Type", "/OpenAction << /S /J#61vaScript >> /Type", 1), "scripts"},
		"cut.pdf":     {pdf("")[:1500], "cut off"},
		"virus.pdf":   {pdf("INFECTED"), "found something"},
		"large.pdf":   {pdf(strings.Repeat("x", 1_000_000)), "1000000"},
		"small.pdf":   {"%PDF-1.4\n%%EOF\n", "15 bytes"},
	} {
		_, told := d.as(t, "shop", exitData, nil, "order", "letter", "upload", id, d.file(t, name, c.content))
		if !strings.Contains(told, c.says) {
			t.Errorf("%s: %s", name, told)
		}
	}
	if _, told := d.as(t, "shop", exitUnavailable, nil, "order", "letter", "upload", id, d.file(t, "broken.pdf", pdf("BROKEN"))); !strings.Contains(told, "cannot be scanned") {
		t.Errorf("a scanner out of order: %s", told)
	}
	// Ten gigabytes: the program stops reading, and so does the service.
	if _, told := d.as(t, "shop", exitData, &endless{left: 10 << 30}, "order", "letter", "upload", id, "-"); !strings.Contains(told, "2 MiB") {
		t.Errorf("endless: %s", told)
	}
	before := d.memory(t)
	body := &endless{left: 10 << 30}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url+"/api/v1/orders/"+id+"/letters", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+d.tokens["shop"])
	r.Header.Set("Content-Type", "application/octet-stream")
	answer, err := http.DefaultClient.Do(r)
	if err == nil {
		answer.Body.Close()
		if answer.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("endless: %s", answer.Status)
		}
	} else if !errors.Is(err, io.ErrClosedPipe) && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("endless: %v", err)
	}
	if sent := body.taken.Load(); sent > 64<<20 {
		t.Errorf("the service took %d bytes of an endless letter", sent)
	}
	if grown := d.memory(t) - before; grown > 64<<20 {
		t.Errorf("an endless letter took %d bytes of memory", grown)
	}
	if list := made[[]service.LetterView](t, d, "shop", 0, "order", "letter", "show", id); len(list) != 0 {
		t.Errorf("kept: %+v", list)
	}
}

var peak = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// memory is the most that the service has had in memory, in bytes.
func (d *desk) memory(t *testing.T) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	m := peak.FindSubmatch(raw)
	if m == nil {
		t.Fatalf("%s", raw)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// TestLetterFlags: a scanner that is not there, and a size that is none, are told
// when the service starts.
func TestLetterFlags(t *testing.T) {
	t.Parallel()
	a, _, err := settled(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		flags letterFlags
		says  string
	}{
		"nothing":         {letterFlags{}, ""},
		"no such program": {letterFlags{scan: "/no/such/scanner --stdin"}, "/no/such/scanner"},
		"less than none":  {letterFlags{max: -1}, "--letter-max"},
		"too much":        {letterFlags{max: 1 << 30}, "2097152"},
	} {
		scan, err := a.scanner(&c.flags)
		if scan != nil || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
