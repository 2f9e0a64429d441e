// Package contain keeps a panic in one goroutine from ending the program: what
// was seen of a hostile target may show a defect of ours, and must then cost an
// answer, not every order that is under way.
package contain

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A Panic is what a function panicked with.
type Panic struct {
	// Text is the value, Stack where it happened: for the operator's log only.
	Text, Stack string
}

// Error is the text.
func (p *Panic) Error() string { return "panic: " + p.Text }

// Recovered makes a Panic of what recover gave; nil where that is nil. A Panic
// that went on stays as it is.
func Recovered(what any) *Panic {
	switch what := what.(type) {
	case nil:
		return nil
	case *Panic:
		return what
	}
	return &Panic{Text: fmt.Sprint(what), Stack: string(debug.Stack())}
}

// Catch runs f and returns what it panicked with, nil where it did not.
func Catch(f func()) (p *Panic) {
	defer func() { p = Recovered(recover()) }()
	f()
	return nil
}

// A Group is a [sync.WaitGroup] whose goroutines do not end the program: the
// first panic goes on where the group is waited for. Its zero value is ready.
type Group struct {
	wait  sync.WaitGroup
	first atomic.Pointer[Panic]
}

// Go runs f in a goroutine. What waits for f by a channel must be told in a
// deferred call.
func (g *Group) Go(f func()) {
	g.wait.Go(func() { g.Note(Catch(f)) })
}

// Note notes a panic that was caught elsewhere; nil is none.
func (g *Group) Note(p *Panic) {
	if p != nil {
		g.first.CompareAndSwap(nil, p)
	}
}

// Panic is the first panic so far, nil where there was none.
func (g *Group) Panic() *Panic { return g.first.Load() }

// Wait waits for all goroutines and panics where one did.
func (g *Group) Wait() {
	if p := g.Settle(); p != nil {
		panic(p)
	}
}

// Settle waits for all goroutines and returns the first panic.
func (g *Group) Settle() *Panic {
	g.wait.Wait()
	return g.first.Load()
}
