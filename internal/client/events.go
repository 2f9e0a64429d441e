package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"assay/internal/service"
)

// maxLine bounds a line of an event stream.
const maxLine = 1 << 20

// errEnded: the server ended the stream; it is taken up again.
var errEnded = errors.New("the stream ended")

// Follow calls fn with every event of an order after a version, as they come,
// until fn returns an error or ctx ends. Where the connection breaks it is made
// again from the last event on.
func (c *Client) Follow(ctx context.Context, id string, after int64, fn func(service.Event) error) error {
	failed := 0
	for {
		last, err := c.stream(ctx, id, after, fn)
		if last > after {
			after, failed = last, 0
		}
		var p *Problem
		var own *stopError
		switch {
		case errors.As(err, &own):
			return own.err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &p) && p.Status != http.StatusServiceUnavailable && p.Status != http.StatusBadGateway:
			return err
		}
		if failed++; failed > 10 {
			return err
		}
		if err := c.config.Pause(ctx, failed); err != nil {
			return err
		}
	}
}

// stopError is an error of the caller's own.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

// stream reads one connection's events; last is the version of the last one.
func (c *Client) stream(ctx context.Context, id string, after int64, fn func(service.Event) error) (last int64, err error) {
	r, err := c.request(ctx, Call{
		Method: http.MethodGet, Path: "/orders/" + url.PathEscape(id) + "/events", Query: url.Values{"after": {strconv.FormatInt(after, 10)}},
	}, nil, "")
	if err != nil {
		return after, err
	}
	r.Header.Set("Accept", "text/event-stream")
	answer, err := c.http.Do(r)
	if err != nil {
		return after, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return after, problem(answer)
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, maxLine)
	var data strings.Builder
	for lines.Scan() {
		line := lines.Text()
		if text, ok := strings.CutPrefix(line, "data:"); ok && data.Len()+len(text) < maxLine {
			data.WriteString(strings.TrimPrefix(text, " "))
			continue
		}
		if line != "" || data.Len() == 0 {
			continue // a comment, another field, or an event without data
		}
		var e service.Event
		if err := json.Unmarshal([]byte(data.String()), &e); err != nil {
			return after, &stopError{err}
		}
		data.Reset()
		if e.Version <= after {
			continue // seen before the connection broke
		}
		if err := fn(e); err != nil {
			return after, &stopError{err}
		}
		after = e.Version
	}
	if err := lines.Err(); err != nil {
		return after, err
	}
	return after, errEnded
}
