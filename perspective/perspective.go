// Package perspective is who looks: the places from which questions about the
// network are answered.
package perspective

import (
	"context"

	"assay/evidence"
)

// A Place is somewhere to look from. It is safe for concurrent use.
type Place interface {
	// About says what the place is, with what its self-test found.
	About() evidence.Perspective
	// Begin starts looking for one review. What is learnt of the target's zones
	// on the way (delegations, keys) is shared by the questions of this look and
	// forgotten with it; it is never an answer.
	Begin() Look
}

// A Look answers the questions of one review from one place.
type Look interface {
	// Answer answers questions at once and returns the observations in their
	// order. It does not fail: what could not be asked is an observation that
	// says so, also when ctx ends.
	Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation
	// Close forgets what was learnt.
	Close()
}
