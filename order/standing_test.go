package order

import (
	"testing"
	"time"
)

// TestEdges are the moments at which what is allowed changes.
func TestEdges(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	ago := func(hours int) time.Time { return now.Add(-time.Duration(hours) * time.Hour) }
	for name, c := range map[string]struct {
		s      Standing
		action Action
		want   bool
	}{
		"download at the last second": {Standing{Order: StateIssued, NotAfter: now}, ActionDownload, true},
		"download after it":           {Standing{Order: StateIssued, NotAfter: now.Add(-1)}, ActionDownload, false},
		"renew at the last second":    {Standing{Order: StateIssued, NotAfter: now}, ActionRenew, true},
		"renew after it":              {Standing{Order: StateIssued, NotAfter: now.Add(-1)}, ActionRenew, false},
		"renew without an end":        {Standing{Order: StateIssued}, ActionRenew, false},
		"reissue without an end":      {Standing{Order: StateIssued}, ActionReissue, false},
		"delete at the last second":   {Standing{Order: StateIssued, NotAfter: now}, ActionDelete, false},
		"delete after it":             {Standing{Order: StateIssued, NotAfter: now.Add(-1)}, ActionDelete, true},
		"a revoked one stays revoked": {Standing{Order: StateIssued, Certificate: CertificateRevoked, NotAfter: ago(1)}, ActionDelete, true},

		"OV counts from its letter":     {Standing{Order: StatePending, Product: OV, Submitted: ago(200), LetterAt: ago(71)}, ActionRemind, false},
		"OV 72 h after its letter":      {Standing{Order: StatePending, Product: OV, Submitted: ago(200), LetterAt: ago(72)}, ActionRemind, true},
		"EV 95 h after its letter":      {Standing{Order: StatePending, Product: EV, Submitted: ago(200), LetterAt: ago(95)}, ActionRemind, false},
		"EV 96 h after its letter":      {Standing{Order: StatePending, Product: EV, Submitted: ago(200), LetterAt: ago(96)}, ActionRemind, true},
		"OV without a letter":           {Standing{Order: StatePending, Product: OV, Submitted: ago(72)}, ActionRemind, true},
		"DV has no letter to count":     {Standing{Order: StatePending, Product: DV, Submitted: ago(24), LetterAt: ago(1)}, ActionRemind, true},
		"nobody is reminded for a free": {Standing{Order: StatePending, Product: DV, Submitted: ago(200), Free: true}, ActionRemind, false},

		"a reissue can be cancelled":     {Standing{Order: StatePending, Kind: Reissue}, ActionCancel, true},
		"ready can be cancelled":         {Standing{Order: StateReady}, ActionCancel, true},
		"not while it is being issued":   {Standing{Order: StateReady, Attempt: AttemptSigned}, ActionCancel, false},
		"again once that has failed":     {Standing{Order: StateReady, Attempt: AttemptFailed}, ActionCancel, true},
		"nothing of a refunded one":      {Standing{Order: StateIssued, NotAfter: now.Add(60 * day), Refunded: true}, ActionDownload, false},
		"an uploaded one is not revoked": {Standing{Order: StateIssued, NotAfter: now.Add(60 * day), Uploaded: true}, ActionRevoke, false},
	} {
		if err := c.s.May(c.action, now); (err == nil) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
