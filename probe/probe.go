// Package probe answers questions by looking at the network: it reports what it
// saw and judges nothing. Package dial guards every connection, package resolver
// asks the DNS, package dnssec validates.
package probe

import (
	"time"

	"assay/evidence"
	"assay/probe/dial"
)

// A Prober looks from one place.
type Prober struct {
	// Perspective is the id of the place, "P0" for the primary.
	Perspective string
	// Dialer reaches addresses, behind the guard.
	Dialer *dial.Dialer
	// Network holds the settings that are not the public internet's; it is
	// stamped on every observation. Nil on the internet.
	Network *evidence.NetworkOptions
	// Now is the clock.
	Now func() time.Time
}

// observation starts the answer to a question.
func (p *Prober) observation(q evidence.Question, began time.Time) evidence.Observation {
	return evidence.Observation{
		Question: q, At: began.UTC(), Millis: float64(p.Now().Sub(began).Microseconds()) / 1000, Network: p.Network,
	}
}

func (p *Prober) timeout() time.Duration {
	if p.Dialer.Timeout > 0 {
		return p.Dialer.Timeout
	}
	return dial.DefaultTimeout
}
