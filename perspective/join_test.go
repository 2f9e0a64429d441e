package perspective_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/evidence"
	"assay/perspective"
	"assay/perspective/wire"
)

func faultWord(err error) string {
	var f *perspective.Fault
	if errors.As(err, &f) {
		return f.Word
	}
	return ""
}

// TestJoin: a code is good for one coordinator, for its time, at its agent.
func TestJoin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "P3", nil)
	w.config.Now = w.clock.now
	w.stop()
	w.start("127.0.0.1:0")
	code := w.code()
	join := func(c *wire.Code, file string, now func() time.Time) error {
		r, err := perspective.Join(t.Context(), c, file, perspective.JoinOptions{Now: now})
		if err == nil {
			if h := r.Test(t.Context()); h.Fault != nil {
				t.Error(h.Fault)
			}
			r.Close()
		}
		return err
	}
	other := filepath.Join(t.TempDir(), "perspectives.toml")

	wrong := *code
	wrong.Secret[0] ^= 1
	if err := join(&wrong, other, nil); faultWord(err) != evidence.UnknownRefused {
		t.Errorf("wrong secret: %v", err)
	}
	elsewhere := *code
	elsewhere.Agent = newIdentity(t).Private.Public().(edKey)
	if err := join(&elsewhere, other, nil); faultWord(err) != evidence.UnknownIdentity {
		t.Errorf("another agent: %v", err)
	}
	if err := join(code, w.file, nil); err != nil {
		t.Fatal(err)
	}
	if err := join(code, w.file, nil); err != nil {
		t.Errorf("the same coordinator again: %v", err)
	}
	if err := join(code, other, nil); faultWord(err) != evidence.UnknownRefused {
		t.Errorf("used by another: %v", err)
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("a file was written although nothing was joined")
	}
	f, err := perspective.ReadFile(w.file)
	if err != nil || len(f.Perspectives) != 1 || f.Perspectives[0].ID != "P3" || f.Perspectives[0].Region != "RIPE" || f.Perspectives[0].Location.Lat != 52.37 {
		t.Errorf("%+v %v", f, err)
	}
	if info, err := os.Stat(w.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}

	// Expired: the coordinator says so itself, and so does the agent.
	late := w.code()
	w.clock.add(2 * time.Hour)
	if err := join(late, other, w.clock.now); faultWord(err) != evidence.UnknownRefused {
		t.Errorf("expired: %v", err)
	}
	if err := join(late, other, nil); faultWord(err) != evidence.UnknownRefused {
		t.Errorf("expired, by the agent's clock: %v", err)
	}
}

// TestJoinImpostor: an impostor at the agent's address learns nothing, with
// another key or with none.
func TestJoinImpostor(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "perspectives.toml")
	code := &wire.Code{Agent: newIdentity(t).Private.Public().(edKey), Expires: time.Now().Add(time.Hour)}
	reached := make(chan struct{}, 1)
	code.Address = hostile(t, newIdentity(t), func(http.ResponseWriter, *http.Request) { reached <- struct{}{} })
	_, err := perspective.Join(t.Context(), code, file, perspective.JoinOptions{})
	if faultWord(err) != evidence.UnknownIdentity {
		t.Errorf("%v", err)
	}
	// One that has the key, but does not know the secret.
	key := newIdentity(t)
	code.Agent = key.Private.Public().(edKey)
	code.Address = hostile(t, key, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		request, err := wire.OpenJoinRequest(raw)
		if err != nil || strings.Contains(string(raw), string(code.Secret[:])) {
			t.Errorf("%s %v", raw, err)
			return
		}
		exporter, _ := r.TLS.ExportKeyingMaterial(wire.ExporterLabel, nil, wire.ExporterBytes)
		answer, err := wire.NewJoinAnswer(evidence.Perspective{ID: "P9", Key: key.Public}, [16]byte{9}, exporter, request.Coordinator, key.Public)
		if err != nil {
			t.Error(err)
		}
		writeJSON(w, answer)
	})
	_, err = perspective.Join(t.Context(), code, file, perspective.JoinOptions{})
	if faultWord(err) != evidence.UnknownIdentity {
		t.Errorf("no secret: %v", err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a file was written")
	}
	select {
	case <-reached:
		t.Error("an impostor got a request")
	default:
	}
}

// TestManInTheMiddle: one who relays what both sides say, inside TLS connections
// of his own, is not let in: each side's proof holds for one connection, and his
// key is not the one in the code.
func TestManInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "P3", nil)
	code := w.code()
	middle := newIdentity(t)
	// Suppose the worst: the coordinator was given his key in place of the agent's.
	relay := make(chan error, 1)
	tricked := *code
	tricked.Agent = middle.Private.Public().(edKey)
	tricked.Address = hostile(t, middle, func(rw http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		relay <- relayed(t, middle, code, raw)
		rw.WriteHeader(http.StatusForbidden)
	})
	file := filepath.Join(t.TempDir(), "perspectives.toml")
	if _, err := perspective.Join(t.Context(), &tricked, file, perspective.JoinOptions{}); err == nil {
		t.Error("joined through the man in the middle")
	}
	if err := <-relay; err != nil {
		t.Error(err)
	}
	if w.config.Coordinators.Len() != 0 {
		t.Error("the agent let somebody in")
	}
	// A relay of bytes, without TLS of its own, is only a longer cable.
	cable := relayBytes(t, w.address)
	honest := *code
	honest.Address = cable
	r, err := perspective.Join(t.Context(), &honest, file, perspective.JoinOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
}

// TestJoinAtOnce: many joins at the same time lose no entry.
func TestJoinAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "perspectives.toml")
	const n = 6
	var all sync.WaitGroup
	for i := range n {
		w := newWorld(t, "P"+string(rune('1'+i)), nil)
		code := w.code()
		all.Go(func() {
			r, err := perspective.Join(context.Background(), code, file, perspective.JoinOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			r.Close()
		})
	}
	all.Wait()
	f, err := perspective.ReadFile(file)
	if err != nil || len(f.Perspectives) != n {
		t.Errorf("%d entries, %v", len(f.Perspectives), err)
	}
}

// TestSameID: an agent does not take another's place unless it may.
func TestSameID(t *testing.T) {
	t.Parallel()
	one, two := newWorld(t, "P3", nil), newWorld(t, "P3", nil)
	first := one.joined(perspective.Options{})
	code := two.code()
	if _, err := perspective.Join(t.Context(), code, one.file, perspective.JoinOptions{}); !errors.Is(err, perspective.ErrEntry) {
		t.Errorf("%v", err)
	}
	r, err := perspective.Join(t.Context(), code, one.file, perspective.JoinOptions{Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	f, err := perspective.ReadFile(one.file)
	if err != nil || len(f.Perspectives) != 1 || f.Perspectives[0].Key == first.About().Key {
		t.Errorf("%+v %v", f, err)
	}
}

// relayBytes copies bytes between a port of its own and an address.
func relayBytes(t *testing.T, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				return
			}
			all.Go(func() { _, _ = io.Copy(a, b); a.Close() })
			all.Go(func() { _, _ = io.Copy(b, a); b.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}
