package assay

import (
	"time"

	"assay/data"
	"assay/internal/config"
	"assay/perspective"
)

// Here returns this machine as a place on the public internet, the primary of a
// [Reviewer]: it asks from IANA's root servers and validates from IANA's trust
// anchors, as set has them (nil: the embedded ones). Test it once before the
// first review, so that what does not work here is no finding about a target:
//
//	place.SelfTest(ctx)
//
// It keeps what it learnt of the root and of top-level domains, so one place
// should serve all reviews of a program.
func Here(set *data.Set) (*perspective.Local, error) {
	if set == nil {
		set = data.Embedded()
	}
	n, err := (&config.Config{}).Network(set, time.Now())
	if err != nil {
		return nil, err
	}
	return n.Place("P0", nil)
}
