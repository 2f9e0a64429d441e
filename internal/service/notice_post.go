package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"assay/internal/store"
)

const (
	noticeEvery = time.Second
	noticeBatch = 32
	// noticeLanes is how many channels are served at once, and noticeLane how many
	// notices of one are in hand.
	noticeLanes = 512
	noticeLane  = 32
	// mailsAtOnce is how many connections to the mail server there are at most, and
	// mailTurn how long a mail waits for one.
	mailsAtOnce = 8
	mailTurn    = 5 * time.Second
	// noticeLater is how long what cannot get its turn is put off.
	noticeLater = 30 * time.Second
	// postponed is how many notices of a channel that fails wait with the one that did.
	postponed = 500
)

// A postman delivers what is due. The notices of a channel go one after the other;
// no channel waits for another, however long a server takes to answer.
type postman struct {
	*Service
	mu      sync.Mutex
	lanes   map[string][]leased
	running sync.WaitGroup
}

// leased is a notice that is ours until a time.
type leased struct {
	store.Notice
	until time.Time
}

func (s *Service) newPostman() *postman { return &postman{Service: s, lanes: map[string][]leased{}} }

// noticing delivers notices until ctx ends. What fails here counts against nothing
// but the notice.
func (s *Service) noticing(ctx context.Context) {
	m := s.newPostman()
	defer m.running.Wait()
	for ctx.Err() == nil {
		n, err := m.round(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("delivering notices failed; it is tried again", "error", err)
		}
		if n == noticeBatch && err == nil {
			continue // there may be more
		}
		select {
		case <-s.work.wait(min(noticeEvery, s.NoticeLease/4)):
		case <-ctx.Done():
		}
	}
}

// round takes what is due and has it delivered; it says how many it took. Nothing
// is written where none is due.
func (m *postman) round(ctx context.Context) (int, error) {
	if m.full() {
		return 0, nil
	}
	now := m.now()
	next, err := m.Store.NextNotice(ctx)
	if err != nil || next.IsZero() || next.After(now) {
		return 0, err
	}
	until := now.Add(m.NoticeLease)
	var taken []store.Notice
	err = m.Store.Write(ctx, func(tx store.Tx) (err error) {
		taken, err = tx.TakeNotices(now, m.Owner, until, noticeBatch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("leasing notices: %w", err)
	}
	for _, n := range taken {
		if !m.hand(ctx, leased{n, until}) {
			m.later(ctx, n)
		}
	}
	return len(taken), nil
}

func (m *postman) full() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.lanes) >= noticeLanes
}

// hand puts a notice into the lane of its channel; false: that is full.
func (m *postman) hand(ctx context.Context, n leased) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	lane, busy := m.lanes[n.Channel]
	if len(lane) >= noticeLane {
		return false
	}
	m.lanes[n.Channel] = append(lane, n)
	if !busy {
		m.running.Go(func() { m.serveChannel(ctx, n.Channel) })
	}
	return true
}

// later gives back a notice of a channel that has enough in hand, and puts off
// with it what else is due for that.
func (m *postman) later(ctx context.Context, n store.Notice) {
	at := m.now().Add(noticeLater)
	m.settleNotice(ctx, n, store.NoticeResult{State: store.NoticeDue, Due: at, Reason: n.Reason, At: m.now()})
	m.postpone(ctx, n.Channel, at)
}

func (m *postman) postpone(ctx context.Context, channel string, at time.Time) {
	err := m.Store.Write(context.WithoutCancel(ctx), func(tx store.Tx) error { return tx.PostponeNotices(channel, m.now(), at, postponed) })
	if err != nil {
		m.Log.Error("notices of a channel could not be put off", "channel", channel, "error", err)
	}
}

// next is the next notice of a lane; false: there is none, and the lane ends.
func (m *postman) next(channel string) (n leased, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	lane := m.lanes[channel]
	if len(lane) == 0 {
		delete(m.lanes, channel)
		return n, false
	}
	m.lanes[channel] = lane[1:]
	return lane[0], true
}

// serveChannel delivers the notices of one channel. Where one fails, those behind
// it wait as long as it does.
func (m *postman) serveChannel(ctx context.Context, channel string) {
	var wait time.Time
	for n, ok := m.next(channel); ok; n, ok = m.next(channel) {
		now := m.now()
		r := store.NoticeResult{State: store.NoticeDue, Due: n.Due, Reason: n.Reason, At: now}
		switch {
		case wait.After(now):
			r.Due = wait
		case ctx.Err() != nil || n.until.Sub(now) < m.NoticeLease/5:
		default:
			r = m.deliver(ctx, n.Notice)
			if ctx.Err() != nil && r.State == store.NoticeDue {
				r.Try, r.Due = nil, n.Due // it was we who broke off
			}
		}
		m.settleNotice(ctx, n.Notice, r)
		if r.State == store.NoticeDue && r.Due.After(m.now()) && !wait.Equal(r.Due) {
			wait = r.Due
			m.postpone(ctx, channel, wait)
		}
	}
}

// settleNotice writes down what came of a notice. Where that fails, it is taken
// again when its lease ends: it may then arrive twice, under the same id.
func (s *Service) settleNotice(ctx context.Context, n store.Notice, r store.NoticeResult) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	err := s.Store.Write(ctx, func(tx store.Tx) error { return tx.FinishNotice(n, s.Owner, r) })
	log := s.Log.With("notice", noticeID(&n), "event", n.Event)
	switch {
	case errors.Is(err, store.ErrLeaseLost):
		s.count(CountLost, 1)
		log.Info("this notice is no longer ours: its channel was removed, or another process has it")
	case err != nil:
		log.Error("what came of a notice could not be written down; it is sent again when its lease ends", "error", err)
	case r.State == store.NoticeSent:
		s.count(CountNotices, 1)
	case r.State == store.NoticeDead:
		s.count(CountDeadNotices, 1)
		log.Warn("a notice could not be delivered and is given up", "reason", r.Reason)
	case r.Try != nil:
		s.count(CountFailedNotices, 1)
	}
}

// errTurn: the mail server is busy with others.
var errTurn = errors.New("the mail server has no time for this yet")

// mailTurn waits for one of the few connections to the mail server, so that one
// that stalls keeps few things waiting.
func (s *Service) mailTurn(ctx context.Context) (done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, mailTurn)
	defer cancel()
	select {
	case s.mails <- struct{}{}:
		return func() { <-s.mails }, nil
	case <-ctx.Done():
		return nil, errTurn
	}
}
