package review

import (
	"slices"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// A scheme is what the primary place saw of a visit over HTTP or over HTTPS.
type scheme struct {
	https bool
	url   string
	o     *evidence.Observation
	// why says in a word of ours why it is blocked.
	why string
	// readings are the fetches, IPv6 before IPv4, each at one address.
	readings []reading
	standing standing
	// chosen is the fetch that decides: the one that gives the file, else the one
	// that got nearest to it. Nil where no fetch was made.
	chosen *reading
}

// scheme is what the primary place saw over a scheme.
func (f *facts) scheme(v *visit, https bool) *scheme {
	i := 0
	if https {
		i = 1
	}
	if v.schemes[i] == nil {
		c := &scheme{https: https, url: v.url(https)}
		c.o = f.fetch(f.primary(), v.question(https))
		f.weigh(v, c)
		if c.o == nil && f.wanted != nil {
			return c
		}
		v.schemes[i] = c
	}
	return v.schemes[i]
}

// weigh reads the fetches of a scheme and decides.
func (f *facts) weigh(v *visit, c *scheme) {
	switch o := c.o; {
	case o == nil:
		return
	case o.Unknown != "" || o.HTTP == nil:
		c.standing, c.why = blocked, o.Unknown
		return
	}
	x := c.o.HTTP
	for i := range x.Fetches {
		c.readings = append(c.readings, f.read(v, &x.Fetches[i], 0))
	}
	if !f.profile.Connect.FirstAddress {
		c.chosen = nearest(c.readings)
	} else if !f.weighFirst(v, c) {
		return
	}
	switch r := c.chosen; {
	case r == nil:
		c.standing = unproven
		for i := range x.Hosts {
			for j := range x.Hosts[i].Lookups {
				if l := &x.Hosts[i].Lookups[j]; l.Unknown != "" {
					c.standing, c.why = blocked, l.Type+" "+x.Hosts[i].Name+": "+l.Unknown
				}
			}
		}
	case r.outcome == fetchFile:
		c.standing = proven
	case r.outcome == fetchGuarded && f.splitDNS(v.base):
		c.standing, c.why = blocked, whySplit
	case r.outcome == fetchUnknown:
		// It need not be one of the readings: see fallBack.
		c.standing, c.why = blocked, r.fetch.Unknown
	case r.outcome <= fetchDial && c.some(fetchUnknown) != nil:
		c.standing, c.why = blocked, c.some(fetchUnknown).fetch.Unknown
	default:
		c.standing = unproven
	}
}

// whySplit: the resolver of this place gives inner addresses of the target.
const whySplit = "split-dns"

// splitDNS reports whether the servers of a name give public addresses for it,
// where the resolver of this place gave none: perspective.inside-target says so.
func (f *facts) splitDNS(name string) bool {
	if f.primary().Resolver == "" {
		return false
	}
	public, _, _ := f.sortAddresses(f.probe(evidence.DNSQuestion{Name: name, Type: "A"}).records())
	return len(public) > 0
}

// nearest is the reading that got nearest to the file, IPv6 before IPv4.
func nearest(list []reading) *reading {
	var best *reading
	for i := range list {
		if best == nil || list[i].outcome > best.outcome {
			best = &list[i]
		}
	}
	return best
}

// some is the first reading with an outcome.
func (c *scheme) some(o outcome) *reading {
	for i := range c.readings {
		if c.readings[i].outcome == o {
			return &c.readings[i]
		}
	}
	return nil
}

// weighFirst decides as Boulder does: the first AAAA, the first A only where there
// is no AAAA or the connection to it failed. It is false where a further fetch has
// to be seen first.
func (f *facts) weighFirst(v *visit, c *scheme) bool {
	six, four := c.first("ipv6"), c.first("ipv4")
	switch {
	case six == nil && four == nil:
		c.chosen = nearest(c.readings)
	case six == nil:
		c.chosen = four
	case four == nil || six.outcome != fetchDial || six.hop > 0:
		c.chosen = six
	default:
		return f.fallBack(v, c, six, four)
	}
	return true
}

// fallBack is the IPv4 address after the connection to the IPv6 address failed: a
// redirect to the same host begins anew with IPv6.
func (f *facts) fallBack(v *visit, c *scheme, six, four *reading) bool {
	c.chosen = four
	for i := 1; i <= four.hop; i++ {
		to := four.fetch.Hops[i].URL
		if hostOfURL(to) != v.base {
			continue
		}
		o := f.fetch(f.primary(), evidence.HTTPQuestion{URL: to, Address: six.fetch.Address})
		if o == nil {
			c.chosen = nil
			return false
		}
		again := reading{fetch: &evidence.Fetch{Address: six.fetch.Address, Family: six.fetch.Family, Unknown: o.Unknown}}
		if o.HTTP != nil && len(o.HTTP.Fetches) > 0 {
			again = f.read(v, &o.HTTP.Fetches[0], i)
		}
		if again.outcome != fetchFile {
			c.chosen = &again
		}
		return true
	}
	return true
}

// first is the reading at the address of a family that the DNS names first, among
// those that may be dialled.
func (c *scheme) first(family string) *reading {
	typ := map[string]string{"ipv6": "AAAA", "ipv4": "A"}[family]
	var order []string
	for i := range c.o.HTTP.Hosts {
		h := &c.o.HTTP.Hosts[i]
		for j := range h.Lookups {
			if h.Name == hostOfURL(c.url) && h.Lookups[j].Type == typ {
				order = h.Lookups[j].Addresses
			}
		}
	}
	var best *reading
	at := func(r *reading) int {
		if i := slices.Index(order, r.fetch.Address); i >= 0 {
			return i
		}
		return len(order)
	}
	for i := range c.readings {
		r := &c.readings[i]
		if r.fetch.Family == family && r.outcome != fetchGuarded && (best == nil || at(r) < at(best)) {
			best = r
		}
	}
	return best
}

// closed reports whether no address accepts a connection.
func (c *scheme) closed() bool {
	return len(c.readings) > 0 && !slices.ContainsFunc(c.readings, func(r reading) bool {
		return r.outcome != fetchGuarded && (r.outcome != fetchDial || r.hop > 0)
	})
}

// bothSchemes reports whether HTTPS is fetched besides HTTP.
func (v *visit) bothSchemes() bool { return v.method != order.MethodHTTP01 }

// decided says whether the primary place sees the file (catalogue B5).
func (f *facts) decided(v *visit) standing {
	http := f.scheme(v, false)
	if !v.bothSchemes() {
		return http.standing
	}
	https := f.scheme(v, true)
	one, other := http.standing, https.standing
	if f.profile.File.Schemes != "both" {
		switch {
		case one == proven || other == proven:
			return proven
		case one == pending || other == pending:
			return pending
		case one == blocked || other == blocked:
			return blocked
		}
		return unproven
	}
	switch {
	case one == pending || other == pending:
		return pending
	case one == unproven && other == unproven, f.wrong(http, https), f.wrong(https, http):
		return unproven
	case one == blocked || other == blocked:
		return blocked
	}
	return proven
}

// wrong reports whether a scheme answers, and not with the file. One that is
// closed does not, and HTTPS without a TLS connection only counts where the
// profile says so.
func (f *facts) wrong(c, other *scheme) bool {
	switch {
	case c.standing != unproven || c.closed() || c.chosen == nil:
		return c.standing == unproven && other.standing != proven && other.standing != blocked
	case c.https && c.chosen.outcome == fetchTLS && c.chosen.hop == 0 && other.standing == proven:
		return f.level(cause.FileHTTPSHandshakeFails, "http").Blocks()
	}
	return true
}

// fileProofs are those of the visits.
func (f *facts) fileProofs() []proof {
	var list []proof
	for _, v := range f.visits() {
		list = append(list, proof{
			subject:  v.subject,
			standing: func() standing { return f.decided(v) },
			seen:     func() []*evidence.Observation { return f.seenOf(v) },
		})
	}
	return list
}

// seenOf are the observations that decide about a visit.
func (f *facts) seenOf(v *visit) []*evidence.Observation {
	var list []*evidence.Observation
	for _, https := range []bool{false, true} {
		if https && !v.bothSchemes() {
			continue
		}
		if c := f.scheme(v, https); c.o != nil {
			list = append(list, c.o)
		}
	}
	return list
}
