package order

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestReachable: every state is reached from a draft or a first submission, and
// each that has not ended for good can be left.
func TestReachable(t *testing.T) {
	t.Parallel()
	reached := map[State]bool{StateDraft: true}
	for range States() {
		for _, tr := range Transitions() {
			reached[tr.To] = reached[tr.To] || reached[tr.From]
		}
	}
	for _, s := range States() {
		if !reached[s] {
			t.Errorf("%s is never reached", s)
		}
		left := slices.ContainsFunc(Transitions(), func(tr Transition) bool { return tr.From == s && tr.To != s })
		if left == (s == StateIssued) {
			t.Errorf("%s can be left: %v", s, left)
		}
	}
}

// TestNext: what Next does is the table, and nothing else.
func TestNext(t *testing.T) {
	t.Parallel()
	actions := map[Action]bool{}
	for _, tr := range Transitions() {
		actions[tr.Action] = true
	}
	for _, s := range States() {
		for a := range actions {
			to, ok := s.Next(a)
			if want := slices.ContainsFunc(transitions, func(tr Transition) bool { return tr == Transition{s, a, to} }); want != ok {
				t.Errorf("%s %s: %s %v", s, a, to, ok)
			}
			if !ok && to != s {
				t.Errorf("%s %s is refused and yet goes to %s", s, a, to)
			}
		}
	}
}

// TestWalk: on any walk an order is issued only out of ready, ready only out of
// pending by a pass, and is never open after it failed without being submitted
// again.
func TestWalk(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		at := StateDraft
		passed := false
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			var open []Transition
			for _, tr := range transitions {
				if tr.From == at {
					open = append(open, tr)
				}
			}
			tr := rapid.SampledFrom(open).Draw(t, "step")
			switch tr.Action {
			case ActionPass:
				passed = true
			case ActionReopen, ActionResubmit, ActionSubmit:
				passed = false
			}
			if tr.To == StateReady && tr.From != StateReady && (tr.From != StatePending || tr.Action != ActionPass) {
				t.Fatalf("ready by %+v", tr)
			}
			if tr.To == StateIssued && !passed {
				t.Fatalf("issued without a pass by %+v", tr)
			}
			if at.Ended() && tr.To.Open() && tr.Action != ActionResubmit {
				t.Fatalf("opened again by %+v", tr)
			}
			at = tr.To
		}
	})
}

// TestCloudStatus transcribes the table of the cloud's status numbers.
func TestCloudStatus(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		number int
		s      Standing
	}{
		{0, Standing{Order: StatePending}},
		{0, Standing{Order: StatePending, Kind: Renewal, Method: MethodFile}},
		{0, Standing{Order: StateReady, Method: MethodDNSAuto, Phase: PhaseIssue}},
		{1, Standing{Order: StateIssued, Certificate: CertificateValid}},
		{1, Standing{Order: StateIssued}},
		{2, Standing{Order: StateFailed}},
		{3, Standing{Order: StateIssued, Certificate: CertificateExpired}},
		{4, Standing{Order: StatePending, Method: MethodDNSAuto, Phase: PhaseValidation}},
		{5, Standing{Order: StateDraft}},
		{6, Standing{Order: StateCancelling}},
		{7, Standing{Order: StateCancelled}},
		{8, Standing{Order: StateLetter, Product: OV}},
		{9, Standing{Order: StateIssued, Certificate: CertificateRevoking}},
		{10, Standing{Order: StateIssued, Certificate: CertificateRevoked}},
		{11, Standing{Order: StatePending, Kind: Reissue}},
		{12, Standing{Order: StateIssued, Certificate: CertificateRevocationLetter}},
		{13, Standing{Order: StateDraft, Free: true}},
		{14, Standing{Order: StateIssued, Refunded: true}},
		{15, Standing{Order: StateIssued, Migrating: true}},
	} {
		if got := c.s.CloudStatus(); got != c.number {
			t.Errorf("%+v is %d, want %d", c.s, got, c.number)
		}
	}
	for phase, message := range map[Phase]string{
		PhasePreReview: "PRE-REVIEWING", PhaseReview: "LEGAL-REVIEWING", PhaseCA: "CA-REVIEWING", PhaseValidation: "PENDING-DCV",
	} {
		if got := (Standing{Order: StatePending, Phase: phase}).StatusMsg(); got != message {
			t.Errorf("%s: %s", phase, got)
		}
	}
	if got := (Standing{Order: StateReady}).StatusMsg(); got != "WAIT-ISSUE" {
		t.Error(got)
	}
}

// TestAllowed transcribes the table of what may be done when.
func TestAllowed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	in := func(days int) time.Time { return now.Add(time.Duration(days) * day) }
	issued := Standing{Order: StateIssued, Certificate: CertificateValid, NotAfter: in(60), Created: in(-30), Submitted: in(-30)}
	with := func(s Standing, change func(*Standing)) Standing { change(&s); return s }
	for _, c := range []struct {
		name   string
		s      Standing
		action Action
		want   bool
	}{
		{"check while pending", Standing{Order: StatePending}, ActionCheck, true},
		{"check after the end", Standing{Order: StateFailed}, ActionCheck, false},
		{"check when ready", Standing{Order: StateReady}, ActionCheck, false},
		{"edit a draft", Standing{Order: StateDraft}, ActionEdit, true},
		{"edit after submission", Standing{Order: StatePending}, ActionEdit, false},
		{"cancel pending", Standing{Order: StatePending}, ActionCancel, true},
		{"cancel with letter pending", Standing{Order: StateLetter, Product: OV}, ActionCancel, true},
		{"cancel issued", issued, ActionCancel, false},
		{"cancel in the second year of a series", Standing{Order: StatePending, SeriesYear: 2}, ActionCancel, false},
		{"resubmit failed", Standing{Order: StateFailed}, ActionResubmit, true},
		{"resubmit cancelled", Standing{Order: StateCancelled}, ActionResubmit, true},
		{"resubmit free", Standing{Order: StateFailed, Free: true}, ActionResubmit, false},
		{"resubmit pending", Standing{Order: StatePending}, ActionResubmit, false},
		{"remind DV after a day", Standing{Order: StatePending, Product: DV, Submitted: now.Add(-24 * time.Hour)}, ActionRemind, true},
		{"remind DV before", Standing{Order: StatePending, Product: DV, Submitted: now.Add(-24*time.Hour + 1)}, ActionRemind, false},
		{"remind OV after 72 h", Standing{Order: StatePending, Product: OV, Submitted: now.Add(-72 * time.Hour)}, ActionRemind, true},
		{"remind OV before", Standing{Order: StatePending, Product: OV, Submitted: now.Add(-72*time.Hour + 1)}, ActionRemind, false},
		{"remind EV before 96 h", Standing{Order: StatePending, Product: EV, Submitted: now.Add(-96*time.Hour + 1)}, ActionRemind, false},
		{"download", issued, ActionDownload, true},
		{"download while off", with(issued, func(s *Standing) { s.DownloadOff = true }), ActionDownload, false},
		{"download while revoking", with(issued, func(s *Standing) { s.Certificate = CertificateRevoking }), ActionDownload, false},
		{"reissue with 60 days left", issued, ActionReissue, true},
		{"reissue with 30 days left", with(issued, func(s *Standing) { s.NotAfter = in(30) }), ActionReissue, false},
		{"reissue while one runs", with(issued, func(s *Standing) { s.ReissueRunning = true }), ActionReissue, false},
		{"reissue free once", with(issued, func(s *Standing) { s.Free = true }), ActionReissue, true},
		{"reissue free twice", with(issued, func(s *Standing) { s.Free, s.Reissues = true, 1 }), ActionReissue, false},
		{"renew with 30 days left", with(issued, func(s *Standing) { s.NotAfter = in(30) }), ActionRenew, true},
		{"renew with 31 days left", with(issued, func(s *Standing) { s.NotAfter = in(31) }), ActionRenew, false},
		{"renew expired", with(issued, func(s *Standing) { s.NotAfter = in(-1) }), ActionRenew, false},
		{"revoke", issued, ActionRevoke, true},
		{"revoke an uploaded one", with(issued, func(s *Standing) { s.Uploaded = true }), ActionRevoke, false},
		{"revoke in the last 30 days", with(issued, func(s *Standing) { s.NotAfter = in(30) }), ActionRevoke, false},
		{"revoke a reissue alone", with(issued, func(s *Standing) { s.Kind = Reissue }), ActionRevoke, false},
		{"revoke a bound one", with(issued, func(s *Standing) { s.Bound = true }), ActionRevoke, false},
		{"revoke twice", with(issued, func(s *Standing) { s.Certificate = CertificateRevoked }), ActionRevoke, false},
		{"delete issued", issued, ActionDelete, false},
		{"delete expired", with(issued, func(s *Standing) { s.Certificate = CertificateExpired }), ActionDelete, true},
		{"delete revoked", with(issued, func(s *Standing) { s.Certificate = CertificateRevoked }), ActionDelete, true},
		{"delete uploaded", with(issued, func(s *Standing) { s.Uploaded = true }), ActionDelete, true},
		{"delete cancelled", Standing{Order: StateCancelled}, ActionDelete, true},
		{"delete pending", Standing{Order: StatePending}, ActionDelete, false},
		{"delete bound", with(issued, func(s *Standing) { s.Certificate, s.Bound = CertificateExpired, true }), ActionDelete, false},
		{"delete while its renewal is not issued", with(issued, func(s *Standing) { s.Certificate, s.RenewalPending = CertificateExpired, true }), ActionDelete, false},
		{"delete free within the hour", Standing{Order: StateCancelled, Free: true, Created: now.Add(-time.Hour + 1)}, ActionDelete, false},
		{"delete free after it", Standing{Order: StateCancelled, Free: true, Created: now.Add(-time.Hour)}, ActionDelete, true},
		{"anything while migrating", Standing{Order: StatePending, Migrating: true}, ActionCancel, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.s.May(c.action, now)
			if (err == nil) != c.want {
				t.Errorf("got %v", err)
			}
			var wrong *StateError
			if err != nil && (!errors.As(err, &wrong) || wrong.State != c.s.Order) {
				t.Errorf("%v names no state", err)
			}
		})
	}
}

// TestSubmitTo: only identity products wait for a letter, and only where the
// profile wants one.
func TestSubmitTo(t *testing.T) {
	t.Parallel()
	for _, p := range []Product{DV, OV, EV} {
		if SubmitTo(p, false) != StatePending || (SubmitTo(p, true) == StateLetter) != (p != DV) {
			t.Error(p)
		}
	}
}

// TestNewValue: 26 characters of 32 are 130 bits; values differ, every letter
// comes, none that is taken for another.
func TestNewValue(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	letters := map[rune]int{}
	for range 2000 {
		v, err := NewValue(rand.Reader)
		if err != nil || len(v) != ValueLength || seen[v] || strings.ContainsAny(v, "lo01") {
			t.Fatal(v, err)
		}
		seen[v] = true
		for _, r := range v {
			letters[r]++
		}
	}
	if len(letters) != 32 {
		t.Errorf("%d letters", len(letters))
	}
	for r, n := range letters { // 1,625 expected, standard deviation 40
		if n < 1325 || n > 1925 {
			t.Errorf("%c came %d times", r, n)
		}
	}
	id, err := NewID(rand.Reader)
	if err != nil || len(id) != IDLength {
		t.Error(id, err)
	}
	if _, err := NewValue(bytes.NewReader([]byte("short"))); err == nil {
		t.Error("a source that ends gives a value")
	}
}

// TestNumbers: later numbers come later, within a moment all are as likely, and times
// outside the years that they cover have numbers too.
func TestNumbers(t *testing.T) {
	t.Parallel()
	number := func(random io.Reader, at time.Time) string {
		t.Helper()
		id, err := NewNumber(random, at)
		if err != nil || len(id) != IDLength || strings.Trim(id, idAlphabet) != "" {
			t.Fatal(id, err)
		}
		return id
	}
	const moment = time.Second / 64
	begin := firstMoment.Add(3 * 365 * 24 * time.Hour)
	last := ""
	for i := range 1000 {
		id := number(rand.Reader, begin.Add(time.Duration(i)*moment))
		if id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
	zeros, ones := bytes.Repeat([]byte{0}, 8), bytes.Repeat([]byte{0xff}, 8)
	for at, want := range map[time.Time]string{
		firstMoment:                                 "00000000",
		firstMoment.Add(moment):                     "000000pF", // 3177 = 51*62 + 15
		firstMoment.Add((1<<36 - 1) * moment):       "zzfzdaWF",
		firstMoment.Add((1 << 36) * moment):         "00000000",
		time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC): "",
		{}: "",
	} {
		if id := number(bytes.NewReader(zeros), at); want != "" && id != want {
			t.Errorf("%s: %s, want %s", at, id, want)
		}
	}
	if a, b := number(bytes.NewReader(zeros), begin), number(bytes.NewReader(ones), begin); a == b {
		t.Errorf("%s whatever is random", a)
	}
	seen := map[string]bool{}
	for range 30_000 {
		seen[number(rand.Reader, begin)] = true
	}
	if len(seen) < 3100 || len(seen) > perMoment { // of 3,177 fewer than one is not seen
		t.Errorf("%d numbers of one moment", len(seen))
	}
	if _, err := NewNumber(bytes.NewReader(zeros[:7]), begin); err == nil {
		t.Error("a source that ends gives a number")
	}
}
