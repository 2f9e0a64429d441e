// Package profile holds a CA's rules as data: which level each cause has, the
// limits, methods and dates. Four profiles are embedded (cloud, baseline,
// letsencrypt, private); an operator's file inherits from one of them and
// states only what differs.
//
// A profile decides nothing by itself: the rules in package review read it.
// Everything that changes on a date stands in its dated table and is read with
// [Profile.On], never compared with a constant in code.
package profile

import (
	"sync"
	"time"

	"assay/cause"
	"assay/order"
)

// A Profile is one CA's rules. The comments here are the documentation of the
// fields of a profile file.
type Profile struct {
	// Name is the profile's name; for an operator's file the name in it, else
	// the file's name without ".toml".
	Name string `toml:"name" json:"name"`
	// Title says in one line whose rules these are.
	Title string `toml:"title" json:"title"`
	// Version changes whenever the profile's content does.
	Version string `toml:"version" json:"version"`
	// Inherits names the embedded profile whose values hold where this one says
	// nothing.
	Inherits string `toml:"inherits" json:"inherits,omitempty"`
	// Public is set for a CA of the public web: it never signs from evidence of
	// a laboratory.
	Public bool `toml:"public" json:"public"`
	// OneAttempt is set for a CA that looks once, after which the authorization is
	// dead (RFC 8555 7.1.6): what would be refused then for what is in the DNS or on a
	// server is "wait" in a precheck, as it can still be mended before that CA looks.
	OneAttempt bool `toml:"one_attempt" json:"one_attempt,omitempty"`
	// Switches that are on; a level may depend on one. "strict", "token",
	// "server-keys", "underscore", "search-tld", "fixed-file-name".
	Switches []string `toml:"switches" json:"switches"`
	// AcceptAbsent names the inputs (lists) whose absence the operator accepts
	// where the profile would otherwise say unknown.
	AcceptAbsent []string `toml:"accept_absent" json:"accept_absent"`

	Names        Names        `toml:"names" json:"names"`
	Request      Request      `toml:"request" json:"request"`
	Keys         Keys         `toml:"keys" json:"keys"`
	CSR          CSR          `toml:"csr" json:"csr"`
	Words        Words        `toml:"words" json:"words"`
	Organization Organization `toml:"organization" json:"organization"`
	Desk         Desk         `toml:"desk" json:"desk"`
	DNS          DNS          `toml:"dns" json:"dns"`
	Connect      Connect      `toml:"connect" json:"connect"`
	CAA          CAA          `toml:"caa" json:"caa"`
	File         File         `toml:"file" json:"file"`
	Deadline     Deadline     `toml:"deadline" json:"deadline"`
	Limits       Limits       `toml:"limits" json:"limits"`
	// MaxAge is how old a snapshot or list may be, by input name, in days; 0 or
	// absent: any age.
	MaxAge map[string]int `toml:"max_age_days" json:"max_age_days"`
	// Methods are the validation methods offered.
	Methods []Method `toml:"methods" json:"methods"`
	// Dated is the table of what changes on a date; see [Dated].
	Dated []Dated `toml:"dated" json:"dated"`
	// Levels gives each cause its level, see [ParseCell] for the form. A cause
	// that is not listed inherits; in an embedded profile every cause is listed
	// or inherited.
	Levels map[cause.ID]string `toml:"levels" json:"levels"`

	derived sync.Map

	digestOnce sync.Once
	digest     string

	cells map[cause.ID]Cell
}

// Names are the rules for names.
type Names struct {
	// MaxLength is the most characters a name may have, "*." and dots counted.
	MaxLength int `toml:"max_length" json:"max_length"`
	// MaxLabels is the most labels a name may have without "*."; 0: no bound.
	MaxLabels int `toml:"max_labels" json:"max_labels"`
	// RepeatedLabels are labels of which three in a row mark a name made by a
	// machine answering for any name; 4 labels with two equal neighbours do too.
	RepeatedLabels []string `toml:"repeated_labels" json:"repeated_labels"`
	// MaxNames is the most names in an order; 0: no bound. Plans override it.
	MaxNames int `toml:"max_names" json:"max_names"`
	// MaxNamesByPlan overrides MaxNames for a plan.
	MaxNamesByPlan map[string]int `toml:"max_names_by_plan" json:"max_names_by_plan"`
	// RedundantEqual and RedundantCovered say which redundant names count: two
	// equal names; a name covered by a wildcard of the same order.
	RedundantEqual   bool `toml:"redundant_equal" json:"redundant_equal"`
	RedundantCovered bool `toml:"redundant_covered" json:"redundant_covered"`
	// TrailingDot is set where a final dot is an error rather than removed.
	TrailingDot bool `toml:"trailing_dot" json:"trailing_dot"`
	// RequireSuffix is set where the TLD must have a rule in the ICANN section
	// of the public suffix list, not only be in the root zone.
	RequireSuffix bool `toml:"require_suffix" json:"require_suffix"`
	// Onion is set where version 3 onion names are issued.
	Onion bool `toml:"onion" json:"onion"`
	// IPPlans are the plans under which IP addresses are issued; empty: all.
	IPPlans []string `toml:"ip_plans" json:"ip_plans"`
}

// Request are the rules for the order as a whole.
type Request struct {
	// Products offered.
	Products []order.Product `toml:"products" json:"products"`
	// Plans offered; empty: an order's plan is not looked at.
	Plans []string `toml:"plans" json:"plans"`
	// PersonalProducts are the products a person (not a company) may order.
	PersonalProducts []order.Product `toml:"personal_products" json:"personal_products"`
	// WildcardProducts and IPProducts are the products that may hold wildcards
	// and IP addresses.
	WildcardProducts []order.Product `toml:"wildcard_products" json:"wildcard_products"`
	IPProducts       []order.Product `toml:"ip_products" json:"ip_products"`
	// ValidityChosen is false where any notBefore or notAfter asked for is an error.
	ValidityChosen bool `toml:"validity_chosen" json:"validity_chosen"`
	// AccountVerified is set where only an account whose owner's identity was
	// verified may order; an ACME account is a key and no more.
	AccountVerified bool `toml:"account_verified" json:"account_verified"`
	// ContactEmail is "organization" (needed for OV, EV and personal DV), or
	// "optional" (looked at only where given).
	ContactEmail string `toml:"contact_email" json:"contact_email"`
	// EmailForm is "full" (address, domain with mail, no free mail for a
	// company) or "form" (address form and reserved domains only).
	EmailForm string `toml:"email_form" json:"email_form"`
}

// Keys are the rules for public keys.
type Keys struct {
	// RSABits lists the lengths accepted; empty: any from RSAMinBits to
	// RSAMaxBits divisible by 8.
	RSABits    []int `toml:"rsa_bits" json:"rsa_bits"`
	RSAMinBits int   `toml:"rsa_min_bits" json:"rsa_min_bits"`
	RSAMaxBits int   `toml:"rsa_max_bits" json:"rsa_max_bits"`
	// RSABitsByPlan overrides RSABits for a plan.
	RSABitsByPlan map[string][]int `toml:"rsa_bits_by_plan" json:"rsa_bits_by_plan"`
	// RSAExponents lists the exponents accepted; empty: any odd one from 3.
	RSAExponents []int `toml:"rsa_exponents" json:"rsa_exponents"`
	// Curves and ReissueCurves list the curves accepted ("P-256").
	Curves        []string `toml:"curves" json:"curves"`
	ReissueCurves []string `toml:"reissue_curves" json:"reissue_curves"`
	// FermatRounds is the number of rounds of the close-primes test.
	FermatRounds int `toml:"fermat_rounds" json:"fermat_rounds"`
	// ModulusTests lists the tests of the modulus: "factors", "prime", "power",
	// "shared", "small-exponent", "pattern".
	ModulusTests []string `toml:"modulus_tests" json:"modulus_tests"`
}

// CSR are the rules for certificate requests.
type CSR struct {
	// CommonNameRequired is set where the CSR must name a bound name as CN.
	CommonNameRequired bool `toml:"common_name_required" json:"common_name_required"`
	// NamesExact is set where the CSR's names must equal the order's (ACME);
	// otherwise the CSR must only not name others.
	NamesExact bool `toml:"names_exact" json:"names_exact"`
	// SignatureAlgorithms accepted, as Go names them; empty: all but MD2, MD5, SHA-1.
	SignatureAlgorithms []string `toml:"signature_algorithms" json:"signature_algorithms"`
	// UnsupportedDecides lists which unsupported requests count: "san-type",
	// "cn-ip", "ca", "critical-extension", "eku", "challenge-password".
	UnsupportedDecides []string `toml:"unsupported_decides" json:"unsupported_decides"`
}

// Words are the rules for names that need a second look.
type Words struct {
	// List is the id of the word list searched ("seed-2024"); empty: none.
	List string `toml:"list" json:"list"`
	// Allow are names or registrable domains in which no word is looked for.
	Allow []string `toml:"allow" json:"allow"`
	// RareDomains are top-level domains that are rarely used.
	RareDomains []string `toml:"rare_domains" json:"rare_domains"`
	// Brands is the id of the brand list for look-alikes; empty: none.
	Brands string `toml:"brands" json:"brands"`
	// FourEyes is set where two reviewers have to agree before a word is approved.
	FourEyes bool `toml:"four_eyes" json:"four_eyes"`
}

// Organization are the rules for OV and EV.
type Organization struct {
	// Required are the fields that must be filled, by product; names as in an
	// order file ("organization.name", "contacts.administrator.email"). A
	// choice is written "organization.province|organization.city".
	Required   []string `toml:"required" json:"required"`
	RequiredEV []string `toml:"required_ev" json:"required_ev"`
	// SourceClasses are the classes of source that count for identity claims.
	SourceClasses []string `toml:"source_classes" json:"source_classes"`
	// LetterRequired is set where OV and EV need a signed letter.
	LetterRequired bool `toml:"letter_required" json:"letter_required"`
	// LetterMinBytes and LetterMaxBytes bound the letter's file.
	LetterMinBytes int `toml:"letter_min_bytes" json:"letter_min_bytes"`
	LetterMaxBytes int `toml:"letter_max_bytes" json:"letter_max_bytes"`
	// ReviewDays is how long an organization review may last without a result.
	ReviewDays int `toml:"review_days" json:"review_days"`
	// FourEyes is set where two reviewers have to agree before anything of an EV
	// order is approved (EVG 3.2.2.13).
	FourEyes bool `toml:"four_eyes" json:"four_eyes"`
}

// Desk are the rules for what waits for a person.
type Desk struct {
	// HoursDV, HoursOV and HoursEV are the service level: how long an order may
	// wait for a reviewer; 0: the waiting time of the founding document, 24, 72
	// and 96 hours.
	HoursDV int `toml:"hours_dv" json:"hours_dv"`
	HoursOV int `toml:"hours_ov" json:"hours_ov"`
	HoursEV int `toml:"hours_ev" json:"hours_ev"`
	// ClaimMinutes is how long a reviewer keeps an order that was claimed; 0: 30.
	ClaimMinutes int `toml:"claim_minutes" json:"claim_minutes"`
	// ApprovalDays is how long an approval counts for later orders at most; 0:
	// for ever.
	ApprovalDays int `toml:"approval_days" json:"approval_days"`
}

// ServiceLevel is how long an order may wait for a reviewer.
func (d *Desk) ServiceLevel(product order.Product) time.Duration {
	hours, otherwise := d.HoursDV, 24
	switch product {
	case order.OV:
		hours, otherwise = d.HoursOV, 72
	case order.EV:
		hours, otherwise = d.HoursEV, 96
	}
	if hours <= 0 {
		hours = otherwise
	}
	return time.Duration(hours) * time.Hour
}

// Claim is how long a reviewer keeps an order.
func (d *Desk) Claim() time.Duration {
	if d.ClaimMinutes <= 0 {
		return 30 * time.Minute
	}
	return time.Duration(d.ClaimMinutes) * time.Minute
}

// DNS are the rules for validation by DNS.
type DNS struct {
	// Label stands before the authorization domain name in the owner name of a
	// validation record, where neither the method nor the challenge fixes it. It
	// begins with "_" (BR 3.2.2.4.7).
	Label string `toml:"label" json:"label"`
	// ADNByCNAME is set where the target of a name's CNAME may be taken as the
	// authorization domain name, for methods with CNAME set (BR 3.2.2.4). Off by
	// default: a CDN could validate its customers' names.
	ADNByCNAME bool `toml:"adn_by_cname" json:"adn_by_cname"`
	// EveryServer is set where every authoritative server must have the record;
	// otherwise the first answer decides.
	EveryServer bool `toml:"every_server" json:"every_server"`
	// Subnets are client networks in CIDR notation, of different parts of the
	// world. Where a record is missing, servers are asked for it on their behalf
	// (RFC 7871): an answer that depends on them is one that depends on where
	// one asks. Where a single place looks, the first and the one in the middle
	// are asked about always, the others where one of these differs.
	Subnets []string `toml:"subnets" json:"subnets"`
}

// Connect are the rules for the methods that connect to an address of the name:
// those of files and tls-alpn-01.
type Connect struct {
	// FirstAddress is set where the first AAAA record decides, and the first A
	// record where there is none, or where connecting to it or the TLS handshake
	// fails; no second address of a family is ever tried (Boulder's VA). Otherwise
	// any address that shows what was asked for decides.
	FirstAddress bool `toml:"first_address" json:"first_address"`
	// ExactName is set where the name in a challenge certificate has to be the
	// name validated byte for byte, its case too.
	ExactName bool `toml:"exact_name" json:"exact_name"`
}

// CAA are the rules for CAA records (RFC 8659).
type CAA struct {
	// Issuers are the issuer domains that stand for this CA; empty: they are not
	// known, and CAA records that name issuers cannot be judged.
	Issuers []string `toml:"issuers" json:"issuers"`
	// AccountURI is the accounturi (RFC 8657) of an account, with {account} for
	// its id; empty: accounts have none, and no accounturi matches.
	AccountURI string `toml:"account_uri" json:"account_uri"`
	// KnownTags are the properties that are understood: critical records of any
	// other forbid issuing. Only issue and issuewild decide.
	KnownTags []string `toml:"known_tags" json:"known_tags"`
	// CriticalFlags are the bits of the flags that mean critical: 128, and 1
	// where a record written with the wrong one counts too.
	CriticalFlags int `toml:"critical_flags" json:"critical_flags"`
	// CaseSensitive is set where issuer domains and methods are compared
	// exactly.
	CaseSensitive bool `toml:"case_sensitive" json:"case_sensitive"`
	// PlainTags is set where a hyphen in a parameter's tag voids the value, and
	// LastSemicolon where a semicolon after the last parameter is allowed.
	PlainTags     bool `toml:"plain_tags" json:"plain_tags"`
	LastSemicolon bool `toml:"last_semicolon" json:"last_semicolon"`
}

// Deadline says how long the applicant has.
type Deadline struct {
	// Hours from submission, 0 for no deadline; with Mode "calendar-days" the
	// deadline is the end of the last of Hours/24 days in TimeZone, the day of
	// the submission not counted.
	Hours    int    `toml:"hours" json:"hours"`
	Mode     string `toml:"mode" json:"mode"`
	TimeZone string `toml:"time_zone" json:"time_zone"`
	// TokenHours is the lifetime of a validation value.
	TokenHours int `toml:"token_hours" json:"token_hours"`

	zone *time.Location
}

// Limits are quotas and rates.
type Limits struct {
	// ManualCheckMinutes is the least time between two checks asked for by hand.
	ManualCheckMinutes int `toml:"manual_check_minutes" json:"manual_check_minutes"`
	// FreePerAccount and FreePerDomain count free orders issued in FreeMonths.
	FreePerAccount int `toml:"free_per_account" json:"free_per_account"`
	FreePerDomain  int `toml:"free_per_domain" json:"free_per_domain"`
	FreeMonths     int `toml:"free_months" json:"free_months"`
	// Buckets are token buckets over issued certificates.
	PerDomain    Bucket `toml:"per_domain" json:"per_domain"`
	PerExactName Bucket `toml:"per_exact_names" json:"per_exact_names"`
	// ReissueDaysLeft and RenewalDaysLeft bound when reissue and renewal are open.
	ReissueDaysLeft int `toml:"reissue_days_left" json:"reissue_days_left"`
	RenewalDaysLeft int `toml:"renewal_days_left" json:"renewal_days_left"`
	// RenewalKeptDays is how many days of what is left of a certificate are added to
	// the one that renews it, at most.
	RenewalKeptDays int `toml:"renewal_kept_days" json:"renewal_kept_days"`
	FreeReissues    int `toml:"free_reissues" json:"free_reissues"`
}

// A Bucket holds Size tokens and gains one every RefillMinutes; Size 0: no limit.
type Bucket struct {
	Size          int `toml:"size" json:"size"`
	RefillMinutes int `toml:"refill_minutes" json:"refill_minutes"`
}

// A Method is one validation method a profile offers.
type Method struct {
	Name order.Method `toml:"name" json:"name"`
	// Wildcard and IP say what it may validate besides plain DNS names; DNS is
	// false for a method that validates only IP addresses.
	Wildcard bool `toml:"wildcard" json:"wildcard"`
	IP       bool `toml:"ip" json:"ip"`
	NoDNS    bool `toml:"no_dns" json:"no_dns"`
	// Parent is set where a validation of a parent covers the names below it.
	Parent bool `toml:"parent" json:"parent"`
	// CNAME is set where the authorization domain name may be the target of the
	// name's CNAME; see [DNS.ADNByCNAME].
	CNAME bool `toml:"cname" json:"cname"`
	// Until is the first day it is no longer allowed.
	Until time.Time `toml:"until" json:"until,omitzero"`
	// Reference is the section that defines it.
	Reference string `toml:"reference" json:"reference"`
}

// A Dated is one row of the table of what changes on a date: from 00:00 UTC of
// From on, the values in Set hold until a later row sets them again.
type Dated struct {
	From   time.Time `toml:"from" json:"from"`
	Source string    `toml:"source" json:"source"`
	// Plan limits the row to orders of one plan.
	Plan string `toml:"plan" json:"plan,omitempty"`
	// Set maps a [Value] to a number.
	Set map[Value]int `toml:"set" json:"set"`
}

// Value names a number that changes on dates.
type Value string

// The dated values.
const (
	ValidityDays      Value = "validity_days"       // longest validity
	ValidityHours     Value = "validity_hours"      // longest validity where it is not whole days
	DCVReuseDays      Value = "dcv_reuse_days"      // reuse of a domain validation
	DCVReuseHours     Value = "dcv_reuse_hours"     // the same in hours
	IdentityReuseDays Value = "identity_reuse_days" // reuse of organization data
	RemotesMin        Value = "remotes_min"         // least remote perspectives
	RegionsMin        Value = "regions_min"         // least RIR regions among corroborating remotes
	QuorumBlocks      Value = "quorum_blocks"       // 1: a missed quorum stops issuance
	DNSSECRequired    Value = "dnssec_required"     // 1: P0 validates DNSSEC
	LintRequired      Value = "lint_required"       // 1: lint before signing
	PrecertFirst      Value = "precert_first"       // 1: precertificate logged first
	ServerAuthOnly    Value = "server_auth_only"    // 1: serverAuth is the only EKU
	CAAParameters     Value = "caa_parameters"      // 1: accounturi and validationmethods are binding
	ReverseForbidden  Value = "reverse_forbidden"   // 1: in-addr.arpa and ip6.arpa names forbidden
	SHA1Forbidden     Value = "sha1_forbidden"      // 1: SHA-1 is gone everywhere
	EVCanonicalDate   Value = "ev_canonical_date"   // 1: EV dates as YYYY-MM-DD
	ShortLivedDays    Value = "short_lived_days"    // longest validity that counts as short-lived
	AIARequired       Value = "aia_required"        // 1: AIA in leafs is a MUST
	OneADN            Value = "one_adn"             // 1: the single ADN algorithm of SC101
)
