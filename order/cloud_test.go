package order

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// cloudSteps is the drawing of the cloud's transitions as pairs of its numbers.
// WAIT-ISSUE, the part of 0 that comes after validation, is written -1.
var cloudSteps = map[[2]int]bool{
	{13, 0}: true, {13, 4}: true, {5, 0}: true, {5, 8}: true, // submission
	{5, 4}: true,               // paid orders by DNS_AUTO have it as free ones do
	{8, 0}: true, {8, 4}: true, // the letter
	{0, -1}: true, {4, -1}: true, {-1, 1}: true, // validated, issued
	{0, 2}: true, {4, 2}: true, {8, 2}: true, {-1, 2}: true, // refused, deadline
	{0, 6}: true, {4, 6}: true, {8, 6}: true, {-1, 6}: true, {6, 7}: true, // cancelled
	// Resubmission of the cloud goes to 5 and on from there; here in one.
	{2, 0}: true, {2, 4}: true, {2, 8}: true, {7, 0}: true, {7, 4}: true, {7, 8}: true,
}

// ownSteps are those the cloud has not: a draft is given up without anybody
// being told, what passed too long ago is validated again before it is signed, and
// what an upstream CA may be issuing for at its deadline fails once that CA answered.
var ownSteps = map[[2]int]bool{{5, 7}: true, {13, 7}: true, {-1, 0}: true, {-1, 4}: true, {6, 2}: true}

// TestCloudTransitions: the table of an order's states, seen in the cloud's
// numbers, has the steps of the cloud's drawing, the named additions, and no
// other; and it leaves none out.
func TestCloudTransitions(t *testing.T) {
	t.Parallel()
	seen := map[[2]int]bool{}
	number := func(s Standing) int {
		if s.Order == StateReady {
			return -1
		}
		return s.CloudStatus()
	}
	for _, tr := range Transitions() {
		for _, free := range []bool{false, true} {
			for _, m := range []Method{MethodDNS, MethodFile, MethodDNSAuto} {
				if free && (tr.To == StateLetter || tr.From == StateLetter || tr.Action == ActionResubmit) {
					continue // free orders are DV, and cannot be resubmitted
				}
				s := Standing{Order: tr.From, Free: free, Method: m, Phase: PhaseValidation}
				from := number(s)
				s.Order = tr.To
				step := [2]int{from, number(s)}
				if from == step[1] {
					continue
				}
				if !cloudSteps[step] && !ownSteps[step] {
					t.Errorf("%+v is %v in the cloud's numbers", tr, step)
				}
				seen[step] = true
			}
		}
	}
	for _, steps := range []map[[2]int]bool{cloudSteps, ownSteps} {
		for step := range steps {
			if !seen[step] {
				t.Errorf("no transition is %v", step)
			}
		}
	}
}

// cloudRules transcribes what may be done when: the numbers it may be done in,
// and what else must hold.
var cloudRules = map[Action]struct {
	in   []int
	also func(s Standing, now time.Time) bool
}{
	ActionEdit:   {in: []int{5, 13}},
	ActionSubmit: {in: []int{5, 13}},
	ActionCheck:  {in: []int{0, 4, 11}, also: func(s Standing, _ time.Time) bool { return s.Order == StatePending }},
	ActionLetter: {in: []int{8}},
	// 5 and 13 (an order that nobody saw yet) and 11 are ours: the cloud cancels
	// 0, 4 and 8. None does once the certificate is being made.
	ActionCancel: {in: []int{0, 4, 8, 11, 5, 13}, also: func(s Standing, _ time.Time) bool {
		return s.SeriesYear < 2 && (s.Attempt == "" || s.Attempt == AttemptFailed || s.Attempt == AttemptAbandoned)
	}},
	ActionResubmit: {in: []int{2, 7}, also: func(s Standing, _ time.Time) bool { return !s.Free }},
	ActionRemind: {in: []int{0, 4, 11}, also: func(s Standing, now time.Time) bool {
		from, hours := s.Submitted, 24
		switch s.Product {
		case OV:
			hours = 72
		case EV:
			hours = 96
		}
		if s.Product != DV && !s.LetterAt.IsZero() {
			from = s.LetterAt
		}
		return s.Order == StatePending && !s.Free && !now.Before(from.Add(time.Duration(hours)*time.Hour))
	}},
	ActionDownload: {in: []int{1}, also: func(s Standing, _ time.Time) bool { return !s.DownloadOff }},
	ActionReissue: {in: []int{1}, also: func(s Standing, now time.Time) bool {
		return s.NotAfter.After(now.AddDate(0, 0, 30)) && !s.ReissueRunning && !(s.Free && s.Reissues > 0) && !s.Uploaded
	}},
	ActionRevoke: {in: []int{1}, also: func(s Standing, now time.Time) bool {
		return s.NotAfter.After(now.AddDate(0, 0, 30)) && s.Kind != Reissue && !s.Bound && !s.Uploaded
	}},
	ActionRenew: {in: []int{1}, also: func(s Standing, now time.Time) bool { return !s.NotAfter.After(now.AddDate(0, 0, 30)) }},
	// 2 (an order that failed has nothing to lose) and the drafts 5 and 13 are
	// ours; an uploaded certificate can go whatever its number.
	ActionDelete: {in: []int{3, 10, 7, 2, 5, 13, 1, 9, 12}, also: func(s Standing, now time.Time) bool {
		if n := numberAt(s, now); (n == 1 || n == 9 || n == 12) && !s.Uploaded {
			return false
		}
		return !s.Bound && !s.RenewalPending && (!s.Free || !now.Before(s.Created.Add(time.Hour)))
	}},
}

// numberAt is the number once the end of the certificate is recorded.
func numberAt(s Standing, now time.Time) int {
	n := s.CloudStatus()
	if (n == 1 || n == 9 || n == 12) && now.After(s.NotAfter) {
		return 3
	}
	return n
}

func drawStanding(t *rapid.T, now time.Time) Standing {
	around := func(name string, steps ...time.Duration) time.Time {
		d := rapid.SampledFrom(steps).Draw(t, name)
		return now.Add(d + rapid.SampledFrom([]time.Duration{-time.Second, 0, time.Second}).Draw(t, name+" edge"))
	}
	flag := func(name string) bool { return rapid.IntRange(0, 4).Draw(t, name) == 0 }
	s := Standing{
		Order:   rapid.SampledFrom(States()).Draw(t, "state"),
		Phase:   rapid.SampledFrom([]Phase{"", PhasePreReview, PhaseValidation, PhaseReview, PhaseCA, PhaseIssue}).Draw(t, "phase"),
		Product: rapid.SampledFrom([]Product{DV, OV, EV}).Draw(t, "product"),
		Kind:    rapid.SampledFrom([]Kind{"", New, Reissue, Renewal}).Draw(t, "kind"),
		Method:  rapid.SampledFrom([]Method{MethodDNS, MethodFile, MethodDNSAuto}).Draw(t, "method"),
		Free:    flag("free"), Refunded: flag("refunded"), Migrating: flag("migrating"),
		SeriesYear: rapid.IntRange(0, 3).Draw(t, "year"), Reissues: rapid.IntRange(0, 2).Draw(t, "reissues"),
		Created:   around("created", 0, -time.Hour, -100*time.Hour),
		Submitted: around("submitted", 0, -24*time.Hour, -72*time.Hour, -96*time.Hour),
		NotAfter:  around("not after", -day, 0, day, 30*day, 60*day),
		Uploaded:  flag("uploaded"), Bound: flag("bound"), ReissueRunning: flag("reissue running"),
		RenewalPending: flag("renewal pending"), DownloadOff: flag("download off"),
	}
	if flag("letter") {
		s.LetterAt = around("letter at", 0, -24*time.Hour, -72*time.Hour, -96*time.Hour)
	}
	switch s.Order {
	case StateReady:
		s.Attempt = rapid.SampledFrom(append(AttemptStates(), "")).Draw(t, "attempt")
	case StateIssued:
		s.Attempt = AttemptIssued
		s.Certificate = rapid.SampledFrom(append(CertificateStates(), "")).Draw(t, "certificate")
	}
	return s
}

// TestAllowedIsTheTable: for any standing, exactly that is allowed which the
// transcription allows, and May says so with a StateError.
func TestAllowedIsTheTable(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		s := drawStanding(t, now)
		n := numberAt(s, now)
		allowed := s.Allowed(now)
		for a, rule := range cloudRules {
			want := slices.Contains(rule.in, n) && (rule.also == nil || rule.also(s, now))
			if got := slices.Contains(allowed, a); got != want {
				t.Fatalf("%s of %d is allowed: %v, want %v: %+v", a, n, got, want, s)
			}
			err := s.May(a, now)
			if (err == nil) != want {
				t.Fatalf("May(%s): %v, want %v", a, err, want)
			}
			var wrong *StateError
			if err != nil && (!errors.As(err, &wrong) || wrong.Action != a || wrong.State != s.Order || !slices.Equal(wrong.Allowed, allowed)) {
				t.Fatalf("%#v", err)
			}
		}
		for _, a := range allowed {
			if _, listed := cloudRules[a]; !listed {
				t.Fatalf("%s is allowed and is no operation of an owner", a)
			}
		}
	})
}

// TestNumberAndMessage: any standing has a number of the cloud's, each number is
// come by, and a message stands beside 0, 4 and 11 only.
func TestNumberAndMessage(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	messages := []string{"PRE-REVIEWING", "LEGAL-REVIEWING", "CA-REVIEWING", "PENDING-DCV", "WAIT-ISSUE"}
	rapid.Check(t, func(t *rapid.T) {
		s := drawStanding(t, now)
		s.Refunded, s.Migrating = false, false
		n, message := s.CloudStatus(), s.StatusMsg()
		if n < 0 || n > 13 {
			t.Fatalf("number %d", n)
		}
		review := n == 0 || n == 4 || n == 11
		if review != slices.Contains(messages, message) || !review && message != "" {
			t.Fatalf("%d with message %q", n, message)
		}
		if n == 4 && message != "PRE-REVIEWING" && message != "PENDING-DCV" {
			t.Fatalf("the record is all that is waited for, and the message is %s", message)
		}
	})
	for phase, want := range map[Phase]int{
		"": 4, PhasePreReview: 4, PhaseValidation: 4, PhaseReview: 0, PhaseCA: 0, PhaseIssue: 0,
	} {
		if got := (Standing{Order: StatePending, Method: MethodDNSAuto, Phase: phase}).CloudStatus(); got != want {
			t.Errorf("phase %q is %d, want %d", phase, got, want)
		}
	}
	// Ready is past validation, whatever its phase says.
	if got := (Standing{Order: StateReady, Method: MethodDNSAuto}).CloudStatus(); got != 0 {
		t.Errorf("ready is %d", got)
	}
}

// TestStateErrorText: the error names the action, the state and what to do.
func TestStateErrorText(t *testing.T) {
	t.Parallel()
	err := Standing{Order: StatePending}.May(ActionEdit, time.Time{})
	for _, want := range []string{"edit", "pending", "check", "cancel"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %s", err, want)
		}
	}
	if err = (Standing{Order: StateCancelling}).May(ActionCancel, time.Time{}); !strings.Contains(err.Error(), "nothing") {
		t.Error(err)
	}
}
