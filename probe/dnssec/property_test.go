package dnssec

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"pgregory.net/rapid"
)

// drawZone makes a random signed zone of few labels, so that names collide:
// hosts, aliases, wildcards, delegations, empty non-terminals.
func drawZone(rt *rapid.T, t *testing.T) *testZone {
	text := "@ SOA ns host 1 7200 3600 1209600 600\n@ NS ns\n"
	label := rapid.SampledFrom([]string{"a", "b", "c", "*"})
	used := map[string]string{"": "NS"}
	for range rapid.IntRange(1, 12).Draw(rt, "owners") {
		owner := strings.Join(rapid.SliceOfN(label, 1, 3).Draw(rt, "owner"), ".")
		typ := rapid.SampledFrom([]string{"A", "TXT", "CAA", "CNAME", "DNAME", "NS", "DS"}).Draw(rt, "type")
		if strings.Contains(owner, "*") && (typ == "DNAME" || typ == "NS" || typ == "DS") {
			typ = "TXT" // what such records mean is not defined
		}
		if old, ok := used[owner]; ok && (typ == "CNAME" || old == "CNAME" || typ == "NS" || old == "NS" || typ == "DS" || old == "DS") {
			continue
		}
		hidden := false // a DNAME leaves no names below it (RFC 6672 2.4)
		for other, otherType := range used {
			hidden = hidden || otherType == "DNAME" && strings.HasSuffix(owner, "."+other) ||
				typ == "DNAME" && strings.HasSuffix(other, "."+owner)
		}
		if hidden {
			continue
		}
		if used[owner] != "DNAME" {
			used[owner] = typ
		}
		text += owner + " " + map[string]string{
			"A": "A 192.0.2.1", "TXT": `TXT "x"`, "CAA": `CAA 0 issue "ca.example"`, "CNAME": "CNAME a.b", "DNAME": "DNAME other.example.",
			"NS": "NS ns.other.example.",
			"DS": "NS ns.other.example.\n" + owner + " DS 1 13 2 E2D3C916F6DEEAC73294E8268FB5885044A833FC5459588F4A9184CFC41A5766",
		}[typ] + "\n"
	}
	var n3 *nsec3Options
	switch rapid.IntRange(0, 2).Draw(rt, "denial") {
	case 1:
		n3 = &nsec3Options{salt: "AB", iterations: 1}
	case 2:
		n3 = &nsec3Options{optOut: true}
	}
	z := signZone(t, "orchard.net", text, dns.ED25519, n3)
	if testing.Verbose() {
		rt.Log(text)
	}
	return z
}

func drawQuestion(rt *rapid.T) (string, uint16) {
	labels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d", "*"}), 0, 4).Draw(rt, "labels")
	typ := rapid.SampledFrom([]uint16{dns.TypeA, dns.TypeTXT, dns.TypeCAA, dns.TypeCNAME, dns.TypeDS, dns.TypeMX}).Draw(rt, "qtype")
	if len(labels) == 0 && typ == dns.TypeDS {
		typ = dns.TypeTXT
	}
	return strings.Join(append(labels, "orchard.net."), "."), typ
}

// TestRandomZones: what a right server of a random zone says is never bogus,
// insecure only under opt-out, and found as the server meant it.
func TestRandomZones(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		z := drawZone(rt, t)
		k := z.trust(t)
		for range 10 {
			qname, qtype := drawQuestion(rt)
			m := z.ask(t, qname, qtype)
			if n, _ := parseName(qname); !m.Authoritative {
				cut, _ := z.cut(n)
				ds, _, r := k.Delegation(m, cut.String(), now, NewWork())
				want := Insecure
				if z.sets[cut.wire][dns.TypeDS] != nil {
					want = Secure
				}
				if r.State != want || (len(ds) > 0) != (want == Secure) {
					rt.Fatalf("referral to %s: %+v\n%s", cut, r, m)
				}
				continue
			}
			r := k.Answer(m, qname, qtype, now, NewWork())
			want := NoData
			switch {
			case len(m.Answer) > 0 && m.Answer[0].Header().Rrtype == dns.TypeDNAME && !strings.EqualFold(m.Answer[0].Header().Name, qname):
				if want = DNAME; qtype == dns.TypeCNAME {
					want = Records // the CNAME that the DNAME makes
				}
			case len(m.Answer) > 0 && m.Answer[0].Header().Rrtype != qtype:
				want = CNAME
			case len(m.Answer) > 0:
				want = Records
			case m.Rcode == dns.RcodeNameError:
				want = NXDomain
			}
			optOut := z.nsec3 != nil && z.nsec3.optOut
			if optOut && r.State == Bogus && z.hiddenBesideWildcard(qname) {
				continue // see nsec3s.nodata
			}
			if r.Found != want || r.State != Secure && !(optOut && r.State == Insecure) {
				rt.Fatalf("%s %s: want %s: %+v\n%s", qname, dns.Type(qtype), want, r, m)
			}
		}
	})
}

// hiddenBesideWildcard reports whether the name is in an opt-out span below an
// empty non-terminal that has no record, and beside a wildcard: then nothing can
// be proven of it (RFC 5155 7.1, erratum 3441).
func (z *testZone) hiddenBesideWildcard(qname string) bool {
	n, _ := parseName(qname)
	if !n.below(z.name) {
		return false
	}
	for z.sets[z.hashOwner(n.up(1)).wire][dns.TypeNSEC3] == nil {
		n = n.up(1)
	}
	return z.exists(n) && z.exists(n.up(1).wildcard())
}

// TestFlippedBits: no single bit changed on the way makes an answer mean
// something else and stay secure.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		z := drawZone(rt, t)
		k := z.trust(t)
		qname, qtype := drawQuestion(rt)
		m := z.ask(t, qname, qtype)
		m.Compress = rapid.Bool().Draw(rt, "compress")
		wire, err := m.Pack()
		if err != nil {
			rt.Fatal(err)
		}
		n, _ := parseName(qname)
		cut, _ := z.cut(n)
		read := func(m *dns.Msg) string {
			if !cut.below(z.name) {
				return meaning(m, n, qtype, k.Answer(m, qname, qtype, now, NewWork()))
			}
			ds, _, r := k.Delegation(m, cut.String(), now, NewWork())
			out := fmt.Sprint(r.State, " ", r.Found)
			for _, d := range ds {
				out += fmt.Sprintf(" %d %d %d %s", d.KeyTag, d.Algorithm, d.DigestType, d.Digest)
			}
			return out
		}
		parse := func(wire []byte) *dns.Msg {
			m := new(dns.Msg)
			if m.Unpack(wire) != nil {
				return nil
			}
			return m
		}
		original := read(parse(wire))
		for range 40 {
			bit := rapid.IntRange(0, 8*len(wire)-1).Draw(rt, "bit")
			changed := slices.Clone(wire)
			changed[bit/8] ^= 1 << (bit % 8)
			got := parse(changed)
			if got == nil {
				continue
			}
			after := read(got)
			if strings.HasPrefix(after, string(Secure)) && after != original {
				rt.Fatalf("bit %d: %s, was %s\n%s", bit, after, original, got)
			}
			if strings.HasPrefix(after, string(Insecure)) && !strings.HasPrefix(original, string(Insecure)) {
				rt.Fatalf("bit %d made it insecure: %s, was %s\n%s", bit, after, original, got)
			}
		}
	})
}

// meaning is what a caller would read out of an answer, in canonical form.
func meaning(m *dns.Msg, n name, qtype uint16, r Result) string {
	if qtype == dns.TypeCNAME && r.Target != "" {
		// Asked for a CNAME, the one that a DNAME makes may be written out or not.
		return fmt.Sprint(r.State, " leads to ", r.Target)
	}
	out := fmt.Sprint(r.State, " ", r.Found, " ", r.Target)
	if r.Found == Records {
		if s := find(sets(m.Answer), n, qtype); s != nil {
			if c, err := canonicalize(s.owner, s.rrs); err == nil {
				out += fmt.Sprintf(" %x", c.rdata)
			}
		}
	}
	return out
}
