package identity_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assay/perspective/identity"
	"assay/perspective/wire"
)

// TestFile: a key is made once, by however many start at once, and is refused
// where it is no secret any more.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "key.pem")
	if _, err := identity.Load(path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	var all sync.WaitGroup
	keys := make([]string, 8)
	for i := range keys {
		all.Go(func() {
			id, err := identity.LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = id.Public
		})
	}
	all.Wait()
	for _, k := range keys {
		if k != keys[0] || k == "" {
			t.Fatalf("%v", keys)
		}
	}
	if left, _ := filepath.Glob(path + ".new*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() error{
		"others may read it": func() error { return os.Chmod(path, 0o640) },
		"no PEM":             func() error { return identity.Replace(path, []byte("x")) },
		"two keys":           func() error { return identity.Replace(path, append(bytes.Clone(raw), raw...)) },
		"cut short":          func() error { return identity.Replace(path, raw[:len(raw)/2]) },
		"endless":            func() error { return identity.Replace(path, bytes.Repeat(raw, 100)) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := identity.Load(path); err == nil {
			t.Errorf("%s: loaded", name)
		}
		if _, err := identity.LoadOrCreate(path); err == nil {
			t.Errorf("%s: a new key took its place", name)
		}
		if err := identity.Replace(path, raw); err != nil {
			t.Fatal(err)
		}
	}
	if id, err := identity.Load(path); err != nil || id.Public != keys[0] {
		t.Error(id, err)
	}
}

// TestLock: only one holds a lock.
func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	var inside, entered atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			unlock, err := identity.Lock(path)
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d hold it", n)
			}
			entered.Add(1)
			inside.Add(-1)
		})
	}
	all.Wait()
	if n := entered.Load(); n != 20 {
		t.Error(n)
	}
}

// TestHandshake: each side is let in with its key and no other, in TLS 1.3.
func TestHandshake(t *testing.T) {
	t.Parallel()
	ids := make([]*identity.Identity, 3)
	for i := range ids {
		id, err := identity.New(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		ids[i] = id
	}
	agent, coordinator, other := ids[0], ids[1], ids[2]
	for _, c := range []struct {
		name           string
		pin, client    *identity.Identity
		server, joined bool
	}{
		{"both right", agent, coordinator, true, true},
		{"another agent", other, coordinator, false, false},
		{"another coordinator", agent, other, false, true},
	} {
		key, err := wire.ParseKey(c.pin.Public)
		if err != nil {
			t.Fatal(err)
		}
		server, err := agent.Server(func(k string) bool { return k == coordinator.Public })
		if err != nil {
			t.Fatal(err)
		}
		client, err := c.client.Client(key)
		if err != nil {
			t.Fatal(err)
		}
		s, cl := handshake(server, client)
		if (s == nil) != c.server || (cl == nil) != c.joined {
			t.Errorf("%s: server %v, client %v", c.name, s, cl)
		}
	}
	key, err := wire.ParseKey(agent.Public)
	if err != nil {
		t.Fatal(err)
	}
	old, err := coordinator.Client(key)
	if err != nil {
		t.Fatal(err)
	}
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	server, err := agent.Server(func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := handshake(server, old); s == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

// handshake returns what each side says of it.
func handshake(server, client *tls.Config) (serverErr, clientErr error) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	for _, c := range []net.Conn{a, b} {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	}
	done := make(chan error, 1)
	go func() {
		c := tls.Client(b, client)
		err := c.Handshake()
		if err == nil {
			// Reads the agent's verdict, so that it does not block on the pipe.
			_, _ = c.Read(make([]byte, 1))
		}
		done <- err
	}()
	s := tls.Server(a, server)
	serverErr = s.Handshake()
	a.Close()
	return serverErr, <-done
}
