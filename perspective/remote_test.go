package perspective_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
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

// A place is a stub to look from: it answers as it is told.
type place struct {
	about  evidence.Perspective
	answer func(ctx context.Context, q evidence.Question) evidence.Observation
	looks  atomic.Int64
	closed atomic.Int64
}

func (p *place) About() evidence.Perspective { return p.about }

func (p *place) Begin() perspective.Look { p.looks.Add(1); return &look{p} }

type look struct{ p *place }

func (l *look) Close() { l.p.closed.Add(1) }

func (l *look) Answer(ctx context.Context, questions []evidence.Question) []evidence.Observation {
	seen := make([]evidence.Observation, len(questions))
	for i, q := range questions {
		seen[i] = l.p.answer(ctx, q)
	}
	return seen
}

// healthy answers every question as an honest world would.
func healthy(_ context.Context, q evidence.Question) evidence.Observation {
	o := evidence.Observation{Question: q, At: time.Now().UTC(), Millis: 1.25}
	switch q.Kind {
	case evidence.KindDNS:
		o.DNS = &evidence.DNSAnswer{Status: "NOERROR", Security: "secure", Answer: []evidence.Record{{Owner: q.DNS.Name, Type: q.DNS.Type, TTL: 60, Data: "ns1.orchard.net."}}}
	case evidence.KindHTTP:
		o.HTTP = &evidence.HTTPExchange{Fetches: []evidence.Fetch{{Address: "45.155.10.11", Family: "ipv4", Hops: []evidence.Hop{{URL: q.HTTP.URL, Status: 200, Body: &evidence.Body{Bytes: 3, Head: []byte("a\xffb")}}}}}}
	case evidence.KindTLS:
		o.TLS = &evidence.TLSExchange{}
	}
	return o.Identify()
}

// A world is an agent that runs, its place, and a coordinator's file.
type world struct {
	t       *testing.T
	place   *place
	agent   *agent.Agent
	config  agent.Config
	address string
	file    string
	stop    func()
	clock   *clock
}

// A clock that is moved by hand.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

func newWorld(t *testing.T, id string, change func(*agent.Config)) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, file: filepath.Join(dir, "perspectives.toml"), clock: &clock{}}
	w.place = &place{about: evidence.Perspective{ID: id, Region: "RIPE"}, answer: healthy}
	key, err := identity.LoadOrCreate(filepath.Join(dir, "agent", "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := agent.OpenCoordinators(filepath.Join(dir, "agent", "coordinators.toml"))
	if err != nil {
		t.Fatal(err)
	}
	w.config = agent.Config{Place: w.place, Identity: key, Coordinators: list, Location: &evidence.Location{Lat: 52.37, Lon: 4.9}}
	if change != nil {
		change(&w.config)
	}
	w.start("127.0.0.1:0")
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start(address string) {
	w.t.Helper()
	a, err := agent.New(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, l) }()
	w.agent, w.address = a, l.Addr().String()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("serve: %v", err)
		}
	})
}

func (w *world) code() *wire.Code {
	w.t.Helper()
	c, err := w.agent.OpenJoin(w.address, time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// joined joins a coordinator and returns its place, tested.
func (w *world) joined(o perspective.Options) *perspective.Remote {
	w.t.Helper()
	r, err := perspective.Join(w.t.Context(), w.code(), w.file, perspective.JoinOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	r.Close()
	if o.Now == nil {
		o.Now = w.clock.now
	}
	list, err := perspective.Load(w.file, o)
	if err != nil || len(list) != 1 {
		w.t.Fatal(list, err)
	}
	w.t.Cleanup(list[0].Close)
	return list[0]
}

func questions(id string) []evidence.Question {
	return []evidence.Question{
		{Kind: evidence.KindDNS, Perspective: id, DNS: &evidence.DNSQuestion{Name: "_dnsauth.orchard.net", Type: "TXT", Each: true}},
		{Kind: evidence.KindHTTP, Perspective: id, HTTP: &evidence.HTTPQuestion{URL: "http://orchard.net/.well-known/pki-validation/fileauth.txt?a=<&>", Each: true}},
		{Kind: evidence.KindTLS, Perspective: id, TLS: &evidence.TLSQuestion{Name: "orchard.net", Port: 443, Each: true}},
	}
}

func answer(t *testing.T, r *perspective.Remote, q []evidence.Question) []evidence.Observation {
	t.Helper()
	l := r.Begin()
	defer l.Close()
	return l.Answer(perspective.WithOrder(t.Context(), "sha256:0123"), q)
}

// TestLook: what an agent saw arrives as it was seen, each observation with an
// attestation that stands alone.
func TestLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "P3", nil)
	r := w.joined(perspective.Options{})
	if about := r.About(); !about.Lacks("agent") || !about.Remote || about.ID != "P3" || about.Region != "RIPE" || about.Location == nil {
		t.Errorf("before its test: %+v", about)
	}
	h := r.Test(t.Context())
	if h.Fault != nil || h.RTT <= 0 || len(h.About.Missing) != 0 || h.About.Key != w.config.Identity.Public {
		t.Errorf("test: %+v, %v", h, h.Fault)
	}
	q := questions("P3")
	seen := answer(t, r, q)
	for i, o := range seen {
		if o.Unknown != "" || o.PerspectiveFault() != "" {
			t.Fatalf("%d: %s", i, o.Unknown)
		}
		if o.Question.ID() != q[i].ID() {
			t.Errorf("%d: another question", i)
		}
		if want := healthy(t.Context(), q[i]); o.ID != want.ID && i != 1 {
			t.Errorf("%d: id %s, want %s", i, o.ID, want.ID)
		}
		if err := wire.Verify(o); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		a := o.Attestation
		if a.Order != "sha256:0123" || a.Agent != w.config.Identity.Public || a.Nonce != seen[0].Attestation.Nonce || time.Since(a.At) > time.Minute {
			t.Errorf("%d: attestation %+v", i, a)
		}
		o.Millis++
		if wire.Verify(o) == nil {
			t.Errorf("%d: verifies although changed", i)
		}
	}
	if string(seen[1].HTTP.Fetches[0].Hops[0].Body.Head) != "a\xffb" {
		t.Errorf("body %q", seen[1].HTTP.Fetches[0].Hops[0].Body.Head)
	}
	if n, c := w.place.looks.Load(), w.place.closed.Load(); n != c {
		t.Errorf("%d looks begun, %d closed", n, c)
	}
}

// TestManyQuestions: more than a request holds are several requests.
func TestManyQuestions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "P1", nil)
	r := w.joined(perspective.Options{})
	r.Test(t.Context())
	before := w.place.looks.Load()
	var q []evidence.Question
	for range 2*wire.MaxQuestions + 1 {
		q = append(q, questions("P1")[0])
	}
	for i, o := range answer(t, r, q) {
		if err := wire.Verify(o); err != nil || o.DNS == nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if n := w.place.looks.Load() - before; n != 3 {
		t.Errorf("%d looks, want 3", n)
	}
}

// TestHostileText: what a target sends cannot make an agent's answer invalid.
func TestHostileText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "P1", nil)
	w.place.answer = func(_ context.Context, q evidence.Question) evidence.Observation {
		o := healthy(t.Context(), q)
		if q.DNS != nil && q.DNS.Type == "TXT" {
			o.DNS.Answer[0].Data = "\"\xff\xfe \u2028 \x1b[31m </script> \\ufffd\""
		}
		if q.TLS != nil { // a date that JSON cannot hold
			o.TLS.Handshakes = []evidence.Handshake{{Info: &evidence.TLSInfo{Certificates: []evidence.Certificate{{NotAfter: time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)}}}}}
		}
		if q.HTTP != nil {
			o.HTTP.Fetches[0].Hops[0].Header = []evidence.Header{{Name: "Server", Value: strings.Repeat("a", wire.MaxObservationBytes)}}
		}
		return o
	}
	r := w.joined(perspective.Options{})
	r.Test(t.Context())
	seen := answer(t, r, questions("P1"))
	if seen[0].DNS == nil || wire.Verify(seen[0]) != nil || seen[0].DNS.Answer[0].Data != "\"\ufffd\ufffd \u2028 \x1b[31m </script> \\ufffd\"" {
		t.Errorf("%+v", seen[0])
	}
	if seen[1].PerspectiveFault() != evidence.UnknownTooLarge || wire.Verify(seen[1]) != nil {
		t.Errorf("too large: %q", seen[1].Unknown)
	}
	if seen[2].PerspectiveFault() != evidence.UnknownInvalid || wire.Verify(seen[2]) != nil {
		t.Errorf("not to be written: %q", seen[2].Unknown)
	}
}

// TestRestart: an agent that was stopped and started again is found again, and
// one that is gone delays nothing.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "P2", nil)
	r := w.joined(perspective.Options{})
	r.Test(t.Context())
	w.stop()
	w.start(w.address)
	seen := answer(t, r, questions("P2"))
	if seen[0].Unknown != "" {
		t.Fatalf("after a restart: %s", seen[0].Unknown)
	}
	w.stop()
	seen = answer(t, r, questions("P2"))
	if seen[0].PerspectiveFault() != evidence.UnknownUnreachable || seen[0].ID == "" {
		t.Fatalf("gone: %q", seen[0].Unknown)
	}
	seen = answer(t, r, questions("P2")) // tests at the same time
	if h := r.Health(); h.Fault == nil || h.Fault.Word != evidence.UnknownUnreachable || !h.About.Lacks("agent") {
		t.Fatalf("health %+v", h)
	}
	w.start(w.address)
	if again := answer(t, r, questions("P2")); again[0].ID != seen[0].ID {
		t.Errorf("asked although it failed its test just now: %q, %q", again[0].Unknown, seen[0].Unknown)
	}
	w.clock.add(10 * time.Second)
	if seen = answer(t, r, questions("P2")); seen[0].Unknown != "" {
		t.Errorf("back again: %s", seen[0].Unknown)
	}
	if about := r.About(); about.Lacks("agent") {
		t.Errorf("%+v", about)
	}
}

// TestSelfTest: an agent whose place sees the root wrongly is not believed.
func TestSelfTest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "P2", nil)
	answers := &atomic.Pointer[evidence.DNSAnswer]{}
	w.place.answer = func(ctx context.Context, q evidence.Question) evidence.Observation {
		o := healthy(ctx, q)
		if q.DNS != nil && q.DNS.Name == "" {
			if o.DNS = answers.Load(); o.DNS == nil {
				o.Unknown = "no-udp"
			}
		}
		return o
	}
	r := w.joined(perspective.Options{})
	good := []evidence.Record{{Type: "NS", Data: "a.root-servers.net."}}
	for _, c := range []struct {
		name   string
		answer *evidence.DNSAnswer
		ok     bool
	}{
		{"good", &evidence.DNSAnswer{Status: "NOERROR", Security: "secure", Answer: good}, true},
		{"bogus", &evidence.DNSAnswer{Status: "bogus", Security: "bogus"}, false},
		{"not validated on the internet", &evidence.DNSAnswer{Status: "NOERROR", Answer: good}, false},
		{"insecure", &evidence.DNSAnswer{Status: "NOERROR", Security: "insecure", Answer: good}, false},
		{"empty", &evidence.DNSAnswer{Status: "NOERROR", Security: "secure"}, false},
		{"not asked", nil, false},
	} {
		answers.Store(c.answer)
		h := r.Test(t.Context())
		if (h.Fault == nil) != c.ok || h.About.Lacks("self-test") == c.ok {
			t.Errorf("%s: %+v %v", c.name, h, h.Fault)
		}
		if seen := answer(t, r, questions("P2")); (seen[0].PerspectiveFault() == "") != c.ok {
			t.Errorf("%s: %q", c.name, seen[0].Unknown)
		}
	}
}

// TestLoad: what is wrong with the file or the key is said, not looked over.
func TestLoad(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "perspectives.toml")
	if _, err := perspective.Load(path, perspective.Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := os.WriteFile(path, []byte("# none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := perspective.Load(path, perspective.Options{}); err != nil || list != nil {
		t.Errorf("no entries: %v %v", list, err)
	}
	id, err := perspective.Coordinator(path)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(filepath.Dir(path), "perspectives.key")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info, err)
	}
	entry := "[[perspective]]\nid = \"P1\"\naddress = \"127.0.0.1:1\"\nkey = \"" + id.Public + "\"\n"
	if err := os.WriteFile(path, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := perspective.Load(path, perspective.Options{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	list[0].Close()
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := perspective.Load(path, perspective.Options{}); err == nil {
		t.Error("a key that others may read was loaded")
	}
}
