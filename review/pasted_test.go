package review_test

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/data"
	"assay/key"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// TestPrivateKeyInAnyField: whatever text field of an order a private key is
// pasted into, the report names the field and holds nothing of the key, and
// judged again it is the same.
func TestPrivateKeyInAnyField(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/csr/private-key-only.csr")
	if err != nil {
		t.Fatal(err)
	}
	pasted := string(raw)
	lines := strings.Split(strings.TrimSpace(pasted), "\n")
	secret := lines[len(lines)/2]
	p, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	in := review.Input{Profile: p, At: caseTime, Mode: review.Precheck, Scope: review.ScopeOrder}

	fields := 0
	for number := 0; ; number++ {
		given := filled()
		path, ok := setText(reflect.ValueOf(given).Elem(), "", &textCount{want: number}, pasted)
		if !ok {
			break
		}
		if path == ".CSR" {
			continue
		}
		fields++
		before, _ := json.Marshal(given)
		c := review.Prepare(given, data.Embedded())
		report := c.Judge(in)
		report.Localize("en")
		written, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(written), secret) {
			t.Errorf("%s: the key is in the report", path)
		}
		if !slices.ContainsFunc(report.Findings, func(f review.Finding) bool {
			return f.Cause == cause.CSRPrivateKeyPasted && f.Parameters["rule"] == "field"
		}) {
			t.Errorf("%s: the key is not named", path)
		}
		if after, _ := json.Marshal(given); string(after) != string(before) {
			t.Errorf("%s: the caller's order was changed", path)
		}
		again := review.Prepare(report.Order, data.Embedded()).Judge(in)
		again.Localize("en")
		if judged, _ := json.Marshal(again); string(judged) != string(written) {
			t.Errorf("%s: judged again, the report differs", path)
		}
	}
	if fields < 45 {
		t.Errorf("only %d fields were tried", fields)
	}
	if !key.InText(pasted) {
		t.Error("the sample is no private key")
	}
}

// filled is an order in which every part is there.
func filled() *order.Order {
	return &order.Order{
		Product: order.OV, Names: []string{"www.orchard.net"}, Method: order.MethodDNS, Account: "a1",
		SubmittedAt:  time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
		Challenges:   []order.Challenge{{Name: "www.orchard.net", Method: order.MethodDNS, Value: "v"}},
		Organization: &order.Organization{Name: "Orchard Ltd"},
		Contacts:     &order.Contacts{Administrator: &order.Contact{}, Technical: &order.Contact{}},
	}
}

// textCount counts the text fields on the way to the one that is wanted.
type textCount struct{ want, seen int }

// setText sets the text field with the wanted number and returns its path.
func setText(v reflect.Value, path string, n *textCount, text string) (string, bool) {
	switch v.Kind() {
	case reflect.String:
		n.seen++
		if n.seen-1 == n.want {
			v.SetString(text)
			return path, true
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return setText(v.Elem(), path, n, text)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if p, ok := setText(v.Index(i), path, n, text); ok {
				return p, true
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return "", false
		}
		for i := range v.NumField() {
			if p, ok := setText(v.Field(i), path+"."+v.Type().Field(i).Name, n, text); ok {
				return p, true
			}
		}
	}
	return "", false
}
