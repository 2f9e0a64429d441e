package service

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/notify"
	"assay/internal/store"
)

// A NoticeView is a notice and what became of it.
type NoticeView struct {
	ID      string `json:"id"`
	Channel string `json:"channel"`
	Event   string `json:"event"`
	// Order and Certificate are what it is about: a certificate that was issued here
	// comes with its order, one that was uploaded has none.
	Order       string    `json:"order,omitempty"`
	Certificate string    `json:"certificate,omitempty"`
	At          time.Time `json:"at"`
	// State is due, sent, quiet, dead or dropped.
	State string `json:"state"`
	// DueAt is the next attempt, Attempts how many there were.
	DueAt     *time.Time `json:"due_at,omitempty"`
	Attempts  int        `json:"attempts"`
	SettledAt *time.Time `json:"settled_at,omitempty"`
	// Reason is why it is not sent (yet).
	Reason string `json:"reason,omitempty"`
	// Tries is the delivery log; absent in lists.
	Tries []NoticeTry `json:"tries,omitempty"`
}

// A NoticeTry is one attempt to deliver a notice.
type NoticeTry struct {
	Attempt      int       `json:"attempt"`
	At           time.Time `json:"at"`
	Milliseconds int64     `json:"milliseconds"`
	Delivered    bool      `json:"delivered"`
	Detail       string    `json:"detail"`
}

// A NoticeQuery narrows a list of notices.
type NoticeQuery struct {
	Order, Certificate string
	Channel, State     string
	Cursor             string
	Limit              int
}

func noticeView(n *store.Notice) NoticeView {
	v := NoticeView{
		ID: noticeID(n), Channel: n.Channel, Event: n.Event, Order: n.Order, Certificate: n.Certificate, At: n.At, State: string(n.State), Attempts: n.Attempt,
		SettledAt: optional(n.Settled), Reason: n.Reason,
	}
	if n.State == store.NoticeDue {
		v.DueAt = optional(n.Due)
	}
	return v
}

// Notices lists notices, newest first: an applicant those of the own account's
// channels. next is the cursor of the following page, "" at the end.
func (s *Service) Notices(ctx context.Context, p Principal, q NoticeQuery) (items []NoticeView, next string, err error) {
	if err := allow(p, MayReadNotices); err != nil {
		return nil, "", err
	}
	if q.State != "" && !slices.Contains(store.NoticeStates(), store.NoticeState(q.State)) {
		return nil, "", &Problem{Kind: Invalid, Message: "service.one-of", Pairs: []any{"Field", "state", "Value", shownValue(q.State), "Allowed", strings.Join(words(store.NoticeStates()), ", ")}}
	}
	f := store.NoticeFilter{Tenant: p.Tenant, Order: q.Order, Certificate: q.Certificate, Channel: q.Channel, State: store.NoticeState(q.State), Limit: pageSize(q.Limit)}
	if p.Role == RoleApplicant {
		f.Account = p.Account
	}
	if f.Before, err = readNoticeCursor(q.Cursor); err != nil {
		return nil, "", err
	}
	list, err := s.Store.Notices(ctx, f)
	if err != nil {
		return nil, "", problemOf(err)
	}
	items = make([]NoticeView, len(list))
	for i := range list {
		items[i] = noticeView(&list[i])
	}
	if len(list) == f.Limit {
		last := &list[len(list)-1]
		text := strconv.FormatInt(last.At.UnixMicro(), 10) + " " + last.Entry + " " + last.Channel
		next = base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	return items, next, nil
}

func readNoticeCursor(text string) (k store.NoticeKey, err error) {
	if text == "" {
		return k, nil
	}
	wrong := &Problem{Kind: Invalid, Message: "service.cursor"}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	parts := strings.Split(string(raw), " ")
	if err != nil || !plainText(string(raw)) || len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return k, wrong
	}
	micros, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return k, wrong
	}
	return store.NoticeKey{At: time.UnixMicro(micros).UTC(), Entry: parts[1], Channel: parts[2]}, nil
}

// notice reads a notice that somebody may see.
func (s *Service) notice(ctx context.Context, p Principal, id string, do Permission) (*store.Notice, error) {
	if err := allow(p, do); err != nil {
		return nil, err
	}
	entry, channel, _ := strings.Cut(id, ".")
	n, err := s.Store.Notice(ctx, p.Tenant, entry, channel)
	if err == nil && p.Role == RoleApplicant && n.Account != p.Account {
		err = store.ErrNotFound
	}
	return n, problemOf(err)
}

// Notice reads a notice with its delivery log.
func (s *Service) Notice(ctx context.Context, p Principal, id string) (NoticeView, error) {
	n, err := s.notice(ctx, p, id, MayReadNotices)
	if err != nil {
		return NoticeView{}, err
	}
	v := noticeView(n)
	tries, err := s.Store.NoticeTries(ctx, n.Entry, n.Channel)
	if err != nil {
		return NoticeView{}, problemOf(err)
	}
	for _, t := range tries {
		v.Tries = append(v.Tries, NoticeTry{t.Attempt, t.At, t.Took.Milliseconds(), t.Delivered, t.Detail})
	}
	return v, nil
}

// RetryNotice has a notice that was given up tried once more.
func (s *Service) RetryNotice(ctx context.Context, p Principal, id string) (NoticeView, error) {
	n, err := s.notice(ctx, p, id, MayManageNotices)
	if err != nil {
		return NoticeView{}, err
	}
	if n.State != store.NoticeDead {
		return NoticeView{}, &Problem{Kind: WrongState, Message: "notice.not-dead", Pairs: []any{"State", message.ID("notify.is." + string(n.State))}}
	}
	c, err := s.Store.Channel(ctx, p.Tenant, n.Channel)
	if err != nil {
		return NoticeView{}, problemOf(err)
	}
	if !c.Removed.IsZero() {
		return NoticeView{}, problemOf(store.ErrNotFound)
	}
	n.State, n.Due, n.Settled, n.Reason = store.NoticeDue, s.now(), time.Time{}, ""
	return unit(ctx, s, func(tx store.Tx) (NoticeView, error) {
		if err := tx.ReviveNotice(p.Tenant, n.Entry, n.Channel, n.Due); err != nil {
			return NoticeView{}, err
		}
		return noticeView(n), s.audit(tx, p, nil, "notice.retry", "notice:"+id, nil)
	})
}

// A NoticePreview is a notice as it would be sent.
type NoticePreview struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	// Payload is the body of the webhook.
	Payload json.RawMessage `json:"payload"`
}

// PreviewNotice shows what a notice of an event says as of now about an order, or
// about a certificate where the event is one of certificates.
func (s *Service) PreviewNotice(ctx context.Context, p Principal, id, event string, lang cause.Language) (NoticePreview, error) {
	if err := allow(p, MayReadNotices); err != nil {
		return NoticePreview{}, err
	}
	may, _ := notify.EventsFor(string(p.Role))
	if !slices.Contains(may, notify.Event(event)) {
		return NoticePreview{}, &Problem{Kind: Invalid, Message: "service.one-of", Pairs: []any{"Field", "event", "Value", shownValue(event), "Allowed", strings.Join(words(may), ", ")}}
	}
	l, err := s.previewed(ctx, p, id, notify.Event(event))
	if err != nil {
		return NoticePreview{}, problemOf(err)
	}
	l.ID, l.At, l.Role = "preview", s.now(), string(p.Role)
	m, err := l.Write(message.New(lang))
	if err != nil {
		return NoticePreview{}, err
	}
	return NoticePreview{Subject: m.Subject, Text: m.Text, HTML: m.HTML, Payload: m.Payload}, nil
}

func (s *Service) previewed(ctx context.Context, p Principal, id string, event notify.Event) (*notify.Letter, error) {
	if strings.HasPrefix(string(event), "certificate.") {
		c, err := s.certificateOf(ctx, p, id, MayReadNotices)
		if err != nil {
			return nil, err
		}
		return s.letterAboutCertificate(ctx, c.Tenant, c.ID, event)
	}
	o, err := s.find(ctx, p, id, MayReadNotices)
	if err != nil {
		return nil, err
	}
	return s.letterAbout(ctx, o, event)
}
