// Package order is what is asked for: the names, the certificate request, the
// product, the organization behind it and how its names are to be validated.
// It is plain data with strict readers; it judges nothing and knows no CA.
package order

import (
	"time"
)

// Product is the kind of certificate.
type Product string

// The products.
const (
	DV Product = "dv" // domain validated
	OV Product = "ov" // organization validated
	EV Product = "ev" // extended validation
)

// Kind says how an order came to be.
type Kind string

// The kinds of order. The zero value means New.
const (
	New     Kind = "new"
	Reissue Kind = "reissue"
	Renewal Kind = "renewal"
)

// Method is a validation method.
type Method string

// The validation methods.
const (
	MethodDNS         Method = "dns"             // TXT at _dnsauth, BR 3.2.2.4.7
	MethodDNSCNAME    Method = "dns-cname"       // CNAME at _dnsauth, BR 3.2.2.4.7
	MethodDNSAuto     Method = "dns-auto"        // TXT written through the provider's API
	MethodDNSProxy    Method = "dns-proxy"       // permanent CNAME to the service
	MethodFile        Method = "file"            // file, BR 3.2.2.4.18
	MethodFileProxy   Method = "file-proxy"      // file through a permanent reverse proxy
	MethodHTTP01      Method = "http-01"         // RFC 8555 8.3, BR 3.2.2.4.19
	MethodDNS01       Method = "dns-01"          // RFC 8555 8.4, BR 3.2.2.4.7
	MethodTLSALPN01   Method = "tls-alpn-01"     // RFC 8737, BR 3.2.2.4.20
	MethodDNSAccount  Method = "dns-account-01"  // BR 3.2.2.4.21
	MethodDNSPersist  Method = "dns-persist-01"  // BR 3.2.2.4.22
	MethodIPPersist   Method = "ip-persist"      // BR 3.2.2.5.8
	MethodReverse     Method = "reverse-lookup"  // BR 3.2.2.5.3
	MethodEmail       Method = "email"           // BR 3.2.2.4.4, constructed address
	MethodEmailCAA    Method = "email-caa"       // BR 3.2.2.4.13
	MethodEmailTXT    Method = "email-txt"       // BR 3.2.2.4.14
	MethodPhoneTXT    Method = "phone-txt"       // BR 3.2.2.4.16
	MethodPhoneCAA    Method = "phone-caa"       // BR 3.2.2.4.17
	MethodEmailIP     Method = "email-ip"        // BR 3.2.2.5.2
	MethodPhoneIP     Method = "phone-ip"        // BR 3.2.2.5.5
	MethodWHOISDirect Method = "registrar-whois" // BR 3.2.2.4.12
)

// Methods lists every method the program knows, in the order of their sections.
func Methods() []Method {
	return []Method{
		MethodDNS, MethodDNSCNAME, MethodDNSAuto, MethodDNSProxy, MethodFile, MethodFileProxy,
		MethodHTTP01, MethodDNS01, MethodTLSALPN01, MethodDNSAccount, MethodDNSPersist,
		MethodIPPersist, MethodReverse, MethodEmail, MethodEmailCAA, MethodEmailTXT,
		MethodPhoneTXT, MethodPhoneCAA, MethodEmailIP, MethodPhoneIP, MethodWHOISDirect,
	}
}

// An Order is one request for a certificate. The zero value is an empty order;
// what may be left out depends on what is asked of the review.
type Order struct {
	// ID is the order's number where it has one.
	ID string `json:"id,omitempty"`
	// Product is dv, ov or ev.
	Product Product `json:"product,omitempty"`
	// Kind is new, reissue or renewal; empty means new.
	Kind Kind `json:"kind,omitempty"`
	// Names are the names asked for, as they were written: DNS names,
	// wildcards, IP addresses.
	Names []string `json:"names"`
	// CommonName is the name chosen as the certificate's common name.
	CommonName string `json:"common_name,omitempty"`
	// CSR is the certificate signing request as text: PEM, or base64 of DER. In
	// an order file the command line also takes a path here (one line without
	// "-----"). A private key in it is removed before the order is reviewed, see
	// csr.Scrub.
	CSR string `json:"csr,omitempty"`
	// CSROrigin is "new" (default), "service" where the service made the key, or
	// "original" where a reissue or renewal deliberately keeps the
	// CSR of the certificate it replaces.
	CSROrigin string `json:"csr_origin,omitempty"`
	// Method is how the names are validated, where Challenges do not say so.
	Method Method `json:"method,omitempty"`
	// Account and Tenant say who orders.
	Account string `json:"account,omitempty"`
	Tenant  string `json:"tenant,omitempty"`
	// SubmittedAt is when the order was submitted; absent for a draft.
	SubmittedAt time.Time `json:"submitted_at,omitzero"`
	// Validity is the lifetime asked for; absent means the profile's default.
	Validity *Validity `json:"validity,omitempty"`
	// Plan names the issuing profile or product plan of the CA: an ACME profile
	// ("classic", "tlsserver", "shortlived") or "free".
	Plan string `json:"plan,omitempty"`
	// NameLimit is the number of names that were bought; 0 means the profile's.
	NameLimit int `json:"name_limit,omitempty"`
	// ClientAuth is set where client authentication is wanted too.
	ClientAuth bool `json:"client_auth,omitempty"`
	// Applicant is "company" (default) or "personal".
	Applicant string `json:"applicant,omitempty"`
	// Replaces is the order or certificate that a reissue or renewal replaces.
	Replaces string `json:"replaces,omitempty"`
	// ServiceUntil orders a series: the certificate is renewed by itself until then,
	// each time with a review of its own, and none of them lives longer.
	ServiceUntil time.Time `json:"service_until,omitzero"`
	// Challenges are the values asked of the applicant.
	Challenges []Challenge `json:"challenges,omitempty"`
	// Organization and Contacts are needed for OV and EV.
	Organization *Organization `json:"organization,omitempty"`
	Contacts     *Contacts     `json:"contacts,omitempty"`
}

// Validity is the lifetime asked for, in days or as dates.
type Validity struct {
	Days      int       `json:"days,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"`
}

// A Challenge is one value the applicant was asked to publish.
type Challenge struct {
	// Name is the name it validates.
	Name   string `json:"name"`
	Method Method `json:"method"`
	// Type and Owner are the record type and owner name of a DNS method; URL is
	// the place of a file method.
	Type  string `json:"type,omitempty"`
	Owner string `json:"owner,omitempty"`
	URL   string `json:"url,omitempty"`
	// Value is the record's value or the file's whole content.
	Value string `json:"value"`
	// Origin is "own", or "upstream" for a value that another CA asked for.
	Origin  string    `json:"origin,omitempty"`
	Created time.Time `json:"created,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

// Organization is the company an OV or EV order is for.
type Organization struct {
	Name       string `json:"name,omitempty"`
	Department string `json:"department,omitempty"`
	// Country is the ISO 3166-1 alpha-2 code.
	Country    string `json:"country,omitempty"`
	Province   string `json:"province,omitempty"`
	City       string `json:"city,omitempty"`
	Address    string `json:"address,omitempty"`
	PostalCode string `json:"postal_code,omitempty"`
	Phone      Phone  `json:"phone,omitzero"`
	Website    string `json:"website,omitempty"`
	// RegistrationNumber is the number in the register; RegistrationScheme says
	// which: "uscc", "lei", "vat", … ; empty: told from the country.
	RegistrationNumber string `json:"registration_number,omitempty"`
	RegistrationScheme string `json:"registration_scheme,omitempty"`
	// The fields of an EV subject (EVG 7.1.4.2).
	BusinessCategory    string `json:"business_category,omitempty"`
	JurisdictionCountry string `json:"jurisdiction_country,omitempty"`
	JurisdictionState   string `json:"jurisdiction_state,omitempty"`
	JurisdictionCity    string `json:"jurisdiction_city,omitempty"`
	// ProfileID is an approved organization profile (CompanyId in the cloud's API).
	ProfileID string `json:"profile_id,omitempty"`
}

// Phone is a company phone number as forms ask for it.
type Phone struct {
	Country string `json:"country,omitempty"` // calling code or ISO country; empty: the organization's
	Area    string `json:"area,omitempty"`
	Number  string `json:"number,omitempty"`
}

// Contacts are the people the CA talks to.
type Contacts struct {
	Administrator *Contact `json:"administrator,omitempty"`
	Technical     *Contact `json:"technical,omitempty"`
	// AdministratorID is an approved administrator (ManagerId in the cloud's API).
	AdministratorID string `json:"administrator_id,omitempty"`
}

// A Contact is one person.
type Contact struct {
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Title     string `json:"title,omitempty"`
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"`
}
