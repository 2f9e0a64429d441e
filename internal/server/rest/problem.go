package rest

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"assay/cause"
	"assay/internal/service"
	"assay/order"
	"assay/review"
)

// Problem is an error as a client sees it, a problem document (RFC 9457).
type Problem struct {
	// Type is a reference to the description of the kind.
	Type string `json:"type"`
	// Title says what kind of problem it is, in the language of the request.
	Title string `json:"title"`
	// Status is the status code of the answer.
	Status int `json:"status"`
	// Detail says what is wrong here and what to do.
	Detail string `json:"detail,omitempty"`
	// Instance is the path that was asked for, with the number of the request,
	// which the log of the server has too.
	Instance string `json:"instance"`
	// Kind is a word for programs.
	Kind service.Kind `json:"kind"`
	// Findings are those of the review that refuses, in the language of the request.
	Findings []review.Finding `json:"findings,omitempty"`
	// Allowed are the actions that the order's state allows.
	Allowed []order.Action `json:"allowed,omitempty"`
	// Instead is the id of what replaced the thing that was named: do it to that.
	Instead string `json:"instead,omitempty"`
	// RetryAt is the earliest time at which it is worth trying again.
	RetryAt *time.Time `json:"retry_at,omitempty"`
}

// The kinds that only this face has.
const (
	kindTooLarge     service.Kind = "too-large"
	kindMediaType    service.Kind = "media-type"
	kindMethod       service.Kind = "method-not-allowed"
	kindKeyReused    service.Kind = "idempotency-key-reused"
	kindInternal     service.Kind = "internal"
	kindPrecondition service.Kind = "precondition-failed"
)

// statuses is which status code stands for which kind.
var statuses = map[service.Kind]int{
	service.Invalid:         http.StatusBadRequest,
	service.Unauthenticated: http.StatusUnauthorized,
	service.Forbidden:       http.StatusForbidden,
	service.NotFound:        http.StatusNotFound,
	kindMethod:              http.StatusMethodNotAllowed,
	service.Conflict:        http.StatusConflict,
	service.WrongState:      http.StatusConflict,
	kindPrecondition:        http.StatusPreconditionFailed,
	kindTooLarge:            http.StatusRequestEntityTooLarge,
	kindMediaType:           http.StatusUnsupportedMediaType,
	service.Refused:         http.StatusUnprocessableEntity,
	kindKeyReused:           http.StatusUnprocessableEntity,
	service.TooMany:         http.StatusTooManyRequests,
	kindInternal:            http.StatusInternalServerError,
	service.Unavailable:     http.StatusServiceUnavailable,
}

// Kinds lists the kinds of problem with their status codes.
func Kinds() map[service.Kind]int {
	all := make(map[service.Kind]int, len(statuses))
	for k, v := range statuses {
		all[k] = v
	}
	return all
}

// invalid is the problem of a request that cannot be read.
func invalid(message string, pairs ...any) error {
	return &service.Problem{Kind: service.Invalid, Message: message, Pairs: pairs}
}

// problemOf is an error as a problem document. What is no problem is a defect:
// it is logged, and says nothing of itself.
func (s *Server) problemOf(req *request, r *http.Request, err error) *Problem {
	var p *service.Problem
	if !errors.As(err, &p) || statuses[p.Kind] == 0 {
		p = &service.Problem{Kind: kindInternal, Message: "problem.internal.detail", Pairs: []any{"Request", req.id}, Err: err}
	}
	kind := p.Kind
	if kind == service.Conflict && r.Header.Get("If-Match") != "" {
		kind = kindPrecondition
	}
	doc := &Problem{
		Type: "/docs#problem-" + string(kind), Title: req.words.Text("problem." + string(kind)), Status: statuses[kind],
		Instance: r.URL.EscapedPath() + "#" + req.id, Kind: kind, Allowed: p.Allowed, Instead: p.Instead,
	}
	if req.words.Has(p.Message) {
		doc.Detail = req.words.Text(p.Message, p.Pairs...)
	}
	if p.Report != nil {
		doc.Findings = localized(p.Report.Findings, req.words.Lang())
	}
	if !p.RetryAt.IsZero() {
		at := p.RetryAt.UTC()
		doc.RetryAt = &at
	}
	return doc
}

// localized are findings with their texts in a language. What was given is left
// as it is: it may be shared.
func localized(findings []review.Finding, lang cause.Language) []review.Finding {
	report := review.Report{Findings: make([]review.Finding, len(findings))}
	copy(report.Findings, findings)
	for i := range report.Findings {
		report.Findings[i].Handling = nil
	}
	report.Localize(lang)
	return report.Findings
}

// fail answers with a problem.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, req *request, err error) {
	doc := s.problemOf(req, r, err)
	if doc.Status >= http.StatusInternalServerError {
		s.Log.ErrorContext(r.Context(), "request failed", "request", req.id, "route", req.route, "kind", string(doc.Kind), "error", err.Error())
	}
	h := w.Header()
	switch doc.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="assay"`)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	}
	if doc.RetryAt != nil {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(doc.RetryAt.Sub(s.Now()).Seconds())))))
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		raw = []byte(`{"status":500,"kind":"internal"}`)
	}
	h.Del("ETag")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Language", string(req.words.Lang()))
	h.Set("Content-Length", strconv.Itoa(len(raw)+1))
	w.WriteHeader(doc.Status)
	if _, err := w.Write(append(raw, '\n')); err != nil {
		s.Log.DebugContext(r.Context(), "client went away", "request", req.id)
	}
}
