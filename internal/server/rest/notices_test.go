package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"assay/data"
	"assay/internal/notify"
	"assay/internal/service"
	"assay/internal/store"
	"assay/probe/dial"
)

// nowhere is a sender of webhooks for which every name leads to this machine,
// where it sends nothing.
func nowhere() *notify.Webhook {
	return &notify.Webhook{
		Dialer: &dial.Dialer{Data: data.Embedded()},
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
		},
	}
}

const hook = `{"kind":"webhook","target":"https://hooks.orchard.net/hush"}`

// noticeRules are who may use the operations about notices.
func noticeRules() map[string]rule {
	all := service.Roles()
	write := []service.Role{service.RoleApplicant, service.RoleAdministrator}
	return map[string]rule{
		"list-channels":  {roles: all},
		"new-channel":    {roles: write, body: hook},
		"show-channel":   {roles: all, object: true},
		"change-channel": {roles: write, object: true, body: `{"language":"zh"}`},
		"remove-channel": {roles: write, object: true},
		"test-channel":   {roles: write, object: true},
		"list-notices":   {roles: all},
		"show-notice":    {roles: all, object: true},
		"retry-notice":   {roles: write, object: true},
		"preview-notice": {roles: all, object: true},
	}
}

// told writes a channel of the account shop of the tenant orchard, with a notice of
// an order that was given up, and returns what the path of an operation names.
func (w *world) told(path, orderID string) string {
	w.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	id, entry := fmt.Sprintf("ch%x", now.UnixNano()), fmt.Sprintf("en%x", now.UnixNano())
	sealed, err := w.service.Secrets.Seal("channel:"+id, []byte(`{"url":"https://hooks.orchard.net/hush","key":"aHVzaA=="}`))
	if err != nil {
		w.Fatal(err)
	}
	err = w.service.Store.Write(w.Context(), func(tx store.Tx) error {
		c := store.Channel{
			ID: id, Tenant: "orchard", Account: "shop", Role: "applicant", Kind: "webhook", Language: "en", Events: []string{"x-" + id}, Shown: "https://hooks.orchard.net/…",
			Sealed: sealed, Created: now,
		}
		if err := tx.PutChannel(c); err != nil {
			return err
		}
		if err := tx.AddNotices(store.NewNotice{Entry: entry, Tenant: "orchard", Account: "shop", Event: c.Events[0], Order: orderID, At: now}); err != nil {
			return err
		}
		list, err := tx.TakeNotices(now, "me", now.Add(time.Hour), 9)
		if err != nil {
			return err
		}
		for _, n := range list {
			if err := tx.FinishNotice(n, "me", store.NoticeResult{State: store.NoticeDead, At: now, Reason: "410 Gone"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	if strings.HasPrefix(path, "/notices") {
		return entry + "." + id
	}
	return id
}

// TestChannelSecret: the secret of a webhook and where it leads are in the first
// answer only, not in the one that is kept, nor in any other.
func TestChannelSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, func(s *service.Service) Service { return s })
	token := w.token(service.RoleApplicant, service.RootTenant, "shop")
	var first, again service.ChannelView
	for _, into := range []*service.ChannelView{&first, &again} {
		got := w.ask(http.MethodPost, Base+"/channels", token, hook, "Idempotency-Key", "once")
		if err := json.Unmarshal(got.body, into); err != nil || got.StatusCode != http.StatusCreated || strings.Contains(string(got.body), "hush") {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
	if again.ID != first.ID || !strings.HasPrefix(first.Secret, "whsec_") || again.Secret != "" {
		t.Errorf("%+v\n%+v", first, again)
	}
	for range 2 { // under a key once, with the same answer
		got := w.ask(http.MethodPatch, Base+"/channels/"+first.ID, token, `{"language":"zh"}`, "Idempotency-Key", "change")
		if got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), `"language":"zh"`) {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	}
	for _, path := range []string{"/channels", "/channels/" + first.ID, "/audit"} {
		got := w.ask(http.MethodGet, Base+path, w.root, "")
		if body := string(got.body); got.StatusCode != http.StatusOK || !strings.Contains(body, first.ID) || strings.Contains(body, first.Secret) || strings.Contains(body, "hush") {
			t.Errorf("%s: %d %s", path, got.StatusCode, body)
		}
	}
	for range 2 {
		if got := w.ask(http.MethodDelete, Base+"/channels/"+first.ID, token, "", "Idempotency-Key", "gone"); got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), "removed_at") {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	}
	if log := w.log.String(); strings.Contains(log, first.Secret) || strings.Contains(log, "hush") {
		t.Error("the log holds a secret")
	}
}

// TestChannelTest: a test says what came of it, under a key once; a private address
// is never dialled.
func TestChannelTest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, func(s *service.Service) Service { return s })
	var c service.ChannelView
	if err := json.Unmarshal(w.ask(http.MethodPost, Base+"/channels", w.root, hook).body, &c); err != nil {
		t.Fatal(err)
	}
	path := Base + "/channels/" + c.ID
	first := w.ask(http.MethodPost, path+"/test", w.root, "", "Idempotency-Key", "once")
	if body := string(first.body); first.StatusCode != http.StatusOK || !strings.Contains(body, `"delivered":false`) || !strings.Contains(body, "not a public address") {
		t.Errorf("%d %s", first.StatusCode, body)
	}
	if again := w.ask(http.MethodPost, path+"/test", w.root, "", "Idempotency-Key", "once"); string(again.body) != string(first.body) || again.Header.Get("Idempotency-Replayed") == "" {
		t.Errorf("%d %s", again.StatusCode, again.body)
	}
	soon := w.ask(http.MethodPost, path+"/test", w.root, "", "Accept-Language", "zh")
	if p := soon.problem(t); p.Kind != service.TooMany || soon.Header.Get("Retry-After") == "" || p.Detail != "一分钟内已测试过此通道" {
		t.Errorf("%+v", p)
	}
	for body, want := range map[string]string{
		`{"kind":"webhook","target":"https://10.0.0.5/"}`:                        "not a public address",
		`{"kind":"webhook","target":"https://[::ffff:169.254.169.254]/latest/"}`: "not a public address",
		`{"kind":"email","target":"web@orchard.net"}`:                            "no mail server",
		`{"kind":"webhook","target":"https://a.net/","events":["order.all"]}`:    "order.ready",
	} {
		if p := w.ask(http.MethodPost, Base+"/channels", w.root, body).problem(t); p.Kind != service.Invalid || !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %+v", body, p)
		}
	}
}

// TestNoticePages: notices are listed by filter and page, shown with their log, and
// tried again where they were given up.
func TestNoticePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, func(s *service.Service) Service { return s })
	root, err := w.service.Authenticate(t.Context(), w.root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.NewTenant(t.Context(), root, "orchard", "Orchard"); err != nil {
		t.Fatal(err)
	}
	admin := w.token(service.RoleAdministrator, "orchard", "boss")
	var v service.View
	made := w.ask(http.MethodPost, Base+"/orders", w.token(service.RoleApplicant, "orchard", "shop"), `{"draft":true,"order":{"names":["www.orchard.net"],"method":"dns"}}`)
	if err := json.Unmarshal(made.body, &v); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range 5 {
		ids = append(ids, w.told("/notices", v.ID))
	}
	seen, next := []string{}, ""
	for {
		var page NoticeList
		got := w.ask(http.MethodGet, Base+"/notices?state=dead&limit=2&order="+v.ID+"&cursor="+next, admin, "")
		if err := json.Unmarshal(got.body, &page); err != nil || got.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
		for _, n := range page.Items {
			seen = append(seen, n.ID)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if len(seen) != 5 || seen[0] != ids[4] || seen[4] != ids[0] {
		t.Errorf("%v, want %v newest first", seen, ids)
	}
	for range 2 { // under a key: the same answer
		got := w.ask(http.MethodPost, Base+"/notices/"+ids[0]+"/retry", admin, "", "Idempotency-Key", "once")
		if got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), `"state":"due"`) {
			t.Errorf("%d %s", got.StatusCode, got.body)
		}
	}
	if p := w.ask(http.MethodPost, Base+"/notices/"+ids[0]+"/retry", admin, "").problem(t); p.Kind != service.WrongState || p.Status != http.StatusConflict {
		t.Errorf("%+v", p)
	}
	if body := string(w.ask(http.MethodGet, "/metrics", "", "").body); !strings.Contains(body, "\nassay_notices_waiting 1\n") || !strings.Contains(body, "\nassay_notices_lag_seconds ") {
		t.Error("one notice waits, and the metrics do not say so")
	}
	got := w.ask(http.MethodGet, Base+"/orders/"+v.ID+"/notice?event=order.refused&language=zh", admin, "")
	if !strings.Contains(string(got.body), "被拒绝") || !strings.Contains(string(got.body), `"type":"order.refused"`) {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
