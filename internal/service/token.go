package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"assay/internal/secret"
	"assay/internal/store"
)

// MaxTokenDays is the longest life of a token that ends.
const MaxTokenDays = 398

// TokenRequest asks for a token.
type TokenRequest struct {
	Name    string   `json:"name,omitempty"`
	Role    Role     `json:"role"`
	Account string   `json:"account,omitempty"`
	Tenant  string   `json:"tenant,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	// Days is how long it lives; 0: 90.
	Days int `json:"days,omitempty"`
}

// A TokenView is a token without its secret.
type TokenView struct {
	ID        string     `json:"id"`
	Name      string     `json:"name,omitempty"`
	Tenant    string     `json:"tenant"`
	Account   string     `json:"account"`
	Role      Role       `json:"role"`
	Scopes    []string   `json:"scopes,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	// Secret is the token itself: in the answer that makes it, never again.
	Secret string `json:"secret,omitempty"`
}

// WithoutSecret is the token as it may be kept.
func (v TokenView) WithoutSecret() any {
	v.Secret = ""
	return v
}

func tokenView(t *store.Token) TokenView {
	return TokenView{
		ID: t.ID, Name: t.Name, Tenant: t.Tenant, Account: t.Account, Role: Role(t.Role), Scopes: t.Scopes,
		CreatedAt: t.Created, ExpiresAt: optional(t.Expires), RevokedAt: optional(t.Revoked),
	}
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// mint makes a token: its id, its text and the hash that is kept.
func (s *Service) mint() (id, text string, hash []byte, err error) {
	t, err := secret.NewToken(s.Rand)
	if err != nil {
		return "", "", nil, err
	}
	return t.ID, t.Text(), t.Hash(), nil
}

// NewToken makes a token for an account of the own tenant, or, by an
// administrator of [RootTenant], of any. Nobody gives what they do not have:
// a token's scopes lie within those of whoever makes it.
func (s *Service) NewToken(ctx context.Context, p Principal, r TokenRequest) (TokenView, error) {
	if err := allow(p, MayManageTokens); err != nil {
		return TokenView{}, err
	}
	if r.Tenant == "" {
		r.Tenant = p.Tenant
	}
	if r.Tenant != p.Tenant {
		if err := checkTenantID("tenant", r.Tenant); err != nil {
			return TokenView{}, err
		}
		if err := allow(p, MayTenants); err != nil {
			return TokenView{}, err
		}
		if _, err := s.Store.Tenant(ctx, r.Tenant); err != nil {
			return TokenView{}, problemOf(err)
		}
	}
	if r.Account == "" {
		r.Account = p.Account
	}
	if r.Days == 0 {
		r.Days = 90
	}
	if err := r.check(p); err != nil {
		return TokenView{}, err
	}
	id, text, hash, err := s.mint()
	if err != nil {
		return TokenView{}, err
	}
	now := s.now()
	t := store.Token{
		ID: id, Tenant: r.Tenant, Account: r.Account, Role: string(r.Role), Scopes: r.Scopes, Name: r.Name, Hash: hash,
		Created: now, Expires: now.AddDate(0, 0, r.Days),
	}
	v, err := unit(ctx, s, func(tx store.Tx) (TokenView, error) {
		if err := s.stays(tx, p); err != nil {
			return TokenView{}, err
		}
		if err := s.ensureAccount(tx, t.Tenant, t.Account, true); err != nil {
			return TokenView{}, err
		}
		if err := tx.PutToken(t); err != nil {
			return TokenView{}, err
		}
		v := tokenView(&t)
		v.Secret = text
		return v, s.audit(tx, p, nil, "token.new", "token:"+id, map[string]any{"role": t.Role, "account": t.Account, "scopes": t.Scopes, "days": r.Days, "tenant": t.Tenant})
	})
	s.tokens.forget(p.Token)
	return v, err
}

// stays refuses a token that was revoked or has ended meanwhile to make another.
// The first token, and one that was recovered, has no end any more once it made one:
// somebody has it. It is read in the unit, so that no revocation is undone.
func (s *Service) stays(tx store.Tx, p Principal) error {
	t, err := tx.Token(p.Token)
	if errors.Is(err, store.ErrNotFound) {
		return nil // the service itself, and tests: no token was presented
	}
	if err != nil {
		return err
	}
	if !t.Revoked.IsZero() || !t.Expires.IsZero() && !s.now().Before(t.Expires) {
		return &Problem{Kind: Unauthenticated, Message: "service.token.invalid"}
	}
	root := t.Tenant == RootTenant && t.Account == RootTenant
	if !root || t.Name != tokenFirst && t.Name != tokenRecovered || t.Expires.IsZero() {
		return nil
	}
	t.Expires = time.Time{}
	return tx.PutToken(*t)
}

func (r *TokenRequest) check(p Principal) error {
	bad := func(field, value, allowed string) error {
		return &Problem{Kind: Invalid, Message: "service.one-of", Pairs: []any{"Field", field, "Value", value, "Allowed", allowed}}
	}
	if !slices.Contains(Roles(), r.Role) {
		return bad("role", string(r.Role), "applicant, reviewer, administrator, auditor")
	}
	if r.Days < 1 || r.Days > MaxTokenDays {
		return bad("days", fmt.Sprint(r.Days), fmt.Sprintf("1 to %d", MaxTokenDays))
	}
	if err := checkNote("name", r.Name); err != nil {
		return err
	}
	if r.Name == tokenFirst || r.Name == tokenRecovered {
		return &Problem{Kind: Invalid, Message: "service.token-name", Pairs: []any{"Name", r.Name}}
	}
	// One's own account may be older than the form.
	if err := checkAccountID("account", r.Account); err != nil && r.Account != p.Account {
		return err
	}
	if len(r.Scopes) > len(Scopes()) {
		return &Problem{Kind: Invalid, Message: "service.too-long", Pairs: []any{"Field", "scopes"}}
	}
	if len(p.Scopes) > 0 && len(r.Scopes) == 0 {
		return bad("scopes", "", strings.Join(p.Scopes, ", "))
	}
	for _, scope := range r.Scopes {
		if !slices.Contains(Scopes(), scope) {
			return bad("scopes", scope, strings.Join(Scopes(), ", "))
		}
		if len(p.Scopes) > 0 && !slices.Contains(p.Scopes, scope) {
			return bad("scopes", scope, strings.Join(p.Scopes, ", "))
		}
	}
	return nil
}

// Tokens lists the tokens of the own tenant, by id.
func (s *Service) Tokens(ctx context.Context, p Principal, after string, limit int) ([]TokenView, error) {
	if err := allow(p, MayManageTokens); err != nil {
		return nil, err
	}
	list, err := s.Store.Tokens(ctx, p.Tenant, after, pageSize(limit))
	if err != nil {
		return nil, problemOf(err)
	}
	views := make([]TokenView, len(list))
	for i := range list {
		views[i] = tokenView(&list[i])
	}
	return views, nil
}

// RevokeToken ends a token at once. Everybody may revoke the own one.
func (s *Service) RevokeToken(ctx context.Context, p Principal, id string) (TokenView, error) {
	if id != p.Token {
		if err := allow(p, MayManageTokens); err != nil {
			return TokenView{}, err
		}
	}
	t, err := s.Store.Token(ctx, id)
	if err == nil && t.Tenant != p.Tenant {
		err = store.ErrNotFound
	}
	if err != nil {
		return TokenView{}, problemOf(err)
	}
	v, err := unit(ctx, s, func(tx store.Tx) (TokenView, error) {
		t, err := tx.Token(id) // as of now: when it was revoked first
		if err != nil {
			return TokenView{}, err
		}
		if t.Revoked.IsZero() {
			t.Revoked = s.now()
		}
		if err := tx.PutToken(*t); err != nil {
			return TokenView{}, err
		}
		return tokenView(t), s.audit(tx, p, nil, "token.revoke", "token:"+id, nil)
	})
	s.tokens.forget(id)
	return v, err
}

// Authenticate finds who a token lets in. The error of a token that is not
// known, has ended or was revoked is the same.
func (s *Service) Authenticate(ctx context.Context, text string) (Principal, error) {
	presented, err := secret.ParseToken(text)
	if err != nil {
		message := "service.token.form"
		if errors.Is(err, secret.ErrTokenTyped) {
			message = "service.token.checksum"
		}
		return Principal{}, &Problem{Kind: Unauthenticated, Message: message}
	}
	now := s.now()
	t, ok := s.tokens.get(presented.ID, now)
	if !ok {
		found, err := s.Store.Token(ctx, presented.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return Principal{}, &Problem{Kind: Unauthenticated, Message: "service.token.invalid"}
		case err != nil:
			return Principal{}, problemOf(err)
		}
		t = *found
		s.tokens.put(t, now)
	}
	if !presented.Matches(t.Hash) || !t.Revoked.IsZero() || !t.Expires.IsZero() && !now.Before(t.Expires) {
		return Principal{}, &Problem{Kind: Unauthenticated, Message: "service.token.invalid"}
	}
	return Principal{Tenant: t.Tenant, Account: t.Account, Token: t.ID, Role: Role(t.Role), Scopes: t.Scopes}, nil
}

// tokenCache keeps tokens for a moment, so that a request does not begin with a
// read. A revocation by another process counts after that moment.
type tokenCache struct {
	mu   sync.Mutex
	kept map[string]cachedToken
}

type cachedToken struct {
	store.Token
	until time.Time
}

const (
	tokenCacheTime = 2 * time.Second
	tokenCacheSize = 4096
)

func (c *tokenCache) get(id string, now time.Time) (store.Token, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.kept[id]
	// A clock that was set back must not make an entry last.
	if !ok || !now.Before(t.until) || t.until.Sub(now) > tokenCacheTime {
		return store.Token{}, false
	}
	return t.Token, true
}

func (c *tokenCache) put(t store.Token, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= tokenCacheSize {
		c.kept = map[string]cachedToken{}
	}
	c.kept[t.ID] = cachedToken{t, now.Add(tokenCacheTime)}
}

func (c *tokenCache) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, id)
}
