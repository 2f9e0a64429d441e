package service

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"assay/cause"
)

// TestChannels: who may make which, and what is refused.
func TestChannels(t *testing.T) {
	t.Parallel()
	h, e := hearing(t)
	ctx, who, admin := context.Background(), h.who[RoleApplicant], h.who[RoleAdministrator]
	for name, r := range map[string]ChannelRequest{
		"no kind":           {Target: e.URL},
		"no target":         {Kind: KindWebhook},
		"a private address": {Kind: KindWebhook, Target: "https://10.0.0.5/"},
		"metadata":          {Kind: KindWebhook, Target: "https://169.254.169.254/latest"},
		"a password":        {Kind: KindWebhook, Target: "https://u:hush@hooks.orchard.net/"},
		"another scheme":    {Kind: KindWebhook, Target: "file:///etc/passwd"},
		"http":              {Kind: KindWebhook, Target: "http://45.155.10.66/"},
		"no mail server":    {Kind: KindEmail, Target: "web@orchard.net"},
		"two addresses":     {Kind: KindEmail, Target: "a@b.net,c@d.net"},
		"another role":      {Kind: KindWebhook, Target: e.URL, Role: RoleReviewer},
		"unknown event":     {Kind: KindWebhook, Target: e.URL, Events: []string{"order.*"}},
		"reviewers' event":  {Kind: KindWebhook, Target: e.URL, Events: []string{"review.opened"}},
		"language":          {Kind: KindWebhook, Target: e.URL, Language: "fr"},
	} {
		if _, err := h.NewChannel(ctx, who, r); !problemIs(err, Invalid) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.NewChannel(ctx, who, ChannelRequest{Kind: KindWebhook, Target: e.URL, Account: "other"}); !problemIs(err, Forbidden) {
		t.Error("for another account:", err)
	}
	all := h.channel(t, admin, ChannelRequest{Kind: KindWebhook, Target: e.URL})
	own := h.channel(t, who, ChannelRequest{Kind: KindWebhook, Target: e.URL})
	if own.Account != "shop" || all.Account != "" {
		t.Errorf("%+v %+v", own, all)
	}
	list, err := h.Channels(ctx, who, "", 0)
	if err != nil || len(list) != 1 || list[0].ID != own.ID || list[0].Secret != "" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := h.RemoveChannel(ctx, who, all.ID); !problemIs(err, NotFound) {
		t.Error("an applicant removes the tenant's:", err)
	}
	for range maxChannels - 1 {
		h.channel(t, who, ChannelRequest{Kind: KindWebhook, Target: e.URL})
	}
	if _, err := h.NewChannel(ctx, who, ChannelRequest{Kind: KindWebhook, Target: e.URL}); !problemIs(err, Conflict) {
		t.Error("one too many:", err)
	}
	if _, err := h.RemoveChannel(ctx, who, own.ID); err != nil {
		t.Error(err)
	}
	if _, err := h.TestChannel(ctx, who, own.ID); !problemIs(err, NotFound) {
		t.Error("a removed channel is tried:", err)
	}
	test, err := h.TestChannel(ctx, admin, all.ID)
	if err != nil || !test.Delivered || len(e.heard) != 1 || e.heard[0].event != "test" {
		t.Errorf("%+v, %v", test, err)
	}
	if _, err := h.TestChannel(ctx, admin, all.ID); !problemIs(err, TooMany) {
		t.Error("tried twice at once:", err)
	}
	raw, err := h.Store.Channel(ctx, "", all.ID)
	if err != nil || raw.Shown == e.URL {
		t.Errorf("%+v, %v", raw, err)
	}
}

// TestPreview shows what would be said now, in either language.
func TestPreview(t *testing.T) {
	t.Parallel()
	h, _ := hearing(t)
	v := h.apply(t, h.who[RoleApplicant], dv(t, "orchard.net"))
	h.world(t, v, bare())
	h.run(t, v.ID)
	for lang, want := range map[string]string{"en": "What to do now", "zh": "现在需要做什么"} {
		got, err := h.PreviewNotice(context.Background(), h.who[RoleApplicant], v.ID, "order.findings", cause.Language(lang))
		if err != nil || !strings.Contains(got.Text, want) || !strings.Contains(got.HTML, want) || !json.Valid(got.Payload) {
			t.Errorf("%s: %+v, %v", lang, got, err)
		}
	}
	if _, err := h.PreviewNotice(context.Background(), h.who[RoleApplicant], v.ID, "review.opened", "en"); !problemIs(err, Invalid) {
		t.Error(err)
	}
}
