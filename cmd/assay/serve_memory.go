package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A tender of memory collects garbage seldom while there is much to do, which saves a
// twentieth of the processors, and gives memory back when there is little.
type tender struct {
	last   uint64 // bytes allocated since the start, when it looked last
	calm   int    // how often in a row little was
	seldom bool   // whether garbage is collected seldom
}

const (
	tendEvery = time.Second
	// busy is how many bytes are allocated between two looks where there is much to
	// do: some tens of orders.
	busy = 32 << 20
	// calmAfter is how many looks at little make calm.
	calmAfter = 10
	// seldomPercent is the collector's target under load; Go's own is 100.
	seldomPercent, calmPercent = 400, 100
)

// look says whether the mode changes, from what was allocated since the start.
func (t *tender) look(allocated uint64) (changed bool) {
	much := allocated-t.last >= busy
	t.last = allocated
	if much {
		t.calm = 0
	} else {
		t.calm++
	}
	was := t.seldom
	t.seldom = much || was && t.calm < calmAfter
	return t.seldom != was
}

// tendMemory runs until ctx ends.
func tendMemory(ctx context.Context) {
	var t tender
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	t.last = sample[0].Value.Uint64()
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(sample)
		switch changed := t.look(sample[0].Value.Uint64()); {
		case !changed:
		case t.seldom:
			debug.SetGCPercent(seldomPercent)
		default:
			debug.SetGCPercent(calmPercent)
			debug.FreeOSMemory()
		}
	}
}
