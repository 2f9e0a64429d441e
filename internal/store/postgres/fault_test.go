package postgres_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assay/internal/store"
	"assay/internal/store/pgtest"
	"assay/internal/store/postgres"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
)

// pair writes two rows that must be there together or not at all; between is
// called after the first was sent.
func pair(tx store.Tx, id string, between func()) error {
	if err := tx.PutSecret(id+"/1", []byte("x"), noon); err != nil {
		return err
	}
	if between != nil {
		if _, err := tx.TakeLease(id, "me", noon, noon); err != nil { // waits for an answer
			return err
		}
		between()
	}
	return tx.PutSecret(id+"/2", []byte("x"), noon)
}

// there says whether a pair is there, and fails the test for half of one.
func there(t *testing.T, db store.Store, id string) bool {
	t.Helper()
	found := 0
	for _, half := range []string{"/1", "/2"} {
		_, err := db.Secret(ctx, id+half)
		if err == nil {
			found++
		} else if !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
	}
	if found == 1 {
		t.Errorf("half of unit %s is there", id)
	}
	return found == 2
}

// judge compares what callers were told with what is there.
func judge(t *testing.T, db store.Store, told map[string]error) {
	t.Helper()
	for id, err := range told {
		is := there(t, db, id)
		switch {
		case err == nil && !is:
			t.Errorf("unit %s was acknowledged and is lost", id)
		case err != nil && is && !errors.Is(err, store.ErrUnsure):
			t.Errorf("unit %s is there, and its caller was told %v", id, err)
		case err != nil && !errors.Is(err, store.ErrUnavailable):
			t.Errorf("unit %s: %v", id, err)
		}
	}
}

// load writes pairs from several callers until stop and returns what they were told.
func load(db store.Store, name string, stop <-chan struct{}) (wait func() map[string]error) {
	told := map[string]error{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for c := range 16 {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				id := fmt.Sprintf("%s-%d-%d", name, c, i)
				err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, id, nil) })
				mu.Lock()
				told[id] = err
				mu.Unlock()
			}
		})
	}
	return func() map[string]error {
		all.Wait()
		return told
	}
}

func opens(t *testing.T, at string) store.Store {
	t.Helper()
	db, err := postgres.Open(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'assay' AND datname = current_database()`

// TestKilledBetween: a connection that is lost between two statements of a unit
// costs nothing: the unit runs again.
func TestKilledBetween(t *testing.T) {
	t.Parallel()
	at := server.Database(t)
	db := opens(t, at)
	var runs atomic.Int64
	err := db.Write(ctx, func(tx store.Tx) error {
		return pair(tx, "one", func() {
			if runs.Add(1) == 1 {
				server.Exec(t, at, kill+` AND state = 'idle in transaction'`)
			}
		})
	})
	if err != nil || runs.Load() != 2 || !there(t, db, "one") {
		t.Errorf("%d runs, %v", runs.Load(), err)
	}
	// One that is lost every time ends with an error, and nothing of it is there.
	err = db.Write(ctx, func(tx store.Tx) error {
		return pair(tx, "two", func() { server.Exec(t, at, kill+` AND state = 'idle in transaction'`) })
	})
	if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnsure) || there(t, db, "two") {
		t.Errorf("%v, there %t", err, there(t, db, "two"))
	}
}

// TestKilledUnderLoad ends connections over and over while many write.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	at := server.Database(t)
	db := opens(t, at)
	stop := make(chan struct{})
	wait := load(db, "load", stop)
	for range 30 {
		server.Exec(t, at, kill)
	}
	close(stop)
	told := wait()
	judge(t, opens(t, at), told)
	if len(told) < 100 {
		t.Errorf("only %d units", len(told))
	}
}

// TestCrash stops a server of its own as a crash does, and as an administrator
// does, while many write.
func TestCrash(t *testing.T) {
	t.Parallel()
	s, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	}()
	at := s.Database(t)
	for _, hard := range []bool{true, false} {
		db := opens(t, at)
		stop := make(chan struct{})
		wait := load(db, fmt.Sprint("hard ", hard), stop)
		if err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, "before", nil) }); err != nil {
			t.Fatal(err)
		}
		if err := s.Down(hard); err != nil {
			t.Fatal(err)
		}
		if err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, "down", nil) }); !errors.Is(err, store.ErrUnavailable) {
			t.Error("while it is stopped:", err)
		}
		if err := db.Ping(ctx); !errors.Is(err, store.ErrUnavailable) {
			t.Error("while it is stopped:", err)
		}
		if err := s.Up(); err != nil {
			t.Fatal(err)
		}
		if err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, "up", nil) }); err != nil {
			t.Error("the same store, started again:", err)
		}
		close(stop)
		judge(t, db, wait())
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCommitUnanswered cuts the connection at the commit, before the server has
// it and after: the caller is told that nobody knows, and the store goes on.
func TestCommitUnanswered(t *testing.T) {
	t.Parallel()
	for _, reaches := range []bool{false, true} {
		t.Run(fmt.Sprintf("reaches the server %t", reaches), func(t *testing.T) {
			t.Parallel()
			at := server.Database(t)
			cut := &cutter{reaches: reaches}
			db := opens(t, cut.listen(t, at))
			if err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, "whole", nil) }); err != nil {
				t.Fatal(err)
			}
			cut.armed.Store(true)
			err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, "cut", nil) })
			if !errors.Is(err, store.ErrUnsure) || !errors.Is(err, store.ErrUnavailable) {
				t.Error("the commit was not answered:", err)
			}
			if cut.armed.Load() {
				t.Error("no connection was cut")
			}
			if got := there(t, opens(t, at), "cut"); got != reaches {
				t.Errorf("the unit is there: %t", got)
			}
			if err := db.Write(ctx, func(tx store.Tx) error { return pair(tx, "after", nil) }); err != nil {
				t.Error("afterwards:", err)
			}
		})
	}
}

// A cutter stands between the store and the server. While it is armed it cuts
// the first connection on which a COMMIT passes.
type cutter struct {
	armed   atomic.Bool
	reaches bool
	server  string
}

// listen returns the address of a database through the cutter.
func (c *cutter) listen(t *testing.T, at string) string {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	const socket = ".s.PGSQL.5432"
	c.server = filepath.Join(u.Query().Get("host"), socket)
	dir, err := os.MkdirTemp("/tmp", "cut")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, socket))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
		_ = os.RemoveAll(dir)
	})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.pass(conn) })
		}
	})
	u.RawQuery = url.Values{"host": {dir}}.Encode()
	return u.String()
}

func (c *cutter) pass(client net.Conn) {
	defer client.Close()
	srv, err := net.Dial("unix", c.server)
	if err != nil {
		return
	}
	defer srv.Close()
	back := make(chan struct{})
	var silent atomic.Bool
	var answered sync.Once
	answer := make(chan struct{})
	go func() {
		defer close(back)
		buf := make([]byte, 1<<16)
		for {
			n, err := srv.Read(buf)
			if silent.Load() {
				answered.Do(func() { close(answer) })
			} else if n > 0 {
				_, _ = client.Write(buf[:n])
			}
			if err != nil {
				return
			}
		}
	}()
	// pgx names a statement by its text.
	sum := sha256.Sum256([]byte("COMMIT"))
	// Behind the empty name of a portal it is executed, and not only prepared.
	name := []byte("\x00stmtcache_" + hex.EncodeToString(sum[:24]))
	buf := make([]byte, 1<<16)
	for {
		n, err := client.Read(buf)
		if bytes.Contains(buf[:n], name) && c.armed.CompareAndSwap(true, false) {
			if c.reaches {
				silent.Store(true)
				_, _ = srv.Write(buf[:n])
				<-answer
			}
			break
		}
		if n > 0 {
			_, _ = srv.Write(buf[:n])
		}
		if err != nil {
			break
		}
	}
	_ = client.Close()
	_ = srv.Close()
	<-back
}
