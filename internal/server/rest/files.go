package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/letter"
	"assay/internal/message"
	"assay/internal/service"
)

// Files are the use cases about organizations, administrators and domains, and
// about letters, calls and claims.
type Files interface {
	NewDossier(ctx context.Context, p service.Principal, r service.DossierRequest) (*service.DossierView, error)
	Dossier(ctx context.Context, p service.Principal, id string) (*service.DossierView, error)
	Dossiers(ctx context.Context, p service.Principal, q service.DossierQuery) ([]service.DossierView, string, error)
	ChangeDossier(ctx context.Context, p service.Principal, id string, version int64, r service.DossierRequest) (*service.DossierView, error)
	SubmitDossier(ctx context.Context, p service.Principal, id string, version int64) (*service.DossierView, error)
	DeleteDossier(ctx context.Context, p service.Principal, id string, version int64) error
	EraseDossier(ctx context.Context, p service.Principal, id string) (*service.DossierView, error)
	AddClaim(ctx context.Context, p service.Principal, id string, r service.ClaimRequest) (*service.DossierView, error)
	WithdrawClaim(ctx context.Context, p service.Principal, id, claim string) (*service.DossierView, error)
	DecideDossier(ctx context.Context, p service.Principal, id string, version int64, r service.DecisionRequest) (*service.DossierView, error)

	UploadLetter(ctx context.Context, p service.Principal, id string, raw []byte) (*service.View, error)
	DecideLetter(ctx context.Context, p service.Principal, id, letterID string, r service.DecisionRequest) (*service.View, error)
	Letters(ctx context.Context, p service.Principal, id string) ([]service.LetterView, error)
	LetterContent(ctx context.Context, p service.Principal, id, letterID string) ([]byte, letter.Type, error)
	LetterForm(ctx context.Context, p service.Principal, id string, words *message.Printer) ([]byte, error)
	AddCall(ctx context.Context, p service.Principal, id string, r service.CallRequest) (*service.View, error)
	Calls(ctx context.Context, p service.Principal, id string) ([]service.CallView, error)
	AddOrderClaim(ctx context.Context, p service.Principal, id string, r service.ClaimRequest) (*service.View, error)
	OrderClaims(ctx context.Context, p service.Principal, id string) ([]service.ClaimView, error)
}

// DossierList is a page of dossiers, newest first.
type DossierList struct {
	Items []service.DossierView `json:"items"`
	// Next is the cursor of the next page; absent: this is the last one.
	Next string `json:"next,omitempty"`
}

// LetterList is the letters of an order, newest first.
type LetterList struct {
	Items []service.LetterView `json:"items"`
}

// CallList is the calls for an order, newest first.
type CallList struct {
	Items []service.CallView `json:"items"`
}

// ClaimList is what was found for one order alone, newest first.
type ClaimList struct {
	Items []service.ClaimView `json:"items"`
}

func dossierOperations() []*Operation {
	id := pathParam("id", "The id of the dossier.", exampleDossier().ID)
	post := func(word, summary, description string) *Operation {
		path := "/dossiers/{id}"
		if word != "" {
			path += "/" + word
		}
		return &Operation{
			Operation: route(http.MethodPost, path, strings.ReplaceAll(word, "/", "-")+"-dossier", "files", summary, description, id, keyParam(), ifMatchParam()),
			Answers:   ok("The dossier as it is now.", service.DossierView{}, exampleDossier()),
			Problems:  append(actionProblems(), kindKeyReused),
		}
	}
	with := func(op *Operation, b *Body, run func(*call) (*answer, error)) *Operation {
		op.Body, op.run = b, run
		op.Problems = append(op.Problems, kindTooLarge, kindMediaType)
		return op
	}
	body := &Body{Type: service.DossierRequest{}, Description: "What it is about.", Example: exampleDossierRequest()}
	submit := post("submit", "Submit a dossier", "A draft goes to the reviewers and cannot be changed while they look, nor once it is approved. What the rules refuse is refused here, with the findings.")
	submit.Problems, submit.run = append(submit.Problems, service.Refused), runDossier(Files.SubmitDossier)
	erase := post("erase", "Erase a dossier", "What is personal of it, its claims, calls and letters is removed, from the database beyond recovery, and it counts for no order any more. The audit chain stays whole.")
	erase.run = runDossier(func(s Files, ctx context.Context, p service.Principal, id string, _ int64) (*service.DossierView, error) {
		return s.EraseDossier(ctx, p, id)
	})
	claim := with(post("claims", "Add a claim", "What a reviewer found about it, and where. Nobody adds claims about the own account."),
		&Body{Type: service.ClaimRequest{}, Description: "What was found.", Example: exampleClaim()}, runClaim)
	claim.OperationID = "add-claim"
	withdraw := route(http.MethodPost, "/dossiers/{id}/claims/{claim}/withdraw", "withdraw-claim", "files", "Withdraw a claim",
		"It counts no more, neither for orders that wait nor for later ones.", id, pathParam("claim", "The id of the claim.", "clm-5f0c2d1e9a7b3c48"), keyParam())
	return []*Operation{
		with(&Operation{
			Operation: route(http.MethodPost, "/dossiers", "new-dossier", "files", "Make a dossier",
				"A draft of an organization (at most ten an account), an administrator of one, or a domain of an administrator.", keyParam()),
			Answers:  []Answer{{Status: http.StatusCreated, Description: "The draft.", Type: service.DossierView{}, Example: exampleDossier()}},
			Problems: []service.Kind{service.Invalid, service.Forbidden, service.Conflict, service.WrongState, kindKeyReused},
		}, body, runNewDossier),
		{
			Operation: route(http.MethodGet, "/dossiers", "list-dossiers", "files", "List dossiers", "Of one kind, newest first. An applicant sees those of the own account.",
				required(wordParam("kind", "What they are about.", "organization", "organization", "contact", "domain")),
				wordParam("state", "Only those in this state.", "ok", "draft", "submitted", "ok", "invalid"),
				queryParam("account", "Only those of this account.", "shop"),
				queryParam("parent", "Only those of this organization or contact.", exampleDossier().ID),
				cursorParam(), limitParam()),
			Answers:  ok("A page of dossiers.", DossierList{}, DossierList{Items: []service.DossierView{exampleDossier()}}),
			Problems: []service.Kind{service.Invalid, service.Forbidden}, run: runDossiers,
		},
		{
			Operation: route(http.MethodGet, "/dossiers/{id}", "show-dossier", "files", "Show a dossier", "With its claims.", id),
			Answers:   ok("The dossier.", service.DossierView{}, exampleDossier()),
			Problems:  []service.Kind{service.Invalid, service.Forbidden, service.NotFound}, run: runShowDossier,
		},
		with(&Operation{
			Operation: route(http.MethodPatch, "/dossiers/{id}", "change-dossier", "files", "Change a dossier",
				"What is given takes the place of what a draft, or one that was refused, says; it is a draft then.", id, keyParam(), ifMatchParam()),
			Answers: ok("The draft as it is now.", service.DossierView{}, exampleDossier()), Problems: append(actionProblems(), kindKeyReused),
		}, body, runChangeDossier),
		{
			Operation: route(http.MethodDelete, "/dossiers/{id}", "delete-dossier", "files", "Delete a dossier",
				"One that nobody approved and that nothing depends on. One that was approved can be erased.", id, keyParam(), ifMatchParam()),
			Answers:  []Answer{{Status: http.StatusNoContent, Description: "It is deleted."}},
			Problems: append(actionProblems(), kindKeyReused), run: runDeleteDossier,
		},
		submit,
		with(post("decide", "Decide on a dossier", "The first approval lets it stand for OV orders, that of a second reviewer for EV orders, as long as the profile lets evidence count. Nobody decides on the own account. An approval is of the version that was read: it needs If-Match with that entity tag (not `*`), and without one the answer is 400; where the dossier is at another version it is 412, to be looked at again. To refuse, If-Match is optional."),
			&Body{Type: service.DecisionRequest{}, Description: "What is decided.", Example: service.DecisionRequest{Accept: true}}, runDecideDossier),
		claim,
		{
			Operation: withdraw, Answers: ok("The dossier as it is now.", service.DossierView{}, exampleDossier()),
			Problems: append(actionProblems(), kindKeyReused), run: runWithdrawClaim,
		},
		erase,
	}
}

// required makes a parameter one that has to be given.
func required(p *huma.Param) *huma.Param {
	p.Required = true
	return p
}

func orderFileOperations() []*Operation {
	letterID := pathParam("letter", "The id of the letter.", "let-5f0c2d1e9a7b3c48")
	reading := []service.Kind{service.Invalid, service.Forbidden, service.NotFound}
	list := func(path, id, summary, description string, of, example any, run func(*call) (*answer, error)) *Operation {
		return &Operation{
			Operation: route(http.MethodGet, "/orders/{id}/"+path, id, "files", summary, description, orderParam()),
			Answers:   ok("The list.", of, example), Problems: reading, run: run,
		}
	}
	post := func(path, id, summary, description string, b *Body, run func(*call) (*answer, error)) *Operation {
		return &Operation{
			Operation: route(http.MethodPost, "/orders/{id}/"+path, id, "files", summary, description, orderParam(), keyParam()),
			Body:      b, Answers: orderAnswer("The order as it is now."),
			Problems: append(actionProblems(), kindKeyReused, kindTooLarge, kindMediaType), run: run,
		}
	}
	upload := post("letters", "upload-letter", "Upload a letter",
		"The signed confirmation letter of an OV or EV order: a jpg, png or pdf file as its bytes show, of up to 2 MiB or less where the profile says so. A further one takes the place of the one before.",
		&Body{Description: "The file.", ContentType: "application/octet-stream", Example: "%PDF-1.7 …", Limit: letter.MaxBytes}, runUpload)
	decide := post("letters/{letter}/decide", "decide-letter", "Decide on a letter", "It is accepted, or rejected with a reason: illegible, no-seal, wrong-content.",
		&Body{Type: service.DecisionRequest{}, Description: "What is decided.", Example: service.DecisionRequest{Reason: "no-seal", Note: "The seal is missing on page 2."}}, runDecideLetter)
	decide.Parameters = append(decide.Parameters, letterID)
	content := route(http.MethodGet, "/orders/{id}/letters/{letter}/content", "letter-content", "files", "Download a letter",
		"The file that was uploaded, as a download: it is somebody else's and not to be trusted.", orderParam(), letterID)
	form := route(http.MethodGet, "/orders/{id}/letter-form", "letter-form", "files", "Letter to sign",
		"The confirmation letter of an order to print, sign and seal, in the language of Accept-Language.", orderParam())
	return []*Operation{
		upload,
		list("letters", "list-letters", "List letters", "Those of an order, newest first.", LetterList{}, LetterList{Items: []service.LetterView{exampleLetter()}}, runLetters),
		{
			Operation: content, Answers: []Answer{{Status: http.StatusOK, Description: "The file.", ContentType: "application/octet-stream", Example: "%PDF-1.7 …"}},
			Problems: append(slices.Clone(reading), service.WrongState), run: runContent,
		},
		decide,
		{
			Operation: form, Answers: []Answer{{Status: http.StatusOK, Description: "A page of HTML that loads nothing.", ContentType: "text/html", Example: "<!DOCTYPE html>…"}},
			Problems: append(slices.Clone(reading), service.WrongState), run: runForm,
		},
		post("calls", "add-call", "Log a call", "One attempt to reach the organization. It counts for later orders of the same organization, too.",
			&Body{Type: service.CallRequest{}, Description: "The call.", Example: exampleCall()}, runCall),
		list("calls", "list-calls", "List calls", "Those for an order, newest first.", CallList{}, CallList{Items: []service.CallView{exampleCallView()}}, runCalls),
		post("claims", "add-order-claim", "Add a claim for one order", "What a reviewer found, for an order that names no dossier or beyond it.",
			&Body{Type: service.ClaimRequest{}, Description: "What was found.", Example: exampleClaim()}, runOrderClaim),
		list("claims", "list-order-claims", "List the claims of one order", "What was found for this order alone, newest first.", ClaimList{}, ClaimList{Items: []service.ClaimView{exampleClaimView()}}, runOrderClaims),
	}
}
