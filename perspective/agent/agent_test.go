package agent_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"assay/evidence"
	"assay/perspective"
	"assay/perspective/agent"
	"assay/perspective/identity"
	"assay/perspective/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A place answers that it knows nothing, when it is let.
type place struct {
	hold  chan struct{} // nil: answers at once
	looks atomic.Int64
	tests atomic.Int64
}

func (p *place) About() evidence.Perspective {
	return evidence.Perspective{ID: "P3", Region: "RIPE"}
}

func (p *place) SelfTest(context.Context) []evidence.Missing {
	p.tests.Add(1)
	return []evidence.Missing{{What: "ipv6"}}
}
func (p *place) Begin() perspective.Look { p.looks.Add(1); return p }
func (p *place) Close()                  {}

func (p *place) Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation {
	if p.hold != nil {
		select {
		case <-p.hold:
		case <-ctx.Done():
		}
	}
	var seen []evidence.Observation
	for _, q := range questions {
		seen = append(seen, evidence.Observation{Question: q, At: time.Now(), Unknown: "no-udp"})
	}
	return seen
}

// A world is an agent that runs and a coordinator that it knows.
type world struct {
	t           *testing.T
	place       *place
	agent       *identity.Identity
	coordinator *identity.Identity
	address     string
	client      *http.Client
}

func newWorld(t *testing.T, change func(*agent.Config)) *world {
	t.Helper()
	w := &world{t: t, place: &place{}}
	var err error
	if w.agent, err = identity.New(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if w.coordinator, err = identity.New(rand.Reader); err != nil {
		t.Fatal(err)
	}
	list, err := agent.OpenCoordinators(filepath.Join(t.TempDir(), "coordinators.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Add(w.coordinator.Public, time.Now()); err != nil {
		t.Fatal(err)
	}
	c := agent.Config{Place: w.place, Identity: w.agent, Coordinators: list}
	if change != nil {
		change(&c)
	}
	a, err := agent.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, l) }()
	w.address = l.Addr().String()
	w.client = w.as(w.coordinator)
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return w
}

// as is a client with the key of somebody.
func (w *world) as(id *identity.Identity) *http.Client {
	w.t.Helper()
	key, err := wire.ParseKey(w.agent.Public)
	if err != nil {
		w.t.Fatal(err)
	}
	config, err := id.Client(key)
	if err != nil {
		w.t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, Protocols: protocols}}
}

func (w *world) request(nonce byte) *wire.Request {
	return &wire.Request{
		Version: wire.Version, Coordinator: w.coordinator.Public, Agent: w.agent.Public, Nonce: wire.NewNonce([16]byte{nonce}), At: time.Now().UTC(),
		Questions: []evidence.Question{{Kind: evidence.KindDNS, Perspective: "P3", DNS: &evidence.DNSQuestion{Name: "orchard.net", Type: "CAA"}}},
	}
}

func (w *world) signed(r *wire.Request) []byte {
	w.t.Helper()
	raw, err := wire.SignRequest(r, w.coordinator.Private)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// post returns the word of a refusal, "" for an answer.
func (w *world) post(client *http.Client, path string, body io.Reader) string {
	w.t.Helper()
	response, err := client.Post("https://"+w.address+path, "application/json", body)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		return ""
	}
	return wire.OpenRefusal(raw).Word
}

// TestRefusals: an agent answers what its coordinator signed for it, now, once.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	good := w.signed(w.request(1))
	changed := func(nonce byte, change func(*wire.Request)) []byte {
		r := w.request(nonce)
		change(r)
		return w.signed(r)
	}
	for _, c := range []struct {
		name, want string
		body       []byte
	}{
		{"good", "", good},
		{"again", wire.RefusedReplayed, good},
		{"the nonce again", wire.RefusedReplayed, changed(1, func(r *wire.Request) { r.Order = "other" })},
		{"another nonce", "", w.signed(w.request(2))},
		{"no questions", "", changed(3, func(r *wire.Request) { r.Questions = nil })},
		{"tampered", wire.RefusedSignature, bytes.Replace(w.signed(w.request(4)), []byte("orchard.net"), []byte("orchard.org"), 1)},
		{"two minutes old", wire.RefusedClock, changed(5, func(r *wire.Request) { r.At = r.At.Add(-2 * time.Minute) })},
		{"two minutes ahead", wire.RefusedClock, changed(6, func(r *wire.Request) { r.At = r.At.Add(2 * time.Minute) })},
		{"within the skew", "", changed(7, func(r *wire.Request) { r.At = r.At.Add(-30 * time.Second) })},
		{"for another agent", wire.RefusedAddressee, changed(8, func(r *wire.Request) { r.Agent = w.coordinator.Public })},
		{"for another place", wire.RefusedAddressee, changed(9, func(r *wire.Request) { r.Questions[0].Perspective = "P4" })},
		{"a lookup", wire.RefusedMalformed, changed(10, func(r *wire.Request) {
			r.Questions[0] = evidence.Question{Kind: evidence.KindLookup, Perspective: "P3", Lookup: &evidence.LookupQuestion{}}
		})},
		{"too many questions", wire.RefusedTooLarge, changed(11, func(r *wire.Request) {
			for range wire.MaxQuestions {
				r.Questions = append(r.Questions, r.Questions[0])
			}
		})},
		{"too many bytes", wire.RefusedTooLarge, bytes.Repeat([]byte("x"), wire.MaxRequestBytes+1)},
		{"garbage", wire.RefusedMalformed, []byte("\x00\x01")},
		{"nothing", wire.RefusedMalformed, nil},
	} {
		if got := w.post(w.client, wire.PathLook, bytes.NewReader(c.body)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := w.post(w.client, wire.PathLeave, bytes.NewReader(w.signed(w.request(20)))); got != wire.RefusedSignature {
		t.Errorf("a look as a leave: %q", got)
	}
	if n := w.place.looks.Load(); n != 4 {
		t.Errorf("%d looks, want 4", n)
	}
	for _, path := range []string{"/", "/v1/other", "/v1/look/.."} {
		if got := w.post(w.client, path, nil); got != wire.RefusedInternal { // a plain 404
			t.Errorf("%s: %q", path, got)
		}
	}
	if n := w.place.tests.Load(); n != 1 {
		t.Errorf("%d self-tests", n)
	}
}

// TestStranger: who never joined gets no further than the handshake; with a join
// code open, no further than the join.
func TestStranger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	stranger, err := identity.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	client := w.as(stranger)
	defer client.CloseIdleConnections()
	// In TLS 1.3 a client may write before it reads that it was turned away.
	got := w.post(client, wire.PathLook, bytes.NewReader(w.signed(w.request(1))))
	if !slices.ContainsFunc([]string{"tls", "could not be established", "broken pipe", "connection reset"}, func(s string) bool { return strings.Contains(got, s) }) {
		t.Errorf("%q", got)
	}
	// Nobody at all, and TLS 1.2.
	for name, config := range map[string]*tls.Config{
		"no key":  {InsecureSkipVerify: true},
		"TLS 1.2": {InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12},
	} {
		conn, err := tls.Dial("tcp", w.address, config)
		if err == nil {
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			if _, err = conn.Read(make([]byte, 1)); err == nil {
				t.Errorf("%s: let in", name)
			}
			conn.Close()
		}
	}
	if w.place.looks.Load() != 0 {
		t.Error("looked for a stranger")
	}
}

// TestFlood: what is more than the rate, or than runs at a time, is refused at
// once, and one coordinator's flood is not another's.
func TestFlood(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	w := newWorld(t, func(c *agent.Config) {
		start := time.Now()
		c.Rate, c.Running = 20, 5
		c.Now = func() time.Time { return start } // no tokens come back
	})
	w.place.hold = hold
	var refused, answered atomic.Int64
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			switch got := w.post(w.client, wire.PathLook, bytes.NewReader(w.signed(w.request(byte(i))))); got {
			case "":
				answered.Add(1)
			case wire.RefusedTooMany:
				if refused.Add(1) == 55 {
					close(hold)
				}
			default:
				t.Errorf("%q", got)
			}
		})
	}
	all.Wait()
	if answered.Load() != 5 || refused.Load() != 55 {
		t.Errorf("%d answered, %d refused", answered.Load(), refused.Load())
	}
}

// TestCoordinatorLeaves: who stops waiting stops the look.
func TestCoordinatorLeaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *agent.Config) { c.Running = 1 })
	w.place.hold = make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+w.address+wire.PathLook, bytes.NewReader(w.signed(w.request(1))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Do(r); err == nil { //nolint:bodyclose // there is none
		t.Fatal("answered")
	}
	// The only slot is free again: this one has a limit of its own.
	limited := w.request(2)
	limited.LimitMillis = 1
	for end := time.Now().Add(10 * time.Second); ; {
		got := w.post(w.client, wire.PathLook, bytes.NewReader(w.signed(limited)))
		if got == "" {
			return
		}
		if got != wire.RefusedTooMany || time.Now().After(end) {
			t.Fatalf("%q", got)
		}
	}
}

// TestConnections: an address has no more connections than it may.
func TestConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var open []net.Conn
	for range 80 {
		c, err := net.Dial("tcp", w.address)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	// The agent says nothing to those it keeps, and closes the others.
	var closed atomic.Int64
	var all sync.WaitGroup
	for _, c := range open {
		all.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
			_, err := c.Read(make([]byte, 1))
			if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
				closed.Add(1)
			}
		})
	}
	all.Wait()
	if n := closed.Load(); n != 16 {
		t.Errorf("%d of 80 connections closed, want 16", n)
	}
	for _, c := range open {
		_ = c.Close()
	}
	// There is room again.
	for end := time.Now().Add(10 * time.Second); ; {
		if got := w.post(w.client, wire.PathLook, bytes.NewReader(w.signed(w.request(1)))); got == "" || got == wire.RefusedReplayed {
			return
		} else if time.Now().After(end) {
			t.Fatalf("%q", got)
		}
	}
}

// TestCoordinators: the list survives, and a list that cannot be is not used.
func TestCoordinators(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "coordinators.toml")
	list, err := agent.OpenCoordinators(path)
	if err != nil || list.Len() != 0 {
		t.Fatal(list, err)
	}
	var keys []string
	for range 64 {
		id, err := identity.New(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, id.Public)
		if err := list.Add(id.Public, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if err := list.Add(keys[0], time.Now()); err != nil || list.Len() != 64 {
		t.Error("the same twice", err, list.Len())
	}
	one, err := identity.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := list.Add(one.Public, time.Now()); err == nil {
		t.Error("no bound")
	}
	if err := list.Remove(keys[3]); err != nil {
		t.Fatal(err)
	}
	again, err := agent.OpenCoordinators(path)
	if err != nil || again.Len() != 63 || again.Has(keys[3]) || !again.Has(keys[4]) {
		t.Error(again.Len(), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	for _, bad := range []string{"x = 1", "[[coordinator]]\nkey = 'x'", strings.Repeat("#", 70<<10) + "\nx"} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := agent.OpenCoordinators(path); err == nil {
			t.Errorf("%.40q was read", bad)
		}
	}
}
