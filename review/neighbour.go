package review

import (
	"strings"

	"assay/cause"
	"assay/evidence"
)

// A neighbour is a name at which a record that belongs at V is entered by
// mistake. difference is a word of the texts' phrases; "doubled" is the zone
// entered twice.
type neighbour struct{ name, difference string }

// neighbours are the names to look at for a target, the likeliest first.
func neighbours(t *target, zone string, labels []string) []neighbour {
	var list []neighbour
	add := func(n, difference string) {
		if n == t.owner || n == "" || len(n) > 253 || strings.Contains(n, "..") {
			return
		}
		for _, o := range list {
			if o.name == n {
				return
			}
		}
		list = append(list, neighbour{n, difference})
	}
	add(t.owner+"."+zone, "doubled")
	add(t.owner+"."+t.domain, "doubled")
	prefix := strings.TrimSuffix(t.owner, t.base)
	add(t.base, "base-name")
	if strings.HasPrefix(prefix, "_") {
		add(t.owner[1:], "no-underscore")
		for _, label := range labels {
			add(label+"."+t.base, "other-prefix")
		}
		if t.base != t.domain {
			add(prefix+parentOf(t.base), "parent")
			add(prefix+t.domain, "parent")
		}
		add(prefix+"www."+t.base, "www")
		add(prefix+t.owner, "child")
	}
	if t.base != t.domain {
		add(t.domain, "parent")
	}
	add("www."+t.base, "www")
	return list
}

// misplaced looks for the value at neighbouring names. A random name beside it
// must not have it too, or a wildcard gives it to every name.
func (f *facts) misplaced(s *sink, t *target, z *sight) {
	labels := []string{f.profile.DNS.Label, "_dnsauth", "_acme-challenge"}
	for _, n := range neighbours(t, z.zone(), labels) {
		there := f.probe(evidence.DNSQuestion{Name: n.name, Type: t.typ})
		if !f.matched(t, there) {
			continue
		}
		beside := f.probe(evidence.DNSQuestion{Name: parentOf(n.name), Type: t.typ, Random: true})
		if beside.state == unseen || f.matched(t, beside) {
			continue
		}
		d := (*draft)(nil)
		if n.difference == "doubled" {
			d = s.addTarget(cause.DNSDoubledZone, t)
		} else {
			d = s.addTarget(cause.DNSWrongName, t).with("difference", n.difference)
		}
		d.record(t, z.zone()).form(z.first()).with("found_at", n.name).seenBy(z, there, beside).
			reproduce(digOne(z.first(), t.owner, t.typ), digOne(there.first(), n.name, t.typ))
		return
	}
}
