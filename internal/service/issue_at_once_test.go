package service

import (
	"testing"
	"time"

	"assay/evidence"
	"assay/internal/store"
	"assay/order"
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

// TestAtOnceAtTheEnd: the check that comes due after its order's deadline judges how
// it was at the deadline: what it passes is certified through the gate, which judges
// how it is. TestAtOnce has the near miss.
func TestAtOnceAtTheEnd(t *testing.T) {
	t.Parallel()
	h := newCAHouse(t)
	v := h.passes(t, dv(t, "orchard.net"))
	h.do(t, func(tx store.Tx) error { // alone the check is due
		return tx.SetDue(store.Due{Order: v.ID, Kind: store.DueDeadline, At: v.Deadline.AddDate(1, 0, 0)})
	})
	h.pass(v.Deadline.Sub(h.clock()) + time.Minute)
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateReady || len(h.ca.made) != 0 {
		t.Fatalf("%s with %d signatures, %v", v.State, len(h.ca.made), causesIn(v))
	}
	if states, _ := h.attempts(t, v.ID); len(states) != 0 {
		t.Errorf("attempts %v", states)
	}
	h.once(t)
	if v = h.read(t, v.ID); v.State != order.StateIssued {
		t.Errorf("%s %v", v.State, causesIn(v))
	}
}
