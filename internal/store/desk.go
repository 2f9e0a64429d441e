package store

import (
	"context"
	"time"

	"assay/order"
)

// The states of what waits for a person.
const (
	DeskOpen   = "open"   // a reviewer has to decide
	DeskAsked  = "asked"  // its applicant has to answer
	DeskClosed = "closed" // nothing waits for a person
)

// A DeskItem is an order in the review queue: one row for each order that ever
// waited for a person.
type DeskItem struct {
	Order, Tenant, Account string
	Product                order.Product
	// Name is the first of Names names.
	Name  string
	Names int
	// Review is the id of the review that asks, Causes what is to be decided, sorted.
	Review string
	Causes []string
	State  string
	// Opened is when it began to wait, Due when the service level ends.
	Opened, Due time.Time
	// Asked is since when its applicant is asked; Urged when its applicant last
	// urged; Remind when reviewers are told again, the zero time: never.
	Asked, Urged, Remind time.Time
	// ClaimedBy is the account of who works on it until ClaimedUntil.
	ClaimedBy    string
	ClaimedUntil time.Time
	Closed       time.Time
	// Version counts the changes from 1; it is the item's entity tag.
	Version int64
}

// DeskFilter says what of the queue to list. Tenant and State are always given;
// the other fields narrow where they are set.
type DeskFilter struct {
	Tenant, State string
	Product       order.Product
	Account       string
	ClaimedBy     string
	// After is the key of the last row of the page before.
	After DeskKeyset
	Limit int // 1 to 200
}

// A DeskKeyset is the place of a row in the queue.
type DeskKeyset struct {
	Due   time.Time
	Order string
}

// The kinds of decision.
const (
	DecisionApprove  = "approve"  // a finding counts as information from now on
	DecisionAgree    = "agree"    // the first of two who have to
	DecisionRefuse   = "refuse"   // the order fails
	DecisionAsk      = "ask"      // its applicant is asked
	DecisionAnswer   = "answer"   // and answers
	DecisionWithdraw = "withdraw" // an approval counts no longer
)

// ScopeOrder is the scope of a decision that counts for its order alone.
const ScopeOrder = "order"

// A Decision is one that a person took about an order. It is never changed.
type Decision struct {
	// ID orders decisions by time.
	ID, Order, Tenant string
	// Account is the one that orders.
	Account string
	Kind    string
	// Cause and Subject are of the finding it is about; empty where it is about
	// the whole order.
	Cause, Subject string
	// Scope is what an approval counts for: [ScopeOrder], or a registrable domain
	// or an address under which later orders of the account count too.
	Scope string
	// Facts is the digest of the finding that was looked at, where the approval
	// counts for nothing else; Review the id of the review it stood in.
	Facts, Review string
	// By is the account of who decided, Token the one used.
	By, Token string
	// AgreedBy and Agreed are of the first of four eyes.
	AgreedBy string
	Agreed   time.Time
	Note     string
	// Refers is the decision that is withdrawn.
	Refers string
	At     time.Time
	// Until is when an approval ends; the zero time: never.
	Until time.Time
}

// DeskReader reads the review queue.
type DeskReader interface {
	// DeskItem returns the place of an order in the queue, closed ones too;
	// tenant "" is any.
	DeskItem(ctx context.Context, tenant, orderID string) (*DeskItem, error)
	// Desk lists the queue: what is due first comes first.
	Desk(ctx context.Context, f DeskFilter) ([]DeskItem, error)
	// Decisions are the newest decisions about an order, newest first.
	Decisions(ctx context.Context, orderID string, limit int) ([]Decision, error)
	// Approvals are the approvals of an account that count beyond their order,
	// for one of these scopes, newest first: those that were not withdrawn and
	// did not end by a time.
	Approvals(ctx context.Context, tenant, account string, scopes []string, at time.Time) ([]Decision, error)
}

// DeskTx changes the review queue.
type DeskTx interface {
	// DeskItem reads the place of an order as of now, for a change of it: until
	// the unit ends no other unit changes it.
	DeskItem(tenant, orderID string) (*DeskItem, error)
	// OpenDesk puts an order into the queue with a review and causes, or changes
	// these where it waits already: since when it waits, by when it is due and who
	// works on it stay.
	OpenDesk(i DeskItem) error
	// UpdateDesk writes an item that is still at version i.Version and makes that
	// i.Version+1. ErrConflict otherwise.
	UpdateDesk(i DeskItem) error
	// CloseDesk takes an order out of the queue, where it is in it.
	CloseDesk(orderID string, at time.Time) error
	// LateDesk are open items of which reviewers are to be told again, the longest
	// due first.
	LateDesk(now time.Time, limit int) ([]DeskItem, error)

	// Decisions are all decisions about an order, newest first, the unit's own too.
	Decisions(orderID string) ([]Decision, error)
	AddDecision(d Decision) error

	// Token and Account read what may have changed since it was read before. What
	// they say holds until the unit ends.
	Token(id string) (*Token, error)
	Account(tenant, id string) (*Account, error)
}
