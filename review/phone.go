package review

import (
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/internal/phone"
	"assay/order"
)

var phoneRules = []rule{
	{
		causes: []cause.ID{cause.OrganizationPhoneEmpty, cause.OrganizationPhoneInvalid, cause.OrganizationPhoneUnsuitable},
		needs:  needIdentity | needOrganization,
		run:    companyPhone,
	},
	{
		causes: []cause.ID{cause.OrganizationPhoneNotIndependent},
		needs:  needIdentity | needSubmission,
		topic:  evidence.TopicClaims,
		run:    phoneIndependent,
	},
	{
		causes: []cause.ID{cause.OrganizationPhoneUnanswered},
		needs:  needIdentity | needSubmission,
		topic:  evidence.TopicCalls,
		also:   []evidence.Topic{evidence.TopicClaims},
		run:    phoneAnswered,
	},
}

const phonePath = "organization.phone"

// companyPhone judges the number as the form has it (catalogue B17, B30); who
// knows it and who answers are rules of their own.
func companyPhone(f *facts, s *sink) {
	p := f.organization().Phone
	area, number := strings.TrimSpace(p.Area), strings.TrimSpace(p.Number)
	if number == "" {
		if f.covered(phonePath) {
			return
		}
		missing := "number"
		if area == "" {
			missing = "both"
		}
		s.add(cause.OrganizationPhoneEmpty, phonePath).with("missing", missing).with("area", clipped(area))
		return
	}
	n := f.companyNumber()
	switch {
	case n.Fault == phone.NoArea && area == "":
		s.add(cause.OrganizationPhoneEmpty, phonePath).with("missing", "area").with("number", clipped(number))
	case n.Fault == phone.NoCountry:
		// The country is missing or wrong: the finding about that field says it.
	case !n.Valid():
		s.add(cause.OrganizationPhoneInvalid, phonePath).
			with("input", phoneInput(p)).with("fault", string(n.Fault)).with("digits", n.National)
	default:
		suitable(f, s, p, n)
	}
}

// suitable judges a valid number: can the CA call the organization back on it?
func suitable(f *facts, s *sink, p order.Phone, n phone.Number) {
	var reasons []string
	switch n.Kind {
	case phone.Premium, phone.VoIP, phone.ShortCode, phone.Pager, phone.Voicemail:
		reasons = append(reasons, "kind")
	}
	country := f.homeCountry()
	if home := phone.CallingCode(country); home != 0 && home != n.CallingCode {
		reasons = append(reasons, "country")
	}
	if len(reasons) == 0 {
		return
	}
	s.add(cause.OrganizationPhoneUnsuitable, phonePath).
		with("input", phoneInput(p)).with("number", n.String()).with("kind", string(n.Kind)).
		with("reasons", reasons).with("region", n.Region).with("country", country)
}

// companyNumber reads the organization's number.
func (f *facts) companyNumber() phone.Number {
	o := f.organization()
	return phone.Parse(o.Phone.Country, o.Phone.Area, o.Phone.Number, f.homeCountry())
}

// homeCountry is the organization's country, "" where it is missing or unclear.
func (f *facts) homeCountry() string { return countryMeant(f.organization().Country) }

// phoneInput is the number as it was entered.
func phoneInput(p order.Phone) string {
	return clipped(strings.Join(strings.Fields(p.Country+" "+p.Area+" "+p.Number), " "))
}

// phoneIndependent: somebody other than the applicant must know the number (BR
// 3.2.5); for EV as that of the place of business (EVG 3.2.2.5).
func phoneIndependent(f *facts, s *sink) {
	n := f.companyNumber()
	given := strings.TrimSpace(f.organization().Phone.Number) != ""
	if given && !n.Valid() || !given && !f.covered(phonePath) {
		return // phone-invalid, phone-empty: there is no number to look for
	}
	records, _ := f.records(evidence.TopicClaims)
	var searched []string
	for _, c := range records.Claims {
		if c.Item != "phone" {
			continue
		}
		if f.independent(c) && (!given || phone.Same(n, phone.Parse("", "", c.Value, f.homeCountry()))) {
			return
		}
		searched = append(searched, sourceOf(c))
	}
	state := "none"
	if len(searched) > 0 {
		state = "unfit"
	}
	s.add(cause.OrganizationPhoneNotIndependent, phonePath).
		with("number", n.String()).with("sources", searched).with("state", state).from(f, evidence.TopicClaims)
}

// independent reports whether a claim about the phone comes from a source that
// counts: of the profile's classes or a phone company; for EV a public register
// or directory, a phone company or a professional letter.
func (f *facts) independent(c evidence.Claim) bool {
	if f.Order.Product == order.EV {
		return slices.Contains([]string{"QGIS", "QTIS", "QIIS", "phone-company", "letter"}, c.Class)
	}
	return c.Class == "phone-company" || slices.Contains(f.profile.Organization.SourceClasses, c.Class)
}

// phoneAnswered: a call to the organization must have been answered with a yes,
// on the number of the order or one that an independent source gives.
func phoneAnswered(f *facts, s *sink) {
	n := f.companyNumber()
	records, _ := f.records(evidence.TopicCalls)
	var last *evidence.Call
	for i := range records.Calls {
		c := &records.Calls[i]
		if c.Result == "confirmed" && f.callable(n, c.Number) {
			return
		}
		if last == nil || !c.At.Before(last.At) {
			last = c
		}
	}
	d := s.add(cause.OrganizationPhoneUnanswered, phonePath).
		with("number", n.String()).with("calls", len(records.Calls)).from(f, evidence.TopicCalls)
	if last != nil {
		d.with("last_number", clipped(last.Number)).with("last_at", last.At).with("last_result", last.Result)
		if last.Result == "confirmed" {
			d.with("last_result", "other-number")
		}
	}
}

// callable reports whether a call to a number reaches the organization: it is
// the order's number or one that an independent source gives.
func (f *facts) callable(n phone.Number, called string) bool {
	c := phone.Parse("", "", called, f.homeCountry())
	if phone.Same(n, c) {
		return true
	}
	records, ok := f.records(evidence.TopicClaims)
	return ok && slices.ContainsFunc(records.Claims, func(claim evidence.Claim) bool {
		return claim.Item == "phone" && f.independent(claim) && phone.Same(c, phone.Parse("", "", claim.Value, f.homeCountry()))
	})
}
