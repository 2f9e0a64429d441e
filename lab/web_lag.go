package lab

import (
	"net"
	"sync"
	"time"
)

// A lagging connection is the server's end of a link with a round-trip time:
// what it reads comes one round trip late (the client's connection took that
// long), what it writes leaves one round trip after it was written. Writes do
// not wait for each other.
type lagging struct {
	net.Conn
	lag   time.Duration
	first sync.Once
	start time.Time

	mu     sync.Mutex
	queue  []parcel
	kick   chan struct{}
	closed bool
	sent   chan struct{} // closed when the last parcel has left
}

type parcel struct {
	due  time.Time
	data []byte
}

// newLagging wraps a connection that was accepted now.
func newLagging(c net.Conn, lag time.Duration) net.Conn {
	if lag <= 0 {
		return c
	}
	l := &lagging{Conn: c, lag: lag, start: time.Now(), kick: make(chan struct{}, 1), sent: make(chan struct{})}
	go l.send()
	return l
}

func (l *lagging) Read(p []byte) (int, error) {
	l.first.Do(func() { time.Sleep(time.Until(l.start.Add(l.lag))) })
	return l.Conn.Read(p)
}

func (l *lagging) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, net.ErrClosed
	}
	l.queue = append(l.queue, parcel{time.Now().Add(l.lag), append([]byte(nil), p...)})
	l.wake()
	return len(p), nil
}

// SetLinger makes a close of zero seconds a reset.
func (l *lagging) SetLinger(sec int) error {
	if c, ok := l.Conn.(*net.TCPConn); ok {
		return c.SetLinger(sec)
	}
	return nil
}

func (l *lagging) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// SetDeadline and SetWriteDeadline: what was written leaves later, whatever
// deadline there was for writing it.
func (l *lagging) SetDeadline(t time.Time) error { return l.SetReadDeadline(t) }

// SetWriteDeadline does nothing: see SetDeadline.
func (l *lagging) SetWriteDeadline(time.Time) error { return nil }

// Close lets what was written leave first.
func (l *lagging) Close() error {
	l.mu.Lock()
	was := l.closed
	l.closed = true
	l.wake()
	l.mu.Unlock()
	if was {
		return net.ErrClosed
	}
	<-l.sent
	return l.Conn.Close()
}

func (l *lagging) send() {
	defer close(l.sent)
	for {
		l.mu.Lock()
		queue, closed := l.queue, l.closed
		l.queue = nil
		l.mu.Unlock()
		for _, p := range queue {
			time.Sleep(time.Until(p.due))
			_ = l.Conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
			if _, err := l.Conn.Write(p.data); err != nil {
				return
			}
		}
		if len(queue) > 0 {
			continue
		}
		if closed {
			return
		}
		<-l.kick
	}
}
