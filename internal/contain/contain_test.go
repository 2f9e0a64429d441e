package contain

import (
	"errors"
	"strings"
	"testing"
)

// TestGroup: all goroutines run, the first panic goes on where they are waited
// for, with where it happened.
func TestGroup(t *testing.T) {
	t.Parallel()
	var g Group
	done := make(chan int, 3)
	for i := range 3 {
		g.Go(func() {
			defer func() { done <- i }()
			if i == 1 {
				panic(errors.New("as a probe may"))
			}
		})
	}
	outer := Catch(g.Wait)
	if len(done) != 3 || outer == nil || outer != g.Panic() || outer.Text != "as a probe may" || !strings.Contains(outer.Stack, "TestGroup") {
		t.Errorf("%d done, %+v", len(done), outer)
	}
	var nested Group
	nested.Go(func() { panic(outer) })
	if p := nested.Settle(); p != outer {
		t.Errorf("%+v", p)
	}
	var fine Group
	fine.Go(func() {})
	if p := Catch(fine.Wait); p != nil {
		t.Error(p)
	}
}
