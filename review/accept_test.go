package review

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"assay/cause"
	"assay/evidence"
	"assay/order"
	"assay/profile"
)

// The worst defect is an order that passes without the record. These tests vary
// everything that must not matter, and everything that must not suffice.

var placesDrawn = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"P1", "P2", "P3", "P4", "P5", "P6"}), 0, 6, rapid.ID)

func drawPlaces(t *rapid.T) []evidence.Perspective {
	places := []evidence.Perspective{{ID: "P0", Region: "APNIC"}}
	ids := placesDrawn.Draw(t, "places")
	slices.Sort(ids)
	for _, id := range ids {
		places = append(places, evidence.Perspective{ID: id, Region: rapid.SampledFrom([]string{"RIPE", "ARIN", "LACNIC"}).Draw(t, "region")})
	}
	return places
}

// drawWorld is the healthy world with records beside the validation record that
// must not matter.
func drawWorld(t *rapid.T) *internet {
	n := healthy()
	z := n.orchard()
	for _, extra := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		"* TXT parked", "* A 45.155.10.22", "@ TXT v=spf1", "www A 45.155.10.21", "www CNAME orchard.net.", "_dnsauth TXT other", "_dnsauth TXT " + strings.ToUpper(labValue),
		"_acme-challenge TXT x", "@ CAA 0 issue sectigo.com", "@ CAA 0 iodef mailto:a@b.net", "@ MX 10 mail", "_dnsauth.orchard.net TXT " + labValue, "_dnsauth.www TXT " + labValue,
	}), 0, 6, rapid.ID).Draw(t, "extra") {
		if strings.Contains(extra, "CAA") {
			words := strings.SplitN(extra, " ", 5)
			extra = fmt.Sprintf(`%s CAA %s %s "%s"`, words[0], words[2], words[3], words[4])
		}
		z.add(extra)
	}
	z.records = rapid.Permutation(z.records).Draw(t, "order")
	return n
}

// TestPresentPasses: with the record on every server and nothing else wrong, no
// profile finds anything blocking in the DNS.
func TestPresentPasses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(profile.Embedded()).Draw(t, "profile")
		tr := &trial{net: drawWorld(t), profile: name, places: drawPlaces(t), order: labOrder()}
		tr.mode = rapid.SampledFrom([]Mode{Precheck, Attempt}).Draw(t, "mode")
		for _, f := range tr.judge(t).Findings {
			if f.Stage == "dns" && f.Level.Blocks() {
				t.Fatalf("%s under %s: %v", f.ID, name, f.Parameters)
			}
		}
	})
}

// TestAbsentNeverPasses: with the record on no server of the zone no profile and
// no mode passes, whatever else holds it: a wildcard excepted, which gives it to
// V itself.
func TestAbsentNeverPasses(t *testing.T) {
	t.Parallel()
	v := labValue
	elsewhere := []string{
		"_dnsauth.orchard.net TXT " + v, "_dnsauth.www TXT " + v, "dnsauth TXT " + v, "_acme-challenge TXT " + v, "@ TXT " + v, "www TXT " + v,
		"_dnsauth._dnsauth TXT " + v, "_dnsauth TXT " + strings.ToUpper(v), "_dnsauth TXT " + v + ".", `_dnsauth TXT "\"` + v + `\""`,
		"_dnsauth TXT " + v[:20], "_dnsauth TXT x" + v, "_dnsauth TXT " + v + v, `_dnsauth CAA 0 issue "` + v + `"`, "_dnsauth CNAME " + v + ".",
		"_dnsauth A 45.155.10.21", "* A 45.155.10.22", "_dnsauth CNAME nothing.net.",
	}
	rapid.Check(t, func(t *rapid.T) {
		n := healthy()
		z := n.orchard().remove("_dnsauth TXT")
		z.add(rapid.SliceOfNDistinct(rapid.SampledFrom(elsewhere), 0, 4, rapid.ID).Draw(t, "elsewhere")...)
		where := rapid.SampledFrom([]string{"", "lame", "hidden", "remote", "refused"}).Draw(t, "holder")
		with := append(slices.Clone(z.records), "_dnsauth TXT "+v)
		switch where {
		case "hidden":
			z.hidden, z.own = []string{"ns9.orchard.net"}, map[string][]string{"ns9.orchard.net": with}
		case "lame", "refused":
			z.own = map[string][]string{"ns2.orchard.net": with}
			n.fault = func(_, server string, _ evidence.DNSQuestion, c *evidence.DNSCopy) {
				if server == "ns2.orchard.net" {
					c.Authoritative = false
					if where == "refused" {
						c.Status = "REFUSED"
					}
				}
			}
		case "remote":
			n.fault = func(place, _ string, q evidence.DNSQuestion, c *evidence.DNSCopy) {
				if place != "P0" && q.Name == "_dnsauth.orchard.net" && q.Type == "TXT" {
					c.Status, c.Answer = "NOERROR", []evidence.Record{{Owner: q.Name, Type: "TXT", Data: `"` + v + `"`}}
				}
			}
		}
		name := rapid.SampledFrom(profile.Embedded()).Draw(t, "profile")
		tr := &trial{net: n, profile: name, places: drawPlaces(t), order: labOrder()}
		tr.mode = rapid.SampledFrom([]Mode{Precheck, Attempt}).Draw(t, "mode")
		if r := tr.judge(t); r.Verdict == VerdictPass {
			t.Fatalf("passes under %s: %v", name, network(r))
		}
	})
}

// TestNotValidated: what did not pass validation counts for nothing, also where
// every server gives the value, and what was not validated at all is unknown.
func TestNotValidated(t *testing.T) {
	t.Parallel()
	for security, want := range map[string]string{
		"bogus": "wait dns.dnssec-bogus@orchard.net", "indeterminate": "wait dns.dnssec-bogus@orchard.net", "": "unknown perspective.unavailable@P0",
	} {
		n := healthy()
		n.security = func(q evidence.DNSQuestion, a *evidence.DNSAnswer) {
			if q.Type == "TXT" {
				a.Security = security
				a.Links[0].Security, a.Links[0].Reason = security, evidence.ReasonExpired
				a.Links[0].ValidUntil, a.Links[0].KeyTag, a.Links[0].DSTTL = "2026-11-24T08:00:00Z", 4711, 3600
			}
		}
		r := (&trial{net: n}).judge(t)
		if got := network(r); len(got) != 1 || got[0] != want || r.Verdict == VerdictPass {
			t.Errorf("%q: %v %s", security, got, r.Verdict)
		}
		textsComplete(t, r)
		if security == "bogus" && !strings.Contains(finding(t, r, cause.DNSDNSSECBogus).Explanation, "2026-11-24 08:00 UTC (key tag 4711)") {
			t.Error(finding(t, r, cause.DNSDNSSECBogus).Explanation)
		}
	}
}

// TestForeignOwner: a record at a name that does not stand for the order's
// validates nothing, also where it holds the value.
func TestForeignOwner(t *testing.T) {
	t.Parallel()
	for owner, fits := range map[string]bool{
		"_dnsauth.orchard.net": true, "_x.shop.orchard.net": true, "_a._b.shop.orchard.net": true, "shop.orchard.net": true, "orchard.net": true,
		"_x.net": false, "_dnsauth.evil.net": false, "x.shop.orchard.net": false, "_dnsauth.www.orchard.net": false, "_x": true, "@": true, "net": false,
	} {
		n := healthy()
		n.zones = append(n.zones, &fakeZone{name: "evil.net", servers: []string{"ns.evil.net"}, records: []string{"_dnsauth TXT " + labValue}})
		n.orchard().add("_dnsauth TXT "+labValue, "_x.shop TXT "+labValue, "_a._b.shop TXT "+labValue, "shop TXT "+labValue, "@ TXT "+labValue, "x.shop TXT "+labValue, "_dnsauth.www TXT "+labValue)
		n.zone("net").records = append(n.zone("net").records, "_x TXT "+labValue, "@ TXT "+labValue)
		o := labOrder()
		o.Names[0], o.Challenges[0].Name, o.Challenges[0].Owner = "shop.orchard.net", "shop.orchard.net", owner
		r := (&trial{net: n, order: o}).judge(t)
		if (r.Verdict == VerdictPass) != fits {
			t.Errorf("%s: %s %v", owner, r.Verdict, network(r))
		}
		if !fits {
			finding(t, r, cause.RequestMethodNotAllowed)
			textsComplete(t, r)
		}
	}
}

// TestUncovered: in an attempt every name needs a value of its own, or one of a
// name above it whose method covers it, and every method a rule that looks.
func TestUncovered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		names   []string
		method  order.Method
		decided bool
	}{
		{[]string{"orchard.net", "www.orchard.net"}, order.MethodDNS, true},
		{[]string{"*.orchard.net"}, order.MethodDNS, true},
		{[]string{"orchard.net", "grove.net"}, order.MethodDNS, false},
		{[]string{"orchard.net"}, order.MethodFile, false},
		{[]string{"orchard.net"}, order.MethodEmail, false},
	} {
		n := healthy()
		n.zones = append(n.zones, &fakeZone{name: "grove.net", servers: []string{"ns.grove.net"}, records: []string{soa}})
		o := labOrder()
		o.Names, o.Challenges[0].Method, o.Method = c.names, c.method, c.method
		tr := &trial{net: n, order: o, profile: "baseline", mode: Attempt, places: six()}
		r := tr.judge(t)
		if tr.facts.undecided() == c.decided || c.decided && len(network(r)) > 0 {
			t.Errorf("%v by %s: undecided %v, %v", c.names, c.method, tr.facts.undecided(), network(r))
		}
	}
}
