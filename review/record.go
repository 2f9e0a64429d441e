package review

import (
	"slices"
	"strings"

	"assay/cause"
	"assay/evidence"
	"assay/order"
)

// recordRules are about a validation record that is not where it has to be. They
// find every explanation there is; the narrowest is the finding (the catalogue's
// precedence), and none of them ever makes an order pass.
var missingRules = []rule{
	{
		causes: []cause.ID{
			cause.DNSRecordMissing, cause.DNSDoubledZone, cause.DNSWrongName, cause.DNSWrongType, cause.DNSWrongProvider,
			cause.DNSCNAMENotFollowed, cause.DNSRecordRemoved, cause.DNSAutoAddFailed, cause.DNSProxyCNAMEChanged,
		},
		needs: needLook | needNames, also: []evidence.Topic{evidence.TopicChecks}, run: eachTarget(recordMissing),
	},
}

// recordMissing: V has no record of the type, and no CNAME leads on from it.
func recordMissing(f *facts, s *sink, t *target) {
	z, ok := f.missingHere(t)
	if !ok || z.state != answered || len(z.chain()) > 1 {
		return
	}
	if t.method == order.MethodDNSProxy {
		proxyChanged(f, s, t, z)
	}
	if len(z.records()) > 0 {
		return
	}
	l := z.first()
	s.addTarget(cause.DNSRecordMissing, t).record(t, z.zone()).form(l).
		with("rcode", z.rcode()).with("servers", serverNames(l)).with("serials", f.serials(z)).
		seenBy(z).reproduce(digAll(l, t.owner, t.typ)...)
	if !f.registered(t, z) {
		return
	}
	recordRemoved(f, s, t, z)
	autoAddFailed(f, s, t, z)
	if !f.explained(t) {
		return
	}
	f.misplaced(s, t, z)
	f.otherType(s, t, z)
	f.otherProvider(s, t, z)
}

// recordRemoved: an earlier check of this order found it.
func recordRemoved(f *facts, s *sink, t *target, z *sight) {
	checks := f.checks()
	if checks.State == "issued" {
		return
	}
	for _, m := range checks.Matches {
		if strings.EqualFold(m.Name, t.subject) {
			s.addTarget(cause.DNSRecordRemoved, t).record(t, z.zone()).form(z.first()).
				with("matched_at", m.At).with("missing_at", z.o.At).with("servers", serverNames(z.first())).
				from(f, evidence.TopicChecks).seenBy(z).reproduce(digAll(z.first(), t.owner, t.typ)...)
			return
		}
	}
}

// autoAddFailed: the record was to be written through the provider's interface.
func autoAddFailed(f *facts, s *sink, t *target, z *sight) {
	if t.method != order.MethodDNSAuto {
		return
	}
	for _, w := range f.checks().Written {
		if w.Problem != "" && strings.EqualFold(w.Name, t.subject) {
			s.addTarget(cause.DNSAutoAddFailed, t).record(t, z.zone()).
				with("provider", w.Provider).with("problem", w.Problem).with("error", shorten(w.Error)).
				with("servers", serverNames(z.first())).from(f, evidence.TopicChecks).seenBy(z).
				reproduce(digAll(z.first(), t.owner, t.typ)...)
			return
		}
	}
}

// proxyChanged: the permanent CNAME of automatic DNS validation is gone, leads
// elsewhere, or has been replaced by a TXT record.
func proxyChanged(f *facts, s *sink, t *target, z *sight) {
	problem, seen := "missing", valuesOf(z.records())
	sights := []*sight{z}
	if len(seen) > 0 {
		problem = "other-target"
	} else if z.a.Status == "NOERROR" {
		txt := f.probe(evidence.DNSQuestion{Name: t.owner, Type: "TXT"})
		if records := txt.records(); len(records) > 0 {
			problem, seen, sights = "txt-instead", valuesOf(records), append(sights, txt)
		}
	}
	s.addTarget(cause.DNSProxyCNAMEChanged, t).record(t, z.zone()).form(z.first()).
		with("problem", problem).with("seen", shown(seen)).seenBy(sights...).
		reproduce(digAll(z.first(), t.owner, "CNAME")...)
}

// otherType looks for the value in a record of another type at V, and for a
// CNAME that the server hides from the question asked.
func (f *facts) otherType(s *sink, t *target, z *sight) {
	if z.a.Status != "NOERROR" {
		return
	}
	for _, typ := range []string{"CNAME", "TXT", "CAA"} {
		if typ == t.typ {
			continue
		}
		other := f.probe(evidence.DNSQuestion{Name: t.owner, Type: typ})
		records := other.records()
		if f.valueIn(t, z.zone(), records) {
			s.addTarget(cause.DNSWrongType, t).record(t, z.zone()).form(z.first()).with("found_type", typ).
				seenBy(z, other).reproduce(digOne(z.first(), t.owner, t.typ), digOne(z.first(), t.owner, typ))
			return
		}
		if typ == "CNAME" && len(records) > 0 && t.typ != "CNAME" {
			s.addTarget(cause.DNSCNAMENotFollowed, t).with("owner", t.owner).with("zone", z.zone()).with("type", t.typ).
				with("servers", serverNames(z.first())).with("target", hostOf(records[0].Data)).
				with("provider", providerName(serverNames(z.first()))).
				seenBy(z, other).reproduce(digOne(z.first(), t.owner, t.typ), digOne(z.first(), t.owner, "CNAME"))
		}
	}
}

// valueIn reports whether records of another type hold the value: consoles end
// a CNAME target with a dot or with the zone.
func (f *facts) valueIn(t *target, zone string, records []evidence.Record) bool {
	return slices.ContainsFunc(records, func(r evidence.Record) bool {
		v := hostOf(valueOf(&r))
		switch r.Type {
		case "CNAME":
			return v == strings.ToLower(t.value) || v == strings.ToLower(t.value)+"."+zone
		case "TXT":
			return textOf(r.Data) == t.value || t.typ == "CNAME" && v == hostOf(t.value)
		case "CAA":
			return strings.Contains(r.Data, `"`+t.value+`"`)
		}
		return false
	})
}

// otherProvider asks servers that know the zone but are not delegated: those
// that the zone still lists, and the primary that its SOA record names.
func (f *facts) otherProvider(s *sink, t *target, z *sight) {
	l := z.first()
	if l == nil {
		return
	}
	delegated := serverNames(l)
	for _, server := range f.undelegated(z) {
		if slices.Contains(delegated, server) {
			continue
		}
		o := f.look(f.primary(), evidence.DNSQuestion{Name: t.owner, Type: t.typ, Server: server})
		if o == nil || o.DNS == nil {
			continue
		}
		for i := range o.DNS.Copies {
			c := &o.DNS.Copies[i]
			if !usable(c) || !f.acceptsAny(t, recordsAt(c.Answer, t.owner, t.typ)) {
				continue
			}
			s.addTarget(cause.DNSWrongProvider, t).record(t, z.zone()).form(l).
				with("provider", providerName([]string{server})).with("servers", delegated).with("holder", server).
				seenBy(z, &sight{place: f.primary(), o: o}).
				reproduce(digOne(l, t.owner, t.typ), dig(server, t.owner, t.typ))
			return
		}
	}
}

// maxUndelegated bounds the servers that are asked though nobody delegates to
// them.
const maxUndelegated = 4

// undelegated are servers that the zone names and its parent may not.
func (f *facts) undelegated(z *sight) []string {
	var servers []string
	for _, q := range []string{"NS", "SOA"} {
		apex := f.apex(z.first(), q)
		if apex.state != answered {
			continue
		}
		for _, r := range recordsAt(apex.a.Answer, apex.asked(), q) {
			host, _, _ := strings.Cut(r.Data, " ")
			if host = hostOf(host); host != "" && !slices.Contains(servers, host) {
				servers = append(servers, host)
			}
		}
	}
	delegated := serverNames(z.first())
	servers = slices.DeleteFunc(servers, func(h string) bool { return slices.Contains(delegated, h) })
	if len(servers) > maxUndelegated {
		servers = servers[:maxUndelegated]
	}
	return servers
}
