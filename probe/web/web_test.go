package web

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assay/evidence"
	"assay/probe/host"
)

const file = "/.well-known/pki-validation/fileauth.txt"

// TestEach: every address of both families, sorted, whatever the others do.
func TestEach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.names.records["orchard.net A"] = []string{"45.155.10.22", "45.155.10.21", "45.155.10.23", "45.155.10.22", "10.0.0.5"}
	w.names.records["orchard.net AAAA"] = []string{"2a0e:b107::21"}
	w.serve("45.155.10.21:80", ok("202611"))
	w.serve("45.155.10.22:80", answer("HTTP/1.1 404 Not Found\r\n\r\nnothing"))
	w.refuse("45.155.10.23:80")
	w.serve("[2a0e:b107::21]:80", ok("202611"))
	x := w.look(evidence.HTTPQuestion{URL: "http://Orchard.net." + file, Each: true})
	var got []string
	for _, f := range x.Fetches {
		h := f.Hops[0]
		got = append(got, f.Family+" "+h.Dial.Address+" "+h.Dial.Error+" "+strconv.Itoa(h.Status))
	}
	want := []string{
		"ipv6 [2a0e:b107::21]:80  200", "ipv4 10.0.0.5:80 guard 0", "ipv4 45.155.10.21:80  200",
		"ipv4 45.155.10.22:80  404", "ipv4 45.155.10.23:80 refused 0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("fetches\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(x.Hosts) != 1 || x.Hosts[0].Name != "orchard.net" || x.Hosts[0].Lookups[0].Type != "AAAA" || len(x.Hosts[0].Lookups[1].Addresses) != 5 {
		t.Errorf("hosts: %+v", x.Hosts)
	}
	if url := x.Fetches[0].Hops[0].URL; url != "http://orchard.net"+file {
		t.Errorf("asked %s", url)
	}
}

// TestBlackHole: addresses that swallow everything cost their own timeout once,
// at the same time, and do not delay the others.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.limits(time.Second, 5*time.Second, 5*time.Second)
	w.names.records["orchard.net A"] = []string{"45.155.10.21", "45.155.10.22", "45.155.10.23"}
	w.names.records["orchard.net AAAA"] = []string{"2a0e:b107::21", "2a0e:b107::22"}
	for _, a := range []string{"45.155.10.22:80", "45.155.10.23:80", "[2a0e:b107::21]:80", "[2a0e:b107::22]:80"} {
		w.hole(a)
	}
	w.serve("45.155.10.21:80", ok("202611"))
	began := time.Now()
	x := w.look(evidence.HTTPQuestion{URL: "http://orchard.net/", Each: true})
	if took := time.Since(began); took < time.Second || took > 1900*time.Millisecond {
		t.Errorf("four black holes took %v, one timeout is 1 s", took)
	}
	for _, f := range x.Fetches {
		if want := map[bool]string{true: "", false: "timeout"}[f.Address == "45.155.10.21"]; f.Hops[0].Dial.Error != want {
			t.Errorf("%s: %q, want %q", f.Address, f.Hops[0].Dial.Error, want)
		}
	}
}

// TestLimits: no more addresses than eight of a family, none of a family that
// does not work here.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.place.Lacks = []string{"ipv6"}
	var connections atomic.Int32
	for i := range 12 {
		a := "45.155.11." + strconv.Itoa(i+1)
		w.names.records["orchard.net A"] = append(w.names.records["orchard.net A"], a)
		w.serve(a+":80", counter(&connections, ok("x")))
	}
	w.names.records["orchard.net AAAA"] = []string{"2a0e:b107::21"}
	x := w.look(evidence.HTTPQuestion{URL: "http://orchard.net/", Each: true})
	unknown := map[string]int{}
	for _, f := range x.Fetches {
		unknown[f.Unknown]++
		if (f.Unknown == "") != (len(f.Hops) == 1) {
			t.Errorf("%+v", f)
		}
	}
	if unknown[""] != 8 || unknown["budget"] != 4 || unknown["no-ipv6"] != 1 || connections.Load() != 8 {
		t.Errorf("%v, %d connections", unknown, connections.Load())
	}
}

// TestRedirects: which are followed, over which addresses, and why not.
func TestRedirects(t *testing.T) {
	t.Parallel()
	long := "http://orchard.net/" + strings.Repeat("p", 2000)
	for _, c := range []struct {
		name, status, location string
		stopped                string
		hops                   int
		last                   string // the last hop's URL
	}{
		{"same host, other scheme", "301", "https://orchard.net" + file, "", 2, "https://orchard.net" + file},
		{"302", "302", "http://orchard.net/there", "", 2, "http://orchard.net/there"},
		{"307", "307", "http://orchard.net/there", "", 2, "http://orchard.net/there"},
		{"308", "308", "http://orchard.net/there", "", 2, "http://orchard.net/there"},
		{"303", "303", "http://orchard.net/there", evidence.StoppedCode, 1, ""},
		{"300 with a choice", "300", "http://orchard.net/there", evidence.StoppedCode, 1, ""},
		{"305", "305", "http://orchard.net/there", evidence.StoppedCode, 1, ""},
		{"304 leads nowhere", "304", "http://orchard.net/there", "", 1, ""},
		{"201 with a Location leads nowhere", "201", "http://orchard.net/there", "", 1, ""},
		{"relative", "302", "/there?a=b#part", "", 2, "http://orchard.net/there?a=b"},
		{"relative to the directory", "302", "there", "", 2, "http://orchard.net/.well-known/pki-validation/there"},
		{"without scheme", "302", "//www.orchard.net/there", "", 2, "http://www.orchard.net/there"},
		{"other host", "302", "http://www.orchard.net/there", "", 2, "http://www.orchard.net/there"},
		{"host in capitals with a final dot and the port written", "302", "HTTP://WWW.Orchard.NET.:80/there", "", 2, "http://www.orchard.net/there"},
		{"HTTP on 443", "302", "http://www.orchard.net:443/there", "", 2, "http://www.orchard.net:443/there"},
		{"in Unicode", "302", "http://www.orchärd.net/there", "", 2, "http://www.xn--orchrd-eua.net/there"},
		{"host without address", "302", "http://gone.orchard.net/", "", 2, "http://gone.orchard.net/"},
		{"empty Location", "302", "", evidence.StoppedMissing, 1, ""},
		{"unreadable", "302", "http://[::1", evidence.StoppedURL, 1, ""},
		{"no host", "302", "http:///there", evidence.StoppedURL, 1, ""},
		{"opaque", "302", "http:there", evidence.StoppedURL, 1, ""},
		{"ftp", "302", "ftp://orchard.net/there", evidence.StoppedScheme, 1, ""},
		{"file", "302", "file:///etc/passwd", evidence.StoppedScheme, 1, ""},
		{"gopher", "302", "gopher://orchard.net:80/_x", evidence.StoppedScheme, 1, ""},
		{"a script", "302", "javascript:alert(1)", evidence.StoppedScheme, 1, ""},
		{"port 8080", "302", "http://orchard.net:8080/", evidence.StoppedPort, 1, ""},
		{"port 0", "302", "http://orchard.net:0/", evidence.StoppedPort, 1, ""},
		{"port 65616", "302", "http://orchard.net:65616/", evidence.StoppedPort, 1, ""},
		{"user name", "302", "http://me@orchard.net/", evidence.StoppedUser, 1, ""},
		{"missing slash", "301", "https://orchard.net.well-known/pki-validation/fileauth.txt", evidence.StoppedWellKnown, 1, ""},
		{"long path", "302", long, evidence.StoppedPath, 1, ""},
		{"to itself", "302", file, evidence.StoppedLoop, 1, ""},
		{"a private address", "302", "http://10.0.0.5/", evidence.StoppedGuard, 2, "http://10.0.0.5/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			redirecting := to(c.status, c.location)
			w.serve("45.155.10.21:80", func(n net.Conn) {
				head := readRequest(n)
				if strings.HasPrefix(head, "GET "+file+" ") {
					redirecting(&replay{n, strings.NewReader(head)})
					return
				}
				ok("there")(&replay{n, strings.NewReader(head)})
			})
			w.serve("45.155.10.21:443", secure(t, ok("there")))
			w.serve("45.155.10.22:80", ok("there"))
			w.serve("45.155.10.22:443", ok("there"))
			w.names.records["www.orchard.net A"] = []string{"45.155.10.22"}
			w.names.records["www.xn--orchrd-eua.net A"] = []string{"45.155.10.22"}
			f := w.look(evidence.HTTPQuestion{URL: "http://orchard.net" + file, Address: "45.155.10.21"}).Fetches[0]
			last := f.Hops[len(f.Hops)-1]
			if f.Stopped != c.stopped || len(f.Hops) != c.hops || c.last != "" && last.URL != c.last {
				t.Errorf("stopped %q after %d hops at %s, want %q after %d at %s", f.Stopped, len(f.Hops), last.URL, c.stopped, c.hops, c.last)
			}
			if c.hops == 2 && c.stopped == "" && (content(last.Body) != "there") != strings.HasPrefix(c.last, "http://gone") {
				t.Errorf("last hop: %+v", last)
			}
		})
	}
}

// replay gives a head that was read once more.
type replay struct {
	net.Conn
	head *strings.Reader
}

func (r *replay) Read(p []byte) (int, error) {
	if r.head.Len() > 0 {
		return r.head.Read(p)
	}
	return r.Conn.Read(p)
}

// TestRedirectLimit: eleven redirects are followed, the twelfth is not; a loop
// over two URLs is found at once.
func TestRedirectLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.serve("45.155.10.21:80", func(c net.Conn) {
		path := strings.Fields(readRequest(c) + " - -")[1]
		n, _ := strconv.Atoi(path[1:])
		next := "/" + strconv.Itoa(n+1)
		if n >= 100 {
			next = "/" + strconv.Itoa(201-n)
		}
		if n == 11 {
			ok("there")(&replay{c, strings.NewReader("GET / HTTP/1.1\r\n\r\n")})
			return
		}
		to("302", next)(&replay{c, strings.NewReader("GET / HTTP/1.1\r\n\r\n")})
	})
	for _, c := range []struct {
		from, stopped string
		hops          int
	}{{"/0", "", 12}, {"/20", evidence.StoppedLimit, 12}, {"/100", evidence.StoppedLoop, 2}} {
		f := w.look(evidence.HTTPQuestion{URL: "http://orchard.net" + c.from, Address: "45.155.10.21"}).Fetches[0]
		if f.Stopped != c.stopped || len(f.Hops) != c.hops {
			t.Errorf("%s: stopped %q after %d hops, want %q after %d", c.from, f.Stopped, len(f.Hops), c.stopped, c.hops)
		}
	}
}

// TestRedirectAddress: of another host the first AAAA is tried, then the first
// A; the same host stays at the address that the fetch is about.
func TestRedirectAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.names.records["orchard.net A"] = []string{"45.155.10.21", "45.155.10.22"}
	w.names.records["www.orchard.net A"] = []string{"45.155.10.23", "45.155.10.24"}
	w.names.records["www.orchard.net AAAA"] = []string{"2a0e:b107::1", "2a0e:b107::2"}
	w.serve("45.155.10.21:80", to("302", "http://www.orchard.net/"))
	w.serve("45.155.10.22:80", to("302", "https://orchard.net/"))
	w.serve("45.155.10.21:443", secure(t, ok("one")))
	w.serve("45.155.10.22:443", secure(t, ok("two")))
	w.serve("45.155.10.23:80", ok("www"))
	w.refuse("[2a0e:b107::1]:80")
	x := w.look(evidence.HTTPQuestion{URL: "http://orchard.net/", Each: true})
	www, same := x.Fetches[0].Hops[1], x.Fetches[1].Hops[1]
	if www.Dial.Address != "45.155.10.23:80" || len(www.Tried) != 1 || www.Tried[0] != (evidence.Dial{Address: "[2a0e:b107::1]:80", Error: "refused"}) || string(www.Body.Head) != "www" {
		t.Errorf("other host: %+v", www)
	}
	if same.Dial.Address != "45.155.10.22:443" || string(same.Body.Head) != "two" {
		t.Errorf("same host: %+v", same)
	}
	if len(x.Hosts) != 2 || x.Hosts[0].Name != "orchard.net" || x.Hosts[1].Name != "www.orchard.net" {
		t.Errorf("hosts: %+v", x.Hosts)
	}
	if n := len(w.names.asked); n != 4 {
		t.Errorf("%d look-ups, want each host's two once: %v", n, w.names.asked)
	}
}

// TestVariations: what a random host, path and query and a browser send, and
// that the answer is comparable.
func TestVariations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	var heads []string
	w.serve("45.155.10.21:80", func(c net.Conn) {
		head := readRequest(c)
		mu.Lock()
		heads = append(heads, head)
		mu.Unlock()
		ok("no " + strings.Fields(head)[1] + " here")(&replay{c, strings.NewReader(head)})
	})
	for _, c := range []struct {
		q    evidence.HTTPQuestion
		want []string
		body string
	}{
		{evidence.HTTPQuestion{}, []string{"GET " + file + " HTTP/1.1\r\nHost: orchard.net\r\nUser-Agent: " + agent + "\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"}, "no " + file + " here"},
		{evidence.HTTPQuestion{RandomHost: true}, []string{"GET " + file, "\r\nHost: r4nd0mr4nd0mr4nd.invalid\r\n"}, "no " + file + " here"},
		{evidence.HTTPQuestion{RandomPath: true}, []string{"GET /.well-known/pki-validation/r4nd0mr4nd0mr4nd.txt HTTP", "Host: orchard.net\r\n"}, "no /.well-known/pki-validation/?.txt here"},
		{evidence.HTTPQuestion{RandomQuery: true}, []string{"GET " + file + "?r=r4nd0mr4nd0mr4nd HTTP"}, "no " + file + "?r=? here"},
		{evidence.HTTPQuestion{Agent: "browser"}, []string{"User-Agent: " + browser + "\r\n", "Accept-Language: "}, "no " + file + " here"},
	} {
		c.q.URL, c.q.Address = "http://orchard.net"+file, "45.155.10.21"
		heads = nil
		x := w.look(c.q)
		for _, want := range c.want {
			if len(heads) != 1 || !strings.Contains(heads[0], want) {
				t.Errorf("%+v sent %q, want %q in it", c.q, heads, want)
			}
		}
		if got := string(x.Fetches[0].Hops[0].Body.Head); got != c.body {
			t.Errorf("%+v: body %q, want %q", c.q, got, c.body)
		}
		first := evidence.Observation{HTTP: x}.Identify().ID
		w.place.Random = func() string { return "0ther0ther0ther0" }
		second := evidence.Observation{HTTP: w.look(c.q)}.Identify().ID
		w.place.Random = func() string { return "r4nd0mr4nd0mr4nd" }
		if first != second {
			t.Errorf("%+v: the id depends on the random value", c.q)
		}
	}
}

// TestAttempts: several fetches of one address in one question.
func TestAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var n atomic.Int32
	w.serve("45.155.10.21:80", func(c net.Conn) {
		if n.Add(1)%2 == 0 {
			answer("HTTP/1.1 404 Not Found\r\n\r\n")(c)
			return
		}
		ok("202611")(c)
	})
	x := w.look(evidence.HTTPQuestion{URL: "http://orchard.net/", Address: "45.155.10.21", Attempts: 5})
	count := map[int]int{}
	for i, f := range x.Fetches {
		count[f.Hops[0].Status]++
		if f.Attempt != i+1 {
			t.Errorf("fetch %d is attempt %d", i, f.Attempt)
		}
	}
	if count[200] != 3 || count[404] != 2 {
		t.Errorf("answers: %v", count)
	}
}

// TestRoundTrips: a fetch waits for the server as often as it must: once over
// HTTP, twice over HTTPS (TLS 1.3), the connection itself aside.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	for scheme, want := range map[string]int{"http": 1, "https": 2} {
		w := newWorld(t)
		w.serve("45.155.10.21:80", ok("x"))
		w.serve("45.155.10.21:443", secure(t, ok("x")))
		counting := &turns{Dialer: w.place.Dialer}
		w.place.Dialer = counting
		x := w.look(evidence.HTTPQuestion{URL: scheme + "://orchard.net/", Address: "45.155.10.21"})
		if got := counting.n.Load(); int(got) != want || x.Fetches[0].Hops[0].Status != 200 {
			t.Errorf("%s: %d turns, want %d: %+v", scheme, got, want, x)
		}
		for _, phase := range []string{"connect", "first-byte", "done"} {
			if _, ok := x.Fetches[0].Hops[0].Phases[phase]; !ok {
				t.Errorf("%s: no phase %s", scheme, phase)
			}
		}
	}
}

// turns counts how often a connection goes from writing to reading.
type turns struct {
	host.Dialer
	n atomic.Int32
}

func (d *turns) Dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	c, err := d.Dialer.Dial(ctx, network, to)
	if err != nil {
		return nil, err
	}
	return &turning{Conn: c, n: &d.n}, nil
}

type turning struct {
	net.Conn
	n     *atomic.Int32
	wrote bool
}

func (c *turning) Write(p []byte) (int, error) { c.wrote = true; return c.Conn.Write(p) }

func (c *turning) Read(p []byte) (int, error) {
	if c.wrote {
		c.n.Add(1)
	}
	c.wrote = false
	return c.Conn.Read(p)
}

// TestQuestions that cannot be asked are errors, not findings.
func TestQuestions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, q := range []evidence.HTTPQuestion{
		{URL: "http://orchard.net/"},
		{URL: "ftp://orchard.net/", Each: true},
		{URL: "http://orchard.net:8080/", Each: true},
		{URL: "http://me@orchard.net/", Each: true},
		{URL: "/file", Each: true},
		{URL: "", Each: true},
		{URL: "http://orchard.net/", Address: "orchard.net"},
		{URL: "http://127.1/", Each: true},
		{URL: "http://a b/", Each: true},
	} {
		if x, err := Look(context.Background(), w.place, q); err == nil {
			t.Errorf("%+v was asked: %+v", q, x)
		}
	}
	w.place.Resolver = nil
	x := w.look(evidence.HTTPQuestion{URL: "http://orchard.net/", Each: true})
	if len(x.Fetches) != 0 || x.Hosts[0].Lookups[0].Unknown == "" {
		t.Errorf("without a resolver: %+v", x)
	}
}

func content(b *evidence.Body) string {
	if b == nil {
		return ""
	}
	return string(b.Head)
}
