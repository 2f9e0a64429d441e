package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/notify"
	"assay/internal/store"
)

// The kinds of channel.
const (
	KindEmail   = "email"
	KindWebhook = "webhook"
)

const (
	// maxChannels is how many channels an account may have, and the tenant beside
	// those of its accounts.
	maxChannels = 20
	// testEvery is how often a channel may be tried by hand.
	testEvery = time.Minute
)

// A Sealer keeps secrets at rest; see package secret.
type Sealer interface {
	Seal(row string, plain []byte) ([]byte, error)
	Open(row string, sealed []byte) ([]byte, error)
}

func channelRow(id string) string { return "channel:" + id }

// A ChannelRequest asks for a channel.
type ChannelRequest struct {
	// Kind is "email" or "webhook", Target the address or the URL.
	Kind   string `json:"kind"`
	Target string `json:"target"`
	// Account is whose orders; "" is the own account's of an applicant, everybody's
	// of the tenant otherwise.
	Account string `json:"account,omitempty"`
	// Role is whom it speaks to; "": the role of whoever asks.
	Role Role `json:"role,omitempty"`
	// Events are what it is told of; none: what is usual for the role.
	Events []string `json:"events,omitempty"`
	// Language is "en" or "zh"; "": en.
	Language string `json:"language,omitempty"`
}

// A ChannelView is a channel without its secrets.
type ChannelView struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Account string `json:"account,omitempty"`
	Role    Role   `json:"role"`
	// Target is where it leads, without what is secret or personal in it.
	Target    string     `json:"target"`
	Events    []string   `json:"events"`
	Language  string     `json:"language"`
	CreatedAt time.Time  `json:"created_at"`
	RemovedAt *time.Time `json:"removed_at,omitempty"`
	// Secret verifies the signatures of a webhook: in the answer that makes it,
	// never again.
	Secret string `json:"secret,omitempty"`
}

// WithoutSecret is the channel as it may be kept.
func (v ChannelView) WithoutSecret() any {
	v.Secret = ""
	return v
}

func channelView(c *store.Channel) ChannelView {
	return ChannelView{
		ID: c.ID, Kind: c.Kind, Account: c.Account, Role: Role(c.Role), Target: c.Shown, Events: slices.Concat([]string{}, c.Events), Language: c.Language,
		CreatedAt: c.Created, RemovedAt: optional(c.Removed),
	}
}

// NewChannel makes a channel: by an applicant for the own account, by an
// administrator for any or all of the tenant.
func (s *Service) NewChannel(ctx context.Context, p Principal, r ChannelRequest) (ChannelView, error) {
	if err := allow(p, MayManageNotices); err != nil {
		return ChannelView{}, err
	}
	r.Role, r.Language = cmp.Or(r.Role, p.Role), cmp.Or(r.Language, string(cause.English))
	if p.Role == RoleApplicant {
		r.Account = cmp.Or(r.Account, p.Account)
	}
	events, err := r.check(p)
	if err != nil {
		return ChannelView{}, err
	}
	shown, t, err := s.target(&r)
	if err != nil {
		return ChannelView{}, err
	}
	id, err := s.random(8)
	if err != nil {
		return ChannelView{}, err
	}
	raw, err := json.Marshal(&t)
	if err != nil {
		return ChannelView{}, err
	}
	if s.Secrets == nil {
		return ChannelView{}, &Problem{Kind: Unavailable, Message: "notice.no-secrets"}
	}
	c := store.Channel{
		ID: id, Tenant: p.Tenant, Account: r.Account, Role: string(r.Role), Kind: r.Kind, Language: r.Language, Events: events, Shown: shown, By: p.Token, Created: s.now(),
	}
	if c.Sealed, err = s.Secrets.Seal(channelRow(id), raw); err != nil {
		return ChannelView{}, err
	}
	if err := s.channelsLeft(ctx, p.Tenant, r.Account); err != nil {
		return ChannelView{}, err
	}
	return unit(ctx, s, func(tx store.Tx) (ChannelView, error) {
		if err := tx.PutChannel(c); err != nil {
			return ChannelView{}, err
		}
		v := channelView(&c)
		if t.Key != nil {
			v.Secret = notify.KeyText(t.Key)
		}
		data := map[string]any{"kind": c.Kind, "role": c.Role, "account": c.Account, "events": c.Events, "language": c.Language}
		return v, s.audit(tx, p, nil, "channel.new", "channel:"+id, data)
	})
}

// channelsLeft refuses a channel more than there may be.
func (s *Service) channelsLeft(ctx context.Context, tenant, account string) error {
	have, err := s.Store.Channels(ctx, store.ChannelFilter{Tenant: tenant, Account: account, Whole: account == "", Limit: maxChannels})
	if err != nil {
		return problemOf(err)
	}
	if len(have) >= maxChannels {
		return &Problem{Kind: Conflict, Message: "notice.too-many", Pairs: []any{"Most", maxChannels}}
	}
	return nil
}

// check reads what is asked for, and gives the events.
func (r *ChannelRequest) check(p Principal) ([]string, error) {
	if r.Kind != KindEmail && r.Kind != KindWebhook {
		return nil, notOneOf("kind", r.Kind, "email, webhook")
	}
	if err := checkLanguage(r.Language); err != nil {
		return nil, err
	}
	if !slices.Contains(Roles(), r.Role) || p.Role == RoleApplicant && r.Role != RoleApplicant {
		return nil, notOneOf("role", string(r.Role), "applicant, reviewer, administrator, auditor")
	}
	if p.Role == RoleApplicant && r.Account != p.Account {
		return nil, &Problem{Kind: Forbidden, Message: "notice.other-account", Pairs: []any{"Account", p.Account}}
	}
	if r.Account != "" && r.Account != p.Account {
		if err := checkAccountID("account", r.Account); err != nil {
			return nil, err
		}
	}
	return checkEvents(r.Role, r.Events)
}

func notOneOf(field, value, allowed string) error {
	return &Problem{Kind: Invalid, Message: "service.one-of", Pairs: []any{"Field", field, "Value", shownValue(value), "Allowed", allowed}}
}

func checkLanguage(lang string) error {
	if !slices.Contains(cause.Languages(), cause.Language(lang)) {
		return notOneOf("language", lang, "en, zh")
	}
	return nil
}

// checkEvents are the events that a channel of a role is told of where these are
// asked for; none: what is usual for the role.
func checkEvents(role Role, asked []string) ([]string, error) {
	may, usual := notify.EventsFor(string(role))
	if len(asked) == 0 {
		return words(usual), nil
	}
	for _, e := range asked {
		if !slices.Contains(may, notify.Event(e)) {
			return nil, notOneOf("events", e, strings.Join(words(may), ", "))
		}
	}
	events := slices.Clone(asked)
	slices.Sort(events)
	return slices.Compact(events), nil
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = string(list[i])
	}
	return out
}

// target is where a channel leads, and what is shown of it.
func (s *Service) target(r *ChannelRequest) (shown string, t target, err error) {
	wrong := func(err error) error {
		message := "notice.target"
		var why *notify.TargetError
		if errors.As(err, &why) {
			message += "." + why.Reason
		}
		return &Problem{Kind: Invalid, Message: message, Pairs: []any{"Why", err.Error()}, Err: err}
	}
	if r.Kind == KindWebhook {
		u, err := s.Hooks.Check(r.Target)
		if err != nil {
			return "", t, wrong(err)
		}
		key := make([]byte, notify.KeyBytes)
		if _, err := io.ReadFull(s.Rand, key); err != nil {
			return "", t, err
		}
		return u.Scheme + "://" + u.Host + "/…", target{URL: r.Target, Key: key}, nil
	}
	to, err := notify.CheckAddress(r.Target)
	if err != nil {
		return "", t, wrong(err)
	}
	if s.Mail == nil {
		return "", t, &Problem{Kind: Invalid, Message: "notice.no-mail-server"}
	}
	box, host, _ := strings.Cut(to, "@")
	first := []rune(box)[:1]
	return string(first) + "…@" + host, target{To: to}, nil
}

// Channels lists channels by id: to an applicant those that speak to the own
// account's, everybody's of the tenant otherwise.
func (s *Service) Channels(ctx context.Context, p Principal, after string, limit int) ([]ChannelView, error) {
	if err := allow(p, MayReadNotices); err != nil {
		return nil, err
	}
	f := store.ChannelFilter{Tenant: p.Tenant, After: after, Limit: pageSize(limit)}
	if p.Role == RoleApplicant {
		f.Account, f.Role = p.Account, string(RoleApplicant)
	}
	list, err := s.Store.Channels(ctx, f)
	if err != nil {
		return nil, problemOf(err)
	}
	views := make([]ChannelView, len(list))
	for i := range list {
		views[i] = channelView(&list[i])
	}
	return views, nil
}

// channel reads a channel that somebody may see.
func (s *Service) channel(ctx context.Context, p Principal, id string, do Permission) (*store.Channel, error) {
	if err := allow(p, do); err != nil {
		return nil, err
	}
	c, err := s.Store.Channel(ctx, p.Tenant, id)
	if err == nil && (!c.Removed.IsZero() || p.Role == RoleApplicant && (c.Account != p.Account || c.Role != string(RoleApplicant))) {
		err = store.ErrNotFound
	}
	return c, problemOf(err)
}

// Channel reads one channel.
func (s *Service) Channel(ctx context.Context, p Principal, id string) (ChannelView, error) {
	c, err := s.channel(ctx, p, id, MayReadNotices)
	if err != nil {
		return ChannelView{}, err
	}
	return channelView(c), nil
}

// A ChannelChange says what is to change of a channel; what is empty stays.
type ChannelChange struct {
	// Events are what it is told of from now on.
	Events []string `json:"events,omitempty"`
	// Language is "en" or "zh".
	Language string `json:"language,omitempty"`
}

// ChangeChannel changes what a channel is told, and in which language. Where it
// leads stays: for that a new one is made.
func (s *Service) ChangeChannel(ctx context.Context, p Principal, id string, r ChannelChange) (ChannelView, error) {
	c, err := s.channel(ctx, p, id, MayManageNotices)
	if err != nil {
		return ChannelView{}, err
	}
	if len(r.Events) > 0 {
		if c.Events, err = checkEvents(Role(c.Role), r.Events); err != nil {
			return ChannelView{}, err
		}
	}
	if r.Language != "" {
		if err := checkLanguage(r.Language); err != nil {
			return ChannelView{}, err
		}
		c.Language = r.Language
	}
	return unit(ctx, s, func(tx store.Tx) (ChannelView, error) {
		if err := tx.ChangeChannel(*c); err != nil {
			return ChannelView{}, err
		}
		return channelView(c), s.audit(tx, p, nil, "channel.change", "channel:"+id, map[string]any{"events": c.Events, "language": c.Language})
	})
}

// RemoveChannel ends a channel at once: its secrets are gone, what was due for it is
// dropped. What is being sent at that moment may still arrive.
func (s *Service) RemoveChannel(ctx context.Context, p Principal, id string) (ChannelView, error) {
	c, err := s.channel(ctx, p, id, MayManageNotices)
	if err != nil {
		return ChannelView{}, err
	}
	c.Removed = s.now()
	return unit(ctx, s, func(tx store.Tx) (ChannelView, error) {
		if err := tx.RemoveChannel(p.Tenant, id, c.Removed); err != nil {
			return ChannelView{}, err
		}
		return channelView(c), s.audit(tx, p, nil, "channel.remove", "channel:"+id, nil)
	})
}

// A ChannelTest is what came of trying a channel.
type ChannelTest struct {
	Delivered bool `json:"delivered"`
	// Detail is what the other side said.
	Detail string `json:"detail"`
	// Milliseconds is how long it took.
	Milliseconds int64 `json:"milliseconds"`
}

// TestChannel sends a test through a channel and waits for what comes of it; once a
// minute, so that nobody is flooded.
func (s *Service) TestChannel(ctx context.Context, p Principal, id string) (ChannelTest, error) {
	c, err := s.channel(ctx, p, id, MayManageNotices)
	if err != nil {
		return ChannelTest{}, err
	}
	tail, err := s.random(8)
	if err != nil {
		return ChannelTest{}, err
	}
	now := s.now()
	if next := c.Tested.Add(testEvery); !c.Tested.IsZero() && now.Before(next) && !now.Before(c.Tested) {
		return ChannelTest{}, &Problem{Kind: TooMany, Message: "notice.test-soon", RetryAt: next}
	}
	// Written first: of two who try at once one does.
	err = s.Store.Write(ctx, func(tx store.Tx) error {
		if err := tx.TriedChannel(p.Tenant, id, c.Tested, now); err != nil {
			return err
		}
		return s.audit(tx, p, nil, "channel.test", "channel:"+id, nil)
	})
	if errors.Is(err, store.ErrConflict) {
		return ChannelTest{}, &Problem{Kind: TooMany, Message: "notice.test-soon", RetryAt: now.Add(testEvery), Err: err}
	}
	if err != nil {
		return ChannelTest{}, problemOf(err)
	}
	detail, err := s.send(ctx, c, &notify.Letter{ID: "test-" + tail, Event: notify.Test, At: now, Role: c.Role, Tenant: c.Tenant, Account: c.Account})
	test := ChannelTest{Delivered: err == nil, Detail: detail, Milliseconds: s.now().Sub(now).Milliseconds()}
	if err != nil {
		test.Detail = s.undelivered(store.Notice{Entry: "test-" + tail, Channel: id, At: now}, now, err).Reason
	}
	return answered(ctx, s, test)
}
