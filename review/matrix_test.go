package review

import (
	"encoding/json"
	"strings"
	"testing"

	"assay/evidence"
)

// row is the outcomes of a line of the matrix, a place after the other.
func row(r *Report, check, server string) string {
	var words []string
	for _, c := range r.Matrix {
		if c.Check == check && c.Server == server {
			words = append(words, c.Perspective+" "+c.Outcome)
		}
	}
	return strings.Join(words, ", ")
}

// TestMatrix: a cell for each place and server, each with its observation.
func TestMatrix(t *testing.T) {
	t.Parallel()
	n := healthy()
	view{without: "P2", forbidden: "P3", away: "P4", word: down}.apply(n)
	other := n.fault
	n.fault = func(place, server string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
		other(place, server, q, c)
		if place == "P1" && server == "ns2.orchard.net" {
			*c = evidence.DNSCopy{Server: c.Server, Address: c.Address, Status: "timeout"}
		}
		if place == "P5" && q.Type == "TXT" && server == "ns2.orchard.net" {
			c.Answer = []evidence.Record{{Owner: q.Name, Type: "TXT", Data: `"other"`}}
		}
	}
	tr := &trial{net: n, places: six()}
	r := tr.judge(t)
	for server, want := range map[string]string{
		"ns1.orchard.net": "P0 ok, P1 ok, P2 missing, P3 ok, P5 ok",
		"ns2.orchard.net": "P0 ok, P1 timeout, P2 missing, P3 ok, P5 differs",
		"":                "P4 unknown",
	} {
		if got := row(r, "dns", server); got != want {
			t.Errorf("%q: %s, want %s", server, got, want)
		}
	}
	if got, want := row(r, "caa", ""), "P0 ok, P1 ok, P2 ok, P3 forbids, P4 unknown, P5 ok"; got != want {
		t.Errorf("CAA: %s, want %s", got, want)
	}
	seen := map[string]bool{}
	for i := range r.Observations {
		seen[r.Observations[i].ID] = true
	}
	for _, c := range r.Matrix {
		if !seen[c.Evidence] || c.Address != "" && c.Family != "ipv4" {
			t.Errorf("%+v", c)
		}
	}
	// Others see it too, without what led to it.
	r.Redact()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := row(r, "dns", "ns2.orchard.net"); !strings.Contains(got, "P5 differs") || strings.Contains(string(raw), labValue) {
		t.Error(got)
	}
	for _, c := range r.Matrix {
		if !strings.HasPrefix(c.Evidence, "o-") {
			t.Errorf("%+v", c)
		}
	}
}

// TestMatrixOfRefusals: nothing is made of what was not looked at.
func TestMatrixOfRefusals(t *testing.T) {
	t.Parallel()
	r := (&trial{net: healthy(), places: []evidence.Perspective{}}).judge(t)
	if len(r.Matrix) > 0 || r.MPIC != "" {
		t.Errorf("%v %s", r.Matrix, r.MPIC)
	}
	n := healthy()
	n.unknown = func(string, evidence.DNSQuestion) string { return "budget" }
	for _, c := range (&trial{net: n}).judge(t).Matrix {
		if c.Outcome != "unknown" {
			t.Errorf("%+v", c)
		}
	}
}
