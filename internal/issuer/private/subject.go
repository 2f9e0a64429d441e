package private

import (
	"encoding/asn1"
	"fmt"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"

	"assay/cause"
	"assay/internal/issuer"
	"assay/order"
)

// An attribute is one of a subject: the field of the order it comes from, the
// bound on its length in characters (BR 7.1.4.2) and its string type.
type attribute struct {
	id        asn1.ObjectIdentifier
	field     string
	value     string
	most      int
	printable bool // PrintableString; otherwise UTF8String
}

// subjectOf writes the subject: for DV the common name or nothing at all (BR
// 7.1.2.7.2), for OV and EV the organization (BR 7.1.2.7.4, EVG 7.1.4.2), in the
// order of BR 7.1.4.2, one attribute an RDN.
func subjectOf(r *issuer.Request) (name []byte, empty bool, err error) {
	var attributes []attribute
	if r.Product == order.OV || r.Product == order.EV {
		if attributes, err = organization(r); err != nil {
			return nil, false, err
		}
	}
	if r.CommonName != "" {
		if n := utf8.RuneCountInString(r.CommonName); n > maxCommonName {
			return nil, false, refusal(issuer.Problem{
				Cause: cause.CSRCommonNameTooLong, Subject: r.CommonName,
				Parameters: map[string]any{"name": r.CommonName, "length": n, "limit": maxCommonName},
			})
		}
		attributes = append(attributes, attribute{id: asn1.ObjectIdentifier{2, 5, 4, 3}, value: r.CommonName})
	}
	b := cryptobyte.NewBuilder(nil)
	b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
		for _, a := range attributes {
			a.add(b)
		}
	})
	name, err = b.Bytes()
	return name, len(attributes) == 0, err
}

func refusal(problems ...issuer.Problem) error { return &issuer.Refusal{Problems: problems} }

// organization lists the attributes of an organization that have a value.
func organization(r *issuer.Request) ([]attribute, error) {
	o := r.Subject
	if o == nil {
		o = &order.Organization{}
	}
	jurisdiction := func(n int) asn1.ObjectIdentifier {
		return asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 60, 2, 1, n}
	}
	var all []attribute
	if r.Product == order.EV {
		all = []attribute{
			{asn1.ObjectIdentifier{2, 5, 4, 15}, "organization.business_category", o.BusinessCategory, 128, false},
			{jurisdiction(3), "organization.jurisdiction_country", o.JurisdictionCountry, 2, true},
			{jurisdiction(2), "organization.jurisdiction_state", o.JurisdictionState, 128, false},
			{jurisdiction(1), "organization.jurisdiction_city", o.JurisdictionCity, 128, false},
			{asn1.ObjectIdentifier{2, 5, 4, 5}, "organization.registration_number", o.RegistrationNumber, 64, true},
		}
	}
	all = append(all,
		attribute{asn1.ObjectIdentifier{2, 5, 4, 6}, "organization.country", o.Country, 2, true},
		attribute{asn1.ObjectIdentifier{2, 5, 4, 8}, "organization.province", o.Province, 128, false},
		attribute{asn1.ObjectIdentifier{2, 5, 4, 7}, "organization.city", o.City, 128, false},
		attribute{asn1.ObjectIdentifier{2, 5, 4, 10}, "organization.name", o.Name, 64, false},
	)
	if missing := missing(r, o); len(missing) > 0 {
		return nil, refusal(issuer.Problem{
			Cause: cause.OrganizationFieldEmpty, Subject: "organization", Parameters: map[string]any{"fields": missing},
		})
	}
	var given []attribute
	var problems []issuer.Problem
	for _, a := range all {
		if a.value == "" {
			continue
		}
		if p := a.problem(); p != nil {
			problems = append(problems, *p)
		}
		given = append(given, a)
	}
	if len(problems) > 0 {
		return nil, refusal(problems...)
	}
	return given, nil
}

// missing lists the fields without which there is no such certificate. Inside an
// organization its name is enough; the profile judged the others.
func missing(r *issuer.Request, o *order.Organization) []string {
	needed := map[string]bool{"organization.name": o.Name != ""}
	if r.Profile.Public {
		needed["organization.country"] = o.Country != ""
		needed["organization.province|organization.city"] = o.Province != "" || o.City != ""
		if r.Product == order.EV {
			needed["organization.business_category"] = o.BusinessCategory != ""
			needed["organization.jurisdiction_country"] = o.JurisdictionCountry != ""
			needed["organization.registration_number"] = o.RegistrationNumber != ""
		}
	}
	var fields []string
	for _, f := range []string{
		"organization.name", "organization.country", "organization.province|organization.city",
		"organization.business_category", "organization.jurisdiction_country", "organization.registration_number",
	} {
		if given, asked := needed[f]; asked && !given {
			fields = append(fields, f)
		}
	}
	return fields
}

// problem is what is wrong with a value, nil for nothing.
func (a attribute) problem() *issuer.Problem {
	p := &issuer.Problem{Cause: cause.OrganizationFieldInvalid, Subject: a.field, Parameters: map[string]any{"field": a.field, "value": a.value}}
	n := utf8.RuneCountInString(a.value)
	switch {
	case a.most == 2 && (n != 2 || !capitals(a.value)):
		p.Parameters["rule"] = "country"
	case n > a.most:
		p.Parameters["rule"], p.Parameters["length"], p.Parameters["limit"] = "too-long", n, a.most
	case !utf8.ValidString(a.value) || (a.printable && !printable(a.value)):
		p.Parameters["rule"] = "control"
	default:
		return nil
	}
	return p
}

func capitals(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// printable reports whether a value can be a PrintableString (X.680 41.4).
func printable(s string) bool {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		case r == ' ', r == '\'', r == '(', r == ')', r == '+', r == ',', r == '-', r == '.', r == '/', r == ':', r == '=', r == '?':
		default:
			return false
		}
	}
	return true
}

func (a attribute) add(b *cryptobyte.Builder) {
	if !utf8.ValidString(a.value) {
		b.SetError(fmt.Errorf("the value of %s is no text", a.field))
		return
	}
	tag := der.UTF8String
	if a.printable {
		tag = der.PrintableString
	}
	b.AddASN1(der.SET, func(b *cryptobyte.Builder) {
		b.AddASN1(der.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(a.id)
			b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes([]byte(a.value)) })
		})
	})
}
