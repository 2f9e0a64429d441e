package lab

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"assay/probe/dial"
)

// A site is one web server.
type site struct {
	name        string
	addresses   []netip.Addr
	http, https map[string]string
	header      map[string]string
	answers     []*webAnswer
	handshakes  []*handshake
	ordinary    *handshake
	filters     []filter
	cache       *Cache
	closed      []int
	absent      bool
}

// A filter is a [Filter] made ready.
type filter struct {
	Filter
	from      places
	addresses []netip.Addr
}

// newSites makes the web servers: w1 with the validation file, and the change's.
func newSites(c Change, o Options) (map[string]*site, error) {
	by, err := newIssuer()
	if err != nil {
		return nil, err
	}
	changes := maps.Clone(c.Sites)
	if changes == nil {
		changes = map[string]SiteChange{}
	}
	if _, ok := changes["w1"]; !ok {
		changes["w1"] = SiteChange{}
	}
	sites := map[string]*site{}
	for name := range changes {
		s, err := newSite(name, changes, o, by, 0)
		if err != nil {
			return nil, fmt.Errorf("site %s: %w", name, err)
		}
		sites[name] = s
	}
	return sites, nil
}

// newSite makes one web server, after the one that it is like.
func newSite(name string, changes map[string]SiteChange, o Options, by *signer, depth int) (*site, error) {
	x, ok := changes[name]
	if !ok || depth > len(changes) {
		return nil, fmt.Errorf("like: there is no site %q, or it is like itself", name)
	}
	s := &site{}
	if name == "w1" {
		files := map[string]string{FilePath + o.FileName: o.Value}
		s.http, s.https = files, files
	}
	if x.Like != "" {
		var err error
		if s, err = newSite(x.Like, changes, o, by, depth+1); err != nil {
			return nil, err
		}
		s.addresses, s.filters, s.absent = nil, nil, false
	}
	s.name = name
	if err := s.locate(x.Address, o); err != nil {
		return nil, err
	}
	return s, s.change(x, o, by)
}

func (s *site) locate(list []string, o Options) error {
	if len(list) == 0 {
		list = fixedAddress(s.name)
	}
	if len(list) == 0 {
		return fmt.Errorf("needs an address")
	}
	for _, text := range list {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		if a = o.place(a); a.Is6() && o.Loopback != 0 {
			continue
		}
		s.addresses = append(s.addresses, a)
	}
	return nil
}

// change applies what differs.
func (s *site) change(x SiteChange, o Options, by *signer) (err error) {
	for _, f := range []struct {
		into *map[string]string
		from map[string]string
	}{{&s.http, x.HTTP}, {&s.https, x.HTTPS}} {
		if f.from != nil {
			*f.into = map[string]string{}
			for path, content := range f.from {
				(*f.into)[path] = strings.ReplaceAll(content, "$VALUE", o.Value)
			}
		}
	}
	s.absent = x.Absent
	if x.Closed != nil {
		s.closed = x.Closed
	}
	if x.Header != nil {
		s.header = x.Header
	}
	for _, each := range slices.Backward(x.Answers) { // before those of the site that it is like
		a, err := newWebAnswer(each, o.Value)
		if err != nil {
			return fmt.Errorf("answers: %w", err)
		}
		s.answers = slices.Insert(s.answers, 0, a)
	}
	for _, each := range slices.Backward(x.Handshakes) {
		h, err := newHandshake(each, by, o.Value)
		if err != nil {
			return fmt.Errorf("handshakes: %w", err)
		}
		s.handshakes = slices.Insert(s.handshakes, 0, h)
	}
	if s.ordinary, err = newHandshake(Handshake{}, by, o.Value); err != nil {
		return err
	}
	if x.Cache != nil {
		s.cache = x.Cache.ready(o)
	}
	return s.filter(x.Filters, o)
}

// filter makes the filters ready.
func (s *site) filter(list []Filter, o Options) (err error) {
	for _, each := range list {
		f := filter{Filter: each, addresses: s.addresses}
		if f.from, err = parsePlaces(each.From); err != nil {
			return fmt.Errorf("filters: from: %w", err)
		}
		if f.Do != "drop" && f.Do != "refuse" {
			return fmt.Errorf("filters: do: %q must be drop or refuse", f.Do)
		}
		if len(f.Ports) == 0 {
			f.Ports = []int{80, 443}
		}
		if len(each.Address) > 0 {
			f.addresses = nil
			for _, text := range each.Address {
				a, err := netip.ParseAddr(text)
				if err != nil {
					return fmt.Errorf("filters: %w", err)
				}
				f.addresses = append(f.addresses, o.place(a))
			}
		}
		s.filters = append(s.filters, f)
	}
	return nil
}

// ready fills in what an edge's cache left out.
func (c Cache) ready(o Options) *Cache {
	c.Primed = slices.Clone(c.Primed)
	for i := range c.Primed {
		p := &c.Primed[i]
		if p.Path == "" {
			p.Path = FilePath + o.FileName
		}
		if p.Status == 0 {
			p.Status = http.StatusNotFound
		}
		if p.Age == 0 {
			p.Age = 300 * time.Second
		}
		p.Body = strings.ReplaceAll(p.Body, "$VALUE", o.Value)
	}
	return &c
}

// startSites runs the web servers. Where one has nothing on a port, connections
// are refused.
func (w *World) startSites() error {
	for _, name := range slices.Sorted(maps.Keys(w.sites)) {
		s := w.sites[name]
		if s.absent {
			continue
		}
		for _, at := range w.listenAt(s.addresses) {
			for _, p := range []struct {
				port   uint16
				scheme string
				files  map[string]string
			}{{80, "http", s.http}, {443, "https", s.https}} {
				if !s.open(int(p.port), p.scheme, p.files) {
					w.lead("tcp", at.addresses, p.port, nobody)
					continue
				}
				if err := w.startSite(s, at, p.port, p.scheme); err != nil {
					return fmt.Errorf("site %s: %w", name, err)
				}
			}
		}
	}
	return nil
}

// open reports whether the site listens on a port.
func (s *site) open(port int, scheme string, files map[string]string) bool {
	return !slices.Contains(s.closed, port) && (files != nil || scheme == "https" && len(s.handshakes) > 0 ||
		slices.ContainsFunc(s.answers, func(x *webAnswer) bool { return x.Scheme == "" || x.Scheme == scheme }))
}

func (w *World) startSite(s *site, at spot, port uint16, scheme string) error {
	listener, err := w.listenTCP(at, port)
	if err != nil {
		return err
	}
	serve := func(rw http.ResponseWriter, r *http.Request) { s.serve(rw, r, scheme, w.stop) }
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(serve), ErrorLog: quiet}
	front := &front{TCPListener: listener, world: w}
	if scheme == "https" {
		front.site, front.config = s, s.configFor(w.stop)
	}
	w.running.Go(func() { _ = server.Serve(front) })
	// Close, not Shutdown: a client's idle connections are no reason to wait.
	w.closers = append([]func() error{server.Close}, w.closers...)
	return nil
}

// A front accepts a site's connections: with the lag of the client's link, under
// TLS or not.
type front struct {
	*net.TCPListener
	world  *World
	site   *site
	config *tls.Config
}

func (f *front) Accept() (net.Conn, error) {
	c, err := f.AcceptTCP()
	if err != nil {
		return nil, err
	}
	conn := newLagging(c, f.world.linkDelay(placeOfConn(c)))
	if f.config == nil || f.site.plain(c) {
		return conn, nil
	}
	return tls.Server(conn, f.config), nil
}

// filtered changes a dial map as the firewalls of sites say for a perspective.
func (w *World) filtered(m dial.Map, place int) dial.Map {
	clone := false
	for _, s := range w.sites {
		for _, f := range slices.Backward(s.filters) { // the first counts
			if m == nil || !f.from.has(place) {
				continue
			}
			if !clone {
				m, clone = maps.Clone(m), true
			}
			for _, a := range f.addresses {
				for _, port := range f.Ports {
					m[dial.Endpoint{Network: "tcp", AddrPort: netip.AddrPortFrom(a, uint16(port))}] = map[string]netip.AddrPort{"refuse": nobody}[f.Do]
				}
			}
		}
	}
	return m
}
