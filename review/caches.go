package review

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"assay/cause"
	"assay/evidence"
)

// cacheRules are about resolvers: what they still remember, and what they
// invent. A resolver that a place was given decides there (catalogue B8); public
// ones only explain, and are asked for V only once every server has the record,
// for a question too early plants the very answer they are asked about (B33).
var cacheRules = []rule{
	{
		causes: []cause.ID{cause.DNSStaleCache, cause.DNSNegativeCache, cause.DNSDelegationCached},
		needs:  needLook | needNames, run: eachTarget(cachedAnswers),
	},
	{causes: []cause.ID{cause.DNSResolverRewrites, cause.PerspectiveUnavailable}, needs: needLook | needNames, run: resolverRewrites},
}

// everywhere reports whether every server that answers has the record.
func (f *facts) everywhere(t *target, z *sight) bool {
	return z.state == answered && z.direct() && f.matched(t, z) && len(f.split(t, z).without) == 0
}

func cachedAnswers(f *facts, s *sink, t *target) {
	if t.value == "" || t.address {
		return
	}
	z := f.here(t)
	if !f.everywhere(t, z) {
		return
	}
	if r := f.primary().Resolver; r != "" {
		f.cached(s, t, z, r, "deciding")
	}
	for _, r := range f.primary().Public {
		f.cached(s, t, z, r, "public")
	}
}

// cached looks at what one resolver still answers.
func (f *facts) cached(s *sink, t *target, z *sight, resolver, role string) {
	r := f.resolve(f.primary(), evidence.DNSQuestion{Name: t.owner, Type: t.typ, Resolver: resolver})
	if r.state != answered || f.matched(t, r) {
		return
	}
	var conditions []string
	if role == "public" {
		conditions = []string{"public"}
	}
	id, ttl := cause.DNSNegativeCache, negativeTTL(r.a.Authority)
	values := valuesOf(r.records())
	if chain := r.chain(); len(values) == 0 && len(chain) > 1 {
		values = chain[1:2]
	}
	if len(values) > 0 {
		id, ttl = cause.DNSStaleCache, leastTTL(r.a.Answer)
	}
	left, retry := f.left(r.o.At, ttl)
	d := s.addTarget(id, t, conditions...).with("owner", t.owner).with("zone", z.zone()).with("type", t.typ).
		with("expected", shorten(t.value)).with("resolver", resolver).with("role", role)
	if id == cause.DNSStaleCache {
		d.with("seen", shown(values))
	} else {
		d.with("rcode", r.rcode())
	}
	d.ends(left, retry).seenBy(r, z).reproduce(digResolver(resolver, t.owner, t.typ), digOne(z.first(), t.owner, t.typ))
	f.cachedDelegation(s, t, z, resolver)
}

// ends sets how long something lasts and when a new check makes sense.
func (d *draft) ends(left time.Duration, at time.Time) *draft {
	if d == nil || left <= 0 {
		return d
	}
	return d.with("ttl_left", left).with("retry", at.UTC()).retry(at)
}

// cachedDelegation: the resolver asks other servers than the parent names now.
func (f *facts) cachedDelegation(s *sink, t *target, z *sight, resolver string) {
	l := z.last()
	ns := f.resolve(f.primary(), evidence.DNSQuestion{Name: l.Zone, Type: "NS", Resolver: resolver})
	apex := f.apex(l, "NS")
	if ns.state != answered || apex.state != answered {
		return
	}
	former, now, own := valuesOf(ns.records()), serverNames(l), valuesOf(recordsAt(apex.a.Answer, l.Zone, "NS"))
	if len(former) == 0 || equalSets(former, now) || equalSets(former, own) || !s.once(cause.DNSDelegationCached, l.Zone, resolver) {
		return
	}
	slices.Sort(former)
	left, retry := f.left(ns.o.At, leastTTL(ns.a.Answer))
	s.addTarget(cause.DNSDelegationCached, t).with("zone", l.Zone).with("resolver", resolver).
		with("servers", now).with("former_servers", former).ends(left, retry).
		seenBy(ns, z).reproduce(digResolver(resolver, l.Zone, "NS"))
}

// leastTTL is the TTL after which an answer is asked for anew.
func leastTTL(records []evidence.Record) int {
	least := -1
	for i := range records {
		if records[i].Type != "RRSIG" && (least < 0 || records[i].TTL < least) {
			least = records[i].TTL
		}
	}
	return max(least, 0)
}

// negativeTTL is how long a denial may be kept: the lesser of the TTL of the SOA
// record and its MINIMUM field (RFC 2308 5).
func negativeTTL(authority []evidence.Record) int {
	for i := range authority {
		r := &authority[i]
		if fields := strings.Fields(r.Data); r.Type == "SOA" && len(fields) == 7 {
			if minimum, err := strconv.Atoi(fields[6]); err == nil {
				return min(r.TTL, minimum)
			}
		}
	}
	return 0
}

// resolverRewrites: a resolver gives data for a random name that the zone's
// servers deny.
func resolverRewrites(f *facts, s *sink) {
	targets := f.targets()
	if len(targets) == 0 {
		return
	}
	t := targets[0]
	for i := range f.places {
		place := &f.places[i]
		resolvers := []string{place.Resolver}
		if i == 0 {
			resolvers = append(resolvers, place.Public...)
		}
		for j, r := range resolvers {
			if r == "" {
				continue
			}
			if probe, theirs, invents := f.invents(t, place, r); invents {
				f.rewrites(s, t, place, r, j == 0, probe, theirs)
			}
		}
	}
}

// invents reports whether a resolver of a place has data for a random name, and
// the servers say that there is no such name.
func (f *facts) invents(t *target, place *evidence.Perspective, resolver string) (probe, theirs *sight, yes bool) {
	probe = f.resolve(place, evidence.DNSQuestion{Name: t.base, Type: "A", Random: true, Resolver: resolver})
	theirs = f.probe(evidence.DNSQuestion{Name: t.base, Type: "A", Random: true})
	yes = theirs.state == answered && theirs.a.Status == "NXDOMAIN" && probe.a != nil &&
		len(valuesOf(recordsAt(probe.a.Answer, probe.asked(), "A"))) > 0
	return probe, theirs, yes
}

func (f *facts) rewrites(s *sink, t *target, place *evidence.Perspective, resolver string, own bool, probe, theirs *sight) {
	d := s.addTarget(cause.DNSResolverRewrites, t).concerning(t.about+"\x00"+resolver).
		with("zone", theirs.zone()).with("resolver", resolver).with("probe", probe.asked()).
		with("rcode", theirs.a.Status).with("seen", shown(valuesOf(recordsAt(probe.a.Answer, probe.asked(), "A")))).
		seenBy(probe, theirs).reproduce(digResolver(resolver, probe.asked(), "A"), digOne(theirs.first(), theirs.asked(), "A"))
	if own {
		d.with("perspectives", []string{place.ID})
	}
	if own && place.ID == f.primary().ID {
		f.unavailable(s, "resolver-failed", resolver).with("name", t.subject).seenBy(probe)
	}
}
