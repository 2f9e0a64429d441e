package service

import (
	"context"
	"strings"
	"testing"
	"time"

	"assay/internal/store"
)

// TestFirstToken: the token of the first start ends after a day, unless it was
// used to make another.
func TestFirstToken(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, used := range map[string]bool{"never used": false, "used": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			made := b.recovered(t)
			first, err := b.Authenticate(ctx, made.Secret)
			if err != nil {
				t.Fatal(err)
			}
			if used {
				b.pass(FirstTokenLife - time.Second)
				if _, err := b.NewToken(ctx, first, TokenRequest{Role: RoleApplicant, Account: "shop"}); err != nil {
					t.Fatal(err)
				}
			}
			for _, in := range []time.Duration{FirstTokenLife, 1000 * time.Hour} {
				b.pass(in)
				if _, err := b.Authenticate(ctx, made.Secret); used != (err == nil) || !used && !problemIs(err, Unauthenticated) {
					t.Errorf("%s later: %v", in, err)
				}
			}
			tokens, err := b.Tokens(ctx, b.who[RoleAdministrator], "", 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range tokens {
				if v.Name == tokenFirst && v.ExpiresAt == nil {
					t.Errorf("the first token never ends: %+v", v)
				}
			}
		})
	}
}

func (b *bed) recovered(t *testing.T) TokenView {
	t.Helper()
	v, err := b.Recover(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTokenNames: no token that somebody asks for passes for the service's own.
func TestTokenNames(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for _, name := range []string{tokenFirst, tokenRecovered} {
		_, err := b.NewToken(context.Background(), b.who[RoleAdministrator], TokenRequest{Role: RoleApplicant, Name: name})
		if !problemIs(err, Invalid) || !strings.Contains(err.Error(), "service.token-name") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRecover: a token that was recovered is an administrator's, and the audit log
// says that it was made.
func TestRecover(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	v := b.recovered(t)
	p, err := b.Authenticate(ctx, v.Secret)
	if err != nil || p.Role != RoleAdministrator || p.Tenant != RootTenant || !p.May(MayTenants) {
		t.Errorf("%+v, %v", p, err)
	}
	entries, _, err := b.AuditEntries(ctx, b.who[RoleAuditor], AuditQuery{Action: "token.recover"})
	if err != nil || len(entries) != 1 || entries[0].Subject != "token:"+v.ID || strings.Contains(string(entries[0].Data), v.Secret) {
		t.Errorf("%+v, %v", entries, err)
	}
}

// TestRevokedTokenStays: a token that is revoked while it makes another makes none,
// and what the other use knew of it undoes nothing.
func TestRevokedTokenStays(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	made := b.recovered(t)
	p, err := b.Authenticate(ctx, made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	inner := b.Store
	b.Store = &before{Store: inner, then: func() {
		b.Store = inner
		if _, err := b.RevokeToken(ctx, b.who[RoleAdministrator], made.ID); err != nil {
			t.Error(err)
		}
	}}
	if _, err := b.NewToken(ctx, p, TokenRequest{Role: RoleAuditor}); !problemIs(err, Unauthenticated) {
		t.Errorf("a token that was revoked made another: %v", err)
	}
	kept, err := b.Store.Token(ctx, made.ID)
	if err != nil || kept.Revoked.IsZero() || kept.Expires.IsZero() {
		t.Errorf("%+v, %v", kept, err)
	}
	if _, err := b.Authenticate(ctx, made.Secret); !problemIs(err, Unauthenticated) {
		t.Errorf("it lets in again: %v", err)
	}
	first := kept.Revoked
	b.pass(time.Hour)
	if v, err := b.RevokeToken(ctx, b.who[RoleAdministrator], made.ID); err != nil || v.RevokedAt == nil || !v.RevokedAt.Equal(first) {
		t.Errorf("revoked twice: %+v, %v", v, err)
	}
}

// before is a store that does something before it begins with the next unit.
type before struct {
	store.Store
	then func()
}

func (b *before) Write(ctx context.Context, fn func(store.Tx) error) error {
	if then := b.then; then != nil {
		b.then = nil
		then()
	}
	return b.Store.Write(ctx, fn)
}
