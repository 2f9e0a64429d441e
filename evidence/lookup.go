package evidence

import "time"

// Topic says which kept records a lookup question is about.
type Topic string

// The topics of lookup questions.
const (
	// TopicInputs: which lists and snapshots are loaded, how old they are.
	TopicInputs Topic = "inputs"
	// TopicKeys: lists of bad keys and the service's own keys.
	TopicKeys Topic = "keys"
	// TopicNames: block lists and feeds of unsafe names.
	TopicNames Topic = "names"
	// TopicParties: denied lists and own cases about the applicant.
	TopicParties Topic = "parties"
	// TopicOrders: earlier orders with the same CSR, key, names or account.
	TopicOrders Topic = "orders"
	// TopicAccount: state of the ordering account.
	TopicAccount Topic = "account"
	// TopicCertificate: the certificate a reissue or renewal starts from.
	TopicCertificate Topic = "certificate"
	// TopicClaims: what was verified about the organization, and from where.
	TopicClaims Topic = "claims"
	// TopicCalls: calls made to the organization.
	TopicCalls Topic = "calls"
	// TopicLetters: confirmation letters.
	TopicLetters Topic = "letters"
	// TopicPeople: state of the administrator and who reviewed what.
	TopicPeople Topic = "people"
	// TopicApprovals: earlier approvals and waivers of findings.
	TopicApprovals Topic = "approvals"
	// TopicChecks: earlier checks of this order, its state and its rate limits.
	TopicChecks Topic = "checks"
)

// LookupQuestion asks for kept records. Only the fields the topic needs are set.
type LookupQuestion struct {
	Topic         Topic    `json:"topic"`
	Order         string   `json:"order,omitempty"`
	Account       string   `json:"account,omitempty"`
	Names         []string `json:"names,omitempty"`
	Organization  string   `json:"organization,omitempty"`
	Country       string   `json:"country,omitempty"`
	CSRSHA256     string   `json:"csr_sha256,omitempty"`     // of the DER, hexadecimal
	Keyprint      string   `json:"keyprint,omitempty"`       // see key.Print
	SPKISHA256    string   `json:"spki_sha256,omitempty"`    // of the SubjectPublicKeyInfo
	ModulusSHA256 string   `json:"modulus_sha256,omitempty"` // of the minimal big-endian RSA modulus
	ModulusBits   int      `json:"modulus_bits,omitempty"`
	// VulnkeySHA1 is the SHA-1 of "Modulus=", the RSA modulus in upper-case
	// hexadecimal and a line feed: what openssl-vulnkey's lists hold half of.
	VulnkeySHA1 string `json:"vulnkey_sha1,omitempty"`
}

// LookupAnswer is what the records say. Fields that the topic does not use
// are empty. An empty answer means "looked, found nothing".
type LookupAnswer struct {
	// Absent is set where such records are not kept here at all (a check from
	// the command line without a history): nothing was looked at.
	Absent      bool         `json:"absent,omitempty"`
	Inputs      []Input      `json:"inputs,omitempty"`
	Hits        []Hit        `json:"hits,omitempty"`
	Orders      []PastOrder  `json:"orders,omitempty"`
	Account     *Account     `json:"account,omitempty"`
	Certificate *Issued      `json:"certificate,omitempty"`
	Claims      []Claim      `json:"claims,omitempty"`
	Calls       []Call       `json:"calls,omitempty"`
	Letters     []Letter     `json:"letters,omitempty"`
	People      []Person     `json:"people,omitempty"`
	Approvals   []Approval   `json:"approvals,omitempty"`
	Checks      *CheckState  `json:"checks,omitempty"`
	Reviews     []ReviewStep `json:"reviews,omitempty"`
}

// An Input is a list, snapshot or clock that a check depends on.
type Input struct {
	// Name is the input's name: "psl", "iana-addresses", "root-zone",
	// "confusables", "words", "keys.compromised", "keys.debian", "names.blocked",
	// "names.unsafe", "parties.denied", "brands", "clock".
	Name string `json:"name"`
	// Configured is false for a list that no operator has set up.
	Configured bool `json:"configured"`
	// Date is the day the data describes, where it says so.
	Date   time.Time `json:"date,omitzero"`
	SHA256 string    `json:"sha256,omitempty"`
	// Entries is the number of entries.
	Entries int `json:"entries,omitempty"`
	// Error is why a configured input could not be read.
	Error string `json:"error,omitempty"`
}

// A Hit is an entry of a list or of the service's records that a key, a name
// or a party matched.
type Hit struct {
	// List is the name of the input, or "service" for the service's own records.
	List string `json:"list"`
	// Kind says what the entry means: "compromised", "debian-weak", "blocked",
	// "unsafe", "denied", "rejected", "revoked", "account-key", "ca-key",
	// "service-key", "generated", "shared-factor" (the modulus has a prime in
	// common with another known key).
	Kind  string `json:"kind"`
	Entry string `json:"entry"` // the entry as listed
	// Match says how it matched: "exact", "suffix", "prefix", "covers".
	Match string `json:"match,omitempty"`
	// Subject is what matched, where the question asked about several.
	Subject string    `json:"subject,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Date    time.Time `json:"date,omitzero"`
}

// A PastOrder is an order submitted earlier. Another account's order shows no
// number, no values and no names but those that were asked about: only that it
// exists, what matched and when.
type PastOrder struct {
	Order   string `json:"order,omitempty"`
	Account string `json:"account,omitempty"`
	// Own is set when it belongs to the account that asks.
	Own         bool      `json:"own,omitempty"`
	SubmittedAt time.Time `json:"submitted_at,omitzero"`
	IssuedAt    time.Time `json:"issued_at,omitzero"`
	// State is "open", "issued", "failed", "cancelled" or "revoked".
	State string `json:"state,omitempty"`
	// Kind and Product are as in an order.
	Kind      string   `json:"kind,omitempty"`
	Product   string   `json:"product,omitempty"`
	Names     []string `json:"names,omitempty"`
	CSRSHA256 string   `json:"csr_sha256,omitempty"`
	Keyprint  string   `json:"keyprint,omitempty"`
	Values    []string `json:"values,omitempty"` // validation values of that order
	// Partial is set where Names leaves names out: of another account's order
	// only names and registrable domains that were asked about are shown.
	Partial    bool   `json:"partial,omitempty"`
	Validated  bool   `json:"validated,omitempty"` // its names were validated
	Free       bool   `json:"free,omitempty"`      // counts against the free quota
	ReissuedBy string `json:"reissued_by,omitempty"`
}

// An Account is the state of the ordering account.
type Account struct {
	ID       string `json:"id"`
	Verified bool   `json:"verified"` // its identity was verified
	// Agreement is the version of the subscriber agreement it accepted;
	// CurrentAgreement the version in force.
	Agreement        string `json:"agreement,omitempty"`
	CurrentAgreement string `json:"current_agreement,omitempty"`
	Deactivated      bool   `json:"deactivated,omitempty"`
	// ExternalBindingMissing is set where the profile demands a binding.
	ExternalBindingMissing bool `json:"external_binding_missing,omitempty"`
}

// Issued is a certificate that an order refers to.
type Issued struct {
	Order    string    `json:"order,omitempty"`
	Names    []string  `json:"names,omitempty"`
	NotAfter time.Time `json:"not_after,omitzero"`
	// State is "issued", "expired", "revoked", "reissuing".
	State string `json:"state,omitempty"`
	// Free, Reissues and Replaced are what reissue and renewal rules count.
	Free     bool `json:"free,omitempty"`
	Reissues int  `json:"reissues,omitempty"`
	Replaced bool `json:"replaced,omitempty"` // an ACME order named it in "replaces" before
	// Running is another reissue under the same registrable domain.
	Running string `json:"running,omitempty"`
}

// A Claim is one verified fact about the organization.
type Claim struct {
	// Item is what is claimed: "name", "number", "address", "phone",
	// "operational-existence", "authority", "registrant".
	Item  string `json:"item"`
	Value string `json:"value"`
	// Source names where it was found; Class is the kind of source: "QGIS",
	// "QTIS", "QIIS", "RDS", "letter", "visit", "phone-company", "registry" (of
	// domains) or "applicant".
	Source     string    `json:"source"`
	Class      string    `json:"class"`
	Snapshot   string    `json:"snapshot,omitempty"` // SHA-256 of what was seen
	ObtainedAt time.Time `json:"obtained_at,omitzero"`
}

// A Call is one attempt to reach the organization.
type Call struct {
	Number     string    `json:"number"`
	At         time.Time `json:"at"`
	Result     string    `json:"result"` // "confirmed", "denied", "no-answer", "busy", "wrong-number", "voicemail"
	AnsweredBy string    `json:"answered_by,omitempty"`
}

// A Letter is a confirmation letter that was uploaded.
type Letter struct {
	// Type is found from the first bytes: "jpg", "png", "pdf" or another.
	Type  string `json:"type"`
	Bytes int    `json:"bytes"`
	// State is "pending", "accepted", "rejected".
	State  string `json:"state,omitempty"`
	Reason string `json:"reason,omitempty"` // "illegible", "no-seal", "wrong-content"
	Note   string `json:"note,omitempty"`
}

// A Person is an administrator or requester of the organization.
type Person struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
	// Role is "administrator", "requester", "signer", "approver".
	Role string `json:"role"`
	// Status is "none", "audit", "ca-audit", "ok", "invalid", "expired".
	Status string `json:"status"`
	// Listed is set when the organization keeps a list of people and this one
	// is on it; ListVersion names the list.
	Listed      bool   `json:"listed,omitempty"`
	ListVersion string `json:"list_version,omitempty"`
	// Authority is set when the authority to sign or approve was shown (EV).
	Authority bool `json:"authority,omitempty"`
}

// A ReviewStep is who did what in the review of this order.
type ReviewStep struct {
	Step string    `json:"step"` // "submitted", "validated", "approved"
	By   string    `json:"by"`
	At   time.Time `json:"at,omitzero"`
}

// An Approval is a decision of a reviewer that turns later hits into
// information (catalogue B24), or a named waiver.
type Approval struct {
	Cause string `json:"cause"`
	// Subject is a registrable domain, a name, or the subject of a finding.
	Subject string `json:"subject"`
	Account string `json:"account,omitempty"`
	// Order is the one order that it counts for; empty: it counts for others of
	// the account too.
	Order string `json:"order,omitempty"`
	// Facts is the digest of the finding that was looked at (review.FactsOf);
	// empty: it counts whatever the finding says.
	Facts string `json:"facts,omitempty"`
	// By is the account of who decided; AgreedBy that of the other where two had
	// to, each of whom looked.
	By       string    `json:"by"`
	AgreedBy string    `json:"agreed_by,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	At       time.Time `json:"at"`
	Until    time.Time `json:"until,omitzero"`
}

// CheckState is what the service knows about the running of this order.
type CheckState struct {
	// LastManual is the time of the last check asked for by a person.
	LastManual time.Time `json:"last_manual,omitzero"`
	// Validated lists names that have passed validation already.
	Validated []string `json:"validated,omitempty"`
	// State is the order's state and Action what is asked now, where a rule of
	// states applies: "edit", "check", "resubmit", "cancel", "finalize", "reissue".
	State  string `json:"state,omitempty"`
	Action string `json:"action,omitempty"`
	// Allowed are the actions that the state allows.
	Allowed []string `json:"allowed,omitempty"`
	// Deadline is when the order must have passed where that is another time than its
	// profile sets at submission: it went back, or another CA ends its own order sooner.
	Deadline time.Time `json:"deadline,omitzero"`
	// Rates are the windows that are used up.
	Rates []Rate `json:"rates,omitempty"`
	// RevocationRequestedAt is set while a revocation waits for validation.
	RevocationRequestedAt time.Time `json:"revocation_requested_at,omitzero"`
	// OrganizationReviewSince is when the organization review began.
	OrganizationReviewSince time.Time `json:"organization_review_since,omitzero"`
	// Matches are the validation records that an earlier check found right.
	Matches []Match `json:"matches,omitempty"`
	// Written are the outcomes of writing records through DNS providers, the
	// last one for each name.
	Written []Written `json:"written,omitempty"`
}

// A Match is a validation record that an earlier check of the order found right.
type Match struct {
	// Name is the order's name that it validates.
	Name string `json:"name"`
	// At is when it was found right last.
	At time.Time `json:"at"`
}

// Written is the outcome of writing a validation record through the interface
// of a DNS provider (method dns-auto).
type Written struct {
	// Name is the order's name that the record validates.
	Name string `json:"name"`
	// Provider is the provider it was written at.
	Provider string `json:"provider,omitempty"`
	// Problem is why it failed: "permission-denied", "zone-not-found",
	// "not-delegated" (another provider serves the zone), "api-error"; empty:
	// it was written.
	Problem string `json:"problem,omitempty"`
	// Error is the provider's message.
	Error string    `json:"error,omitempty"`
	At    time.Time `json:"at,omitzero"`
}

// A Rate is one counter that a limit applies to.
type Rate struct {
	Name    string        `json:"name"` // "requests", "new-orders", "failed-validations", "paused"
	Subject string        `json:"subject,omitempty"`
	Used    int           `json:"used"`
	Limit   int           `json:"limit"`
	Window  time.Duration `json:"window,omitempty"` // nanoseconds
	RetryAt time.Time     `json:"retry_at,omitzero"`
}
