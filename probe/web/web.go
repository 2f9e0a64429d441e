// Package web fetches URLs as a CA does: GET over HTTP/1.1 at addresses that
// were judged, redirects hop by hop, nothing verified, everything recorded. It
// is written for servers that mean harm: whatever they send is bounded in bytes
// and in time.
package web

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"assay/evidence"
	"assay/internal/contain"
	"assay/probe/host"
)

const (
	maxAttempts = 10
	// maxHops is how many requests one fetch makes: Boulder follows eleven
	// redirects (its constant says ten) and no profile more.
	maxHops = 12
	// maxPath bounds the path of a redirect's target, as Boulder does.
	maxPath = 2000
	maxURL  = 4096
)

// Look answers a question. An error means that it could not be asked for a
// reason that lies with us.
func Look(ctx context.Context, p host.Place, q evidence.HTTPQuestion) (*evidence.HTTPExchange, error) {
	p = p.WithDefaults()
	start, stopped := target(q.URL)
	if stopped != "" {
		return nil, fmt.Errorf("not a URL that is fetched (%s): %q", stopped, q.URL)
	}
	l := &look{place: &p, q: q, start: start, hosts: host.NewSet(ctx, &p)}
	l.vary()
	name, addr, _ := host.Parse(start.Hostname())
	switch {
	case q.Address != "":
		only, err := netip.ParseAddr(q.Address)
		if err != nil {
			return nil, fmt.Errorf("address: %w", err)
		}
		l.visit(ctx, only, p.Unknown(only))
	case addr.IsValid():
		l.visit(ctx, addr, p.Unknown(addr))
	case q.Each:
		l.hosts.Each(name, func(a netip.Addr, unknown string) { l.visit(ctx, a, unknown) })
	default:
		return nil, errors.New("neither each address nor one")
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	l.seen.Hosts = l.hosts.Hosts()
	slices.SortFunc(l.seen.Fetches, func(a, b evidence.Fetch) int {
		if c := host.Before(a.Address, b.Address); c != 0 {
			return c
		}
		return a.Attempt - b.Attempt
	})
	return &l.seen, nil
}

// A look is one question on its way.
type look struct {
	place *host.Place
	q     evidence.HTTPQuestion
	hosts *host.Set

	start *url.URL
	// sendHost is the Host header of the first hop where it is not the URL's.
	sendHost string

	mu   sync.Mutex
	seen evidence.HTTPExchange
}

// vary applies the variations of the question to its URL.
func (l *look) vary() {
	if !l.q.RandomHost && !l.q.RandomPath && !l.q.RandomQuery {
		return
	}
	random := l.place.Random()
	l.seen.Random = random
	if l.q.RandomHost {
		l.sendHost = random + ".invalid" // nobody's, ever (RFC 6761 6.4)
	}
	if l.q.RandomPath {
		dir, file := path.Split(l.start.Path)
		l.start.Path, l.start.RawPath = dir+random+path.Ext(file), ""
	}
	if l.q.RandomQuery {
		if l.start.RawQuery != "" {
			l.start.RawQuery += "&"
		}
		l.start.RawQuery += "r=" + random
	}
}

// visit fetches at one address, as often as asked, at the same time.
func (l *look) visit(ctx context.Context, a netip.Addr, unknown string) {
	attempts := min(max(l.q.Attempts, 1), maxAttempts)
	if unknown != "" {
		attempts = 1
	}
	fetches := make([]evidence.Fetch, attempts)
	var wait contain.Group
	for i := range fetches {
		f := &fetches[i]
		f.Address, f.Family, f.Unknown = a.String(), host.Family(a), unknown
		if attempts > 1 {
			f.Attempt = i + 1
		}
		switch {
		case unknown != "":
		case attempts == 1:
			l.fetch(ctx, a, f)
		default:
			wait.Go(func() { l.fetch(ctx, a, f) })
		}
	}
	wait.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen.Fetches = append(l.seen.Fetches, fetches...)
}

// fetch follows a URL from one address on.
func (l *look) fetch(ctx context.Context, first netip.Addr, f *evidence.Fetch) {
	ctx, cancel := context.WithTimeout(ctx, l.place.Whole)
	defer cancel()
	u, use, sendHost := l.start, []netip.Addr{first}, l.sendHost
	visited := []string{u.String()}
	for {
		hop := l.hop(ctx, u, use, sendHost)
		f.Hops = append(f.Hops, hop.Hop)
		next, stopped := redirect(u, hop.Status, hop.location)
		if next == nil {
			f.Stopped = stopped
			return
		}
		switch {
		case slices.Contains(visited, next.String()):
			f.Stopped = evidence.StoppedLoop
		case len(f.Hops) == maxHops:
			f.Stopped = evidence.StoppedLimit
		}
		if f.Stopped != "" {
			return
		}
		visited = append(visited, next.String())
		if use = l.addresses(next, first, f); use == nil {
			return
		}
		u, sendHost = next, ""
	}
}

// addresses says where a redirect leads: to the address itself, where its host
// is one; to the address that this fetch is about, where the host stays the
// same, so that what each server gives is seen to its end; else to the first
// AAAA, then the first A. Where there is none the hop says so and the result is
// nil.
func (l *look) addresses(u *url.URL, first netip.Addr, f *evidence.Fetch) []netip.Addr {
	name, addr, _ := host.Parse(u.Hostname())
	hop := evidence.Hop{URL: u.String()}
	var use []netip.Addr
	guarded, unknown := addr, ""
	switch {
	case addr.IsValid():
		if unknown = l.place.Unknown(addr); unknown == "" && l.place.Dialer.Guard(addr) == nil {
			return []netip.Addr{addr}
		}
	case name == l.start.Hostname() || name == l.sendHost:
		return []netip.Addr{first}
	default:
		if use, guarded, unknown = l.hosts.Preferred(name); use != nil {
			return use
		}
	}
	switch {
	case unknown != "":
		f.Unknown = unknown
		return nil
	case guarded.IsValid():
		hop.Dial = evidence.Dial{Address: netip.AddrPortFrom(guarded, port(u)).String(), Error: "guard"}
		f.Stopped = evidence.StoppedGuard
	default:
		hop.Dial.Error = "no-address"
	}
	f.Hops = append(f.Hops, hop)
	return nil
}

// port is the port a URL of [target] means.
func port(u *url.URL) uint16 {
	switch {
	case u.Port() == "443", u.Port() == "" && u.Scheme == "https":
		return 443
	}
	return 80
}

// hostHeader is what the Host header of a request for a URL says: the port only
// where it is not the scheme's own.
func hostHeader(u *url.URL) string {
	if p := u.Port(); p == "" || p == "80" && u.Scheme == "http" || p == "443" && u.Scheme == "https" {
		h := u.Hostname()
		if strings.Contains(h, ":") {
			return "[" + h + "]"
		}
		return h
	}
	return u.Host
}
