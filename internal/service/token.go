package service

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"assay/internal/store"
)

// The form of a token: assay_<id>_<secret>_<checksum>, in hexadecimal. The
// checksum tells a token that was copied badly from one that is not valid.
const (
	tokenPrefix = "assay"
	tokenSecret = 32 // random bytes
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

// mint makes a token's id, text and hash. SHA-256 once is right for a secret of
// 256 random bits: there is nothing to guess that a slow hash could slow down.
func (s *Service) mint() (id, text string, hash []byte, err error) {
	raw := make([]byte, 6+tokenSecret)
	if _, err = io.ReadFull(s.Rand, raw); err != nil {
		return "", "", nil, fmt.Errorf("reading random bytes: %w", err)
	}
	id = hex.EncodeToString(raw[:6])
	body := tokenPrefix + "_" + id + "_" + hex.EncodeToString(raw[6:])
	sum := sha256.Sum256(raw[6:])
	return id, body + "_" + checksum(body), sum[:], nil
}

func checksum(body string) string {
	return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body)))
}

// parseToken reads a token's text. The error never quotes it.
func parseToken(text string) (id string, secret []byte, err error) {
	wrong := func(message string) (string, []byte, error) {
		return "", nil, &Problem{Kind: Unauthenticated, Message: message}
	}
	parts := strings.Split(text, "_")
	if len(text) > 200 || len(parts) != 4 || parts[0] != tokenPrefix {
		return wrong("service.token.form")
	}
	if checksum(strings.Join(parts[:3], "_")) != parts[3] {
		return wrong("service.token.checksum")
	}
	secret, err = hex.DecodeString(parts[2])
	if err != nil || len(secret) != tokenSecret || len(parts[1]) != 12 {
		return wrong("service.token.form")
	}
	return parts[1], secret, nil
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
		if err := allow(p, MayTenants); err != nil {
			return TokenView{}, err
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
	return unit(ctx, s, func(tx store.Tx) (TokenView, error) {
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
	if len(r.Name) > 100 || len(r.Account) > 200 || len(r.Scopes) > 20 {
		return &Problem{Kind: Invalid, Message: "service.too-long", Pairs: []any{"Field", "name, account, scopes"}}
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
	id, secret, err := parseToken(text)
	if err != nil {
		return Principal{}, err
	}
	sum := sha256.Sum256(secret)
	now := s.now()
	t, ok := s.tokens.get(id, now)
	if !ok {
		found, err := s.Store.Token(ctx, id)
		if err != nil && problemIs(problemOf(err), Unavailable) {
			return Principal{}, problemOf(err)
		}
		if err != nil {
			// As long as for one that exists.
			subtle.ConstantTimeCompare(sum[:], sum[:])
			return Principal{}, &Problem{Kind: Unauthenticated, Message: "service.token.invalid"}
		}
		t = *found
		s.tokens.put(t, now)
	}
	if subtle.ConstantTimeCompare(sum[:], t.Hash) != 1 || !t.Revoked.IsZero() || !t.Expires.IsZero() && !now.Before(t.Expires) {
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
