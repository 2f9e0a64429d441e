// Command openapi writes the OpenAPI 3.1 document of the API, and a page that
// shows it, from the table of operations in package rest. Descriptions of
// schemas are the doc comments of the Go types, so they cannot drift from them.
//
//	cd internal/gen/openapi && go run . ../../..
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/message"
	"assay/internal/server/rest"
	"assay/internal/service"
	"assay/review"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: openapi ROOT")
		os.Exit(64)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "openapi:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	types, err := newSchemas(root)
	if err != nil {
		return err
	}
	api, err := describe(types)
	if err != nil {
		return err
	}
	raw, err := api.MarshalJSON()
	if err != nil {
		return err
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return err
	}
	tree["components"].(map[string]any)["schemas"] = types.all
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(tree); err != nil {
		return err
	}
	html, err := page(b.Bytes())
	if err != nil {
		return err
	}
	for path, content := range map[string][]byte{
		"docs/openapi.json": b.Bytes(), "internal/server/rest/openapi.json": b.Bytes(), "internal/server/rest/docs.html": html,
	} {
		if err := os.WriteFile(filepath.Join(root, path), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

const about = `The order service of Assay: apply for certificates, follow what is checked, act on it.

Every request names a token: Authorization: Bearer assay_… . Errors are problem documents (RFC 9457) in the language of Accept-Language, en or zh; the kinds are listed under "problems". Bodies are JSON of up to 1 MiB, and a field that is not known is an error. Times are UTC (RFC 3339).`

// describe makes the document without its schemas.
func describe(types *schemas) (*huma.OpenAPI, error) {
	api := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Assay", Version: review.Engine, Description: about,
			License: &huma.License{Name: "See LICENSE"},
		},
		Servers: []*huma.Server{{URL: rest.Base, Description: "The server that this document came from."}},
		Tags:    rest.Tags(),
		Components: &huma.Components{
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"token": {Type: "http", Scheme: "bearer", BearerFormat: "assay_<id>_<secret>_<checksum>", Description: "A token: `assay token new`, or POST /tokens."},
			},
			Responses: map[string]*huma.Response{},
		},
	}
	problem, err := types.ref(rest.Problem{})
	if err != nil {
		return nil, err
	}
	for kind := range rest.Kinds() {
		api.Components.Responses[string(kind)] = problemResponse(kind, problem)
	}
	for _, op := range rest.Operations() {
		o := op.Operation
		o.Security = []map[string][]string{{"token": {}}}
		if o.RequestBody, err = types.body(op.Body); err != nil {
			return nil, fmt.Errorf("%s: %w", o.OperationID, err)
		}
		if o.Responses, err = types.responses(op); err != nil {
			return nil, fmt.Errorf("%s: %w", o.OperationID, err)
		}
		api.AddOperation(&o)
	}
	return api, nil
}

// everywhere are the problems that every operation may answer with.
var everywhere = []service.Kind{service.Unauthenticated, service.TooMany, service.Unavailable, "internal"}

func (t *schemas) body(b *rest.Body) (*huma.RequestBody, error) {
	if b == nil {
		return nil, nil
	}
	media, err := t.media(b.Type, b.Example)
	if err != nil {
		return nil, err
	}
	return &huma.RequestBody{
		Description: b.Description, Required: !b.Optional, Content: map[string]*huma.MediaType{or(b.ContentType, "application/json"): media},
	}, nil
}

func (t *schemas) media(of, example any) (*huma.MediaType, error) {
	schema := &huma.Schema{Type: "string"}
	if of != nil {
		ref, err := t.ref(of)
		if err != nil {
			return nil, err
		}
		schema = &huma.Schema{Ref: ref}
	}
	return &huma.MediaType{Schema: schema, Example: example}, nil
}

func (t *schemas) responses(op *rest.Operation) (map[string]*huma.Response, error) {
	all := map[string]*huma.Response{}
	for _, a := range op.Answers {
		r := all[strconv.Itoa(a.Status)]
		if r == nil {
			r = &huma.Response{Description: a.Description, Headers: headers(a)}
			all[strconv.Itoa(a.Status)] = r
		}
		if a.Type == nil && a.Example == nil {
			continue
		}
		media, err := t.media(a.Type, a.Example)
		if err != nil {
			return nil, err
		}
		if r.Content == nil {
			r.Content = map[string]*huma.MediaType{}
		}
		r.Content[or(a.ContentType, "application/json")] = media
	}
	problem, err := t.ref(rest.Problem{})
	if err != nil {
		return nil, err
	}
	byStatus := map[int][]service.Kind{}
	for _, kind := range append(slices.Clone(everywhere), op.Problems...) {
		status := rest.Kinds()[kind]
		byStatus[status] = append(byStatus[status], kind)
	}
	for status, kinds := range byStatus {
		if len(kinds) == 1 {
			all[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + string(kinds[0])}
			continue
		}
		all[strconv.Itoa(status)] = several(kinds, problem)
	}
	return all, nil
}

func headers(a rest.Answer) map[string]*huma.Param {
	h := map[string]*huma.Param{}
	add := func(name, description string) {
		h[name] = &huma.Param{Description: description, Schema: &huma.Schema{Type: "string"}}
	}
	if a.Tagged {
		add("ETag", "The version of the order, for If-Match and If-None-Match.")
	}
	if a.Tagged && a.Status == http.StatusCreated {
		add("Location", "Where the order is.")
	}
	if len(h) == 0 {
		return nil
	}
	return h
}

func title(kind service.Kind) string { return message.New("en").Text("problem." + string(kind)) }

func problemExample(kind service.Kind) rest.Problem {
	p := rest.Problem{
		Type: "/docs#problem-" + string(kind), Title: title(kind), Status: rest.Kinds()[kind], Kind: kind,
		Instance: rest.Base + "/orders#9f86d081884c7d65",
	}
	if text := message.New("en").Text("problem." + string(kind) + ".means"); !strings.HasPrefix(text, "problem.") {
		p.Detail = text
	}
	return p
}

func problemMedia(ref string) *huma.MediaType {
	return &huma.MediaType{Schema: &huma.Schema{Ref: ref}, Examples: map[string]*huma.Example{}}
}

func problemResponse(kind service.Kind, ref string) *huma.Response {
	return several([]service.Kind{kind}, ref)
}

// several is the response of a status code that stands for some kinds.
func several(kinds []service.Kind, ref string) *huma.Response {
	media := problemMedia(ref)
	var titles []string
	for _, k := range slices.Sorted(slices.Values(kinds)) {
		media.Examples[string(k)] = &huma.Example{Summary: title(k), Value: problemExample(k)}
		titles = append(titles, title(k))
	}
	r := &huma.Response{Description: strings.Join(titles, "; "), Content: map[string]*huma.MediaType{"application/problem+json": media}}
	if slices.Contains(kinds, service.TooMany) || slices.Contains(kinds, service.Unavailable) {
		r.Headers = map[string]*huma.Param{"Retry-After": {Description: "Seconds after which to try again.", Schema: &huma.Schema{Type: "integer"}}}
	}
	return r
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// kinds are the kinds of problem in the order of their status codes.
func kinds() []service.Kind {
	table := rest.Kinds()
	return slices.SortedFunc(maps.Keys(table), func(a, b service.Kind) int {
		if table[a] != table[b] {
			return table[a] - table[b]
		}
		return strings.Compare(string(a), string(b))
	})
}
