package host

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"assay/evidence"
	"assay/internal/contain"
	"assay/internal/stack"
)

// MaxAddresses bounds the addresses of one family that are visited.
const MaxAddresses = 8

// A Set resolves the hosts of one question, each once: the address that was
// judged and the one that is dialled come from the same answer.
type Set struct {
	place *Place
	ctx   context.Context
	mu    sync.Mutex
	names map[string]*entry
}

// An entry is one host: AAAA and A.
type entry struct {
	once   [2]sync.Once
	answer [2]evidence.HostLookup
}

var types = [2]string{"AAAA", "A"}

// NewSet begins a question; ctx bounds its look-ups.
func NewSet(ctx context.Context, p *Place) *Set {
	return &Set{place: p, ctx: ctx, names: map[string]*entry{}}
}

// Preferred returns where a redirect to a host goes: its first AAAA and its
// first A that may be dialled. With none, guarded is an address that may not be,
// or unknown says why it is not known whether there is one.
func (s *Set) Preferred(name string) (use []netip.Addr, guarded netip.Addr, unknown string) {
	var wait contain.Group
	var lists [2][]netip.Addr
	for i := range types {
		wait.Go(func() { lists[i] = s.addresses(name, i) })
	}
	wait.Wait()
	for i, list := range lists {
		if len(list) == 0 && unknown == "" {
			unknown = s.unknown(name, i)
		}
		for _, a := range list {
			if why := s.place.Unknown(a); why != "" {
				unknown = why
			} else if s.place.Dialer.Guard(a) != nil {
				guarded = a
			} else {
				use = append(use, a)
				break
			}
		}
	}
	return use, guarded, unknown
}

// Each visits every address of a host, both families and all addresses at the
// same time, as soon as the address is known. With a reason an address is to be
// recorded, not dialled. It returns when every visit has.
func (s *Set) Each(name string, visit func(a netip.Addr, unknown string)) {
	var wait contain.Group
	for i := range types {
		wait.Go(func() {
			for n, a := range s.addresses(name, i) {
				why := s.place.Unknown(a)
				if n >= MaxAddresses {
					why = "budget"
				}
				if why != "" {
					visit(a, why)
				} else {
					wait.Go(func() {
						stack.Grow16() // TLS goes deep
						visit(a, "")
					})
				}
			}
		})
	}
	wait.Wait()
}

// unknown says why a look-up that was made has no answer.
func (s *Set) unknown(name string, i int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[name].answer[i].Unknown
}

// addresses returns those of one type, without repetition, at most 64.
func (s *Set) addresses(name string, i int) []netip.Addr {
	s.mu.Lock()
	e := s.names[name]
	if e == nil {
		e = &entry{}
		s.names[name] = e
	}
	s.mu.Unlock()
	e.once[i].Do(func() {
		a := evidence.HostLookup{Unknown: "no resolver"}
		if s.place.Resolver != nil {
			a = s.place.Resolver.Addresses(s.ctx, name, types[i])
		}
		a.Type = types[i]
		a.Addresses = a.Addresses[:min(len(a.Addresses), 64)]
		e.answer[i] = a
	})
	var list []netip.Addr
	for _, text := range e.answer[i].Addresses {
		if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// Hosts reports what was looked up, sorted by name. Nothing may be looked up
// any more.
func (s *Set) Hosts() []evidence.Host {
	var hosts []evidence.Host
	for name, e := range s.names {
		h := evidence.Host{Name: name}
		for i := range types {
			e.once[i].Do(func() { e.answer[i] = evidence.HostLookup{Type: types[i], Unknown: "not asked"} })
			h.Lookups = append(h.Lookups, e.answer[i])
		}
		hosts = append(hosts, h)
	}
	slices.SortFunc(hosts, func(a, b evidence.Host) int { return strings.Compare(a.Name, b.Name) })
	return hosts
}

// Before orders addresses for a report: IPv6 first, then by value.
func Before(a, b string) int {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX != nil || errY != nil {
		return strings.Compare(a, b)
	}
	if x.Unmap().Is4() != y.Unmap().Is4() {
		if x.Unmap().Is4() {
			return 1
		}
		return -1
	}
	return x.Compare(y)
}
