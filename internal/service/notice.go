package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/notify"
	"assay/internal/store"
	"assay/order"
	"assay/review"
)

// eventOf is what an audit entry means to those who wait for notices; "": nothing.
func eventOf(action string, data map[string]any, now time.Time) notify.Event {
	switch action {
	case "order.submit", "order.resubmit":
		return notify.OrderSubmitted
	case "order.check":
		added, _ := data["added"].([]string)
		// What we could not see is ours to mend; what waits for a person is told then.
		if len(added) > 0 && data["verdict"] != string(review.VerdictUnknown) && data["phase"] != string(order.PhaseReview) {
			return notify.OrderFindings
		}
	case "order.remind":
		text, _ := data["deadline"].(string)
		if deadline, err := time.Parse(time.RFC3339, text); err == nil && deadline.Sub(now) <= 24*time.Hour {
			return notify.OrderDeadline
		}
		return notify.OrderReminder
	case "order.pass":
		return notify.OrderReady
	case "order.refuse", "review.refuse":
		return notify.OrderRefused
	case "order.expire", "order.settle": // of one that waits for its CA, and again when it has failed
		return notify.OrderExpired
	case "order.issue":
		return notify.CertificateIssued
	case "certificate.ending":
		return notify.CertificateEnding
	case "certificate.expire":
		return notify.CertificateExpired
	case "certificate.renew-failed":
		return notify.CertificateRenewal
	case "certificate.revoked":
		return notify.CertificateRevoked
	case "certificate.revoke", "certificate.revoke-letter":
		return revocationEvent(data)
	case "certificate.revoke-refused":
		return notify.RevocationRefused
	case "certificate.revoke-expired":
		return notify.RevocationLapsed
	case "certificate.watch":
		if added, _ := data["added"].([]string); len(added) > 0 {
			return notify.CertificateDeployed
		}
	case "order.cancel":
		return notify.OrderCancelled
	case "review.open", "review.agree": // the other of four eyes is waited for
		return notify.ReviewOpened
	case "review.urge":
		return notify.ReviewUrged
	case "review.late":
		return notify.ReviewLate
	case "review.ask":
		return notify.ReviewAsked
	case "review.answer":
		return notify.ReviewAnswered
	case "review.approve", "review.withdraw":
		return notify.ReviewDecided
	}
	return ""
}

// revocationEvent is what it means that somebody had a certificate revoked. What is
// too late for the certificate, and only of its key, is no news of it.
func revocationEvent(data map[string]any) notify.Event {
	switch {
	case data["late"] == true:
	case data["state"] == string(order.CertificateRevoked):
		return notify.CertificateRevoked
	case data["state"] == string(order.CertificateRevocationLetter):
		return notify.RevocationAsked
	}
	return ""
}

// announce writes the notices of an audit entry into its unit: what happened is
// told, and what did not is not.
func (s *Service) announce(tx store.Tx, o *store.Order, e *store.Entry, data map[string]any) error {
	if o == nil {
		return nil
	}
	event := eventOf(e.Action, data, e.At)
	if event == "" {
		return nil
	}
	n := store.NewNotice{Entry: e.ID, Tenant: o.Tenant, Account: o.Account, Event: string(event), Order: o.ID, At: e.At}
	if event == notify.CertificateIssued {
		n.Certificate = o.ID
	}
	return tx.AddNotices(n)
}

// announceCertificate writes the notices of an audit entry about a certificate, its
// order's where it was issued here.
func (s *Service) announceCertificate(tx store.Tx, c *store.Certificate, e *store.Entry, data map[string]any) error {
	event := eventOf(e.Action, data, e.At)
	if event == "" {
		return nil
	}
	n := store.NewNotice{Entry: e.ID, Tenant: c.Tenant, Account: c.Account, Event: string(event), Certificate: c.ID, At: e.At}
	if c.Source == store.SourceIssued {
		n.Order = c.ID
	}
	return tx.AddNotices(n)
}

const (
	// noticeLife is how long a notice is tried.
	noticeLife = 24 * time.Hour
	// noticeQuiet is how long the same findings of an order are not told again.
	noticeQuiet = 24 * time.Hour
	// noticePause is the longest time between two attempts.
	noticePause = 4 * time.Hour
)

// deliver sends a notice, or finds that there is nothing to say any more.
func (s *Service) deliver(ctx context.Context, n store.Notice) (r store.NoticeResult) {
	began := s.now()
	defer func() {
		if p := recover(); p != nil {
			s.count(CountPanics, 1)
			s.Log.Error("panic", "notice", noticeID(&n), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			r = s.undelivered(n, began, fmt.Errorf("panic: %v", p))
		}
	}()
	c, err := s.Store.Channel(ctx, n.Tenant, n.Channel)
	if err != nil {
		return s.undelivered(n, began, err)
	}
	l, err := s.letterOf(ctx, &n, c)
	if err != nil {
		return s.undelivered(n, began, err)
	}
	digest := findingsDigest(l)
	quiet, err := s.quiet(ctx, &n, l, digest)
	if err != nil {
		return s.undelivered(n, began, err)
	}
	if quiet != "" {
		return store.NoticeResult{State: store.NoticeQuiet, Reason: quiet, Digest: digest, At: began}
	}
	detail, err := s.send(ctx, c, l)
	if err != nil {
		return s.undelivered(n, began, err)
	}
	now := s.now()
	return store.NoticeResult{
		State: store.NoticeSent, Digest: digest, At: now,
		Try: &store.NoticeTry{Attempt: n.Attempt, At: began, Took: now.Sub(began), Delivered: true, Detail: detail},
	}
}

// undelivered says what becomes of a notice that was not delivered.
func (s *Service) undelivered(n store.Notice, began time.Time, err error) store.NoticeResult {
	if errors.Is(err, errTurn) {
		return store.NoticeResult{State: store.NoticeDue, Due: s.now().Add(noticeLater), Reason: errTurn.Error(), At: s.now()}
	}
	now, detail := s.now(), "an error of this service; its log says more"
	var f *notify.Failure
	if errors.As(err, &f) {
		detail = f.Detail
	} else {
		s.Log.Error("a notice could not be written", "notice", noticeID(&n), "error", err)
	}
	r := store.NoticeResult{
		State: store.NoticeDue, Reason: detail, At: now,
		Try: &store.NoticeTry{Attempt: n.Attempt, At: began, Took: now.Sub(began), Detail: detail},
	}
	end := n.At.Add(noticeLife)
	if notify.IsFinal(err) || !now.Before(end) {
		r.State = store.NoticeDead
		return r
	}
	r.Due = now.Add(noticeBackoff(n.Attempt))
	if r.Due.After(end) {
		r.Due = end // the last attempt
	}
	return r
}

// noticeBackoff is how long a notice rests after the nth attempt: 30 seconds,
// doubled each time.
func noticeBackoff(n int) time.Duration {
	if n > 10 {
		return noticePause
	}
	return min(30*time.Second<<max(n-1, 0), noticePause)
}

// quiet says why a notice need not be sent; "": it must.
func (s *Service) quiet(ctx context.Context, n *store.Notice, l *notify.Letter, digest string) (string, error) {
	switch notify.Event(n.Event) {
	case notify.OrderFindings, notify.OrderReminder, notify.OrderDeadline:
		if l.State != string(order.StatePending) && l.State != string(order.StateLetter) {
			return "the order went on meanwhile", nil
		}
		if notify.Event(n.Event) != notify.OrderFindings {
			return "", nil
		}
		if digest == "" {
			return "nothing is in the order's way any more", nil
		}
		said, err := s.Store.Said(ctx, n, digest, s.now().Add(-noticeQuiet))
		if said {
			return "the same was told within a day", err
		}
		return "", err
	case notify.OrderExpired:
		if l.State != string(order.StateCancelling) && stateIn(l.Data) == string(order.StateCancelling) {
			return "the order went on meanwhile", nil // that it has failed is told by itself
		}
	case notify.CertificateEnding, notify.CertificateExpired:
		c, err := s.Store.Certificate(ctx, n.Tenant, n.Certificate)
		if err == nil && (!c.Deleted.IsZero() || !s.news(c)) {
			return "its end is no news any more", nil
		}
		return "", err
	case notify.RevocationAsked:
		if l.State != string(order.CertificateRevocationLetter) {
			return "the revocation was decided meanwhile", nil
		}
	}
	return "", nil
}

// stateIn is the state that an audit entry says its order came to; "": it says none.
func stateIn(data json.RawMessage) string {
	var d struct{ State string }
	_ = json.Unmarshal(data, &d)
	return d.State
}

// findingsDigest stands for what is in an order's way; "" is nothing.
func findingsDigest(l *notify.Letter) string {
	var ids []string
	for i := range l.Findings {
		if f := &l.Findings[i]; f.Level.Blocks() && f.ExplainedBy == "" {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	return hex.EncodeToString(sum[:12])
}

// letterOf is what a notice says: of the order or certificate as it is now.
func (s *Service) letterOf(ctx context.Context, n *store.Notice, c *store.Channel) (*notify.Letter, error) {
	e, err := s.Store.Entry(ctx, n.Entry)
	if err != nil {
		return nil, err
	}
	var l *notify.Letter
	if n.Certificate != "" {
		l, err = s.letterAboutCertificate(ctx, n.Tenant, n.Certificate, notify.Event(n.Event))
	} else {
		l, err = s.letterAboutOrder(ctx, n, e)
	}
	if err != nil {
		return nil, err
	}
	l.ID, l.At, l.Role, l.Data = noticeID(n), n.At, c.Role, e.Data
	return l, nil
}

// letterAboutOrder is a letter about an order, with what a person wrote.
func (s *Service) letterAboutOrder(ctx context.Context, n *store.Notice, e *store.Entry) (*notify.Letter, error) {
	o, err := s.Store.Order(ctx, n.Tenant, n.Order)
	if err != nil {
		return nil, err
	}
	l, err := s.letterAbout(ctx, o, notify.Event(n.Event))
	if err != nil {
		return nil, err
	}
	l.Note, err = s.noteOf(ctx, o, e)
	return l, err
}

// letterAboutCertificate is a letter about a certificate as it is now, with what was
// found where it is used.
func (s *Service) letterAboutCertificate(ctx context.Context, tenant, id string, event notify.Event) (*notify.Letter, error) {
	c, err := s.Store.Certificate(ctx, tenant, id)
	if err != nil {
		return nil, err
	}
	l := &notify.Letter{
		Event: event, Tenant: c.Tenant, Account: c.Account, Certificate: c.ID, Product: string(c.Product), State: string(c.State),
		Name: c.Name, Names: c.Names, Ends: c.NotAfter,
	}
	if c.Source == store.SourceIssued {
		l.Order = c.ID
	}
	switch {
	case event == notify.CertificateDeployed:
		l.Findings = decodeFindings(c.Findings)
	case event == notify.RevocationAsked && !c.Asked.IsZero():
		l.Deadline = c.Asked.Add(letterDays * day)
	}
	return l, nil
}

// noteOf is what a person wrote with the question, answer or refusal that an entry
// tells; "": nothing, or it was erased. What reviewers note with an approval is
// theirs.
func (s *Service) noteOf(ctx context.Context, o *store.Order, e *store.Entry) (string, error) {
	var data struct{ Decision string }
	if json.Unmarshal(e.Data, &data) != nil || data.Decision == "" {
		return "", nil
	}
	list, err := s.Store.Decisions(ctx, o.ID, shownDecisions)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(list, func(d store.Decision) bool {
		return d.ID == data.Decision && slices.Contains([]string{store.DecisionAsk, store.DecisionAnswer, store.DecisionRefuse}, d.Kind)
	})
	if i < 0 {
		return "", nil
	}
	return list[i].Note, nil
}

// letterAbout is a letter about an order, with what is in its way.
func (s *Service) letterAbout(ctx context.Context, o *store.Order, event notify.Event) (*notify.Letter, error) {
	l := &notify.Letter{
		Event: event, Tenant: o.Tenant, Account: o.Account, Order: o.ID, Product: string(o.Product), State: string(o.State),
		Name: o.Name, Names: o.Names, Deadline: o.Deadline,
	}
	switch {
	case event == notify.OrderReady, event == notify.OrderCancelled:
		l.Deadline = time.Time{}
		return l, nil
	case event == notify.OrderExpired && o.State == order.StateCancelling:
		return l, nil // nothing of it can be mended now
	}
	r, err := s.Store.Review(ctx, o.ID, 0)
	if errors.Is(err, store.ErrNotFound) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	var report struct{ Findings []review.Finding }
	if err := json.Unmarshal(r.Report, &report); err != nil {
		return nil, fmt.Errorf("the stored review %s: %w", r.ID, err)
	}
	l.Findings = report.Findings
	return l, nil
}

// A target is where a channel leads: what is sealed of it.
type target struct {
	To  string `json:"to,omitempty"`
	URL string `json:"url,omitempty"`
	Key []byte `json:"key,omitempty"`
}

// send puts a letter into words and delivers it.
func (s *Service) send(ctx context.Context, c *store.Channel, l *notify.Letter) (detail string, err error) {
	m, err := l.Write(message.New(cause.Language(c.Language)))
	if err != nil {
		return "", err
	}
	if s.Secrets == nil {
		return "", errors.New("there is no key that opens what channels keep")
	}
	raw, err := s.Secrets.Open(channelRow(c.ID), c.Sealed)
	if err != nil {
		return "", err
	}
	var t target
	if err := json.Unmarshal(raw, &t); err != nil {
		return "", fmt.Errorf("the channel %s: %w", c.ID, err)
	}
	if c.Kind == KindWebhook {
		return s.Hooks.Send(ctx, t.URL, t.Key, m)
	}
	if s.Mail == nil {
		return "", &notify.Failure{Detail: "this service has no mail server any more"}
	}
	done, err := s.mailTurn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	return s.Mail.Send(ctx, t.To, m)
}

// noticeID names a notice to receivers and in paths.
func noticeID(n *store.Notice) string { return n.Entry + "." + n.Channel }
