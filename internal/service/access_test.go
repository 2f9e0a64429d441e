package service

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/internal/store"
)

// A use is one use case, tried by everybody.
type use struct {
	name  string
	needs Permission // "": whoever was let in
	// theirs is what another tenant's people of a role that may get: NotFound
	// where the use case names an order, "" where it works on what is their own.
	theirs Kind
	try    func(ctx context.Context, s *Service, p Principal, id string) error
}

// uses are all use cases. TestEveryUse sees to it that none is missing.
func uses(t *testing.T) []use {
	return slices.Concat(orderUses(t), otherUses(), noticeUses(), deskUses(), fileUses(), certificateUses(t))
}

func orderUses(t *testing.T) []use {
	in := dv(t, "pear.orchard.net")
	act := func(do func(*Service, context.Context, Principal, string, int64) (*View, error)) func(context.Context, *Service, Principal, string) error {
		return func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := do(s, ctx, p, id, 0)
			return err
		}
	}
	return []use{
		{"Apply", MayWriteOrders, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.Apply(ctx, p, Application{Order: in.Order, Draft: true})
			return err
		}},
		{"Change", MayWriteOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Change(ctx, p, id, 0, in)
			return err
		}},
		{"Submit", MayWriteOrders, NotFound, act((*Service).Submit)},
		{"Verify", MayWriteOrders, NotFound, act((*Service).Verify)},
		{"Cancel", MayWriteOrders, NotFound, act((*Service).Cancel)},
		{"Resume", MayWriteOrders, NotFound, act((*Service).Resume)},
		{"Delete", MayWriteOrders, NotFound, act((*Service).Delete)},
		{"Erase", MayErase, NotFound, act((*Service).Erase)},
		{"Resubmit", MayWriteOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Resubmit(ctx, p, id, 0, nil)
			return err
		}},
		{"Order", MayReadOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Order(ctx, p, id)
			return err
		}},
		{"Orders", MayReadOrders, "", func(ctx context.Context, s *Service, p Principal, id string) error {
			items, _, err := s.Orders(ctx, p, ListQuery{Limit: 200})
			return shows(err, p, slices.ContainsFunc(items, func(i Summary) bool { return i.ID == id }))
		}},
		{"Attempts", MayReadOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Attempts(ctx, p, id)
			return err
		}},
		{"Reviews", MayReadOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Reviews(ctx, p, id, 0, 0)
			return err
		}},
		{"Review", MayReadOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Review(ctx, p, id, 1)
			return err
		}},
		{"Events", MayReadOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.Events(ctx, p, id, 0, 0)
			return err
		}},
		{"Wait", MayReadOrders, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			return s.Wait(ctx, p, id, 0)
		}},
	}
}

func otherUses() []use {
	return []use{
		{"NewToken", MayManageTokens, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.NewToken(ctx, p, TokenRequest{Role: RoleApplicant, Scopes: p.Scopes})
			return err
		}},
		{"Tokens", MayManageTokens, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			list, err := s.Tokens(ctx, p, "", 200)
			return shows(err, p, slices.ContainsFunc(list, func(v TokenView) bool { return v.Tenant == RootTenant }))
		}},
		{"RevokeToken", MayManageTokens, NotFound, func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.RevokeToken(ctx, p, "spare")
			return err
		}},
		{"Whoami", "", "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			w, err := s.Whoami(ctx, p)
			if err == nil && (w.Tenant != p.Tenant || w.Role != p.Role) {
				return fmt.Errorf("%+v is told to be %+v", p, w)
			}
			return err
		}},
		{"NewTenant", MayTenants, Forbidden, func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.NewTenant(ctx, p, "t-"+strings.ToLower(p.Token), "T")
			return err
		}},
		{"Tenants", MayTenants, Forbidden, func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.Tenants(ctx, p, "", 0)
			return err
		}},
		{"Account", MayAccounts, NotFound, func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.Account(ctx, p, RootTenant)
			return err
		}},
		{"PutAccount", MayAccounts, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.PutAccount(ctx, p, AccountView{ID: "more"})
			return err
		}},
		{"AuditEntries", MayReadAudit, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			items, _, err := s.AuditEntries(ctx, p, AuditQuery{Limit: 200})
			return shows(err, p, slices.ContainsFunc(items, func(e EntryView) bool { return e.Tenant == RootTenant }))
		}},
		{"AuditVerify", MayReadAudit, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.AuditVerify(ctx, p)
			return err
		}},
		{"AuditExport", MayReadAudit, Forbidden, func(ctx context.Context, s *Service, p Principal, _ string) error {
			return s.AuditExport(ctx, p, io.Discard)
		}},
		{"AuditPublicKey", MayReadAudit, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			_, err := s.AuditPublicKey(ctx, p)
			return err
		}},
		{"TryProfile", MayTryProfiles, "", func(ctx context.Context, s *Service, p Principal, id string) error {
			toml := []byte("name = \"strict\"\ntitle = \"Strict\"\nversion = \"1\"\ninherits = \"cloud\"\n[names]\nmax_length = 4\n")
			trial, err := s.TryProfile(ctx, p, toml, "en")
			return shows(err, p, err == nil && slices.ContainsFunc(trial.Changed, func(c Changed) bool { return c.Order == id }))
		}},
		{"Forecast", MayReadOrders, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			trial, err := s.Forecast(ctx, p, time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC), "en")
			return shows(err, p, err == nil && trial.Judged > 0)
		}},
	}
}

// shows is err, or that somebody of another tenant was shown what is root's.
func shows(err error, p Principal, root bool) error {
	if err == nil && root && p.Tenant != RootTenant {
		return fmt.Errorf("%s of %s is shown what is another tenant's", p.Role, p.Tenant)
	}
	return err
}

// TestAccess tries every use case as every role of the order's own tenant and
// another, with all scopes, with the one that is needed and with all but that.
func TestAccess(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	if _, err := b.NewTenant(ctx, b.who[RoleAdministrator], "other", "Other"); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, u := range uses(t) {
		for _, tenant := range []string{RootTenant, "other"} {
			for _, role := range append(Roles(), "", "nobody") {
				for _, scopes := range [][]string{nil, {string(u.needs)}, allBut(u.needs)} {
					if u.needs == "" && scopes != nil {
						continue
					}
					tried++
					p := Principal{Tenant: tenant, Account: "shop", Role: role, Scopes: scopes, Token: fmt.Sprintf("n%d", tried)}
					b.tryUse(t, u, p)
				}
			}
		}
	}
	if tried < 500 {
		t.Errorf("only %d were tried", tried)
	}
}

// tryUse compares what a use case says with the table of permissions.
func (b *bed) tryUse(t *testing.T, u use, p Principal) {
	t.Helper()
	ctx := context.Background()
	o := b.anOrder(t)
	spare := store.Token{ID: "spare", Tenant: RootTenant, Account: "shop", Role: string(RoleApplicant), Hash: []byte("x"), Created: b.clock()}
	if err := b.Store.Write(ctx, func(tx store.Tx) error { return tx.PutToken(spare) }); err != nil {
		t.Fatal(err)
	}
	err := u.try(ctx, b.Service, p, o)
	may := slices.Contains(Permissions()[p.Role], u.needs) && (len(p.Scopes) == 0 || slices.Contains(p.Scopes, string(u.needs)))
	want := Kind("")
	switch {
	case u.needs == "":
	case !may:
		want = Forbidden
	case p.Tenant != RootTenant:
		want = u.theirs
	}
	switch {
	case want != "" && !problemIs(err, want):
		t.Errorf("%s by %q of %s with %v: %v, want %s", u.name, p.Role, p.Tenant, p.Scopes, err, want)
	case want == "" && (problemIs(err, Forbidden) || problemIs(err, NotFound)):
		t.Errorf("%s by %q of %s with %v: %v, want that it may", u.name, p.Role, p.Tenant, p.Scopes, err)
	case want == "" && err != nil && !problemIs(err, WrongState):
		t.Errorf("%s by %q of %s with %v: %v", u.name, p.Role, p.Tenant, p.Scopes, err)
	}
}

// anOrder is a pending order of the account shop, made where the last one ended.
func (b *bed) anOrder(t *testing.T) string {
	t.Helper()
	ctx, owner := context.Background(), b.who[RoleApplicant]
	if b.spare != "" {
		if v, err := b.Order(ctx, owner, b.spare); err == nil && v.State.Open() {
			return v.ID
		}
	}
	v, err := b.Apply(ctx, owner, dv(t, "plum.orchard.net"))
	if err != nil {
		t.Fatal(err, findings(err))
	}
	b.spare = v.ID
	return v.ID
}

func allBut(p Permission) []string {
	return slices.DeleteFunc(Scopes(), func(s string) bool { return s == string(p) })
}

// TestEveryUse: every exported method that takes a principal is tried above.
func TestEveryUse(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, u := range uses(t) {
		tried[u.name] = true
	}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() || !takesPrincipal(f) {
				continue
			}
			found++
			if !tried[f.Name.Name] {
				t.Errorf("nobody tries who may use %s", f.Name.Name)
			}
		}
	}
	if found != len(tried) {
		t.Errorf("%d use cases, %d tried", found, len(tried))
	}
}

func takesPrincipal(f *ast.FuncDecl) bool {
	return slices.ContainsFunc(f.Type.Params.List, func(p *ast.Field) bool {
		id, ok := p.Type.(*ast.Ident)
		return ok && id.Name == "Principal"
	})
}

// TestScopes: nobody gives what they do not have, nor into another tenant.
func TestScopes(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	narrow := b.who[RoleAdministrator]
	narrow.Scopes = []string{string(MayManageTokens), string(MayReadOrders)}
	for name, r := range map[string]TokenRequest{
		"all scopes":     {Role: RoleApplicant},
		"a wider scope":  {Role: RoleApplicant, Scopes: []string{string(MayWriteOrders)}},
		"unknown scope":  {Role: RoleApplicant, Scopes: []string{"everything"}},
		"unknown role":   {Role: "root", Scopes: []string{string(MayReadOrders)}},
		"too long":       {Role: RoleApplicant, Scopes: []string{string(MayReadOrders)}, Days: MaxTokenDays + 1},
		"for ever":       {Role: RoleApplicant, Scopes: []string{string(MayReadOrders)}, Days: -1},
		"a long account": {Role: RoleApplicant, Scopes: []string{string(MayReadOrders)}, Account: strings.Repeat("a", 201)},
	} {
		if _, err := b.NewToken(ctx, narrow, r); !problemIs(err, Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.NewToken(ctx, narrow, TokenRequest{Role: RoleApplicant, Tenant: "other", Scopes: []string{string(MayReadOrders)}}); !problemIs(err, Forbidden) {
		t.Errorf("a token for another tenant: %v", err)
	}
	if _, err := b.NewToken(ctx, b.who[RoleAdministrator], TokenRequest{Role: RoleApplicant, Tenant: "nowhere"}); !problemIs(err, NotFound) {
		t.Errorf("a token for no tenant: %v", err)
	}
	v, err := b.NewToken(ctx, narrow, TokenRequest{Role: RoleApplicant, Account: "shop", Scopes: []string{string(MayReadOrders)}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.Authenticate(ctx, v.Secret)
	if err != nil || p.May(MayWriteOrders) || !p.May(MayReadOrders) {
		t.Fatalf("%+v, %v", p, err)
	}
	if _, err := b.RevokeToken(ctx, p, p.Token); err != nil {
		t.Errorf("the own token cannot be revoked: %v", err)
	}
	if _, err := b.Authenticate(ctx, v.Secret); !problemIs(err, Unauthenticated) {
		t.Errorf("a revoked token lets in: %v", err)
	}
}

// noticeUses are tried on a channel and a notice of the account shop of root.
func noticeUses() []use {
	made := func(ctx context.Context, s *Service, id string) (channel, notice string, err error) {
		tail, err := s.random(6)
		if err != nil {
			return "", "", err
		}
		s.Secrets = plain{}
		c := store.Channel{ID: "c" + tail, Tenant: RootTenant, Account: "shop", Role: "applicant", Kind: KindWebhook, Language: "en", Events: []string{"none-" + tail}, Created: s.now()}
		if c.Sealed, err = s.Secrets.Seal(channelRow(c.ID), []byte(`{"url":"https://127.0.0.1:1/"}`)); err != nil {
			return "", "", err
		}
		return c.ID, tail + "." + c.ID, s.Store.Write(ctx, func(tx store.Tx) error {
			if err := tx.PutChannel(c); err != nil {
				return err
			}
			return tx.AddNotices(store.NewNotice{Entry: tail, Tenant: RootTenant, Account: "shop", Event: c.Events[0], Order: id, At: s.now()})
		})
	}
	onChannel := func(do func(*Service, context.Context, Principal, string) error) func(context.Context, *Service, Principal, string) error {
		return func(ctx context.Context, s *Service, p Principal, id string) error {
			c, _, err := made(ctx, s, id)
			if err != nil {
				return err
			}
			return do(s, ctx, p, c)
		}
	}
	onNotice := func(do func(*Service, context.Context, Principal, string) error) func(context.Context, *Service, Principal, string) error {
		return func(ctx context.Context, s *Service, p Principal, id string) error {
			_, n, err := made(ctx, s, id)
			if err != nil {
				return err
			}
			return do(s, ctx, p, n)
		}
	}
	return []use{
		{"NewChannel", MayManageNotices, "", func(ctx context.Context, s *Service, p Principal, _ string) error {
			s.Secrets = plain{}
			c, err := s.NewChannel(ctx, p, ChannelRequest{Kind: KindWebhook, Target: "https://hooks.orchard.net/"})
			if err != nil {
				return err
			}
			_, err = s.RemoveChannel(ctx, Principal{Tenant: p.Tenant, Role: RoleAdministrator}, c.ID)
			return err
		}},
		{"Channels", MayReadNotices, "", func(ctx context.Context, s *Service, p Principal, id string) error {
			c, _, err := made(ctx, s, id)
			if err != nil {
				return err
			}
			list, err := s.Channels(ctx, p, "", 200)
			return shows(err, p, slices.ContainsFunc(list, func(v ChannelView) bool { return v.ID == c }))
		}},
		{"Channel", MayReadNotices, NotFound, onChannel(func(s *Service, ctx context.Context, p Principal, c string) error {
			_, err := s.Channel(ctx, p, c)
			return err
		})},
		{"ChangeChannel", MayManageNotices, NotFound, onChannel(func(s *Service, ctx context.Context, p Principal, c string) error {
			_, err := s.ChangeChannel(ctx, p, c, ChannelChange{Language: "zh"})
			return err
		})},
		{"RemoveChannel", MayManageNotices, NotFound, onChannel(func(s *Service, ctx context.Context, p Principal, c string) error {
			_, err := s.RemoveChannel(ctx, p, c)
			return err
		})},
		{"TestChannel", MayManageNotices, NotFound, onChannel(func(s *Service, ctx context.Context, p Principal, c string) error {
			test, err := s.TestChannel(ctx, p, c)
			if test.Delivered {
				return fmt.Errorf("%+v", test)
			}
			return err
		})},
		{"Notices", MayReadNotices, "", func(ctx context.Context, s *Service, p Principal, id string) error {
			_, n, err := made(ctx, s, id)
			if err != nil {
				return err
			}
			list, _, err := s.Notices(ctx, p, NoticeQuery{Limit: 200})
			return shows(err, p, slices.ContainsFunc(list, func(v NoticeView) bool { return v.ID == n }))
		}},
		{"Notice", MayReadNotices, NotFound, onNotice(func(s *Service, ctx context.Context, p Principal, n string) error {
			_, err := s.Notice(ctx, p, n)
			return err
		})},
		{"PreviewNotice", MayReadNotices, NotFound, func(ctx context.Context, s *Service, p Principal, id string) error {
			_, err := s.PreviewNotice(ctx, p, id, "order.ready", "en")
			return err
		}},
		{"RetryNotice", MayManageNotices, NotFound, onNotice(func(s *Service, ctx context.Context, p Principal, n string) error {
			_, err := s.RetryNotice(ctx, p, n)
			return err
		})},
	}
}
