package harness

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"assay/internal/store"
)

func TestMain(m *testing.M) {
	if raw, child := os.LookupEnv(childEnv); child {
		fmt.Fprintln(os.Stderr, "the server ended:", serve(raw))
		os.Exit(1)
	}
	os.Exit(run(m))
}

// server is the program that the children run.
var server string

// run runs the tests. Under the race detector a server takes a second to start,
// of which most kills would come in the middle: the servers then are a program of
// their own without it.
func run(m *testing.M) int {
	var err error
	if server, err = os.Executable(); err == nil && raced {
		var dir string
		if dir, err = os.MkdirTemp("", "harness"); err == nil {
			defer os.RemoveAll(dir)
			server = filepath.Join(dir, "server")
			build := exec.Command("go", "test", "-race=false", "-c", "-o", server, ".")
			build.Stderr = os.Stderr
			err = build.Run()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the program of the servers:", err)
		return 1
	}
	return m.Run()
}

// A child is a server process.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	url   string
	token string
	stop  sync.Once
	// signed are the certificates that its key made, once gone is closed.
	signed [][]byte
	gone   chan struct{}
	// signs is told of signatures, where that is set.
	signs chan struct{}
}

// start starts a server and waits until it is ready.
func start(p part, signs chan struct{}) (*child, error) {
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(server), gone: make(chan struct{}), signs: signs}
	c.cmd.Env = append(os.Environ(), childEnv+"="+string(raw))
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	go c.listen(lines)
	words := strings.Fields(line)
	if err != nil || len(words) < 2 || words[0] != "ready" {
		c.kill()
		return nil, fmt.Errorf("the server did not start: %q, %w", line, errors.Join(err, errors.New("not ready")))
	}
	c.url = "http://" + words[1]
	if len(words) > 2 {
		c.token = words[2]
	}
	return c, nil
}

// listen reads what its key signs until it is gone.
func (c *child) listen(lines *bufio.Reader) {
	defer close(c.gone)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "signed "); ok {
			if der, err := base64.StdEncoding.DecodeString(text); err == nil {
				c.signed = append(c.signed, der)
				select {
				case c.signs <- struct{}{}:
				default: // nobody waits
				}
			}
		}
	}
}

// kill ends it as the kernel does.
func (c *child) kill() {
	c.stop.Do(func() {
		_ = c.cmd.Process.Kill()
		<-c.gone
		_ = c.cmd.Wait()
		_ = c.stdin.Close()
	})
}

// A siege is one database, its servers and their clients.
type siege struct {
	part
	servers, clients int
	// linger is how many milliseconds the servers are used at most after their first
	// answer.
	linger int
	// times is how often a client sends each request at most.
	times int
	book  *book
	rand  *rand.Rand
	// strike comes before all are killed, where set.
	strike func(f *field) error
}

func newSiege(t *testing.T, database string, n int) *siege {
	seed := uint64(time.Now().UnixNano())
	if given, err := strconv.ParseUint(os.Getenv("ASSAY_SEED"), 10, 64); err == nil {
		seed = given
	}
	t.Logf("ASSAY_SEED=%d", seed)
	published := t.TempDir()
	return &siege{part: part{Database: database, Published: published}, servers: 1, clients: 4, times: 2, linger: 60, book: newBook(published), rand: rand.New(rand.NewPCG(seed, uint64(n)))}
}

// A field is what runs in a round: servers, and those who use them.
type field struct {
	*siege
	using   context.Context
	servers []*child
	signs   chan struct{}
	// first are the clients from the beginning, later those of servers that were
	// started again.
	first, later sync.WaitGroup
}

// enter starts a server, in the place of one that was killed where that is given.
func (f *field) enter(in int) error {
	c, err := start(f.part, f.signs)
	if err != nil {
		return err
	}
	if c.token != "" {
		f.book.token = c.token
	}
	if in == len(f.servers) {
		f.servers = append(f.servers, c)
		return nil
	}
	f.servers[in].kill()
	f.book.signatures(f.servers[in].signed)
	f.servers[in] = c
	f.serve(&f.later, in)
	return nil
}

// serve lets clients use a server until it is gone.
func (f *field) serve(group *sync.WaitGroup, server int) {
	for i := server; i < f.clients; i += len(f.servers) {
		r := rand.New(rand.NewPCG(f.rand.Uint64(), uint64(i)))
		url := f.servers[server].url
		group.Go(func() { f.book.use(f.using, url, r, f.times) })
	}
}

// round starts the servers, lets clients use them for a moment, kills them all,
// and compares.
func (s *siege) round(ctx context.Context) ([]string, error) {
	f := &field{siege: s, signs: make(chan struct{}, 1)}
	defer func() {
		for _, c := range f.servers {
			c.kill()
		}
	}()
	s.book.opens()
	for i := range s.servers {
		if err := f.enter(i); err != nil {
			return nil, err
		}
	}
	if s.Defect == "" { // else what lets in may be lost
		if err := s.book.letIn(ctx, f.servers[0].url); err != nil {
			return nil, err
		}
	}
	select {
	case <-s.book.heard: // of the round before
	default:
	}
	var stop context.CancelFunc
	f.using, stop = context.WithCancel(ctx)
	defer stop()
	for i := range f.servers {
		f.serve(&f.first, i)
	}
	if s.rand.IntN(8) > 0 { // else while it still begins
		s.underLoad(ctx, &f.first)
	}
	wait := time.After(time.Duration(1+s.rand.IntN(s.linger)) * time.Millisecond)
	if choice := s.rand.IntN(6); choice < 2 {
		// Until something is signed or revoked, and on into what follows from it.
		what := []chan struct{}{f.signs, s.book.revokes}[choice]
		select {
		case <-what:
			wait = time.After(time.Duration(s.rand.IntN(8)) * time.Millisecond)
		case <-time.After(lease + lease/2):
		}
	}
	<-wait
	if s.strike != nil {
		if err := s.strike(f); err != nil {
			return nil, err
		}
	}
	for _, c := range f.servers {
		c.kill()
		f.book.signatures(c.signed)
	}
	stop()
	f.first.Wait()
	f.later.Wait()
	if err := left(ctx, s.Database); err != nil {
		return nil, err
	}
	db, err := openStore(ctx, s.Database)
	if err != nil {
		return nil, err
	}
	faults, err := prove(ctx, db, s.book, !s.Jump)
	return faults, errors.Join(err, shut(db))
}

// underLoad waits for the first answer, or until no client is left.
func (s *siege) underLoad(ctx context.Context, clients *sync.WaitGroup) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		clients.Wait()
	}()
	select {
	case <-s.book.heard:
	case <-gone:
	case <-ctx.Done():
	}
}

// end has what is left done, as after the last start, and compares once more.
func (s *siege) end(ctx context.Context, now func() time.Time) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	db, err := openStore(ctx, s.Database)
	if err != nil {
		return nil, err
	}
	faults, err := settle(ctx, db, s.part, s.book, now)
	if err != nil {
		return nil, errors.Join(err, shut(db))
	}
	more, err := prove(ctx, db, s.book, !s.Jump)
	return append(faults, more...), errors.Join(err, shut(db))
}

// shut closes a database. A server that is just being forked has its lock, too,
// until it is another program: there must be none.
func shut(db store.Store) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return db.Close()
}

// run kills n times, and on until there was something to see; it fails the test
// for the first fault.
func (s *siege) run(t *testing.T, n int, now func() time.Time) {
	t.Helper()
	s.book.several = s.servers > 1
	kills := 0
	for ; kills < n || kills < 10*n && !s.book.shows(n); kills++ {
		faults, err := s.round(t.Context())
		if err != nil || len(faults) > 0 {
			t.Fatalf("after kill %d: %v %s", kills+1, err, strings.Join(faults, "\n"))
		}
	}
	faults, err := s.end(t.Context(), now)
	if err != nil || len(faults) > 0 {
		t.Fatalf("at the end: %v %s", err, strings.Join(faults, "\n"))
	}
	t.Logf("%d kills, %d requests, %d acknowledged, %d repeated, %d orders, %d passed, %d failed, %d decisions; %s", kills, len(s.book.sent), len(s.book.done), s.book.repeated, len(s.book.orders), s.book.passed, s.book.failed, s.book.decided, s.book.certificates.describe())
	if !s.book.shows(n) {
		t.Error("too little was acknowledged to show anything")
	}
}

// shows reports whether enough was acknowledged during n kills to show anything.
func (b *book) shows(n int) bool {
	return b.ear.shows(n) && len(b.done) >= n/4 && b.repeated > 0 && b.passed > 0 && b.failed > 0 && b.certificates.shows(n) && (n < perDatabase || b.decided > 0)
}

// kills is how many there are to be.
func kills() int {
	if n, err := strconv.Atoi(os.Getenv("ASSAY_KILLS")); err == nil && n > 0 {
		return n
	}
	return 300
}

// perDatabase is how many kills a database lives through.
const perDatabase = 50

// TestKill kills the server on SQLite.
func TestKill(t *testing.T) {
	t.Parallel()
	for i := range (kills() + perDatabase - 1) / perDatabase {
		t.Run(fmt.Sprint("database ", i), func(t *testing.T) {
			t.Parallel()
			newSiege(t, filepath.Join(t.TempDir(), "assay.db"), i).run(t, min(perDatabase, kills()-i*perDatabase), time.Now)
		})
	}
}

// TestRepeating: a client that sends every request up to three times.
func TestRepeating(t *testing.T) {
	t.Parallel()
	s := newSiege(t, filepath.Join(t.TempDir(), "assay.db"), 0)
	s.times = 3
	s.run(t, 10, time.Now)
}

// TestClock: the clock jumps forth and back under way. At the end it is past what
// was leased while it was ahead.
func TestClock(t *testing.T) {
	t.Parallel()
	s := newSiege(t, filepath.Join(t.TempDir(), "assay.db"), 0)
	s.Jump = true
	s.run(t, 10, func() time.Time { return time.Now().Add(jump + time.Hour) })
}

// TestDefects: the harness finds a store that acknowledges too early, one that
// forgets what it answered, one that does not keep leases and one that loses
// checks.
func TestDefects(t *testing.T) {
	t.Parallel()
	for defect, want := range map[string]string{early: "lost:", forgetful: "double effect:", greedy: "double effect:", idle: "stuck:"} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			s := newSiege(t, filepath.Join(t.TempDir(), "assay.db"), 0)
			s.Defect, s.times = defect, 3
			s.finds(t, want)
		})
	}
}

// finds kills until a proof fails as it must.
func (s *siege) finds(t *testing.T, want string) {
	t.Helper()
	if !s.found(t, want, 1000) {
		t.Errorf("not found: %s", s.book.certificates.describe())
	}
}

// found is finds for so many kills.
func (s *siege) found(t *testing.T, want string, most int) bool {
	t.Helper()
	for i := range most {
		faults, err := s.round(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range faults {
			if strings.HasPrefix(f, want) {
				t.Logf("found after kill %d: %s", i+1, f)
				return true
			}
		}
	}
	return false
}
