package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"assay/internal/service"
	"assay/internal/store"
)

// An ear receives the webhooks of two channels, and remembers what it heard.
// Nothing of that comes from the database.
type ear struct {
	*httptest.Server
	mu sync.Mutex
	// heard is, by channel and webhook-id, what the notice is about.
	heard map[string]map[string]happening
	// again is how many came again, under the id that they had.
	again int
	wrong []string
	// channels are their ids, by the path that they lead to; since is when they were
	// made.
	channels map[string]string
	since    time.Time
}

// A happening is what a notice says of when what happened to which order.
type happening struct {
	event, order string
	at           time.Time
}

func newEar(t *testing.T, r *rand.Rand) *ear {
	e := &ear{heard: map[string]map[string]happening{}, channels: map[string]string{}}
	var mu sync.Mutex
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		raw, err := io.ReadAll(q.Body)
		if err != nil {
			return // its sender was killed in the middle
		}
		e.hear(q.URL.Path, q.Header.Get("webhook-id"), raw)
		mu.Lock()
		pause := time.Duration(r.IntN(12)) * time.Millisecond
		mu.Unlock()
		<-time.After(pause) // as any network: many a sender is killed before the answer
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *ear) hear(path, id string, raw []byte) {
	var b struct {
		Type      string
		Timestamp time.Time
		Data      struct{ Order string }
	}
	err := json.Unmarshal(raw, &b)
	h := happening{b.Type, b.Data.Order, b.Timestamp}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil || id == "" || h.order == "" {
		e.wrong = append(e.wrong, fmt.Sprintf("heard %q as %q: %v", raw, id, err))
		return
	}
	if e.heard[path] == nil {
		e.heard[path] = map[string]happening{}
	}
	before, again := e.heard[path][id]
	switch {
	case again && before != h:
		e.wrong = append(e.wrong, fmt.Sprintf("notice %s told first of %v, then of %v", id, before, h))
	case again:
		e.again++
	}
	e.heard[path][id] = h
}

// shows reports whether enough was heard during n kills to show anything.
func (e *ear) shows(n int) bool {
	if e == nil {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.heard["/all"]) >= n/2 && e.again > 0
}

// told is what the docs say that is told of an entry; "": nothing.
func told(e *store.Entry) string {
	switch e.Action {
	case "order.submit", "order.resubmit":
		return "order.submitted"
	case "order.pass":
		return "order.ready"
	case "order.refuse", "review.refuse":
		return "order.refused"
	case "review.open", "review.agree":
		return "review.opened"
	case "review.ask":
		return "review.asked"
	case "review.answer":
		return "review.answered"
	case "review.urge":
		return "review.urged"
	case "review.approve", "review.withdraw":
		return "review.decided"
	case "order.cancel":
		return "order.cancelled"
	case "order.check":
		var d struct {
			Added          []string
			Verdict, Phase string
		}
		if json.Unmarshal(e.Data, &d) == nil && len(d.Added) > 0 && d.Verdict != "unknown" && d.Phase != "review" {
			return "order.findings"
		}
	}
	return ""
}

// asked are the events that each channel asks for.
func asked() map[string][]string {
	return map[string][]string{
		"/all": {
			"order.submitted", "order.ready", "order.refused", "order.cancelled", "order.findings",
			"review.opened", "review.asked", "review.answered", "review.urged", "review.decided",
		},
		"/passed": {"order.ready"},
	}
}

// told proves that each event has its notice, one for each channel that asks for it;
// that what counts as sent was heard; and that nothing else was.
func (p *proof) told(ctx context.Context, entries map[string][]store.Entry) error {
	e := p.book.ear
	if e == nil || e.since.IsZero() {
		return nil
	}
	rows := map[string]store.Notice{} // by id
	for id := range entries {
		f := store.NoticeFilter{Tenant: service.RootTenant, Order: id, Limit: 200}
		for {
			list, err := p.db.Notices(ctx, f)
			if err != nil {
				return err
			}
			for _, n := range list {
				rows[n.Entry+"."+n.Channel] = n
				f.Before = store.NoticeKey{At: n.At, Entry: n.Entry, Channel: n.Channel}
			}
			if len(list) < f.Limit {
				break
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p.faults = append(p.faults, e.wrong...)
	for path, channel := range e.channels {
		wanted := map[happening]string{}
		for id, list := range entries {
			for i := range list {
				if event := told(&list[i]); slices.Contains(asked()[path], event) && !list[i].At.Before(e.since) {
					wanted[happening{event, id, list[i].At}] = list[i].ID + "." + channel
				}
			}
		}
		p.outbox(path, channel, wanted, rows)
	}
	return nil
}

// outbox compares one channel: what it should hear, the rows of the outbox, and what
// it heard.
func (p *proof) outbox(path, channel string, wanted map[happening]string, rows map[string]store.Notice) {
	heard := p.book.ear.heard[path]
	for h, id := range wanted {
		n, there := rows[id]
		_, arrived := heard[id]
		switch {
		case !there:
			p.fault("notice lost: %v has none to %s", h, path)
		case n.State == store.NoticeSent && !arrived:
			p.fault("notice lost: %s about %v counts as sent and was not heard", id, h)
		case n.State != store.NoticeSent && n.State != store.NoticeDue && (n.State != store.NoticeQuiet || h.event != "order.findings"):
			p.fault("notice lost: %s about %v is %s: %s", id, h, n.State, n.Reason)
		}
	}
	count := 0
	for id, n := range rows {
		if n.Channel == channel {
			count++
			if wanted[happening{n.Event, n.Order, n.At}] != id {
				p.fault("told twice: %s about %s of %s is of no event, or of one that has a notice", id, n.Event, n.Order)
			}
		}
	}
	if count != len(wanted) {
		p.fault("%d notices to %s, for %d events", count, path, len(wanted))
	}
	whose := map[happening]string{}
	for id, h := range heard {
		if other := whose[h]; other != "" {
			p.fault("told twice: %s and %s are of one event, %v", other, id, h)
		}
		if whose[h] = id; wanted[h] != id {
			p.fault("heard %s about %v, which is of no event", id, h)
		}
	}
}

// listening is a siege whose notices are heard. The channels are made before the
// first server starts.
func listening(t *testing.T, n int) *siege {
	t.Helper()
	s := newSiege(t, filepath.Join(t.TempDir(), "assay.db"), n)
	e := newEar(t, rand.New(rand.NewPCG(s.rand.Uint64(), 0)))
	s.book.ear, s.linger = e, 300
	db, err := openStore(t.Context(), s.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := shut(db); err != nil {
			t.Error(err)
		}
	}()
	house, err := newService(db, s.Published, time.Now, lease)
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := house.Bootstrap(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.book.token = token
	who, err := house.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	for path, events := range asked() {
		c, err := house.NewChannel(t.Context(), who, service.ChannelRequest{Kind: service.KindWebhook, Target: e.URL + path, Events: events})
		if err != nil {
			t.Fatal(err)
		}
		e.channels[path] = c.ID
		if c.CreatedAt.After(e.since) {
			e.since = c.CreatedAt
		}
	}
	return s
}

// TestKillNotices kills the server while events happen and are told: no notice is
// lost, none is there twice for one event, and one that is sent again, because its
// sender died before the answer, has the id that it had.
func TestKillNotices(t *testing.T) {
	t.Parallel()
	n := kills() / 10
	for i := range (n + perDatabase - 1) / perDatabase {
		t.Run(fmt.Sprint("database ", i), func(t *testing.T) {
			t.Parallel()
			s := listening(t, i)
			s.run(t, min(perDatabase, n-i*perDatabase), time.Now)
			t.Logf("%d notices heard, %d of them again", len(s.book.ear.heard["/all"])+len(s.book.ear.heard["/passed"]), s.book.ear.again)
		})
	}
}

// TestNoticeDefects: the harness finds a store that loses the notice of an event, one
// that counts as sent what was only taken, and one that has two for an event.
func TestNoticeDefects(t *testing.T) {
	t.Parallel()
	for defect, want := range map[string]string{mute: "notice lost:", hasty: "notice lost:", chatty: "told twice:"} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			s := listening(t, 0)
			s.Defect = defect
			s.finds(t, want)
		})
	}
}
