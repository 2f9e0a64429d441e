package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"assay/internal/service"
	"assay/internal/store"
)

// TestKeysEverywhere: whatever changes something can be repeated under a key; but
// not a download, whose answer may hold a private key and must not be kept.
func TestKeysEverywhere(t *testing.T) {
	t.Parallel()
	for _, op := range Operations() {
		takes := slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == "Idempotency-Key" })
		if takes != (op.Method != http.MethodGet && op.OperationID != "download-certificate-with") {
			t.Errorf("%s %s takes a key: %t", op.Method, op.Path, takes)
		}
		if takes != slices.Contains(op.Problems, kindKeyReused) {
			t.Errorf("%s %s says that a key may be used already: %t", op.Method, op.Path, !takes)
		}
	}
}

const draftBody = `{"draft":true,"order":{"names":["www.orchard.net"],"method":"dns"}}`

func draft(t *testing.T, w *world) *service.View {
	t.Helper()
	got := w.ask("POST", Base+"/orders", w.root, draftBody)
	v := &service.View{}
	if err := json.Unmarshal(got.body, v); err != nil || got.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	return v
}

func realWorld(t *testing.T) *world {
	return newWorld(t, Config{}, func(s *service.Service) Service { return s })
}

// TestRepeatedChanges: a change, a deletion and a revocation repeated under their
// key are answered as the first time, and have their effect once.
func TestRepeatedChanges(t *testing.T) {
	t.Parallel()
	w := realWorld(t)
	v := draft(t, w)
	token, _, _ := strings.Cut(strings.TrimPrefix(w.token(service.RoleAuditor, "", "x"), "assay_"), "_")
	for _, c := range []struct{ method, path, body string }{
		{"PATCH", "/orders/" + v.ID, draftBody},
		{"DELETE", "/orders/" + v.ID, ""},
		{"DELETE", "/tokens/" + token, ""},
		{"PUT", "/accounts/shop", `{"verified":true}`},
	} {
		first := w.ask(c.method, Base+c.path, w.root, c.body, "Idempotency-Key", c.method+c.path)
		again := w.ask(c.method, Base+c.path, w.root, c.body, "Idempotency-Key", c.method+c.path)
		if first.StatusCode/100 != 2 || again.StatusCode != first.StatusCode || string(again.body) != string(first.body) ||
			again.Header.Get("ETag") != first.Header.Get("ETag") || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s %s: %d %s, then %d %s", c.method, c.path, first.StatusCode, first.body, again.StatusCode, again.body)
		}
	}
	if got := w.ask("DELETE", Base+"/orders/"+v.ID, w.root, ""); got.StatusCode != http.StatusNotFound {
		t.Errorf("without the key: %d", got.StatusCode)
	}
}

// TestEntityTag: it changes with whatever is shown, and a change is held against
// the version in it.
func TestEntityTag(t *testing.T) {
	t.Parallel()
	w := realWorld(t)
	got := w.ask("POST", Base+"/orders", w.root, `{"order":{"names":["www.orchard.net"],"method":"dns"}}`, "Accept-Language", "en")
	if got.StatusCode == http.StatusCreated {
		t.Fatal("an order without a CSR is no draft")
	}
	v := draft(t, w)
	path := Base + "/orders/" + v.ID
	english := w.ask("GET", path, w.root, "", "Accept-Language", "en").Header.Get("ETag")
	chinese := w.ask("GET", path, w.root, "", "Accept-Language", "zh").Header.Get("ETag")
	if english == "" || english == chinese || !strings.HasPrefix(english, `"1-`) {
		t.Errorf("%s and %s", english, chinese)
	}
	for tag, want := range map[string]int{english: 304, "W/" + english: 304, "*": 304, chinese: 200, `"1"`: 200, `"x", ` + english: 304} {
		if got := w.ask("GET", path, w.root, "", "Accept-Language", "en", "If-None-Match", tag); got.StatusCode != want {
			t.Errorf("If-None-Match %s: %d, want %d", tag, got.StatusCode, want)
		}
	}
	// What is due next is no change of the order.
	err := w.server.Records.(store.Store).Write(t.Context(), func(tx store.Tx) error {
		return tx.SetDue(store.Due{Order: v.ID, Kind: store.DueCheck, At: time.Now().Add(time.Hour)})
	})
	if err != nil {
		t.Fatal(err)
	}
	later := w.ask("GET", path, w.root, "", "Accept-Language", "en", "If-None-Match", english)
	if tag := later.Header.Get("ETag"); later.StatusCode != http.StatusOK || tag == english || !strings.HasPrefix(tag, `"1-`) {
		t.Errorf("with another check due: %d %s", later.StatusCode, tag)
	}
	for _, c := range []struct {
		tag  string
		want int
	}{
		{`"+1"`, 400},
		{`"01"`, 400},
		{`"1-"`, 400},
		{`"1-xyz"`, 400},
		{`"0"`, 400},
		{`W/"1"`, 400},
		{`"2"`, 412},
		{english, 200},
		{chinese, 412},
		{`"1"`, 412},
		{`"2"`, 200},
	} {
		if got := w.ask("PATCH", path, w.root, draftBody, "If-Match", c.tag); got.StatusCode != c.want {
			t.Errorf("If-Match %s: %d, want %d", c.tag, got.StatusCode, c.want)
		}
	}
}

// TestResubmitDraft: what cannot be is said.
func TestResubmitDraft(t *testing.T) {
	t.Parallel()
	w := realWorld(t)
	v := draft(t, w)
	if got := w.ask("POST", Base+"/orders/"+v.ID+"/resubmit", w.root, draftBody); got.StatusCode != http.StatusBadRequest || !strings.Contains(got.problem(t).Detail, "cannot be a draft") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestReadyCached: who asks all the time costs the database a look a second.
func TestReadyCached(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	records := &measured{}
	s := &Server{Config: Config{Now: func() time.Time { return now }, Records: records, DueLag: time.Minute}}
	for _, step := range []struct {
		pass time.Duration
		want int
	}{{0, 1}, {time.Millisecond, 1}, {998 * time.Millisecond, 1}, {time.Millisecond, 2}, {-time.Hour, 3}, {0, 3}} {
		now = now.Add(step.pass)
		if v := s.readyNow(context.Background()); !v.Ready || records.asked != step.want {
			t.Errorf("after %s: %+v, looked %d times, want %d", step.pass, v, records.asked, step.want)
		}
	}
}
