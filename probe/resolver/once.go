package resolver

import (
	"context"
	"errors"
	"sync"
)

// once is something that is found out once and then shared: whoever asks first
// finds it out, the others wait. What was cut short by the end of a context is
// not kept; the next one tries again.
type once[T any] struct {
	mu    sync.Mutex
	f     *flight
	value T
	have  bool
}

// A flight is a finding-out under way.
type flight struct {
	done  chan struct{}
	depth int
}

// maxDepth is how deep finding one thing out may need another: the address of a
// name server whose zone is served by a name server whose …
const maxDepth = 8

// errCircle is returned where finding something out would wait for itself, or
// goes too deep.
var errCircle = errors.New("needs itself to be found out")

type flightKey struct{}

func (o *once[T]) get(ctx context.Context, w *waits, find func(context.Context) T) (T, error) {
	var none T
	me, _ := ctx.Value(flightKey{}).(*flight)
	for {
		o.mu.Lock()
		if o.have {
			defer o.mu.Unlock()
			return o.value, nil
		}
		f, first := o.f, false
		if f == nil {
			f, first = &flight{done: make(chan struct{})}, true
			if me != nil {
				f.depth = me.depth + 1
			}
			o.f = f
		}
		o.mu.Unlock()
		if first {
			return o.find(ctx, w, me, f, find)
		}
		if !w.add(me, f) {
			return none, errCircle
		}
		select {
		case <-f.done:
		case <-ctx.Done():
		}
		w.remove(me, f)
		if ctx.Err() != nil {
			return none, ctx.Err()
		}
	}
}

func (o *once[T]) find(ctx context.Context, w *waits, me, f *flight, find func(context.Context) T) (value T, err error) {
	found := false
	defer func() { // also where find panics: others wait
		o.mu.Lock()
		o.f = nil
		if found && ctx.Err() == nil {
			o.value, o.have = value, true
		}
		o.mu.Unlock()
		close(f.done)
	}()
	if f.depth > maxDepth {
		return value, errCircle
	}
	w.add(me, f)
	defer w.remove(me, f)
	value = find(context.WithValue(ctx, flightKey{}, f))
	found = true
	return value, nil
}

// peek returns what was found out, without waiting.
func (o *once[T]) peek() (T, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.value, o.have
}

// known reports whether it was found out, or is about to be.
func (o *once[T]) known() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.have || o.f != nil
}

// drop forgets what was found out, if it still is what old says.
func (o *once[T]) drop(old func(T) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.have && old(o.value) {
		o.have = false
	}
}

// waits says which flights wait for which, so that a circle is noticed before it
// closes: two zones whose name servers are in each other.
type waits struct {
	mu    sync.Mutex
	edges map[*flight]map[*flight]int
}

// add notes that one flight waits for another, unless that one waits for it.
func (w *waits) add(from, to *flight) bool {
	if from == nil {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reaches(to, from, map[*flight]bool{}) {
		return false
	}
	if w.edges == nil {
		w.edges = map[*flight]map[*flight]int{}
	}
	if w.edges[from] == nil {
		w.edges[from] = map[*flight]int{}
	}
	w.edges[from][to]++
	return true
}

func (w *waits) reaches(from, to *flight, seen map[*flight]bool) bool {
	if from == to {
		return true
	}
	seen[from] = true
	for next := range w.edges[from] {
		if !seen[next] && w.reaches(next, to, seen) {
			return true
		}
	}
	return false
}

func (w *waits) remove(from, to *flight) {
	if from == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.edges[from][to]--; w.edges[from][to] == 0 {
		delete(w.edges[from], to)
	}
	if len(w.edges[from]) == 0 {
		delete(w.edges, from)
	}
}
