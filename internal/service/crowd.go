package service

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// A crowd is who waits for an answer. Checks, which nobody waits for, give way to
// them: applying goes first as long as there are more than the processors can serve.
type crowd struct {
	mu   sync.Mutex
	n    int
	thin chan struct{} // closed as soon as there is no crowd any more; nil: there is none
}

// yield is how long what is due gives way at most, so that checks are made however many
// orders come: 64 at a time, each a second later than else.
const yield = time.Second

// few is how many requests at once are no crowd.
func few() int { return 2 * runtime.GOMAXPROCS(0) }

func (c *crowd) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.n > few() && c.thin == nil {
		c.thin = make(chan struct{})
	}
}

func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n <= few() && c.thin != nil {
		close(c.thin)
		c.thin = nil
	}
}

// pass waits until there is no crowd, for as long as [yield] at most.
func (c *crowd) pass(ctx context.Context, after func(time.Duration) <-chan time.Time) {
	c.mu.Lock()
	thin := c.thin
	c.mu.Unlock()
	if thin == nil {
		return
	}
	select {
	case <-thin:
	case <-after(yield):
	case <-ctx.Done():
	}
}
