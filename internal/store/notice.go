package store

import (
	"context"
	"time"
)

// A Channel is where notices go: an address or a URL, for the events of the
// orders of an account or of a whole tenant.
type Channel struct {
	ID, Tenant string
	// Account is whose orders; "" is all of the tenant.
	Account string
	// Role is whom it speaks to, Kind "email" or "webhook", Language "en" or "zh".
	Role, Kind, Language string
	Events               []string
	// Shown is what lists show of where it leads; Sealed is where it leads.
	Shown  string
	Sealed []byte
	// By is the token that made it.
	By      string
	Created time.Time
	// Tested is when somebody last had a test sent through it.
	Tested time.Time
	// Removed channels get nothing more; what was due for them is dropped.
	Removed time.Time
}

// NoticeState is what became of a notice.
type NoticeState string

// The states of a notice.
const (
	NoticeDue   NoticeState = "due"   // to be sent, or to be tried again
	NoticeSent  NoticeState = "sent"  // the other side took it
	NoticeQuiet NoticeState = "quiet" // there was nothing new to say
	// NoticeDead: it could not be delivered and is not tried any more.
	NoticeDead NoticeState = "dead"
	// NoticeDropped: its channel was removed.
	NoticeDropped NoticeState = "dropped"
)

// NoticeStates lists the states.
func NoticeStates() []NoticeState {
	return []NoticeState{NoticeDue, NoticeSent, NoticeQuiet, NoticeDead, NoticeDropped}
}

// A Notice is one event for one channel: there is never a second one of both.
type Notice struct {
	// Entry is the audit entry of the event.
	Entry, Channel, Tenant string
	// Account is whose applicants see it: that of a channel that speaks to them.
	Account, Event string
	// Order and Certificate are what it is about: one of them, or a certificate with
	// the order that it was issued for.
	Order, Certificate string
	At                 time.Time
	State              NoticeState
	// Due is when it is tried next, Attempt how often it was taken.
	Due     time.Time
	Attempt int
	// Digest stands for what it says.
	Digest  string
	Settled time.Time
	// Reason is why it is not sent (yet).
	Reason string
}

// ChannelFilter says which channels to list. Tenant is always given.
type ChannelFilter struct {
	Tenant string
	// Account narrows to the channels of one account, Whole to those of none, which
	// are for the whole tenant.
	Account string
	Whole   bool
	Role    string
	After   string // the id of the last row of the page before
	Limit   int    // 1 to 200
}

// NewNotice is an event that channels may want to hear of.
type NewNotice struct {
	Entry, Tenant, Event string
	// Order and Certificate are what it is about; at least one is given.
	Order, Certificate string
	// Account is whose they are.
	Account string
	At      time.Time
}

// A NoticeTry is one attempt to deliver a notice.
type NoticeTry struct {
	Attempt   int
	At        time.Time
	Took      time.Duration
	Delivered bool
	// Detail is what the other side said, bounded.
	Detail string
}

// NoticeFilter says which notices to list. Tenant is always given.
type NoticeFilter struct {
	Tenant, Account    string
	Order, Certificate string
	Channel            string
	State              NoticeState
	// Before is the key of the last row of the page before.
	Before NoticeKey
	Limit  int // 1 to 200
}

// A NoticeKey is the place of a row in a list of notices.
type NoticeKey struct {
	At             time.Time
	Entry, Channel string
}

// A NoticeResult is what came of an attempt, or of the decision to make none.
type NoticeResult struct {
	State NoticeState
	// Due is the next attempt, where State is NoticeDue.
	Due            time.Time
	Digest, Reason string
	At             time.Time
	// Try is the attempt; nil: none was made, and the number of attempts is what it
	// was before the notice was taken.
	Try *NoticeTry
}

// NoticeReader reads channels and notices.
type NoticeReader interface {
	// Channel reads a channel of a tenant, also a removed one; tenant "" is any.
	Channel(ctx context.Context, tenant, id string) (*Channel, error)
	// Channels lists channels by id, without removed ones.
	Channels(ctx context.Context, f ChannelFilter) ([]Channel, error)
	// Notices lists notices, newest first.
	Notices(ctx context.Context, f NoticeFilter) ([]Notice, error)
	Notice(ctx context.Context, tenant, entry, channel string) (*Notice, error)
	// NoticeTries is the delivery log of a notice, oldest first.
	NoticeTries(ctx context.Context, entry, channel string) ([]NoticeTry, error)
	// NextNotice is when a notice is due next, the zero time where none is. What is
	// under way counts from the end of its lease.
	NextNotice(ctx context.Context) (time.Time, error)
	// Said reports whether a channel was told the same of an order since a time.
	Said(ctx context.Context, n *Notice, digest string, since time.Time) (bool, error)
	// Entry reads one audit entry.
	Entry(ctx context.Context, id string) (*Entry, error)
}

// NoticeTx writes them.
type NoticeTx interface {
	// PutChannel writes a new channel.
	PutChannel(c Channel) error
	// ChangeChannel writes the events and the language of a channel. ErrNotFound: the
	// tenant has none of that id, or it was removed.
	ChangeChannel(c Channel) error
	// TriedChannel notes that a channel is tested at a time, where it was last at
	// another. ErrConflict: it was removed, or somebody else tests it.
	TriedChannel(tenant, id string, last, at time.Time) error
	// RemoveChannel takes a channel's secrets away and drops what was due for it.
	// ErrNotFound: the tenant has none of that id, or it was removed before.
	RemoveChannel(tenant, id string, at time.Time) error
	// AddNotices writes a notice for each channel that wants to hear of an event.
	// Those that are there already stay as they are.
	AddNotices(n NewNotice) error
	// TakeNotices leases up to limit notices that are due, oldest first, to an owner
	// until a time. Attempt counts this time too.
	TakeNotices(now time.Time, owner string, until time.Time, limit int) ([]Notice, error)
	// FinishNotice writes what came of a notice as TakeNotices gave it and ends its
	// lease. ErrLeaseLost: owner does not hold it any more.
	FinishNotice(n Notice, owner string, r NoticeResult) error
	// PostponeNotices has up to limit notices of a channel that are due and that
	// nobody holds wait until a time.
	PostponeNotices(channel string, now, until time.Time, limit int) error
	// ReviveNotice has a dead notice tried again from a time on. ErrNotFound: the
	// tenant has no such notice that is dead.
	ReviveNotice(tenant, entry, channel string, at time.Time) error
}
