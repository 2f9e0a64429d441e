package sqlstore

import (
	"context"
	"strings"

	"assay/internal/store"
)

func scanToken(scan func(...any) error) (k store.Token, err error) {
	var scopes string
	var created, expires, revoked int64
	err = scan(&k.ID, &k.Tenant, &k.Account, &k.Role, &scopes, &k.Name, &k.Hash, &created, &expires, &revoked)
	k.Scopes = strings.Fields(scopes)
	k.Created, k.Expires, k.Revoked = fromMicros(created), fromMicros(expires), fromMicros(revoked)
	return k, err
}

const tokenColumns = `id, tenant, account, role, scopes, name, hash, created_at, expires_at, revoked_at`

// Token reads one token.
func (r reader) Token(ctx context.Context, id string) (*store.Token, error) {
	return one(ctx, r.q, r.dialect, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE id = $1`, id)
}

// Tokens lists a tenant's tokens by id.
func (r reader) Tokens(ctx context.Context, tenant, after string, limit int) ([]store.Token, error) {
	return collect(ctx, r.q, r.dialect, scanToken, `SELECT `+tokenColumns+` FROM tokens WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3`, tenant, after, limited(limit))
}

func scanTenant(scan func(...any) error) (v store.Tenant, err error) {
	var created, closed int64
	err = scan(&v.ID, &v.Name, &created, &closed)
	v.Created, v.Closed = fromMicros(created), fromMicros(closed)
	return v, err
}

// Tenant reads one tenant.
func (r reader) Tenant(ctx context.Context, id string) (*store.Tenant, error) {
	return one(ctx, r.q, r.dialect, scanTenant, `SELECT id, name, created_at, closed_at FROM tenants WHERE id = $1`, id)
}

// Tenants lists tenants by id.
func (r reader) Tenants(ctx context.Context, after string, limit int) ([]store.Tenant, error) {
	return collect(ctx, r.q, r.dialect, scanTenant, `SELECT id, name, created_at, closed_at FROM tenants WHERE id > $1 ORDER BY id LIMIT $2`, after, limited(limit))
}

// Account reads one account.
func (r reader) Account(ctx context.Context, tenant, id string) (*store.Account, error) {
	return r.account(ctx, tenant, id, "")
}

func (r reader) account(ctx context.Context, tenant, id, lock string) (*store.Account, error) {
	return one(ctx, r.q, r.dialect, scanAccount, accountQuery+lock, tenant, id)
}

const (
	accountColumns = `tenant, id, verified, agreement, created_at, deactivated_at`
	accountQuery   = `SELECT ` + accountColumns + ` FROM accounts WHERE tenant = $1 AND id = $2`
	// keyedAccountQuery also says since when a key is blocked, and when it was made here.
	keyedAccountQuery = `SELECT ` + accountColumns + `, COALESCE((SELECT blocked_at FROM blocked_keys WHERE keyprint = $3), 0),
		COALESCE((SELECT created_at FROM csrs WHERE keyprint = $3 AND made = 1 LIMIT 1), 0) FROM accounts WHERE tenant = $1 AND id = $2`
)

func scanAccount(scan func(...any) error) (store.Account, error) { return scanAccountAnd(scan) }

func scanAccountAnd(scan func(...any) error, more ...any) (a store.Account, err error) {
	var verified, created, deactivated int64
	err = scan(append([]any{&a.Tenant, &a.ID, &verified, &a.Agreement, &created, &deactivated}, more...)...)
	a.Verified, a.Created, a.Deactivated = verified != 0, fromMicros(created), fromMicros(deactivated)
	return a, err
}
