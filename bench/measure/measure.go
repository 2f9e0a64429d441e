// Package measure takes the figures of the benchmarks: two functions timed in turn,
// calls under load, memory of many at once. In turn, so that a ratio between two
// holds even while the machine's speed drifts.
package measure

import (
	"fmt"
	"slices"
	"time"
)

// A Ratio is the outcome of timing A against B: medians over the rounds.
type Ratio struct {
	A, B time.Duration // per call
	// Ratio is the median of A/B over the rounds, with the least and greatest.
	Ratio, Min, Max float64
}

// Against times a and b alternately for rounds rounds of about each per side.
func Against(a, b func(), rounds int, each time.Duration) Ratio {
	a()
	b()
	var as, bs, ratios []float64
	for range rounds {
		x, y := perCall(a, each), perCall(b, each)
		as, bs, ratios = append(as, x), append(bs, y), append(ratios, x/y)
	}
	slices.Sort(as)
	slices.Sort(bs)
	slices.Sort(ratios)
	mid := rounds / 2
	return Ratio{
		A: time.Duration(as[mid]), B: time.Duration(bs[mid]),
		Ratio: ratios[mid], Min: ratios[0], Max: ratios[rounds-1],
	}
}

// perCall returns nanoseconds per call over about the given time.
func perCall(f func(), each time.Duration) float64 {
	n := 0
	began := time.Now()
	for time.Since(began) < each {
		for range 16 {
			f()
		}
		n += 16
	}
	return float64(time.Since(began).Nanoseconds()) / float64(n)
}

// String prints the ratio as a row of a table.
func (r Ratio) String() string {
	return fmt.Sprintf("%10v  %10v  %5.2f×  (%.2f–%.2f)",
		r.A.Round(100*time.Nanosecond), r.B.Round(100*time.Nanosecond), r.Ratio, r.Min, r.Max)
}
