package rest

import (
	"context"
	"crypto/ed25519"
	"io"
	"time"

	"assay/cause"
	"assay/internal/service"
	"assay/internal/store"
)

// Orders are the use cases about orders. A version of 0 stands for "whatever it
// is now".
type Orders interface {
	Apply(ctx context.Context, p service.Principal, a service.Application) (*service.View, error)
	Change(ctx context.Context, p service.Principal, id string, version int64, a service.Application) (*service.View, error)
	Submit(ctx context.Context, p service.Principal, id string, version int64) (*service.View, error)
	Verify(ctx context.Context, p service.Principal, id string, version int64) (*service.View, error)
	Cancel(ctx context.Context, p service.Principal, id string, version int64) (*service.View, error)
	Resume(ctx context.Context, p service.Principal, id string, version int64) (*service.View, error)
	Resubmit(ctx context.Context, p service.Principal, id string, version int64, a *service.Application) (*service.View, error)
	Delete(ctx context.Context, p service.Principal, id string, version int64) (*service.View, error)
	Erase(ctx context.Context, p service.Principal, id string, version int64) (*service.View, error)
	Order(ctx context.Context, p service.Principal, id string) (*service.View, error)
	Orders(ctx context.Context, p service.Principal, q service.ListQuery) ([]service.Summary, string, error)
	Reviews(ctx context.Context, p service.Principal, id string, before, limit int) ([]service.ReviewView, error)
	Attempts(ctx context.Context, p service.Principal, id string) ([]service.AttemptView, error)
	Review(ctx context.Context, p service.Principal, id string, number int) (*service.ReviewView, error)
	// Events are the changes of an order after a version, oldest first.
	Events(ctx context.Context, p service.Principal, id string, after int64, limit int) ([]service.Event, error)
	// Wait returns when the order has a version beyond after, or ctx ends.
	Wait(ctx context.Context, p service.Principal, id string, after int64) error
}

// Desk are the use cases of people in the review.
type Desk interface {
	Queue(ctx context.Context, p service.Principal, q service.QueueQuery) ([]service.QueueItem, string, error)
	Docket(ctx context.Context, p service.Principal, id string) (*service.Docket, error)
	Decisions(ctx context.Context, p service.Principal, id string) ([]service.DecisionView, error)
	Claim(ctx context.Context, p service.Principal, id string) (service.QueueItem, error)
	Release(ctx context.Context, p service.Principal, id string) (service.QueueItem, error)
	Approve(ctx context.Context, p service.Principal, id string, version int64, in service.ApprovalRequest) (*service.View, error)
	Refuse(ctx context.Context, p service.Principal, id string, version int64, in service.Remark) (*service.View, error)
	Ask(ctx context.Context, p service.Principal, id string, version int64, in service.Remark) (*service.View, error)
	Withdraw(ctx context.Context, p service.Principal, id string, version int64, decision, note string) (*service.View, error)
	Answer(ctx context.Context, p service.Principal, id string, version int64, note string) (*service.View, error)
	Urge(ctx context.Context, p service.Principal, id string, version int64) (*service.View, error)
}

// Access are the use cases about who may do what.
type Access interface {
	Authenticate(ctx context.Context, text string) (service.Principal, error)
	Whoami(ctx context.Context, p service.Principal) (service.Whoami, error)
	NewToken(ctx context.Context, p service.Principal, r service.TokenRequest) (service.TokenView, error)
	Tokens(ctx context.Context, p service.Principal, after string, limit int) ([]service.TokenView, error)
	RevokeToken(ctx context.Context, p service.Principal, id string) (service.TokenView, error)
	NewTenant(ctx context.Context, p service.Principal, id, title string) (service.TenantView, error)
	Tenants(ctx context.Context, p service.Principal, after string, limit int) ([]service.TenantView, error)
	Account(ctx context.Context, p service.Principal, id string) (service.AccountView, error)
	PutAccount(ctx context.Context, p service.Principal, v service.AccountView) (service.AccountView, error)
}

// Audit are the use cases about the audit log.
type Audit interface {
	AuditEntries(ctx context.Context, p service.Principal, q service.AuditQuery) ([]service.EntryView, string, error)
	AuditExport(ctx context.Context, p service.Principal, w io.Writer) error
	AuditVerify(ctx context.Context, p service.Principal) (*service.AuditResult, error)
	AuditPublicKey(ctx context.Context, p service.Principal) (ed25519.PublicKey, error)
}

// Policy are the use cases about rules that change.
type Policy interface {
	TryProfile(ctx context.Context, p service.Principal, toml []byte, lang cause.Language) (*service.Trial, error)
	Forecast(ctx context.Context, p service.Principal, at time.Time, lang cause.Language) (*service.Trial, error)
}

// Notices are the use cases about channels and what goes through them.
type Notices interface {
	NewChannel(ctx context.Context, p service.Principal, r service.ChannelRequest) (service.ChannelView, error)
	Channels(ctx context.Context, p service.Principal, after string, limit int) ([]service.ChannelView, error)
	Channel(ctx context.Context, p service.Principal, id string) (service.ChannelView, error)
	ChangeChannel(ctx context.Context, p service.Principal, id string, r service.ChannelChange) (service.ChannelView, error)
	RemoveChannel(ctx context.Context, p service.Principal, id string) (service.ChannelView, error)
	TestChannel(ctx context.Context, p service.Principal, id string) (service.ChannelTest, error)
	Notices(ctx context.Context, p service.Principal, q service.NoticeQuery) ([]service.NoticeView, string, error)
	Notice(ctx context.Context, p service.Principal, id string) (service.NoticeView, error)
	RetryNotice(ctx context.Context, p service.Principal, id string) (service.NoticeView, error)
	PreviewNotice(ctx context.Context, p service.Principal, id, event string, lang cause.Language) (service.NoticePreview, error)
}

// Service is all that the API needs of the order service.
type Service interface {
	Orders
	Desk
	Access
	Audit
	Policy
	Files
	Notices
	Certificates
}

// Records is what the API reads of the store beside the use cases: answers kept
// under an idempotency key, and whether the database is well.
type Records interface {
	Request(ctx context.Context, token, key string) (*store.Request, error)
	Ping(ctx context.Context) error
	Stats(ctx context.Context, now time.Time) (store.Stats, error)
}
