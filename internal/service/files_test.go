package service

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/internal/message"
	"assay/internal/secret"
	"assay/internal/store"
	"assay/lab"
	"assay/order"
)

// An office is a house with keys, two reviewers and somebody who orders for a
// company.
type office struct {
	*house
	owner, first, second Principal
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{house: newHouse(t)}
	file := secret.KeyFile{Path: filepath.Join(t.TempDir(), "key")}
	if err := file.Create(o.clock(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	ring, err := secret.NewRing(t.Context(), file, o.clock(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keeper, err := secret.Open(t.Context(), secret.Config{Master: file, Ring: ring, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	o.Secrets = keeper
	o.owner, o.first, o.second = o.who[RoleApplicant], o.reviewer(t, "anna"), o.reviewer(t, "bert")
	return o
}

// reviewer is somebody with a token that can be revoked.
func (o *office) reviewer(t *testing.T, account string) Principal {
	t.Helper()
	v, err := o.NewToken(t.Context(), o.who[RoleAdministrator], TokenRequest{Role: RoleReviewer, Account: account})
	if err != nil {
		t.Fatal(err)
	}
	return Principal{Tenant: RootTenant, Account: account, Token: v.ID, Role: RoleReviewer}
}

func orchard() *order.Organization {
	return &order.Organization{
		Name: "Orchard Technology (Shenzhen) Co., Ltd.", Department: "IT", Country: "CN", Province: "Guangdong", City: "Shenzhen",
		Address: "12 Fruit Street, Nanshan", Phone: order.Phone{Area: "0755", Number: "86013388"},
	}
}

func mei() *order.Contact {
	return &order.Contact{FirstName: "Mei", LastName: "Lin", Title: "IT Manager", Email: "mei.lin@orchard.net", Phone: "13800138000"}
}

// identity is an order of a product for an organization.
func identity(t *testing.T, p order.Product, organization, contact string, names ...string) Application {
	t.Helper()
	a := dv(t, names...)
	a.Order.Product = p
	a.Order.Organization, a.Order.Contacts = &order.Organization{ProfileID: organization}, &order.Contacts{AdministratorID: contact}
	return a
}

// must is a result that there is.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err, findings(err))
		}
		return v
	}
}

// filed makes the dossiers of the organization and its administrator and submits
// them.
func (o *office) filed(t *testing.T) (organization, contact string) {
	t.Helper()
	ctx, d := t.Context(), must[*DossierView](t)
	org := d(o.NewDossier(ctx, o.owner, DossierRequest{Kind: "organization", Organization: orchard()}))
	con := d(o.NewDossier(ctx, o.owner, DossierRequest{Kind: "contact", Parent: org.ID, Contact: mei()}))
	d(o.SubmitDossier(ctx, o.owner, org.ID, 0))
	d(o.SubmitDossier(ctx, o.owner, con.ID, 0))
	return org.ID, con.ID
}

func claimsOf(o *order.Organization) []ClaimRequest {
	return []ClaimRequest{
		{Item: "name", Value: o.Name, Source: "gsxt.gov.cn", Class: "QGIS", Snapshot: strings.Repeat("5a", 32)},
		{Item: "address", Value: o.Address + ", Shenzhen", Source: "gsxt.gov.cn", Class: "QGIS"},
		{Item: "phone", Value: "+86 755 8601 3388", Source: "114", Class: "phone-company"},
	}
}

// approveDossier is the approval of somebody who looks at a dossier and decides at
// once.
func (o *office) approveDossier(ctx context.Context, who Principal, id string) (*DossierView, error) {
	d, err := o.Store.Dossier(ctx, who.Tenant, id)
	if err != nil {
		return nil, err
	}
	return o.DecideDossier(ctx, who, id, d.Version, DecisionRequest{Accept: true})
}

// approved are dossiers that one reviewer verified and approved.
func (o *office) approved(t *testing.T) (organization, contact string) {
	t.Helper()
	ctx, d := t.Context(), must[*DossierView](t)
	organization, contact = o.filed(t)
	for _, c := range claimsOf(orchard()) {
		d(o.AddClaim(ctx, o.first, organization, c))
	}
	d(o.approveDossier(ctx, o.first, organization))
	d(o.approveDossier(ctx, o.first, contact))
	return organization, contact
}

var pdfLetter = []byte("%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n% " + strings.Repeat("x", 2000) + "\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n")

// TestOrganizationOrder: an order for an organization waits for its letter, the
// people and the call, each with its finding, and passes; the next one needs
// nobody.
func TestOrganizationOrder(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	bad := dv(t, "orchard.net")
	bad.Order.Product, bad.Order.Organization = order.OV, orchard()
	bad.Order.Organization.Phone = order.Phone{}
	bad.Order.Contacts = &order.Contacts{Administrator: mei(), Technical: mei()}
	if _, err := o.Apply(ctx, o.owner, bad); !problemIs(err, Refused) {
		t.Fatalf("without a phone: %v", err)
	}
	organization, contact := o.filed(t)
	v := o.apply(t, o.owner, identity(t, order.OV, organization, contact, "orchard.net"))
	if v.State != order.StateLetter || v.Order.Organization.Name != orchard().Name {
		t.Fatalf("%s %+v", v.State, v.Order.Organization)
	}
	see := must[*View](t)
	if v = see(o.UploadLetter(ctx, o.owner, v.ID, pdfLetter)); v.State != order.StatePending {
		t.Fatalf("with its letter: %s", v.State)
	}
	o.world(t, v, lab.Change{})
	wants := func(when string, want ...cause.ID) {
		t.Helper()
		v = o.run(t, v.ID)
		got := causesIn(v)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Fatalf("%s: %s %v, want %v", when, v.State, got, want)
		}
	}
	// Nobody looked: all of it is open.
	wants("submitted", cause.OrganizationLetterNotAccepted, cause.OrganizationNotVerifiable, cause.OrganizationPhoneNotIndependent,
		cause.OrganizationPhoneUnanswered, cause.OrganizationRequesterNotAuthorized)
	for _, c := range claimsOf(orchard()) {
		must[*DossierView](t)(o.AddClaim(ctx, o.first, organization, c))
	}
	must[*DossierView](t)(o.approveDossier(ctx, o.first, organization))
	wants("the organization approved", cause.OrganizationLetterNotAccepted, cause.OrganizationPhoneUnanswered, cause.OrganizationRequesterNotAuthorized)
	must[*DossierView](t)(o.approveDossier(ctx, o.first, contact))
	wants("the administrator approved", cause.OrganizationLetterNotAccepted, cause.OrganizationPhoneUnanswered)
	letters := must[[]LetterView](t)(o.Letters(ctx, o.first, v.ID))
	see(o.DecideLetter(ctx, o.first, v.ID, letters[0].ID, DecisionRequest{Accept: true}))
	see(o.AddCall(ctx, o.first, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "no-answer"}))
	wants("a call that nobody answered", cause.OrganizationPhoneUnanswered)
	see(o.AddCall(ctx, o.first, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed", AnsweredBy: "Mei Lin"}))
	wants("a call that was answered")
	if v.State != order.StateReady {
		t.Fatalf("%s %s", v.State, v.Verdict)
	}

	next := o.apply(t, o.owner, identity(t, order.OV, organization, contact, "orchard.net"))
	if next.State != order.StatePending {
		t.Fatalf("the next one: %s", next.State)
	}
	o.world(t, next, lab.Change{})
	if next = o.run(t, next.ID); next.State != order.StateReady {
		t.Errorf("the next one: %s %v", next.State, causesIn(next))
	}
	// What is kept of the review names nobody.
	r := must[*ReviewView](t)(o.Review(ctx, o.first, next.ID, 0))
	if raw, err := json.Marshal(r); err != nil || bytes.Contains(raw, []byte("Mei")) || !bytes.Contains(raw, []byte(contact)) {
		t.Errorf("%v", err)
	}
	// When it is too old it counts no more.
	o.pass(399 * 24 * time.Hour)
	var p *Problem
	_, err := o.Apply(ctx, o.owner, identity(t, order.OV, organization, contact, "orchard.net"))
	if !errors.As(err, &p) || p.Kind != Refused || p.Report.Findings[0].Cause != cause.OrganizationRequesterNotAuthorized {
		t.Errorf("with evidence of 399 days: %v %v", err, findings(err))
	}
}

// TestFalseAccepts: what must not stand for an organization.
func TestFalseAccepts(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, o *office, organization, contact string, a *Application){
		"another name than was verified": func(_ *testing.T, _ *office, _, _ string, a *Application) {
			a.Order.Organization.Name = "Somebody Else Ltd."
		},
		"a claim that was withdrawn": func(t *testing.T, o *office, organization, _ string, _ *Application) {
			v := must[*DossierView](t)(o.Dossier(t.Context(), o.first, organization))
			i := slices.IndexFunc(v.Claims, func(c ClaimView) bool { return c.Item == "name" })
			must[*DossierView](t)(o.WithdrawClaim(t.Context(), o.second, organization, v.Claims[i].ID))
		},
		"an administrator who was refused": func(t *testing.T, o *office, _, contact string, _ *Application) {
			must[*DossierView](t)(o.DecideDossier(t.Context(), o.first, contact, 0, DecisionRequest{Reason: "not-authorized", Note: "left the company"}))
		},
		"an organization that was refused": func(t *testing.T, o *office, organization, _ string, _ *Application) {
			must[*DossierView](t)(o.DecideDossier(t.Context(), o.first, organization, 0, DecisionRequest{Reason: "withdrawn", Note: "dissolved"}))
		},
		"an EV order with one reviewer": func(_ *testing.T, _ *office, _, _ string, a *Application) { a.Order.Product = order.EV },
		"evidence that was erased": func(t *testing.T, o *office, organization, _ string, _ *Application) {
			must[*DossierView](t)(o.EraseDossier(t.Context(), o.who[RoleAdministrator], organization))
		},
		"another account": func(t *testing.T, o *office, _, _ string, _ *Application) {
			o.owner.Account = "stranger"
			if _, err := o.PutAccount(t.Context(), o.who[RoleAdministrator], AccountView{ID: "stranger", Verified: true}); err != nil {
				t.Fatal(err)
			}
		},
		"an administrator of another organization": func(t *testing.T, o *office, _, _ string, a *Application) {
			other := must[*DossierView](t)(o.NewDossier(t.Context(), o.owner, DossierRequest{Kind: "organization", Organization: orchard()}))
			must[*DossierView](t)(o.SubmitDossier(t.Context(), o.owner, other.ID, 0))
			a.Order.Organization.ProfileID = other.ID
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			organization, contact := o.approved(t)
			// One order passes, so that a letter and a call are there.
			see := must[*View](t)
			v := o.apply(t, o.owner, identity(t, order.OV, organization, contact, "orchard.net"))
			see(o.UploadLetter(t.Context(), o.owner, v.ID, pdfLetter))
			l := must[[]LetterView](t)(o.Letters(t.Context(), o.first, v.ID))
			see(o.DecideLetter(t.Context(), o.first, v.ID, l[0].ID, DecisionRequest{Accept: true}))
			see(o.AddCall(t.Context(), o.first, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}))
			o.world(t, v, lab.Change{})
			if v = o.run(t, v.ID); v.State != order.StateReady {
				t.Fatalf("unspoilt: %s %v", v.State, causesIn(v))
			}
			a := identity(t, order.OV, organization, contact, "orchard.net")
			spoil(t, o, organization, contact, &a)
			next, err := o.Apply(t.Context(), o.owner, a)
			if problemIs(err, Invalid) || problemIs(err, Refused) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			o.world(t, next, lab.Change{})
			if next = o.run(t, next.ID); next.State == order.StateReady || next.Verdict == "pass" {
				t.Errorf("it passed: %s", next.State)
			}
		})
	}
}

// TestTwoReviewers: an EV order needs the approval of two, and the authority of
// signer and approver.
func TestTwoReviewers(t *testing.T) {
	t.Parallel()
	o, ctx, d := newOffice(t), t.Context(), must[*DossierView](t)
	organization, contact := o.approved(t)
	for _, who := range []Principal{o.first, {Tenant: RootTenant, Account: "shop", Token: "x", Role: RoleReviewer}} {
		if _, err := o.approveDossier(ctx, who, organization); !problemIs(err, WrongState) {
			t.Errorf("%s: %v", who.Account, err)
		}
	}
	v := d(o.approveDossier(ctx, o.second, organization))
	if !slices.Equal(v.Products, []order.Product{order.OV, order.EV}) {
		t.Errorf("%v", v.Products)
	}
	d(o.approveDossier(ctx, o.second, contact))
	a := identity(t, order.EV, organization, contact, "orchard.net")
	row := &store.Order{Order: &a.Order, OrderRow: store.OrderRow{ID: "x", Tenant: RootTenant, Account: "shop", Product: order.EV, Profile: "cloud"}}
	for _, role := range []string{"signer", "approver"} {
		d(o.AddClaim(ctx, o.first, contact, ClaimRequest{Item: "authority", Value: role, Source: "letter of the board", Class: "letter"}))
	}
	r, _, err := o.gather(ctx, row, "")
	if err != nil {
		t.Fatal(err)
	}
	var roles []string
	for _, p := range r.People {
		roles = append(roles, p.Role+" "+p.Status)
	}
	slices.Sort(roles)
	if !slices.Equal(roles, []string{"administrator ok", "approver ok", "signer ok"}) || len(r.Reviews) != 2 || len(r.Claims) != 3 {
		t.Errorf("%v %+v %+v", roles, r.Reviews, r.Claims)
	}
}

// TestDossierLimits: what dossiers cannot be.
func TestDossierLimits(t *testing.T) {
	t.Parallel()
	o, ctx, d := newOffice(t), t.Context(), must[*DossierView](t)
	var all sync.WaitGroup
	for range 2 * MaxOrganizations {
		all.Go(func() {
			_, err := o.NewDossier(ctx, o.owner, DossierRequest{Kind: "organization", Organization: orchard()})
			if err != nil && !problemIs(err, WrongState) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, _, err := o.Dossiers(ctx, o.owner, DossierQuery{Kind: "organization", Limit: 200})
	if err != nil || len(list) != MaxOrganizations {
		t.Fatalf("%d organizations, %v", len(list), err)
	}
	org := list[0].ID
	for name, r := range map[string]DossierRequest{
		"no kind": {Organization: orchard()}, "two kinds": {Kind: "contact", Parent: org, Organization: orchard(), Contact: mei()},
		"no parent": {Kind: "contact", Contact: mei()}, "no such parent": {Kind: "contact", Parent: "org-x", Contact: mei()},
		"a wrong parent": {Kind: "domain", Parent: org, Domain: "orchard.net"}, "an address": {Kind: "domain", Parent: org, Domain: "10.0.0.1"},
		"too long": {Kind: "organization", Organization: &order.Organization{Name: strings.Repeat("x", 20_000)}},
	} {
		if _, err := o.NewDossier(ctx, o.owner, r); !problemIs(err, Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := o.DeleteDossier(ctx, o.owner, list[1].ID, 0); err != nil {
		t.Error(err)
	}
	empty := orchard()
	empty.Phone, empty.City = order.Phone{}, ""
	bad := d(o.NewDossier(ctx, o.owner, DossierRequest{Kind: "organization", Organization: empty}))
	_, err = o.SubmitDossier(ctx, o.owner, bad.ID, 0)
	var p *Problem
	if !errors.As(err, &p) || p.Kind != Refused || len(p.Report.Findings) < 2 {
		t.Fatalf("a form with gaps: %v %v", err, findings(err))
	}
	if _, err := o.ChangeDossier(ctx, o.owner, bad.ID, 7, DossierRequest{Organization: orchard()}); !problemIs(err, Conflict) {
		t.Errorf("from another version: %v", err)
	}
	d(o.ChangeDossier(ctx, o.owner, bad.ID, 1, DossierRequest{Organization: orchard()}))
	d(o.SubmitDossier(ctx, o.owner, bad.ID, 0))
	if _, err := o.ChangeDossier(ctx, o.owner, bad.ID, 0, DossierRequest{Organization: orchard()}); !problemIs(err, WrongState) {
		t.Errorf("changed while it is looked at: %v", err)
	}
	if _, err := o.approveDossier(ctx, o.first, bad.ID); !problemIs(err, WrongState) {
		t.Errorf("approved without a claim: %v", err)
	}
	future := o.clock().Add(time.Hour)
	for name, c := range map[string]ClaimRequest{
		"from the future": {Item: "name", Value: "x", Source: "y", Class: "QGIS", ObtainedAt: &future}, "no class": {Item: "name", Value: "x", Source: "y"},
		"no item": {Value: "x", Source: "y", Class: "QGIS"}, "a person's": {Item: "authority", Value: "signer", Source: "y", Class: "QGIS"},
		"a bad digest": {Item: "name", Value: "x", Source: "y", Class: "QGIS", Snapshot: "5a"}, "control": {Item: "name", Value: "x\u202ey", Source: "y", Class: "QGIS"},
	} {
		if _, err := o.AddClaim(ctx, o.first, bad.ID, c); !problemIs(err, Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A reviewer whose token was revoked since the request came in changes nothing.
	if _, err := o.RevokeToken(ctx, o.who[RoleAdministrator], o.first.Token); err != nil {
		t.Fatal(err)
	}
	if _, err := o.AddClaim(ctx, o.first, bad.ID, claimsOf(orchard())[0]); !problemIs(err, Unauthenticated) {
		t.Errorf("revoked in between: %v", err)
	}
}

// TestLetter: what is taken is given back as it was, sealed in the database; what
// is no letter is not taken.
func TestLetter(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	organization, contact := o.approved(t)
	v := o.apply(t, o.owner, identity(t, order.OV, organization, contact, "orchard.net"))
	for name, raw := range map[string][]byte{
		"small": pdfLetter[:100], "large": append(bytes.Clone(pdfLetter), make([]byte, 1<<21)...), "page": bytes.Repeat([]byte("<html>"), 300),
		"script": bytes.Replace(pdfLetter, []byte("/Type"), []byte("/OpenAction 2 0 R /Type"), 1),
	} {
		if _, err := o.UploadLetter(ctx, o.owner, v.ID, raw); !problemIs(err, Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	big := bytes.Replace(pdfLetter, []byte("xxx"), bytes.Repeat([]byte("y"), 1<<20), 1) // more than is sealed at once
	must[*View](t)(o.UploadLetter(ctx, o.owner, v.ID, big))
	l := must[[]LetterView](t)(o.Letters(ctx, o.owner, v.ID))[0]
	got, kind, err := o.LetterContent(ctx, o.first, v.ID, l.ID)
	if err != nil || kind != "pdf" || !bytes.Equal(got, big) {
		t.Errorf("%d bytes of %s, %v", len(got), kind, err)
	}
	parts, err := o.Store.LetterParts(ctx, l.ID)
	if err != nil || len(parts) < 2 || bytes.Contains(bytes.Join(parts, nil), []byte("yyyyyyyy")) {
		t.Errorf("%d parts, readable: %v", len(parts), err)
	}
	own := Principal{Tenant: RootTenant, Account: "shop", Token: "x", Role: RoleReviewer}
	if _, err := o.DecideLetter(ctx, own, v.ID, l.ID, DecisionRequest{Accept: true}); !problemIs(err, WrongState) {
		t.Errorf("who ordered accepts it: %v", err)
	}
	must[*View](t)(o.DecideLetter(ctx, o.first, v.ID, l.ID, DecisionRequest{Reason: "no-seal", Note: "page 2"}))
	if _, err := o.DecideLetter(ctx, o.second, v.ID, l.ID, DecisionRequest{Accept: true}); !problemIs(err, Conflict) {
		t.Errorf("decided twice: %v", err)
	}
	if l = must[[]LetterView](t)(o.Letters(ctx, o.owner, v.ID))[0]; l.State != "rejected" || l.Note != "page 2" {
		t.Errorf("%+v", l)
	}
	for lang, want := range map[cause.Language]string{cause.English: "Confirmation letter", cause.Chinese: "确认函"} {
		form, err := o.LetterForm(ctx, o.owner, v.ID, message.New(lang))
		if err != nil || !strings.Contains(string(form), want) || !strings.Contains(string(form), "Mei Lin") {
			t.Errorf("%s: %v %s", lang, err, form)
		}
	}
	must[*View](t)(o.Cancel(ctx, o.owner, v.ID, 0))
	must[*View](t)(o.Erase(ctx, o.who[RoleAdministrator], v.ID, 0))
	if _, _, err := o.LetterContent(ctx, o.first, v.ID, l.ID); !problemIs(err, NotFound) {
		t.Errorf("erased: %v", err)
	}
}

// TestRequesterList: where an organization says who may ask, nobody else may.
func TestRequesterList(t *testing.T) {
	t.Parallel()
	o, ctx, d := newOffice(t), t.Context(), must[*DossierView](t)
	organization, contact := o.approved(t)
	list := func(account string) *DossierView {
		return d(o.AddClaim(ctx, o.first, organization, ClaimRequest{Item: "requester", Value: account, Source: "letter of the board", Class: "letter"}))
	}
	if _, err := o.AddClaim(ctx, o.first, organization, ClaimRequest{Item: "requester", Value: "a b", Source: "x", Class: "letter"}); !problemIs(err, Invalid) {
		t.Errorf("no account: %v", err)
	}
	unlisted := func() bool {
		r := o.filedFor(t, order.OV, organization, contact, "x")
		return slices.ContainsFunc(r.People, func(p evidence.Person) bool { return p.Role == "requester" && p.ListVersion != "" && !p.Listed })
	}
	if unlisted() {
		t.Error("there is no list yet")
	}
	v := list("alice")
	if !unlisted() {
		t.Error("shop asks, and only alice may")
	}
	in := identity(t, order.OV, organization, contact, "orchard.net")
	if v, err := o.Apply(ctx, o.owner, in); err == nil && !slices.Contains(causesIn(v), cause.OrganizationRequesterNotAuthorized) {
		t.Errorf("%s %v", v.State, causesIn(v))
	} else if err != nil && !problemIs(err, Refused) {
		t.Error(err)
	}
	list("shop")
	if unlisted() {
		t.Error("shop is on the list")
	}
	// A list whose only entry was taken back is none.
	for _, c := range d(o.Dossier(ctx, o.first, v.ID)).Claims {
		if c.Item == "requester" {
			d(o.WithdrawClaim(ctx, o.first, organization, c.ID))
		}
	}
	if unlisted() {
		t.Error("there is no list any more")
	}
}
