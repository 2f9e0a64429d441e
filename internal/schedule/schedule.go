// Package schedule says when an order that is being followed is looked at again.
package schedule

import (
	"time"

	"assay/cause"
	"assay/review"
)

// A Step is an interval that holds from the beginning until an age is reached.
type Step struct {
	Every time.Duration
	Until time.Duration // age; 0: without end
}

// Steps is how often an order is looked at: every 30 s for 5 min, every 2 min
// to 1 h, every 10 min to 24 h, every 30 min to the deadline. (Catalogue E: no
// vendor publishes its own.)
func Steps() []Step {
	return []Step{
		{30 * time.Second, 5 * time.Minute},
		{2 * time.Minute, time.Hour},
		{10 * time.Minute, 24 * time.Hour},
		{30 * time.Minute, 0},
	}
}

// Sparse reports whether an order of an age is looked at as seldom as it gets.
func Sparse(age time.Duration) bool {
	for _, s := range Steps() {
		if s.Until != 0 && age < s.Until {
			return false
		}
	}
	return true
}

// A Plan is what the next look depends on.
type Plan struct {
	// Began is when following began, Last when the last look did.
	Began, Last time.Time
	// Deadline is when the order must have passed; there is no look after it,
	// and one at it.
	Deadline time.Time
	// Retry are times at which something that was in the way can have gone: each
	// is looked at once, between the regular looks.
	Retry []time.Time
	// Pause is when a limit is reset that looking any earlier cannot help
	// against; the zero time: none.
	Pause time.Time
}

// Next returns when to look next; more is false where the deadline is reached.
func (p Plan) Next() (at time.Time, more bool) {
	if !p.Last.Before(p.Deadline) {
		return time.Time{}, false
	}
	age := p.Last.Sub(p.Began)
	for _, s := range Steps() {
		if s.Until == 0 || age < s.Until {
			at = p.Last.Add(s.Every)
			break
		}
	}
	for _, r := range p.Retry {
		if r.After(p.Last) && r.Before(at) {
			at = r
		}
	}
	if at.Before(p.Pause) {
		at = p.Pause
	}
	if at.After(p.Deadline) {
		at = p.Deadline
	}
	return at, true
}

// From reads out of a report what the next look depends on: the times at which
// a blocking finding can have gone, and the pause that a limit asks for.
func (p Plan) From(r *review.Report) Plan {
	p.Retry, p.Pause = nil, time.Time{}
	for i := range r.Findings {
		f := &r.Findings[i]
		if f.RetryAt == nil || !f.Level.Blocks() {
			continue
		}
		p.Retry = append(p.Retry, *f.RetryAt)
		if f.Stage == "limit" && f.RetryAt.After(p.Pause) {
			p.Pause = *f.RetryAt
		}
	}
	return p
}

// Final reports whether looking again cannot change a report's verdict: it
// passed, or something in the order itself stops it, which no time ends and only
// another order can change.
func Final(r *review.Report) bool {
	if r.Verdict == review.VerdictPass {
		return true
	}
	for i := range r.Findings {
		if f := &r.Findings[i]; f.Level == cause.Refuse && f.RetryAt == nil && !changes(f.Stage) {
			return true
		}
	}
	return false
}

// changes reports whether a stage is about something that changes while the
// order stays the same.
func changes(s cause.Stage) bool {
	switch s {
	case "dns", "file", "tls", "caa", "perspective", "issuance", "upload", "deploy":
		return true
	}
	return false
}
