package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/message"
	"assay/order"
	"assay/profile"
	"assay/review"
)

// story is an order on a clock of its own: what each look sees from some time on.
type story struct {
	now      time.Time
	chapters []chapter
	looked   []time.Duration // since the beginning
	began    time.Time
}

type chapter struct {
	from   time.Duration
	report review.Report
}

func (s *story) look(context.Context) (*review.Report, error) {
	age := s.now.Sub(s.began)
	s.looked = append(s.looked, age)
	var r review.Report
	for _, c := range s.chapters {
		if age >= c.from {
			r = c.report
		}
	}
	r.At = s.now
	return &r, nil
}

func (s *story) wait(ctx context.Context, next, _ time.Time) error {
	if !next.After(s.now) {
		return errors.New("the next look is not later")
	}
	s.now = next
	return ctx.Err()
}

func report(findings ...review.Finding) review.Report {
	r := review.Report{Order: &order.Order{Names: []string{"orchard.net"}}, Verdict: review.VerdictPass, Findings: findings}
	for _, f := range findings {
		if f.Level.Blocks() {
			r.Verdict = review.Verdict(f.Level)
		}
	}
	return r
}

func missing(seen string) review.Finding {
	return review.Finding{
		ID: "dns.record-missing@orchard.net", Cause: "dns.record-missing", Level: cause.Wait, Stage: "dns", Subject: "orchard.net",
		Title: "The record is missing", Explanation: "Seen: " + seen, Parameters: cause.Parameters{"seen": seen, "left": time.Minute},
	}
}

func follow(t *testing.T, s *story, f *checkFlags) (string, *review.Report, error) {
	t.Helper()
	p, err := profile.Named("cloud")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{out: &out, err: &out, getenv: func(string) string { return "" }, now: func() time.Time { return s.now }, text: message.New(cause.English)}
	a.flags.width = 80
	w := &follower{app: a, flags: f, profile: p, look: s.look, wait: s.wait}
	r, err := w.follow(t.Context())
	return out.String(), r, err
}

func newStory(chapters ...chapter) *story {
	began := time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)
	return &story{now: began, began: began, chapters: chapters}
}

// TestWatchPasses: it looks on the schedule and once when a cache runs out, says
// nothing while nothing changes, and ends when the order passes.
func TestWatchPasses(t *testing.T) {
	t.Parallel()
	retry := time.Date(2026, 11, 25, 8, 8, 40, 0, time.UTC)
	stale := review.Finding{ID: "dns.stale-cache@orchard.net", Cause: "dns.stale-cache", Level: cause.Wait, Stage: "dns", Subject: "orchard.net", Title: "A cache is stale", RetryAt: &retry}
	ticking := missing("nothing")
	ticking.Parameters = cause.Parameters{"seen": "nothing", "left": time.Second}
	s := newStory(
		chapter{0, report(missing("nothing"))},
		chapter{time.Minute, report(ticking)},
		chapter{5 * time.Minute, report(missing("hello"), stale)},
		chapter{8*time.Minute + 40*time.Second, report()},
	)
	text, r, err := follow(t, s, &checkFlags{})
	if err != nil || r.Verdict != review.VerdictPass {
		t.Fatalf("%+v %v", r, err)
	}
	if n := len(s.looked); n != 13 || s.looked[10] != 5*time.Minute || s.looked[11] != 7*time.Minute || s.looked[12] != 8*time.Minute+40*time.Second {
		t.Errorf("looked at %v", s.looked)
	}
	if got := strings.Count(text, "look "); got != 2 {
		t.Errorf("%d looks are told, want the two with changes:\n%s", got, text)
	}
	for _, want := range []string{
		"WAIT", "look 11", "changed: wait  orchard.net: The record is missing", "Seen: hello", "new: wait  orchard.net: A cache is stale",
		"look 13", "WAIT →", "gone:  orchard.net: A cache is stale", "Passed: nothing stops the order any more.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

// TestWatchEnds: at the deadline, and where looking again cannot help.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	s := newStory(chapter{0, report(missing("nothing"))})
	text, r, err := follow(t, s, &checkFlags{})
	if err != nil || r.Verdict != review.VerdictWait || s.looked[len(s.looked)-1] != 72*time.Hour {
		t.Errorf("%v, last look after %v", err, s.looked[len(s.looked)-1])
	}
	if !strings.Contains(text, "The deadline has been reached") {
		t.Error(text)
	}
	deadline := s.began.Add(90 * time.Minute)
	early := report(missing("nothing"))
	early.Deadline = &deadline
	s = newStory(chapter{0, early})
	if _, _, err := follow(t, s, &checkFlags{}); err != nil || s.looked[len(s.looked)-1] != 90*time.Minute {
		t.Errorf("%v, the order's own deadline: %v", err, s.looked)
	}
	refused := review.Finding{ID: "name.internal@a.corp", Cause: "name.internal", Level: cause.Refuse, Stage: "name"}
	s = newStory(chapter{0, report(refused)})
	text, r, err = follow(t, s, &checkFlags{})
	if err != nil || r.Verdict != review.VerdictRefuse || len(s.looked) != 1 || !strings.Contains(text, "something in the order itself") {
		t.Errorf("%v, looked at %v:\n%s", err, s.looked, text)
	}
}

// TestWatchJSON: a line for each look with a change, the last with the report.
func TestWatchJSON(t *testing.T) {
	t.Parallel()
	s := newStory(chapter{0, report(missing("nothing"))}, chapter{time.Minute, report()})
	text, _, err := follow(t, s, &checkFlags{json: true})
	if err != nil {
		t.Fatal(err)
	}
	var events []event
	d := json.NewDecoder(strings.NewReader(text))
	for d.More() {
		var e event
		if err := d.Decode(&e); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		events = append(events, e)
	}
	if len(events) != 2 || strings.Count(text, "\n") != 2 {
		t.Fatalf("want two lines:\n%s", text)
	}
	first, last := events[0], events[1]
	if first.Look != 1 || first.Verdict != "wait" || len(first.Added) != 1 || first.Next == nil || first.Next.Sub(first.At) != 30*time.Second || first.Report != nil {
		t.Errorf("%+v", first)
	}
	if last.Look != 3 || last.Verdict != "pass" || len(last.Removed) != 1 || last.Next != nil || last.End != "passed" || last.Report == nil {
		t.Errorf("%+v", last)
	}
}

// TestCountdown: the real wait ends with its context.
func TestCountdown(t *testing.T) {
	t.Parallel()
	a := &app{err: &bytes.Buffer{}, getenv: func(string) string { return "" }, now: time.Now, text: message.New(cause.English)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.countdown(ctx, time.Now().Add(time.Hour), time.Now().Add(time.Hour)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := a.countdown(t.Context(), time.Now(), time.Now()); err != nil {
		t.Error(err)
	}
}
