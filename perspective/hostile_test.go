package perspective_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"assay/evidence"
	"assay/perspective"
	"assay/perspective/identity"
	"assay/perspective/wire"
)

// A hostile agent has the right key and does as its handler says.
func hostile(t *testing.T, key *identity.Identity, handler http.HandlerFunc) string {
	t.Helper()
	config, err := key.Server(func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: handler, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.ServeTLS(l, "", "") }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return l.Addr().String()
}

func newIdentity(t *testing.T) *identity.Identity {
	t.Helper()
	id, err := identity.New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// remote is the place of an agent at an address.
func remote(t *testing.T, agent *identity.Identity, address string, o perspective.Options) *perspective.Remote {
	t.Helper()
	r, err := perspective.NewRemote(perspective.Entry{ID: "P1", Address: address, Key: agent.Public, Region: "RIPE"}, newIdentity(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// honest is what an honest agent would answer to a request; liars change it.
func honest(t *testing.T, key *identity.Identity, raw []byte) (*wire.Request, evidence.Perspective, []evidence.Observation) {
	var signed struct {
		Message json.RawMessage `json:"message"`
	}
	request := &wire.Request{}
	if err := json.Unmarshal(raw, &signed); err != nil {
		t.Error(err)
	}
	if err := json.Unmarshal(signed.Message, request); err != nil {
		t.Error(err)
	}
	seen := make([]evidence.Observation, len(request.Questions))
	for i, q := range request.Questions {
		seen[i] = healthy(context.Background(), q)
	}
	return request, evidence.Perspective{ID: "P1", Region: "RIPE", Key: key.Public, Remote: true}, seen
}

// compressed is a body of so many zeros, as gzip.
func compressed(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestHostileAgent: whatever an agent does, the coordinator gets an observation
// for each question, in time, that says whose fault it is.
func TestHostileAgent(t *testing.T) {
	t.Parallel()
	type handler = func(t *testing.T, key *identity.Identity, w http.ResponseWriter, r *http.Request, raw []byte)
	// lie answers as a signer does, after a change.
	lie := func(change func(*wire.Request, *evidence.Perspective, []evidence.Observation, *ed25519.PrivateKey)) handler {
		return func(t *testing.T, key *identity.Identity, w http.ResponseWriter, _ *http.Request, raw []byte) {
			request, about, seen := honest(t, key, raw)
			private := key.Private
			change(request, &about, seen, &private)
			a, err := wire.SignAnswer(request, about, seen, time.Now(), private)
			if err != nil {
				t.Error(err)
			}
			if err := json.NewEncoder(w).Encode(a); err != nil {
				t.Log(err)
			}
		}
	}
	refuse := func(word string) handler {
		return func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(wire.Refuse(word, "").Status())
			_ = json.NewEncoder(w).Encode(wire.Refuse(word, "\x1b[31m"))
		}
	}
	var first atomic.Pointer[[]byte]
	bomb := compressed(t, wire.MaxAnswerBytes+1)
	for _, c := range []struct {
		name, word string
		handler    handler
	}{
		{"honest", "", lie(func(*wire.Request, *evidence.Perspective, []evidence.Observation, *ed25519.PrivateKey) {})},
		{"calls itself another place", evidence.UnknownIdentity, lie(func(_ *wire.Request, p *evidence.Perspective, _ []evidence.Observation, _ *ed25519.PrivateKey) {
			p.ID = "P2"
		})},
		{"calls its region another", evidence.UnknownIdentity, lie(func(_ *wire.Request, p *evidence.Perspective, _ []evidence.Observation, _ *ed25519.PrivateKey) {
			p.Region = "ARIN"
		})},
		{"answers other questions", evidence.UnknownInvalid, lie(func(r *wire.Request, _ *evidence.Perspective, seen []evidence.Observation, _ *ed25519.PrivateKey) {
			for i := range seen {
				r.Questions[i].Perspective, seen[i].Question.Perspective = "P2", "P2"
			}
			r.Nonce = wire.NewNonce([16]byte{})
		})},
		{"another nonce", evidence.UnknownInvalid, lie(func(r *wire.Request, _ *evidence.Perspective, _ []evidence.Observation, _ *ed25519.PrivateKey) {
			r.Nonce = wire.NewNonce([16]byte{1})
		})},
		{"signs with another key", evidence.UnknownInvalid, lie(func(_ *wire.Request, _ *evidence.Perspective, _ []evidence.Observation, k *ed25519.PrivateKey) {
			*k = ed25519.NewKeyFromSeed(make([]byte, 32))
		})},
		{"signs as another agent", evidence.UnknownInvalid, lie(func(r *wire.Request, _ *evidence.Perspective, _ []evidence.Observation, k *ed25519.PrivateKey) {
			*k = ed25519.NewKeyFromSeed(make([]byte, 32))
			r.Agent = wire.FormatKey(k.Public().(ed25519.PublicKey))
		})},
		{"an observation of last year", evidence.UnknownInvalid, lie(func(_ *wire.Request, _ *evidence.Perspective, seen []evidence.Observation, _ *ed25519.PrivateKey) {
			for i := range seen {
				seen[i].At = seen[i].At.AddDate(-1, 0, 0)
			}
			if len(seen) == 0 {
				panic(http.ErrAbortHandler)
			}
		})},
		{"gives the same answer again", evidence.UnknownInvalid, func(t *testing.T, key *identity.Identity, w http.ResponseWriter, _ *http.Request, raw []byte) {
			if b := first.Load(); b != nil {
				_, _ = w.Write(*b)
				return
			}
			request, about, seen := honest(t, key, raw)
			a, err := wire.SignAnswer(request, about, seen, time.Now(), key.Private)
			if err != nil {
				t.Error(err)
			}
			b, err := json.Marshal(a)
			if err != nil {
				t.Error(err)
			}
			first.Store(&b)
			_, _ = w.Write(b)
		}},
		{"garbage", evidence.UnknownInvalid, func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = w.Write([]byte("\x00\xff<html>"))
		}},
		{"nothing", evidence.UnknownInvalid, func(*testing.T, *identity.Identity, http.ResponseWriter, *http.Request, []byte) {}},
		{"a compressed nothing", evidence.UnknownInvalid, func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("not gzip at all"))
		}},
		{"a bomb", evidence.UnknownInvalid, func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		}},
		{"an endless answer", evidence.UnknownInvalid, func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, r *http.Request, _ []byte) {
			spaces := bytes.Repeat([]byte(" "), 1<<16)
			for r.Context().Err() == nil {
				if _, err := w.Write(spaces); err != nil {
					return
				}
			}
		}},
		{"stalls before the answer", evidence.UnknownTimeout, func(_ *testing.T, _ *identity.Identity, _ http.ResponseWriter, r *http.Request, _ []byte) {
			<-r.Context().Done()
		}},
		{"stalls in the answer", evidence.UnknownTimeout, func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, r *http.Request, _ []byte) {
			_, _ = w.Write([]byte(`{"version":1,`))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		{"dies before the answer", evidence.UnknownUnreachable, func(*testing.T, *identity.Identity, http.ResponseWriter, *http.Request, []byte) {
			panic(http.ErrAbortHandler)
		}},
		{"dies in the answer", evidence.UnknownUnreachable, func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, _ *http.Request, _ []byte) {
			_, _ = w.Write([]byte(`{"version":1,`))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
		{"does not know us", evidence.UnknownRefused, refuse(wire.RefusedUnknown)},
		{"too much", evidence.UnknownRefused, refuse(wire.RefusedTooMany)},
		{"clock", evidence.UnknownRefused, refuse(wire.RefusedClock)},
		{"a word of its own", evidence.UnknownRefused, func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(418)
			_, _ = w.Write([]byte(`{"error":"\u001b[31mteapot"}`))
		}},
		{"an endless refusal", evidence.UnknownInvalid, func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.WriteHeader(500)
			_, _ = w.Write(bytes.Repeat([]byte(" "), 1<<20))
		}},
		{"sends elsewhere", evidence.UnknownRefused, func(_ *testing.T, _ *identity.Identity, w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Location", "https://127.0.0.1:1/")
			w.WriteHeader(307)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key := newIdentity(t)
			// The test before the look must pass, or nothing would be asked.
			var turned atomic.Bool
			address := hostile(t, key, func(w http.ResponseWriter, r *http.Request) {
				raw, err := io.ReadAll(r.Body)
				if err != nil {
					return
				}
				if !turned.Load() {
					lie(func(*wire.Request, *evidence.Perspective, []evidence.Observation, *ed25519.PrivateKey) {})(t, key, w, r, raw)
					return
				}
				c.handler(t, key, w, r, raw)
			})
			place := remote(t, key, address, perspective.Options{Look: time.Minute})
			if h := place.Test(t.Context()); h.Fault != nil {
				t.Fatal(h.Fault)
			}
			turned.Store(true)
			ctx := t.Context()
			if c.word == evidence.UnknownTimeout {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
				defer cancel()
			}
			q := questions("P1")
			look := place.Begin()
			defer look.Close()
			rounds := 1
			if c.name == "gives the same answer again" {
				rounds = 2 // the first time it is good
			}
			var seen []evidence.Observation
			for range rounds {
				seen = look.Answer(ctx, q)
			}
			if len(seen) != len(q) {
				t.Fatalf("%d observations", len(seen))
			}
			for i, o := range seen {
				if o.PerspectiveFault() != c.word || o.ID == "" || o.Question.ID() != q[i].ID() {
					t.Errorf("%q, want %s", o.Unknown, c.word)
				}
				if bytes.ContainsRune([]byte(o.Unknown), '\x1b') {
					t.Errorf("%q", o.Unknown)
				}
				if c.word != "" && (o.DNS != nil || o.HTTP != nil || o.TLS != nil || o.Attestation != nil) {
					t.Error("something of it is believed")
				}
			}
			if c.word == "" {
				return
			}
			// The next look tests it again, and so does a test, with the same word.
			if c.name != "gives the same answer again" && c.word != evidence.UnknownTimeout && c.name != "an observation of last year" {
				h := place.Test(t.Context())
				if h.Fault == nil || h.Fault.Word != c.word {
					t.Errorf("test: %v", h.Fault)
				}
			}
		})
	}
}

// TestImpostor: whoever took the agent's address, without its key, gets nothing:
// not even the questions.
func TestImpostor(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	address := hostile(t, newIdentity(t), func(http.ResponseWriter, *http.Request) { reached.Add(1) })
	place := remote(t, newIdentity(t), address, perspective.Options{})
	h := place.Test(t.Context())
	if h.Fault == nil || h.Fault.Word != evidence.UnknownIdentity || reached.Load() != 0 {
		t.Errorf("%v, reached %d times", h.Fault, reached.Load())
	}
	if seen := answer(t, place, questions("P1")); seen[0].PerspectiveFault() != evidence.UnknownIdentity {
		t.Errorf("%q", seen[0].Unknown)
	}
}

// TestSilence: what accepts a connection and says nothing costs its time and no more.
func TestSilence(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	place := remote(t, newIdentity(t), l.Addr().String(), perspective.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	look := place.Begin()
	began := time.Now()
	seen := look.Answer(ctx, questions("P1"))
	if seen[0].PerspectiveFault() != evidence.UnknownTimeout || time.Since(began) > 3*time.Second {
		t.Errorf("%q after %v", seen[0].Unknown, time.Since(began))
	}
}

// TestClose: closing ends what runs.
func TestClose(t *testing.T) {
	t.Parallel()
	key := newIdentity(t)
	asked := make(chan struct{}, 10)
	address := hostile(t, key, func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	place := remote(t, key, address, perspective.Options{})
	done := make(chan []evidence.Observation)
	go func() { done <- place.Begin().Answer(context.Background(), questions("P1")) }()
	<-asked
	place.Close()
	if seen := <-done; seen[0].PerspectiveFault() == "" {
		t.Errorf("%+v", seen[0])
	}
}

// TestRefusals: an agent's refusals arrive as what they are.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "P1", nil)
	w.joined(perspective.Options{})
	// A stranger is turned away in the handshake.
	stranger, err := perspective.NewRemote(perspective.Entry{ID: "P1", Address: w.address, Key: w.config.Identity.Public, Region: "RIPE"}, newIdentity(t), perspective.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	w.stop()
	w.start(w.address) // no join code is open now
	if h := stranger.Test(t.Context()); h.Fault == nil || h.Fault.Word != evidence.UnknownRefused || h.Fault.Detail != "it does not know this coordinator" {
		t.Errorf("stranger: %v", h.Fault)
	}
	// A coordinator whose clock is wrong.
	for _, d := range []time.Duration{-2 * time.Minute, 2 * time.Minute} {
		late := &clock{offset: d}
		list, err := perspective.Load(w.file, perspective.Options{Now: late.now})
		if err != nil {
			t.Fatal(err)
		}
		if h := list[0].Test(t.Context()); h.Fault == nil || h.Fault.Word != evidence.UnknownRefused || h.Fault.Detail != "its clock and ours differ by more than a minute" {
			t.Errorf("clock %v: %v", d, h.Fault)
		}
		list[0].Close()
	}
	// One that left is a stranger.
	list, err := perspective.Load(w.file, perspective.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer list[0].Close()
	if err := list[0].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h := list[0].Test(t.Context()); h.Fault == nil || h.Fault.Word != evidence.UnknownRefused {
		t.Errorf("left: %v", h.Fault)
	}
	if _, err := perspective.Load(filepath.Join(filepath.Dir(w.file), "none.toml"), perspective.Options{}); err == nil {
		t.Error("a file that is not there was loaded")
	}
}
