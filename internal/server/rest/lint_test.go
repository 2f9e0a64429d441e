package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"assay/internal/secret"
)

type tree = map[string]any

func parsed(t *testing.T) tree {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Document()))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(tree)
}

// at walks into a tree by keys.
func at(v any, keys ...string) any {
	for _, k := range keys {
		m, ok := v.(tree)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// TestDocument: the published document is the one that is served, and has the
// operations of the table.
func TestDocument(t *testing.T) {
	t.Parallel()
	published, err := os.ReadFile("../../../docs/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, Document()) {
		t.Error("docs/openapi.json is not what is served: go generate ./internal/server/rest")
	}
	doc := parsed(t)
	count := 0
	for _, op := range Operations() {
		found := at(doc, "paths", op.Path, strings.ToLower(op.Method))
		if at(found, "operationId") != op.OperationID || at(found, "summary") != op.Summary {
			t.Errorf("%s is not in the document: go generate ./internal/server/rest", op.OperationID)
		}
		var names []string
		parameters, _ := at(found, "parameters").([]any)
		for _, p := range parameters {
			names = append(names, at(p, "name").(string))
		}
		for _, p := range op.Parameters {
			if !slices.Contains(names, p.Name) {
				t.Errorf("%s: no parameter %s in the document", op.OperationID, p.Name)
			}
		}
	}
	for _, path := range doc["paths"].(tree) {
		count += len(path.(tree))
	}
	if count != len(Operations()) {
		t.Errorf("the document has %d operations, there are %d", count, len(Operations()))
	}
}

// TestExampleTokens: tokens in the document have the form of real ones, and the
// ids beside them are theirs.
func TestExampleTokens(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`"assay_[^"<]*"`).FindAllString(string(Document()), -1)
	for _, text := range found {
		token, err := secret.ParseToken(strings.Trim(text, `"`))
		if err != nil || token.ID != exampleIssued().ID {
			t.Errorf("%s: %v", text, err)
		}
	}
	if len(found) == 0 {
		t.Error("no token in the document")
	}
	id := `"` + exampleIssued().ID + `"`
	for _, what := range []string{`"id": ` + id, `"token": ` + id, `"actor": ` + id, `"example": ` + id} {
		if !strings.Contains(string(Document()), what) {
			t.Errorf("the document lacks %s", what)
		}
	}
}

// TestLint: every operation says what it is, whom it lets in, and how it fails.
func TestLint(t *testing.T) {
	t.Parallel()
	doc := parsed(t)
	seen := map[string]bool{}
	tags := map[string]bool{}
	for _, tag := range doc["tags"].([]any) {
		tags[at(tag, "name").(string)] = at(tag, "description") != nil
	}
	for path, methods := range doc["paths"].(tree) {
		for method, op := range methods.(tree) {
			where := strings.ToUpper(method) + " " + path
			id, _ := at(op, "operationId").(string)
			if id == "" || seen[id] {
				t.Errorf("%s: operationId %q is missing or there twice", where, id)
			}
			seen[id] = true
			for _, key := range []string{"summary", "description"} {
				if s, _ := at(op, key).(string); len(s) < 5 {
					t.Errorf("%s: no %s", where, key)
				}
			}
			opTags, _ := at(op, "tags").([]any)
			if len(opTags) != 1 || !tags[opTags[0].(string)] {
				t.Errorf("%s: tags %v", where, opTags)
			}
			if security, _ := at(op, "security").([]any); len(security) == 0 {
				t.Errorf("%s: no security", where)
			}
			lintAnswers(t, where, op, method)
			lintParameters(t, where, path, op)
		}
	}
}

func lintAnswers(t *testing.T, where string, op any, method string) {
	t.Helper()
	answers := at(op, "responses").(tree)
	want := []int{401, 429, 500, 503}
	if at(op, "parameters") != nil || at(op, "requestBody") != nil {
		want = append(want, 400)
	}
	if at(op, "operationId") != "whoami" {
		want = append(want, 403)
	}
	if strings.Contains(where, "{id}") {
		want = append(want, 404)
	}
	if at(op, "requestBody") != nil {
		want = append(want, 413, 415)
	}
	if method == "post" && strings.Contains(fmt.Sprint(at(op, "parameters")), "Idempotency-Key") {
		want = append(want, 422) // the key may be another request's
	}
	for _, status := range want {
		if answers[strconv.Itoa(status)] == nil {
			t.Errorf("%s: says nothing of %d", where, status)
		}
	}
	for status, a := range answers {
		if at(a, "$ref") == nil && at(a, "description") == nil {
			t.Errorf("%s: %s has no description", where, status)
		}
	}
}

func lintParameters(t *testing.T, where, path string, op any) {
	t.Helper()
	list, _ := at(op, "parameters").([]any)
	for _, p := range list {
		name, _ := at(p, "name").(string)
		if at(p, "description") == nil || at(p, "example") == nil || at(p, "schema", "type") == nil {
			t.Errorf("%s: parameter %s lacks its description, example or type", where, name)
		}
		if at(p, "in") == "path" && !strings.Contains(path, "{"+name+"}") {
			t.Errorf("%s: there is no {%s} in the path", where, name)
		}
	}
}

// TestSchemas: every schema and each of its properties with a meaning that the
// name alone does not tell is described.
func TestSchemas(t *testing.T) {
	t.Parallel()
	for name, schema := range at(parsed(t), "components", "schemas").(tree) {
		if d, _ := at(schema, "description").(string); len(d) < 3 {
			t.Errorf("%s has no description", name)
		}
	}
}

// TestExamples: every example of the document fits the schema beside it.
func TestExamples(t *testing.T) {
	t.Parallel()
	doc := parsed(t)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	count := 0
	var walk func(v any, pointer string)
	check := func(pointer string, example any) {
		schema, err := compiler.Compile("openapi.json#" + pointer + "/schema")
		if err != nil {
			t.Fatalf("%s: %v", pointer, err)
		}
		count++
		if err := schema.Validate(example); err != nil {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	walk = func(v any, pointer string) {
		switch v := v.(type) {
		case []any:
			for i := range v {
				walk(v[i], pointer+"/"+strconv.Itoa(i))
			}
		case tree:
			if v["schema"] != nil && v["example"] != nil {
				check(pointer, v["example"])
			}
			if examples, ok := v["examples"].(tree); ok && v["schema"] != nil {
				for _, e := range examples {
					check(pointer, at(e, "value"))
				}
			}
			for k := range v {
				if k != "example" && k != "examples" {
					walk(v[k], pointer+"/"+strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(k))
				}
			}
		}
	}
	walk(doc["paths"], "/paths")
	walk(at(doc, "components", "responses"), "/components/responses")
	if count < 100 {
		t.Errorf("only %d examples", count)
	}
	// Every body and answer that is JSON has one.
	for path, methods := range doc["paths"].(tree) {
		for method, op := range methods.(tree) {
			bodies := []any{at(op, "requestBody", "content")}
			for _, a := range at(op, "responses").(tree) {
				bodies = append(bodies, at(a, "content"))
			}
			for _, content := range bodies {
				media, _ := content.(tree)
				for kind, m := range media {
					if at(m, "example") == nil && at(m, "examples") == nil {
						t.Errorf("%s %s: %s without an example", method, path, kind)
					}
				}
			}
		}
	}
}

// TestProblemTexts: every kind has its words, in both languages.
func TestProblemTexts(t *testing.T) {
	t.Parallel()
	for lang, words := range newPrinters() {
		for kind := range Kinds() {
			for _, id := range []string{"problem." + string(kind), "problem." + string(kind) + ".means"} {
				if !words.Has(id) {
					t.Errorf("%s: no %s", lang, id)
				}
			}
		}
	}
	var p Problem
	if err := json.Unmarshal([]byte(`{"kind":"refused"}`), &p); err != nil || p.Kind != "refused" {
		t.Error(err)
	}
}
