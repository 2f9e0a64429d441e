package rest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"assay/internal/service"
	"assay/internal/store"
)

// measured is a store that answers with these counts.
type measured struct {
	Records
	stats store.Stats
	down  error
	asked int
}

func (m *measured) Ping(context.Context) error {
	m.asked++
	return m.down
}

func (m *measured) Stats(context.Context, time.Time) (store.Stats, error) { return m.stats, nil }

// TestReady: a server is ready by how long something waits, not by how much
// does; what is not well is named.
func TestReady(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, c := range []struct {
		name  string
		stats store.Stats
		down  error
		want  Readiness
	}{
		{"nothing waits", store.Stats{}, nil, Readiness{Ready: true, Database: true, Sealer: true, Due: true}},
		{"a burst", store.Stats{Unsealed: 1_000_000, OldestUnsealed: ago(time.Second)}, nil, Readiness{Ready: true, Database: true, Sealer: true, SealerLagSeconds: 1, Due: true}},
		{"one entry, as long as may be", store.Stats{Unsealed: 1, OldestUnsealed: ago(30 * time.Second)}, nil, Readiness{Ready: true, Database: true, Sealer: true, SealerLagSeconds: 30, Due: true}},
		{"one entry, too long", store.Stats{Unsealed: 1, OldestUnsealed: ago(31 * time.Second)}, nil, Readiness{Database: true, SealerLagSeconds: 31, Due: true}},
		{"a clock that was set back", store.Stats{Unsealed: 1, OldestUnsealed: ago(-time.Hour)}, nil, Readiness{Ready: true, Database: true, Sealer: true, Due: true}},
		{"checks come late", store.Stats{OldestDue: ago(6 * time.Minute)}, nil, Readiness{Database: true, Sealer: true, DueLagSeconds: 360}},
		{"no database", store.Stats{}, errors.New("gone"), Readiness{}},
	} {
		s := &Server{Config: Config{Now: func() time.Time { return now }, Records: &measured{stats: c.stats, down: c.down}, DueLag: 5 * time.Minute, Log: slog.New(slog.DiscardHandler)}}
		if got := s.ready(t.Context()); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestReadyOverHTTP: where nothing seals, a real server stops being ready.
func TestReadyOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Now: func() time.Time { return time.Now().Add(time.Minute) }}, plainFake)
	if _, err := w.service.NewTenant(t.Context(), service.Principal{Tenant: "root", Role: service.RoleAdministrator}, "orchard", ""); err != nil {
		t.Fatal(err)
	}
	got := w.ask("GET", "/readyz", "", "")
	var v Readiness
	if err := json.Unmarshal(got.body, &v); err != nil || got.StatusCode != http.StatusServiceUnavailable || v.Sealer || !v.Database || v.SealerLagSeconds < 50 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}
