package service

import (
	"testing"

	"assay/internal/store"
)

// TestOtherTenant: another tenant's order never belongs to the account that
// asks, whatever that account is called, and counts only once it was validated.
func TestOtherTenant(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"", "shop", "tenant:other", "other than shop"} {
		o := &store.Order{OrderRow: store.OrderRow{ID: "A1", Tenant: RootTenant, Account: account}}
		past := &store.PastOrder{OrderRow: store.OrderRow{ID: "B2", Tenant: "other", Account: account}, Validated: true}
		if e, ok := pastOrder(past, o); !ok || e.Account == "" || e.Account == account {
			t.Errorf("asked by %q it belongs to %q", account, e.Account)
		}
		past.Validated = false
		if _, ok := pastOrder(past, o); ok {
			t.Errorf("%q: an order that was not validated counts", account)
		}
	}
}
