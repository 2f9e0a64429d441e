package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"assay/cause"
	"assay/evidence"
	"assay/internal/service"
	"assay/order"
	"assay/review"
)

// schemas are the components of the document.
type schemas struct {
	reflector *jsonschema.Reflector
	all       map[string]any
}

func newSchemas(root string) (*schemas, error) {
	r := &jsonschema.Reflector{
		FieldNameTag: "json", AllowAdditionalProperties: true, Mapper: mapped,
		Namer: func(t reflect.Type) string { return t.Name() },
	}
	for _, pkg := range []string{"cause", "data", "evidence", "order", "profile", "review", "internal/service", "internal/server/rest"} {
		if err := r.AddGoComments("assay", filepath.Join(root, pkg)); err != nil {
			return nil, err
		}
	}
	// The reflector joins the module's path and the relative folder it was given.
	fixed := map[string]string{}
	for k, v := range r.CommentMap {
		if i := strings.Index(k, "../"); i >= 0 {
			k = "assay/" + strings.TrimLeft(k[i:], "./")
		}
		fixed[k] = strings.ReplaceAll(v, "\n", " ")
	}
	r.CommentMap = fixed
	return &schemas{reflector: r, all: map[string]any{}}, nil
}

// ref is a reference to the schema of a value's type, which is put among the
// components with all that it refers to.
func (t *schemas) ref(of any) (string, error) {
	name := reflect.TypeOf(of).Name()
	if _, ok := t.all[name]; ok {
		return "#/components/schemas/" + name, nil
	}
	raw, err := json.Marshal(t.reflector.Reflect(of))
	if err != nil {
		return "", err
	}
	var tree map[string]any
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(raw), "#/$defs/", "#/components/schemas/")), &tree); err != nil {
		return "", err
	}
	defs, ok := tree["$defs"].(map[string]any)
	if !ok || defs[name] == nil {
		return "", fmt.Errorf("%s has no schema", name)
	}
	for k, v := range defs {
		schema, ok := v.(map[string]any)
		if !ok {
			return "", fmt.Errorf("%s: the schema is %T", k, v)
		}
		if schema["description"] == nil {
			schema["description"] = k + "."
		}
		properties, _ := schema["properties"].(map[string]any)
		for name, property := range properties {
			if property == true {
				properties[name] = map[string]any{"description": "Any JSON value."}
			}
		}
		t.all[k] = schema
	}
	return "#/components/schemas/" + name, nil
}

// mapped gives words with a fixed vocabulary their enumeration.
func mapped(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[order.Product]():
		return words(order.DV, order.OV, order.EV)
	case reflect.TypeFor[order.Kind]():
		return words(order.New, order.Reissue, order.Renewal)
	case reflect.TypeFor[order.Method]():
		return words(order.Methods()...)
	case reflect.TypeFor[order.State]():
		return words(order.States()...)
	case reflect.TypeFor[order.Phase]():
		return words(order.PhasePreReview, order.PhaseValidation, order.PhaseReview, order.PhaseCA, order.PhaseIssue)
	case reflect.TypeFor[order.Reason]():
		return words(order.FailRefused, order.FailDeadline, order.FailIssuance, order.FailReviewer)
	case reflect.TypeFor[cause.Level]():
		return words(cause.Levels()...)
	case reflect.TypeFor[review.Verdict]():
		return words(review.VerdictRefuse, review.VerdictReview, review.VerdictUnknown, review.VerdictWait, review.VerdictPass)
	case reflect.TypeFor[review.Mode]():
		return words(review.Precheck, review.Attempt)
	case reflect.TypeFor[review.Scope]():
		return words(review.ScopeOrder, review.ScopeNetwork, review.ScopeUpload, review.ScopeDeployment)
	case reflect.TypeFor[cause.Who]():
		return words(cause.Applicant, cause.DNSProvider, cause.Hosting, cause.Operator, cause.CA)
	case reflect.TypeFor[service.Role]():
		return words(service.Roles()...)
	case reflect.TypeFor[evidence.Kind]():
		return words(evidence.KindDNS, evidence.KindHTTP, evidence.KindTLS, evidence.KindLookup)
	case reflect.TypeFor[cause.Parameters]():
		return &jsonschema.Schema{Type: "object", Description: "The values of the finding: texts, numbers, booleans, lists of texts, RFC 3339 times, Go durations."}
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "integer", Description: "A duration in nanoseconds."}
	case reflect.TypeFor[json.RawMessage]():
		return &jsonschema.Schema{Description: "Any JSON value."}
	}
	return nil
}

func words[T ~string](list ...T) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, w := range list {
		s.Enum = append(s.Enum, string(w))
	}
	return s
}
