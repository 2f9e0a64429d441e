package review_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"assay/cause"
	"assay/data"
	"assay/evidence"
	"assay/internal/strict"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// caseFile is one file of testdata/cases, named after the cause it is about.
type caseFile struct {
	// Shows are orders that must raise exactly the findings wanted, the cause
	// among them. NearMisses are orders as like them as possible that must not
	// raise the cause.
	Shows      []oneCase `json:"shows"`
	NearMisses []oneCase `json:"near_misses"`
}

type oneCase struct {
	Name string `json:"name"`
	// Profile is an embedded profile, cloud by default; ProfileTOML is a
	// profile file instead.
	Profile     string    `json:"profile"`
	ProfileTOML string    `json:"profile_toml"`
	At          time.Time `json:"at"` // default 2026-11-23T00:00:00Z
	Mode        string    `json:"mode"`
	// Order is an order file; its csr may be a file of testdata/csr.
	Order order.File `json:"order"`
	// Upload stands in place of an order where the cause is one of uploads.
	Upload *evidence.Upload `json:"upload"`
	// Records replaces the answer on a topic. By default every list is
	// configured and fresh, and every kind of record is kept and empty.
	Records map[evidence.Topic]evidence.LookupAnswer `json:"records"`
	// Want is every finding, in any order. Parameters need only list some.
	Want []wanted `json:"want"`
}

type wanted struct {
	Cause       cause.ID          `json:"cause"`
	Level       cause.Level       `json:"level"`
	Subject     string            `json:"subject"`
	Parameters  map[string]string `json:"parameters"`
	ExplainedBy string            `json:"explained_by"`
}

// networkStages are the stages whose causes are seen on the network.
var networkStages = []cause.Stage{"dns", "file", "tls", "caa", "perspective", "deploy"}

var caseTime = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// TestCases runs every case file, and fails for a cause that has a rule and no
// file, no show or no near miss.
func TestCases(t *testing.T) {
	for _, id := range review.Implemented() {
		if slices.Contains(networkStages, id.Stage()) || id == cause.IssuanceTLSAMismatch {
			continue // the scenarios of the laboratory show it
		}
		t.Run(string(id), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(filepath.Join("testdata/cases", string(id)+".yaml"))
			if err != nil {
				t.Fatalf("every cause with a rule has a case file: %v", err)
			}
			var f caseFile
			if err := strict.Decode(raw, &f); err != nil {
				t.Fatal(err)
			}
			if len(f.Shows) == 0 || len(f.NearMisses) == 0 {
				t.Fatal("needs at least one case under shows and one under near_misses")
			}
			for _, c := range f.Shows {
				t.Run("shows/"+c.Name, func(t *testing.T) {
					if !slices.ContainsFunc(c.Want, func(w wanted) bool { return w.Cause == id }) {
						t.Fatalf("want does not list %s", id)
					}
					runCase(t, c)
				})
			}
			for _, c := range f.NearMisses {
				t.Run("near-miss/"+c.Name, func(t *testing.T) {
					if slices.ContainsFunc(c.Want, func(w wanted) bool { return w.Cause == id }) {
						t.Fatalf("a near miss must not want %s", id)
					}
					runCase(t, c)
				})
			}
		})
	}
}

// TestNoStrayCases: a case file of a cause without a rule would never run.
func TestNoStrayCases(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		id := cause.ID(strings.TrimSuffix(filepath.Base(f), ".yaml"))
		if !slices.Contains(review.Implemented(), id) {
			t.Errorf("%s: no rule raises %s", f, id)
		}
	}
}

func runCase(t *testing.T, c oneCase) {
	t.Helper()
	r := c.judge(t)
	got := []wanted{}
	old := slices.ContainsFunc(c.Want, func(w wanted) bool { return w.Cause == cause.PolicyInputUnavailable })
	for _, f := range r.Findings {
		// Cases about a later date would all find the embedded snapshots old.
		if f.Parameters["state"] == "stale" && !old {
			continue
		}
		w := wanted{Cause: f.Cause, Level: f.Level, Subject: f.Subject}
		if i := slices.IndexFunc(c.Want, func(x wanted) bool { return x.Cause == f.Cause && x.Subject == f.Subject }); i >= 0 {
			for k := range c.Want[i].Parameters {
				if w.Parameters == nil {
					w.Parameters = map[string]string{}
				}
				w.Parameters[k] = cause.FormatValue(f.Parameters[k], cause.English)
			}
			if c.Want[i].ExplainedBy != "" {
				w.ExplainedBy = f.ExplainedBy
			}
		}
		got = append(got, w)
	}
	order := func(a, b wanted) int {
		return strings.Compare(string(a.Cause)+a.Subject, string(b.Cause)+b.Subject)
	}
	want := append([]wanted{}, c.Want...)
	slices.SortFunc(want, order)
	slices.SortFunc(got, order)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	checkTexts(t, r)
}

// checkTexts: every finding has all its texts in both languages, with no
// placeholder left open and no parameter undeclared; and a report that was
// stored says the same when it is read again.
func checkTexts(t *testing.T, r *review.Report) {
	t.Helper()
	stored := throughJSON(t, r)
	for _, lang := range cause.Languages() {
		r.Localize(lang)
		stored.Localize(lang)
		if diff := cmp.Diff(r.Findings, stored.Findings, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: findings read from JSON (-before +after):\n%s", lang, diff)
		}
		for _, f := range r.Findings {
			if f.Title == "" || f.Explanation == "" || len(f.Handling) == 0 {
				t.Errorf("%s: %s lacks a text", lang, f.Cause)
			}
			for _, text := range append([]string{f.Explanation}, f.Handling...) {
				if strings.ContainsAny(text, "‹›") || strings.Contains(text, "[[") {
					t.Errorf("%s: %s: a placeholder has no value: %s", lang, f.Cause, text)
				}
			}
			for k := range f.Parameters {
				if _, ok := cause.Lookup(f.Cause).Parameters[k]; !ok {
					t.Errorf("%s: parameter %q is not declared in the catalogue", f.Cause, k)
				}
			}
		}
	}
}

func throughJSON(t *testing.T, r *review.Report) *review.Report {
	t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	again := &review.Report{}
	if err := json.Unmarshal(raw, again); err != nil {
		t.Fatal(err)
	}
	return again
}

func (c oneCase) judge(t *testing.T) *review.Report {
	t.Helper()
	p := c.resolveProfile(t)
	if c.At.IsZero() {
		c.At = caseTime
	}
	if c.Mode == "" {
		c.Mode = string(review.Precheck)
	}
	if c.Upload != nil {
		return &review.Report{Findings: review.JudgeUpload(c.Upload, p, c.At).Findings}
	}
	if c.Order.CSR != "" && !strings.Contains(c.Order.CSR, "-----") && len(c.Order.CSR) < 100 {
		raw, err := os.ReadFile(filepath.Join("testdata/csr", c.Order.CSR))
		if err != nil {
			t.Fatal(err)
		}
		c.Order.CSR = string(raw)
	}
	kase := review.Prepare(c.Order.Resolve(), data.Embedded())
	in := review.Input{Profile: p, At: c.At, Mode: review.Mode(c.Mode), Scope: review.ScopeOrder}
	for _, q := range kase.Ask(in) {
		answer, ok := c.Records[q.Lookup.Topic]
		if !ok && q.Lookup.Topic == evidence.TopicInputs {
			answer = freshInputs(c.At)
		}
		in.Seen = append(in.Seen, evidence.Observation{Question: q, At: c.At, Lookup: &answer})
	}
	if rest := kase.Ask(in); len(rest) > 0 {
		t.Fatalf("still asks after every answer: %+v", rest)
	}
	return kase.Judge(in)
}

func (c oneCase) resolveProfile(t *testing.T) *profile.Profile {
	t.Helper()
	name := c.Profile
	if name == "" {
		name = "cloud"
	}
	p, err := profile.Named(name)
	if c.ProfileTOML != "" {
		p, err = profile.Parse([]byte(c.ProfileTOML))
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// freshInputs: every list an operator can set up is there and new.
func freshInputs(at time.Time) evidence.LookupAnswer {
	var a evidence.LookupAnswer
	for _, name := range []string{
		data.PublicSuffixes, data.RootZone, data.AddressBlocks, data.Confusables, data.Words, data.Brands,
		"keys.compromised", "keys.debian", "names.blocked", "names.unsafe", "parties.denied", "clock",
	} {
		a.Inputs = append(a.Inputs, evidence.Input{Name: name, Configured: true, Date: at})
	}
	return a
}
