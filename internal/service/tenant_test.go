package service

import (
	"context"
	"strings"
	"testing"
	"time"

	"assay/internal/store"
)

// TestTenantTwice: of two who make a tenant with one id at once, one makes it.
func TestTenantTwice(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	admin, inner := b.who[RoleAdministrator], b.Store
	b.Store = &before{Store: inner, then: func() {
		b.Store = inner
		if _, err := b.NewTenant(ctx, admin, "acme", "First"); err != nil {
			t.Error(err)
		}
	}}
	if _, err := b.NewTenant(ctx, admin, "acme", "Second"); !problemIs(err, Conflict) || !strings.Contains(err.Error(), "service.exists") {
		t.Errorf("the second: %v", err)
	}
	if v, err := b.Store.Tenant(ctx, "acme"); err != nil || v.Name != "First" {
		t.Errorf("%+v, %v", v, err)
	}
	entries, _, err := b.AuditEntries(ctx, admin, AuditQuery{Action: "tenant.new"})
	if err != nil || len(entries) != 2 { // that of the first start, and acme
		t.Errorf("%+v, %v", entries, err)
	}
}

// TestAccountDates: when an account was made and since when it may not order stay, and
// what is answered is what is kept.
func TestAccountDates(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	admin, made := b.who[RoleAdministrator], b.at
	put := func(since time.Time) *store.Account {
		t.Helper()
		v, err := b.PutAccount(ctx, admin, AccountView{ID: "shop", Verified: true, DeactivatedAt: optional(since)})
		if err != nil {
			t.Fatal(err)
		}
		kept, err := b.Store.Account(ctx, RootTenant, "shop")
		if err != nil || !v.CreatedAt.Equal(kept.Created) || (v.DeactivatedAt == nil) != kept.Deactivated.IsZero() || v.DeactivatedAt != nil && !v.DeactivatedAt.Equal(kept.Deactivated) {
			t.Errorf("answered %+v, kept %+v, %v", v, kept, err)
		}
		return kept
	}
	b.pass(time.Hour)
	first := b.at.Add(time.Nanosecond) // more than is kept
	if kept := put(first); !kept.Created.Equal(made) || !kept.Deactivated.Equal(first.Truncate(time.Microsecond)) {
		t.Errorf("deactivated: %+v", kept)
	}
	b.pass(time.Hour)
	if kept := put(b.at); !kept.Created.Equal(made) || !kept.Deactivated.Equal(first.Truncate(time.Microsecond)) {
		t.Errorf("again: %+v", kept)
	}
	if kept := put(time.Time{}); !kept.Deactivated.IsZero() {
		t.Errorf("lets it order again: %+v", kept)
	}
}
