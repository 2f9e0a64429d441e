package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"assay/internal/message"
	"assay/internal/service"
)

const (
	// maxWait bounds a long poll, in seconds: below what proxies wait.
	maxWait = 55
	// maxEvents bounds the events of one answer; the next request has the rest.
	maxEvents = 200
	// heartbeat is how often a stream without events shows that it is alive.
	heartbeat = 15 * time.Second
	// writeWithin is how long a client may take to read a piece of a stream.
	writeWithin = 30 * time.Second
	// maxStreams bounds the streams and polls that wait at the same time.
	maxStreams = 10_000
)

func runEvents(c *call) (*answer, error) {
	after := c.number64("after")
	stream := strings.Contains(c.r.Header.Get("Accept"), "text/event-stream")
	if last := c.r.Header.Get("Last-Event-ID"); last != "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return nil, invalid("rest.parameter", "Name", "Last-Event-ID", "Why", message.ID("rest.why.version"))
		}
		after = max(after, n)
	}
	wait := time.Duration(c.number64("wait")) * time.Second
	if stream || wait > 0 {
		if c.s.waiting.Add(1) > maxStreams {
			c.s.waiting.Add(-1)
			return nil, &service.Problem{Kind: service.TooMany, Message: "rest.too-many-waiting", RetryAt: c.s.Now().Add(time.Minute)}
		}
		defer c.s.waiting.Add(-1)
	}
	events, err := c.events(c.ctx(), after)
	if err != nil {
		return nil, err
	}
	if stream {
		return nil, c.stream(events, after)
	}
	if len(events) == 0 && wait > 0 {
		events, err = c.poll(after, wait)
		if err != nil {
			return nil, err
		}
	}
	return &answer{status: http.StatusOK, value: EventList{Items: listed(events), Version: lastOf(events, after)}}, nil
}

func (c *call) events(ctx context.Context, after int64) ([]service.Event, error) {
	return c.s.Service.Events(ctx, c.p, c.id(), after, maxEvents)
}

func lastOf(events []service.Event, after int64) int64 {
	if len(events) == 0 {
		return after
	}
	return events[len(events)-1].Version
}

// poll waits for events, at most that long or until the server stops.
func (c *call) poll(after int64, wait time.Duration) ([]service.Event, error) {
	control := http.NewResponseController(c.w)
	if err := errors.Join(control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Now().Add(wait+writeWithin))); err != nil {
		return nil, err
	}
	ctx, cancel := c.s.untilStopped(c.ctx())
	defer cancel()
	ctx, timeout := context.WithTimeout(ctx, wait)
	defer timeout()
	switch err := c.s.Service.Wait(ctx, c.p, c.id(), after); {
	case ctx.Err() != nil:
		return nil, nil // nothing happened; the client asks again
	case err != nil:
		return nil, err
	}
	return c.events(c.ctx(), after)
}

// stream sends events as they come until the client goes or the server stops.
// Whoever comes back says with Last-Event-ID where to go on.
func (c *call) stream(events []service.Event, after int64) error {
	control := http.NewResponseController(c.w)
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx: pass each event on at once
	c.w.WriteHeader(http.StatusOK)
	ctx, cancel := c.s.untilStopped(c.ctx())
	defer cancel()
	if err := c.write(control, "retry: 3000\n\n"); err != nil {
		return nil
	}
	for {
		for i := range events {
			if err := c.write(control, eventText(&events[i])); err != nil {
				return nil // the client went away
			}
		}
		after = lastOf(events, after)
		var err error
		if events, err = c.next(ctx, control, after); err != nil {
			return nil
		}
	}
}

// next waits for the next events, sending heartbeats meanwhile. The error ends
// the stream. Who may see the order is asked anew each time: a token that is
// revoked, or has ended, ends the stream.
func (c *call) next(ctx context.Context, control *http.ResponseController, after int64) ([]service.Event, error) {
	for {
		beat, cancel := context.WithTimeout(ctx, c.s.heartbeat)
		err := c.s.Service.Wait(beat, c.p, c.id(), after)
		over := beat.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if _, authErr := c.s.Service.Authenticate(ctx, bearer(c.r)); authErr != nil {
			return nil, authErr
		}
		switch {
		case over:
			if err := c.write(control, ": alive\n\n"); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		default:
			return c.events(ctx, after)
		}
	}
}

func eventText(e *service.Event) string {
	raw, err := json.Marshal(e)
	if err != nil {
		raw = []byte("{}")
	}
	return fmt.Sprintf("id: %d\nevent: %s\ndata: %s\n\n", e.Version, oneLine(e.Action), raw)
}

// oneLine keeps a word from ending its line early.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return -1
		}
		return r
	}, s)
}

func (c *call) write(control *http.ResponseController, text string) error {
	if err := control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	if _, err := c.w.Write([]byte(text)); err != nil {
		return err
	}
	return control.Flush()
}
