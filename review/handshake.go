package review

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// A handshake is one name that tls-alpn-01 validates (RFC 8737): its server has
// to show the challenge's certificate on port 443.
type handshake struct {
	// subject is the name as the order writes it, name what is connected to: B, or
	// an IP address.
	subject, name string
	ip            netip.Addr // of an IP identifier (RFC 8738)
	// key is the key authorization; empty where the order has none yet: then only
	// whether port 443 can be reached is looked at (catalogue B31).
	key string
	// chosen is set where the order names the method.
	chosen bool
}

// acmeTLS is the application protocol of the challenge (RFC 8737 6.2).
const acmeTLS = "acme-tls/1"

// handshakes are those of the order, each once, in an order that depends on the
// order alone.
func (f *facts) handshakes() []*handshake {
	if f.handshakesSet {
		return f.handshakeList
	}
	f.handshakesSet = true
	for i := range f.Order.Challenges {
		c := &f.Order.Challenges[i]
		if n := f.nameOf(c.Name); n != nil && f.challengeMethod(c) == order.MethodTLSALPN01 && f.connectable(n) && !f.settled(c) {
			f.addHandshake(n, c.Value, true)
		}
	}
	for i := range f.names {
		n := &f.names[i]
		if n.same == i && f.connectable(n) && !f.challenged(n) && f.mayUse(order.MethodTLSALPN01, n) {
			f.addHandshake(n, "", f.Order.Method != "")
		}
	}
	return f.handshakeList
}

func (f *facts) addHandshake(n *nameFact, key string, chosen bool) {
	h := &handshake{subject: n.subject(), name: n.Base, ip: n.IP, key: key, chosen: chosen}
	same := func(o *handshake) bool { return o.name == h.name && o.key == h.key }
	if !slices.ContainsFunc(f.handshakeList, same) {
		f.handshakeList = append(f.handshakeList, h)
	}
}

// mayUse reports whether a name without a value may be validated by a method:
// the order names it, or names none and it is on offer for such a name.
func (f *facts) mayUse(m order.Method, n *nameFact) bool {
	if f.Order.Method != "" {
		return f.Order.Method == m
	}
	terms := methodOf(f.profile, m)
	return terms != nil && !f.ended(terms) && shapeRule(terms, n) == ""
}

// connectable reports whether the servers of a name may be connected to: it is
// one that can be looked up, or an IP address that is not reserved, unless the
// CA is one for such addresses. What may be dialled there the guard decides.
func (f *facts) connectable(n *nameFact) bool {
	if !n.isIP() {
		return f.lookable(n) && !n.Wildcard
	}
	_, reserved := n.reservedBlock()
	return !reserved || !f.profile.Public
}

// shakeOf is what the primary place saw of a name, nil where it was not asked.
func (f *facts) shakeOf(h *handshake) *evidence.Observation {
	return f.shake(f.primary(), evidence.TLSQuestion{Name: h.name, Each: true, Port: 443, ALPN: []string{acmeTLS}})
}

// A served is what one address shows for tls-alpn-01.
type served struct {
	*evidence.Handshake
	// cause is the row that says what is wrong, "" where nothing is; the words of
	// its parameters follow.
	cause                   cause.ID
	problem, expected, seen string
}

// closed reports whether no connection was made.
func closed(h *evidence.Handshake) bool { return h.Dial.Error != "" }

// forbidden reports whether an address was not dialled because it is none of the
// public internet.
func forbidden(h *evidence.Handshake) bool { return h.Dial.Error == "guard" }

// decidingShakes are the handshakes that decide about a name. Where the first address
// does, that is the first AAAA, and beside it the first A where the first fails
// before a certificate is shown (Boulder's VA, which never sees addresses that
// are not public); elsewhere all of them.
func (f *facts) decidingShakes(x *evidence.TLSExchange) []*evidence.Handshake {
	var list []*evidence.Handshake
	if !f.profile.Connect.FirstAddress || len(x.Hosts) == 0 {
		for i := range x.Handshakes {
			if h := &x.Handshakes[i]; !forbidden(h) {
				list = append(list, h)
			}
		}
		return list
	}
	for _, l := range x.Hosts[0].Lookups { // AAAA, then A
		if h := firstOf(x, l.Addresses); h != nil {
			list = append(list, h)
			if h.Unknown != "" || !closed(h) && h.Error == "" {
				return list
			}
		}
	}
	return list
}

// firstOf is the handshake with the first address that may be dialled.
func firstOf(x *evidence.TLSExchange, addresses []string) *evidence.Handshake {
	for _, a := range addresses {
		i := slices.IndexFunc(x.Handshakes, func(h evidence.Handshake) bool { return equalAddresses(h.Address, a) })
		if i >= 0 && !forbidden(&x.Handshakes[i]) {
			return &x.Handshakes[i]
		}
	}
	return nil
}

func equalAddresses(a, b string) bool {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	return a == b || errX == nil && errY == nil && x == y
}

// standingOf says what became of a challenge at the primary place.
func (f *facts) standingOf(h *handshake) standing {
	o := f.shakeOf(h)
	switch {
	case o == nil:
		return pending
	case o.Unknown != "" || o.TLS == nil:
		return blocked
	}
	list := f.decidingShakes(o.TLS)
	unknown := f.blindWhy(h, o.TLS) != ""
	for _, each := range list {
		if each.Unknown == "" && f.readShake(h, each).cause == "" {
			return proven
		}
	}
	if unknown {
		return blocked
	}
	return unproven
}

// blindWhy says why it is not known whether an address that decides shows the
// certificate, for a reason that lies with us; "" where it is known.
func (f *facts) blindWhy(h *handshake, x *evidence.TLSExchange) string {
	list := f.decidingShakes(x)
	for _, each := range list {
		if each.Unknown != "" {
			return each.Unknown + ": " + each.Address
		}
	}
	for _, host := range x.Hosts {
		for _, l := range host.Lookups {
			if l.Unknown != "" {
				return l.Unknown + ": " + l.Type
			}
		}
	}
	// Reserved addresses are a finding under a public profile; where a CA is for
	// them the place was not allowed to connect.
	if len(list) == 0 && !f.profile.Public {
		for i := range x.Handshakes {
			if forbidden(&x.Handshakes[i]) {
				return "guard: " + x.Handshakes[i].Address
			}
		}
	}
	return ""
}

// handshakeProofs are the proofs of tls-alpn-01: an address that decides shows
// the challenge's certificate.
func (f *facts) handshakeProofs() []proof {
	var list []proof
	for _, h := range f.handshakes() {
		if h.key == "" {
			continue
		}
		list = append(list, proof{
			subject:  h.subject,
			standing: func() standing { return f.standingOf(h) },
			seen: func() []*evidence.Observation {
				if o := f.shakeOf(h); o != nil {
					return []*evidence.Observation{o}
				}
				return nil
			},
		})
	}
	return list
}

// digest is what the acmeIdentifier extension has to hold.
func (h *handshake) digest() [sha256.Size]byte { return sha256.Sum256([]byte(h.key)) }

// sni is the server name that is sent: the reverse name of an IP address (RFC
// 8738 6).
func (h *handshake) sni() string {
	if h.ip.IsValid() {
		return reverseName(h.ip)
	}
	return h.name
}

const hexDigits = "0123456789abcdef"

// reverseName is the name of an address below in-addr.arpa or ip6.arpa.
func reverseName(a netip.Addr) string {
	a = a.Unmap()
	raw := a.AsSlice()
	slices.Reverse(raw)
	if a.Is4() {
		return netip.AddrFrom4([4]byte(raw)).String() + ".in-addr.arpa"
	}
	var b strings.Builder
	for _, c := range raw {
		b.WriteString(string(hexDigits[c&15]) + "." + string(hexDigits[c>>4]) + ".")
	}
	return b.String() + "ip6.arpa"
}
