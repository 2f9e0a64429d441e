package review_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/internal/strict"
	"assay/review"
)

// approve gives a case an approval for each of its findings, as change leaves it.
func (c oneCase) approve(found []review.Finding, change func(a *evidence.Approval)) oneCase {
	at := c.At
	if at.IsZero() {
		at = caseTime
	}
	list := []evidence.Approval{}
	for i := range found {
		f := &found[i]
		a := evidence.Approval{
			Cause: string(f.Cause), Subject: f.Subject, Account: c.Order.Account, Order: c.Order.ID, Facts: review.FactsOf(f), By: "r7", AgreedBy: "r8", At: at,
		}
		change(&a)
		list = append(list, a)
	}
	c.Records = maps.Clone(c.Records)
	if c.Records == nil {
		c.Records = map[evidence.Topic]evidence.LookupAnswer{}
	}
	c.Records[evidence.TopicApprovals] = evidence.LookupAnswer{Approvals: list}
	return c
}

// TestApprovals takes the orders of all cases: an approval of each of their
// findings makes those for a person information and changes no other; one that is
// about anything else, or by somebody who may not, changes none.
func TestApprovals(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/cases/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	asked, refused := 0, 0
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var file caseFile
		if err := strict.Decode(raw, &file); err != nil {
			t.Fatal(err)
		}
		for _, c := range file.Shows {
			if c.Order.ID == "" {
				c.Order.ID = "T1"
			}
			if c.Records[evidence.TopicApprovals].Approvals != nil {
				continue
			}
			found := c.judge(t).Findings
			for _, f := range found {
				switch f.Level {
				case cause.Review:
					asked++
				case cause.Refuse:
					refused++
				}
			}
			name := filepath.Base(path) + "/" + c.Name
			levels(t, name, found, c.approve(found, func(*evidence.Approval) {}).judge(t).Findings, cause.Info)
			for what, change := range falseApprovals {
				levels(t, name+"/"+what, found, c.approve(found, change).judge(t).Findings, cause.Review)
			}
		}
	}
	if asked < 20 || refused < 100 {
		t.Errorf("%d findings for a person and %d that refuse show little", asked, refused)
	}
}

// falseApprovals are what comes near an approval and must not count.
var falseApprovals = map[string]func(a *evidence.Approval){
	"another cause":       func(a *evidence.Approval) { a.Cause = "name.empty" },
	"another subject":     func(a *evidence.Approval) { a.Subject += "x" },
	"another account":     func(a *evidence.Approval) { a.Account += "x" },
	"another order":       func(a *evidence.Approval) { a.Order = "B1" },
	"other facts":         func(a *evidence.Approval) { a.Facts = review.FactsOf(&review.Finding{}) },
	"by nobody":           func(a *evidence.Approval) { a.By = " " },
	"run out":             func(a *evidence.Approval) { a.Until = a.At },
	"not yet":             func(a *evidence.Approval) { a.At = a.At.Add(time.Second) },
	"at no time":          func(a *evidence.Approval) { a.At = time.Time{} },
	"no subject, no fact": func(a *evidence.Approval) { a.Order, a.Subject, a.Facts = "", "", "" },
	"any order, no fact":  func(a *evidence.Approval) { a.Order, a.Facts, a.Cause = "", "", "organization."+a.Cause },
}

// levels holds the findings with an approval against those without.
func levels(t *testing.T, name string, before, after []review.Finding, want cause.Level) {
	t.Helper()
	has := map[string]review.Finding{}
	for _, f := range after {
		has[string(f.Cause)+"@"+f.Subject+review.FactsOf(&f)] = f
	}
	for _, f := range before {
		got, ok := has[string(f.Cause)+"@"+f.Subject+review.FactsOf(&f)]
		level := f.Level
		if level == cause.Review {
			level = want
		}
		if !ok || got.Level != level || (got.Approval != nil) != (f.Level == cause.Review && want == cause.Info) {
			t.Errorf("%s: %s was %s, is %s (%+v), want %s", name, f.ID, f.Level, got.Level, got.Approval, level)
		}
		if got.Approval != nil && len(got.Evidence) == 0 {
			t.Errorf("%s: %s is approved without evidence", name, f.ID)
		}
	}
}

// TestOwnApproval: who orders cannot approve, whatever the profile.
func TestOwnApproval(t *testing.T) {
	t.Parallel()
	c := oneCase{Profile: "baseline"}
	c.Order.Names, c.Order.Account, c.Order.ID = []string{"pay.shop.org"}, "a1", "T1"
	found := c.judge(t).Findings
	if len(found) == 0 || found[0].Level != cause.Review {
		t.Fatalf("%+v", found)
	}
	for _, by := range []string{"a1", " A1"} {
		levels(t, by, found, c.approve(found, func(a *evidence.Approval) { a.By = by }).judge(t).Findings, cause.Review)
	}
}
