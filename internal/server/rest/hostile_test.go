package rest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"assay/internal/service"
	"assay/internal/store"
)

// TestErasedAnswer: what an order is erased of is in no answer that was kept, and
// the key stays used.
func TestErasedAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, real)
	body := `{"order":{"names":["shop.orchard.net"],"method":"dns","contacts":{"administrator":{"first_name":"Ada","email":"ada@orchard.net"}}},"draft":true}`
	headers := []string{"Content-Type", "application/json", "Idempotency-Key", "k1"}
	made := w.ask(http.MethodPost, "/api/v1/orders", w.root, body, headers...)
	var v struct{ ID string }
	if err := json.Unmarshal(made.body, &v); err != nil || made.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", made.StatusCode, made.body)
	}
	if again := w.ask(http.MethodPost, "/api/v1/orders", w.root, body, headers...); string(again.body) != string(made.body) {
		t.Fatalf("again: %s", again.body)
	}
	for _, step := range []string{"cancel", "erase"} {
		if got := w.ask(http.MethodPost, "/api/v1/orders/"+v.ID+"/"+step, w.root, ""); got.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s", step, got.StatusCode, got.body)
		}
	}
	got := w.ask(http.MethodPost, "/api/v1/orders", w.root, body, headers...)
	if got.StatusCode != http.StatusNotFound || strings.Contains(string(got.body), "Ada") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestTrialNotKept: what a trial shows of orders is in no answer that was kept, where
// an erasure of one of them would not find it.
func TestTrialNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, real)
	headers := []string{"Content-Type", "application/toml", "Idempotency-Key", "try"}
	for range 2 {
		got := w.ask(http.MethodPost, Base+"/profiles/try", w.root, "name = \"cloud\"\ntitle = \"T\"\nversion = \"1\"\ninherits = \"cloud\"\n", headers...)
		if got.StatusCode != http.StatusOK || got.Header.Get("Idempotency-Replayed") != "" {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
	p, err := w.service.Authenticate(t.Context(), w.root)
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := w.service.Store.Request(t.Context(), p.Token, "try"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("kept: %+v, %v", kept, err)
	}
}

// TestHostileText: texts that a database cannot hold, and names of any length,
// are told as what they are.
func TestHostileText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, real)
	for _, path := range []string{
		"/orders/%00", "/orders/%ff", "/orders?account=%00", "/orders?cursor=MC4A", "/orders?cursor=YWJjLg", "/tokens?cursor=%ff", "/accounts/%00", "/audit?actor=%00",
		"/notices?cursor=" + base64.RawURLEncoding.EncodeToString([]byte("1 a\x00 b")), "/notices?cursor=" + base64.RawURLEncoding.EncodeToString([]byte("1 a \xff")),
	} {
		if got := w.ask(http.MethodGet, "/api/v1"+path, w.root, ""); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
		}
	}
	names := make([]string, 1000)
	for i := range names {
		names[i] = strings.Repeat("a.", 120) + fmt.Sprintf("n%d.net", i)
	}
	for name, list := range map[string][]string{"one of 900 KB": {strings.Repeat("a", 900_000)}, "1,000 of 120 labels": names} {
		raw, err := json.Marshal(map[string]any{"order": map[string]any{"names": list}, "draft": true})
		if err != nil {
			t.Fatal(err)
		}
		want := http.StatusCreated
		if len(list) == 1 {
			want = http.StatusBadRequest
		}
		if got := w.ask(http.MethodPost, "/api/v1/orders", w.root, string(raw), "Content-Type", "application/json"); got.StatusCode != want {
			t.Errorf("%s: %d %.300s", name, got.StatusCode, got.body)
		}
	}
}

// TestZeroBytes: no text of any body may hold a zero byte, whatever the operation; one that
// only shows how that is written may stand there.
func TestZeroBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{TokenRate: -1, AddressRate: -1}, real)
	asked := 0
	for _, op := range Operations() {
		if op.Body == nil || op.Body.Type == nil {
			continue
		}
		var bodies []string
		texts(reflect.TypeOf(op.Body.Type), "%s", 0, func(body string) { bodies = append(bodies, body) })
		for _, body := range bodies {
			asked++
			body = fmt.Sprintf(body, `"a\u0000b"`)
			got := w.ask(op.Method, Base+fill(op.Path, "x", "1"), w.root, body, "Content-Type", "application/json")
			if got.StatusCode != http.StatusBadRequest || !strings.Contains(string(got.body), "zero byte") {
				t.Errorf("%s %s: %d %s", op.OperationID, body, got.StatusCode, got.body)
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d texts", asked)
	}
	note := `{"order":{"names":["www.orchard.net"],"method":"dns","organization":{"name":"a\\u0000b"}},"draft":true}`
	if got := w.ask(http.MethodPost, Base+"/orders", w.root, note, "Content-Type", "application/json"); got.StatusCode != http.StatusCreated {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// texts tells the bodies, each with a %s where the value of one text stands, that a type
// can be read from: as text stands also in keys of maps, one is told with such a key.
func texts(t reflect.Type, around string, depth int, tell func(body string)) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	in := func(format string) string { return strings.Replace(around, "%s", format, 1) }
	switch {
	case depth > 5, reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()), t == reflect.TypeFor[json.RawMessage]():
	case t.Kind() == reflect.String:
		tell(around)
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		texts(t.Elem(), in("[%s]"), depth+1, tell)
	case t.Kind() == reflect.Map:
		tell(in(`{%s:null}`))
		texts(t.Elem(), in(`{"a":%s}`), depth+1, tell)
	case t.Kind() == reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.IsExported() && name != "" && name != "-" {
				texts(f.Type, in(`{"`+name+`":%s}`), depth+1, tell)
			}
		}
	}
}

// TestForwardedMetrics: what comes through a proxy that was not named comes from
// anywhere.
func TestForwardedMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, plainFake)
	for header, want := range map[string]int{"X-Forwarded-For": http.StatusForbidden, "Forwarded": http.StatusForbidden, "X-Other": http.StatusOK} {
		if got := w.ask(http.MethodGet, "/metrics", "", "", header, "8.8.8.8"); got.StatusCode != want {
			t.Errorf("%s: %d", header, got.StatusCode)
		}
	}
}

// TestNothingSecretKept: of what an answer shows once only the rest is kept.
func TestNothingSecretKept(t *testing.T) {
	t.Parallel()
	for _, v := range []any{service.TokenView{ID: "t", Secret: "hidden"}, service.ChannelView{ID: "c", Secret: "hidden"}} {
		_, _, body, err := kept(&answer{status: http.StatusCreated, value: v})
		if err != nil || strings.Contains(string(body), "hidden") || !strings.Contains(string(body), `"id"`) {
			t.Errorf("%T: %s %v", v, body, err)
		}
	}
}
