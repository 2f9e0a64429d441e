package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"assay/cause"
	"assay/internal/service"
	"assay/order"
	"assay/review"
)

// TestRequests: what a request can be told before any use case runs.
func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, plainFake)
	order := `{"order":{"names":["a.example"]}}`
	for _, c := range []struct {
		name, method, path, token, body string
		headers                         []string
		status                          int
		kind                            service.Kind
		detail                          string
	}{
		{name: "no token", method: "GET", path: "/api/v1/whoami", token: "-", status: 401, kind: service.Unauthenticated},
		{name: "half a token", method: "GET", path: "/api/v1/whoami", token: "assay_123", status: 401, kind: service.Unauthenticated},
		{name: "no route", method: "GET", path: "/api/v1/nothing", status: 404, kind: service.NotFound, detail: "/docs lists"},
		{name: "no method", method: "PUT", path: "/api/v1/orders", status: 405, kind: kindMethod, detail: "GET, HEAD, POST"},
		{name: "unknown parameter", method: "GET", path: "/api/v1/tokens?nmae=x", status: 400, kind: service.Invalid, detail: "no parameter nmae"},
		{name: "parameter twice", method: "GET", path: "/api/v1/tokens?limit=1&limit=2", status: 400, kind: service.Invalid, detail: "limit: it is given twice"},
		{name: "limit no number", method: "GET", path: "/api/v1/tokens?limit=x", status: 400, kind: service.Invalid, detail: "limit: want a whole number"},
		{name: "limit too high", method: "GET", path: "/api/v1/tokens?limit=1000", status: 400, kind: service.Invalid, detail: "limit: want a number from 1 to 200"},
		{name: "no such state", method: "GET", path: "/api/v1/orders?state=lost", status: 400, kind: service.Invalid, detail: "state: want one of"},
		{name: "no such state, in Chinese", method: "GET", path: "/api/v1/orders?state=lost", headers: []string{"Accept-Language", "zh"}, status: 400, kind: service.Invalid, detail: "state：应为以下之一：draft"},
		{name: "version too high", method: "GET", path: "/api/v1/orders/x/events?after=9223372036854775807", status: 400, kind: service.Invalid, detail: "after: want a number from 0 to 9007199254740992"},
		{name: "no time", method: "GET", path: "/api/v1/forecast?at=tomorrow", headers: []string{"Accept-Language", "zh"}, status: 400, kind: service.Invalid, detail: "at：应为带时区的时间"},
		{name: "no body", method: "POST", path: "/api/v1/orders", status: 400, kind: service.Invalid, detail: "it is empty"},
		{name: "no JSON", method: "POST", path: "/api/v1/orders", body: "names: [a]", status: 400, kind: service.Invalid, detail: "it is not JSON, at byte 2"},
		{name: "unknown field", method: "POST", path: "/api/v1/orders", body: `{"oder":{}}`, status: 400, kind: service.Invalid, detail: `unknown field "oder"`},
		{name: "unknown field of the order", method: "POST", path: "/api/v1/orders", body: `{"order":{"nmaes":[]}}`, status: 400, kind: service.Invalid, detail: `did you mean "names"?`},
		{name: "wrong type", method: "POST", path: "/api/v1/orders", body: `{"draft":"yes","order":{}}`, status: 400, kind: service.Invalid, detail: "draft: string does not fit"},
		{name: "expectations", method: "POST", path: "/api/v1/orders", body: `{"order":{"names":["a.example"],"expect":{"a.example":"x"}}}`, status: 400, kind: service.Invalid, detail: "the service makes the values"},
		{name: "a list", method: "POST", path: "/api/v1/orders", body: ` []`, status: 400, kind: service.Invalid, detail: "it is a list: want an object"},
		{name: "a word", method: "POST", path: "/api/v1/orders", body: `"a"`, status: 400, kind: service.Invalid, detail: "it is a string: want an object"},
		{name: "a field twice", method: "POST", path: "/api/v1/orders", body: `{"draft":true,"draft":false,"order":{}}`, status: 400, kind: service.Invalid, detail: "draft is given twice"},
		{name: "capitals", method: "POST", path: "/api/v1/orders", body: `{"Draft":true,"order":{}}`, status: 400, kind: service.Invalid, detail: `did you mean "draft"`},
		{name: "capitals of a token", method: "POST", path: "/api/v1/tokens", body: `{"role":"applicant","ROLE":"administrator"}`, status: 400, kind: service.Invalid, detail: `did you mean "role"`},
		{name: "no entity tag with a sign", method: "POST", path: "/api/v1/orders/x/verify", headers: []string{"If-Match", `"+1"`}, status: 400, kind: service.Invalid, detail: "If-Match"},
		{name: "two values", method: "POST", path: "/api/v1/orders", body: order + order, status: 400, kind: service.Invalid, detail: "more than one JSON value"},
		{name: "too large", method: "POST", path: "/api/v1/orders", body: strings.Repeat(" ", MaxBody+1), status: 413, kind: kindTooLarge, detail: "1048576"},
		{name: "media type", method: "POST", path: "/api/v1/orders", body: order, headers: []string{"Content-Type", "text/yaml"}, status: 415, kind: kindMediaType, detail: "application/json"},
		{name: "a body where none is", method: "POST", path: "/api/v1/orders/x/verify", body: order, status: 400, kind: service.Invalid, detail: "takes no body"},
		{name: "no entity tag", method: "POST", path: "/api/v1/orders/x/verify", headers: []string{"If-Match", "seven"}, status: 400, kind: service.Invalid, detail: "If-Match"},
		{name: "a field of the order twice", method: "POST", path: "/api/v1/orders", body: `{"order":{"product":"ov","product":"dv","names":["a.orchard.net"]}}`, status: 400, kind: service.Invalid, detail: "product is given twice"},
		{name: "a key with spaces", method: "POST", path: "/api/v1/tokens", body: `{"role":"auditor"}`, headers: []string{"Idempotency-Key", "a b"}, status: 400, kind: service.Invalid, detail: "Idempotency-Key"},
		{name: "role that there is not", method: "POST", path: "/api/v1/tokens", body: `{"role":"king"}`, status: 400, kind: service.Invalid},
		{name: "limit no number, in Chinese", method: "GET", path: "/api/v1/tokens?limit=x", headers: []string{"Accept-Language", "zh"}, status: 400, kind: service.Invalid, detail: "limit：应为整数"},
		{name: "parameter twice, in Chinese", method: "GET", path: "/api/v1/tokens?limit=1&limit=2", headers: []string{"Accept-Language", "zh"}, status: 400, kind: service.Invalid, detail: "limit：给出了两次"},
		{name: "a review that is no number, in Chinese", method: "GET", path: "/api/v1/orders/x/reviews/one", headers: []string{"Accept-Language", "zh"}, status: 400, kind: service.Invalid, detail: "number：应为整数"},
		{name: "no order, in Chinese", method: "POST", path: "/api/v1/orders", body: "{}", headers: []string{"Accept-Language", "zh"}, status: 400, kind: service.Invalid, detail: "其中没有 \"order\""},
		{name: "a list, in Chinese", method: "POST", path: "/api/v1/orders", body: "[]", headers: []string{"Accept-Language", "zh"}, status: 400, kind: service.Invalid, detail: "应为对象 {…}"},
		{name: "tag, in Chinese", method: "POST", path: "/api/v1/orders/x/verify", headers: []string{"Accept-Language", "zh", "If-Match", "seven"}, status: 400, kind: service.Invalid, detail: "应为 ETag 给出的一个标记"},
		{name: "in Chinese", method: "GET", path: "/api/v1/nothing", headers: []string{"Accept-Language", "fr, zh-CN;q=0.9, en;q=0.1"}, status: 404, kind: service.NotFound, detail: "此路径下没有内容"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			token := orWord(c.token, w.root)
			got := w.ask(c.method, c.path, strings.TrimPrefix(token, "-"), c.body, c.headers...)
			p := got.problem(t)
			if got.StatusCode != c.status || p.Kind != c.kind || !strings.Contains(p.Detail, c.detail) {
				t.Errorf("%d %s %q, want %d %s %q", got.StatusCode, p.Kind, p.Detail, c.status, c.kind, c.detail)
			}
			if p.Title == "" || strings.HasPrefix(p.Title, "problem.") || !strings.HasSuffix(p.Instance, "#"+got.Header.Get("X-Request-Id")) {
				t.Errorf("%+v", p)
			}
			if got.StatusCode == 401 && !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
				t.Error("no WWW-Authenticate")
			}
		})
	}
}

// TestRefused: the findings are in the problem, in the language of the request.
func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, func(s *service.Service) Service {
		return &fake{Service: s, apply: func(context.Context, service.Principal, service.Application) (*service.View, error) {
			report := &review.Report{Findings: []review.Finding{exampleFinding()}}
			return nil, &service.Problem{Kind: service.Refused, Message: "service.refused", Report: report, Allowed: []order.Action{order.ActionEdit}}
		}}
	})
	for lang, title := range map[string]string{"en": cause.TextsOf(cause.DNSRecordMissing, "en").Title, "zh": cause.TextsOf(cause.DNSRecordMissing, "zh").Title} {
		got := w.ask("POST", "/api/v1/orders", w.root, `{"order":{"names":["a.example"]}}`, "Accept-Language", lang)
		p := got.problem(t)
		if got.StatusCode != 422 || len(p.Findings) != 1 || p.Findings[0].Title != title || len(p.Findings[0].Handling) == 0 || len(p.Allowed) != 1 {
			t.Errorf("%s: %d %+v", lang, got.StatusCode, p)
		}
		if got.Header.Get("Content-Language") != lang {
			t.Errorf("Content-Language %q", got.Header.Get("Content-Language"))
		}
	}
}

// TestPanic: a defect is an error of its own, with nothing of where it was; the
// log has it under the number of the request.
func TestPanic(t *testing.T) {
	t.Parallel()
	secret := "very secret"
	w := newWorld(t, Config{}, func(s *service.Service) Service {
		return &fake{Service: s, apply: func(context.Context, service.Principal, service.Application) (*service.View, error) { panic(secret) }}
	})
	got := w.ask("POST", "/api/v1/orders", w.root, `{"order":{"names":["a.example"]}}`)
	p := got.problem(t)
	id := got.Header.Get("X-Request-Id")
	if got.StatusCode != 500 || p.Kind != kindInternal || !strings.Contains(p.Detail, id) {
		t.Errorf("%d %+v", got.StatusCode, p)
	}
	if body := string(got.body); strings.Contains(body, secret) || strings.Contains(body, ".go") || strings.Contains(body, "goroutine") {
		t.Errorf("the answer tells of the inside: %s", body)
	}
	log := w.log.String()
	if !strings.Contains(log, id) || !strings.Contains(log, "TestPanic") {
		t.Errorf("the log does not say where: %s", log)
	}
	if strings.Contains(log, secret) || strings.Contains(log, strings.Split(w.root, "_")[2]) {
		t.Error("a secret in the log")
	}
}

// TestDefect: an error that is no problem says nothing of itself.
func TestDefect(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, func(s *service.Service) Service {
		return &fake{Service: s, apply: func(context.Context, service.Principal, service.Application) (*service.View, error) {
			return nil, errors.New("SELECT secret FROM table")
		}}
	})
	got := w.ask("POST", "/api/v1/orders", w.root, `{"order":{"names":["a.example"]}}`)
	if p := got.problem(t); got.StatusCode != 500 || strings.Contains(string(got.body), "SELECT") || p.Kind != kindInternal {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

// TestIdempotency: under a key the same request is answered as before and has
// its effect once; another request is not answered. A secret is said once.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{}, plainFake)
	make := func(body, key string) *reply {
		return w.ask("POST", "/api/v1/tenants", w.root, body, "Idempotency-Key", key)
	}
	first, again := make(`{"id":"orchard"}`, "k1"), make(`{"id":"orchard"}`, "k1")
	if first.StatusCode != 201 || again.StatusCode != 201 || string(first.body) != string(again.body) {
		t.Fatalf("%d %s, then %d %s", first.StatusCode, first.body, again.StatusCode, again.body)
	}
	if first.Header.Get("Idempotency-Replayed") != "" || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Error("Idempotency-Replayed")
	}
	if got := make(`{"id":"vineyard"}`, "k1"); got.problem(t).Kind != kindKeyReused || got.StatusCode != 422 {
		t.Errorf("another request under the key: %d %s", got.StatusCode, got.body)
	}
	if got := make(`{"id":"orchard"}`, "k2"); got.problem(t).Kind != service.Conflict {
		t.Errorf("another key: %s", got.body)
	}
	var one, two service.TokenView
	for i, v := range []*service.TokenView{&one, &two} {
		got := w.ask("POST", "/api/v1/tokens", w.root, `{"role":"auditor"}`, "Idempotency-Key", "t")
		if err := json.Unmarshal(got.body, v); err != nil || got.StatusCode != 201 {
			t.Fatalf("%d: %d %s", i, got.StatusCode, got.body)
		}
	}
	if one.ID != two.ID || one.Secret == "" || two.Secret != "" {
		t.Errorf("%+v, then %+v", one, two)
	}
}

// TestClient: X-Forwarded-For counts from trusted proxies only, and only up to
// the first address that is none of them.
func TestClient(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "192.0.2.1:5", []string{"203.0.113.9"}, "192.0.2.1"},
		{"a proxy", "10.0.0.1:5", []string{"203.0.113.9"}, "203.0.113.9"},
		{"made up on the left", "10.0.0.1:5", []string{"198.51.100.7, 203.0.113.9"}, "203.0.113.9"},
		{"two proxies", "10.0.0.1:5", []string{"203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"two headers", "10.0.0.1:5", []string{"198.51.100.7", "203.0.113.9"}, "203.0.113.9"},
		{"proxy without header", "10.0.0.1:5", nil, "10.0.0.1"},
		{"no address", "10.0.0.1:5", []string{"unknown"}, "10.0.0.1"},
		{"IPv6", "[fd00::1]:5", []string{"[2001:db8::9]"}, "2001:db8::9"},
		{"mapped", "[::ffff:10.0.0.1]:5", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"no port", "pipe", nil, "0.0.0.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &Server{Config: Config{TrustedProxies: proxies}}
			r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded}}
			if got := s.client(r).String(); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestLimit: a bucket empties, says when to come back, and fills again; the
// table of buckets stays bounded.
func TestLimit(t *testing.T) {
	t.Parallel()
	l := newLimiter("token", 1)
	now := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	h := http.Header{}
	for i := range 4 {
		if err := l.take(h, "a", now); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	err := l.take(h, "a", now)
	var p *service.Problem
	if !errors.As(err, &p) || p.Kind != service.TooMany || !p.RetryAt.Equal(now.Add(time.Second)) {
		t.Errorf("%+v", err)
	}
	if h.Get("RateLimit") != `"token";r=0;t=4` || h.Get("RateLimit-Policy") != `"token";q=4;w=4` {
		t.Errorf("%v", h)
	}
	if err := l.take(h, "b", now); err != nil {
		t.Error("one key empties another's bucket")
	}
	if err := l.take(h, "a", now.Add(time.Second)); err != nil {
		t.Errorf("after a second: %v", err)
	}
	for i := range 5 * maxBuckets {
		_ = l.take(h, fmt.Sprint(i), now)
	}
	if n := len(l.young) + len(l.old); n > 2*maxBuckets {
		t.Errorf("%d buckets", n)
	}
}

// TestLimited: over HTTP, with Retry-After.
func TestLimited(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 26, 8, 0, 0, 0, time.UTC)
	w := newWorld(t, Config{TokenRate: 0.5, Now: func() time.Time { return at }}, plainFake)
	other := w.token(service.RoleAuditor, "root", "x")
	for range 2 {
		if got := w.ask("GET", "/api/v1/whoami", w.root, ""); got.StatusCode != 200 {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
	got := w.ask("GET", "/api/v1/whoami", w.root, "")
	if p := got.problem(t); got.StatusCode != 429 || p.RetryAt == nil || got.Header.Get("Retry-After") != "2" {
		t.Errorf("%d %v %+v", got.StatusCode, got.Header, p)
	}
	if got := w.ask("GET", "/api/v1/whoami", other, ""); got.StatusCode != 200 {
		t.Errorf("another token: %d", got.StatusCode)
	}
}

// TestPages: what stands outside the API.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{PublicURL: &url.URL{Scheme: "https", Host: "assay.example"}}, plainFake)
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/readyz": `"ready":true`, "/openapi.json": `"openapi": "3.1.0"`, "/docs": "Apply for a certificate",
		"/metrics": "assay_database_up 1",
	} {
		got := w.ask("GET", path, "", "")
		if got.StatusCode != 200 || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %d %.200s", path, got.StatusCode, got.body)
		}
	}
	docs := w.ask("GET", "/docs", "", "")
	if csp := docs.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("Content-Security-Policy %q", csp)
	}
	if body := string(docs.body); strings.Contains(body, "<script") || strings.Contains(body, `="http`) || strings.Contains(body, "url(") || strings.Contains(body, "src=") {
		t.Error("the page loads something")
	}
	if got := w.ask("GET", "/", "", ""); got.StatusCode != 302 || got.Header.Get("Location") != "/docs" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
}

func prefixesOf(t *testing.T, list ...string) []netip.Prefix {
	t.Helper()
	out := make([]netip.Prefix, len(list))
	for i, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = p
	}
	return out
}
