package review

import (
	"time"

	"assay/evidence"
)

// lookups lists the records the rules need for this order under this profile.
func (f *facts) lookups() []evidence.LookupQuestion {
	questions := []evidence.LookupQuestion{{Topic: evidence.TopicInputs}}
	return questions
}

// deadline is when the order must have passed: fixed at submission. It is nil
// for a draft.
func (f *facts) deadline() *time.Time { return nil }
