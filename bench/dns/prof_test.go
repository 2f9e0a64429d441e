package main

import (
	"testing"
)

func BenchmarkLook(b *testing.B) {
	w, p, err := open(false, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := look(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
