package service

import (
	"context"
	"errors"
	"time"

	"assay/internal/store"
)

// FirstTokenLife is how long the token of the first start, and one that was
// recovered, lives unless it is used to make another: who reads it in a log later
// gets nothing by it.
const FirstTokenLife = 24 * time.Hour

// Names of the tokens that nobody asked for by the API. No other token has them.
const (
	tokenFirst     = "first"
	tokenRecovered = "recovered"
)

// Bootstrap makes the tenant [RootTenant] with an administrator's token where
// there is no tenant yet. The token is returned once and nowhere kept; it lives
// for [FirstTokenLife].
func (s *Service) Bootstrap(ctx context.Context) (token string, created bool, err error) {
	if _, err := s.Store.Tenant(ctx, RootTenant); err == nil {
		return "", false, nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return "", false, problemOf(err)
	}
	id, text, hash, err := s.mint()
	if err != nil {
		return "", false, err
	}
	now := s.now()
	p := Principal{Tenant: RootTenant, Token: serviceActor, Role: RoleAdministrator}
	created, err = unit(ctx, s, func(tx store.Tx) (bool, error) {
		// Of two processes that start at once one makes the tenant.
		if taken, err := tx.TakeLease("bootstrap", s.Owner, now, now.AddDate(100, 0, 0)); err != nil || !taken {
			return false, err
		}
		if err := tx.PutTenant(store.Tenant{ID: RootTenant, Name: RootTenant, Created: now}); err != nil {
			return false, err
		}
		if err := s.ensureAccount(tx, RootTenant, RootTenant, true); err != nil {
			return false, err
		}
		if err := tx.PutToken(rootToken(id, tokenFirst, hash, now)); err != nil {
			return false, err
		}
		return true, s.audit(tx, p, nil, "tenant.new", "tenant:"+RootTenant, map[string]any{"token": id})
	})
	if err != nil || !created {
		return "", false, err
	}
	return text, true, nil
}

func rootToken(id, name string, hash []byte, now time.Time) store.Token {
	return store.Token{
		ID: id, Tenant: RootTenant, Account: RootTenant, Role: string(RoleAdministrator), Name: name, Hash: hash,
		Created: now, Expires: now.Add(FirstTokenLife),
	}
}

// Recover makes an administrator's token for [RootTenant], for whoever has the
// database and its key file and no token that lets them in. It lives for
// [FirstTokenLife]. A [NotFound] problem says that there was no first start yet.
func (s *Service) Recover(ctx context.Context) (TokenView, error) {
	if _, err := s.Store.Tenant(ctx, RootTenant); err != nil {
		return TokenView{}, problemOf(err)
	}
	id, text, hash, err := s.mint()
	if err != nil {
		return TokenView{}, err
	}
	p := Principal{Tenant: RootTenant, Token: serviceActor, Role: RoleAdministrator}
	return unit(ctx, s, func(tx store.Tx) (TokenView, error) {
		if err := s.ensureAccount(tx, RootTenant, RootTenant, true); err != nil {
			return TokenView{}, err
		}
		t := rootToken(id, tokenRecovered, hash, s.now())
		if err := tx.PutToken(t); err != nil {
			return TokenView{}, err
		}
		v := tokenView(&t)
		v.Secret = text
		return v, s.audit(tx, p, nil, "token.recover", "token:"+id, map[string]any{"role": t.Role, "account": t.Account})
	})
}

// ensureAccount makes an account that is not there yet. verified says that
// somebody vouches for who it is: an administrator who hands out a token for it.
func (s *Service) ensureAccount(tx store.Tx, tenant, id string, verified bool) error {
	return tx.EnsureAccount(store.Account{Tenant: tenant, ID: id, Verified: verified, Created: s.now()})
}

// A TenantView is a tenant.
type TenantView struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	CreatedAt time.Time  `json:"created_at"`
	ClosedAt  *time.Time `json:"closed_at,omitempty"`
}

// An AccountView is an account of a tenant: who orders.
type AccountView struct {
	ID            string     `json:"id"`
	Verified      bool       `json:"verified"`
	Agreement     string     `json:"agreement,omitempty"`
	CreatedAt     time.Time  `json:"created_at"`
	DeactivatedAt *time.Time `json:"deactivated_at,omitempty"`
}

// A Whoami says who asks and what they may do.
type Whoami struct {
	Tenant      string       `json:"tenant"`
	Account     string       `json:"account"`
	Role        Role         `json:"role"`
	Token       string       `json:"token"`
	Scopes      []string     `json:"scopes,omitempty"`
	Permissions []Permission `json:"permissions"`
}

// Whoami is what a token may do.
func (s *Service) Whoami(_ context.Context, p Principal) (Whoami, error) {
	w := Whoami{Tenant: p.Tenant, Account: p.Account, Role: p.Role, Token: p.Token, Scopes: p.Scopes, Permissions: []Permission{}}
	for _, do := range Permissions()[p.Role] {
		if p.May(do) {
			w.Permissions = append(w.Permissions, do)
		}
	}
	return w, nil
}

// NewTenant makes a tenant.
func (s *Service) NewTenant(ctx context.Context, p Principal, id, title string) (TenantView, error) {
	if err := allow(p, MayTenants); err != nil {
		return TenantView{}, err
	}
	if err := checkTenantID("id", id); err != nil {
		return TenantView{}, err
	}
	if err := checkNote("name", title); err != nil {
		return TenantView{}, err
	}
	t := store.Tenant{ID: id, Name: title, Created: s.now()}
	v, err := unit(ctx, s, func(tx store.Tx) (TenantView, error) {
		if err := tx.InsertTenant(t); err != nil {
			return TenantView{}, err
		}
		return tenantView(&t), s.audit(tx, p, nil, "tenant.new", "tenant:"+id, nil)
	})
	if errors.Is(err, store.ErrConflict) {
		err = &Problem{Kind: Conflict, Message: "service.exists", Pairs: []any{"What", id}, Err: err}
	}
	return v, err
}

func tenantView(t *store.Tenant) TenantView {
	return TenantView{ID: t.ID, Name: t.Name, CreatedAt: t.Created, ClosedAt: optional(t.Closed)}
}

// Tenants lists tenants by id.
func (s *Service) Tenants(ctx context.Context, p Principal, after string, limit int) ([]TenantView, error) {
	if err := allow(p, MayTenants); err != nil {
		return nil, err
	}
	list, err := s.Store.Tenants(ctx, after, pageSize(limit))
	if err != nil {
		return nil, problemOf(err)
	}
	views := make([]TenantView, len(list))
	for i := range list {
		views[i] = tenantView(&list[i])
	}
	return views, nil
}

// Account reads an account: the own one, or as an administrator any of the tenant.
func (s *Service) Account(ctx context.Context, p Principal, id string) (AccountView, error) {
	if id != p.Account || p.Tenant == "" {
		if err := allow(p, MayAccounts); err != nil {
			return AccountView{}, err
		}
	}
	a, err := s.Store.Account(ctx, p.Tenant, id)
	if err != nil {
		return AccountView{}, problemOf(err)
	}
	return accountView(a), nil
}

func accountView(a *store.Account) AccountView {
	return AccountView{ID: a.ID, Verified: a.Verified, Agreement: a.Agreement, CreatedAt: a.Created, DeactivatedAt: optional(a.Deactivated)}
}

// PutAccount says whether an account's identity was verified, which agreement it
// accepted, and whether it may order. When it was made stays, and since when it may
// not order.
func (s *Service) PutAccount(ctx context.Context, p Principal, v AccountView) (AccountView, error) {
	if err := allow(p, MayAccounts); err != nil {
		return AccountView{}, err
	}
	if err := checkAccountID("id", v.ID); err != nil {
		return AccountView{}, err
	}
	if err := checkNote("agreement", v.Agreement); err != nil {
		return AccountView{}, err
	}
	a := store.Account{Tenant: p.Tenant, ID: v.ID, Verified: v.Verified, Agreement: v.Agreement, Created: s.now()}
	if v.DeactivatedAt != nil {
		a.Deactivated = v.DeactivatedAt.UTC().Truncate(time.Microsecond) // as it is kept
	}
	return unit(ctx, s, func(tx store.Tx) (AccountView, error) {
		a := a
		was, err := tx.Account(a.Tenant, a.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return AccountView{}, err
		}
		if err == nil {
			a.Created = was.Created
		}
		if err == nil && !a.Deactivated.IsZero() && !was.Deactivated.IsZero() {
			a.Deactivated = was.Deactivated
		}
		if err := tx.PutAccount(a); err != nil {
			return AccountView{}, err
		}
		return accountView(&a), s.audit(tx, p, nil, "account.put", "account:"+v.ID, map[string]any{"verified": a.Verified, "deactivated": !a.Deactivated.IsZero()})
	})
}
