package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/lab"
	"assay/lab/trial"
	"assay/order"
	"assay/profile"
	"assay/review"
	"assay/schema"
)

var update = flag.Bool("update", false, "write the golden files")

var clock = time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)

// TestLiveDV: one DV order reviewed in the laboratory, and its file fetched. The
// observations are what probes really saw, so the golden file pins the format
// of evidence.
func TestLiveDV(t *testing.T) {
	w, err := lab.New(lab.Change{}, lab.Options{Value: "202611230800", Clock: func() time.Time { return clock }})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	places, err := trial.Places(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	look := places[0].Begin()
	defer look.Close()
	golden(t, "dv", review.ScopeNetwork, []evidence.Perspective{places[0].About()}, func(list []evidence.Question) []evidence.Observation {
		if list == nil {
			list = []evidence.Question{fetch("http"), fetch("https")}
		}
		seen := look.Answer(t.Context(), list)
		for i := range seen {
			steady(&seen[i])
		}
		return seen
	})
}

// fetch is the question for the validation file that nothing in this order asks.
func fetch(scheme string) evidence.Question {
	return evidence.Question{Kind: evidence.KindHTTP, Perspective: "P0", HTTP: &evidence.HTTPQuestion{
		URL: scheme + "://orchard.net/.well-known/pki-validation/fileauth.txt", Address: lab.AddressWeb1,
	}}
}

// steady takes out what differs from one run to the next: how long it took, and
// which of two equal servers was the first.
func steady(o *evidence.Observation) {
	o.Millis, o.ID = 0, ""
	if o.HTTP != nil {
		for i := range o.HTTP.Fetches {
			for j := range o.HTTP.Fetches[i].Hops {
				o.HTTP.Fetches[i].Hops[j].Phases = nil
			}
		}
	}
	if o.DNS != nil {
		for i := range o.DNS.Links {
			l := &o.DNS.Links[i]
			l.Decided = ""
			if len(l.Copies) == 1 { // whichever was asked
				l.Copies[0].Server, l.Copies[0].Address = "", ""
			}
			for j := range l.Copies {
				l.Copies[j].Millis = 0
			}
		}
	}
}

// TestOV: one OV order judged without the network.
func TestOV(t *testing.T) { golden(t, "ov", review.ScopeOrder, nil, nil) }

// golden reviews an order file and compares the report with the golden file, and
// both with their schemas. look answers questions about the network; called
// without any it adds what the review itself does not ask.
func golden(
	t *testing.T, name string, scope review.Scope, places []evidence.Perspective,
	look func([]evidence.Question) []evidence.Observation,
) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".order.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := order.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := yaml.Unmarshal(raw, &plain); err != nil {
		t.Fatal(err)
	}
	validate(t, "order", plain)

	cloud, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	c := review.Prepare(file.Resolve(), data.Embedded())
	in := review.Input{Profile: cloud, At: clock, Mode: review.Precheck, Scope: scope, Perspectives: places}
	for questions := c.Ask(in); len(questions) > 0; questions = c.Ask(in) {
		for _, q := range questions {
			if q.Lookup == nil {
				in.Seen = append(in.Seen, look([]evidence.Question{q})...)
				continue
			}
			answer := evidence.LookupAnswer{}
			in.Seen = append(in.Seen, evidence.Observation{Question: q, At: clock, Lookup: &answer})
		}
	}
	if look != nil {
		in.Seen = append(in.Seen, look(nil)...)
	}
	r := c.Judge(in)
	r.Localize(cause.English)
	got, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".report.json")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; go test ./schema -update writes it):\n%s", path, diff)
	}
	var report any
	if err := json.Unmarshal(got, &report); err != nil {
		t.Fatal(err)
	}
	validate(t, "report", report)
	for _, o := range report.(map[string]any)["observations"].([]any) {
		validate(t, "observation", o)
	}
}

// TestSchemasRefuse: a schema that accepts anything would be worth nothing.
func TestSchemasRefuse(t *testing.T) {
	for name, text := range map[string]string{
		"order":       `{"names": ["a.net"], "prodct": "dv"}`,
		"profile":     `{"names": {"max_lenght": 3}}`,
		"report":      `{"version": "one"}`,
		"observation": `{"id": 1}`,
	} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if compiled(t, name).Validate(v) == nil {
			t.Errorf("%s accepts %s", name, text)
		}
	}
}

func validate(t *testing.T, name string, v any) {
	t.Helper()
	// The validator wants what encoding/json makes, not what YAML makes.
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled(t, name).Validate(v); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	raw, err := schema.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name+".json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}
