package service

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"assay/data"
	"assay/internal/notify"
	"assay/internal/store"
	"assay/probe/dial"
)

// plain seals nothing and binds each value to its row, so that a mixed-up row shows.
type plain struct{}

func (plain) Seal(row string, b []byte) ([]byte, error) { return append([]byte(row+"\x00"), b...), nil }

func (plain) Open(row string, b []byte) ([]byte, error) {
	text, ok := strings.CutPrefix(string(b), row+"\x00")
	if !ok {
		return nil, errors.New("of another row")
	}
	return []byte(text), nil
}

// An ear is a real webhook server that keeps what it is told.
type ear struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	heard  []heard
	calls  int
	before func()
}

type heard struct {
	id, event, order string
	header           http.Header
	body             []byte
}

func newEar(t *testing.T) *ear {
	t.Helper()
	e := &ear{status: http.StatusOK}
	e.Server = httptest.NewServer(http.HandlerFunc(e.hear))
	t.Cleanup(e.Close)
	return e
}

func (e *ear) hear(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var b struct {
		Type string
		Data struct{ Order string }
	}
	_ = json.Unmarshal(body, &b)
	e.mu.Lock()
	status, before := e.status, e.before
	e.calls++
	if status == http.StatusOK {
		e.heard = append(e.heard, heard{r.Header.Get("webhook-id"), b.Type, b.Data.Order, r.Header, body})
	}
	e.mu.Unlock()
	if before != nil {
		before()
	}
	w.WriteHeader(status)
}

func (e *ear) say(status int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status = status
}

func (e *ear) events() (list []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range e.heard {
		list = append(list, h.event)
	}
	return list
}

// hearing lets a house deliver to loopback.
func hearing(t *testing.T) (*house, *ear) {
	t.Helper()
	h := newHouse(t)
	return h, h.hears(t)
}

func (h *house) hears(t *testing.T) *ear {
	t.Helper()
	h.Secrets, h.Rand = plain{}, rand.Reader
	h.Hooks = &notify.Webhook{Dialer: &dial.Dialer{Data: data.Embedded(), Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Timeout: 5 * time.Second}
	return newEar(t)
}

func (h *house) channel(t *testing.T, p Principal, r ChannelRequest) ChannelView {
	t.Helper()
	c, err := h.NewChannel(context.Background(), p, r)
	if err != nil {
		t.Fatal(err, findings(err))
	}
	return c
}

func (h *house) tell(t *testing.T) {
	t.Helper()
	for {
		n, err := h.deliverDue(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// deliverDue takes what is due and waits for what comes of it.
func (s *Service) deliverDue(ctx context.Context) (int, error) {
	m := s.newPostman()
	defer m.running.Wait()
	return m.round(ctx)
}

func (h *house) notices(t *testing.T, q NoticeQuery) []NoticeView {
	t.Helper()
	list, _, err := h.Notices(context.Background(), h.who[RoleAdministrator], q)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestNotices: an order's events are told, once each, signed, in their order, with
// what is in its way; the same findings are not told again.
func TestNotices(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	who := h.who[RoleApplicant]
	c := h.channel(t, who, ChannelRequest{Kind: KindWebhook, Target: e.URL + "/?team=hush", Events: words(slices.DeleteFunc(notify.Events(), func(e notify.Event) bool {
		return slices.Contains([]notify.Event{notify.ReviewOpened, notify.ReviewUrged, notify.ReviewLate, notify.ReviewAnswered}, e)
	}))})
	if strings.Contains(c.Target, "hush") || !strings.HasPrefix(c.Secret, "whsec_") {
		t.Errorf("%+v", c)
	}
	v := h.apply(t, who, dv(t, "orchard.net"))
	h.pass(time.Second) // events of one moment have no order
	h.world(t, v, bare())
	h.run(t, v.ID)
	h.tell(t)
	h.pass(v.Deadline.Sub(h.clock()) - 2*time.Hour)
	h.run(t, v.ID)
	h.tell(t)
	h.pass(2 * time.Hour)
	h.world(t, v, bare())
	h.run(t, v.ID)
	h.tell(t)
	got := e.events()
	want := []string{"order.submitted", "order.findings", "order.deadline", "order.expired"}
	if !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v; %+v", got, want, h.notices(t, NoticeQuery{Order: v.ID}))
	}
	verifier, err := standard.NewWebhook(c.Secret)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, n := range e.heard {
		if err := verifier.VerifyIgnoringTimestamp(n.body, n.header); err != nil || ids[n.id] || n.order != v.ID {
			t.Errorf("%s: %v", n.id, err)
		}
		ids[n.id] = true
	}
	if !strings.Contains(string(e.heard[1].body), "dns.record-missing") || !strings.Contains(string(e.heard[1].body), "_dnsauth") {
		t.Errorf("what to do is not told: %s", e.heard[1].body)
	}
	for _, n := range h.notices(t, NoticeQuery{Order: v.ID}) {
		if n.State != string(store.NoticeSent) && n.State != string(store.NoticeQuiet) {
			t.Errorf("%+v", n)
		}
	}
}

// TestNoticesQuiet: findings that come back are told once a day.
func TestNoticesQuiet(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	ctx := context.Background()
	h.channel(t, h.who[RoleApplicant], ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"order.findings"}})
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.world(t, v, bare())
	h.run(t, v.ID)
	again := func() {
		err := h.Store.Write(ctx, func(tx store.Tx) error {
			o, err := tx.Order("", v.ID)
			if err != nil {
				return err
			}
			if err := h.update(tx, o); err != nil {
				return err
			}
			return h.audit(tx, itself(o), o, "order.check", "", map[string]any{"added": []string{"dns.record-missing"}, "verdict": "wait"})
		})
		if err != nil {
			t.Fatal(err)
		}
		h.tell(t)
	}
	again()
	again()
	if n := len(e.events()); n != 1 {
		t.Errorf("told %d times", n)
	}
	h.pass(25 * time.Hour)
	again()
	if n := len(e.events()); n != 2 {
		t.Errorf("told %d times after a day", n)
	}
	if _, err := h.Cancel(ctx, h.who[RoleApplicant], v.ID, 0); err != nil {
		t.Fatal(err)
	}
	h.pass(25 * time.Hour)
	again()
	list := h.notices(t, NoticeQuery{Order: v.ID, State: "quiet"})
	if len(e.events()) != 2 || len(list) != 3 || list[0].Reason != "the order went on meanwhile" {
		t.Errorf("%v %+v", e.events(), list)
	}
}

// TestNoticesRetried: what fails is tried again, later each time, for a day, and then
// given up; what waits behind it waits too; by hand it is tried once more.
func TestNoticesRetried(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	e.say(http.StatusServiceUnavailable)
	ctx, admin := context.Background(), h.who[RoleAdministrator]
	c := h.channel(t, admin, ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"order.submitted"}})
	first := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	second := h.apply(t, h.who[RoleApplicant], dv(t, "pear.orchard.net"))
	submitted := h.clock()
	h.tell(t)
	if e.calls != 1 {
		t.Errorf("%d calls: what waits behind a failure waits", e.calls)
	}
	last := time.Duration(0)
	for range 60 {
		due, err := h.Store.NextNotice(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if due.IsZero() {
			break
		}
		if last = due.Sub(submitted); last > noticeLife {
			t.Fatalf("due %s after the event", last)
		}
		h.pass(max(due.Sub(h.clock()), 0))
		h.tell(t)
	}
	dead := h.notices(t, NoticeQuery{State: "dead", Channel: c.ID})
	if len(dead) != 2 || last != noticeLife || e.calls > 40 {
		t.Fatalf("%+v, the last after %s, %d calls", dead, last, e.calls)
	}
	slices.SortFunc(dead, func(a, b NoticeView) int { return b.Attempts - a.Attempts })
	n, err := h.Notice(ctx, admin, dead[0].ID)
	if err != nil || len(n.Tries) != n.Attempts || n.Attempts < 2 || n.Tries[0].Detail != "503 Service Unavailable" || n.Reason != "503 Service Unavailable" {
		t.Errorf("%+v, %v", n, err)
	}
	e.say(http.StatusOK)
	if n, err = h.RetryNotice(ctx, admin, dead[0].ID); err != nil || n.State != "due" {
		t.Fatal(n, err)
	}
	if _, err := h.RetryNotice(ctx, admin, dead[0].ID); !problemIs(err, WrongState) {
		t.Error(err)
	}
	h.tell(t)
	if n, err = h.Notice(ctx, admin, dead[0].ID); err != nil || n.State != "sent" || len(e.heard) != 1 || n.Order != first.ID && n.Order != second.ID {
		t.Errorf("%+v, %v", n, err)
	}
}

// TestNoticesFinal: what cannot get better is given up at once.
func TestNoticesFinal(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	e.say(http.StatusGone)
	h.channel(t, h.who[RoleAdministrator], ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"order.submitted"}})
	h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.tell(t)
	if list := h.notices(t, NoticeQuery{State: "dead"}); len(list) != 1 || list[0].Attempts != 1 {
		t.Errorf("%+v", list)
	}
	h.Hooks = &notify.Webhook{Dialer: &dial.Dialer{Data: data.Embedded()}} // the network is no longer the operator's
	h.apply(t, h.who[RoleApplicant], dv(t, "pear.orchard.net"))
	h.tell(t)
	if list := h.notices(t, NoticeQuery{State: "dead"}); len(list) != 2 || e.calls != 1 ||
		!slices.ContainsFunc(list, func(n NoticeView) bool { return strings.Contains(n.Reason, "not a public address") }) {
		t.Errorf("%+v, %d calls", list, e.calls)
	}
}

// TestNoticesKilled: a process that dies between sending and writing that down loses
// nothing: the other sends it again, under the same id. One that dies before does not
// keep it either. What was written down is never sent again.
func TestNoticesKilled(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	ctx := context.Background()
	h.channel(t, h.who[RoleAdministrator], ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"order.submitted"}})
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	take := func(owner string) []store.Notice {
		var list []store.Notice
		err := h.Store.Write(ctx, func(tx store.Tx) (err error) {
			list, err = tx.TakeNotices(h.clock(), owner, h.clock().Add(h.NoticeLease), 9)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	// Dies after the lease.
	if got := take("dead"); len(got) != 1 {
		t.Fatal(got)
	}
	h.tell(t)
	if len(e.events()) != 0 {
		t.Fatal("sent while another process has it")
	}
	h.pass(h.NoticeLease)
	// Dies after the server took it.
	got := take("dies after sending")
	r := h.deliver(ctx, got[0])
	if r.State != store.NoticeSent || len(e.events()) != 1 {
		t.Fatalf("%+v", r)
	}
	h.pass(h.NoticeLease)
	h.tell(t)
	if len(e.heard) != 2 || e.heard[0].id != e.heard[1].id || string(e.heard[0].body) != string(e.heard[1].body) {
		t.Fatalf("%+v", e.heard)
	}
	// The dead one comes back: what it says does not count any more.
	err := h.Store.Write(ctx, func(tx store.Tx) error { return tx.FinishNotice(got[0], "dies after sending", r) })
	if !errors.Is(err, store.ErrLeaseLost) {
		t.Error(err)
	}
	h.pass(48 * time.Hour)
	h.tell(t)
	if list := h.notices(t, NoticeQuery{Order: v.ID}); len(e.heard) != 2 || len(list) != 1 || list[0].State != "sent" || list[0].Attempts != 3 {
		t.Errorf("%+v", list)
	}
}

// TestNoticesTwoProcesses: of many processes one sends a notice.
func TestNoticesTwoProcesses(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	h.channel(t, h.who[RoleAdministrator], ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"order.submitted", "order.cancelled"}})
	for range 12 {
		v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
		if _, err := h.Cancel(context.Background(), h.who[RoleApplicant], v.ID, 0); err != nil {
			t.Fatal(err)
		}
	}
	var running sync.WaitGroup
	for range 3 {
		twin := h.twin(t)
		twin.Secrets, twin.Hooks = h.Secrets, h.Hooks
		running.Go(func() {
			for {
				if n, err := twin.deliverDue(context.Background()); err != nil || n == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	running.Wait()
	h.tell(t)
	ids := map[string]bool{}
	for _, n := range e.heard {
		ids[n.id] = true
	}
	if len(e.heard) != 24 || len(ids) != 24 {
		t.Errorf("%d notices arrived, %d different ones", len(e.heard), len(ids))
	}
}

// TestNoticesWithoutEffect: where a unit fails, nothing is told.
func TestNoticesWithoutEffect(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	h.channel(t, h.who[RoleAdministrator], ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"order.cancelled"}})
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	failed := errors.New("the unit fails")
	err := h.Store.Write(context.Background(), func(tx store.Tx) error {
		o, err := tx.Order("", v.ID)
		if err != nil {
			return err
		}
		return errors.Join(h.audit(tx, itself(o), o, "order.cancel", "", nil), failed)
	})
	h.tell(t)
	if !errors.Is(err, failed) || len(e.events()) != 0 || len(h.notices(t, NoticeQuery{})) != 0 {
		t.Errorf("%v, %v", err, e.events())
	}
}
