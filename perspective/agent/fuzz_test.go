package agent_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"assay/perspective/agent"
	"assay/perspective/identity"
	"assay/perspective/wire"
)

// FuzzAgent: bytes that a coordinator sends to each path.
func FuzzAgent(f *testing.F) {
	id, err := identity.New(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	coordinator, err := identity.New(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	list, err := agent.OpenCoordinators(filepath.Join(f.TempDir(), "coordinators.toml"))
	if err != nil {
		f.Fatal(err)
	}
	if err := list.Add(coordinator.Public, time.Now()); err != nil {
		f.Fatal(err)
	}
	a, err := agent.New(agent.Config{Place: &place{}, Identity: id, Coordinators: list, Rate: 1 << 30})
	if err != nil {
		f.Fatal(err)
	}
	server, client := tlsPair(f, id, coordinator)
	defer server.Close()
	defer client.Close()
	state := server.ConnectionState()
	w := &world{agent: id, coordinator: coordinator}
	good, err := wire.SignRequest(w.request(1), coordinator.Private)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire.PathLook, good)
	f.Add(wire.PathLeave, good)
	join, err := json.Marshal(wire.JoinRequest{Version: 1, Coordinator: coordinator.Public})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire.PathJoin, join)
	f.Fuzz(func(t *testing.T, path string, raw []byte) {
		r, err := http.NewRequest(http.MethodPost, "https://x/", bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.TLS = path, &state
		out := &answer{header: http.Header{}}
		a.ServeHTTP(out, r)
		if out.status == 0 || out.status == http.StatusOK && !bytes.Equal(raw, good) {
			t.Fatalf("status %d for %q", out.status, raw)
		}
		if out.status == http.StatusInternalServerError {
			t.Fatalf("%s", out.body.String())
		}
	})
}

type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(raw []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(raw)
}

// tlsPair is one connection between two identities.
func tlsPair(f *testing.F, agent, coordinator *identity.Identity) (server, client *tls.Conn) {
	f.Helper()
	key, err := wire.ParseKey(agent.Public)
	if err != nil {
		f.Fatal(err)
	}
	serverConfig, err := agent.Server(func(string) bool { return true })
	if err != nil {
		f.Fatal(err)
	}
	clientConfig, err := coordinator.Client(key)
	if err != nil {
		f.Fatal(err)
	}
	a, b := net.Pipe()
	server, client = tls.Server(a, serverConfig), tls.Client(b, clientConfig)
	done := make(chan error, 1)
	go func() { done <- client.Handshake() }()
	if err := server.Handshake(); err != nil {
		f.Fatal(err)
	}
	if err := <-done; err != nil {
		f.Fatal(err)
	}
	return server, client
}
