package perspective

import (
	"context"

	"assay/evidence"
	"assay/internal/contain"
	"assay/probe"
)

// Local is this process as a place to look from.
type Local struct{ prober *probe.Prober }

// NewLocal returns the place that a prober looks from.
func NewLocal(p *probe.Prober) *Local { return &Local{p} }

// About says what the place is, with what its self-test found.
func (l *Local) About() evidence.Perspective { return l.prober.About() }

// SelfTest finds out what does not work at this place; see [probe.Prober.SelfTest].
func (l *Local) SelfTest(ctx context.Context) []evidence.Missing { return l.prober.SelfTest(ctx) }

// OnDefect has f told of panics; see [probe.Prober.OnDefect].
func (l *Local) OnDefect(f func(*contain.Panic)) { l.prober.OnDefect(f) }

// Begin starts looking for one review.
func (l *Local) Begin() Look { return l.prober.Begin() }
