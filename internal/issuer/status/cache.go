package status

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// A kept value says how long it can be answered with.
type kept interface {
	// fresh: without a look; usable: where a look fails.
	fresh(now time.Time) bool
	usable(now time.Time) bool
	// size is what it counts for.
	size() int
}

// loadTimeout bounds how long a value is waited for.
const loadTimeout = 10 * time.Second

// A cache keeps values, the least recently used ones going first. Of those that
// ask for the same value at once, one loads it and the others wait for that.
type cache[K comparable, V kept] struct {
	limit int
	now   func() time.Time
	away  func() bool // nobody waits for a load then who can be answered with what was

	mu    sync.Mutex
	slots map[K]*slot[K, V]
	order *list.List // of *slot, the last used in front
	used  int
}

// A slot is a value or the wait for one.
type slot[K comparable, V kept] struct {
	key   K
	ready chan struct{} // closed once value or err is there
	value V
	err   error
	// had is the value before, where there was one.
	had     V
	hasHad  bool
	element *list.Element // nil while it is waited for
}

func newCache[K comparable, V kept](limit int, now func() time.Time, away func() bool) *cache[K, V] {
	return &cache[K, V]{limit: limit, now: now, away: away, slots: map[K]*slot[K, V]{}, order: list.New()}
}

// get returns the value of a key, loading it where it is not there or not fresh.
// load gets the value before, or its zero value. It runs until it is done even
// if ctx ends, for the others' sake.
func (c *cache[K, V]) get(ctx context.Context, key K, now time.Time, load func(ctx context.Context, had V) (V, error)) (V, error) {
	c.mu.Lock()
	s := c.slots[key]
	switch {
	case s != nil && s.element == nil: // another is loading it
		c.mu.Unlock()
		if s.hasHad && s.had.usable(now) && c.away() {
			return s.had, nil
		}
		return s.wait(ctx)
	case s != nil && s.value.fresh(now):
		c.order.MoveToFront(s.element)
		c.mu.Unlock()
		return s.value, nil
	}
	next := &slot[K, V]{key: key, ready: make(chan struct{})}
	if s != nil {
		next.had, next.hasHad = s.value, true
		c.drop(s)
	}
	c.slots[key] = next
	c.mu.Unlock()
	go c.load(context.WithoutCancel(ctx), next, load)
	return next.wait(ctx)
}

func (s *slot[K, V]) wait(ctx context.Context) (V, error) {
	select {
	case <-s.ready:
		return s.value, s.err
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}

// errOutdated is a load's error where the value before is known to be wrong, and no new
// one could be made.
var errOutdated = errors.New("outdated")

// load loads a value. Where nobody can say whether the one before still holds, that is
// answered while it is usable.
func (c *cache[K, V]) load(ctx context.Context, s *slot[K, V], load func(ctx context.Context, had V) (V, error)) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	s.value, s.err = load(ctx, s.had)
	if s.err != nil && !errors.Is(s.err, ErrUnknown) && !errors.Is(s.err, errOutdated) && s.hasHad && s.had.usable(c.now()) {
		s.value, s.err = s.had, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// Where the key was forgotten meanwhile, what was loaded may be older than
	// that: whoever waited for it asked before and may have it, no one after.
	if c.slots[s.key] == s {
		if s.err != nil {
			delete(c.slots, s.key)
		} else {
			s.element = c.order.PushFront(s)
			c.used += s.value.size()
			for c.used > c.limit && c.order.Len() > 1 {
				c.drop(c.order.Back().Value.(*slot[K, V]))
			}
		}
	}
	close(s.ready)
}

// drop takes a loaded slot out; c.mu is held.
func (c *cache[K, V]) drop(s *slot[K, V]) {
	c.order.Remove(s.element)
	c.used -= s.value.size()
	delete(c.slots, s.key)
}

// forget drops a key, and what is being loaded for it.
func (c *cache[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.slots[key]
	switch {
	case s == nil:
	case s.element != nil:
		c.drop(s)
	default:
		delete(c.slots, key)
	}
}
