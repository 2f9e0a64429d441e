package rest

import (
	"context"
	"net/http"

	"assay/internal/service"
)

// CSRList is a page of kept requests, newest first.
type CSRList struct {
	Items []service.CSRView `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

// CSRNote changes the note of a kept request.
type CSRNote struct {
	Note string `json:"note"`
}

// csrOperations are about certificate requests that are kept.
func csrOperations() []*Operation {
	id := pathParam("id", "The id of the request.", exampleKept("").ID)
	one := []Answer{{Status: http.StatusOK, Description: "The request.", Type: service.CSRView{}, Tagged: true, Example: exampleKept("")}}
	return []*Operation{
		{
			Operation: route(http.MethodGet, "/csrs", "list-csrs", "certificates", "List kept requests", "Newest first. An applicant sees those of the own account.", cursorParam(), limitParam()),
			Answers:   ok("A page of requests.", CSRList{}, CSRList{Items: []service.CSRView{exampleKept("")}}),
			Problems:  []service.Kind{service.Invalid, service.Forbidden}, run: runCSRs,
		},
		{
			Operation: route(http.MethodPost, "/csrs", "new-csr", "certificates", "Keep a request",
				"One that was made elsewhere; or, where the operator lets keys be made on the server, names and a kind of key for one that is made here.", keyParam()),
			Body:     &Body{Type: service.CSRRequest{}, Description: "The request, or what one is made of.", Example: service.CSRRequest{CSR: exampleCSR, Note: "shop, 2026"}},
			Answers:  []Answer{{Status: http.StatusCreated, Description: "The request as it is kept.", Type: service.CSRView{}, Tagged: true, Example: exampleKept("")}},
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.Conflict, kindTooLarge, kindMediaType, kindKeyReused}, run: runNewCSR,
		},
		{
			Operation: route(http.MethodGet, "/csrs/{id}", "show-csr", "certificates", "Show a kept request", "With the orders that it was used in.", id),
			Answers:   one, Problems: []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runCSR,
		},
		{
			Operation: route(http.MethodPatch, "/csrs/{id}", "change-csr", "certificates", "Change the note of a request", "One that an order uses stays as it is.", id, keyParam(), ifMatchParam()),
			Body:      &Body{Type: CSRNote{}, Description: "The note.", Example: CSRNote{Note: "shop, 2027"}},
			Answers:   one, Problems: append(actionProblems(), kindTooLarge, kindMediaType, kindKeyReused), run: runNoteCSR,
		},
		{
			Operation: route(http.MethodDelete, "/csrs/{id}", "delete-csr", "certificates", "Delete a kept request", "With its key. One that an order uses stays.", id, keyParam(), ifMatchParam()),
			Answers:   []Answer{{Status: http.StatusNoContent, Description: "It is deleted."}},
			Problems:  append(actionProblems(), kindKeyReused), run: runChangeCSR(service.CSRChange{Delete: true}, true),
		},
		{
			Operation: route(http.MethodPost, "/csrs/{id}/key", "take-csr-key", "certificates", "Take the key of a request",
				"The private key that was made here with it, once: it is then here no more, unless the operator keeps keys, and not in the answer to the same request repeated.", id, keyParam(), ifMatchParam()),
			Answers:  []Answer{{Status: http.StatusOK, Description: "The request, with its key.", Type: service.CSRView{}, Tagged: true, Example: exampleKept("-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n")}},
			Problems: append(actionProblems(), kindKeyReused), run: runChangeCSR(service.CSRChange{TakeKey: true}, false),
		},
	}
}

func showCSR(status int) func(*service.CSRView) *answer {
	return func(v *service.CSRView) *answer {
		a := &answer{status: status, etag: entityTag(v.Version), value: v}
		if status == http.StatusCreated {
			a.location = Base + "/csrs/" + v.ID
		}
		return a
	}
}

func runCSRs(c *call) (*answer, error) {
	items, next, err := c.s.Service.CSRs(c.ctx(), c.p, c.text("cursor"), c.number("limit"))
	return shownOr(CSRList{Items: listed(items), Next: next}, err)
}

func runNewCSR(c *call) (*answer, error) {
	var in service.CSRRequest
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return once(c, func(ctx context.Context) (*service.CSRView, error) {
		return c.s.Service.NewCSR(ctx, c.p, in)
	}, func(v *service.CSRView) *answer { return showCSR(http.StatusCreated)(inWords(c, v)) })
}

func runCSR(c *call) (*answer, error) {
	v, err := c.s.Service.CSR(c.ctx(), c.p, c.id())
	if err != nil {
		return nil, err
	}
	return showCSR(http.StatusOK)(inWords(c, v)), nil
}

// inWords is a kept request with the texts of what is wrong with it.
func inWords(c *call, v *service.CSRView) *service.CSRView {
	if len(v.Findings) == 0 {
		return v
	}
	shown := *v
	shown.Findings = localized(v.Findings, c.words.Lang())
	return &shown
}

func runNoteCSR(c *call) (*answer, error) {
	var in CSRNote
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return runChangeCSR(service.CSRChange{Note: &in.Note}, false)(c)
}

// runChangeCSR does something to a kept request; remove has it shown no more.
func runChangeCSR(in service.CSRChange, remove bool) func(*call) (*answer, error) {
	show := showCSR(http.StatusOK)
	if remove {
		show = gone[*service.CSRView]
	}
	return func(c *call) (*answer, error) {
		version, err := c.ifMatch()
		if err != nil {
			return nil, err
		}
		return once(c, func(ctx context.Context) (*service.CSRView, error) {
			return c.s.Service.ChangeCSR(ctx, c.p, c.id(), version, in)
		}, show)
	}
}
