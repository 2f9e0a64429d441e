package service

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/internal/store"
	"assay/lookup"
	"assay/order"
)

// filedFor is what is filed for an order that is not kept.
func (o *office) filedFor(t *testing.T, p order.Product, organization, contact, id string) *lookup.Records {
	t.Helper()
	a := identity(t, p, organization, contact, "orchard.net")
	row := &store.Order{Order: &a.Order, OrderRow: store.OrderRow{ID: id, Tenant: RootTenant, Account: "shop", Product: p, Profile: "cloud"}}
	r, _, err := o.gather(t.Context(), row, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestChangedDossier: what was found about what a dossier said before it was
// changed does not stand for what it says now: letter, call, claims.
func TestChangedDossier(t *testing.T) {
	t.Parallel()
	o, ctx, d, see := newOffice(t), t.Context(), must[*DossierView](t), must[*View](t)
	organization, contact := o.approved(t)
	d(o.AddClaim(ctx, o.first, contact, ClaimRequest{Item: "authority", Value: "signer", Source: "letter of the board", Class: "letter"}))
	v := o.apply(t, o.owner, identity(t, order.OV, organization, contact, "orchard.net"))
	see(o.UploadLetter(ctx, o.owner, v.ID, pdfLetter))
	l := must[[]LetterView](t)(o.Letters(ctx, o.first, v.ID))
	see(o.DecideLetter(ctx, o.first, v.ID, l[0].ID, DecisionRequest{Accept: true}))
	see(o.AddCall(ctx, o.first, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}))
	if r := o.filedFor(t, order.OV, organization, contact, "x"); len(r.Letters) != 1 || len(r.Calls) != 1 || len(r.Claims) != 3 || len(r.People) != 2 {
		t.Fatalf("before: %+v", r)
	}
	o.pass(time.Hour)
	other, she := orchard(), mei()
	other.Name, she.LastName = "Somebody Else Ltd.", "Wang"
	for id, r := range map[string]DossierRequest{organization: {Organization: other}, contact: {Parent: organization, Contact: she}} {
		d(o.DecideDossier(ctx, o.first, id, 0, DecisionRequest{Reason: "mismatch", Note: "look again"}))
		d(o.ChangeDossier(ctx, o.owner, id, 0, r))
		d(o.SubmitDossier(ctx, o.owner, id, 0))
	}
	o.pass(time.Hour)
	if _, err := o.approveDossier(ctx, o.first, organization); !problemIs(err, WrongState) {
		t.Errorf("approved by what was found about another name: %v", err)
	}
	for _, c := range claimsOf(other) {
		d(o.AddClaim(ctx, o.first, organization, c))
	}
	d(o.approveDossier(ctx, o.first, organization))
	d(o.approveDossier(ctx, o.first, contact))
	r := o.filedFor(t, order.OV, organization, contact, "x")
	if len(r.Letters) != 0 || len(r.Calls) != 0 || len(r.Claims) != 3 || len(r.People) != 1 {
		t.Errorf("after: %d letters, %d calls, %d claims, %+v", len(r.Letters), len(r.Calls), len(r.Claims), r.People)
	}
}

// TestTwoLook: for EV nothing counts that one reviewer alone found: neither what
// was added to a dossier after its approvals, nor what is for one order.
func TestTwoLook(t *testing.T) {
	t.Parallel()
	o, ctx, d := newOffice(t), t.Context(), must[*DossierView](t)
	organization, contact := o.approved(t)
	o.pass(time.Minute)
	approve := func(who Principal, id string) {
		t.Helper()
		d(o.approveDossier(ctx, who, id))
	}
	approve(o.second, organization)
	approve(o.second, contact)
	o.pass(time.Minute)
	exists := ClaimRequest{Item: "operational-existence", Value: "since 2009", Source: "gsxt.gov.cn", Class: "QGIS"}
	d(o.AddClaim(ctx, o.second, organization, exists))
	for p, want := range map[order.Product]int{order.OV: 4, order.EV: 3} {
		if r := o.filedFor(t, p, organization, contact, "x"); len(r.Claims) != want {
			t.Errorf("%s: %d claims, want %d", p, len(r.Claims), want)
		}
	}
	// Who found it approves it anew, as the first; then another one does.
	o.pass(time.Minute)
	v := d(o.approveDossier(ctx, o.second, organization))
	if !slices.Equal(v.Products, []order.Product{order.OV}) {
		t.Errorf("%v after one looked at what is new", v.Products)
	}
	if _, err := o.approveDossier(ctx, o.second, organization); !problemIs(err, WrongState) {
		t.Errorf("twice the same: %v", err)
	}
	approve(o.first, organization)
	if r := o.filedFor(t, order.EV, organization, contact, "x"); len(r.Claims) != 4 {
		t.Errorf("%d claims after two looked", len(r.Claims))
	}

	// For one order alone.
	a := identity(t, order.OV, organization, contact, "orchard.net")
	order1 := o.apply(t, o.owner, a)
	number := ClaimRequest{Item: "number", Value: "91440300", Source: "gsxt.gov.cn", Class: "QGIS"}
	for i, who := range []Principal{o.first, o.first, o.second} {
		must[*View](t)(o.AddOrderClaim(ctx, who, order1.ID, number))
		if n := len(o.filedFor(t, order.EV, organization, contact, order1.ID).Claims); n != map[int]int{0: 4, 1: 4, 2: 7}[i] {
			t.Errorf("%d claims after %d", n, i+1)
		}
	}
	owner := number
	owner.Item, owner.Value = "registrant", "Somebody Else Ltd."
	must[*View](t)(o.AddOrderClaim(ctx, o.first, order1.ID, owner))
	if n := len(o.filedFor(t, order.EV, organization, contact, order1.ID).Claims); n != 8 {
		t.Errorf("%d claims: who owns the domain speaks at once", n)
	}
	// Nobody takes back what speaks against the own account.
	own := Principal{Tenant: RootTenant, Account: "Shop", Token: "x", Role: RoleReviewer}
	v = d(o.Dossier(ctx, o.first, organization))
	if _, err := o.WithdrawClaim(ctx, own, organization, v.Claims[0].ID); !problemIs(err, WrongState) {
		t.Errorf("withdrawn by its own account: %v", err)
	}
}

// TestKeptDossier: an answer that is kept for a request repeated holds nothing
// personal.
func TestKeptDossier(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	organization, contact := o.approved(t)
	for _, id := range []string{organization, contact} {
		v := must[*DossierView](t)(o.Dossier(t.Context(), o.first, id))
		whole, err := json.Marshal(v)
		if err != nil || !strings.Contains(string(whole), "Orchard") && !strings.Contains(string(whole), "Mei") {
			t.Fatalf("%s %v", whole, err)
		}
		kept, err := json.Marshal(v.WithoutSecret())
		if err != nil || strings.Contains(string(kept), "Orchard") || strings.Contains(string(kept), "Mei") || !strings.Contains(string(kept), id) {
			t.Errorf("%s %v", kept, err)
		}
	}
}

// TestDeleteDossier: what something depends on stays.
func TestDeleteDossier(t *testing.T) {
	t.Parallel()
	o, ctx := newOffice(t), t.Context()
	organization, contact := o.filed(t)
	if err := o.DeleteDossier(ctx, o.owner, organization, 0); !problemIs(err, WrongState) {
		t.Errorf("with a contact: %v", err)
	}
	for _, id := range []string{contact, organization} {
		if err := o.DeleteDossier(ctx, o.owner, id, 0); err != nil {
			t.Error(err)
		}
	}
	organization, _ = o.approved(t)
	if err := o.DeleteDossier(ctx, o.owner, organization, 0); !problemIs(err, WrongState) {
		t.Errorf("approved: %v", err)
	}
}

// TestApprovedUnseen: what is approved is what the reviewer read. What was refused
// and changed meanwhile, or got another claim, is looked at again.
func TestApprovedUnseen(t *testing.T) {
	t.Parallel()
	o, ctx, d := newOffice(t), t.Context(), must[*DossierView](t)
	organization, contact := o.filed(t)
	for _, c := range claimsOf(orchard()) {
		d(o.AddClaim(ctx, o.first, organization, c))
	}
	if _, err := o.DecideDossier(ctx, o.first, organization, 0, DecisionRequest{Accept: true}); !problemIs(err, Invalid) {
		t.Errorf("of no version: %v", err)
	}
	d(o.approveDossier(ctx, o.first, organization))
	seen := d(o.Dossier(ctx, o.first, contact))
	she := mei()
	she.LastName = "Wang"
	d(o.DecideDossier(ctx, o.second, contact, 0, DecisionRequest{Reason: "mismatch", Note: "who is this?"}))
	d(o.ChangeDossier(ctx, o.owner, contact, 0, DossierRequest{Parent: organization, Contact: she}))
	d(o.SubmitDossier(ctx, o.owner, contact, 0))
	for _, version := range []int64{seen.Version, seen.Version + 1, seen.Version + 4} {
		if _, err := o.DecideDossier(ctx, o.first, contact, version, DecisionRequest{Accept: true}); !problemIs(err, Conflict) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	seen = d(o.Dossier(ctx, o.first, contact))
	d(o.AddClaim(ctx, o.second, contact, ClaimRequest{Item: "authority", Value: "signer", Source: "letter of the board", Class: "letter"}))
	if _, err := o.DecideDossier(ctx, o.first, contact, seen.Version, DecisionRequest{Accept: true}); !problemIs(err, Conflict) {
		t.Errorf("before the claim: %v", err)
	}
	seen = d(o.Dossier(ctx, o.first, contact))
	if v := d(o.DecideDossier(ctx, o.first, contact, seen.Version, DecisionRequest{Accept: true})); v.State != "ok" || v.Version != seen.Version+1 {
		t.Errorf("%+v", v)
	}
}
