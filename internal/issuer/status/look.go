package status

import (
	"errors"
	"sync"
)

// errAway: another look is under way, after one that failed.
var errAway = errors.New("the source does not answer")

// looks are the reads of a source that may hang. After one that failed, one looks at a
// time, and nobody waits for it who need not.
type looks struct {
	mu       sync.Mutex
	failed   bool // the last one did
	underWay int
}

// look reads, unless somebody does whose read may take as long as the one before.
func (l *looks) look(read func() error) error {
	l.mu.Lock()
	if l.failed && l.underWay > 0 {
		l.mu.Unlock()
		return errAway
	}
	l.underWay++
	l.mu.Unlock()
	err := read()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.underWay--
	l.failed = err != nil && !errors.Is(err, ErrUnknown)
	return err
}

// away reports whether the last look failed, and nobody knows yet what becomes of the next.
func (l *looks) away() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed && l.underWay > 0
}
