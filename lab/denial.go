package lab

import (
	"slices"
	"sort"
	"strings"

	"github.com/miekg/dns"
)

// A denial is the chain of NSEC or NSEC3 records of a zone, sorted.
type denial struct {
	links  []link
	params *NSEC3 // nil: NSEC
	origin string
}

// A link is one record of the chain. Key is what the chain is sorted by: the
// owner, or its hash.
type link struct {
	key   string
	owner string
	types []uint16
	set   *set
}

// chain returns the denial records, made once.
func (z *zone) chain() *denial {
	z.denialOnce.Do(func() {
		d := &z.denial
		d.params, d.origin = z.keys.signing.NSEC3, z.origin
		for owner, n := range z.nodes {
			if types, ok := z.denied(owner, n); ok {
				d.links = append(d.links, link{key: d.key(owner), owner: owner, types: types})
			}
		}
		slices.SortFunc(d.links, func(a, b link) int { return strings.Compare(a.key, b.key) })
		ttl := min(z.soa.Hdr.Ttl, z.soa.Minttl) // RFC 9077
		for i := range d.links {
			d.links[i].set = &set{rrs: []dns.RR{d.record(i, ttl)}}
		}
	})
	return &z.denial
}

// denied returns the types that the chain lists at a name, and false for a name
// that is not in the chain.
func (z *zone) denied(owner string, n *node) ([]uint16, bool) {
	hashed := z.keys.signing.NSEC3
	if z.occluded(owner) {
		return nil, false
	}
	cut := owner != z.origin && n.has(dns.TypeNS)
	var types []uint16
	for t := range n.sets {
		if !cut || t == dns.TypeNS || t == dns.TypeDS {
			types = append(types, t)
		}
	}
	signed := len(types) > 0 && (!cut || n.has(dns.TypeDS))
	if hashed == nil {
		if len(types) == 0 {
			return nil, false
		}
		types = append(types, dns.TypeRRSIG, dns.TypeNSEC)
	} else {
		if hashed.OptOut && !signed && !z.leadsToSigned(owner) {
			return nil, false
		}
		if signed {
			types = append(types, dns.TypeRRSIG)
		}
	}
	slices.Sort(types)
	return types, true
}

// leadsToSigned reports whether an empty non-terminal has anything below it
// that is not an unsigned delegation (RFC 5155 7.1).
func (z *zone) leadsToSigned(owner string) bool {
	if len(z.nodes[owner].sets) > 0 {
		return false
	}
	for other, n := range z.nodes {
		if other != owner && dns.IsSubDomain(owner, other) && len(n.sets) > 0 && !z.occluded(other) &&
			(!n.has(dns.TypeNS) || n.has(dns.TypeDS)) {
			return true
		}
	}
	return false
}

// occluded reports whether a name lies below a zone cut or a DNAME.
func (z *zone) occluded(owner string) bool {
	for at := owner; at != z.origin; {
		at = parent(at)
		n := z.nodes[at]
		if n.has(dns.TypeDNAME) || at != z.origin && n.has(dns.TypeNS) {
			return true
		}
	}
	return false
}

func (d *denial) key(name string) string {
	if d.params == nil {
		return sortKey(name)
	}
	return dns.HashName(name, dns.SHA1, uint16(d.params.Iterations), d.params.Salt)
}

func (d *denial) record(i int, ttl uint32) dns.RR {
	l, next := d.links[i], d.links[(i+1)%len(d.links)]
	if d.params == nil {
		return &dns.NSEC{
			Hdr:        dns.RR_Header{Name: l.owner, Rrtype: dns.TypeNSEC, Class: dns.ClassINET, Ttl: ttl},
			NextDomain: next.owner, TypeBitMap: l.types,
		}
	}
	owner := strings.ToLower(l.key) + "." + strings.TrimPrefix(d.origin, ".")
	rr := &dns.NSEC3{
		Hdr:  dns.RR_Header{Name: owner, Rrtype: dns.TypeNSEC3, Class: dns.ClassINET, Ttl: ttl},
		Hash: dns.SHA1, Iterations: uint16(d.params.Iterations),
		Salt: strings.ToLower(d.params.Salt), SaltLength: uint8(len(d.params.Salt) / 2),
		NextDomain: next.key, HashLength: 20, TypeBitMap: l.types,
	}
	if d.params.OptOut {
		rr.Flags = 1
	}
	return rr
}

// find returns the link that matches a name, or the one that covers it.
func (d *denial) find(name string) (l *link, matches bool) {
	key := d.key(name)
	i := sort.Search(len(d.links), func(i int) bool { return d.links[i].key > key }) - 1
	if i < 0 {
		i = len(d.links) - 1 // before the first is after the last
	}
	return &d.links[i], d.links[i].key == key
}

// match returns the link of exactly this name, nil where there is none.
func (d *denial) match(name string) *link {
	if l, ok := d.find(name); ok {
		return l
	}
	return nil
}

// cover returns the link in whose gap the name lies, nil where it exists.
func (d *denial) cover(name string) *link {
	if l, ok := d.find(name); !ok {
		return l
	}
	return nil
}

// nextCloser is the name one label longer than an ancestor of name (RFC 5155 1.3).
func nextCloser(name, ancestor string) string {
	for parent(name) != ancestor && name != "." {
		name = parent(name)
	}
	return name
}

// nameError proves that name does not exist and no wildcard applies; encloser is
// its closest ancestor that exists. Under opt-out that may not be in the chain:
// then the closest one that is (RFC 5155 7.2.1, "closest provable encloser").
func (d *denial) nameError(name, encloser string) []*link {
	if d.params == nil {
		return []*link{d.cover(name), d.cover(wildcard(encloser))}
	}
	for d.match(encloser) == nil && encloser != d.origin {
		encloser = parent(encloser)
	}
	return []*link{d.match(encloser), d.cover(nextCloser(name, encloser)), d.cover(wildcard(encloser))}
}

// noData proves that a name has no records of the type asked.
func (d *denial) noData(name string) []*link {
	if l := d.match(name); l != nil {
		return []*link{l}
	}
	if d.params == nil {
		return []*link{d.cover(name)} // an empty non-terminal
	}
	// Opt-out: the closest ancestor that is in the chain (RFC 5155 7.2.4).
	for at := name; at != d.origin; {
		below := at
		at = parent(at)
		if l := d.match(at); l != nil {
			return []*link{l, d.cover(below)}
		}
	}
	return nil
}

// expanded proves that a wildcard below encloser was right to answer for name.
func (d *denial) expanded(name, encloser string) []*link {
	if d.params == nil {
		return []*link{d.cover(name)}
	}
	return []*link{d.cover(nextCloser(name, encloser))}
}

// expandedNoData proves that the wildcard has no records of the type asked.
func (d *denial) expandedNoData(name, encloser string) []*link {
	proof := append(d.expanded(name, encloser), d.match(wildcard(encloser)))
	if d.params != nil {
		proof = append(proof, d.match(encloser))
	}
	return proof
}

func wildcard(encloser string) string {
	if encloser == "." {
		return "*."
	}
	return "*." + encloser
}
