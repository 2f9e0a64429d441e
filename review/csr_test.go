package review_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"assay/data"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// TestReportsHoldNoPrivateKey: of a pasted private key no line reaches a case
// or a report, and the report judged again has the same findings.
func TestReportsHoldNoPrivateKey(t *testing.T) {
	t.Parallel()
	p, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	in := review.Input{Profile: p, At: caseTime, Mode: review.Precheck, Scope: review.ScopeOrder}
	for _, file := range []string{"private-key-only.csr", "with-private-key.csr", "with-other-private-key.csr"} {
		raw, err := os.ReadFile("testdata/csr/" + file)
		if err != nil {
			t.Fatal(err)
		}
		given := &order.Order{Names: []string{"www.orchard.net"}, Product: order.DV, CSR: string(raw)}
		c := review.Prepare(given, data.Embedded())
		report := c.Judge(in)
		report.Localize("en")
		written, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(raw), "PRIVATE KEY-----\n")
		body, _, _ := strings.Cut(rest, "-----END")
		for line := range strings.Lines(body) {
			if line = strings.TrimSpace(line); line != "" && strings.Contains(string(written)+c.Order.CSR, line) {
				t.Errorf("%s: a line of the key is in the report", file)
			}
		}
		if given.CSR != string(raw) {
			t.Errorf("%s: the caller's order was changed", file)
		}
		again, err := json.Marshal(review.Prepare(report.Order, data.Embedded()).Judge(in).Findings)
		if err != nil {
			t.Fatal(err)
		}
		first, _ := json.Marshal(c.Judge(in).Findings)
		if string(again) != string(first) {
			t.Errorf("%s: judged again:\n%s\n%s", file, again, first)
		}
	}
}
