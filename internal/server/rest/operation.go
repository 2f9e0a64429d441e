package rest

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/service"
)

// Base is the path that all operations of the API stand under.
const Base = "/api/v1"

// An Operation is one route: its description, and what it runs.
type Operation struct {
	// Operation is what the OpenAPI document says of it: id, method, path under
	// [Base], summary, description, tags, parameters. Security, the request body
	// and the responses are made from the fields below.
	huma.Operation
	// Body is what it reads; nil: nothing.
	Body *Body
	// Answers are what it answers where all is well, the usual one first.
	Answers []Answer
	// Problems are the kinds of problem it may answer beside those that every
	// operation may: unauthenticated, too-many, unavailable, internal.
	Problems []service.Kind
	run      func(*call) (*answer, error)
}

// Body is the body of a request.
type Body struct {
	// Type is a value of the Go type that it is read into; nil: text.
	Type        any
	Description string
	ContentType string // "": application/json
	Optional    bool
	// Limit bounds it, in bytes; 0: [MaxBody].
	Limit   int64
	Example any
}

// Answer is one answer of an operation.
type Answer struct {
	Status      int
	Description string
	// Type is a value of the Go type of the body; nil: no body, or text where
	// Example is one.
	Type        any
	ContentType string // "": application/json
	// Tagged answers carry the entity tag of an order.
	Tagged  bool
	Example any
}

// Operations are all routes under [Base], in the order of the document.
func Operations() []*Operation {
	var all []*Operation
	for _, list := range [][]*Operation{orderOperations(), actionOperations(), reviewOperations(), deskOperations(), accessOperations(), auditOperations(), policyOperations(), dossierOperations(), orderFileOperations(), channelOperations(), noticeOperations(), certificateOperations(), csrOperations()} {
		all = append(all, list...)
	}
	return all
}

// ok is the one answer of most operations.
func ok(description string, of, example any) []Answer {
	return []Answer{{Status: http.StatusOK, Description: description, Type: of, Example: example}}
}

// The parameters that operations share.

func pathParam(name, description, example string) *huma.Param {
	return &huma.Param{
		Name: name, In: "path", Required: true, Description: description, Example: example,
		Schema: &huma.Schema{Type: "string", MinLength: number(1), MaxLength: number(200)},
	}
}

func queryParam(name, description string, example any) *huma.Param {
	return &huma.Param{
		Name: name, In: "query", Description: description, Example: example,
		Schema: &huma.Schema{Type: "string", MaxLength: number(1000)},
	}
}

func wordParam(name, description string, example string, words ...string) *huma.Param {
	p := queryParam(name, description, example)
	for _, w := range words {
		p.Schema.Enum = append(p.Schema.Enum, w)
	}
	return p
}

func numberParam(name, description string, example, least, most int) *huma.Param {
	low, high := float64(least), float64(most)
	return &huma.Param{
		Name: name, In: "query", Description: description, Example: example,
		Schema: &huma.Schema{Type: "integer", Minimum: &low, Maximum: &high},
	}
}

func timeParam(name, description, example string) *huma.Param {
	return &huma.Param{
		Name: name, In: "query", Description: description, Example: example,
		Schema: &huma.Schema{Type: "string", Format: "date-time"},
	}
}

func headerParam(name, description, example string) *huma.Param {
	return &huma.Param{
		Name: name, In: "header", Description: description, Example: example,
		Schema: &huma.Schema{Type: "string", MaxLength: number(1000)},
	}
}

func number(n int) *int { return &n }

func orderParam() *huma.Param {
	return pathParam("id", "The number of the order.", exampleOrderID)
}

func cursorParam() *huma.Param {
	return queryParam("cursor", "Where the page before ended: `next` of its answer.", "b3JkZXI6NTA")
}

func limitParam() *huma.Param {
	return numberParam("limit", "How many at most; 50 where it is not given.", 50, 1, 200)
}

func ifMatchParam() *huma.Param {
	return headerParam("If-Match", "The entity tag that was read: nothing is done where the order changed since (RFC 9110 13.1.1).", `"7"`)
}

func keyParam() *huma.Param {
	return headerParam("Idempotency-Key", "A word of your own for this request, up to 255 printable characters: the same request under the same key is answered as it was the first time, for 24 hours, and has its effect once.", "7d0f3c58-apply")
}

// route is an operation with its texts.
func route(method, path, id, tag, summary, description string, list ...*huma.Param) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Tags: []string{tag}, Summary: summary, Description: description, Parameters: list,
	}
}

// Tags are the chapters of the document.
func Tags() []*huma.Tag {
	return []*huma.Tag{
		{Name: "orders", Description: "Apply for certificates, follow the orders, act on them."},
		{Name: "certificates", Description: "Certificates that were issued here or uploaded, and kept requests."},
		{Name: "reviews", Description: "What was seen and judged, and when."},
		{Name: "queue", Description: "What waits for a person, and what people decide."},
		{Name: "access", Description: "Tokens, tenants and accounts."},
		{Name: "audit", Description: "The record of every decision and change."},
		{Name: "files", Description: "Organizations, administrators and domains with their evidence; letters and calls."},
		{Name: "notices", Description: "Who is told of what, and what became of it."},
		{Name: "policy", Description: "What rules, present and coming, do to the orders there are."},
	}
}
