package review

import (
	"slices"
	"strings"
	"unicode/utf8"

	"assay/cause"
	"assay/internal/iso"
	"assay/internal/registration"
	"assay/order"
)

var organizationRules = slices.Concat(fieldRules, claimRules, letterRules, peopleRules)

var fieldRules = []rule{
	{
		causes: []cause.ID{cause.OrganizationFieldEmpty},
		needs:  needIdentity | needOrganization,
		run:    emptyFields,
	},
	{
		causes: []cause.ID{cause.OrganizationFieldInvalid},
		needs:  needIdentity | needOrganization,
		run:    invalidFields,
	},
}

// emptyFields lists the fields that the profile requires and nobody filled in:
// one finding a table of the order file.
func emptyFields(f *facts, s *sink) {
	required := f.profile.Organization.Required
	if f.Order.Product == order.EV {
		required = slices.Concat(required, f.profile.Organization.RequiredEV)
	}
	missing := map[string][]string{}
	for _, choice := range required {
		filled := func(path string) bool {
			return f.covered(path) || strings.TrimSpace(fieldValue(f.Order, path)) != ""
		}
		if !slices.ContainsFunc(strings.Split(choice, "|"), filled) {
			table := choice[:strings.LastIndexByte(choice, '.')+1]
			if first, _, ok := strings.Cut(choice, "|"); ok {
				table = first[:strings.LastIndexByte(first, '.')+1]
			}
			table = strings.TrimSuffix(table, ".")
			missing[table] = append(missing[table], choice)
		}
	}
	for table, fields := range missing {
		s.add(cause.OrganizationFieldEmpty, table).with("fields", fields)
	}
}

// covered reports whether an approved profile stands for a field. An
// administrator belongs to one organization, so approval of the person covers
// both; 0 means "none" in the cloud's API.
func (f *facts) covered(path string) bool {
	given := func(id string) bool { id = strings.TrimSpace(id); return id != "" && id != "0" }
	if c := f.Order.Contacts; c != nil && given(c.AdministratorID) {
		return true
	}
	o := f.Order.Organization
	return o != nil && given(o.ProfileID) && strings.HasPrefix(path, "organization")
}

// organization returns the organization's data, empty where there is none.
func (f *facts) organization() order.Organization {
	if f.Order.Organization == nil {
		return order.Organization{}
	}
	return *f.Order.Organization
}

// fieldValue returns a field by its path in an order file, "" for one that is
// absent or that no order has.
func fieldValue(o *order.Order, path string) string {
	if rest, ok := strings.CutPrefix(path, "organization."); ok {
		if o.Organization == nil {
			return ""
		}
		return organizationValue(o.Organization, rest)
	}
	rest, ok := strings.CutPrefix(path, "contacts.")
	if !ok || o.Contacts == nil {
		return ""
	}
	if rest == "administrator_id" {
		return o.Contacts.AdministratorID
	}
	role, field, _ := strings.Cut(rest, ".")
	switch {
	case role == "administrator" && o.Contacts.Administrator != nil:
		return contactValue(o.Contacts.Administrator, field)
	case role == "technical" && o.Contacts.Technical != nil:
		return contactValue(o.Contacts.Technical, field)
	}
	return ""
}

func organizationValue(o *order.Organization, field string) string {
	switch field {
	case "name":
		return o.Name
	case "department":
		return o.Department
	case "country":
		return o.Country
	case "province":
		return o.Province
	case "city":
		return o.City
	case "address":
		return o.Address
	case "postal_code":
		return o.PostalCode
	case "phone", "phone.number":
		return o.Phone.Number
	case "phone.area":
		return o.Phone.Area
	case "phone.country":
		return o.Phone.Country
	case "website":
		return o.Website
	case "registration_number":
		return o.RegistrationNumber
	case "registration_scheme":
		return o.RegistrationScheme
	case "business_category":
		return o.BusinessCategory
	case "jurisdiction_country":
		return o.JurisdictionCountry
	case "jurisdiction_state":
		return o.JurisdictionState
	case "jurisdiction_city":
		return o.JurisdictionCity
	case "profile_id":
		return o.ProfileID
	}
	return ""
}

func contactValue(c *order.Contact, field string) string {
	switch field {
	case "first_name":
		return c.FirstName
	case "last_name":
		return c.LastName
	case "title":
		return c.Title
	case "email":
		return c.Email
	case "phone":
		return c.Phone
	}
	return ""
}

// A fieldCheck is what is held against one field.
type fieldCheck struct {
	path string
	// max is the most characters: the upper bounds of X.520, BR 7.1.4.2 and
	// EVG 7.1.4.2; 0 for a field that never enters a certificate.
	max int
	// person is set for a person's name: Null and None are names.
	person bool
	// ev is set for a field that only an EV certificate has.
	ev bool
	// rule looks further; it returns the rule broken and the form it should have.
	rule func(o *order.Organization, value string) (rule, suggestion string)
}

// The department is never put into a certificate: organizationalUnitName is
// forbidden (BR 7.1.2.7.4), so no bound applies.
var fieldChecks = []fieldCheck{
	{path: "organization.name", max: 64},
	{path: "organization.department"},
	{path: "organization.country", max: 2, rule: countryRule},
	{path: "organization.province", max: 128, rule: provinceRule},
	{path: "organization.city", max: 128},
	{path: "organization.address", max: 128},
	{path: "organization.postal_code", max: 40},
	{path: "organization.business_category", max: 128, ev: true, rule: businessCategoryRule},
	{path: "organization.jurisdiction_country", max: 2, ev: true, rule: countryRule},
	{path: "organization.jurisdiction_state", max: 128, ev: true, rule: jurisdictionStateRule},
	{path: "organization.jurisdiction_city", max: 128, ev: true, rule: jurisdictionCityRule},
	{path: "contacts.administrator.first_name", person: true},
	{path: "contacts.administrator.last_name", person: true},
	{path: "contacts.administrator.title"},
	{path: "contacts.administrator.phone"},
	{path: "contacts.technical.first_name", person: true},
	{path: "contacts.technical.last_name", person: true},
	{path: "contacts.technical.title"},
	{path: "contacts.technical.phone"},
}

// invalidFields holds every field that was filled in against its bounds and form.
func invalidFields(f *facts, s *sink) {
	ev := f.Order.Product == order.EV
	o := f.organization()
	for _, c := range fieldChecks {
		value := strings.TrimSpace(fieldValue(f.Order, c.path))
		if value == "" || c.ev && !ev {
			continue
		}
		rule, suggestion := c.broken(&o, value)
		if rule == "" && ev && c.path == "organization.address" && postBoxOnly(&o) {
			rule = "po-box"
		}
		if rule == "" {
			continue
		}
		d := s.add(cause.OrganizationFieldInvalid, c.path).
			with("field", c.path).with("rule", rule).with("value", clipped(value)).with("suggestion", suggestion)
		if rule == "too-long" {
			d.with("limit", c.max).with("length", utf8.RuneCountInString(value))
		}
	}
	invalidNumber(f, s, &o)
}

// broken returns the first rule that a value breaks, "" where there is none.
func (c *fieldCheck) broken(o *order.Organization, value string) (rule, suggestion string) {
	switch {
	case hasControl(value):
		return "control", ""
	case isPlaceholder(value, c.person) && !(c.max == 2 && iso.IsCountry(value)): // NA is Namibia
		return "placeholder", ""
	}
	if c.rule != nil {
		if rule, suggestion = c.rule(o, value); rule != "" {
			return rule, suggestion
		}
	}
	if c.max > 0 && utf8.RuneCountInString(value) > c.max {
		return "too-long", ""
	}
	return "", ""
}

// countryRule: an assigned alpha-2 code of ISO 3166-1 in capitals (BR 7.1.4.2).
func countryRule(_ *order.Organization, value string) (string, string) {
	if iso.IsCountry(value) {
		return "", ""
	}
	return "country", iso.SuggestCountry(value)
}

// countryMeant is the country that a field names, also where it does not do so by
// its code, so that what depends on it is looked at all the same; "" when unclear.
func countryMeant(value string) string { return iso.SuggestCountry(value) }

func provinceRule(o *order.Organization, value string) (string, string) {
	return placeRule(countryMeant(o.Country), value)
}

// placeRule: a province of the country, where its provinces are known here.
func placeRule(country, value string) (string, string) {
	if iso.IsProvince(country, value) {
		return "", ""
	}
	return "province", iso.SuggestProvince(country, value)
}

// The values of businessCategory (EVG 7.1.4.2.3).
var businessCategories = []string{
	"Private Organization", "Government Entity", "Business Entity", "Non-Commercial Entity",
}

func businessCategoryRule(_ *order.Organization, value string) (string, string) {
	if slices.Contains(businessCategories, value) {
		return "", ""
	}
	for _, c := range businessCategories {
		if lettersOf(c) == lettersOf(value) {
			return "business-category", c
		}
	}
	return "business-category", ""
}

// jurisdictionStateRule and jurisdictionCityRule: a state is named with its
// country, a city with its state (EVG 7.1.4.2.4).
func jurisdictionStateRule(o *order.Organization, value string) (string, string) {
	if strings.TrimSpace(o.JurisdictionCountry) == "" {
		return "jurisdiction-level", ""
	}
	return placeRule(countryMeant(o.JurisdictionCountry), value)
}

func jurisdictionCityRule(o *order.Organization, _ string) (string, string) {
	if strings.TrimSpace(o.JurisdictionCountry) == "" || strings.TrimSpace(o.JurisdictionState) == "" {
		return "jurisdiction-level", ""
	}
	return "", ""
}

// invalidNumber holds the registration number against its register's scheme:
// the one stated, else those of the country of registration.
func invalidNumber(f *facts, s *sink, o *order.Organization) {
	const path = "organization.registration_number"
	value := strings.TrimSpace(o.RegistrationNumber)
	if value == "" {
		return
	}
	add := func(rule string) *draft {
		return s.add(cause.OrganizationFieldInvalid, path).
			with("field", path).with("rule", rule).with("value", clipped(value))
	}
	switch {
	case hasControl(value):
		add("control")
		return
	case isPlaceholder(value, false):
		add("placeholder")
		return
	case utf8.RuneCountInString(value) > 64: // X.520 serialNumber
		add("too-long").with("limit", 64).with("length", utf8.RuneCountInString(value))
		return
	}
	country := countryMeant(o.JurisdictionCountry)
	if country == "" || f.Order.Product != order.EV {
		country = countryMeant(o.Country)
	}
	r, known := registration.Check(strings.TrimSpace(o.RegistrationScheme), country, value)
	switch {
	case !known || r.Fault == "":
	case r.Fault == registration.WrongCheckDigit:
		add("check-digit").with("scheme", r.Scheme)
	default:
		add("number-"+string(r.Fault)).with("scheme", r.Scheme)
	}
}
