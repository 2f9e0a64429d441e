package service

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"assay/internal/issuer"
	"assay/internal/issuer/private"
	"assay/order"
)

// near is a far CA by another name.
type near struct{ *far }

func (near) ID() string { return "near" }

// TestAttemptLost: a process died while a CA issued that is not used any more. That a
// certificate may have come of it there is in the audit log, with the order, and
// where its attempts are listed, whatever the CA of now is and wherever the order stood.
func TestAttemptLost(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func(t *testing.T, h *farHouse) issuer.Issuer{
		"another upstream CA": func(t *testing.T, h *farHouse) issuer.Issuer { return near{newFar(t, h.clock)} },
		"a CA of our own": func(t *testing.T, h *farHouse) issuer.Issuer {
			ca, err := h.OpenAuthorities(context.Background(), AuthoritySettings{
				Name: private.Name{CommonName: "Orchard", Organization: "Orchard", Country: "CN"}, URL: "http://ca.orchard.net",
			})
			if err != nil {
				t.Fatal(err)
			}
			return ca
		},
	} {
		for _, back := range []bool{false, true} {
			title := name
			if back {
				title += ", and the order went back"
			}
			t.Run(title, func(t *testing.T) {
				t.Parallel()
				h, ctx := newFarHouse(t), context.Background()
				v := h.dies(t, true)
				if back {
					if err := h.reopen(ctx, RootTenant, "shop", "orchard.net"); err != nil {
						t.Fatal(err)
					}
				}
				ca := of(t, h)
				h.Issuer = func(string) issuer.Issuer { return ca }
				h.pass(time.Hour)
				h.once(t)
				list, err := h.Attempts(ctx, h.who[RoleApplicant], v.ID)
				if err != nil || len(list) == 0 || !list[0].Lost || list[0].Issuer != "far" || list[0].State != order.AttemptAbandoned || list[0].EndedAt == nil {
					t.Fatalf("%+v, %v", list, err)
				}
				if slices.ContainsFunc(list[1:], func(a AttemptView) bool { return a.Lost }) {
					t.Errorf("a later one is lost: %+v", list)
				}
				entries, _, err := h.AuditEntries(ctx, h.who[RoleAuditor], AuditQuery{Order: v.ID, Action: "issuance.lost"})
				if err != nil || len(entries) != 1 || entries[0].Subject != "order:"+v.ID || entries[0].OrderVersion != 0 {
					t.Fatalf("%+v, %v", entries, err)
				}
				var data struct {
					Issuer  string
					Attempt int
				}
				if err := json.Unmarshal(entries[0].Data, &data); err != nil || data.Issuer != "far" || data.Attempt != 1 {
					t.Errorf("%s, %v", entries[0].Data, err)
				}
			})
		}
	}
}

// TestAttemptsShown: what a CA issued and revoked, and what it refused, is listed, and
// nothing of that is lost.
func TestAttemptsShown(t *testing.T) {
	t.Parallel()
	h, ctx := newFarHouse(t), context.Background()
	v := h.dies(t, true)
	if err := h.reopen(ctx, RootTenant, "shop", "orchard.net"); err != nil {
		t.Fatal(err)
	}
	h.once(t)
	list, err := h.Attempts(ctx, h.who[RoleApplicant], v.ID)
	if err != nil || len(list) == 0 || list[0].Lost || list[0].Revoked != serialText(h.ca.issued[0]) {
		t.Errorf("%+v, %v", list, err)
	}
}
