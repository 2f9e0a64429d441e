package store

import (
	"encoding/json"
	"time"

	"assay/evidence"
	"assay/order"
)

// An Order is one order with its state.
type Order struct {
	OrderRow
	// Order is what was asked for; its challenges are kept apart.
	Order *order.Order
	// Identical counts checks in a row that found the same.
	Identical int
	// ManualAt is the last check that a person asked for.
	ManualAt time.Time
	ReadyAt  time.Time
	// Validated is when all names of the order were, as it was submitted last.
	Validated time.Time
	Deleted   time.Time
}

// An OrderRow is what lists show of an order.
type OrderRow struct {
	ID, Tenant, Account string
	State               order.State
	Phase               order.Phase
	Reason              order.Reason
	Product             order.Product
	Kind                order.Kind
	Profile             string
	Method              order.Method
	// Name is the first of Names names.
	Name  string
	Names int
	// Verdict and Review are of the newest review; Review is its id.
	Verdict, Review string
	// Paused says why no check is due: "", "identical", "by-hand".
	Paused                                string
	Created, Submitted, Deadline, Changed time.Time
	Ended                                 time.Time
	// Version counts the changes from 1; it is the order's entity tag.
	Version int64
}

// NewOrder is what is written beside an order's row.
type NewOrder struct {
	Names      []OrderName
	Keys       []OrderKey
	Challenges []order.Challenge
	Due        []Due
}

// An OrderName is one name of an order, in A-label form.
type OrderName struct{ Name, Domain string }

// An OrderKey is a digest of an order's CSR ("csr", SHA-256 of the DER) or key
// ("key", its keyprint), in hexadecimal.
type OrderKey struct{ Kind, Digest string }

// OrderFilter says which orders to list. Tenant is always given; the other
// fields narrow where they are set.
type OrderFilter struct {
	Tenant, Account string
	State           order.State
	Name            string // exact, A-label form
	Domain          string // registrable
	// Before is the key of the last row of the page before.
	Before OrderKeyset
	Limit  int // 1 to 200
}

// An OrderKeyset is the place of a row in a list of orders.
type OrderKeyset struct {
	Created time.Time
	ID      string
}

// DueKind is what is due for an order.
type DueKind string

// The kinds.
const (
	DueCheck    DueKind = "check"
	DueDeadline DueKind = "deadline"
	DueReminder DueKind = "reminder"
)

// Due is work for an order at a time.
type Due struct {
	Order string
	Kind  DueKind
	At    time.Time
	// Attempt counts how often it was taken and not finished.
	Attempt int
}

// PastQuery asks for orders to compare with.
type PastQuery struct {
	// Except is the order that asks.
	Except          string
	Tenant, Account string
	// CSR and Key count whenever they were used; at most KeyLimit orders are found by
	// them, 0: as many as Limit says.
	CSR, Key string
	KeyLimit int
	// Domains and Account count since a time, and for Limit orders; 0: 200.
	Domains []string
	Since   time.Time
	Limit   int
}

// A PastOrder is one of them: it was submitted, and is of the tenant that asks or
// was validated. Of the digests an order ever had, CSR and Key are those asked
// for, where it had them; Validated says that its names were, at any time with one
// of these or as it was submitted last.
type PastOrder struct {
	OrderRow
	AllNames  []string
	CSR, Key  string
	Values    []string
	Validated bool
	// Shares says that it was found by the CSR or the key.
	Shares bool
}

// An AroundQuery asks for what an order is judged beside.
type AroundQuery struct {
	Tenant, Account string
	// Past as in [Reader.PastOrders]; Profiles and Domains as in [Reader.Validations].
	Past              PastQuery
	Profiles, Domains []string
	// Scopes and At as in [DeskReader.Approvals]; Decided and Decisions as in
	// [DeskReader.Decisions], "": those of no order.
	Scopes    []string
	At        time.Time
	Decided   string
	Decisions int
}

// Around is what an order is judged beside.
type Around struct {
	Account *Account
	// Blocked is since when the order's key is blocked for ever; zero: it is not.
	Blocked time.Time
	// Made is when the order's key was made here; zero: it was not.
	Made        time.Time
	Past        []PastOrder
	Validations []Validation
	Approvals   []Decision
	Decisions   []Decision
}

// A Review is one review, with the checks that saw the same.
type Review struct {
	ReviewRow
	Tenant string
	// Report is the report as JSON without its observations, Seen their ids.
	Report json.RawMessage
	Seen   []string
}

// A ReviewRow is what lists show of a review.
type ReviewRow struct {
	ID, Order string
	Number    int
	// Mode is precheck or attempt; Trigger "submit", "schedule" or "manual".
	Mode, Trigger string
	Verdict       string
	Causes        []string
	// Profile is "name version digest".
	Profile     string
	First, Last time.Time
	Checks      int
}

// A Validation is an authorization domain name that an applicant validated.
type Validation struct {
	Tenant, Account, Domain string
	Method                  order.Method
	// Profile is whose rules it was made by and what it is good for, as the service
	// words it.
	Profile string
	// Wildcard is whether it may stand for names below (BR 3.2.2.4, DNS methods).
	Wildcard      bool
	Order, Review string
	At            time.Time
}

// A ReviewFilter narrows a walk over reviews.
type ReviewFilter struct {
	Tenant  string // "": any, also of orders that were deleted
	Account string // "": any
	// Open leaves those of orders that are still on their way.
	Open bool
	// Issued leaves those of orders whose certificate is to be renewed: it is in force,
	// nothing replaced it, and no order is on its way that will. With Open: those too.
	Issued bool
	// Newest leaves the newest of each order.
	Newest bool
	// Seen reads what the reviews saw, too.
	Seen bool
}

// An OrderReview is a review with the row of its order.
type OrderReview struct {
	Order  *OrderRow
	Review *Review
	// Seen is what it saw, where the filter asks for it; Lost says that some of it
	// is not kept any more.
	Seen []evidence.Observation
	Lost bool
}

// A Tenant is a company or team; nothing of one is seen by another.
type Tenant struct {
	ID, Name        string
	Created, Closed time.Time
}

// An Account is who orders within a tenant.
type Account struct {
	Tenant, ID           string
	Verified             bool
	Agreement            string
	Created, Deactivated time.Time
}

// A Token lets its holder in, by the hash of its secret.
type Token struct {
	ID, Tenant, Account string
	Role                string
	Scopes              []string
	Name                string
	Hash                []byte
	Created             time.Time
	Expires, Revoked    time.Time
}

// An Entry is one audit entry.
type Entry struct {
	ID                  string
	At                  time.Time
	Tenant, Actor, Role string
	Action, Subject     string
	// Order and OrderVersion: the order it changed and the version that made.
	Order        string
	OrderVersion int64
	// Data is canonical JSON with nothing personal in it; Private a salted
	// digest of what is.
	Data    json.RawMessage
	Private []byte
	// Seq and Hash are its place in the chain, 0 and nil until it is sealed.
	Seq  int64
	Hash []byte
}

// EntryFilter says which audit entries to list. Tenant is always given.
type EntryFilter struct {
	Tenant, Order, Actor, Action string
	Since, Until                 time.Time
	// BeforeAt and BeforeID are the key of the last row of the page before.
	BeforeAt time.Time
	BeforeID string
	Limit    int
}

// A Head is the end of the chain at a time, signed.
type Head struct {
	Seq       int64
	Hash      []byte
	At        time.Time
	Signature []byte
}

// A Request is an answered request with an idempotency key.
type Request struct {
	Token, Key string
	Digest     []byte
	Status     int
	Headers    json.RawMessage
	Body       []byte
	// Order is the number of the order that the answer shows, with which it is
	// erased: then Status is 410 and Body empty, and the key stays used.
	Order   string
	Created time.Time
}

// Prune is what retention lets go of: rows older than these times; the zero
// time keeps all.
type Prune struct {
	Requests time.Time
	// Reviews: all but the first and the newest review of orders that ended before.
	Reviews time.Time
	// Notices: those that are settled, with their delivery log.
	Notices time.Time
}

// Stats are counts of what is under way.
type Stats struct {
	Open, Due, Leased int64
	// OldestDue is when the oldest row was due; Unsealed how many entries wait,
	// OldestUnsealed since when the oldest of them does.
	OldestDue      time.Time
	Unsealed       int64
	OldestUnsealed time.Time
	// Notices is how many notices wait to be delivered, OldestNotice since when the
	// oldest of those is due that nobody has.
	Notices      int64
	OldestNotice time.Time
}

// Standing is what the cloud's numbers and the rules of what is allowed depend on.
func (o *OrderRow) Standing() order.Standing {
	return order.Standing{
		Order: o.State, Phase: o.Phase, Product: o.Product, Kind: o.Kind, Method: o.Method, Submitted: o.Submitted, Created: o.Created,
	}
}

// Standing is that of the row, with what only the whole order says.
func (o *Order) Standing() order.Standing {
	s := o.OrderRow.Standing()
	s.Free = o.Order.Plan == "free"
	return s
}

// A Standing is an order with what was found and tried so far.
type Standing struct {
	Order *Order
	// Review is the newest; nil: there is none.
	Review     *Review
	Attempts   []Attempt // as [CertificateReader.Attempts]
	Challenges []order.Challenge
}

// A NowQuery asks what a judgement of an order rests on as of now.
type NowQuery struct {
	Order string
	// Keys of the order's tenant are locked as [Tx.LockKeys] does; none: nothing is.
	Tenant string
	Keys   []OrderKey
	// Account and Keyprint are an account of the tenant, and a key that may be
	// blocked; "" where nobody asks. Nobody is kept from changing either.
	Account, Keyprint string
}

// Now is the answer to a [NowQuery].
type Now struct {
	Order   *Order
	Sharing []string // as [Tx.LockKeys]
	// Account is nil where there is none. Blocked is since when the key is blocked; zero:
	// it is not.
	Account *Account
	Blocked time.Time
}
