package schedule

import (
	"testing"
	"time"

	"assay/cause"
	"assay/review"
)

var began = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

// TestNext: the intervals at each age, and the ends.
func TestNext(t *testing.T) {
	t.Parallel()
	deadline := began.Add(72 * time.Hour)
	for _, c := range []struct {
		name        string
		age         time.Duration
		retry       []time.Duration
		pause       time.Duration
		want        time.Duration // after the last look; 0: no more
		deadlineAge time.Duration
	}{
		{name: "at the start", want: 30 * time.Second},
		{name: "just before 5 min", age: 4*time.Minute + 59*time.Second, want: 30 * time.Second},
		{name: "at 5 min", age: 5 * time.Minute, want: 2 * time.Minute},
		{name: "at 1 h", age: time.Hour, want: 10 * time.Minute},
		{name: "at 24 h", age: 24 * time.Hour, want: 30 * time.Minute},
		{name: "near the deadline", age: 72*time.Hour - time.Minute, want: time.Minute},
		{name: "at the deadline", age: 72 * time.Hour},
		{name: "after it", age: 73 * time.Hour},
		{name: "a cache runs out between", age: 2 * time.Hour, retry: []time.Duration{2*time.Hour + 3*time.Minute, 2*time.Hour + 7*time.Minute}, want: 3 * time.Minute},
		{name: "a cache ran out", age: 2 * time.Hour, retry: []time.Duration{2 * time.Hour, time.Hour}, want: 10 * time.Minute},
		{name: "a cache runs out later", age: 2 * time.Hour, retry: []time.Duration{3 * time.Hour}, want: 10 * time.Minute},
		{name: "a limit pauses", age: time.Minute, pause: 5 * time.Minute, want: 4 * time.Minute},
		{name: "a limit beyond the deadline", age: 71 * time.Hour, pause: 90 * time.Hour, want: time.Hour},
	} {
		p := Plan{Began: began, Last: began.Add(c.age), Deadline: deadline}
		for _, r := range c.retry {
			p.Retry = append(p.Retry, began.Add(r))
		}
		if c.pause != 0 {
			p.Pause = began.Add(c.pause)
		}
		at, more := p.Next()
		if more != (c.want != 0) || more && at.Sub(p.Last) != c.want {
			t.Errorf("%s: next after %v, %v; want %v", c.name, at.Sub(p.Last), more, c.want)
		}
	}
}

// TestThreeDays: following an order for its 72 hours looks this often.
func TestThreeDays(t *testing.T) {
	t.Parallel()
	p := Plan{Began: began, Last: began, Deadline: began.Add(72 * time.Hour)}
	looks := 1
	for {
		at, more := p.Next()
		if !more {
			break
		}
		if !at.After(p.Last) {
			t.Fatalf("no progress at %v", at)
		}
		p.Last = at
		looks++
	}
	if looks != 273 {
		t.Errorf("%d looks", looks)
	}
}

func TestFromAndFinal(t *testing.T) {
	t.Parallel()
	at := func(m int) *time.Time { v := began.Add(time.Duration(m) * time.Minute); return &v }
	finding := func(stage cause.Stage, level cause.Level, retry *time.Time) review.Finding {
		return review.Finding{Stage: stage, Level: level, RetryAt: retry}
	}
	r := &review.Report{Verdict: review.VerdictWait, Findings: []review.Finding{
		finding("dns", cause.Wait, at(10)), finding("dns", cause.Warn, at(1)), finding("limit", cause.Refuse, at(5)), finding("limit", cause.Wait, at(3)),
	}}
	p := Plan{Began: began, Last: began, Deadline: began.Add(time.Hour)}.From(r)
	if len(p.Retry) != 3 || !p.Pause.Equal(*at(5)) {
		t.Errorf("%+v", p)
	}
	for _, c := range []struct {
		verdict review.Verdict
		stage   cause.Stage
		level   cause.Level
		retry   *time.Time
		want    bool
	}{
		{review.VerdictPass, "dns", cause.Warn, nil, true},
		{review.VerdictWait, "dns", cause.Wait, nil, false},
		{review.VerdictRefuse, "caa", cause.Refuse, nil, false},
		{review.VerdictRefuse, "name", cause.Refuse, nil, true},
		{review.VerdictRefuse, "limit", cause.Refuse, nil, true},
		{review.VerdictRefuse, "limit", cause.Refuse, at(10), false},
		{review.VerdictReview, "policy", cause.Review, nil, false},
	} {
		r := &review.Report{Verdict: c.verdict, Findings: []review.Finding{finding(c.stage, c.level, c.retry)}}
		if Final(r) != c.want {
			t.Errorf("%s with %s of stage %s: final %v", c.verdict, c.level, c.stage, !c.want)
		}
	}
}

func TestSparse(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]bool{-time.Hour: false, 0: false, 24*time.Hour - 1: false, 24 * time.Hour: true, 72 * time.Hour: true} {
		if got := Sparse(age); got != want {
			t.Errorf("%s: %v", age, got)
		}
	}
}
