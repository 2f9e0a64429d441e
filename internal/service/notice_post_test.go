package service

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/internal/notify"
	"assay/internal/store"
)

// TestNoticesSideBySide: a channel whose server does not answer holds up no other
// channel, and what is due for it meanwhile waits with it.
func TestNoticesSideBySide(t *testing.T) {
	t.Parallel()
	h, slow := hearing(t)
	h.Hooks.Timeout = time.Minute
	quick := newEar(t)
	ctx, admin := context.Background(), h.who[RoleAdministrator]
	began, release := make(chan struct{}), make(chan struct{})
	first := sync.OnceFunc(func() { close(began) })
	slow.before = func() { first(); <-release }
	stuck := h.channel(t, admin, ChannelRequest{Kind: KindWebhook, Target: slow.URL, Events: []string{"order.submitted"}})
	h.channel(t, admin, ChannelRequest{Kind: KindWebhook, Target: quick.URL, Events: []string{"order.cancelled"}})
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	m := h.newPostman()
	if n, err := m.round(ctx); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	<-began
	heard := make(chan struct{})
	quick.before = func() { close(heard) }
	if _, err := h.Cancel(ctx, h.who[RoleApplicant], v.ID, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := m.round(ctx); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	<-heard             // while the other still waits
	h.pass(time.Second) // so that those in hand are the oldest
	h.submitted(t, v.ID, noticeLane+3)
	for range 2 {
		if _, err := m.round(ctx); err != nil {
			t.Fatal(err)
		}
	}
	later := 0
	for _, n := range h.notices(t, NoticeQuery{Channel: stuck.ID, State: "due", Limit: 200}) {
		if n.Attempts == 0 && n.DueAt.Sub(h.clock()) == noticeLater {
			later++
		}
	}
	if later != 3 { // one is on its way, and a lane full in hand
		t.Errorf("%d wait for later", later)
	}
	close(release)
	m.running.Wait()
	h.pass(time.Hour)
	h.tell(t)
	if got := h.notices(t, NoticeQuery{Channel: stuck.ID, State: "sent", Limit: 200}); len(got) != noticeLane+4 || slow.calls != noticeLane+4 {
		t.Errorf("%d sent by %d calls", len(got), slow.calls)
	}
}

// submitted writes n events of an order.
func (h *house) submitted(t *testing.T, id string, n int) {
	t.Helper()
	for range n {
		err := h.Store.Write(context.Background(), func(tx store.Tx) error {
			o, err := tx.Order("", id)
			if err != nil {
				return err
			}
			if err := h.update(tx, o); err != nil {
				return err
			}
			return h.audit(tx, itself(o), o, "order.submit", "", nil)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoticesStaff: what a channel says to reviewers about the orders of an account
// is none of that account's applicants'.
func TestNoticesStaff(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	ctx, who := context.Background(), h.who[RoleApplicant]
	c := h.channel(t, h.who[RoleAdministrator], ChannelRequest{Kind: KindWebhook, Target: e.URL, Account: who.Account, Role: RoleReviewer, Events: []string{"order.submitted"}})
	h.apply(t, who, dv(t, "orchard.net"))
	list, err := h.Channels(ctx, who, "", 0)
	told, _, err2 := h.Notices(ctx, who, NoticeQuery{})
	if len(list)+len(told) != 0 || err != nil || err2 != nil {
		t.Errorf("an applicant sees %+v %+v, %v %v", list, told, err, err2)
	}
	if _, err := h.RemoveChannel(ctx, who, c.ID); !problemIs(err, NotFound) {
		t.Error("an applicant removes it:", err)
	}
	if all := h.notices(t, NoticeQuery{}); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

// TestChangeChannel: what is told and how changes; where it leads does not.
func TestChangeChannel(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	ctx, who := context.Background(), h.who[RoleApplicant]
	c := h.channel(t, who, ChannelRequest{Kind: KindWebhook, Target: e.URL})
	got, err := h.ChangeChannel(ctx, who, c.ID, ChannelChange{Events: []string{"order.cancelled", "order.cancelled"}, Language: "zh"})
	if err != nil || len(got.Events) != 1 || got.Language != "zh" || got.Secret != "" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, r := range []ChannelChange{{Language: "fr"}, {Events: []string{"review.opened"}}} {
		if _, err := h.ChangeChannel(ctx, who, c.ID, r); !problemIs(err, Invalid) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if again, err := h.Channel(ctx, who, c.ID); err != nil || again.Language != "zh" || again.Events[0] != "order.cancelled" || again.Target != c.Target {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestNoticesNote: what a reviewer asks is told, what he notes for himself is not.
func TestNoticesNote(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	ctx, who := context.Background(), h.who[RoleApplicant]
	h.channel(t, who, ChannelRequest{Kind: KindWebhook, Target: e.URL, Events: []string{"review.asked", "review.decided", "order.refused"}})
	v := h.apply(t, who, dv(t, "orchard.net"))
	for i, kind := range []string{store.DecisionAsk, store.DecisionApprove, store.DecisionRefuse} {
		id := string(rune('a' + i))
		err := h.Store.Write(ctx, func(tx store.Tx) error {
			o, err := tx.Order("", v.ID)
			if err != nil {
				return err
			}
			if err := h.update(tx, o); err != nil {
				return err
			}
			d := store.Decision{ID: id, Order: o.ID, Tenant: o.Tenant, Account: o.Account, Kind: kind, Note: "note " + id, At: h.clock(), By: "r", Token: "t"}
			if err := tx.AddDecision(d); err != nil {
				return err
			}
			return h.audit(tx, itself(o), o, "review."+kind, "", map[string]any{"decision": id})
		})
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
	}
	h.tell(t)
	want := []string{"review.asked note a", "review.decided ", "order.refused note c"}
	for i, n := range e.heard {
		if got := n.event + " " + noteIn(t, n.body); i >= len(want) || got != want[i] {
			t.Errorf("told %q", got)
		}
	}
	if len(e.heard) != len(want) {
		t.Errorf("told %v", e.events())
	}
}

// TestMailTurn: behind a mail server that stalls mails wait without counting as
// tried.
func TestMailTurn(t *testing.T) {
	t.Parallel()
	h, _ := hearing(t)
	for range mailsAtOnce {
		h.mails <- struct{}{}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // as if the time for it was over
	if _, err := h.mailTurn(ctx); err == nil {
		t.Error("one connection too many")
	}
	r := h.undelivered(store.Notice{At: h.clock(), Attempt: 1}, h.clock(), errTurn)
	if r.Try != nil || r.State != store.NoticeDue || r.Due.Sub(h.clock()) != noticeLater {
		t.Errorf("%+v", r)
	}
	<-h.mails
	done, err := h.mailTurn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	done()
}

// noteIn is the note in the body of a webhook.
func noteIn(t *testing.T, body []byte) string {
	t.Helper()
	var b struct{ Data struct{ Note string } }
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatal(err)
	}
	return b.Data.Note
}

// TestTargetTexts: whatever is wrong with a target is said in either language.
func TestTargetTexts(t *testing.T) {
	t.Parallel()
	h, _ := hearing(t)
	h.Mail = &notify.Mailer{}
	for _, r := range []ChannelRequest{
		{Kind: KindEmail, Target: "a@b.net,c@d.net"},
		{Kind: KindEmail, Target: strings.Repeat("a", 300) + "@b.net"},
		{Kind: KindWebhook, Target: "ftp://hooks.orchard.net/"},
		{Kind: KindWebhook, Target: "https://a:b@hooks.orchard.net/"},
		{Kind: KindWebhook, Target: "https://hooks.orchard.net/#a"},
		{Kind: KindWebhook, Target: "https://10.0.0.5/"},
		{Kind: KindWebhook, Target: "http://45.155.10.66/"},
	} {
		_, err := h.NewChannel(context.Background(), h.who[RoleApplicant], r)
		var p *Problem
		if !errors.As(err, &p) || p.Message == "notice.target" {
			t.Errorf("%s: %v", r.Target, err)
			continue
		}
		for _, lang := range cause.Languages() {
			if !message.New(lang).Has(p.Message) {
				t.Errorf("%s: no %s in %s", r.Target, p.Message, lang)
			}
		}
	}
}
