package rest

import (
	"context"
	"encoding/json"
	"net/http"

	"assay/internal/message"
	"assay/internal/service"
	"assay/order"
)

// An ApplicationBody asks for a certificate.
type ApplicationBody struct {
	// Profile names the CA rules to review by; left out: the service's default.
	Profile string `json:"profile,omitempty"`
	// Draft keeps the order without submitting it, whatever the review says.
	Draft bool `json:"draft,omitempty"`
	// Order is what is asked for, as in an order file. What only the service
	// says (id, tenant, submitted_at, challenges) is refused.
	Order *order.Order `json:"order"`
}

// applicationText is ApplicationBody with the order as it was written: the order
// has a reader of its own.
type applicationText struct {
	Profile string          `json:"profile"`
	Draft   bool            `json:"draft"`
	Order   json.RawMessage `json:"order"`
}

// OrderList is a page of orders, newest first.
type OrderList struct {
	Items []service.Summary `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

func orderOperations() []*Operation {
	apply := route(http.MethodPost, "/orders", "apply", "orders", "Apply for a certificate",
		"The order is reviewed as it stands. Where that refuses it nothing is kept and the answer is a problem with the findings; else it is kept, gets the values to publish, and is looked at at once. A draft is kept whatever the review says.",
		keyParam())
	list := route(http.MethodGet, "/orders", "list-orders", "orders", "List orders", "Newest first. An applicant sees those of the own account.",
		wordParam("state", "Only orders in this state.", "pending", words(order.States())...),
		queryParam("account", "Only orders of this account.", "shop"),
		queryParam("name", "Only orders with exactly this name.", "www.orchard.net"),
		queryParam("domain", "Only orders with a name under this registrable domain.", "orchard.net"),
		cursorParam(), limitParam())
	show := route(http.MethodGet, "/orders/{id}", "show-order", "orders", "Show an order",
		"State, values to publish, findings of the newest review, what is due next.",
		orderParam(), headerParam("If-None-Match", "The entity tag there is already: 304 where nothing changed.", `"7"`))
	change := route(http.MethodPatch, "/orders/{id}", "change-order", "orders", "Change a draft",
		"The order given takes the place of the one that was kept.", orderParam(), keyParam(), ifMatchParam())
	remove := route(http.MethodDelete, "/orders/{id}", "delete-order", "orders", "Delete an order",
		"A draft, or an order that ended, is no longer listed. The audit record stays.", orderParam(), keyParam(), ifMatchParam())
	application := &Body{Type: ApplicationBody{}, Description: "What is asked for.", Example: exampleApplication()}
	created := Answer{Status: http.StatusCreated, Description: "The order that was kept.", Type: service.View{}, Tagged: true, Example: exampleView()}
	return []*Operation{
		{
			Operation: apply, Body: application, Answers: []Answer{created},
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.Refused, service.Conflict, kindTooLarge, kindMediaType, kindKeyReused},
			run:      runApply,
		},
		{
			Operation: list, Answers: ok("A page of orders.", OrderList{}, OrderList{Items: []service.Summary{exampleSummary()}, Next: "b3JkZXI6NTA"}),
			Problems: []service.Kind{service.Invalid, service.Forbidden}, run: runOrders,
		},
		{
			Operation: show, Answers: append(orderAnswer("The order."), Answer{Status: http.StatusNotModified, Description: "Nothing changed."}),
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runOrder,
		},
		{
			Operation: change, Body: application, Answers: orderAnswer("The draft as it is now."),
			Problems: append(actionProblems(), service.Refused, kindTooLarge, kindMediaType, kindKeyReused), run: runChange,
		},
		{
			Operation: remove, Answers: []Answer{{Status: http.StatusNoContent, Description: "It is deleted."}},
			Problems: append(actionProblems(), kindKeyReused), run: runDelete,
		},
	}
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

func orderAnswer(description string) []Answer {
	return []Answer{{Status: http.StatusOK, Description: description, Type: service.View{}, Tagged: true, Example: exampleView()}}
}

// application reads the body of an application.
func (c *call) application() (*service.Application, error) {
	var t applicationText
	if err := c.decode(&t); err != nil {
		return nil, err
	}
	if len(t.Order) == 0 {
		return nil, invalid("rest.body", "Why", message.ID("rest.why.order"))
	}
	f, err := order.ParseLine(t.Order)
	if err != nil {
		return nil, invalid("rest.body", "Why", "order: "+err.Error())
	}
	if f.Expect != nil || f.History != nil {
		return nil, invalid("rest.body", "Why", message.ID("rest.why.file"))
	}
	return &service.Application{Order: *f.Resolve(), Profile: t.Profile, Draft: t.Draft}, nil
}

// showOrder shows a view of an order.
func (c *call) showOrder(status int) func(*service.View) *answer {
	return func(v *service.View) *answer {
		shown := *v
		shown.Findings = localized(v.Findings, c.words.Lang())
		a := &answer{status: status, value: &shown}
		a.tag(v.Version)
		if status == http.StatusCreated {
			a.location = Base + "/orders/" + v.ID
		}
		return a
	}
}

func runApply(c *call) (*answer, error) {
	in, err := c.application()
	if err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.View, error) {
		return c.s.Service.Apply(ctx, c.p, *in)
	}, c.showOrder(http.StatusCreated))
}

func runOrders(c *call) (*answer, error) {
	items, next, err := c.s.Service.Orders(c.ctx(), c.p, service.ListQuery{
		State: order.State(c.text("state")), Account: c.text("account"), Name: c.text("name"), Domain: c.text("domain"),
		Cursor: c.text("cursor"), Limit: c.number("limit"),
	})
	if err != nil {
		return nil, err
	}
	return &answer{status: http.StatusOK, value: OrderList{Items: listed(items), Next: next}}, nil
}

func runOrder(c *call) (*answer, error) {
	v, err := c.s.Service.Order(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	a := c.showOrder(http.StatusOK)(v)
	if c.unchanged(a.etag) {
		return &answer{status: http.StatusNotModified, etag: a.etag}, nil
	}
	return a, nil
}

func runChange(c *call) (*answer, error) {
	version, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	in, err := c.application()
	if err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.View, error) {
		return c.s.Service.Change(ctx, c.p, c.id(), version, *in)
	}, c.showOrder(http.StatusOK))
}

func runDelete(c *call) (*answer, error) {
	version, err := c.ifMatch()
	if err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.View, error) {
		return c.s.Service.Delete(ctx, c.p, c.id(), version)
	}, gone[*service.View])
}
