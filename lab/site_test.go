package lab_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"assay/evidence"
	"assay/internal/page"
	"assay/internal/strict"
	"assay/lab"
	"assay/lab/trial"
	"assay/probe"
)

// siteWorld runs a world from the text of its change and returns a prober of
// each perspective, with timeouts short enough for tests.
func siteWorld(t *testing.T, change string) []*probe.Prober {
	t.Helper()
	var c lab.Change
	if err := strict.Decode([]byte(change), &c); err != nil {
		t.Fatalf("%s: %v", change, err)
	}
	w, err := lab.New(c, lab.Options{})
	if err != nil {
		t.Fatalf("%s: %v", change, err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	var list []*probe.Prober
	for _, p := range w.Probes() {
		config := trial.Config(p)
		config.DNS.Dialer.Timeout = 1500 * time.Millisecond
		prober, err := probe.New(config)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, prober)
	}
	return list
}

const urlHTTP, urlHTTPS = "http://orchard.net/.well-known/pki-validation/fileauth.txt", "https://orchard.net/.well-known/pki-validation/fileauth.txt"

// A seen is a question to a site and what comes of it: the last hop of each
// fetch as "status body", or the words of what went wrong.
type seen struct {
	place int
	q     evidence.HTTPQuestion
	want  string
}

func each(url string) evidence.HTTPQuestion { return evidence.HTTPQuestion{URL: url, Each: true} }

// TestSites: every behaviour of a web server, as a prober sees it.
func TestSites(t *testing.T) {
	t.Parallel()
	ok := "200 " + lab.Value
	for _, c := range []struct {
		name, change string
		seen         []seen
	}{
		{"healthy", `{}`, []seen{{q: each(urlHTTP), want: ok}, {q: each(urlHTTPS), want: ok}, {place: 4, q: each(urlHTTP), want: ok}}},
		{"closed", `sites: {w1: {closed: [80, 443]}}`, []seen{{q: each(urlHTTP), want: "refused"}, {q: each(urlHTTPS), want: "refused"}}},
		{"absent", `sites: {w1: {absent: true}}`, []seen{{q: each(urlHTTP), want: "unreachable"}}},
		{"only HTTP", `sites: {w2: {http: {/x: "$VALUE"}}}`, []seen{
			{q: evidence.HTTPQuestion{URL: "http://orchard.net/x", Address: "45.155.10.22"}, want: ok},
			{q: evidence.HTTPQuestion{URL: "https://orchard.net/x", Address: "45.155.10.22"}, want: "refused"},
		}},
		{"black hole", `sites: {w1: {filters: [{do: drop}]}}`, []seen{{q: each(urlHTTP), want: "timeout"}, {place: 3, q: each(urlHTTPS), want: "timeout"}}},
		{"black hole abroad", `sites: {w1: {filters: [{do: drop, from: abroad}]}}`, []seen{{q: each(urlHTTP), want: ok}, {place: 2, q: each(urlHTTP), want: "timeout"}}},
		{"refused abroad on 443", `sites: {w1: {filters: [{do: refuse, from: abroad, ports: [443]}]}}`, []seen{
			{q: each(urlHTTPS), want: ok}, {place: 2, q: each(urlHTTPS), want: "refused"}, {place: 2, q: each(urlHTTP), want: ok},
		}},
		{"the first filter counts", `sites: {w1: {filters: [{do: refuse, from: P2}, {do: drop, from: abroad}]}}`, []seen{{place: 2, q: each(urlHTTP), want: "refused"}, {place: 3, q: each(urlHTTP), want: "timeout"}}},
		{"403 abroad", `sites: {w1: {answers: [{from: abroad, status: 403, body: denied}]}}`, []seen{{q: each(urlHTTP), want: ok}, {place: 5, q: each(urlHTTP), want: "403 denied"}}},
		{"two addresses", `
zones: {orchard.net: {add: ["@ A 45.155.10.22", "@ AAAA 2a10:4155:10::21"]}}
sites: {w1: {address: [45.155.10.21, "2a10:4155:10::21"]}, w2: {http: {}, https: {}}}`, []seen{{q: each(urlHTTP), want: ok + "; " + ok + "; 404 404 page not found"}}},
		{"like another", `sites: {w2: {like: w1, answers: [{scheme: https, status: 500, body: broken}]}}`, []seen{
			{q: evidence.HTTPQuestion{URL: urlHTTP, Address: "45.155.10.22"}, want: ok},
			{q: evidence.HTTPQuestion{URL: urlHTTPS, Address: "45.155.10.22"}, want: "500 broken"},
			{q: each(urlHTTPS), want: ok},
		}},
		{"status with the file", `sites: {w1: {answers: [{status: 203}]}}`, []seen{{q: each(urlHTTP), want: "203 " + lab.Value}}},
		{"by path", `sites: {w1: {answers: [{path: "/.well-known/*", status: 401, body: "log in"}]}}`, []seen{
			{q: each(urlHTTP), want: "401 log in"}, {q: each("http://orchard.net/"), want: "404 404 page not found"},
		}},
		{"redirect to HTTPS", `sites: {w1: {answers: [{scheme: http, status: 301, redirect: "https://$HOST$URI"}]}}`, []seen{{q: each(urlHTTP), want: "> " + ok}}},
		{"redirect of another kind", `sites: {w1: {answers: [{status: 303, redirect: /there}]}}`, []seen{{q: each(urlHTTP), want: "303  stopped code"}}},
		{"redirect to a private address", `sites: {w1: {answers: [{redirect: "http://10.0.0.5/"}]}}`, []seen{{q: each(urlHTTP), want: "> guard stopped guard"}}},
		{"redirect to another domain", `
zones: {elsewhere.net: {add: "cdn A 45.155.10.23"}}
sites: {w1: {answers: [{redirect: "http://cdn.elsewhere.net/F"}]}, w3: {http: {/F: $VALUE}}}`, []seen{{q: each(urlHTTP), want: "> " + ok}}},
		{"loop", `sites: {w1: {answers: [{redirect: "$URI"}]}}`, []seen{{q: each(urlHTTP), want: "302  stopped loop"}}},
		{"alternating", `sites: {w1: {answers: [{every: 2, status: 404, body: gone}]}}`, []seen{{q: each(urlHTTP), want: ok}, {q: each(urlHTTP), want: "404 gone"}, {q: each(urlHTTP), want: ok}}},
		{"only the first", `sites: {w1: {answers: [{first: 1, status: 503, body: later}]}}`, []seen{{q: each(urlHTTP), want: "503 later"}, {q: each(urlHTTP), want: ok}}},
		{"browsers only", `sites: {w1: {answers: [{agent: program, page: challenge}]}}`, []seen{
			{q: each(urlHTTP), want: "403 challenge"}, {q: evidence.HTTPQuestion{URL: urlHTTP, Each: true, Agent: "browser"}, want: ok},
		}},
		{"known hosts only", `sites: {w1: {answers: [{host: other, page: default}]}}`, []seen{
			{q: each(urlHTTP), want: ok}, {q: evidence.HTTPQuestion{URL: urlHTTP, Each: true, RandomHost: true}, want: "200 default-page"},
		}},
		{"an edge with a stale cache", `sites: {w1: {cache: {edge: e1, primed: [{body: gone}]}}}`, []seen{
			{q: each(urlHTTP), want: "404 gone hit cdn-e1 5m0s"},
			{q: evidence.HTTPQuestion{URL: urlHTTP, Each: true, RandomQuery: true}, want: ok + " miss cdn-e1"},
		}},
		{"pages", `
sites:
  w1:
    answers:
      - {path: /home, page: home}
      - {path: /login, page: login}
      - {path: /json, page: json}
      - {path: /parking, page: parking}
      - {path: /registrar, page: registrar}
      - {path: /router, page: router}
      - {path: /cookie, page: cookie}
      - {path: /waf, page: waf}
      - {path: /filing, page: filing}
      - {path: /refresh, page: refresh, redirect: "https://orchard.net/x"}
      - {path: /script, page: script, redirect: "https://orchard.net/x"}`, []seen{
			{q: each("http://orchard.net/home"), want: "200 html"},
			{q: each("http://orchard.net/login"), want: "200 login"},
			{q: each("http://orchard.net/json"), want: "200 json"},
			{q: each("http://orchard.net/parking"), want: "200 parking"},
			{q: each("http://orchard.net/registrar"), want: "200 registrar"},
			{q: each("http://orchard.net/router"), want: "401 router"},
			{q: each("http://orchard.net/cookie"), want: "200 cookie script /"},
			{q: each("http://orchard.net/waf"), want: "403 waf"},
			{q: each("http://orchard.net/filing"), want: "403 filing"},
			{q: each("http://orchard.net/refresh"), want: "200 html meta-refresh https://orchard.net/x"},
			{q: each("http://orchard.net/script"), want: "200 html script https://orchard.net/x"},
		}},
		{"a page that repeats the path", `sites: {w1: {answers: [{page: echo}]}}`, []seen{{q: evidence.HTTPQuestion{URL: urlHTTP, Each: true, RandomPath: true}, want: "200 html"}}},
		{"written otherwise", `
sites:
  w1:
    answers:
      - {path: /bom, body: "$VALUE", written: bom}
      - {path: /utf-16, body: "$VALUE", written: utf-16}
      - {path: /quotes, body: "x", written: quotes}
      - {path: /html, body: "x", written: html}
      - {path: /blank, body: "x", written: blank}
      - {path: /gzip, body: "x", written: gzip}
      - {path: /long, body: "x", written: long}`, []seen{
			{q: each("http://orchard.net/bom"), want: ok + " bom"},
			{q: each("http://orchard.net/utf-16"), want: ok + " utf-16le"},
			{q: each("http://orchard.net/quotes"), want: `200 "x"`},
			{q: each("http://orchard.net/html"), want: "200 &lt;x&gt;"},
			{q: each("http://orchard.net/blank"), want: "200   \nx"},
			{q: each("http://orchard.net/gzip"), want: "200 gzip"},
			{q: each("http://orchard.net/long"), want: "200 x" + strings.Repeat("x", 200)},
		}},
		{"misbehaving over HTTP", misbehaving("http"), misbehaved("http")},
		{"misbehaving over HTTPS", misbehaving("https"), misbehaved("https")},
		{"plain HTTP on 443", `sites: {w1: {handshakes: [{do: plain}]}}`, []seen{{q: each(urlHTTPS), want: "plain-http in tls"}}},
		{"alert", `sites: {w1: {handshakes: [{do: alert, alert: 112}]}}`, []seen{{q: each(urlHTTPS), want: "alert unrecognized_name in tls"}, {q: each(urlHTTP), want: ok}}},
		{"alert abroad", `sites: {w1: {handshakes: [{do: alert, from: abroad}]}}`, []seen{{q: each(urlHTTPS), want: ok}, {place: 2, q: each(urlHTTPS), want: "alert handshake_failure in tls"}}},
		{"TLS 1.0 only", `sites: {w1: {handshakes: [{max: "1.0"}]}}`, []seen{{q: each(urlHTTPS), want: "version TLS 1.0 in tls"}}},
		{"TLS 1.1 only", `sites: {w1: {handshakes: [{min: "1.1", max: "1.1"}]}}`, []seen{{q: each(urlHTTPS), want: "version TLS 1.1 in tls"}}},
		{"handshakes that fail", `sites: {w1: {handshakes: [{name: a.orchard.net, do: close}, {name: b.orchard.net, do: reset}, {name: c.orchard.net, do: stall}, {name: d.orchard.net, do: garbage}]}}`, []seen{
			{q: at("https://a.orchard.net/"), want: "incomplete in tls"},
			{q: at("https://b.orchard.net/"), want: "reset in tls"},
			{q: at("https://c.orchard.net/"), want: "timeout in tls"},
			{q: at("https://d.orchard.net/"), want: "handshake in tls"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			probers := siteWorld(t, c.change)
			for _, s := range c.seen {
				ctx := context.Background()
				if got := describe(probers[s.place].HTTP(ctx, s.q)); got != s.want {
					t.Errorf("P%d, %s: %q, want %q", s.place, s.q.URL, got, s.want)
				}
			}
		})
	}
}

func at(url string) evidence.HTTPQuestion {
	return evidence.HTTPQuestion{URL: url, Address: "45.155.10.21"}
}

// misbehaving is a change with a path for everything that an answer can do
// instead; misbehaved what comes of each.
func misbehaving(scheme string) string {
	var b strings.Builder
	b.WriteString("sites:\n  w1:\n    answers:\n")
	for _, deed := range []string{"close", "reset", "half-body", "reset-body", "endless", "flood", "informational", "tls", "http2", "garbage"} {
		fmt.Fprintf(&b, "      - {scheme: %s, path: /%s, do: %s, body: half}\n", scheme, deed, deed)
	}
	return b.String()
}

func misbehaved(scheme string) []seen {
	var list []seen
	for _, s := range [][2]string{
		{"close", "incomplete in header"},
		{"reset", "reset in header"},
		{"half-body", "200 incomplete in body"},
		{"reset-body", "200 reset in body"},
		{"endless", "200 cut"},
		{"flood", "too-large in header"},
		{"informational", "too-large in header"},
		{"tls", "tls in header"},
		{"http2", "http2 in header"},
		{"garbage", "not-http in header"},
	} {
		list = append(list, seen{q: at(scheme + "://orchard.net/" + s[0]), want: s[1]})
	}
	return list
}

// describe says in short what an observation saw.
func describe(o evidence.Observation) string {
	if o.HTTP == nil {
		return "unknown: " + o.Unknown
	}
	var list []string
	for _, f := range o.HTTP.Fetches {
		last := f.Hops[len(f.Hops)-1]
		text := strings.Repeat("> ", len(f.Hops)-1) + describeHop(&last)
		if f.Stopped != "" {
			text += " stopped " + f.Stopped
		}
		list = append(list, text)
	}
	return strings.Join(list, "; ")
}

func describeHop(h *evidence.Hop) string {
	var words []string
	add := func(list ...string) { words = append(words, list...) }
	if h.Dial.Error != "" {
		return h.Dial.Error
	}
	if h.Status != 0 {
		add(fmt.Sprint(h.Status))
	}
	if h.Error != "" {
		add(h.Error)
		if h.Alert != "" {
			add(h.Alert)
		}
		if h.Error == evidence.ErrorVersion {
			add(h.TLS.Version)
		}
		return strings.Join(append(words, "in", h.Phase), " ")
	}
	p := page.Read(h)
	switch {
	case h.Body.Cut:
		add("cut")
	case p.Coding != "":
		add(p.Coding)
	case p.Is(page.Text, page.Empty):
		text, _ := page.Decode(h.Body.Head, "")
		add(strings.TrimSuffix(text, "\n"))
	default:
		add(string(p.Kind))
	}
	for _, w := range []string{p.Encoding, p.Redirect, p.Target} {
		if w != "" {
			add(w)
		}
	}
	if e, ok := page.ReadEdge(h); ok && slices.ContainsFunc(h.Header, func(l evidence.Header) bool { return l.Value == "1.1 cdn-e1" }) {
		add(e.Cache, e.ID)
		if e.Age >= 0 {
			add(e.Age.String())
		}
	}
	return strings.Join(words, " ")
}

// TestSiteErrors: a change of a site that makes no sense is refused.
func TestSiteErrors(t *testing.T) {
	t.Parallel()
	for change, want := range map[string]string{
		`sites: {w1: {answers: [{do: dance}]}}`:                      "do:",
		`sites: {w1: {answers: [{page: shop}]}}`:                     "page:",
		`sites: {w1: {answers: [{written: twice}]}}`:                 "written:",
		`sites: {w1: {answers: [{from: nowhere}]}}`:                  "from:",
		`sites: {w1: {handshakes: [{do: dance}]}}`:                   "do:",
		`sites: {w1: {handshakes: [{max: "2.0"}]}}`:                  "version",
		`sites: {w1: {handshakes: [{alert: 300}]}}`:                  "alert:",
		`sites: {w1: {handshakes: [{issuer: me}]}}`:                  "issuer:",
		`sites: {w1: {handshakes: [{challenge: {fault: much}}]}}`:    "fault:",
		`sites: {w1: {filters: [{do: nothing}]}}`:                    "do:",
		`sites: {w2: {like: w3}}`:                                    "like:",
		`sites: {w2: {like: w3}, w3: {like: w2}}`:                    "like",
		`sites: {w1: {filters: [{do: drop, address: "somewhere"}]}}`: "filters:",
	} {
		var c lab.Change
		if err := strict.Decode([]byte(change), &c); err != nil {
			t.Fatal(err)
		}
		if _, err := lab.New(c, lab.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", change, err, want)
		}
	}
}
