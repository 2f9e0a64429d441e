package service

import (
	"testing"

	"assay/evidence"
	"assay/review"
)

// TestAlone: a judgement that rests on something that people may take back is none to
// sign by at once.
func TestAlone(t *testing.T) {
	t.Parallel()
	account := evidence.LookupAnswer{Account: &evidence.Account{ID: "shop", Verified: true}}
	for name, c := range map[string]struct {
		answers []evidence.LookupAnswer
		alone   bool
	}{
		"an account":            {[]evidence.LookupAnswer{account}, true},
		"nothing found beside":  {[]evidence.LookupAnswer{account, {}, {Checks: &evidence.CheckState{State: "open"}}}, true},
		"no account":            {[]evidence.LookupAnswer{{}}, false},
		"an approval":           {[]evidence.LookupAnswer{account, {Approvals: make([]evidence.Approval, 1)}}, false},
		"a claim":               {[]evidence.LookupAnswer{account, {Claims: make([]evidence.Claim, 1)}}, false},
		"a call":                {[]evidence.LookupAnswer{{Calls: make([]evidence.Call, 1)}, account}, false},
		"a letter":              {[]evidence.LookupAnswer{account, {Letters: make([]evidence.Letter, 1)}}, false},
		"a person":              {[]evidence.LookupAnswer{account, {People: make([]evidence.Person, 1)}}, false},
		"a reviewer's step":     {[]evidence.LookupAnswer{account, {Reviews: make([]evidence.ReviewStep, 1)}}, false},
		"an earlier validation": {[]evidence.LookupAnswer{account, {Checks: &evidence.CheckState{Validated: []string{"orchard.net"}}}}, false},
	} {
		r := &review.Report{Observations: []evidence.Observation{{}}} // one of the network
		for i := range c.answers {
			r.Observations = append(r.Observations, evidence.Observation{Lookup: &c.answers[i]})
		}
		if got := alone(r); (got != nil) != c.alone {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
