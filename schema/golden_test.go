package schema_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/netip"
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
	"assay/order"
	"assay/probe"
	"assay/probe/dial"
	"assay/probe/resolver"
	"assay/profile"
	"assay/review"
	"assay/schema"
)

var update = flag.Bool("update", false, "write the golden files")

var clock = time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC)

// TestLiveDV: one DV order looked at in the laboratory. The observations are
// what probes really saw, so the golden file pins the format of evidence.
func TestLiveDV(t *testing.T) {
	w, err := lab.New(lab.Change{}, lab.Options{Value: "202611230800"})
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
	p, err := probe.New(probe.Config{Perspective: "P0", DNS: resolver.Config{
		Dialer: &dial.Dialer{Data: data.Embedded(), Map: w.DialMap()},
		Roots:  []resolver.Root{{Name: "a.root", Addresses: []netip.Addr{netip.MustParseAddr(lab.AddressTLDServer)}}},
		Now:    func() time.Time { return clock },
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	var seen []evidence.Observation
	for _, address := range []string{lab.AddressNS1, lab.AddressNS2} {
		for _, typ := range []string{"TXT", "CAA"} {
			owner := map[string]string{"TXT": "_dnsauth.orchard.net", "CAA": "orchard.net"}[typ]
			seen = append(seen, p.DNS(ctx, evidence.DNSQuestion{Name: owner, Type: typ, Address: address}))
		}
	}
	for _, scheme := range []string{"http", "https"} {
		o := p.HTTP(ctx, evidence.HTTPQuestion{URL: scheme + "://orchard.net/.well-known/pki-validation/fileauth.txt", Address: lab.AddressWeb1})
		o.HTTP.Fetches[0].Hops[0].Phases = nil // the clock stands still, but connecting is not free of order
		seen = append(seen, o)
	}
	golden(t, "dv", seen, review.ScopeNetwork)
}

// TestOV: one OV order judged without the network.
func TestOV(t *testing.T) { golden(t, "ov", nil, review.ScopeOrder) }

// golden judges an order file and compares the report with the golden file, and
// both with their schemas.
func golden(t *testing.T, name string, seen []evidence.Observation, scope review.Scope) {
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
	in := review.Input{Profile: cloud, Seen: seen, At: clock, Mode: review.Precheck, Scope: scope}
	for _, q := range c.Ask(in) {
		answer := evidence.LookupAnswer{}
		in.Seen = append(in.Seen, evidence.Observation{Question: q, At: clock, Lookup: &answer})
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
