package trial_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"assay/cause"
	"assay/evidence"
	"assay/lab"
	"assay/lab/trial"
	"assay/review"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func scenarios(t *testing.T) []lab.Scenario {
	t.Helper()
	all, err := lab.Scenarios()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestScenarios runs every scenario: a show finds its cause as a root, a near
// miss does not find it, and both find exactly what they want.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios(t) {
		t.Run(s.ID+" "+s.Name, func(t *testing.T) {
			t.Parallel()
			wants := slices.ContainsFunc(s.Want, func(w lab.Wanted) bool { return w.Cause == s.Cause && w.ExplainedBy == "" })
			if wants == s.Near {
				t.Fatalf("a show wants %s as a root, a near miss does not", s.Cause)
			}
			report, diff, err := trial.Run(context.Background(), &s)
			if err != nil {
				t.Fatal(err)
			}
			if diff != "" {
				t.Errorf("findings (- wanted, + found):\n%s", diff)
				return
			}
			if s.Near {
				return
			}
			if !slices.ContainsFunc(report.Findings, func(f review.Finding) bool { return f.Cause == s.Cause && f.ExplainedBy == "" }) {
				t.Errorf("%s is explained by another finding", s.Cause)
			}
		})
	}
}

// TestEveryCause: every cause that the network decides and that has a rule has a
// file with a show and a near miss.
func TestEveryCause(t *testing.T) {
	t.Parallel()
	shows, near := map[cause.ID]int{}, map[cause.ID]int{}
	for _, s := range scenarios(t) {
		if s.Near {
			near[s.Cause]++
		} else {
			shows[s.Cause]++
		}
		if cause.Lookup(s.Cause) == nil {
			t.Errorf("%s: there is no such cause", s.ID)
		}
	}
	for _, id := range review.Implemented() {
		stage := string(id.Stage())
		if !slices.Contains([]string{"dns", "caa", "file", "tls", "deploy"}, stage) && id != cause.IssuanceTLSAMismatch {
			continue
		}
		if shows[id] == 0 || near[id] == 0 {
			t.Errorf("lab/scenarios/%s.yaml: %d shows and %d near misses, each needs one", id, shows[id], near[id])
		}
	}
}

// TestHealthy: what a review asks is there in the healthy world, as every
// perspective sees it.
func TestHealthy(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]lab.Options{
		"behind a dial map":                     {},
		"on port 53 of real loopback addresses": {Loopback: 203}, // no other test may use it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			healthy(t, options)
		})
	}
}

func healthy(t *testing.T, options lab.Options) {
	w, err := lab.New(lab.Change{}, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx := context.Background()
	places, err := trial.Places(ctx, w)
	if err != nil {
		t.Fatal(err)
	}
	if len(places) != 6 {
		t.Fatalf("%d places", len(places))
	}
	for _, p := range places {
		// Loopback has one IPv6 address, so the world on real addresses has none.
		if missing := p.About().Missing; len(missing) > 0 && options.Loopback == 0 {
			t.Errorf("%s lacks %v", p.About().ID, missing)
		}
		look := p.Begin()
		seen := look.Answer(ctx, []evidence.Question{
			{Kind: evidence.KindDNS, Perspective: p.About().ID, DNS: &evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true}},
			{Kind: evidence.KindDNS, Perspective: p.About().ID, DNS: &evidence.DNSQuestion{Name: "net", Type: "SOA"}},
		})
		look.Close()
		a := seen[0].DNS
		if a == nil || a.Status != "NOERROR" || a.Security != "insecure" || len(a.Answer) != 1 || !strings.Contains(a.Answer[0].Data, lab.Value) {
			t.Errorf("%s: %+v", p.About().ID, a)
		} else if n := len(a.Links[0].Copies); n != 2 {
			t.Errorf("%s: %d copies", p.About().ID, n)
		}
		if a := seen[1].DNS; a == nil || a.Status != "NOERROR" || a.Security != "secure" {
			t.Errorf("%s: net: %+v", p.About().ID, a)
		}
	}
}
