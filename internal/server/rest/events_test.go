package rest

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"assay/internal/service"
)

// patience bounds what must happen soon; it decides nothing.
const patience = 30 * time.Second

// real puts nothing between the API and the service.
func real(s *service.Service) Service { return s }

// draft makes an order that nothing is looked at for.
func (w *world) draft(t *testing.T) *service.View {
	t.Helper()
	return w.viewed(t, w.ask("POST", "/api/v1/orders", w.root, `{"draft":true,"order":{"names":["a.orchard.net"]}}`))
}

// change makes an event of an order.
func (w *world) change(t *testing.T, id string, names ...string) *service.View {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"draft": true, "order": map[string]any{"names": names}})
	if err != nil {
		t.Fatal(err)
	}
	return w.viewed(t, w.ask("PATCH", "/api/v1/orders/"+id, w.root, string(raw)))
}

func (w *world) viewed(t *testing.T, got *reply) *service.View {
	t.Helper()
	var v service.View
	if err := json.Unmarshal(got.body, &v); err != nil || got.StatusCode >= 300 {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	return &v
}

// A listener reads an event stream.
type listener struct {
	*testing.T
	body  io.ReadCloser
	lines *bufio.Scanner
	leave context.CancelFunc
}

func (w *world) listen(t *testing.T, id, token string, headers ...string) *listener {
	t.Helper()
	ctx, leave := context.WithTimeout(t.Context(), patience)
	t.Cleanup(leave)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.http.URL+"/api/v1/orders/"+id+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := w.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %s", answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	return &listener{t, answer.Body, bufio.NewScanner(answer.Body), leave}
}

// event is the next event as its three fields; ok is false where the stream ended.
func (l *listener) event() (id, name string, e service.Event, ok bool) {
	l.Helper()
	for l.lines.Scan() {
		field, value, _ := strings.Cut(l.lines.Text(), ": ")
		switch field {
		case "id":
			id = value
		case "event":
			name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				l.Fatalf("%v: %s", err, value)
			}
		case "":
			if id != "" {
				return id, name, e, true
			}
		}
	}
	return "", "", e, false
}

// expect reads the next event.
func (l *listener) expect(version int64, action string) {
	l.Helper()
	id, name, e, ok := l.event()
	if !ok || id != strconv.FormatInt(version, 10) || name != action || e.Version != version || e.Action != action {
		l.Fatalf("%v: id %s, event %s, %+v; want %d %s", ok, id, name, e, version, action)
	}
}

// ended reads to the end of the stream, which must come.
func (l *listener) ended() {
	l.Helper()
	for l.lines.Scan() {
		if strings.HasPrefix(l.lines.Text(), "id: ") {
			l.Errorf("an event after the end: %s", l.lines.Text())
		}
	}
	if err := l.lines.Err(); err != nil {
		l.Errorf("the stream was cut: %v", err)
	}
}

// eventually waits for what must come soon.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// TestStream: events come as they happen; whoever comes back with Last-Event-ID
// gets what was missed, once, and nothing that was there.
func TestStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, real)
	v := w.draft(t)
	first := w.listen(t, v.ID, w.root)
	first.expect(v.Version, "order.draft")
	second := w.change(t, v.ID, "b.orchard.net")
	first.expect(second.Version, "order.edit")
	first.leave()

	third := w.change(t, v.ID, "c.orchard.net")
	fourth := w.change(t, v.ID, "d.orchard.net")
	again := w.listen(t, v.ID, w.root, "Last-Event-ID", strconv.FormatInt(second.Version, 10))
	again.expect(third.Version, "order.edit")
	again.expect(fourth.Version, "order.edit")
	fifth := w.change(t, v.ID, "e.orchard.net")
	again.expect(fifth.Version, "order.edit")

	for _, bad := range []string{"x", "-1", "1.5"} {
		got := w.ask("GET", "/api/v1/orders/"+v.ID+"/events", w.root, "", "Last-Event-ID", bad)
		if p := got.problem(t); p.Kind != service.Invalid || !strings.Contains(p.Detail, "Last-Event-ID") {
			t.Errorf("%s: %+v", bad, p)
		}
	}
	if got := w.ask("GET", "/api/v1/orders/nosuch/events", w.root, "", "Accept", "text/event-stream"); got.problem(t).Kind != service.NotFound {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestDeletedTold: that an order was deleted is told to those who follow it, and to
// those who ask later what happened.
func TestDeletedTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, real)
	v := w.draft(t)
	path := "/api/v1/orders/" + v.ID
	l := w.listen(t, v.ID, w.root)
	l.expect(v.Version, "order.draft")
	polled := make(chan *reply, 1)
	go func() {
		polled <- w.ask("GET", path+"/events?wait=30&after="+strconv.FormatInt(v.Version, 10), w.root, "")
	}()
	eventually(t, "the poll does not wait", func() bool { return w.server.waiting.Load() == 2 })
	if got := w.ask("DELETE", path, w.root, ""); got.StatusCode != http.StatusNoContent && got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	l.expect(v.Version+1, "order.delete")
	if got := <-polled; got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), "order.delete") {
		t.Errorf("the poll: %d %s", got.StatusCode, got.body)
	}
	if got := w.ask("GET", path+"/events", w.root, ""); got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), "order.delete") {
		t.Errorf("later: %d %s", got.StatusCode, got.body)
	}
	if got := w.ask("GET", path, w.root, ""); got.StatusCode != http.StatusNotFound {
		t.Errorf("the order itself: %d", got.StatusCode)
	}
}

// TestStreamLeft: a client that goes away leaves nothing behind; until then a
// stream without events shows that it is alive.
func TestStreamLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Heartbeat: time.Millisecond}, real)
	v := w.draft(t)
	var all []*listener
	for range 5 {
		l := w.listen(t, v.ID, w.root)
		l.expect(v.Version, "order.draft")
		for l.lines.Scan() && l.lines.Text() != ": alive" {
		}
		all = append(all, l)
	}
	if n := w.server.waiting.Load(); n != 5 {
		t.Errorf("%d wait", n)
	}
	for _, l := range all {
		l.leave()
	}
	eventually(t, "a stream goes on without its client", func() bool { return w.server.waiting.Load() == 0 })
}

// TestStreamRevoked: a token that is revoked ends its streams.
func TestStreamRevoked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Heartbeat: time.Millisecond}, real)
	v := w.draft(t)
	var made service.TokenView
	if err := json.Unmarshal(w.ask("POST", "/api/v1/tokens", w.root, `{"role":"auditor"}`).body, &made); err != nil {
		t.Fatal(err)
	}
	l := w.listen(t, v.ID, made.Secret)
	l.expect(v.Version, "order.draft")
	if got := w.ask("DELETE", "/api/v1/tokens/"+made.ID, w.root, ""); got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	l.ended()
}

// TestStreamStop: a server that stops ends streams and polls at once and well, so
// that it can be shut down while somebody listens.
func TestStreamStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, real)
	v := w.draft(t)
	l := w.listen(t, v.ID, w.root)
	l.expect(v.Version, "order.draft")
	polled := make(chan *reply, 1)
	go func() {
		polled <- w.ask("GET", "/api/v1/orders/"+v.ID+"/events?wait=55&after="+strconv.FormatInt(v.Version, 10), w.root, "")
	}()
	eventually(t, "nobody polls", func() bool { return w.server.waiting.Load() == 2 })
	w.server.Stop()
	l.ended()
	var list EventList
	if got := <-polled; got.StatusCode != http.StatusOK || json.Unmarshal(got.body, &list) != nil || len(list.Items) != 0 || list.Version != v.Version {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := w.http.Config.Shutdown(ctx); err != nil {
		t.Errorf("shutting down: %v", err)
	}
}

// TestPoll: a poll answers at once where there is something, waits where there is
// not, and says what to ask from next.
func TestPoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, real)
	v := w.draft(t)
	poll := func(query string) (list EventList) {
		got := w.ask("GET", "/api/v1/orders/"+v.ID+"/events?"+query, w.root, "")
		if err := json.Unmarshal(got.body, &list); err != nil || got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", query, got.StatusCode, got.body)
		}
		return list
	}
	if list := poll("wait=55"); len(list.Items) != 1 || list.Version != v.Version {
		t.Errorf("what is there: %+v", list)
	}
	after := "after=" + strconv.FormatInt(v.Version, 10)
	if list := poll(after); list.Items == nil || len(list.Items) != 0 || list.Version != v.Version {
		t.Errorf("nothing new: %+v", list)
	}
	polled := make(chan EventList, 1)
	go func() { polled <- poll(after + "&wait=55") }()
	eventually(t, "nobody polls", func() bool { return w.server.waiting.Load() == 1 })
	changed := w.change(t, v.ID, "b.orchard.net")
	if list := <-polled; len(list.Items) != 1 || list.Version != changed.Version || list.Items[0].Action != "order.edit" {
		t.Errorf("what came: %+v", list)
	}
	if list := poll(after + "&wait=1"); len(list.Items) != 1 {
		t.Errorf("asked again: %+v", list)
	}
	if got := w.ask("GET", "/api/v1/orders/"+v.ID+"/events?wait=56", w.root, ""); got.problem(t).Kind != service.Invalid {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestTrustedProxy: behind a proxy that is trusted each client has a limit of its
// own and its address in the log; what another writes counts for nothing.
func TestTrustedProxy(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	for _, trusted := range []bool{true, false} {
		c := Config{AddressRate: 0.25, Now: func() time.Time { return at }}
		if trusted {
			c.TrustedProxies = prefixesOf(t, "127.0.0.0/8", "::1/128")
		}
		w := newWorld(t, c, plainFake)
		var codes []int
		for _, client := range []string{"198.51.100.1", "198.51.100.1", "198.51.100.2", "6.6.6.6, 198.51.100.1"} {
			codes = append(codes, w.ask("GET", "/api/v1/whoami", w.root, "", "X-Forwarded-For", client).StatusCode)
		}
		want, logged := []int{200, 429, 200, 429}, `"client":"198.51.100.2"`
		if !trusted {
			want, logged = []int{200, 429, 429, 429}, `"client":"127.0.0.1"`
		}
		if !slices.Equal(codes, want) || !strings.Contains(w.log.String(), logged) || strings.Contains(w.log.String(), "6.6.6.6") {
			t.Errorf("trusted %v: %v, want %v\n%s", trusted, codes, want, w.log.String())
		}
	}
}

// TestEmptyLists: a list without anything is [], for programs that walk over it.
func TestEmptyLists(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, real)
	v := w.draft(t)
	for _, path := range []string{
		"/orders?name=none.orchard.net", "/audit?actor=nobody", "/orders/" + v.ID + "/events?after=99", "/orders/" + v.ID + "/reviews?cursor=1", "/tokens?cursor=zzzz", "/tenants?cursor=zzzz",
	} {
		if got := w.ask("GET", "/api/v1"+path, w.root, ""); got.StatusCode != 200 || !strings.HasPrefix(string(got.body), `{"items":[]`) {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
}

// TestNothingWritten: a request that writes nothing is answered the same under
// its key, too, whatever happened meanwhile.
func TestNothingWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, real)
	verify := func(key string) *reply {
		return w.ask("POST", "/api/v1/audit/verify", w.root, "", "Idempotency-Key", key)
	}
	first := verify("k1")
	w.draft(t)
	again, other := verify("k1"), verify("k2")
	if first.StatusCode != 200 || string(again.body) != string(first.body) || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%d %s, then %d %s", first.StatusCode, first.body, again.StatusCode, again.body)
	}
	if string(other.body) == string(first.body) || other.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("another key: %s", other.body)
	}
}
