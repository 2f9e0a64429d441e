package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/service"
)

// TokenList is a page of tokens.
type TokenList struct {
	Items []service.TokenView `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

// TenantList is a page of tenants.
type TenantList struct {
	Items []service.TenantView `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

// A TenantBody asks for a tenant.
type TenantBody struct {
	// ID names it: lower-case letters, digits and hyphens, up to 32.
	ID string `json:"id"`
	// Name is for people.
	Name string `json:"name,omitempty"`
}

// An AccountBody says what holds for an account.
type AccountBody struct {
	// Verified is whether the identity of who orders was verified.
	Verified bool `json:"verified"`
	// Agreement is the version of the subscriber agreement that was accepted.
	Agreement string `json:"agreement,omitempty"`
	// Deactivated accounts cannot order.
	Deactivated bool `json:"deactivated,omitempty"`
}

func accessOperations() []*Operation {
	post := func(path, id, summary, description string) huma.Operation {
		return route(http.MethodPost, path, id, "access", summary, description, keyParam())
	}
	list := func(path, id, summary, description string) huma.Operation {
		return route(http.MethodGet, path, id, "access", summary, description, cursorParam(), limitParam())
	}
	tokenID := pathParam("id", "The id of the token: the part after assay_.", exampleIssued().ID)
	accountID := pathParam("id", "The account: letters, digits and . _ @ + -, beginning with a letter or digit, up to 64.", "shop")
	making := []service.Kind{service.Invalid, service.Forbidden, service.Conflict, kindTooLarge, kindMediaType, kindKeyReused}
	return []*Operation{
		{
			Operation: route(http.MethodGet, "/whoami", "whoami", "access", "Who am I", "Whom the token lets in, and what they may do."),
			Answers:   ok("Who asks.", service.Whoami{}, exampleWhoami()), Problems: []service.Kind{service.Invalid}, run: runWhoami,
		},
		{
			Operation: list("/tokens", "list-tokens", "List tokens", "Those of the own tenant, by id; never their secrets."),
			Answers:   ok("A page of tokens.", TokenList{}, TokenList{Items: []service.TokenView{exampleToken("")}}),
			Problems:  []service.Kind{service.Invalid, service.Forbidden}, run: runTokens,
		},
		{
			Operation: post("/tokens", "new-token", "Make a token", "The secret is in this answer and never shown again: not in the answer to the same request repeated either."),
			Body:      &Body{Type: service.TokenRequest{}, Description: "Whom it lets in.", Example: exampleTokenRequest()},
			Answers:   []Answer{{Status: http.StatusCreated, Description: "The token, with its secret.", Type: service.TokenView{}, Example: exampleToken(exampleIssued().Text())}},
			Problems:  making, run: runNewToken,
		},
		{
			Operation: route(http.MethodDelete, "/tokens/{id}", "revoke-token", "access", "Revoke a token", "It lets nobody in any more. Everybody may revoke the own one.", tokenID, keyParam()),
			Answers:   ok("The token that was revoked.", service.TokenView{}, exampleToken("")),
			Problems:  []service.Kind{service.Invalid, service.Forbidden, service.NotFound, kindKeyReused}, run: runRevokeToken,
		},
		{
			Operation: list("/tenants", "list-tenants", "List tenants", "For administrators of the tenant root."),
			Answers:   ok("A page of tenants.", TenantList{}, TenantList{Items: []service.TenantView{exampleTenant()}}),
			Problems:  []service.Kind{service.Invalid, service.Forbidden}, run: runTenants,
		},
		{
			Operation: post("/tenants", "new-tenant", "Make a tenant", "For administrators of the tenant root. Nothing of one tenant is seen by another."),
			Body:      &Body{Type: TenantBody{}, Description: "The tenant.", Example: TenantBody{ID: "orchard", Name: "Orchard Ltd"}},
			Answers:   []Answer{{Status: http.StatusCreated, Description: "The tenant.", Type: service.TenantView{}, Example: exampleTenant()}},
			Problems:  making, run: runNewTenant,
		},
		{
			Operation: route(http.MethodGet, "/accounts/{id}", "show-account", "access", "Show an account", "The own one; to an administrator any of the tenant.", accountID),
			Answers:   ok("The account.", service.AccountView{}, exampleAccount()),
			Problems:  []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runAccount,
		},
		{
			Operation: route(http.MethodPut, "/accounts/{id}", "put-account", "access", "Settle an account", "Whether its identity was verified, which agreement it accepted, whether it may order.", accountID, keyParam()),
			Body:      &Body{Type: AccountBody{}, Description: "What holds.", Example: AccountBody{Verified: true, Agreement: "2026-01"}},
			Answers:   ok("The account.", service.AccountView{}, exampleAccount()),
			Problems:  []service.Kind{service.Invalid, service.Forbidden, service.NotFound, kindTooLarge, kindMediaType, kindKeyReused}, run: runPutAccount,
		},
	}
}

func runWhoami(c *call) (*answer, error) {
	w, err := c.s.Service.Whoami(c.ctx(), c.p)
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: w}, nil
}

func runTokens(c *call) (*answer, error) {
	limit := orDefault(c.number("limit"), 50)
	items, err := c.s.Service.Tokens(c.ctx(), c.p, c.text("cursor"), limit)
	if err != nil {
		return nil, err
	}
	list := TokenList{Items: listed(items)}
	if len(items) == limit {
		list.Next = items[limit-1].ID
	}
	return &answer{status: http.StatusOK, value: list}, nil
}

func runNewToken(c *call) (*answer, error) {
	var in service.TokenRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (service.TokenView, error) {
		return c.s.Service.NewToken(ctx, c.p, in)
	}, shown[service.TokenView](http.StatusCreated))
}

func runRevokeToken(c *call) (*answer, error) {
	return once(c, func(ctx context.Context) (service.TokenView, error) {
		return c.s.Service.RevokeToken(ctx, c.p, c.id())
	}, shown[service.TokenView](http.StatusOK))
}

func runTenants(c *call) (*answer, error) {
	limit := orDefault(c.number("limit"), 50)
	items, err := c.s.Service.Tenants(c.ctx(), c.p, c.text("cursor"), limit)
	if err != nil {
		return nil, err
	}
	list := TenantList{Items: listed(items)}
	if len(items) == limit {
		list.Next = items[limit-1].ID
	}
	return &answer{status: http.StatusOK, value: list}, nil
}

func runNewTenant(c *call) (*answer, error) {
	var in TenantBody
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (service.TenantView, error) {
		return c.s.Service.NewTenant(ctx, c.p, in.ID, in.Name)
	}, shown[service.TenantView](http.StatusCreated))
}

func runAccount(c *call) (*answer, error) {
	v, err := c.s.Service.Account(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: v}, nil
}

func runPutAccount(c *call) (*answer, error) {
	var in AccountBody
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	v := service.AccountView{ID: c.id(), Verified: in.Verified, Agreement: in.Agreement}
	if in.Deactivated {
		now := c.s.Now()
		v.DeactivatedAt = &now
	}
	return once(c, func(ctx context.Context) (service.AccountView, error) {
		return c.s.Service.PutAccount(ctx, c.p, v)
	}, shown[service.AccountView](http.StatusOK))
}
