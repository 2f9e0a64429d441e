package service

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestCrowd: a check waits while many wait for answers, and no longer than it may.
func TestCrowd(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		here int
		// leave is when one of them gets an answer; 0: nobody does.
		leave, want time.Duration
	}{
		"nobody":      {0, 0, 0},
		"few":         {few(), 0, 0},
		"a crowd":     {few() + 1, 0, yield},
		"it thins":    {few() + 1, yield / 4, yield/4 + calm},
		"it thins on": {few() + 2, yield / 4, yield/2 + calm}, // one after the other
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c crowd
				for range x.here {
					c.enter()
				}
				began := time.Now()
				var answered sync.WaitGroup
				defer answered.Wait()
				if x.leave > 0 {
					answered.Go(func() {
						for range x.here {
							time.Sleep(x.leave)
							c.leave()
						}
					})
				}
				c.pass(context.Background(), time.After)
				if took := time.Since(began); took != x.want {
					t.Errorf("waited %v of %v", took, x.want)
				}
			})
		})
	}
	ended, end := context.WithCancel(context.Background())
	end()
	var c crowd
	for range few() + 1 {
		c.enter()
	}
	c.pass(ended, func(time.Duration) <-chan time.Time { return nil }) // comes back
}
