package service

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

// BenchmarkApply: 32 clients apply for names of their own, each with a fresh key.
func BenchmarkApply(b *testing.B) {
	bed, ctx := newBed(b), context.Background()
	in := make([]Application, b.N)
	for i := range in {
		in[i] = dv(b, fmt.Sprintf("shop-%d.orchard-%d.net", i, i))
	}
	var next atomic.Int64
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := bed.Apply(ctx, bed.who[RoleApplicant], in[next.Add(1)-1]); err != nil {
				b.Error(err)
			}
		}
	})
}
