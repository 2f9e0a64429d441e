package order

import "slices"

// Texts calls visit with every text of an order that somebody may have filled
// in, but the CSR, and with the field it stands in ("contacts.technical.title").
// visit may change the text; it must not where the order is shared: see
// [Order.Clone].
func (o *Order) Texts(visit func(field string, text *string)) {
	visit("id", &o.ID)
	visit("product", (*string)(&o.Product))
	visit("kind", (*string)(&o.Kind))
	for i := range o.Names {
		visit("names", &o.Names[i])
	}
	visit("common_name", &o.CommonName)
	visit("csr_origin", &o.CSROrigin)
	visit("method", (*string)(&o.Method))
	visit("account", &o.Account)
	visit("tenant", &o.Tenant)
	visit("plan", &o.Plan)
	visit("applicant", &o.Applicant)
	visit("replaces", &o.Replaces)
	for i := range o.Challenges {
		c := &o.Challenges[i]
		for _, text := range []*string{&c.Name, (*string)(&c.Method), &c.Type, &c.Owner, &c.URL, &c.Value, &c.Origin} {
			visit("challenges", text)
		}
	}
	if o.Organization != nil {
		o.Organization.texts(visit)
	}
	if o.Contacts != nil {
		visit("contacts.administrator_id", &o.Contacts.AdministratorID)
		o.Contacts.Administrator.texts("contacts.administrator.", visit)
		o.Contacts.Technical.texts("contacts.technical.", visit)
	}
}

func (o *Organization) texts(visit func(field string, text *string)) {
	visit("organization.name", &o.Name)
	visit("organization.department", &o.Department)
	visit("organization.country", &o.Country)
	visit("organization.province", &o.Province)
	visit("organization.city", &o.City)
	visit("organization.address", &o.Address)
	visit("organization.postal_code", &o.PostalCode)
	visit("organization.phone.country", &o.Phone.Country)
	visit("organization.phone.area", &o.Phone.Area)
	visit("organization.phone.number", &o.Phone.Number)
	visit("organization.website", &o.Website)
	visit("organization.registration_number", &o.RegistrationNumber)
	visit("organization.registration_scheme", &o.RegistrationScheme)
	visit("organization.business_category", &o.BusinessCategory)
	visit("organization.jurisdiction_country", &o.JurisdictionCountry)
	visit("organization.jurisdiction_state", &o.JurisdictionState)
	visit("organization.jurisdiction_city", &o.JurisdictionCity)
	visit("organization.profile_id", &o.ProfileID)
}

func (c *Contact) texts(prefix string, visit func(field string, text *string)) {
	if c == nil {
		return
	}
	visit(prefix+"first_name", &c.FirstName)
	visit(prefix+"last_name", &c.LastName)
	visit(prefix+"title", &c.Title)
	visit(prefix+"email", &c.Email)
	visit(prefix+"phone", &c.Phone)
}

// Clone returns a copy of an order that shares nothing with it.
func (o *Order) Clone() *Order {
	c := *o
	c.Names = slices.Clone(o.Names)
	c.Challenges = slices.Clone(o.Challenges)
	c.Validity = pointed(o.Validity)
	c.Organization = pointed(o.Organization)
	if c.Contacts = pointed(o.Contacts); c.Contacts != nil {
		c.Contacts.Administrator = pointed(o.Contacts.Administrator)
		c.Contacts.Technical = pointed(o.Contacts.Technical)
	}
	return &c
}

func pointed[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
