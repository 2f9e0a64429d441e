package assay

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/perspective"
	"assay/review"
)

// maxRounds bounds how often a review may ask further questions.
const maxRounds = 8

// A Looking is one order being looked at: what was seen is kept, so that the same
// observations can be judged again, for another purpose or as of another time.
// It is not safe for concurrent use.
type Looking struct {
	reviewer *Reviewer
	prepared *review.Case
	in       review.Input
	rounds   *rounds
	digest   string
}

// Look begins to look at an order. What is known already is not asked for:
// known are observations, such as answers to lookups. The error says that the
// reviewer is not usable. Close the looking when done.
func (r *Reviewer) Look(o *order.Order, known ...evidence.Observation) (*Looking, error) {
	in, set, err := r.input()
	if err != nil {
		return nil, err
	}
	in.Seen = known
	l := &Looking{reviewer: r, prepared: review.Prepare(o, set), in: in, rounds: r.begin()}
	if len(r.Places) > 1 { // the primary place signs nothing
		l.digest = orderDigest(o)
	}
	return l, nil
}

// Review asks what the rules still need and judges all that was seen, in a mode
// as of a time. What was seen before is not looked at again.
func (l *Looking) Review(ctx context.Context, mode review.Mode, at time.Time) (*review.Report, error) {
	if l.digest != "" {
		ctx = perspective.WithOrder(ctx, l.digest)
	}
	l.in.Mode, l.in.At = mode, at
	for range maxRounds {
		questions := l.prepared.Ask(l.in)
		if len(questions) == 0 {
			report := l.prepared.Judge(l.in)
			report.Timing = l.rounds.timing
			if lang := l.reviewer.Lang; lang != "-" {
				report.Localize(cmp.Or(lang, cause.English))
			}
			return report, nil
		}
		seen, err := l.rounds.answer(ctx, questions, at)
		if err != nil {
			return nil, err
		}
		l.in.Seen = append(l.in.Seen, seen...)
	}
	return nil, fmt.Errorf("the review still asks questions after %d rounds", maxRounds)
}

// Proven are the challenges that validated a name of the order, by the last
// review; see [review.Case.Proven].
func (l *Looking) Proven(r *review.Report) ([]order.Challenge, bool) {
	return l.prepared.Proven(l.in, r)
}

// Close forgets what was learnt on the way.
func (l *Looking) Close() { l.rounds.close() }
