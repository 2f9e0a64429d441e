package service

import (
	"errors"
	"testing"
	"time"

	"assay/cause"
	"assay/lab"
	"assay/order"
)

// readied is an office with approved dossiers and an order that passed, so that a
// letter and a call are filed: the next order needs nobody.
func readied(t *testing.T) (o *office, organization, contact string) {
	t.Helper()
	o = newOffice(t)
	ctx, see := t.Context(), must[*View](t)
	organization, contact = o.approved(t)
	v := o.apply(t, o.owner, identity(t, order.OV, organization, contact, "orchard.net"))
	see(o.UploadLetter(ctx, o.owner, v.ID, pdfLetter))
	l := must[[]LetterView](t)(o.Letters(ctx, o.first, v.ID))
	see(o.DecideLetter(ctx, o.first, v.ID, l[0].ID, DecisionRequest{Accept: true}))
	see(o.AddCall(ctx, o.first, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}))
	o.world(t, v, lab.Change{})
	if v = o.run(t, v.ID); v.State != order.StateReady {
		t.Fatalf("%s %v", v.State, causesIn(v))
	}
	return o, organization, contact
}

// TestOrderDiffersFromDossier: an order that names a dossier says what the dossier
// says or nothing: no field of its own goes into a certificate unseen.
func TestOrderDiffersFromDossier(t *testing.T) {
	t.Parallel()
	o, organization, contact := readied(t)
	for name, c := range map[string]struct {
		field string
		says  order.Organization
	}{
		"another name":         {"organization.name", order.Organization{Name: "Bank of China"}},
		"another city":         {"organization.province", order.Organization{City: "Beijing", Province: "Beijing"}},
		"only the city":        {"organization.city", order.Organization{City: "Beijing"}},
		"another country":      {"organization.country", order.Organization{Country: "DE"}},
		"a department":         {"organization.department", order.Organization{Department: "Bank of China, Payments"}},
		"part of a number":     {"organization.address", order.Organization{Address: "2 Fruit Street"}},
		"part of the address":  {"organization.address", order.Organization{Address: "12 Fruit Street"}},
		"more than an address": {"organization.address", order.Organization{Address: "12 Fruit Street, Nanshan, Shenzhen / Bank of China HQ"}},
		"a website":            {"organization.website", order.Organization{Website: "https://bank.example"}},
		"a postal code":        {"organization.postal_code", order.Organization{PostalCode: "100000"}},
		"another phone":        {"organization.phone.number", order.Organization{Phone: order.Phone{Area: "0755", Number: "86013389"}}},
		"another area":         {"organization.phone.area", order.Organization{Phone: order.Phone{Area: "010"}}},
		"another phone's land": {"organization.phone.country", order.Organization{Phone: order.Phone{Country: "DE"}}},
		"a number":             {"organization.registration_number", order.Organization{RegistrationNumber: "91440300MA5FG8H23Q"}},
		"a scheme":             {"organization.registration_scheme", order.Organization{RegistrationScheme: "uscc"}},
		"a category":           {"organization.business_category", order.Organization{BusinessCategory: "Government Entity"}},
		"a jurisdiction":       {"organization.jurisdiction_country", order.Organization{JurisdictionCountry: "CN"}},
		"its state":            {"organization.jurisdiction_state", order.Organization{JurisdictionState: "Guangdong"}},
		"its city":             {"organization.jurisdiction_city", order.Organization{JurisdictionCity: "Shenzhen"}},
	} {
		// Whether the order names it, or its administrator brings it along.
		for _, id := range []string{organization, "", "0"} {
			a := identity(t, order.OV, organization, contact, "orchard.net")
			c.says.ProfileID = id
			a.Order.Organization = &c.says
			v, err := o.Apply(t.Context(), o.owner, a)
			var p *Problem
			if !errors.As(err, &p) || p.Kind != Invalid || p.Message != "dossier.differs" || p.Pairs[1] != c.field || p.Pairs[3] != organization {
				t.Errorf("%s (%q): %+v, %v", name, id, v, err)
			}
		}
	}
	// The same in other letters is the dossier's.
	a := identity(t, order.OV, organization, contact, "orchard.net")
	*a.Order.Organization = *orchard()
	a.Order.Organization.ProfileID, a.Order.Organization.City = organization, " SHENZHEN "
	v := o.apply(t, o.owner, a)
	if v.Order.Organization.City != "Shenzhen" {
		t.Errorf("%q", v.Order.Organization.City)
	}
	o.world(t, v, lab.Change{})
	if v = o.run(t, v.ID); v.State != order.StateReady {
		t.Errorf("said twice: %s %v", v.State, causesIn(v))
	}
}

// TestDossierChangedMeanwhile: an order took over what its dossier said; when that
// was refused, and something else approved, the approval is none of what the order
// says.
func TestDossierChangedMeanwhile(t *testing.T) {
	t.Parallel()
	o, ctx, d := newOffice(t), t.Context(), must[*DossierView](t)
	says := orchard()
	says.Department = "Bank of China, Payments"
	org := d(o.NewDossier(ctx, o.owner, DossierRequest{Kind: "organization", Organization: says}))
	con := d(o.NewDossier(ctx, o.owner, DossierRequest{Kind: "contact", Parent: org.ID, Contact: mei()}))
	d(o.SubmitDossier(ctx, o.owner, org.ID, 0))
	d(o.SubmitDossier(ctx, o.owner, con.ID, 0))
	v := o.apply(t, o.owner, identity(t, order.OV, org.ID, con.ID, "orchard.net"))
	d(o.DecideDossier(ctx, o.first, org.ID, 0, DecisionRequest{Reason: "mismatch", Note: "no bank"}))
	o.pass(time.Minute)
	d(o.ChangeDossier(ctx, o.owner, org.ID, 0, DossierRequest{Organization: orchard()}))
	d(o.SubmitDossier(ctx, o.owner, org.ID, 0))
	for _, c := range claimsOf(orchard()) {
		d(o.AddClaim(ctx, o.first, org.ID, c))
	}
	d(o.approveDossier(ctx, o.first, org.ID))
	d(o.approveDossier(ctx, o.first, con.ID))
	see := must[*View](t)
	see(o.UploadLetter(ctx, o.owner, v.ID, pdfLetter))
	l := must[[]LetterView](t)(o.Letters(ctx, o.first, v.ID))
	see(o.DecideLetter(ctx, o.first, v.ID, l[0].ID, DecisionRequest{Accept: true}))
	see(o.AddCall(ctx, o.first, v.ID, CallRequest{Number: "+86 755 8601 3388", Source: "114", Result: "confirmed"}))
	o.world(t, v, lab.Change{})
	v = o.run(t, v.ID)
	found := false
	for _, c := range causesIn(v) {
		found = found || c == cause.OrganizationNotVerifiable
	}
	if v.State == order.StateReady || !found {
		t.Errorf("%s with %q: %v", v.State, v.Order.Organization.Department, causesIn(v))
	}
}
