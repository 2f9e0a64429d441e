package service

import (
	"time"

	"assay/evidence"
	"assay/order"
	"assay/review"
)

// Role is what a token may do.
type Role string

// The roles. Each is limited to its tenant; an administrator of the tenant
// "root" administers tenants.
const (
	// RoleApplicant orders for its account and sees that account's orders.
	RoleApplicant Role = "applicant"
	// RoleReviewer sees the tenant's orders and decides what a person decides.
	RoleReviewer Role = "reviewer"
	// RoleAdministrator manages tokens, accounts and settings of the tenant, and
	// may do for every account what an applicant may.
	RoleAdministrator Role = "administrator"
	// RoleAuditor reads everything of the tenant and changes nothing.
	RoleAuditor Role = "auditor"
)

// RootTenant is the tenant made at the first start.
const RootTenant = "root"

// A Principal is who asks, as a token shows.
type Principal struct {
	Tenant, Account, Token string
	Role                   Role
	// Scopes narrow the role where there are any: "orders:read",
	// "orders:write", "audit:read", "admin".
	Scopes []string
}

// An Application is what an applicant asks for.
type Application struct {
	// Order is read as an order file is, see [order.File]. What only the service
	// may say (ID, account, tenant, submission time, values of its own) is refused.
	Order order.Order
	// Profile names the CA rules to review by; "" is the service's default.
	Profile string
	// Draft keeps the order without submitting it.
	Draft bool
}

// A View is an order as its owner sees it.
type View struct {
	ID      string       `json:"id"`
	Tenant  string       `json:"tenant"`
	Account string       `json:"account"`
	State   order.State  `json:"state"`
	Phase   order.Phase  `json:"phase,omitempty"`
	Reason  order.Reason `json:"reason,omitempty"`
	Profile string       `json:"profile"`
	// CloudStatus is the number the cloud's API shows for this state (0-15).
	CloudStatus int `json:"cloud_status"`
	// Allowed are the actions that the state allows.
	Allowed []order.Action `json:"allowed"`
	Order   *order.Order   `json:"order"`
	// Challenges are what to publish, and where; fixed for the order's life.
	Challenges []order.Challenge `json:"challenges"`
	Verdict    review.Verdict    `json:"verdict,omitempty"`
	// MPIC says whether the places that the newest review looked from conform to the
	// profile's rule at that time: "conformant", "not required", or "lab (n of m)"
	// with n usable remote places where m are asked for. Of the last kind a
	// validation is good for this order only. Absent where nobody looked.
	MPIC string `json:"mpic,omitempty"`
	// Lab is set where the newest review looked under settings that are not the
	// public internet's: what it validated is good in a laboratory only.
	Lab bool `json:"lab,omitempty"`
	// Findings are those of the newest review.
	Findings []review.Finding `json:"findings"`
	// Review is the number of the newest review, Checks how many checks there were.
	Review int `json:"review,omitempty"`
	Checks int `json:"checks,omitempty"`
	// NextCheck is when the order is looked at next; absent where Paused says why.
	NextCheck *time.Time `json:"next_check,omitempty"`
	Paused    string     `json:"paused,omitempty"`
	// Waiting says for whom an order in the phase review waits.
	Waiting *Waiting `json:"waiting,omitempty"`
	// Refusal is what a reviewer refused the order for.
	Refusal *DecisionView `json:"refusal,omitempty"`
	// Certificate is what was issued.
	Certificate *CertificateView `json:"certificate,omitempty"`
	CreatedAt   time.Time        `json:"created_at"`
	SubmittedAt *time.Time       `json:"submitted_at,omitempty"`
	Deadline    *time.Time       `json:"deadline,omitempty"`
	ChangedAt   time.Time        `json:"changed_at"`
	EndedAt     *time.Time       `json:"ended_at,omitempty"`
	// Version counts the changes; the entity tag begins with it.
	Version int64 `json:"version"`
}

// A Summary is an order in a list.
type Summary struct {
	ID          string         `json:"id"`
	Account     string         `json:"account"`
	State       order.State    `json:"state"`
	Phase       order.Phase    `json:"phase,omitempty"`
	Reason      order.Reason   `json:"reason,omitempty"`
	Product     order.Product  `json:"product"`
	Profile     string         `json:"profile"`
	Method      order.Method   `json:"method,omitempty"`
	Name        string         `json:"name"`
	Names       int            `json:"names"`
	Verdict     review.Verdict `json:"verdict,omitempty"`
	Paused      string         `json:"paused,omitempty"`
	CreatedAt   time.Time      `json:"created_at"`
	SubmittedAt *time.Time     `json:"submitted_at,omitempty"`
	Deadline    *time.Time     `json:"deadline,omitempty"`
	Version     int64          `json:"version"`
}

// A ListQuery narrows a list of orders.
type ListQuery struct {
	State   order.State
	Account string
	Name    string
	Domain  string
	// Cursor is where the page before ended, as its answer says; opaque.
	Cursor string
	Limit  int // 1 to 200; 0: 50
}

// An Event is one change of an order, in the order of Version.
type Event struct {
	Version int64     `json:"version"`
	At      time.Time `json:"at"`
	Action  string    `json:"action"`
	Actor   string    `json:"actor"`
	// Data says what changed: state, verdict, causes that came and went, next check.
	Data map[string]any `json:"data,omitempty"`
}

// A ReviewView is a stored review.
type ReviewView struct {
	Number  int       `json:"number"`
	Trigger string    `json:"trigger"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
	Checks  int       `json:"checks"`
	// Verdict and Causes are the short form.
	Verdict review.Verdict `json:"verdict"`
	Causes  []string       `json:"causes"`
	// Report is whole: it can be replayed with `assay replay`. Absent in lists.
	Report *review.Report `json:"report,omitempty"`
	// Added and Removed are the observations that this review has and the one
	// before has not, and the other way round.
	Added   []evidence.Observation `json:"added,omitempty"`
	Removed []evidence.Observation `json:"removed,omitempty"`
}

// Kind says what became of a request that was not done.
type Kind string

// The kinds of problem.
const (
	Invalid  Kind = "invalid"   // the request cannot be read or makes no sense
	Refused  Kind = "refused"   // the review refuses it: see Report
	NotFound Kind = "not-found" // no such thing, or not yours
	// Unauthenticated: nobody, or nobody known, asks.
	Unauthenticated Kind = "unauthenticated"
	Forbidden       Kind = "forbidden"   // the role or its scopes do not allow it
	Conflict        Kind = "conflict"    // changed since it was read
	WrongState      Kind = "wrong-state" // see Allowed
	TooMany         Kind = "too-many"    // a rate limit; see RetryAt
	Unavailable     Kind = "unavailable" // the database is; nothing was done
)

// A Problem is an error for whoever asked. Its text is a message of package
// message, so that it can be shown in either language.
type Problem struct {
	Kind Kind
	// Message is the id of the text, Pairs its parameters.
	Message string
	Pairs   []any
	// Report is the review that refuses.
	Report *review.Report
	// Allowed are the actions that the state allows.
	Allowed []order.Action
	// Instead is the id of what replaced the thing that was named: do it to that.
	Instead string
	RetryAt time.Time
	// Err is what happened underneath; it is logged, not shown.
	Err error
}

// Error is for logs.
func (p *Problem) Error() string {
	s := string(p.Kind) + ": " + p.Message
	if p.Err != nil {
		s += ": " + p.Err.Error()
	}
	return s
}

// Unwrap gives what happened underneath.
func (p *Problem) Unwrap() error { return p.Err }
