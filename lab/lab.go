// Package lab is a small internet in one process: a root, top-level zones,
// name servers, recursive resolvers and web servers behind a map from
// public-looking addresses to loopback ports, so that probes can be tried
// against a world whose every fault is chosen.
//
// [New] builds a [World] from a [Change] of the healthy world; the files of
// scenarios/ hold one change and more for each cause ([Scenarios], [Find]).
// [World.Probe] tells what a prober of one perspective needs to look at it.
package lab

import (
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"assay/probe/dial"
)

// Addresses of the healthy world. They look public; nothing is ever sent there.
const (
	AddressRoot      = "45.155.10.1"
	AddressRoot6     = "2a10:4155:10::1"
	AddressTLDServer = "45.155.10.2"
	AddressNS1       = "45.155.10.11"
	AddressNS2       = "45.155.10.12"
	AddressWeb1      = "45.155.10.21"
)

// FilePath is where the validation file of the healthy world lies.
const FilePath = "/.well-known/pki-validation/"

// Options are what a world is built with besides its change. The zero value is
// what scenarios use.
type Options struct {
	// Clock is the world's clock: signatures are made for it and the TTLs in
	// resolvers count down with it. Default: it stands still at [Clock].
	Clock func() time.Time
	// Value is what $VALUE stands for; default [Value].
	Value string
	// FileName is the name of the validation file; default "fileauth.txt".
	FileName string
	// Loopback, if not 0, listens on port 53 (80, 443) of real loopback addresses,
	// for clients that cannot use a dial map: 45.155.x.y becomes 127.L.x.y, also
	// in the zones, and IPv6 is left out. Ports below 1024 take privileges, and
	// two worlds with one L cannot run at once.
	Loopback uint8
}

// place returns where an address of the world is under these options.
func (o *Options) place(a netip.Addr) netip.Addr {
	if b := a.AsSlice(); o.Loopback != 0 && len(b) == 4 && b[0] == 45 && b[1] == 155 {
		return netip.AddrFrom4([4]byte{127, o.Loopback, b[2], b[3]})
	}
	return a
}

// A World is what runs: [World.Start] it, probe it, [World.Close] it.
type World struct {
	options   Options
	plan      *plan
	servers   []*server // name servers and resolvers
	byAddress map[netip.Addr]*server
	resolvers map[string]*server
	sites     map[string]*site
	places    []*placeState
	delays    [MaxPlaces]time.Duration // of the links, by perspective

	dialMap dial.Map
	roots   *x509.CertPool
	running sync.WaitGroup
	stop    chan struct{}
	mu      sync.Mutex
	closers []func() error
	conns   map[closer]struct{}
}

type closer interface{ Close() error }

// New builds a world. The error says what in the change makes no sense.
func New(c Change, o Options) (*World, error) {
	if o.Clock == nil {
		o.Clock = func() time.Time { return Clock }
	}
	if o.Value == "" {
		o.Value = Value
	}
	if o.FileName == "" {
		o.FileName = "fileauth.txt"
	}
	p, err := draw(c, o)
	if err != nil {
		return nil, err
	}
	w := &World{
		options: o, plan: p, byAddress: map[netip.Addr]*server{}, resolvers: map[string]*server{},
		stop: make(chan struct{}), conns: map[closer]struct{}{}, roots: x509.NewCertPool(),
	}
	for _, name := range slices.Sorted(maps.Keys(p.servers)) {
		w.add(p.servers[name])
	}
	if err := w.addResolvers(); err != nil {
		return nil, err
	}
	for name, s := range p.change.Servers {
		if s.Recursive {
			if p.servers[name].recursor, err = newRecursor(w, Resolver{}); err != nil {
				return nil, err
			}
		}
	}
	if w.places, err = newPlaces(w, c); err != nil {
		return nil, err
	}
	for _, p := range w.places {
		w.delays[p.index] = p.change.Delay
	}
	w.sites, err = newSites(c, o)
	return w, err
}

func (w *World) add(s *server) {
	s.linkDelay = w.linkDelay
	w.servers = append(w.servers, s)
	for _, a := range s.addresses {
		w.byAddress[a] = s
	}
}

func (w *World) addResolvers() error {
	for _, name := range slices.Sorted(maps.Keys(w.plan.change.Resolvers)) {
		r := w.plan.change.Resolvers[name]
		s := &server{name: name, absent: r.Absent, views: []view{{zones: map[string]*zone{}}}}
		list := r.Address
		if len(list) == 0 {
			list = fixedAddress(name)
		}
		if len(list) == 0 {
			return fmt.Errorf("resolver %s: needs an address", name)
		}
		for _, text := range list {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return fmt.Errorf("resolver %s: %w", name, err)
			}
			s.addresses = append(s.addresses, w.options.place(a))
		}
		var err error
		if s.recursor, err = newRecursor(w, r); err != nil {
			return fmt.Errorf("resolver %s: %w", name, err)
		}
		if err := w.plan.equipFaults(s, r.Faults); err != nil {
			return fmt.Errorf("resolver %s: %w", name, err)
		}
		w.resolvers[name] = s
		w.add(s)
	}
	return nil
}

func (w *World) now() time.Time { return w.options.Clock() }

// rootAddresses are the IPv4 addresses of the root's servers.
func (w *World) rootAddresses() []netip.Addr {
	var list []netip.Addr
	for _, h := range w.Hints() {
		for _, a := range h.Addresses {
			if a.Is4() {
				list = append(list, a)
			}
		}
	}
	return list
}

// call asks the server at an address as perspective i would over UDP, without
// the network between; nil for no answer.
func (w *World) call(a netip.Addr, i int, name string, qtype uint16) *dns.Msg {
	s := w.byAddress[a]
	if s == nil || s.absent || slices.Contains(s.closed, "udp") {
		return nil
	}
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.RecursionDesired = false
	m.SetEdns0(65535, true)
	raw, err := m.Pack()
	if err != nil {
		return nil
	}
	q := query{from: i}
	if !q.read(raw) {
		return nil
	}
	reply := new(dns.Msg)
	if o := s.respond(&q, nil); o.message == nil || reply.Unpack(o.message) != nil || reply.Id != m.Id {
		return nil
	}
	return reply
}

// Close stops every server and waits for it.
func (w *World) Close() error {
	w.mu.Lock()
	select {
	case <-w.stop:
		w.mu.Unlock()
		return nil
	default:
	}
	close(w.stop)
	closers := w.closers
	for c := range w.conns {
		closers = append(closers, c.Close)
	}
	w.mu.Unlock()
	var errs []error
	for _, c := range closers {
		if err := c(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	w.running.Wait()
	return errors.Join(errs...)
}
