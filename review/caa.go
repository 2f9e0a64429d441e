package review

import (
	"slices"

	"assay/caa"
	"assay/cause"
	"assay/evidence"
)

// caaRules are about the CAA records that apply to each name (RFC 8659).
var caaRules = []rule{
	{
		causes: []cause.ID{
			cause.CAAForbids, cause.CAAForbidsWildcard, cause.CAAInheritedFromParent, cause.CAAInheritedThroughCNAME,
			cause.CAAMalformed, cause.CAAParameterMismatch,
		},
		needs: needLook | needNames, caa: true, run: eachCAA(caaPermission),
	},
	{causes: []cause.ID{cause.CAACriticalUnknown}, needs: needLook | needNames, caa: true, run: eachCAA(caaCritical)},
	{
		causes: []cause.ID{cause.CAALookupFailed, cause.CAALookupFailedInsecure, cause.DNSAddressChainBroken},
		needs:  needLook | needNames, caa: true, run: eachCAA(caaLookup),
	},
	{causes: []cause.ID{cause.DNSServersDisagree}, needs: needLook | needNames, caa: true, run: eachCAA(caaDisagree)},
}

// A caaFact is the relevant record set of a name: the first non-empty one from
// the name towards the root, on the name's own tree; at each name CNAMEs are
// followed (RFC 8659 3).
type caaFact struct {
	// steps are the looks from the name to its top-level domain; asked their names.
	steps []*sight
	asked []string
	// found is the step whose set applies; failed the one that gave no answer
	// before any set was found; both nil where no name has any.
	found, failed *sight
	records       []caa.Record
	// settled is false while an answer that matters is not there.
	settled bool
}

// caaQuestion asks every server of the applicant's zones, and of those above
// the first that answers.
func caaQuestion(n, domain string) evidence.DNSQuestion {
	return evidence.DNSQuestion{Name: n, Type: "CAA", Each: below(n, domain)}
}

// caaOf is the set that applies to a name.
func (f *facts) caaOf(n *nameFact) *caaFact {
	if c := f.caaSets[n.Base]; c != nil {
		return c
	}
	domain := n.registrable()
	if domain == "" {
		domain = n.Base
	}
	c := &caaFact{settled: true}
	for label := n.Base; label != ""; label = parentOf(label) {
		c.steps, c.asked = append(c.steps, f.caaAt(label, domain)), append(c.asked, label)
	}
	for _, step := range c.steps {
		switch step.state {
		case unseen, blind:
			c.settled = false
		case answered:
			if records := step.records(); len(records) > 0 {
				c.found, c.records = step, parseCAA(records)
			}
		default:
			c.failed = step
		}
		if c.found != nil || c.failed != nil || !c.settled {
			break
		}
	}
	if f.caaSets == nil {
		f.caaSets = map[string]*caaFact{}
	}
	f.caaSets[n.Base] = c
	return c
}

// caaAt is the look for CAA at one name. A failure is tried once more, over TCP,
// before it counts (BR 4.2.2.1).
func (f *facts) caaAt(label, domain string) *sight {
	q := caaQuestion(label, domain)
	s := f.resolveAnyhow(f.primary(), q)
	if s.state != unanswered || tries(s) > 1 {
		return s
	}
	q.Transport = "tcp"
	again := f.resolve(f.primary(), q)
	if again.state == blind {
		return s
	}
	if again.state == unseen {
		return again
	}
	again.retried = true
	return again
}

// tries is how often a server was asked.
func tries(s *sight) int {
	n := 0
	for _, c := range copiesOf(s) {
		n = max(n, c.Tries)
	}
	if s.retried {
		n = max(n, 1) + 1
	}
	return n
}

// parseCAA reads records. One that cannot be read names nobody.
func parseCAA(records []evidence.Record) []caa.Record {
	var parsed []caa.Record
	for i := range records {
		r, ok := caa.Parse(records[i].Data)
		if !ok {
			r = caa.Record{Tag: "issue", Value: records[i].Data}
		}
		parsed = append(parsed, r)
	}
	return parsed
}

// eachCAA runs a rule for every name, with the set that applies to it. IP
// addresses have none.
func eachCAA(rule func(*facts, *sink, *nameFact, *caaFact)) func(*facts, *sink) {
	return func(f *facts, s *sink) {
		for i := range f.names {
			if n := &f.names[i]; n.same == i && f.lookable(n) {
				if c := f.caaOf(n); c.settled {
					rule(f, s, n, c)
				}
			}
		}
	}
}

// addCAA starts a finding about the set that applies to a name.
func (s *sink) addCAA(id cause.ID, n *nameFact, c *caaFact) *draft {
	d := s.addName(id, n).concerning(n.subject()+"\x00caa").with("base", n.Base)
	z := c.found
	if z == nil {
		return d
	}
	owner := z.end()
	zone := n.Base
	if l := z.last(); l != nil && below(owner, l.Zone) {
		zone = l.Zone
	}
	texts := make([]string, 0, len(c.records))
	for _, r := range c.records {
		texts = append(texts, shorten(r.String()))
	}
	if len(texts) > maxShown {
		texts = texts[:maxShown]
	}
	return d.with("owner", owner).with("host", hostIn(owner, zone)).with("issuer", s.facts.issuer()).
		with("records", texts).seenBy(z).reproduce(digOne(z.last(), owner, "CAA"), digOne(z.first(), z.asked(), "CAA"))
}

// issuer is the issuer domain that texts show.
func (f *facts) issuer() string {
	if len(f.profile.CAA.Issuers) > 0 {
		return f.profile.CAA.Issuers[0]
	}
	return ""
}

// caaPermission: may this CA issue for the name?
func caaPermission(f *facts, s *sink, n *nameFact, c *caaFact) {
	if c.found == nil {
		return
	}
	v := f.permission(c.records, n.Wildcard, f.methodFor(n))
	switch {
	case v.permitted:
		if v.open {
			s.skip("account", "not-given", []cause.ID{cause.CAAParameterMismatch})
		}
		return
	case len(f.profile.CAA.Issuers) == 0:
		f.issuerUnknown(s, n, c)
		return
	}
	property := v.property
	switch {
	case v.parameter != "":
		s.addCAA(cause.CAAParameterMismatch, n, c).with("record", shorten(v.record.String())).
			with("parameter", v.parameter).with("problem", v.problem).with("seen", shown(v.seen)).with("expected", v.expected)
		return
	case v.problem != "":
		s.addCAA(cause.CAAMalformed, n, c).with("record", shorten(v.record.String())).with("problem", v.problem).
			with("position", position(v)).with("corrected", caa.Record{Flags: v.record.Flags, Tag: property, Value: f.issuer()}.String())
		return
	}
	wide := cause.CAAForbids
	if property == "issuewild" {
		wide = cause.CAAForbidsWildcard
	}
	s.addCAA(wide, n, c)
	switch chain := c.found.chain(); {
	case len(chain) > 1:
		s.addCAA(cause.CAAInheritedThroughCNAME, n, c).without("host").with("property", property).with("chain", chain).
			with("zone", lastZone(c.found))
	case c.found.asked() != n.Base:
		at := slices.Index(c.asked, c.found.asked())
		s.addCAA(cause.CAAInheritedFromParent, n, c).with("property", property).with("asked", c.asked[:at+1])
	}
}

func lastZone(z *sight) string {
	if l := z.last(); l != nil {
		return l.Zone
	}
	return ""
}

// position is the character of a value, counted from 1, at which its grammar
// breaks; nil where the value as a whole is wrong.
func position(v permission) any {
	if v.problem == "near-miss" || v.problem == string(caa.URL) {
		return nil
	}
	return v.offset + 1
}

// issuerUnknown: the profile does not say by which name CAA records call this
// CA, so what they say cannot be judged.
func (f *facts) issuerUnknown(s *sink, n *nameFact, c *caaFact) {
	if !f.level(cause.CAAForbids).Blocks() {
		s.skip("caa.issuers", "not-given", []cause.ID{cause.CAAForbids, cause.CAAForbidsWildcard})
		return
	}
	if s.once(cause.PolicyInputUnavailable, "caa.issuers") {
		s.add(cause.PolicyInputUnavailable, "caa.issuers").with("state", "missing").with("input", "caa.issuers").seenBy(c.found)
	}
}

// caaCritical: a property that this CA does not know, and that is marked as
// critical, forbids issuing whatever the others say (RFC 8659 4.1, BR 4.2.2.1).
func caaCritical(f *facts, s *sink, n *nameFact, c *caaFact) {
	for _, r := range c.records {
		if !f.unknownCritical(r) {
			continue
		}
		s.addCAA(cause.CAACriticalUnknown, n, c).concerning(n.subject()+"\x00"+r.String()).
			with("record", shorten(r.String())).with("flag", r.Flags).with("tag", shorten(r.Tag))
	}
}

func (f *facts) unknownCritical(r caa.Record) bool {
	return r.Flags&f.profile.CAA.CriticalFlags != 0 && !slices.ContainsFunc(f.profile.CAA.KnownTags, r.Is)
}

// caaDisagree: some servers give a set that permits, others one that does not:
// at the name, at one above it, or by leading to different targets.
func caaDisagree(f *facts, s *sink, n *nameFact, c *caaFact) {
	if len(f.profile.CAA.Issuers) == 0 {
		return
	}
	z, l, counts, forks := f.caaFork(n, c)
	if !forks {
		return
	}
	var conditions []string
	if !counts || f.outvoted(checkCAA, n.subject()) {
		conditions = []string{"hit"}
	}
	s.addName(cause.DNSServersDisagree, n, conditions...).concerning(n.subject()+"\x00caa").
		with("owner", l.Owner).with("zone", l.Zone).with("type", "CAA").with("answers", answersOf(l, "CAA")).
		with("serials", f.serials(z)).seenBy(z).reproduce(digAll(l, l.Owner, "CAA")...)
}

// caaFork finds the first look at which a server says otherwise than the answer
// that counts, and the link it serves. counts says whether the latter permits.
func (f *facts) caaFork(n *nameFact, c *caaFact) (z *sight, l *evidence.DNSLink, counts, forks bool) {
	for i, z := range c.steps {
		if z.state == answered {
			counts := f.caaPermits(n, c, i, z.records())
			if l := f.caaForkAt(n, c, i, counts); l != nil {
				return z, l, counts, true
			}
		}
		if z == c.found || z == c.failed {
			break
		}
	}
	return nil, nil, false, false
}

// caaForkAt looks at what each server on the way says at one name.
func (f *facts) caaForkAt(n *nameFact, c *caaFact, step int, counts bool) *evidence.DNSLink {
	z := c.steps[step]
	for i := range z.a.Links {
		l := &z.a.Links[i]
		next := ""
		if i < len(z.a.Links)-1 {
			next = z.a.Links[i+1].Owner
		}
		for j := range l.Copies {
			copied := &l.Copies[j]
			if !usable(copied) || next != "" && leadsTo(copied, l.Owner) == next {
				continue
			}
			if permits, known := f.caaCopyPermits(n, c, step, copied, l.Owner); known && permits != counts {
				return l
			}
		}
	}
	return nil
}

// caaCopyPermits judges by what one server says at a name. What it leads to, and
// the answer that counts does not, is asked for.
func (f *facts) caaCopyPermits(n *nameFact, c *caaFact, step int, copied *evidence.DNSCopy, owner string) (permits, known bool) {
	records := recordsAt(copied.Answer, owner, "CAA")
	if target := leadsTo(copied, owner); target != "" && len(records) == 0 {
		domain := n.registrable()
		if domain == "" {
			domain = n.Base
		}
		there := f.resolveAnyhow(f.primary(), caaQuestion(target, domain))
		if there.state != answered {
			return false, there.state != unseen && there.state != blind
		}
		records = there.records()
	}
	return f.caaPermits(n, c, step, records), true
}

// caaPermits reports whether the set at a name permits, where there is none the
// next one above it.
func (f *facts) caaPermits(n *nameFact, c *caaFact, step int, records []evidence.Record) bool {
	for step++; len(records) == 0 && step < len(c.steps); step++ {
		switch z := c.steps[step]; z.state {
		case answered:
			records = z.records()
		case unanswered, bogus, endless:
			return false
		}
	}
	set := parseCAA(records)
	return !slices.ContainsFunc(set, f.unknownCritical) && f.permission(set, n.Wildcard, f.methodFor(n)).permitted
}
