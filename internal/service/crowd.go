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
	thin chan struct{} // closed when there is no crowd any more; nil: there is none
	rest *time.Timer   // until then; nil: there are too many
}

// yield is how long what is due gives way at most, so that checks are made however many
// orders come: 64 at a time, each a second later than else.
const yield = time.Second

// calm is how long there must be few before a crowd is over: who is answered together
// with many others, as those of one commit are, may come again at once.
const calm = 10 * time.Millisecond

// few is how many requests at once are no crowd.
func few() int { return 2 * runtime.GOMAXPROCS(0) }

func (c *crowd) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.n <= few() {
		return
	}
	if c.thin == nil {
		c.thin = make(chan struct{})
	}
	if c.rest != nil {
		c.rest.Stop()
		c.rest = nil
	}
}

func (c *crowd) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n--; c.n <= few() && c.thin != nil && c.rest == nil {
		c.rest = time.AfterFunc(calm, c.over)
	}
}

// over ends a crowd, unless there are many again.
func (c *crowd) over() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n <= few() && c.thin != nil {
		close(c.thin)
		c.thin, c.rest = nil, nil
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
