// Command schema writes the JSON Schemas of the contracts into package schema:
// the order file, the report, one observation and the profile. Descriptions are
// the doc comments of the Go types, so they cannot drift from them.
//
//	cd internal/gen/schema && go run . ../../../schema
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/profile"
	"assay/review"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: schema DIRECTORY")
		os.Exit(64)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "schema:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	root := "../../.."
	for _, s := range []struct {
		file, title string
		value       any
		tag         string
		open        bool
	}{
		{"order.schema.json", "Assay order file", order.File{}, "json", false},
		{"report.schema.json", "Assay report", review.Report{}, "json", true},
		{"observation.schema.json", "Assay observation", evidence.Observation{}, "json", true},
		{"profile.schema.json", "Assay profile file", profile.Profile{}, "toml", false},
	} {
		r := &jsonschema.Reflector{
			FieldNameTag:              s.tag,
			AllowAdditionalProperties: s.open,
			ExpandedStruct:            true,
			Mapper:                    mapped,
			Namer:                     func(t reflect.Type) string { return t.Name() },
		}
		if s.tag == "toml" || s.file == "order.schema.json" {
			r.RequiredFromJSONSchemaTags = true
		}
		for _, pkg := range []string{"cause", "data", "evidence", "order", "profile", "review"} {
			if err := r.AddGoComments("assay", filepath.Join(root, pkg)); err != nil {
				return err
			}
		}
		fixCommentKeys(r)
		schema := r.Reflect(s.value)
		schema.ID = ""
		schema.Title = s.title
		raw, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, s.file), append(raw, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fixCommentKeys: the reflector joins the module path and the relative folder
// it was given; the types' import path has no "../../..".
func fixCommentKeys(r *jsonschema.Reflector) {
	fixed := map[string]string{}
	for k, v := range r.CommentMap {
		i := strings.Index(k, "../")
		if i >= 0 {
			k = "assay/" + strings.TrimLeft(k[i:], "./")
		}
		fixed[k] = strings.ReplaceAll(v, "\n", " ")
	}
	r.CommentMap = fixed
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
	case reflect.TypeFor[evidence.Kind]():
		return words(evidence.KindDNS, evidence.KindHTTP, evidence.KindTLS, evidence.KindLookup)
	case reflect.TypeFor[cause.Parameters]():
		return &jsonschema.Schema{Type: "object", Description: "The values of the finding: texts, numbers, booleans, lists of texts, RFC 3339 times, Go durations."}
	case reflect.TypeFor[time.Duration]():
		return &jsonschema.Schema{Type: "integer", Description: "A duration in nanoseconds."}
	case reflect.TypeFor[order.Expectation]():
		return expectation()
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

// expectation is the value alone or the long form.
func expectation() *jsonschema.Schema {
	long := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for _, key := range []string{"value", "content", "owner", "type", "url"} {
		long.Properties.Set(key, &jsonschema.Schema{Type: "string"})
	}
	long.Properties.Set("method", words(order.Methods()...))
	for _, key := range []string{"created", "expires"} {
		long.Properties.Set(key, &jsonschema.Schema{Type: "string", Format: "date-time"})
	}
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, long}}
}
