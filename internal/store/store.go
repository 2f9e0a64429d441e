// Package store keeps the order service's state: what it writes it keeps, all
// of it or none.
//
// A [Store] is one interface over two engines, SQLite ([assay/internal/store/sqlite])
// and PostgreSQL ([assay/internal/store/postgres]); package storetest is the suite
// both must pass. Writes go through [Store.Write]: one function is one unit, and
// units of concurrent callers share a commit (group commit). One that fails takes
// nothing from the others.
// When Write returns nil the unit is on disk.
//
// The store knows no rules and no clock: times come in with the rows. It guards
// what a defect above must not break: states are words of [order.States], a
// change names the version it read, a validation value is used once.
//
// Times have microseconds and are UTC; the zero time is "never".
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/evidence"
	"assay/order"
)

// Errors that callers act on.
var (
	// ErrNotFound: there is no such row, or it belongs to another tenant.
	ErrNotFound = errors.New("not found")
	// ErrAnswered: a request with this key was answered before.
	ErrAnswered = errors.New("the request was answered before")
	// ErrConflict: the row changed since it was read, or exists already.
	ErrConflict = errors.New("changed meanwhile")
	// ErrTaken wraps ErrConflict where a new order's number is another's.
	ErrTaken = fmt.Errorf("the number is taken: %w", ErrConflict)
	// ErrStep: order.Transitions has no step from the state an order is in to the
	// one it is given.
	ErrStep = errors.New("an order cannot take this step")
	// ErrLeaseLost: the lease ended and another process holds the row.
	ErrLeaseLost = errors.New("lease lost")
	// ErrFull: the disk is full; nothing of the unit was kept. The caller can try again.
	ErrFull = errors.New("no space left for the database")
	// ErrUnavailable: the database cannot be reached or was stopped. Whether the
	// unit was kept is unknown only where the error came at the commit
	// ([ErrUnsure]).
	ErrUnavailable = errors.New("database not available")
	// ErrUnsure wraps ErrUnavailable where the connection broke at the commit.
	ErrUnsure = errors.New("the commit was not confirmed")
)

// A Store is one database. It is safe for concurrent use by goroutines and, on
// PostgreSQL, by processes.
type Store interface {
	Reader
	// Write runs fn in a transaction, as a unit of its own, and returns when it is
	// on disk. fn may run again where the engine asks for it (serialization, a lost
	// connection before the commit) or another unit failed beside it, so it changes
	// nothing but through tx and its own variables, and does no other I/O. An
	// error of fn rolls its unit back and is returned as it is; a panic of fn goes
	// to the caller. A unit that waits does not run where ctx ends; one that began
	// is waited for.
	Write(ctx context.Context, fn func(tx Tx) error) error
	// Engine is "sqlite" or "postgres".
	Engine() string
	// Scrub has what was erased leave the engine's own log as well; who writes waits for
	// it a moment at most. ErrUnavailable: others use the log, so that it stays; the
	// caller can try again. PostgreSQL's log is its operator's: there it does nothing.
	Scrub(ctx context.Context) error
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	Close() error
}

// Reader reads what is committed. Lists are ordered newest first and paged by
// the key of their last row (keyset): no offset, no count.
type Reader interface {
	DeskReader
	NoticeReader
	FilesReader
	CertificateReader
	// Order returns one order of a tenant; tenant "" is any.
	Order(ctx context.Context, tenant, id string) (*Order, error)
	Orders(ctx context.Context, f OrderFilter) ([]OrderRow, error)
	// CountDrafts is how many drafts an account has, counted up to most.
	CountDrafts(ctx context.Context, tenant, account string, most int) (int, error)
	// Challenges are the validation values of an order, by name.
	Challenges(ctx context.Context, orderID string) ([]order.Challenge, error)
	// Standing is what a check of an order of any tenant begins with.
	Standing(ctx context.Context, orderID string) (*Standing, error)
	// DueOf is what is due for an order, by kind.
	DueOf(ctx context.Context, orderID string) ([]Due, error)
	// PastOrders are orders of any tenant that share a CSR digest, a keyprint or
	// a registrable domain with q, or belong to its account, newest first; see
	// [evidence.TopicOrders]. The caller hides what is another tenant's.
	PastOrders(ctx context.Context, q PastQuery) ([]PastOrder, error)
	// Around reads what an order is judged beside, in one round trip where the engine
	// has those. ErrNotFound: there is no such account.
	Around(ctx context.Context, q AroundQuery) (*Around, error)
	// Validations are those of an applicant for these domains under these profiles
	// (see [Validation.Profile]), the newest first of each part of the domains.
	Validations(ctx context.Context, tenant, account string, profiles, domains []string) ([]Validation, error)

	Review(ctx context.Context, orderID string, number int) (*Review, error) // 0: the newest
	Reviews(ctx context.Context, orderID string, before, limit int) ([]ReviewRow, error)
	// EachReview calls fn with the reviews that a filter leaves, until fn fails.
	EachReview(ctx context.Context, f ReviewFilter, fn func(*OrderReview) error) error
	Observations(ctx context.Context, orderID string, ids []string) ([]evidence.Observation, error)

	Token(ctx context.Context, id string) (*Token, error)
	Tokens(ctx context.Context, tenant string, after string, limit int) ([]Token, error)
	Tenant(ctx context.Context, id string) (*Tenant, error)
	Tenants(ctx context.Context, after string, limit int) ([]Tenant, error)
	Account(ctx context.Context, tenant, id string) (*Account, error)

	// Entries are audit entries of a tenant ("": all), newest first.
	Entries(ctx context.Context, f EntryFilter) ([]Entry, error)
	// OrderEntries are the entries of an order after a version, oldest first:
	// what followers of an order are told.
	OrderEntries(ctx context.Context, orderID string, afterVersion int64, limit int) ([]Entry, error)
	// Sealed calls fn with every sealed entry from a place in the chain on.
	Sealed(ctx context.Context, from int64, fn func(*Entry) error) error
	Heads(ctx context.Context) ([]Head, error)
	// HasUnsealed reports whether entries wait for their place in the chain.
	HasUnsealed(ctx context.Context) (bool, error)

	Request(ctx context.Context, token, key string) (*Request, error)
	Secret(ctx context.Context, id string) ([]byte, error)
	// NextDue is when something is due next, the zero time where nothing is. What
	// is under way counts from the end of its lease.
	NextDue(ctx context.Context) (time.Time, error)
	// Stats are counts for metrics and readiness, from indexes.
	Stats(ctx context.Context, now time.Time) (Stats, error)
}

// Tx is a unit of writing. Reads through it see the unit's own writes.
//
// After an error of a method that writes the unit is lost: whatever follows gives
// that error, and so does Write where fn returns nil. Statements are sent
// together, so that the error of one may come from the next method that reads, or
// from Write; PutRequest and TakeLease tell theirs themselves.
type Tx interface {
	DeskTx
	NoticeTx
	FilesTx
	CertificateTx
	// Order reads one order as of now, for a change of it.
	Order(tenant, id string) (*Order, error)
	// Now reads an order of any tenant as [Tx.Order] does, and with it what a judgement
	// of it rests on.
	Now(q NowQuery) (*Now, error)
	// LockKeys returns the numbers of the newest 1,000 orders that were submitted
	// with each of these digests (see [OrderKey]) and count for a tenant: its own, and
	// those validated with it; an order with several perhaps more than once. Until
	// the unit ends no other unit gets an answer for any of them, so that of two who
	// bring the same key one sees the other.
	LockKeys(tenant string, keys ...OrderKey) ([]string, error)
	// ValidateKeys notes that the names of an order were validated while it had
	// these keys: from now on they count for every tenant.
	ValidateKeys(orderID string, at time.Time, keys ...OrderKey) error
	// InsertOrder writes a new order with its names, values, what is due for it and,
	// unless it is a draft, its keys. [ErrTaken]: the id exists; ErrConflict: a value does.
	InsertOrder(o *Order, extra NewOrder) error
	// UpdateOrder writes an order that is still at version o.Version and makes
	// that o.Version+1, in o too for as long as the unit holds. ErrConflict
	// otherwise; ErrStep where its state does not lead to that of o.
	UpdateOrder(o *Order) error
	// ReplaceOrder is UpdateOrder for one whose names, keys or values changed too.
	// It keeps the keys that it was submitted with before, beside the new ones: what
	// was used once stays used (catalogue B9).
	ReplaceOrder(o *Order, extra NewOrder) error

	// SetDue says what is due and when; it ends a lease. Due row absent: a new one.
	SetDue(d Due) error
	// ClearDue removes what is due of these kinds; none: all.
	ClearDue(orderID string, kinds ...DueKind) error
	// TakeDue leases up to limit rows that are due, oldest first, to an owner until
	// a time. Attempt counts this time too. A row whose lease ended is due since then.
	TakeDue(now time.Time, owner string, until time.Time, limit int) ([]Due, error)
	// FinishDue checks that owner still holds the lease as TakeDue gave it (d with
	// its Attempt) and removes the row.
	// ErrLeaseLost: it does not, and the unit must be given up.
	FinishDue(d Due, owner string) error
	// KeepDue checks the same and leaves the row leased.
	KeepDue(d Due, owner string) error

	// InsertReview writes a review, and the observations that are new in it.
	InsertReview(r *PackedReview) error
	// RepeatReview notes that a later check saw the same.
	RepeatReview(id string, at time.Time) error
	PutValidation(v Validation) error

	// InsertTenant writes a new tenant. ErrConflict: the id exists.
	InsertTenant(t Tenant) error
	// PutTenant is InsertTenant, or writes what may change of one that is there.
	PutTenant(t Tenant) error
	PutAccount(a Account) error
	// EnsureAccount is PutAccount for one that is not there yet, and nothing else.
	EnsureAccount(a Account) error
	// PutToken writes a token, or what may change of one that is there: its name, its
	// end, and that it was revoked. A revocation stays, and when it was.
	PutToken(t Token) error

	// Append writes an audit entry; its place in the chain comes later.
	Append(e Entry) error
	// Unsealed are entries without a place, oldest first.
	Unsealed(limit int) ([]Entry, error)
	// LastSealed is the end of the chain; Seq 0 for an empty one.
	LastSealed() (Head, error)
	// Seal gives entries their place and hash. ErrConflict: another sealer did.
	Seal(entries []Entry) error
	PutHead(h Head) error

	// PutRequest keeps the answer to a request; ErrAnswered: the key is there.
	PutRequest(r Request) error
	PutSecret(id string, sealed []byte, at time.Time) error
	// TakeLease takes or renews what one process does for all.
	TakeLease(name, owner string, now, until time.Time) (bool, error)
	// Prune removes up to limit rows that retention lets go: answered requests,
	// reviews and observations of ended orders. It returns how many, with one for
	// each order that was seen to: 0 means that nothing is left to do.
	Prune(p Prune, limit int) (int, error)
	// Erase removes what an order's reviews kept: reports and observations, the
	// notes of decisions, and what is sealed of its claims, calls and letters. The
	// audit chain stays.
	Erase(orderID string, at time.Time) error
}
