package service

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"assay/cause"
	"assay/internal/message"
)

// hostile are texts that must come into no id and no note.
var hostile = map[string]string{
	"a control character": "shop\x1b[31m", "a line break": "shop\nroot", "a direction": "shop\u202egpj", "nothing that shows": "\u200b",
	"a space at the end": "shop ", "no UTF-8": "shop\xff", "too long": strings.Repeat("é", 101),
}

// TestForms: what people may call tenants, accounts, tokens; the error names the
// field, in words of either language, and nothing was made.
func TestForms(t *testing.T) {
	t.Parallel()
	b, ctx := newBed(t), context.Background()
	admin := b.who[RoleAdministrator]
	account := func(id string) error {
		_, err := b.PutAccount(ctx, admin, AccountView{ID: id})
		return err
	}
	tokenOf := func(id string) error {
		_, err := b.NewToken(ctx, admin, TokenRequest{Role: RoleAuditor, Account: id})
		return err
	}
	orderOf := func(id string) error {
		in := dv(t, "pear.orchard.net")
		in.Order.Account, in.Draft = id, true
		_, err := b.Apply(ctx, admin, in)
		return err
	}
	tenant := func(id string) error { _, err := b.NewTenant(ctx, admin, id, ""); return err }
	ids := map[string]string{"a path": "a/b", "a parent": "..", "an option": "-rf", "a query": "a?b", "Chinese": "果园", "65": strings.Repeat("a", 65)}
	for name, try := range map[string]func(string) error{"account": account, "token": tokenOf, "order": orderOf, "tenant": tenant} {
		for what, id := range ids {
			refused(t, name+", "+what, try(id))
		}
		for what, id := range hostile {
			refused(t, name+", "+what, try(id))
		}
	}
	refused(t, "no account", account(""))
	refused(t, "an upper-case tenant", tenant("Shop"))
	for _, id := range []string{"shop", "ann@orchard.net", "Team_1+test", "0f8fad5b-d9cb-469f-a165-70867728950e", strings.Repeat("a", 64)} {
		if err := errors.Join(account(id), tokenOf(id), orderOf(id)); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	notes := map[string]func(string) error{
		"token's name": func(text string) error {
			_, err := b.NewToken(ctx, admin, TokenRequest{Role: RoleAuditor, Name: text})
			return err
		},
		"tenant's name": func(text string) error { _, err := b.NewTenant(ctx, admin, "vineyard", text); return err },
		"agreement": func(text string) error {
			_, err := b.PutAccount(ctx, admin, AccountView{ID: "x", Agreement: text})
			return err
		},
	}
	for name, try := range notes {
		for what, text := range hostile {
			refused(t, name+", "+what, try(text))
		}
		if err := try("果园 – the web shop's (2026)"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if items, err := b.Tokens(ctx, admin, "", 200); err != nil || len(items) != 7 {
		t.Errorf("%d tokens, %v", len(items), err)
	}
}

// refused: the error is the caller's, and says so without what it refuses.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	var p *Problem
	if !errors.As(err, &p) || p.Kind != Invalid {
		t.Errorf("%s: %v", what, err)
		return
	}
	for _, lang := range cause.Languages() {
		text := message.New(lang).Text(p.Message, p.Pairs...)
		if strings.ContainsAny(text, "\x1b\n\u202e\u200b") || !utf8.ValidString(text) || strings.Contains(text, "<no value>") || len(text) > 300 {
			t.Errorf("%s: %q", what, text)
		}
	}
}
