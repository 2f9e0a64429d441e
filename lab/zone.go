package lab

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// A zone is one copy of a zone's content, signed or not. It is safe for
// concurrent use: signatures and denial records are made when first asked for.
type zone struct {
	origin string           // fully qualified, lower case
	nodes  map[string]*node // by owner; empty non-terminals are nodes too
	soa    *dns.SOA
	keys   *keyring // nil: unsigned

	denialOnce sync.Once
	denial     denial
}

// A node is a name that exists in a zone (RFC 4592 2.2.3).
type node struct {
	sets map[uint16]*set
}

// A set is a record set with its signatures.
type set struct {
	rrs  []dns.RR
	once sync.Once
	sigs []dns.RR
}

func (n *node) has(t uint16) bool { return n != nil && n.sets[t] != nil }

// defaultTTL is that of records in a change that give none.
const defaultTTL = 600

// parse reads lines of a zone file.
func parse(origin string, lines []string, value string) ([]dns.RR, error) {
	text, err := digests(strings.ReplaceAll(strings.Join(lines, "\n"), "$VALUE", value))
	if err != nil {
		return nil, err
	}
	// Without $TTL a record would take the TTL of the one before.
	p := dns.NewZoneParser(strings.NewReader(fmt.Sprintf("$TTL %d\n%s", defaultTTL, text)), origin, "")
	var list []dns.RR
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		rr.Header().Name = strings.ToLower(rr.Header().Name)
		list = append(list, rr)
	}
	if err := p.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", strings.TrimSuffix(origin, "."), err)
	}
	return list, nil
}

// A selector names record sets: "owner type", "all", or "denial".
type selector struct {
	owner  string
	rrtype uint16 // 0: every type
	all    bool
	denial bool
}

func parseSelector(origin, text string) (selector, error) {
	switch text {
	case "all":
		return selector{all: true}, nil
	case "denial":
		return selector{denial: true}, nil
	}
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return selector{}, fmt.Errorf("%q selects no records: write \"owner type\", \"owner *\" or \"all\"", text)
	}
	s := selector{owner: absolute(fields[0], origin)}
	if fields[1] != "*" {
		t, ok := dns.StringToType[strings.ToUpper(fields[1])]
		if !ok {
			return selector{}, fmt.Errorf("%q: there is no record type %s", text, fields[1])
		}
		s.rrtype = t
	}
	return s, nil
}

func parseSelectors(origin string, texts []string) ([]selector, error) {
	list := make([]selector, 0, len(texts))
	for _, text := range texts {
		s, err := parseSelector(origin, text)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func (s selector) matches(owner string, rrtype uint16) bool {
	if s.denial {
		return rrtype == dns.TypeNSEC || rrtype == dns.TypeNSEC3
	}
	return s.all || s.owner == owner && (s.rrtype == 0 || s.rrtype == rrtype)
}

// absolute makes an owner of a zone file fully qualified, in lower case.
func absolute(owner, origin string) string {
	owner = strings.ToLower(owner)
	switch {
	case owner == "@":
		return origin
	case strings.HasSuffix(owner, "."):
		return owner
	case origin == ".":
		return owner + "."
	}
	return owner + "." + origin
}

// edit applies what differs in a copy to the records of a zone.
func (c *ZoneCopy) edit(origin string, rrs []dns.RR, value string) ([]dns.RR, error) {
	remove, err := parseSelectors(origin, c.Remove)
	if err != nil {
		return nil, err
	}
	kept := make([]dns.RR, 0, len(rrs)+len(c.Add))
	used := make([]bool, len(remove))
	for _, rr := range rrs {
		drop := false
		for i, s := range remove {
			if s.matches(rr.Header().Name, rr.Header().Rrtype) {
				drop, used[i] = true, true
			}
		}
		if !drop {
			kept = append(kept, dns.Copy(rr))
		}
	}
	if i := slices.Index(used, false); i >= 0 && !remove[i].all {
		return nil, fmt.Errorf("%s: nothing to remove for %q", strings.TrimSuffix(origin, "."), c.Remove[i])
	}
	added, err := parse(origin, c.Add, value)
	if err != nil {
		return nil, err
	}
	kept = append(kept, added...)
	for _, rr := range kept {
		if c.TTL > 0 {
			rr.Header().Ttl = uint32(c.TTL)
		}
		if soa, ok := rr.(*dns.SOA); ok {
			if c.Serial > 0 {
				soa.Serial = uint32(c.Serial)
			}
			if c.Minimum > 0 {
				soa.Minttl, soa.Hdr.Ttl = uint32(c.Minimum), uint32(c.Minimum)
			}
		}
	}
	return kept, nil
}

// newZone arranges records by owner and type. A zone without SOA is one that
// its servers cannot load: they answer SERVFAIL for it.
func newZone(origin string, rrs []dns.RR) (*zone, error) {
	z := &zone{origin: origin, nodes: map[string]*node{origin: {sets: map[uint16]*set{}}}}
	for _, rr := range rrs {
		h := rr.Header()
		if !dns.IsSubDomain(origin, h.Name) {
			return nil, fmt.Errorf("%s: %s lies outside of the zone", strings.TrimSuffix(origin, "."), h.Name)
		}
		n := z.make(h.Name)
		s := n.sets[h.Rrtype]
		if s == nil {
			s = &set{}
			n.sets[h.Rrtype] = s
		}
		if len(s.rrs) > 0 {
			h.Ttl = s.rrs[0].Header().Ttl // RFC 2181 5.2
			if slices.ContainsFunc(s.rrs, func(other dns.RR) bool { return dns.IsDuplicate(other, rr) }) {
				continue
			}
		}
		s.rrs = append(s.rrs, rr)
		if soa, ok := rr.(*dns.SOA); ok {
			z.soa = soa
		}
	}
	return z, nil
}

// make returns the node of an owner, and makes those above it up to the apex.
func (z *zone) make(owner string) *node {
	n := z.nodes[owner]
	if n != nil {
		return n
	}
	n = &node{sets: map[uint16]*set{}}
	z.nodes[owner] = n
	if owner != z.origin {
		z.make(parent(owner))
	}
	return n
}

// parent returns the name without its first label.
func parent(name string) string {
	i, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[i:]
}

// sortKey orders names canonically (RFC 4034 6.1) as strings: the labels from
// the right, each ended by a zero byte.
func sortKey(name string) string {
	labels := dns.SplitDomainName(name)
	b := make([]byte, 0, len(name)+1)
	for i := len(labels) - 1; i >= 0; i-- {
		b = append(unescape(b, labels[i]), 0)
	}
	return string(b)
}

// unescape appends the bytes of a label in presentation form.
func unescape(b []byte, label string) []byte {
	for i := 0; i < len(label); i++ {
		switch {
		case label[i] != '\\':
			b = append(b, label[i])
		case i+3 < len(label) && label[i+1] >= '0' && label[i+1] <= '9':
			b = append(b, (label[i+1]-'0')*100+(label[i+2]-'0')*10+label[i+3]-'0')
			i += 3
		case i+1 < len(label):
			i++
			b = append(b, label[i])
		}
	}
	return b
}
