package review

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"

	"assay/evidence"
	"assay/internal/page"
)

// A fakeWeb answers fetches as probes report them. Answers are made by address,
// so that one can stand in for several servers.
type fakeWeb struct {
	answer func(r fakeRequest) fakeAnswer
	count  map[string]int // requests by address and URL
}

// A fakeRequest is one request as a server sees it.
type fakeRequest struct {
	place, address string
	https          bool
	host, path     string
	query          bool
	browser        bool
	n              int // how many of this path this address saw, from 1
}

// A fakeAnswer is what comes back: a failed dial, a failure over the connection,
// or a response.
type fakeAnswer struct {
	dial, failure, phase string
	status               int
	body                 string
	location             string
	header               []string // "Name: value"
}

const (
	fakeFile = "/.well-known/pki-validation/fileauth.txt"
	refused  = "refused"
)

// giving is a web that gives content at a path over both schemes, 404 elsewhere.
func giving(at, content string) *fakeWeb {
	return &fakeWeb{answer: func(r fakeRequest) fakeAnswer {
		if r.path == at {
			return fakeAnswer{status: 200, body: content}
		}
		return fakeAnswer{status: 404, body: "no such file"}
	}}
}

// web is one whose answers come from a function.
func web(answer func(r fakeRequest) fakeAnswer) *fakeWeb { return &fakeWeb{answer: answer} }

func (w *fakeWeb) exchange(n *internet, place string, q evidence.HTTPQuestion) *evidence.HTTPExchange {
	x := &evidence.HTTPExchange{}
	u, err := url.Parse(q.URL)
	if err != nil {
		panic(err)
	}
	host := u.Hostname()
	if q.RandomHost || q.RandomPath || q.RandomQuery {
		x.Random = "r4nd0mr4nd0mr4nd"
	}
	if q.RandomHost {
		host = x.Random + ".invalid"
	}
	if q.RandomPath {
		u.Path = path.Dir(u.Path) + "/" + x.Random + path.Ext(u.Path)
	}
	if q.RandomQuery {
		u.RawQuery = "r=" + x.Random
	}
	addresses := []string{q.Address}
	if q.Address == "" {
		x.Hosts, addresses = n.hosts(place, u.Hostname())
	}
	for _, a := range addresses {
		for attempt := range max(q.Attempts, 1) {
			f := evidence.Fetch{Address: a, Family: family(a)}
			if q.Attempts > 1 {
				f.Attempt = attempt + 1
			}
			w.fetch(n, place, &f, u, host, q, x)
			x.Fetches = append(x.Fetches, f)
		}
	}
	return x
}

func family(a string) string {
	if strings.Contains(a, ":") {
		return "ipv6"
	}
	return "ipv4"
}

// hosts resolves a host as the internet says; IPv6 addresses come first.
func (n *internet) hosts(place, name string) ([]evidence.Host, []string) {
	if _, err := netip.ParseAddr(name); err == nil {
		return nil, []string{name}
	}
	h := evidence.Host{Name: name}
	var all []string
	for _, typ := range []string{"AAAA", "A"} {
		a := n.resolve(place, evidence.DNSQuestion{Name: name, Type: typ})
		l := evidence.HostLookup{Type: typ, Status: a.Status, Security: a.Security}
		for _, r := range a.Answer {
			if r.Type == typ {
				l.Addresses = append(l.Addresses, r.Data)
			}
		}
		h.Lookups = append(h.Lookups, l)
		all = append(all, l.Addresses...)
	}
	return []evidence.Host{h}, all
}

func (w *fakeWeb) fetch(n *internet, place string, f *evidence.Fetch, u *url.URL, host string, q evidence.HTTPQuestion, x *evidence.HTTPExchange) {
	start, use := u.Hostname(), f.Address
	seen := []string{u.String()}
	for {
		h, to := w.hop(place, use, u, host, q.Agent == "browser", x.Random)
		f.Hops = append(f.Hops, h)
		if to == "" || h.Status/100 != 3 {
			return
		}
		next, err := u.Parse(to)
		switch {
		case !slices.Contains([]int{301, 302, 307, 308}, h.Status):
			f.Stopped = evidence.StoppedCode
		case err != nil:
			f.Stopped = evidence.StoppedURL
		case next.Scheme != "http" && next.Scheme != "https":
			f.Stopped = evidence.StoppedScheme
		case next.Port() != "" && next.Port() != "80" && next.Port() != "443":
			f.Stopped = evidence.StoppedPort
		case slices.Contains(seen, next.String()):
			f.Stopped = evidence.StoppedLoop
		case len(f.Hops) == 12:
			f.Stopped = evidence.StoppedLimit
		}
		if f.Stopped != "" {
			return
		}
		seen = append(seen, next.String())
		u, host = next, next.Hostname()
		if host != start {
			_, all := n.hosts(place, host)
			if len(all) == 0 {
				f.Hops = append(f.Hops, evidence.Hop{URL: u.String(), Dial: evidence.Dial{Error: "no-address"}})
				return
			}
			use = all[0]
		} else {
			use = f.Address
		}
	}
}

func (w *fakeWeb) hop(place, address string, u *url.URL, host string, browser bool, random string) (evidence.Hop, string) {
	port := uint16(80)
	if u.Scheme == "https" {
		port = 443
	}
	h := evidence.Hop{URL: u.String(), Dial: evidence.Dial{Address: netip.AddrPortFrom(netip.MustParseAddr(address), port).String()}}
	a := fakeAnswer{dial: refused}
	if w != nil {
		if w.count == nil {
			w.count = map[string]int{}
		}
		w.count[address+h.URL]++
		a = w.answer(fakeRequest{place, address, u.Scheme == "https", host, u.Path, u.RawQuery != "", browser, w.count[address+h.URL]})
	}
	switch {
	case a.dial != "":
		h.Dial.Error = a.dial
		return h, ""
	case a.failure != "":
		h.Error, h.Phase = a.failure, a.phase
		return h, ""
	}
	h.Status = a.status
	if a.location != "" {
		a.header = append(a.header, "Location: "+a.location)
	}
	for _, line := range a.header {
		name, value, _ := strings.Cut(line, ": ")
		h.Header = append(h.Header, evidence.Header{Name: name, Value: value})
	}
	body := a.body
	if random != "" {
		body = strings.ReplaceAll(body, random, "?")
	}
	sum := sha256.Sum256([]byte(body))
	head := []byte(body)
	if len(head) > 4096 {
		head = head[:1024]
	}
	h.Body = &evidence.Body{Bytes: len(body), SHA256: hex.EncodeToString(sum[:]), Head: head, Gist: page.Gist([]byte(body), h.URL)}
	return h, a.location
}
